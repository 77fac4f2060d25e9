# SPDX-License-Identifier: Apache-2.0
"""What there is on this machine that a run could leave behind, as lines of text. Taken before and after, the difference is what it left.

1. Mounts, loop devices and named namespaces are listed whoever made them. A namespace without a name lives no longer than a process or a
   mount of it.
2. Processes and units of others come and go: listed are those with a name of this project, those of test beds, those that carry the mark
   of the run in their environment, and by name those that this project starts with an environment of their own.
3. Test beds of other clones are left out, with all that carries their prefix: several people may work on one machine.
"""
import json
import pathlib
import re

import run

from . import bed

# Made by tests and nodes without the environment of the run; counted where they have stayed in its cgroup.
STARTED = {"crun", "docker-registry", "guestbook", "haproxy", "java", "postgres", "prometheus", "skopeo", "slapd", "systemd-nspawn", "umoci"}
# Ours, and the transient ones of systemd-run and systemd-nspawn.
UNIT = re.compile(r"(gestalt|gst-|gsv-|machine-)\S+|run-\w+\.(service|scope)")
OF_BED = re.compile(r":/(g[0-9a-f]{5})")
# ip-netns(8) mounts its own folder there at its first use on a machine, for good.
KEPT_MOUNTS = ("/run/netns",)


def has_systemd():
    return pathlib.Path("/run/systemd/system").is_dir()


def units():
    if not has_systemd():
        return []
    listed = run.output(["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full"]).splitlines()
    return [f"unit {line.split()[0]}" for line in listed if line.strip() and UNIT.fullmatch(line.split()[0])]


def mounts():
    """Each with its number, so that a second mount in the same place is another one. Source: proc(5), mountinfo."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        words, kind = (part.split() for part in line.split(" - ", 1))
        if words[4] not in KEPT_MOUNTS:
            found.append(f"mount {words[4]} ({kind[0]} of {kind[1]}, number {words[0]})")
    return found


def loop_devices():
    listed = json.loads(run.output(["losetup", "--list", "--json", "-O", "NAME,BACK-FILE"]) or "{}")
    return [f"loop device {entry['name']} of {entry['back-file']}" for entry in listed.get("loopdevices", [])]


def namespaces():
    return [f"namespace {line.split()[0]}" for line in run.output(["ip", "netns", "list"]).splitlines() if line.strip()]


def processes(mark):
    own_group = pathlib.Path("/proc/self/cgroup").read_text()
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            name = (folder / "comm").read_text().strip()
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            group = (folder / "cgroup").read_text()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        of_bed = OF_BED.search(group)
        is_ours = of_bed or name.startswith("gestalt") or f"{mark}=".encode() in environment or name in STARTED and group == own_group
        if is_ours and state != "Z":  # to collect the dead is up to their parent
            yield f"process {folder.name} ({name}" + (f" of {of_bed.group(1)})" if of_bed else ")")


def others_beds(root):
    """Prefixes of the beds that clones outside of `root` have."""
    return {prefix for prefix, state in bed.living().items()
            if state.get("clone") and not pathlib.Path(state["clone"]).is_relative_to(root)}


def inventory(mark, root):
    """Lines of text, sorted. `mark`: name of an environment variable that all that the run starts has. `root`: where the run's clones are."""
    found = [*units(), *mounts(), *loop_devices(), *namespaces(), *processes(mark)]
    found += [line for line in bed.leftovers() if line.startswith(("cgroup", "link", "folder"))]
    others = others_beds(root)
    return sorted(line for line in found if not any(prefix in line for prefix in others))
