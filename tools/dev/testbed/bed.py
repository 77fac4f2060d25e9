# SPDX-License-Identifier: Apache-2.0
"""A test bed: a prefix, a folder, a switch and its nodes; and how all of it goes away, whoever dies first.

1. Every name (namespace, link, cgroup, mount, loop device's file) begins with the prefix or lies in the bed's folder, so a bed can
   be removed by a process that knows the prefix only.
2. The folder says which process owns the bed; a bed whose owner is gone and that was not meant to stay is removed by the next run.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import secrets
import shutil
import signal

import run
import say
from say import Failure

from . import cgroups, network, tree
from .node import Node

FOLDER = pathlib.Path("/var/tmp/gestalt-dev")
STATE = "state.json"
NAME = re.compile(r"g[0-9a-f]{5}")


def started(pid):
    """The kernel's start time of a process: with the pid it names one process for good. Empty when there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


@contextlib.contextmanager
def one_at_a_time():
    """Keeps other harnesses of this machine out while a bed comes into being."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Bed:
    """Use as a context manager for a run; `stay=True` leaves it standing for another process to remove."""

    def __init__(self, install, prefix=None, stay=False, host_link=True):
        self.prefix = prefix or "g" + secrets.token_hex(3)[:5]
        self.folder = FOLDER / self.prefix
        self.stay, self.host_link, self._install = stay, host_link, install
        self.nodes = {}
        self.facts = {}

    def create(self):
        """`install` fills the folder it is given as `cmake --install` would fill a root."""
        with one_at_a_time():
            if self.folder.exists():
                raise Failure(f"test bed {self.prefix} exists already: ./dev down removes it")
            self.folder.mkdir()
            self.save()
        try:
            self.tree = tree.node_tree()
            with one_at_a_time():  # two beds that start together must not choose the same addresses
                self.network = network.Network(self.prefix)
                self.network.create()
                if self.host_link:
                    self.network.link_host()
            self.installed = self.folder / "installed"
            self.installed.mkdir()
            self._install(self.installed)
            self._configure_units()
        except BaseException:
            self.remove()
            raise
        return self

    def _configure_units(self):
        """Users and enabled units, as a package's scripts would do it on a node."""
        work, root = self.folder / "work", self.folder / "root"
        work.mkdir()
        root.mkdir()
        run.output(["mount", "-t", "overlay", self.prefix, "-o",
                    f"lowerdir={self.tree},upperdir={self.installed},workdir={work}", root])
        try:
            run.output(["chroot", root, "systemd-sysusers"])
            if list((root / "usr/lib/systemd/system").glob("gestalt*")):
                units = [file.name for file in (root / "usr/lib/systemd/system").glob("gestalt*")]
                run.output(["chroot", root, "systemctl", "preset", *sorted(units)])
        finally:
            run.output(["umount", root])

    def add_node(self, name, files=None):
        node = Node(self, name, 10 + len(self.nodes) + 1, files)
        self.nodes[name] = node
        return node

    def boot(self, *names, files=None):
        """Boots nodes (appliance when none is named) and writes down where they are."""
        for name in names or ("n1",):
            node = self.nodes.get(name) or self.add_node(name, files)
            node.boot()
            self.save()
        return self.nodes[(names or ("n1",))[0]]

    def save(self):
        state = {"prefix": self.prefix, "clone": str(run.ROOT), "owner": 0 if self.stay else os.getpid(),
                 "owner_started": "" if self.stay else started(os.getpid()), "facts": self.facts,
                 "nodes": [node.describe() for node in self.nodes.values()]}
        part = self.folder / (STATE + ".part")
        part.write_text(json.dumps(state, indent=1))
        part.rename(self.folder / STATE)

    def remove(self):
        for node in self.nodes.values():
            if node.process is not None and node.leader:
                node.cut_power()
        clean_up(self.prefix)

    def __enter__(self):
        return self.create()

    def __exit__(self, *_):
        self.remove()


# Removal, by name only.

def _mounts(prefix):
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(f"{FOLDER}/{prefix}")]


def _loops(prefix):
    listed = json.loads(run.output(["losetup", "--list", "--json", "-O", "NAME,BACK-FILE"]) or "{}")
    return [entry["name"] for entry in listed.get("loopdevices", [])
            if (entry["back-file"] or "").startswith(f"{FOLDER}/{prefix}")]


def leftovers(prefix="g"):
    """Everything on this machine that carries the prefix, as lines of text. Empty is what a clean end looks like."""
    found = [f"cgroup {group}" for group in cgroups.found(prefix) if NAME.match(group.name)]
    found += [f"namespace {name}" for name in network.namespaces(prefix) if NAME.match(name)]
    found += [f"link {name}" for name in network.host_links(prefix) if NAME.match(name)]
    found += [f"mount {path}" for path in _mounts(prefix)]
    found += [f"loop device {name}" for name in _loops(prefix)]
    if FOLDER.is_dir():
        found += [f"folder {folder}" for folder in FOLDER.glob(prefix + "*") if NAME.match(folder.name)]
    return found


def clean_up(prefix):
    """Removes a bed by its prefix, in the order in which things hold each other. Fails when something stays."""
    state = _state(prefix)
    for node in state.get("nodes", []):
        _end_process(node)
    for group in cgroups.found(prefix):
        cgroups.remove(group)
    for name in network.namespaces(prefix):
        run.output(["ip", "netns", "del", name], check=False)
    for name in network.host_links(prefix):
        run.output(["ip", "link", "del", name], check=False)
    for path in sorted(_mounts(prefix), key=len, reverse=True):
        run.output(["umount", path], check=False)
    for name in _loops(prefix):
        run.output(["losetup", "--detach", name], check=False)
    if not _mounts(prefix):
        shutil.rmtree(FOLDER / prefix, ignore_errors=True)
    rest = leftovers(prefix)
    if rest:
        raise Failure("could not remove: " + "; ".join(rest))


def _end_process(node):
    for pid in (node.get("leader", 0), node.get("pid", 0)):
        # The cgroup tells whether the pid is still ours; numbers are used again.
        if pid and pathlib.Path(f"/proc/{pid}").exists() and _in_our_cgroup(pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _in_our_cgroup(pid):
    try:
        return re.search(r":/g[0-9a-f]{5}", pathlib.Path(f"/proc/{pid}/cgroup").read_text()) is not None
    except OSError:
        return False


def _state(prefix):
    try:
        return json.loads((FOLDER / prefix / STATE).read_text())
    except (OSError, ValueError):
        return {}


def living():
    """The state of every bed on this machine, by prefix."""
    return {folder.name: _state(folder.name) for folder in sorted(FOLDER.glob("g*"))} if FOLDER.is_dir() else {}


def clean_up_dead():
    """Removes the beds whose harness died without doing it."""
    with one_at_a_time():
        states = living()
    for prefix, state in states.items():
        owner = state.get("owner", -1)
        if owner and started(owner) != state.get("owner_started"):
            say.note(f"removing test bed {prefix}, whose owner is gone")
            clean_up(prefix)
