# SPDX-License-Identifier: Apache-2.0
"""`./dev show NAME`: measure a claim afresh on a fresh appliance."""
import argparse

import say
from say import Failure
from shows import (appliance_show, daemon_restart, deny, dfs_bench, dfs_databases, dfs_faults, dfs_fencing, dfs_fuzz, dfs_posix, dfs_power,
                   dfs_scale, dfs_sim, dfs_snapshots, firewall, fog_shapes, frame, heal, rollout, services_conformance, services_fuzz,
                   services_properties, services_routes, services_speed, start_cost)

SHOWS = {
    "appliance": appliance_show,
    "daemon-restart": daemon_restart,
    "deny": deny,
    "dfs-bench": dfs_bench,
    "dfs-databases": dfs_databases,
    "dfs-faults": dfs_faults,
    "dfs-fencing": dfs_fencing,
    "dfs-fuzz": dfs_fuzz,
    "dfs-posix": dfs_posix,
    "dfs-power": dfs_power,
    "dfs-scale": dfs_scale,
    "dfs-sim": dfs_sim,
    "dfs-snapshots": dfs_snapshots,
    "firewall": firewall,
    "fog-shapes": fog_shapes,
    "heal": heal,
    "rollout": rollout,
    "services-conformance": services_conformance,
    "services-fuzz": services_fuzz,
    "services-properties": services_properties,
    "services-routes": services_routes,
    "services-speed": services_speed,
    "start-cost": start_cost,
}


def listing():
    width = max(map(len, SHOWS))
    return "\n".join(f"  {name:{width}}  {module.ABOUT}" for name, module in SHOWS.items())


def add_arguments(parser):
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = listing()
    parser.add_argument("name", nargs="*", metavar="NAME", help="which, or `all`; with none, the list")
    parser.add_argument("--backend", choices=["iptables", "nftables"], help="of `firewall`: the packet filter (default: what netfwd chooses)")
    parser.add_argument("--smoke", action="store_true", help="a short form with fewer rounds")


def run_one(name, smoke, backend=None):
    say.note(f"show {name}")
    report = frame.Report(name, smoke)
    report.backend = backend
    SHOWS[name].show(report)
    report.finish()


def main(arguments):
    if not arguments.name:
        print(listing(), flush=True)
        return
    names = list(SHOWS) if arguments.name == ["all"] else arguments.name
    unknown = [name for name in names if name not in SHOWS]
    if unknown:
        raise Failure(f"there is no show {unknown[0]}: " + ", ".join(SHOWS))
    missed = []
    for name in names:
        try:
            run_one(name, arguments.smoke, arguments.backend)
        except Failure as problem:
            say.error(str(problem))
            missed.append(name)
    if missed:
        raise Failure("missed: " + ", ".join(missed))
