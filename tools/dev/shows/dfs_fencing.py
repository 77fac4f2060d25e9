# SPDX-License-Identifier: Apache-2.0
"""Takeovers of a volume on real processes: the one before can change nothing any more, nor does anything of it arrive later."""
import json
import random
import subprocess
import sys
import time

import dfs_servers
import run
import say
from say import Failure
from testbed.sandbox import Sandbox

ABOUT = "takeovers of a volume: the mount before gets ESTALE for every change, also while no metadata server answers; nothing stale is written"
PROGRAM = run.ROOT / "tests/system/dfs/old_epoch.py"
SLOTS, SLOT = 64, 4096
# The change is of the mount's own memory alone, and nothing of it gets anywhere: no harm either way.
HARMLESS = {"fsync of a folder"}
UNDER_WAY = "the work under way"


class Old:
    """The mount that will be taken over, with work on it."""

    def __init__(self, servers, name, pattern):
        self.box = servers.box
        self.place = servers.mount(name, ["takeover"])
        self.process = subprocess.Popen(self.box.inside([sys.executable, PROGRAM, self.place, pattern]), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise Failure(f"the work on {name} did not begin\n{servers.logs()}")

    def result(self):
        text, _ = self.process.communicate(timeout=120)
        return json.loads(text.strip().splitlines()[-1])

    def mount_word(self):
        return f":/work {self.place}"


def stale_slots(box, place, pattern):
    """Slots that do not have what the new owner wrote."""
    text = box.output(["cat", place / "slots"])
    content = text.encode(errors="replace")
    wanted = pattern.encode().ljust(SLOT, b".")
    return sum(1 for slot in range(SLOTS) if content[slot * SLOT:(slot + 1) * SLOT] != wanted)


def write_all(box, place, pattern):
    box.output([sys.executable, "-c", "import os,sys\nf=os.open(sys.argv[1],os.O_RDWR)\n"
                f"os.pwrite(f,sys.argv[2].encode().ljust({SLOT},b'.')*{SLOTS},0)\nos.fsync(f)", place / "slots", pattern])


def stale_count(servers):
    """Changes that storage servers refused for their epoch."""
    count = 0
    for name in servers.names:
        socket = servers.box.folder / "run" / f"{name}-storage.sock"
        text = servers.box.output(["curl", "-sS", "-f", "--max-time", "5", "--unix-socket", socket, "http://localhost/metrics"])
        count += sum(int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("dfs_storage_stale"))
    return count


def one(servers, rng, number, silence):
    """One takeover; what the one before got, and how many slots are stale. `silence`: no metadata server answers it after the takeover."""
    old_name, new_name = f"old{number}", f"new{number}"
    old = Old(servers, old_name, f"old {number}")
    time.sleep(rng.uniform(0, 0.2))
    paused = rng.random() < 0.5 or silence
    if paused:
        servers.box.signal(old.mount_word(), "STOP")
        time.sleep(rng.uniform(0, 0.3))
    new = servers.mount(new_name, ["takeover"])
    write_all(servers.box, new, f"new {number}")
    if silence:
        servers.signal_all("meta", "STOP")
    if paused:
        servers.box.signal(old.mount_word(), "CONT")
    if silence:
        time.sleep(1.5)
        servers.signal_all("meta", "CONT")
    found = old.result()
    time.sleep(rng.uniform(0, 0.1))
    stale = stale_slots(servers.box, new, f"new {number}")
    servers.box.output(["umount", "-l", old.place])
    servers.unmount(new_name)
    servers.wait_unmounted(new_name)
    return found, stale


def show(report):
    dfs_servers.prepare()
    rng = random.Random(11)
    rounds = 4 if report.smoke else 50
    with Sandbox("fencing") as box:
        servers = dfs_servers.Servers(3)
        place = servers.start(box)
        servers.unmount(place.name)
        servers.wait_unmounted(place.name)
        stale, other, acknowledged, silent = 0, {}, 0, 0
        for number in range(rounds):
            silence = number % 4 == 3
            silent += silence
            found, wrong = one(servers, rng, number, silence)
            stale += wrong
            acknowledged += found["acknowledged"]
            kinds = {**found["found"], UNDER_WAY: found["refusal"]}
            for kind, got in kinds.items():
                if got != "ESTALE" and kind not in HARMLESS:
                    other[kind] = got
        if other:
            say.error(f"not ESTALE: {other}")
        report.figure("takeovers on real processes", rounds, f"{silent} of them while metadata was silent to the one before", exactly=rounds)
        report.figure("writes acknowledged before", acknowledged, at_least=rounds)
        report.figure("kinds of change that got something else than ESTALE", len(other), str(other) if other else "", exactly=0)
        report.figure("stale slots after the takeover", stale, exactly=0)
        report.figure("changes that storage servers refused for their epoch", stale_count(servers))
