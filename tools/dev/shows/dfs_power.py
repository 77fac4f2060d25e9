# SPDX-License-Identifier: Apache-2.0
"""The power fails: under a journal, under a storage device, under all servers and the client at once. Nothing synced may be missing."""
import base64
import json
import os
import random
import re
import subprocess
import sys
import threading
import time

import build
import powered_servers
import run
import say
from powered_servers import PoweredServers
from power_model import Model
from say import Failure
from testbed.sandbox import Sandbox

ABOUT = "power cuts at chosen device writes, and of all servers at once: nothing acknowledged is lost"
LOAD = run.ROOT / "tests/system/dfs/power_load.py"
STORES = [("the metadata servers' journal", "the_journal_loses_nothing_that_was_acknowledged"),
          ("chunk store", "a_storage_device_loses_nothing_that_was_acknowledged")]
WORKERS = 2
OPERATIONS_MAX = 80  # of one life
LIFE_SECONDS_MAX = 15
SEED = 1


def cut_stores(report, cuts):
    """The power-cut suite: a writer on ext4 on a disk that forgets, cut during a chosen write, once more and once more."""
    build.build("debug", ["power_cut_test"])
    suite = build.folder("debug") / "tests/support/power_loss/power_cut_test"
    for what, test in STORES:
        begin = time.monotonic()
        done = subprocess.run([suite, "-v", "-sg", "PowerCut", "-sn", test], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", env={**os.environ, "POWER_CUTS": str(cuts), "POWER_SEED": str(SEED)})
        seconds = time.monotonic() - begin
        if done.returncode != 0 or "OK (1 test" not in done.stdout:
            raise Failure(f"{what}: {done.stdout[-2000:]}{done.stderr[-1000:]}")
        checks = re.search(r"(\d+) file systems were mended", done.stdout)
        report.figure(f"{what}: cuts without loss or damage", cuts, f"in {seconds:.0f} s, seed {SEED}"
                      + (f", {checks.group(1)} times the disk's file system was mended first" if checks else ""), exactly=cuts)


class Load:
    """A worker in the sandbox; what it says is read into its model as it comes."""

    def __init__(self, box, folder, model, seed):
        self.model = model
        self._process = subprocess.Popen(box.inside([sys.executable, LOAD, "load", folder, seed]), stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            if line == "done\n":
                self.model.done()
            elif line.endswith("\n"):
                self.model.begin(json.loads(line))

    def end(self):
        self._process.wait(timeout=60)
        self._reader.join(timeout=60)


def one_life(servers, mount, models, chance, life):
    """From power-on to the cut, after some operations and a moment; the models know what was synced."""
    before = sum(model.acknowledged for model in models)
    loads = [Load(servers.box, mount / f"w{number}", model, f"{SEED}-{life}-{number}") for number, model in enumerate(models)]
    wanted, end = before + chance.randrange(1, OPERATIONS_MAX), time.monotonic() + LIFE_SECONDS_MAX
    while sum(model.acknowledged for model in models) < wanted and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 0.02))
    servers.cut()
    for load in loads:
        load.end()


def look(servers, mount, models):
    """What is wrong after the power came back."""
    wrong = []
    for number, model in enumerate(models):
        text = servers.box.output([sys.executable, LOAD, "dump", mount / f"w{number}"])
        found = {name: base64.b64decode(content) for name, content in json.loads(text).items()}
        wrong += [f"w{number}/{each}" for each in model.check(found)]
    return wrong


def cut_all(cuts, lying=False):
    """Cuts of everything at once. Returns what was found wrong, how much was acknowledged, how often a disk was checked first."""
    chance = random.Random(SEED)
    with Sandbox("power") as box:
        servers = PoweredServers(seed=SEED, lying=lying)
        mount = servers.start(box)
        models = [Model() for _ in range(WORKERS)]
        for number in range(WORKERS):
            box.output(["mkdir", mount / f"w{number}"])
        box.output(["sync", "-f", mount])
        wrong = []
        for life in range(cuts):
            one_life(servers, mount, models, chance, life)
            try:
                mount = servers.start_again()
                wrong = look(servers, mount, models)
            except (Failure, subprocess.TimeoutExpired) as problem:
                wrong = [f"the cluster does not come back: {problem}"]
            if wrong:
                wrong = [f"cut {life + 1}: {each}" for each in wrong]
                break
        return wrong, sum(model.acknowledged for model in models), servers.fsck_runs


def show(report):
    powered_servers.prepare()
    cut_stores(report, 60 if report.smoke else 1000)
    cuts = 5 if report.smoke else 100
    begin = time.monotonic()
    wrong, acknowledged, checks = cut_all(cuts)
    if wrong:
        say.error("\n".join(wrong[:20]))
    report.figure("all servers and the client at once: cuts", cuts,
                  f"in {time.monotonic() - begin:.0f} s, seed {SEED}, {checks} times a disk's file system was mended first")
    report.figure("synced operations before the cuts", acknowledged, at_least=cuts)
    report.figure("lost or damaged", len(wrong), exactly=0)
    if not report.smoke:
        caught, _, _ = cut_all(10, lying=True)
        report.figure("planted: servers that do not sync are caught", len(caught), at_least=1)
