# SPDX-License-Identifier: Apache-2.0
"""Servers of the file system whose disks forget what was not flushed when their power fails, which it does for all of them at once."""
import json
import random

import build
import dfs_servers
from say import Failure

DISK_MIB = 1024
JOURNAL = {"journal_segment_bytes": 16 << 20, "journal_segments_max": 8}
DISK_PROGRAM = "power-loss-disk"


def prepare():
    dfs_servers.prepare()
    build.build("debug", [DISK_PROGRAM])


class PoweredServers(dfs_servers.Servers):
    """Each server's state is on ext4 on a loop device on a power-loss disk of its own; the coordination's is on the first one's.

    `lying`: the daemons' syncs do nothing, which a check of what survives must notice.
    """

    def __init__(self, count=3, seed=1, lying=False):
        super().__init__(count)
        self.random, self.lying, self.lives, self.fsck_runs = random.Random(seed), lying, 0, 0

    def state(self, name):
        return self.box.folder / f"disk-{name}"

    def coordination(self):
        return self.state(self.names[0]) / "coordination"

    def _make_state(self):
        for name in self.names:
            image = self.box.folder / f"{name}.img"
            with open(image, "wb") as file:
                file.truncate(DISK_MIB << 20)
            self.box.output(["mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", image])
            for folder in (f"disk-{name}", f"raw-{name}"):
                (self.box.folder / folder).mkdir()
        self._power_on()
        for name in self.names:
            self.box.output(["mkdir", self.state(name) / "data", self.state(name) / "meta"])
        self.box.output(["mkdir", self.coordination()])

    def _configure(self, name):
        super()._configure(name)
        for daemon in ("meta", "storage"):
            file = self.box.folder / name / f"{daemon}.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **JOURNAL, **({"map_bytes": 1 << 28} if daemon == "meta" else {})}))

    def _power_on(self):
        self.lives += 1
        for name in self.names:
            raw, log = self.box.folder / f"raw-{name}", f"{name}-disk-{self.lives}.log"
            program = build.folder("debug") / "tests/support/power_loss" / DISK_PROGRAM
            self.box.spawn([program, self.box.folder / f"{name}.img", self.random.randrange(1 << 30), raw, 0], log)
            self._wait(f"the disk of {name}", lambda log=log: "ready" in (self.box.folder / log).read_text())
        # Not before all disks are there: each of them has a copy of the mounts that it found.
        for name in self.names:
            loop = self.box.output(["losetup", "--find", "--show", self.box.folder / f"raw-{name}/disk"]).strip()
            try:
                self._mount_disk(loop, self.state(name))
            finally:
                # Goes with its last user, however that ends.
                self.box.output(["losetup", "--detach", loop])

    def _mount_disk(self, loop, folder):
        """Where the superblock was torn, which ext4 writes in place, its copy is put back first (power_loss/mounts.h)."""
        if self.box.succeeds(["mount", "-t", "ext4", "-o", "noatime", loop, folder]):
            return
        self.fsck_runs += 1
        self.box.output(["sh", "-c", 'e2fsck -y -b 32768 -B 4096 "$0" || [ $? -eq 1 ]', loop])  # 1: mended
        self.box.output(["mount", "-t", "ext4", "-o", "noatime", loop, folder])

    def cut(self):
        """The power of everything fails: disks, daemons, the client."""
        self.box.output(["kill", "-USR1", *self.box.pids(DISK_PROGRAM)])
        self.box.output(["kill", "-KILL", *self.box.pids(*self.processes, "strace")], check=False)
        self._wait("the end of the daemons", lambda: not self.box.pids(*self.processes))
        self.box.output(["umount", "--lazy", self.box.folder / "mnt"], check=False)
        for name in self.names:
            log = self.box.folder / f"{name}-disk-{self.lives}.log"
            self._wait(f"the cut of {name}", lambda log=log: "\ncut " in log.read_text())
            self._wait(f"the disk of {name} to be let go", lambda name=name: self.box.succeeds(["umount", self.state(name)]))
        for name in self.names:
            self._wait(f"the disk of {name} to end", lambda name=name: self.box.succeeds(["umount", self.box.folder / f"raw-{name}"]))
        self._wait("the end of the disks", lambda: not self.box.pids(DISK_PROGRAM))

    def start_again(self):
        """The power is back. Returns where the volume is mounted."""
        self._power_on()
        for name in self.names:
            self.start_meta(name)
        self._wait("a metadata server that leads", lambda: self.leader() is not None)
        for name in self.names:
            self.start_storage(name)
        self.wait_whole()
        return self.mount("mnt")

    def _spawn_daemon(self, argv, log, host=None):
        if not self.lying:
            return super()._spawn_daemon(argv, log, host)
        return self.box.spawn(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync,msync",
                               "-e", "inject=fdatasync,fsync,msync:retval=0", *argv], log, host)
