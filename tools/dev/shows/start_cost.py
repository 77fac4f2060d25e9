# SPDX-License-Identifier: Apache-2.0
"""What it costs to start an instance, beside bare crun on the same node in the same run; memory of instances and daemons."""
import pathlib
import time

import appliance
import resident
import say
from testbed import cgroups

from . import frame

ABOUT = "CPU and time per instance start beside bare crun, memory per instance, resident memory of each daemon"
APP = "/cost"
RESIDENT_MIB = {"gestalt-agentd": 32, "gestalt-masterd": 96, "gestalt-netfwd": 32}


def node_cpu_seconds(node):
    """CPU time of everything in the node: its cgroup counts it."""
    for group in cgroups.found(node.node.machine):
        for file, unit in (("cpuacct.usage", 1e9), ("cpu.stat", 1e6)):
            if (group / file).exists() and group.parent.name != "cpu":
                text = (group / file).read_text()
                return float(text) / unit if file == "cpuacct.usage" else float(text.split()[1]) / unit
    raise say.Failure("no cgroup of the node counts its CPU time")


def measured(node, action):
    """Wall and CPU seconds of something that happens in the node, without what an idle node spends anyway."""
    idle_begin, cpu = time.monotonic(), node_cpu_seconds(node)
    time.sleep(2)
    idle = (node_cpu_seconds(node) - cpu) / (time.monotonic() - idle_begin)
    begin, cpu = time.monotonic(), node_cpu_seconds(node)
    action()
    wall = time.monotonic() - begin
    return wall, max(0.0, node_cpu_seconds(node) - cpu - idle * wall)


BARE = """set -e
bundle=/var/lib/gestalt/cost
rm -rf $bundle; mkdir -p $bundle
umoci unpack --image {image} $bundle/b >/dev/null 2>&1
cd $bundle/b
crun spec -f config.json 2>/dev/null || { rm -f config.json; crun spec; }
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"\\/bin\\/guestbook", "--help"/' config.json
"""


def bare_crun(node, image, count):
    """Starts the same program with crun and nothing else, one after the other."""
    node.node.run(["sh", "-c", BARE.replace("{image}", image.removeprefix("oci:"))])
    loop = f"cd /var/lib/gestalt/cost/b; i=0; while [ $i -lt {count} ]; do crun run bare$i >/dev/null; i=$((i+1)); done"
    # As a unit of the node: what is started from outside does not count as the node's.
    return measured(node, lambda: node.node.run(["systemd-run", "--quiet", "--wait", "sh", "-c", loop], timeout=300))


def memory_of_instances(node):
    """Proportional memory of the instances' processes, in MiB each."""
    sizes = []
    for pid in frame.instances(node).values():
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                sizes.append(int(line.split()[1]) / 1024)
    return sizes


def show(report):
    count = 5 if report.smoke else 20
    with frame.fresh_appliance() as node:
        image = node.put_image()
        app = appliance.sample_app(image, instances=1, app_id=APP, healthChecks=[], cpus=0.01, volume=appliance.HOST_VOLUME)
        node.run_app(app)  # the image is unpacked once, before anything is measured
        wall, cpu = bare_crun(node, image, count)
        report.figure("bare crun: wall per start", wall / count * 1000, "ms")
        report.figure("bare crun: CPU per start and end", cpu / count * 1000, "ms")
        wall, cpu = measured(node, lambda: node.run_app({**app, "instances": 1 + count}, 120))
        report.figure("instance: wall per start, as many at once as the agent does", wall / count * 1000, "ms")
        report.figure("instance: CPU per start, all daemons, systemd and journal", cpu / count * 1000, "ms")
        sizes = memory_of_instances(node)
        report.figure("memory per running instance (Pss)", sum(sizes) / len(sizes), "MiB")
        # One volume of the file system, so that its mount is among what runs.
        node.run_app(appliance.sample_app(image, instances=1, app_id="/volume", service_port=10001, host="volume.gestalt", cpus=0.01))
        daemons = resident.daemons(node)
        report.figure("HAProxy resident, beside", daemons.pop("haproxy"), "MiB")
        for name, size in sorted(daemons.items()):
            report.figure(f"{name} resident", size, "MiB", at_most=RESIDENT_MIB.get(name))
        report.figure(f"all {len(daemons)} resident, with one volume mounted", sum(daemons.values()), "MiB", at_most=resident.ALL_MIB_MAX)
