# SPDX-License-Identifier: Apache-2.0
"""The file system's parts in the simulator: real code, virtual time, faults by seed, and planted mistakes that must be found."""
import os
import re
import subprocess
import time

import build
from say import Failure

ABOUT = "whole groups, stores, servers and clients in the simulator, by seed; planted mistakes must be found"
# Suite, seeds of the short form (its own number), of the long form.
SUITES = [("replication_test", 500, 10_000), ("group_test", 0, 10_000), ("journal_test", 0, 10_000), ("dfs_meta_test", 0, 300),
          ("dfs_meta_sim_test", 0, 1_000), ("dfs_storage_test", 0, 2_000), ("dfs_client_test", 0, 2_000)]


def run_suite(name, seeds):
    """The suite's account and how long it took."""
    env = dict(os.environ)
    if seeds:
        env["GESTALT_SIM_SEEDS"] = str(seeds)
    begin = time.monotonic()
    done = subprocess.run([build.folder("debug") / "tests/unit/dfs" / name], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", env=env)
    if done.returncode != 0:
        raise Failure(f"{name} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}\nOne seed alone: GESTALT_SIM_SEED=N {name}")
    return done.stdout, time.monotonic() - begin


def show(report):
    build.build("debug", [name for name, *_ in SUITES])
    for name, short, long in SUITES:
        seeds = short if report.smoke else long
        text, seconds = run_suite(name, seeds)
        account = re.search(r"OK \((\d+) tests", text)
        report.figure(f"{name}: tests green", int(account.group(1)) if account else 0,
                      f"in {seconds:.0f} s, " + (f"{seeds} seeds in each of its simulations" if seeds else "its usual seeds"),
                      at_least=1)
