# SPDX-License-Identifier: Apache-2.0
"""State, event, audit record and task of a change are one: a whole host under load, killed at random moments."""
import json
import random
import subprocess
import time

from shows import services

ABOUT = "a services host killed at random moments: state, events, audit and tasks never diverge"
CYCLES, CYCLES_SMOKE = 500, 30
CHECK_EVERY = 10
SEED = 20260101
START_SECONDS = 30


def acknowledged(folder):
    acks = folder / "acks"
    return acks.stat().st_size if acks.exists() else 0


def storm_until_killed(program, folder, seconds, at_work):
    """Kills it that long after its start, or, when it is to be hit at work, after the first thing that it acknowledged."""
    before = acknowledged(folder)
    process = subprocess.Popen([program, "run", folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + START_SECONDS
        while at_work and acknowledged(folder) == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False  # it ended by itself, which it never may


def check(program, folder):
    done = subprocess.run([program, "check", folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=300)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"good": False, "said": done.stdout + done.stderr[-1000:]}


def show(report):
    program = services.storm()
    chance = random.Random(SEED)
    cycles = CYCLES_SMOKE if report.smoke else CYCLES
    diverged, ended, notes, tasks, repeated = 0, 0, 0, 0, 0
    with services.scratch("storm") as top:
        folder = top / "0"
        for cycle in range(1, cycles + 1):
            ended += 0 if storm_until_killed(program, folder, chance.uniform(0.01, 0.4), chance.random() < 0.7) else 1
            if cycle % CHECK_EVERY and cycle != cycles:
                continue
            found = check(program, folder)
            if not found["good"]:
                diverged += 1
                print(f"  after kill {cycle}: {found}")
            notes, tasks = notes + found.get("notes", 0), tasks + found.get("tasks", 0)
            repeated += found.get("told_twice", 0)
            folder = top / str(cycle)  # a new one, so that a check stays short
    report.figure("kill -9 at random moments", cycles, "", at_least=cycles)
    report.figure("checks that found state, events, audit or tasks apart", diverged, exactly=0)
    report.figure("ends that were no kill", ended, exactly=0)
    report.figure("changes with their event and audit record", notes, "", at_least=cycles)
    report.figure("tasks that came to their end", tasks, "", at_least=1)
    report.figure("events told twice after a kill", repeated, "(at least once is the promise)")
