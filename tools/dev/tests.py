# SPDX-License-Identifier: Apache-2.0
"""`./dev test`: stages that each build what they need, run, and leave a line in the summary.

A stage that cannot run is a failure; none is left out in silence.
"""
import os
import re
import resource
import shutil
import subprocess
import time

import appliance
import build
import coverage
import housekeeping
import run
import say
import show
from say import Failure


class Stage:
    """One line of the summary: a name, what it does, and afterwards what came of it."""

    def __init__(self, name, action):
        self.name, self.action = name, action
        self.seconds, self.cpu, self.outcome, self.totals = 0.0, 0.0, "did not run", ""

    def run(self):
        begin, cpu = time.monotonic(), children_cpu()
        try:
            self.totals = self.action() or ""
            self.outcome = "passed"
        except (Failure, subprocess.TimeoutExpired) as problem:
            say.error(f"{self.name}: {problem}")
            self.outcome = "FAILED"
        self.seconds, self.cpu = time.monotonic() - begin, children_cpu() - cpu


def children_cpu():
    """CPU seconds of all programs that were run so far: what a stage costs, however busy the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ctest(preset, label, extra=()):
    """Runs the tests of a label and returns CTest's closing lines. No test at all is a failure."""
    argv = ["ctest", "--test-dir", str(build.folder(preset)), "-L", f"^{label}$", "-j", str(build.jobs()),
            "--output-on-failure", "--no-tests=error", *extra]
    say.note(f"ctest {preset} {label}")
    log = build.folder(preset) / "ctest.log"
    status = run.logged(argv, f"tests of {preset}", log)
    said = log.read_text(errors="replace")
    closing = re.search(r"^\d+% tests passed.*", said, re.MULTILINE | re.DOTALL)
    if status != 0:
        print(said, flush=True)
        raise Failure(f"tests of {preset} with label {label} failed. One of them alone: "
                      f"ctest --test-dir build/{preset} -R NAME --output-on-failure")
    if closing is None:
        raise Failure(f"CTest said nothing about the tests of {preset} with label {label}:\n{said[-2000:]}")
    print(closing.group(0).strip(), flush=True)
    # CTest takes a test that does not run for none that fails; here it is one.
    left_out = re.findall(r"^\s*\d+ - (\S+) \((?:Skipped|Disabled)\)", said, re.MULTILINE)
    if left_out:
        raise Failure(f"tests of {preset} with label {label} that did not run: {', '.join(left_out)}")
    return closing.group(0).splitlines()[0]


def unit(preset="debug"):
    build.build(preset, ["suites_unit"])
    provide_npm()
    return ctest(preset, "unit")


DEBUG_TARGETS = (*appliance.TARGETS, "suites_contract", "suites_system", "tests/contract/all", "tests/system/all")


def labelled(label):
    build.build("debug", DEBUG_TARGETS)
    return ctest("debug", label)


def system():
    provide_npm()
    return labelled("system")


def provide_npm():
    """npm and node for their clients' test. They are not in tools/packages.txt: machines have them from several sources."""
    if shutil.which("npm") and shutil.which("node"):
        return
    run.quiet(["apt-get", "install", "-y", "--no-install-recommends", "npm", "nodejs"], "installing npm",
              build.folder("debug") / "npm.log", "Install npm and node, in any way; the test of the npm clients needs them.",
              env={"DEBIAN_FRONTEND": "noninteractive"})


def everything():
    build.build("debug", DEBUG_TARGETS)
    return "all but the unit suites"


def memory():
    """Address and undefined behaviour: what runs on this machine; nodes run the plain build."""
    build.build("asan", ["suites_unit", "suites_contract"])
    return ctest("asan", "(unit|contract)")


def threads():
    build.build("tsan", ["suites_threads"])
    return ctest("tsan", "threads")


def fuzz_smoke():
    """Every target for a few seconds, from its corpus."""
    build.build("fuzz", ["tests/fuzz/all"])
    return ctest("fuzz", "fuzz")


def show_smoke():
    """The shows that prove function and do not depend on how quiet the machine is, on the build that is there already."""
    os.environ.setdefault("GESTALT_PRESET", "debug")
    for name in SMOKE_SHOWS:
        show.run_one(name, smoke=True)
    return ", ".join(SMOKE_SHOWS)


SMOKE_SHOWS = ("appliance", "daemon-restart", "deny", "firewall", "rollout", "fog-shapes", "services-properties")
STAGES = {
    "format": housekeeping.check_format,
    "build": everything,
    "unit": unit,
    "contract": lambda: labelled("contract"),
    "tidy": lambda: labelled("tidy"),
    "system": system,
    "show": show_smoke,
    "asan": memory,
    "tsan": threads,
    "fuzz": fuzz_smoke,
}
# Stages that are run by their name only.
ASKED_FOR = {"coverage": coverage.measure}
# `all` is what the build machine runs. `full` adds the sanitizers and the fuzz targets, which
# build most of the tree again.
NAMED = {
    "all": ["format", "build", "unit", "contract", "tidy", "system", "show"],
    "full": list(STAGES),
    **{name: [name] for name in [*STAGES, *ASKED_FOR] if name != "build"},
}


def add_arguments(parser):
    parser.add_argument("what", nargs="?", default="all", choices=sorted(NAMED),
                        help="which tests (default: all, as the build machine runs them)")


def main(arguments):
    stages = [Stage(name, {**STAGES, **ASKED_FOR}.get(name, lambda label=name: labelled(label))) for name in NAMED[arguments.what]]
    for stage in stages:
        say.note(f"stage {stage.name}")
        stage.run()
    print("\nStages:")
    sums = ["all", "", f"{sum(stage.seconds for stage in stages):.0f}", f"{sum(stage.cpu for stage in stages):.0f}", ""]
    say.table([["stage", "outcome", "seconds", "cpu", "totals"]]
              + [[stage.name, stage.outcome, f"{stage.seconds:.0f}", f"{stage.cpu:.0f}", stage.totals] for stage in stages]
              + [sums])
    failed = [stage.name for stage in stages if stage.outcome != "passed"]
    if failed:
        again = ", ".join(f"./dev test {name}" if name in NAMED else "./dev test" for name in failed)
        raise Failure(f"failed: {', '.join(failed)}. To repeat: {again}")
    say.note("all stages passed")
