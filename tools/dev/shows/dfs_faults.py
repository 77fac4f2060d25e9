# SPDX-License-Identifier: Apache-2.0
"""One fault after the other on three servers, each with a network of its own, under a load that checks what it was promised."""
import json
import subprocess
import sys
import time

import dfs_servers
import run
import say
from say import Failure
from testbed.sandbox import Sandbox

ABOUT = "kill, stop and cut each role of the file system under a checked load: longest stall, nothing lost, healed"
LOAD = run.ROOT / "tests/system/dfs/checked_load.py"
BEFORE, DURING, AFTER = 2, 6, 4  # seconds of load around a fault that lasts

# Longest time without a success: the targets, and what peers were measured at (seconds).
KILL_MAX, CUT_MAX = 1.0, 2.0
PEERS = "GlusterFS 0.9 s, MooseFS 1.0 s after a kill; 57 s and 10 s after a cut link"


class Load:
    """The checked load in the background, on a folder of the mount."""

    def __init__(self, box, mount, name, seconds):
        self.folder, self.record = mount / name, box.folder / f"{name}.record"
        box.output(["mkdir", self.folder])
        self.box = box
        self.process = subprocess.Popen(
            box.inside([sys.executable, LOAD, "run", self.folder, self.record, "--seconds", seconds]), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "started":
            raise Failure("the load did not start")

    def account(self):
        text, _ = self.process.communicate(timeout=180)
        if self.process.returncode != 0:
            raise Failure(f"the load ended with {self.process.returncode}: {text[-500:]}")
        return json.loads(text)

    def check(self):
        """How many acknowledged things are missing or wrong."""
        text = self.box.output([sys.executable, LOAD, "check", self.folder, self.record], check=False, timeout=300)
        lines = text.strip().splitlines()
        if len(lines) > 1:
            say.error("\n".join(lines[:5]))
        return json.loads(lines[-1])["wrong"] if lines else -1


def faults(servers):
    """Name, how it begins, how it ends, the most that it may stall."""
    leader = servers.leader()
    other = next(name for name in servers.names if name != leader)
    box = servers.box

    def killed(name, daemon, start):
        return (lambda: servers.signal(name, daemon, "KILL"), lambda: start(name))

    def stopped(name, daemon):
        return (lambda: servers.signal(name, daemon, "STOP"), lambda: servers.signal(name, daemon, "CONT"))

    def cut(name):
        return (lambda: box.set_link(name, False), lambda: box.set_link(name, True))

    return [
        ("kill -9 of the metadata primary", *killed(leader, "meta", servers.start_meta), KILL_MAX),
        ("kill -9 of a metadata member", *killed(other, "meta", servers.start_meta), KILL_MAX),
        ("kill -9 of a storage server", *killed(other, "storage", servers.start_storage), KILL_MAX),
        ("SIGSTOP of the metadata primary", *stopped(leader, "meta"), CUT_MAX),
        ("SIGSTOP of a storage server", *stopped(other, "storage"), CUT_MAX),
        ("link cut of a server", *cut(other), CUT_MAX),
        ("link cut of the metadata primary's server", *cut(leader), CUT_MAX),
    ]


def one(report, servers, mount, number, name, begin, end, stall_max):
    load = Load(servers.box, mount, f"fault{number}", BEFORE + DURING + AFTER)
    time.sleep(BEFORE)
    begin()
    time.sleep(DURING)
    end()
    account = load.account()
    writes = max(account[kind]["stall_s"] for kind in ("append", "overwrite", "replace"))
    errors = sum(kind["errors"] for kind in account.values())
    report.figure(f"{name}: longest stall of changes", writes, "s", at_most=stall_max)
    report.figure(f"{name}: longest stall of reads", account["read"]["stall_s"], "s")
    report.figure(f"{name}: errors at the application", errors, str(account)[:200] if errors else "", exactly=0)
    report.figure(f"{name}: acknowledged and lost", load.check(), exactly=0)
    servers.wait_whole()


def show(report):
    dfs_servers.prepare()
    with Sandbox("faults") as box:
        servers = dfs_servers.Servers(3, hosts=True)
        mount = servers.start(box)
        chosen = faults(servers)
        for number, name in enumerate(fault[0] for fault in (chosen[:3] if report.smoke else chosen)):
            # Who leads may have changed with the fault before.
            fault = next(fault for fault in faults(servers) if fault[0] == name)
            say.note(name)
            one(report, servers, mount, number, *fault)
    report.figure("peers, same faults (measured before)", PEERS)
