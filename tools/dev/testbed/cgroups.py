# SPDX-License-Identifier: Apache-2.0
"""A cgroup of its own in every hierarchy for each node, without which no limit inside it is real."""
import os
import pathlib
import signal
import time

BASE = pathlib.Path("/sys/fs/cgroup")


def hierarchies():
    """The mount points of the v1 controllers, or of the one v2 tree."""
    if (BASE / "cgroup.controllers").exists():
        return [BASE]
    return [folder for folder in sorted(BASE.iterdir())
            if folder.is_dir() and not folder.is_symlink() and (folder / "cgroup.procs").exists()
            and folder.name != "unified"]


def make(name):
    """Makes the cgroup `name` in every hierarchy; returns the files that a process writes itself into."""
    files = []
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if hierarchy.name == "cpuset":
                (group / setting).write_text((hierarchy / setting).read_text())
        files.append(group / "cgroup.procs")
    return files


def enter(files):
    """Called between fork and exec."""
    for file in files:
        descriptor = os.open(file, os.O_WRONLY)
        os.write(descriptor, b"0")
        os.close(descriptor)


def found(prefix):
    """All cgroups at the top of a hierarchy whose name begins with `prefix`."""
    return [group for hierarchy in hierarchies() for group in hierarchy.glob(prefix + "*")]


def processes(group):
    pids = set()
    for folder, _, _ in os.walk(group):
        try:
            pids.update(int(word) for word in pathlib.Path(folder, "cgroup.procs").read_text().split())
        except OSError:
            pass
    return pids


def remove(group, patience=5.0):
    """Kills what is left in a cgroup and removes it with all below it. Returns whether it is gone."""
    end = time.monotonic() + patience
    while True:
        for pid in processes(group):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
        if not group.exists():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.02)  # the kernel has no event for the end of a process that is not ours
