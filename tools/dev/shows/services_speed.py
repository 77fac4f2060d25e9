# SPDX-License-Identifier: Apache-2.0
"""How fast the host's pipeline reads and creates, and whether that depends on how much there is; the daemon's start and memory."""
import json
import subprocess

from shows import services

ABOUT = "creates and reads of the services' pipeline, flat in the number of resources; start and memory of the daemon"
CREATE_MIN, GET_MIN = 3000, 15000
FLAT_MIN = 0.6  # what is left of the speed with the most resources
MEMORY_MIB_MAX, START_SECONDS_MAX = 100, 1.0


def measure(program, resources, seconds):
    with services.scratch("speed") as folder:
        done = subprocess.run([program, "speed", folder / "w", "32", str(seconds), str(resources)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, timeout=600, check=True)
        return json.loads(done.stdout)


def show(report):
    program = services.storm()
    seconds = 1 if report.smoke else 5
    sizes = (10, 1000) if report.smoke else (10, 1000, 100_000)
    runs = {size: measure(program, size, seconds) for size in sizes}
    for size, run in runs.items():
        for verb, least in (("create", CREATE_MIN), ("get", GET_MIN)):
            figures = run[verb]
            threads = "32 callers" if verb == "create" else "1 caller"
            report.figure(f"{verb} with {size} resources, {threads}", figures["per_second"],
                          f"/s, p50 {figures['p50_us']:.0f} us, p99 {figures['p99_us']:.0f} us", at_least=least)
    first, last = runs[sizes[0]], runs[sizes[-1]]
    for verb in ("create", "get"):
        report.figure(f"{verb}: speed left at {sizes[-1]} resources", last[verb]["per_second"] / first[verb]["per_second"], "",
                      at_least=FLAT_MIN)
    with services.scratch("daemon") as folder, services.Daemon(folder) as daemon:
        report.figure("daemon: start to ready", daemon.ready_seconds, "s, empty store", at_most=START_SECONDS_MAX)
        report.figure("daemon: resident memory when idle", daemon.resident_mib(), "MiB", at_most=MEMORY_MIB_MAX)
