# SPDX-License-Identifier: Apache-2.0
"""How speed and memory go with the number of files, of clients and of servers."""
import json
import subprocess
import sys

import dfs_servers
import run
import say
from dfs_servers import Servers
from say import Failure
from testbed.sandbox import Sandbox

ABOUT = "operations per second and memory from 1,000 to 1,000,000 files, 1 to 8 clients, 3 to 8 servers"
LOAD = run.ROOT / "tests/system/dfs/scale_load.py"
STATS = 2000
CLIENT_FILES = 2000
SYNC_SECONDS = 4
# Of all servers and the client, without what the kernel keeps of files: with a million files at most this, and at most this much more
# than with a hundredth of them.
ANONYMOUS_MIB_MAX = 700
GROWTH_MAX = 4.0


def memory(box):
    """MiB of all daemons: resident, of that anonymous; the client's anonymous alone."""
    resident = anonymous = client = 0
    for pid in box.pids(*Servers.processes):
        status = dict(line.split(":", 1) for line in box.output(["cat", f"/proc/{pid}/status"]).splitlines() if ":" in line)
        resident += int(status["VmRSS"].split()[0])
        anonymous += int(status["RssAnon"].split()[0])
        if status["Name"].strip() == Servers.processes[2]:
            client += int(status["RssAnon"].split()[0])
    return resident / 1024, anonymous / 1024, client / 1024


def work(box, *words):
    return json.loads(box.output([sys.executable, LOAD, *words], timeout=3600))


def at_once(box, works):
    """The sum of what they do per second, all at the same time."""
    running = [subprocess.Popen(box.inside([sys.executable, LOAD, *words]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
               for words in works]
    outputs = [process.communicate(timeout=3600)[0] for process in running]
    if any(process.returncode for process in running):
        raise Failure("a client failed")
    return sum(json.loads(text) for text in outputs)


def files(report, counts):
    with Sandbox("scale") as box:
        servers = Servers(3)
        mount = servers.start(box)
        box.output(["mkdir", mount / "files"])
        done, growth = 0, {}
        for count in counts:
            say.note(f"{count} files")
            rate = work(box, "create", mount / "files", done, count - done)
            done = count
            servers.unmount("mnt")
            mount = servers.mount("mnt")  # knows nothing yet
            looks = work(box, "stat", mount / "files", count, min(count, STATS))
            resident, anonymous, client = memory(box)
            growth[count] = anonymous
            report.figure(f"{count} files: created per second", round(rate))
            report.figure(f"{count} files: looked at by chance, cold, per second", round(looks))
            report.figure(f"{count} files: memory of all", f"{resident:.0f}", f"MiB, of that anonymous {anonymous:.0f}, of the client {client:.0f}")
        report.figure("anonymous memory with the most files", round(growth[counts[-1]]), "MiB", at_most=ANONYMOUS_MIB_MAX)
        if len(counts) > 2:
            report.figure("it, over that with a hundredth of them", round(growth[counts[-1]] / growth[counts[-3]], 2), at_most=GROWTH_MAX)


def clients(report, counts):
    for count in counts:
        say.note(f"{count} clients")
        with Sandbox("scale") as box:
            servers = Servers(3)
            mounts = [servers.start(box)] + [servers.mount(f"mnt{number}") for number in range(2, count + 1)]
            for number, mount in enumerate(mounts):
                box.output(["mkdir", mount / f"c{number}"])
            created = at_once(box, [("create", mount / f"c{number}", "0", str(CLIENT_FILES)) for number, mount in enumerate(mounts)])
            synced = at_once(box, [("sync", mount / f"c{number}", str(SYNC_SECONDS)) for number, mount in enumerate(mounts)])
            report.figure(f"{count} clients: files created per second, all together", round(created), at_least=1)
            report.figure(f"{count} clients: 4 KiB writes with fdatasync per second", round(synced), f"memory {memory(box)[0]:.0f} MiB", at_least=1)


def server_counts(report, counts):
    for count in counts:
        say.note(f"{count} servers")
        with Sandbox("scale") as box:
            servers = Servers(count, metadata=3)
            mount = servers.start(box)
            folders = [mount / f"c{number}" for number in range(4)]
            box.output(["mkdir", *folders])
            synced = at_once(box, [("sync", folder, str(SYNC_SECONDS)) for folder in folders])
            report.figure(f"{count} servers: 4 KiB writes with fdatasync per second, four files", round(synced),
                          f"memory {memory(box)[0]:.0f} MiB", at_least=1)


def show(report):
    dfs_servers.prepare()
    files(report, [1000, 10_000] if report.smoke else [1000, 10_000, 100_000, 1_000_000])
    clients(report, [1, 2] if report.smoke else [1, 2, 4, 8])
    server_counts(report, [3] if report.smoke else [3, 5, 8])
