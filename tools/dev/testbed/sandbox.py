# SPDX-License-Identifier: Apache-2.0
"""A namespace of processes, mounts and network of its own: what is started in it ends with it, whatever happens.

For many processes that need no systemd each: file systems under measurement, load, peers. Hosts can be made in it, each with a network
of its own on one switch, whose cables can be cut.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import run
from say import Failure

ADDRESSES = [f"10.214.0.{number}" for number in range(1, 9)]  # all on this machine's loopback
HERE = "10.214.1.1"  # of the sandbox itself on the switch


class Sandbox:
    """Use as a context manager. `folder` is a scratch folder on the host's disk, removed at the end."""

    def __init__(self, label):
        self.label = label

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"gestalt-{self.label}-", dir="/var/tmp"))
        self.folder.chmod(0o755)  # databases run as users of their own
        # Its process 1 ends when its standard input does, so also when this process is killed; the kernel then ends the rest.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--propagation", "private", "cat"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._spawned = []
        self.hosts = {}
        try:
            self._first = self._wait_for_first()
            self.output(["ip", "link", "set", "lo", "up"])
            for address in ADDRESSES:
                self.output(["ip", "addr", "add", f"{address}/32", "dev", "lo"])
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_for_first(self):
        """The host's pid of process 1 inside. unshare has made it once its child has run `cat`."""
        children = pathlib.Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        for _ in range(1000):
            try:
                found = children.read_text().split()
                if found and pathlib.Path(f"/proc/{found[0]}/comm").read_text().strip() == "cat":
                    return found[0]
            except OSError:
                pass
            if self._holder.poll() is not None:
                break
            os.sched_yield()
            try:
                self._holder.wait(timeout=0.005)
            except subprocess.TimeoutExpired:
                continue
        raise Failure("could not make a namespace: unshare(1) ended; this needs root")

    def __exit__(self, *_):
        self._holder.stdin.close()
        for process in self._spawned:
            # nsenter stops itself when what it runs is stopped, and then does not see its end.
            process.send_signal(signal.SIGCONT)
        self._holder.wait(timeout=120)
        for process in self._spawned:
            process.wait(timeout=120)
        shutil.rmtree(self.folder)

    def inside(self, argv, host=None):
        enter = ["nsenter", "--target", self._first, "--net", "--mount", "--pid", "--"]
        if host:
            enter += ["nsenter", f"--net=/run/netns/{host}", "--"]
        return [*enter, *[str(word) for word in argv]]

    def add_host(self, name):
        """A network of its own on the sandbox's switch; returns its address. The switch comes with the first."""
        if not self.hosts:
            self.output(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=False)
            self.output(["mkdir", "-p", "/run/netns"])
            self.output(["ip", "link", "add", "switch", "type", "bridge"])
            self.output(["ip", "addr", "add", f"{HERE}/24", "dev", "switch"])
            self.output(["ip", "link", "set", "switch", "up"])
        address = f"10.214.1.{10 + len(self.hosts)}"
        self.hosts[name] = address
        self.output(["ip", "netns", "add", name])
        self.output(["ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name])
        self.output(["ip", "link", "set", f"to-{name}", "master", "switch", "up"])
        self.output(["ip", "-n", name, "link", "set", "lo", "up"])
        self.output(["ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0"])
        self.output(["ip", "-n", name, "link", "set", "eth0", "up"])
        return address

    def set_link(self, name, up):
        """Plugs a host's cable in or pulls it."""
        self.output(["ip", "link", "set", f"to-{name}", "up" if up else "down"])

    def set_deaf(self, name, deaf):
        """One way only: what the host sends still arrives, it hears nothing itself."""
        self.output(["iptables", "-w", "-A" if deaf else "-D", "INPUT", "-i", "eth0", "-j", "DROP"], name)

    def set_mute(self, name, mute):
        """The other way: it hears everything, and nothing that it sends arrives."""
        self.output(["iptables", "-w", "-A" if mute else "-D", "OUTPUT", "-o", "eth0", "-j", "DROP"], name)

    def output(self, argv, host=None, **options):
        return run.output(self.inside(argv, host), **options)

    def stream(self, argv, what, hint="", env=None):
        run.stream(self.inside(argv), what, hint, env=env)

    def stream_to(self, argv, log):
        """Runs a program with its output in a file anywhere."""
        run.quiet(self.inside(argv), str(argv[0]), log)

    def succeeds(self, argv, host=None):
        return run.succeeds(self.inside(argv, host))

    def spawn(self, argv, log, host=None):
        """A process in the background, with its output in a file of the scratch folder."""
        with open(self.folder / log, "ab") as sink:
            process = subprocess.Popen(self.inside(argv, host), stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
        self._spawned.append(process)
        return process

    def pid_of(self, word):
        """Pid inside, of the process with this word on its command line."""
        found = self.output(["pgrep", "--full", "--exact", f".*{word}.*"], check=False).split()
        if len(found) != 1:
            raise Failure(f"{len(found)} processes have {word} on their command line, not one")
        return found[0]

    def signal(self, word, name):
        self.output(["kill", f"-{name}", self.pid_of(word)])

    def inject(self, word, call, what, log):
        """From now on a system call of the process with this word does `what` (see strace(1), inject); ends with stop_injecting()."""
        pid = self.pid_of(word)
        tracer = self.spawn(["strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{what}", "-p", pid], log)
        for _ in range(500):
            state = self.output(["cat", f"/proc/{pid}/status"], check=False)
            if state and "TracerPid:\t0\n" not in state:
                return tracer
            try:
                tracer.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                continue
            break
        complaint = (self.folder / log).read_text(errors="replace")
        if tracer.poll() is not None and not complaint:
            return tracer  # it took hold, and the process has ended by it already
        raise Failure(f"strace could not take hold of {word}: {complaint[-300:]}")

    def stop_injecting(self, call):
        self.output(["pkill", "-INT", "--full", f"^strace .*trace={call} "], check=False)

    def pids(self, *names):
        """Pids inside, of processes with these command names."""
        found = []
        for line in self.output(["ps", "-e", "-o", "pid=,comm="]).splitlines():
            pid, name = line.split(None, 1)
            if name in names:
                found.append(pid)
        return found
