# SPDX-License-Identifier: Apache-2.0
"""Faults of `./dev show dfs-faults` that have a course of their own: a killed client, a long absence, a full device, flipped bits."""
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import time

import run
import say
from shows.dfs_load import Load, errors, longest_stall

HOLDER = run.ROOT / "tests/system/dfs/lock_holder.py"
SECTOR = 512


def client_killed(report, servers, mount):
    """A client that dies takes its locks along; what was durable is there; a new mount is up at once."""
    say.note("kill -9 of a client")
    box = servers.box
    place = servers.mount("victim")
    folder = mount / "client-killed"
    box.output(["mkdir", folder])
    box.output([sys.executable, "-c", "import sys; f=open(sys.argv[1],'wb'); f.write(b'durable'*1000); f.flush(); import os; os.fsync(f.fileno())",
                place / "client-killed/file"])
    holder = subprocess.Popen(box.inside([sys.executable, HOLDER, place / "client-killed/file"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL,  # its close fails, as it should
                              text=True)
    holder.stdout.readline()
    waiting = subprocess.Popen(box.inside([sys.executable, HOLDER, folder / "file"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    begin = time.monotonic()
    box.signal(f":/work {place}", "KILL")
    waiting.stdout.readline()
    released = time.monotonic() - begin
    waiting.communicate("", timeout=20)
    box.output(["umount", "-l", place])
    holder.communicate("", timeout=20)
    begin = time.monotonic()
    servers.mount("victim")
    remounted = time.monotonic() - begin
    content = box.output(["sha256sum", place / "client-killed/file"]).split()[0]
    report.figure("kill -9 of a client: another gets its lock after", released, "s", at_most=15)
    report.figure("kill -9 of a client: mounted again after", remounted, "s", at_most=1)
    report.figure("kill -9 of a client: what was durable", content == hashlib.sha256(b"durable" * 1000).hexdigest(), exactly=True)
    servers.unmount("victim")


def absent(report, servers, mount, seconds):
    """A server is away for a while, and is brought up to date."""
    say.note(f"absence of {seconds} s")
    box = servers.box
    name = servers.names[-1]
    load = Load(box, mount, "absent", seconds + 4)
    time.sleep(1)
    for daemon in ("storage", "meta"):
        servers.signal(name, daemon, "KILL")
    time.sleep(seconds)
    begin = time.monotonic()
    servers.start_meta(name)
    servers.start_storage(name)
    servers.wait_whole(300)
    healed = time.monotonic() - begin
    account = load.account()
    written = sum(account[kind]["operations"] for kind in ("append", "overwrite", "replace"))
    report.figure(f"absence of {seconds} s: whole again after", healed, f"s, {written} changes meanwhile", at_most=30)
    report.figure(f"absence of {seconds} s: longest stall of changes", longest_stall(account), "s")
    report.figure(f"absence of {seconds} s: errors at the application", errors(account), exactly=0)
    report.figure(f"absence of {seconds} s: acknowledged and lost", load.check(), exactly=0)


def wiped(report, servers, mount):
    """A server comes back with an empty disk: it gets the copies of the one that it had, by itself."""
    say.note("a wiped storage server")
    box = servers.box
    name = servers.names[-1]
    box.output(["sh", "-c", f"head -c 20000000 /dev/urandom > {mount}/before-the-wipe && sync {mount}/before-the-wipe"])
    content = box.output(["sha256sum", mount / "before-the-wipe"]).split()[0]
    old = servers.storage_nodes()[servers.address[name]]
    servers.signal(name, "storage", "KILL")
    servers.wait_gone(name, "storage")
    box.output(["sh", "-c", f"rm -rf {servers.state(name)}/data/*"])
    begin = time.monotonic()
    servers.start_storage(name)
    servers.wait_replaced(old)
    report.figure("wiped storage server: whole again after", time.monotonic() - begin, "s", at_most=60)
    report.figure("wiped storage server: what was there", box.output(["sha256sum", mount / "before-the-wipe"]).split()[0] == content, exactly=True)


def device_full(report, servers, mount):
    """ENOSPC and nothing else while one device is full; reads go on; writes do again once there is room, without a restart."""
    say.note("full device of a storage server")
    box = servers.box
    data = box.folder / servers.names[1] / "data"
    load = Load(box, mount, "full", 20)
    time.sleep(3)
    free = int(box.output(["df", "--output=avail", "-B1", data]).split()[1])
    box.output(["fallocate", "-l", str(max(0, free - (8 << 20))), data / "filler"])
    time.sleep(8)
    status = servers.ask(servers.names[1], "GET", "/v1/status", daemon="storage") or {}
    box.output(["rm", data / "filler"])
    account = load.account()
    foreign = [text for kind in account.values() for text in kind["first_errors"] if "(28)" not in text]
    report.figure("full device: it says so", status.get("full"), exactly=True)
    report.figure("full device: refused with ENOSPC", errors(account), at_least=1)
    report.figure("full device: other errors", len(foreign), foreign[0] if foreign else "", exactly=0)
    report.figure("full device: longest stall of reads", account["read"]["stall_s"], "s", at_most=1)
    report.figure("full device: acknowledged and lost", load.check(), exactly=0)
    after = Load(box, mount, "after-full", 3)
    report.figure("full device: errors once there is room", errors(after.account()), exactly=0)
    servers.wait_whole()


def flip(files):
    """One bit in each sector of each file; how many."""
    rng, flips = random.Random(1), 0
    for path in files:
        with open(path, "r+b") as file:
            content = bytearray(file.read())
            for start in range(0, len(content), SECTOR):
                at = rng.randrange(start, min(start + SECTOR, len(content)))
                content[at] ^= 1 << rng.randrange(8)
                flips += 1
            file.seek(0)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return flips


FLIP = f"""
import sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent.parent)!r})
from shows import dfs_damage
print(dfs_damage.flip(sys.stdin.read().split()))
"""


def flip_below(box, folder):
    """In the sandbox, where the device is mounted."""
    listed = box.output(["find", folder, "-type", "f", "-size", "+0"])
    done = subprocess.run(box.inside([sys.executable, "-B", "-c", FLIP]), input=listed, text=True, capture_output=True, check=True)
    return int(done.stdout)


def bits_flipped(report, servers, mount):
    """Nothing of a node's damaged files is served; content is mended from the others; a node with a damaged journal does not start."""
    say.note("a flipped bit in each sector of a node's files")
    box = servers.box
    victim = servers.names[0]
    rng = random.Random(7)
    sums = {}
    box.output(["mkdir", mount / "flipped"])
    for number in range(40):
        path = mount / f"flipped/file{number}"
        content = rng.randbytes(rng.choice([20_000, 100_000, 1_000_000]))
        subprocess.run(box.inside(["dd", f"of={path}", "bs=1M", "conv=fsync", "status=none"]), input=content, check=True)
        sums[path] = hashlib.sha256(content).hexdigest()

    def wrong():
        subprocess.run(box.inside(["sh", "-c", "echo 1 > /proc/sys/vm/drop_caches"]), check=False)
        text = box.output(["sha256sum", *sums], timeout=600, check=False)
        found = {pathlib.Path(line.split()[1]): line.split()[0] for line in text.splitlines()}
        return sum(1 for path, value in sums.items() if found.get(path) != value)

    data = box.folder / victim / "data"
    time.sleep(6)  # what the journal holds alone gets into the objects' files with a checkpoint
    servers.signal(victim, "storage", "KILL")
    servers.wait_gone(victim, "storage")
    flips = flip_below(box, data / "objects")
    servers.start_storage(victim)
    servers.wait_whole()
    served = wrong()
    servers.ask(victim, "POST", "/v1/scrub", {}, daemon="storage")
    end = time.monotonic() + 120
    while (servers.ask(victim, "GET", "/v1/scrub", daemon="storage") or {"running": True}).get("running") and time.monotonic() < end:
        time.sleep(0.2)
    status = servers.ask(victim, "GET", "/v1/status", daemon="storage") or {}
    report.figure("flipped bits in objects", flips, "one in each sector", at_least=1)
    report.figure("flipped bits in objects: files served wrong", served + wrong(), exactly=0)
    report.figure("flipped bits in objects: blocks mended", status.get("blocks_mended", 0), f"{status.get('blocks_found_bad')} found", at_least=1)
    report.figure("flipped bits in objects: blocks lost", status.get("blocks_lost", -1), exactly=0)
    everything(report, servers, victim, data, wrong)


def everything(report, servers, victim, data, wrong):
    """Journal and index too: such a node has nothing to rely on. The other two go on."""
    box = servers.box
    servers.signal(victim, "storage", "KILL")
    servers.wait_gone(victim, "storage")
    flips = flip_below(box, data)
    started = servers.try_start_storage(victim)
    served = wrong()
    if started:
        servers.signal(victim, "storage", "KILL")
        servers.wait_gone(victim, "storage")
    report.figure("flipped bits in all files of a node", flips, "one in each sector; " + ("it starts" if started else "it refuses to start"), at_least=1)
    report.figure("flipped bits in all files: files served wrong", served, exactly=0)
