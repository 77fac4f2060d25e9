#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks `systemd-analyze security` how exposed each installed unit is and compares with its budget.

    tests/tidy/exposure.py FOLDER       FOLDER holds the unit files

A unit without a budget fails, so that a new one gets a decision. The offline analysis needs no running systemd.
"""
import json
import os
import subprocess
import sys

# The exposure that systemd-analyze counts, from 0 (none) to 10: what each unit may have at most, what it shall come down
# to, and why it needs any.
BUDGETS = {
    "gestalt-dfs-meta.service": (1.5, 1.5, "an ordinary user, no capabilities"),
    "gestalt-dfs-storage.service": (2.0, 1.5, "writes its data folder as root; a user of its own comes with the nodes' certificates"),
    "gestalt-services.service": (1.5, 1.5, "an ordinary user, no capabilities"),
    "gestalt-masterd.service": (1.5, 1.5, "an ordinary user, no capabilities"),
    "gestalt-netfwd.service": (2.5, 2.5, "CAP_NET_ADMIN and raw sockets for the firewall"),
    "gestalt-netfw-boot.service": (2.5, 2.5, "CAP_NET_ADMIN and raw sockets for the firewall, once at boot"),
    "gestalt-agentd.service": (6.0, 6.0, "unpacks images and talks to process 1 as root"),
    "gestalt-haproxy.service": (2.5, 2.5, "binds low ports and changes its user"),
    "gestalt-firstboot.service": (2.0, 2.0, "gives files to the group as root, once at boot"),
}
SECONDS_MAX = 60


def exposure(path):
    """The overall exposure of one unit file."""
    argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=100", os.path.abspath(path)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=SECONDS_MAX, text=True)
    for line in done.stdout.split("\n"):
        if "Overall exposure level" in line:
            return float(line.split(":")[1].split()[0])
    raise ValueError(f"systemd-analyze says nothing of {path}: {done.stderr.strip()}")


def check(folder, budgets=None):
    """Lines on what is wrong, and {unit: exposure}."""
    budgets = BUDGETS if budgets is None else budgets
    wrong, figures = [], {}
    units = sorted(name for name in os.listdir(folder) if name.endswith(".service"))
    for name in units:
        figures[name] = exposure(os.path.join(folder, name))
        if name not in budgets:
            wrong.append(f"{name}: exposure {figures[name]}, but it has no budget in tests/tidy/exposure.py")
        elif figures[name] > budgets[name][0]:
            wrong.append(f"{name}: exposure {figures[name]}, at most {budgets[name][0]} ({budgets[name][2]})")
    wrong += [f"{name}: has a budget, but there is no such unit" for name in budgets if name not in units]
    if not units:
        wrong.append(f"there is no unit in {folder}")
    return wrong, figures


def main():
    wrong, figures = check(sys.argv[1])
    print(json.dumps(figures, indent=1))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
