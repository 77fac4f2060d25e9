# SPDX-License-Identifier: Apache-2.0
"""`./dev test`: stages that each build what they need, run, and leave a line in the summary.

A stage that cannot run is a failure; none is left out in silence.
"""
import re
import subprocess
import time

import build
import run
import say
from say import Failure


class Stage:
    """One line of the summary: a name, what it does, and afterwards what came of it."""

    def __init__(self, name, action):
        self.name, self.action = name, action
        self.seconds, self.outcome, self.totals = 0.0, "did not run", ""

    def run(self):
        begin = time.monotonic()
        try:
            self.totals = self.action() or ""
            self.outcome = "passed"
        except (Failure, subprocess.TimeoutExpired) as problem:
            say.error(f"{self.name}: {problem}")
            self.outcome = "FAILED"
        self.seconds = time.monotonic() - begin


def ctest(preset, label, extra=()):
    """Runs the tests of a label and returns CTest's closing lines. No test at all is a failure."""
    argv = ["ctest", "--test-dir", str(build.folder(preset)), "-L", f"^{label}$", "-j", str(build.jobs()),
            "--output-on-failure", "--no-tests=error", "--progress", *extra]
    say.note(f"ctest {preset} {label}")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    closing = re.search(r"^\d+% tests passed.*", done.stdout, re.MULTILINE | re.DOTALL)
    if done.returncode != 0:
        print(done.stdout, flush=True)
        raise Failure(f"tests of {preset} with label {label} failed. One of them alone: "
                      f"build/{preset}/bin or ctest --test-dir build/{preset} -R NAME --output-on-failure")
    print(closing.group(0).strip() if closing else done.stdout, flush=True)
    return closing.group(0).splitlines()[0] if closing else ""


def has_label(preset, label):
    listed = run.output(["ctest", "--test-dir", build.folder(preset), "--print-labels"])
    return label in listed.split()


def unit(preset="debug"):
    build.build(preset, ["tests/unit/all"])
    return ctest(preset, "unit")


def labelled(label):
    build.build("debug")
    return ctest("debug", label)


def everything():
    build.build("debug")
    return "all targets"


def threads():
    build.build("tsan", ["threaded_suites"])
    return ctest("tsan", "threads")


STAGES = {
    "build": everything,
    "unit": unit,
    "asan": lambda: unit("asan"),
    "tsan": threads,
    "contract": lambda: labelled("contract"),
    "tidy": lambda: labelled("tidy"),
    "system": lambda: labelled("system"),
}
NAMED = {
    "all": list(STAGES),
    "unit": ["unit"],
    "contract": ["contract"],
    "tidy": ["tidy"],
    "system": ["system"],
}


def add_arguments(parser):
    parser.add_argument("what", nargs="?", default="all", choices=sorted(NAMED),
                        help="which tests (default: all, as the build machine runs them)")


def main(arguments):
    stages = [Stage(name, STAGES.get(name, lambda label=name: labelled(label))) for name in NAMED[arguments.what]]
    for stage in stages:
        say.note(f"stage {stage.name}")
        stage.run()
    print("\nStages:")
    say.table([["stage", "outcome", "seconds", "totals"]]
              + [[stage.name, stage.outcome, f"{stage.seconds:.0f}", stage.totals] for stage in stages])
    failed = [stage.name for stage in stages if stage.outcome != "passed"]
    if failed:
        raise Failure(f"failed: {', '.join(failed)}")
    say.note("all stages passed")
