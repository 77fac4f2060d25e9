# SPDX-License-Identifier: Apache-2.0
"""One fault after the other on three servers, each with a network and a device of its own, under a load that checks what it was promised."""
import time

import dfs_servers
import say
from shows import dfs_damage
from shows.dfs_load import Load, errors, longest_stall
from testbed.sandbox import Sandbox

ABOUT = "kill, stop, cut, slow down, fill and damage each role of the file system under a checked load: longest stall, nothing lost, healed"
BEFORE, DURING, AFTER = 2, 6, 4  # seconds of load around a fault that lasts
DEVICE_MIB = 3072

# Longest time without a success: the targets, and what peers were measured at (seconds).
KILL_MAX, CUT_MAX = 1.0, 2.0
PEERS = "GlusterFS 0.9 s, MooseFS 1.0 s after a kill; 57 s and 10 s after a cut link"
HEAL_PEERS = "GlusterFS 114 to 223 s"


def faults(servers):
    """Name, how it begins, how it ends, the most that it may stall, whether errors may reach the application."""
    leader = servers.leader()
    other = next(name for name in servers.names if name != leader)
    box = servers.box

    def killed(name, daemon, start):
        return (lambda: servers.signal(name, daemon, "KILL"), lambda: start(name))

    def wiped(name):
        return (lambda: servers.wipe_meta(name), lambda: servers.start_meta(name))

    def stopped(name, daemon):
        return (lambda: servers.signal(name, daemon, "STOP"), lambda: servers.signal(name, daemon, "CONT"))

    def cut(name):
        return (lambda: box.set_link(name, False), lambda: box.set_link(name, True))

    def one_way(name, change):
        return (lambda: change(name, True), lambda: change(name, False))

    def slow(name, daemon):
        return (lambda: box.inject(servers.word(name, daemon), "fdatasync", "delay_enter=100000", f"slow-{name}.log"),
                lambda: box.stop_injecting("fdatasync"))

    def failing(name, daemon, start):
        # The process must end by itself: what a failed sync left on the disk is unknown.
        def begin():
            box.inject(servers.word(name, daemon), "fdatasync", "error=EIO:when=1", f"eio-{name}.log")

        def end():
            servers.wait_gone(name, daemon)
            start(name)
        return begin, end

    return [
        ("kill -9 of the metadata primary", *killed(leader, "meta", servers.start_meta), KILL_MAX),
        ("kill -9 of a metadata member", *killed(other, "meta", servers.start_meta), KILL_MAX),
        ("a metadata primary comes back with an empty disk", *wiped(leader), KILL_MAX),
        ("kill -9 of a storage server", *killed(other, "storage", servers.start_storage), KILL_MAX),
        ("SIGSTOP of the metadata primary", *stopped(leader, "meta"), CUT_MAX),
        ("SIGSTOP of a storage server", *stopped(other, "storage"), CUT_MAX),
        ("link cut of a server", *cut(other), CUT_MAX),
        ("link cut of the metadata primary's server", *cut(leader), CUT_MAX),
        ("one-way cut: a server hears nothing", *one_way(other, box.set_deaf), CUT_MAX),
        ("one-way cut: the metadata primary's server hears nothing", *one_way(leader, box.set_deaf), CUT_MAX),
        ("one-way cut: nothing of a server arrives", *one_way(other, box.set_mute), CUT_MAX),
        ("slow disk of a storage server (100 ms a sync)", *slow(other, "storage"), CUT_MAX),
        ("slow disk of the metadata primary (100 ms a sync)", *slow(leader, "meta"), CUT_MAX),
        ("EIO at a storage server's sync", *failing(other, "storage", servers.start_storage), KILL_MAX),
        ("EIO at the metadata primary's sync", *failing(leader, "meta", servers.start_meta), KILL_MAX),
    ]


SHORT = ("kill -9 of the metadata primary", "a metadata primary comes back with an empty disk",
         "kill -9 of a storage server", "one-way cut: a server hears nothing", "EIO at a storage server's sync")


def one(report, servers, mount, number, name, begin, end, stall_max):
    load = Load(servers.box, mount, f"fault{number}", BEFORE + DURING + AFTER)
    time.sleep(BEFORE)
    begin()
    time.sleep(DURING)
    end()
    account = load.account()
    wrong = errors(account)
    report.figure(f"{name}: longest stall of changes", longest_stall(account), "s", at_most=stall_max)
    report.figure(f"{name}: longest stall of reads", account["read"]["stall_s"], "s")
    report.figure(f"{name}: errors at the application", wrong, str(account)[:200] if wrong else "", exactly=0)
    report.figure(f"{name}: acknowledged and lost", load.check(), exactly=0)
    servers.wait_whole()


def show(report):
    dfs_servers.prepare()
    with Sandbox("faults") as box:
        servers = dfs_servers.Servers(3, hosts=True, device_mib=DEVICE_MIB)
        mount = servers.start(box)
        names = [fault[0] for fault in faults(servers)]
        for number, name in enumerate(name for name in names if not report.smoke or name in SHORT):
            # Who leads may have changed with the fault before.
            fault = next(fault for fault in faults(servers) if fault[0] == name)
            say.note(name)
            one(report, servers, mount, number, *fault)
        dfs_damage.client_killed(report, servers, mount)
        dfs_damage.absent(report, servers, mount, 5 if report.smoke else 20)
        dfs_damage.wiped(report, servers, mount)
        if not report.smoke:
            dfs_damage.device_full(report, servers, mount)
        dfs_damage.bits_flipped(report, servers, mount)
    report.figure("peers, same faults (measured before)", PEERS)
    report.figure("peers, healed after 20 s of absence (measured before)", HEAL_PEERS)
