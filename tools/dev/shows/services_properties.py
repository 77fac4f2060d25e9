# SPDX-License-Identifier: Apache-2.0
"""State, event, audit record and task of a change are one: a whole host under load, killed at random moments. And what inheritance promises:
configuration and policy in any order, final is final, a child never loosens.
"""
import json
import random
import re
import shutil
import subprocess
import time

import build
from say import Failure
from shows import services

ABOUT = "a services host killed at random moments: state, events, audit and tasks never diverge; inheritance keeps its promises"
CYCLES, CYCLES_SMOKE = 500, 30
CHECK_EVERY = 10
SEED = 20260101
START_SECONDS = 30
CHECK_SECONDS = 300
# Groups of tests that try their property on trees and rules from many seeds, by executable below the build folder.
LATTICES = [("configuration", "unit/services/meta/meta_core_test", "LatticeProperties"),
            ("policy", "unit/services/policy/policy_test", "EvaluateProperties")]
WAYS_MIN = 1000


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
    try:
        done = subprocess.run([program, "check", folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", timeout=CHECK_SECONDS)
    except subprocess.TimeoutExpired:
        return {"good": False, "said": f"no end within {CHECK_SECONDS} s"}
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"good": False, "said": done.stdout + done.stderr[-1000:]}


def show_lattices(report):
    build.build("debug", [path.rsplit("/", 1)[1] for _, path, _ in LATTICES])
    for what, path, group in LATTICES:
        done = subprocess.run([build.folder("debug") / "tests" / path, "-sg", group], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=600)
        account = re.search(r"OK \(\d+ tests, (\d+) ran", done.stdout)
        if done.returncode != 0 or account is None:
            raise Failure(f"{path} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        ways = sum(int(number) for number in re.findall(r"(\d+) ways of the lattice", done.stdout))
        report.figure(f"lattice of {what}: trees and orders tried", ways, f"{account.group(1)} properties", at_least=WAYS_MIN)


def show(report):
    show_lattices(report)
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
            if not report.smoke:
                print(f"  {cycle} kills: {notes} changes, {tasks} tasks, {diverged} apart", flush=True)
            if found["good"]:
                shutil.rmtree(folder)
            folder = top / str(cycle)  # a new one, so that a check stays short
    report.figure("kill -9 at random moments", cycles, "", at_least=cycles)
    report.figure("checks that found state, events, audit or tasks apart", diverged, exactly=0)
    report.figure("ends that were no kill", ended, exactly=0)
    report.figure("changes with their event and audit record", notes, "", at_least=cycles)
    report.figure("tasks that came to their end", tasks, "", at_least=1)
    report.figure("events told twice after a kill", repeated, "(at least once is the promise)")
