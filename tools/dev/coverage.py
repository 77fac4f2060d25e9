# SPDX-License-Identifier: Apache-2.0
"""Which lines of the product the suites run, by module: gcov's figures of the preset `coverage`, added up."""
import collections
import concurrent.futures
import json
import os
import subprocess

import build
import run
import say
from say import Failure

SECONDS_MAX = 300
PRODUCT = ("common", "netfw", "node", "dfs", "services", "cli", "samples")


def module_of(path):
    """The folder that a source belongs to as the table shows it: common/rest, node/master, netfw, …; None outside the product."""
    parts = path.split(os.sep)
    if parts[0] not in PRODUCT or len(parts) < 2:
        return None
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def read_gcov(text, root, folder, lines):
    """Adds one document of `gcov --json-format` to {source: {line: times run}}. Templates and several objects count together."""
    for file in json.loads(text)["files"]:
        path = os.path.relpath(os.path.join(folder, file["file"]), root)
        if module_of(path) is None:
            continue
        counts = lines[path]
        for line in file["lines"]:
            counts[line["line_number"]] = counts.get(line["line_number"], 0) + line["count"]


def run_gcov(data):
    """gcov's document on one object's data."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", str(data)], cwd=data.parent, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=SECONDS_MAX)
    if done.returncode != 0:
        raise Failure(f"gcov {data}: {done.stderr.strip()[-500:]}")
    return done.stdout


def collect(folder, root=None):
    """{source: {line: times run}} of everything below a build folder that has run."""
    lines = collections.defaultdict(dict)
    data = sorted(folder.rglob("*.gcda"))
    if not data:
        raise Failure(f"nothing below {folder} has run: build the preset `coverage` and run its suites")
    with concurrent.futures.ThreadPoolExecutor(build.jobs()) as pool:
        for text in pool.map(run_gcov, data):
            read_gcov(text, root or run.ROOT, folder, lines)
    return lines


def by_module(lines):
    """{module: (lines that ran, lines)}, sorted."""
    sums = collections.defaultdict(lambda: [0, 0])
    for path, counts in lines.items():
        entry = sums[module_of(path)]
        entry[0] += sum(1 for count in counts.values() if count > 0)
        entry[1] += len(counts)
    return {module: tuple(sums[module]) for module in sorted(sums)}


def percent(ran, all_lines):
    return f"{100 * ran / all_lines:.1f} %" if all_lines else "-"


def report(folder):
    """Prints the table; its last line as a text."""
    modules = by_module(collect(folder))
    ran, count = (sum(figures[i] for figures in modules.values()) for i in (0, 1))
    say.table([["module", "lines", "run", "coverage"]]
              + [[module, lines, done, percent(done, lines)] for module, (done, lines) in modules.items()]
              + [["all", count, ran, percent(ran, count)]])
    return f"{percent(ran, count)} of {count} lines"


class Coverage:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("suites", nargs="*", metavar="SUITE", help="run only these (default: the unit suites and contracts)")

    @staticmethod
    def main(arguments):
        measure(arguments.suites)


def measure(suites=()):
    """Builds, runs, reports. Figures of earlier runs are forgotten first."""
    folder = build.folder("coverage")
    build.build("coverage", suites or ["suites_unit", "suites_contract"])
    for data in folder.rglob("*.gcda"):
        data.unlink()
    chosen = ["-R", "^(" + "|".join(suites) + ")$"] if suites else ["-L", "^(unit|contract)$"]
    run.stream(["ctest", "--test-dir", folder, *chosen, "-j", build.jobs(), "--output-on-failure", "--no-tests=error"], "the suites")
    return report(folder)
