# SPDX-License-Identifier: Apache-2.0
"""What POSIX and Linux promise of files, on real mounts: cases, the same random operations beside ext4, two mounts that watch each other."""
import json
import sys

import dfs_servers
import run
import say
from testbed.sandbox import Sandbox

ABOUT = "cases of every promise, random operations beside ext4 on one and on three mounts, two mounts that see each other's changes"
FOLDER = run.ROOT / "tests/system/dfs/posix"
MODEL_MIB = 2048


def make_model(box):
    """A fresh ext4, whatever the scratch folder is on."""
    image, place = box.folder / "ext4.image", box.folder / "ext4"
    box.output(["truncate", "-s", f"{MODEL_MIB}M", image])
    box.output(["mkfs.ext4", "-q", "-F", image])
    place.mkdir()
    box.output(["mount", "-o", "loop", image, place])
    return place


def account(box, program, *words, timeout=3000):
    """Runs one of the programs; its findings are said aloud, its last line is returned."""
    text = box.output([sys.executable, "-B", FOLDER / program, *words], check=False, timeout=timeout)
    *findings, last = text.strip().splitlines() or [""]
    for line in findings:
        say.error(line[:300])
    try:
        return json.loads(last)
    except ValueError:
        return {}


def show(report):
    dfs_servers.prepare()
    short = ["--short"] if report.smoke else []
    alone, together = (4_000, 2_000) if report.smoke else (100_000, 30_000)
    with Sandbox("posix") as box:
        servers = dfs_servers.Servers(3)
        mounts = [servers.start(box), servers.mount("mnt2"), servers.mount("mnt3")]
        model = make_model(box)
        for what, place in (("ext4, which judges the cases", model), ("the volume", mounts[0])):
            found = account(box, "run.py", place, *short)
            report.figure(f"cases that fail on {what}", found.get("wrong", -1), f"of {found.get('cases')}", exactly=0)
        found = account(box, "two_mounts.py", *mounts[:2], "--rounds", 3 if report.smoke else 20)
        report.figure("probes of two mounts that fail", found.get("wrong", -1), f"of {found.get('probes')}", exactly=0)
        for name, count, places, seeds in (("one mount", alone, mounts[:1], (1,) if report.smoke else (1, 2)),
                                           ("three mounts", together, mounts, (3,) if report.smoke else (3, 4, 5))):
            differences, done, longest = 0, 0, 0.0
            for seed in seeds:
                found = account(box, "random_operations.py", model, *places, "--operations", count, "--seed", seed)
                differences += found.get("differences", 1)
                done += found.get("operations", 0)
                longest = max(longest, found.get("longest_s", 0.0))
            report.figure(f"random operations beside ext4, {name}", done, f"longest {longest:.2f} s", at_least=count * len(seeds))
            report.figure(f"random operations beside ext4, {name}: differences", differences, exactly=0)
