# SPDX-License-Identifier: Apache-2.0
"""Resident memory of everything of ours that runs on a node, from the kernel: no daemon is asked."""
import contextlib
import os
import pathlib

import appliance
from say import Failure
from testbed import cgroups

ALL_MIB_MAX = 150
# An appliance with a volume mounted.
EXPECTED = {"haproxy", "gestalt-dfs-mount", *(f"gestalt-{name}" for name in appliance.DAEMONS)}
# It starts one instance, and stays as the proxy of one in a bridge: no daemon.
OF_AN_INSTANCE = {"gestalt-oci-start"}


def processes(node):
    """Name of the executable and /proc folder of each process in the node."""
    group = next(group for group in cgroups.found(node.node.machine) if group.parent.name in ("pids", "cgroup", "memory"))
    for pid in cgroups.processes(group):
        folder = pathlib.Path(f"/proc/{pid}")
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield os.path.basename(os.readlink(folder / "exe")), folder


def resident_mib(folder):
    for line in (folder / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def daemons(node):
    """MiB by executable, however many processes of it there are: ours, and HAProxy."""
    sizes = {}
    for name, folder in processes(node):
        if name == "haproxy" or name.startswith("gestalt-") and name not in OF_AN_INSTANCE:
            sizes[name] = sizes.get(name, 0.0) + resident_mib(folder)
    absent = EXPECTED - set(sizes)
    if absent:
        raise Failure(f"an appliance runs these, and they are not there: {', '.join(sorted(absent))}")
    return sizes
