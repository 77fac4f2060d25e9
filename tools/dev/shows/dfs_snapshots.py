# SPDX-License-Identifier: Apache-2.0
"""Snapshots on real processes: what was acknowledged before is in them, what came after is not, they stay while servers die and other
snapshots go, and a volume is taken back to one."""
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import dfs_servers
import say
from say import Failure
from testbed.sandbox import Sandbox

ABOUT = "snapshots under load: content to the byte, across kills, removal and restore"
BIG_BYTES = 8 << 20
# Appends numbers, each synced, and says each that was acknowledged.
WRITER = """
import os, sys
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in range(1, 1 << 30):
    os.write(out, b"%d\\n" % number)
    os.fdatasync(out)
    print(number, flush=True)
"""
# The sum of every file and the target of every name, read inside.
READER = """
import hashlib, os, sys
for folder, folders, files in sorted(os.walk(sys.argv[1])):
    folders.sort()
    for name in sorted(files):
        if name == "numbers":
            continue
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        print(os.path.relpath(path, sys.argv[1]), oct(os.stat(path).st_mode), digest)
"""


def manifest(box, folder):
    return box.output([sys.executable, "-c", READER, folder], timeout=120)


def fill(place, small, big):
    for number in range(small):
        folder = place / f"d{number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}").write_bytes(b"small %d" % number * 50)
    for number in range(big):
        (place / f"big{number}").write_bytes(hashlib.sha256(b"%d" % number).digest() * (BIG_BYTES // 32))


def change(place, small, big, turn):
    """Overwrites, cuts, grows, removes, renames and makes files."""
    for number in range(small):
        file = place / f"d{number % 7}" / f"f{number}"
        if number % 3 == turn % 3 and file.exists():
            file.unlink()
        elif file.exists():
            file.write_bytes(b"changed %d %d" % (number, turn))
        elif number % 5 == 0:
            file.write_bytes(b"made again")
    for number in range(big):
        with open(place / f"big{number}", "r+b") as file:
            if number % 3 == 0:
                file.truncate(BIG_BYTES // 3)
            file.seek(number * 4096 + turn * 1000)
            file.write(b"x" * 10_000)
    os.rename(place / "d1", place / f"moved{turn}")
    (place / "d1").mkdir()
    os.sync()


class Writer:
    """WRITER inside the sandbox; `acknowledged` is the last number it has said."""

    def __init__(self, box, path):
        self.acknowledged = 0
        # A session of its own: what enters the sandbox forks, and both have to go.
        self.process = subprocess.Popen(box.inside([sys.executable, "-c", WRITER, path]), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.acknowledged = int(line)

    def wait_for(self, number):
        end = time.monotonic() + 30
        while self.acknowledged < number:
            if time.monotonic() > end:
                raise Failure(f"the writer has written {self.acknowledged} numbers, not {number}")
            time.sleep(0.02)

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.reader.join()  # its end has no writer any more
        self.process.wait()


class Volume:
    def __init__(self, servers):
        self.servers, self.box, self.base = servers, servers.box, f"/dfs/v1/volumes/{dfs_servers.VOLUME}/snapshots"

    def snapshot(self, name):
        begin = time.monotonic()
        made = self.servers.ask(self.servers.leader(), "POST", self.base, {"name": name})
        if made is None:
            raise Failure(f"the snapshot {name} was not made\n{self.servers.logs()}")
        return time.monotonic() - begin

    def remove(self, name):
        self.servers.ask(self.servers.leader(), "DELETE", f"{self.base}/{name}")

    def at(self, name):
        """The manifest of a snapshot, from a mount of its own."""
        place = self.servers.mount(f"at-{name}", volume=f"{dfs_servers.VOLUME}@{name}")
        try:
            return manifest(self.box, place)
        finally:
            self.servers.unmount(f"at-{name}")


def run_inside(box, function, *arguments):
    """A function of this file in the sandbox, where the mounts are."""
    code = f"import pathlib, sys; sys.path[:0] = {sys.path!r}; from shows import dfs_snapshots as it; it.{function}("
    code += ", ".join(f"pathlib.Path({str(each)!r})" if isinstance(each, os.PathLike) else repr(each) for each in arguments) + ")"
    box.output([sys.executable, "-c", code], timeout=300)


def compare(report, servers, volume, mount, writer, first, small, big):
    """Two snapshots while somebody writes, before and after a kill and a removal; gives what the second has."""
    writer.wait_for(20)
    before = writer.acknowledged
    report.figure("a snapshot under load takes", volume.snapshot("one"), "s", at_most=5)
    run_inside(servers.box, "change", mount, small, big, 1)
    second = manifest(servers.box, mount)
    volume.snapshot("two")
    run_inside(servers.box, "change", mount, small, big, 2)
    third = manifest(servers.box, mount)
    report.figure("the first snapshot is as the volume was", volume.at("one") == first, exactly=True)
    report.figure("the second one too", volume.at("two") == second, exactly=True)
    numbers = numbers_at(servers, "one")
    report.figure("acknowledged before the snapshot and not in it", max(0, before - len(numbers)), exactly=0)
    report.figure("what is in it is a beginning", numbers == list(range(1, len(numbers) + 1)), exactly=True)
    say.note("killing the metadata server that leads")
    leader = servers.leader()
    servers.signal(leader, "meta", "KILL")
    servers.wait_leader()
    report.figure("the same after its death", (volume.at("one"), volume.at("two"), manifest(servers.box, mount)) == (first, second, third),
                  exactly=True)
    servers.start_meta(leader)
    volume.remove("one")
    report.figure("the second one after the first was removed", volume.at("two") == second, exactly=True)
    return second


def show(report):
    small, big = (60, 3) if report.smoke else (1000, 12)
    dfs_servers.prepare()
    with Sandbox("snapshots") as box:
        servers = dfs_servers.Servers(3, hosts=True)
        mount = servers.start(box)
        volume = Volume(servers)
        run_inside(box, "fill", mount, small, big)
        first = manifest(box, mount)
        writer = Writer(box, mount / "numbers")
        try:
            second = compare(report, servers, volume, mount, writer, first, small, big)
        finally:
            writer.stop()
        servers.unmount("mnt")
        servers.ask(servers.leader(), "POST", f"{volume.base}/two/restore", {})
        mount = servers.mount("mnt")
        report.figure("the volume is taken back", manifest(box, mount) == second, exactly=True)
        servers.wait_whole()
        report.figure("problems that fsck finds", servers.ask(servers.leader(), "POST", "/dfs/v1/fsck", {})["wrong"], exactly=0)


def numbers_at(servers, name):
    place = servers.mount(f"at-{name}", volume=f"{dfs_servers.VOLUME}@{name}")
    text = servers.box.output(["cat", place / "numbers"])
    servers.unmount(f"at-{name}")
    return [int(line) for line in text.split()]
