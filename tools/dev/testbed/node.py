# SPDX-License-Identifier: Apache-2.0
"""One test node: an overlay root, a data disk on a loop device, and systemd-nspawn with systemd as PID 1."""
import os
import pathlib
import select
import signal
import socket
import subprocess
import time
import uuid

import run
from say import Failure

from . import cgroups

DATA_BYTES = 4 << 30
BOOT_SECONDS = 90
HALT_SECONDS = 10
DATA_MOUNT = """[Unit]
Before=local-fs.target
[Mount]
What=/dev/gestalt-data
Where=/var/lib/gestalt
Type=ext4
[Install]
WantedBy=local-fs.target
"""


class Node:
    """Made by Bed.add_node. `files` are put into the root before the first boot: path to text."""

    def __init__(self, bed, name, number, files=None):
        self.bed, self.name, self.number = bed, name, number
        self.files = files or {}
        self.machine = f"{bed.prefix}{name}"
        self.folder = bed.folder / name
        self.root = self.folder / "root"
        self.v4, self.v6 = bed.network.address(number)
        self.process = None
        self.leader = 0
        self.loop = ""

    @classmethod
    def attach(cls, bed_folder, state):
        """A running node that another process booted."""
        node = cls.__new__(cls)
        node.name, node.leader, node.loop = state["name"], state["leader"], state["loop"]
        node.v4, node.v6 = state["v4"], state["v6"]
        node.folder, node.process = bed_folder / state["name"], None
        return node

    # Before the first boot.

    def prepare(self):
        for part in ("root", "upper", "work"):
            (self.folder / part).mkdir(parents=True)
        self._make_disk()
        layers = f"lowerdir={self.bed.installed}:{self.bed.tree},upperdir={self.folder}/upper,workdir={self.folder}/work"
        run.output(["mount", "-t", "overlay", self.machine, "-o", layers, self.root])
        self._write("etc/hostname", self.name + "\n")
        self._write("etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{self.v4} {self.name}\n")
        self._write("etc/machine-id", uuid.uuid4().hex + "\n")
        self._write("etc/systemd/system/var-lib-gestalt.mount", DATA_MOUNT)
        wants = self.root / "etc/systemd/system/local-fs.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "var-lib-gestalt.mount").symlink_to("/etc/systemd/system/var-lib-gestalt.mount")
        for path, text in self.files.items():
            self._write(path.lstrip("/"), text)
        self.bed.network.attach(self.machine, self.number)

    def _make_disk(self):
        image = self.folder / "data.img"
        with open(image, "wb") as file:
            file.truncate(DATA_BYTES)
        run.output(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", image])
        self.loop = run.output(["losetup", "--find", "--show", image]).strip()

    def _write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)

    # Power.

    def boot(self):
        """Starts the node and waits until its systemd says that all start jobs are done."""
        if not self.root.exists():
            self.prepare()
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        address = str(self.folder / "notify")
        pathlib.Path(address).unlink(missing_ok=True)
        notify.bind(address)
        groups = cgroups.make(self.machine)
        with open(self.folder / "console", "ab") as console, notify:
            self.process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": address}, preexec_fn=lambda: cgroups.enter(groups))
            (self.folder / "pid").write_text(str(self.process.pid))
            self._wait_ready(notify)
        return self

    def _command(self):
        return ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--machine={self.machine}",
                f"--hostname={self.name}", f"--directory={self.root}", f"--network-namespace-path=/run/netns/{self.machine}",
                "--bind=/dev/fuse", f"--bind={self.loop}:/dev/gestalt-data", "--capability=all",
                "--system-call-filter=@mount @module @keyring bpf perf_event_open @raw-io", "--private-users=no",
                "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe", "--notify-ready=yes",
                "--kill-signal=SIGRTMIN+3", "/usr/sbin/node-init"]

    def _wait_ready(self, notify):
        end = time.monotonic() + BOOT_SECONDS
        ended = os.pidfd_open(self.process.pid)
        poller = select.poll()
        poller.register(notify, select.POLLIN)
        poller.register(ended, select.POLLIN)
        try:
            while time.monotonic() < end:
                ready = [descriptor for descriptor, _ in poller.poll(1000)]
                if ended in ready:
                    raise Failure(f"{self.name} ended while it booted:\n{self.console()}")
                if notify.fileno() in ready and b"READY=1" in notify.recv(65536):
                    self.leader = self._find_leader()
                    return
        finally:
            os.close(ended)
        raise Failure(f"{self.name} is not up after {BOOT_SECONDS} s:\n{self.console()}")

    def _find_leader(self):
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if int(words[1]) == self.process.pid:
                    return int(entry.name)
        raise Failure(f"{self.name}: PID 1 of the node is not to be found")

    def console(self, lines=30):
        text = (self.folder / "console").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def halt(self):
        """Switches off in order; SIGKILL when that takes too long."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.leader, signal.SIGRTMIN + 4)  # systemd: poweroff.target
        try:
            self.process.wait(HALT_SECONDS)
        except subprocess.TimeoutExpired:
            self.cut_power()
        self.process = None

    def cut_power(self):
        """Everything in the node dies at once. The page cache survives."""
        if self.leader:
            os.kill(self.leader, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process = None

    # Inside.

    def inside(self, argv):
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--", *map(str, argv)]

    def run(self, argv, check=True, timeout=60, text=None):
        """Standard output of a program inside the node."""
        return run.output(self.inside(argv), check=check, timeout=timeout, text=text)

    def curl(self, url, *options, check=True, timeout=30):
        """An HTTP request from inside the node; sockets are reached with --unix-socket."""
        return self.run(["curl", "-sS", "--max-time", timeout, *options, url], check=check, timeout=timeout + 5)

    def copy_in(self, source, target):
        """Copies a file or folder of the host to a path in the running node; what is there is replaced."""
        self.run(["rm", "-rf", target])
        self.run(["mkdir", "-p", pathlib.Path(target).parent])
        # Mounts of the node (the data disk) are seen through its PID 1 only.
        run.output(["cp", "-a", source, f"/proc/{self.leader}/root{target}"])

    def describe(self):
        """What another process needs to enter and end this node."""
        return {"name": self.name, "number": self.number, "leader": self.leader,
                "pid": self.process.pid if self.process else 0, "loop": self.loop, "v4": self.v4, "v6": self.v6}
