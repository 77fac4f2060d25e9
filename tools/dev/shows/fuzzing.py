# SPDX-License-Identifier: Apache-2.0
"""libFuzzer targets of tests/fuzz as a show: executions, coverage, findings."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import build
import run

SECONDS, SECONDS_SMOKE = 600, 5
AT_ONCE = 2
FOLDER = run.ROOT / "tests" / "fuzz"


def fuzz(target, seconds):
    """(executions, edges covered, what was found or None). A finding's input stays in the build folder."""
    with tempfile.TemporaryDirectory(prefix="gestalt-fuzz-") as work:
        seeds = FOLDER / "corpus" / target
        done = subprocess.run([build.folder("fuzz") / "tests" / "fuzz" / target, f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=10",
                               "-rss_limit_mb=2048", f"-artifact_prefix={work}/", work, seeds], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", cwd=work, timeout=seconds + 300)
        said = done.stderr
        executions = re.findall(r"stat::number_of_executed_units:\s+(\d+)", said) or re.findall(r"^#(\d+)", said, re.M)
        covered = re.findall(r"cov: (\d+)", said)
        found = None
        if done.returncode != 0:
            kept = build.folder("fuzz") / "findings"
            kept.mkdir(exist_ok=True)
            for file in pathlib.Path(work).iterdir():
                if file.name.startswith(("crash-", "leak-", "oom-", "timeout-")):
                    shutil.copy(file, kept / f"{target}-{file.name}")
                    found = str(kept / f"{target}-{file.name}")
            found = (found or f"status {done.returncode}") + "\n" + said[-3000:]
        return int(executions[-1]) if executions else 0, int(covered[-1]) if covered else 0, found


def run_all(report, targets):
    """Every (what is parsed, name of its target). GESTALT_FUZZ_SECONDS overrules how long each."""
    seconds = int(os.environ.get("GESTALT_FUZZ_SECONDS", SECONDS_SMOKE if report.smoke else SECONDS))
    build.build("fuzz", [target for _, target in targets])
    findings = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(lambda each: fuzz(each[1], seconds), targets))
    for (what, target), (executions, covered, found) in zip(targets, runs):
        report.figure(what, executions, f"executions, {covered} edges, {target}", at_least=1)
        if found:
            findings.append(target)
            print(f"  {target}: {found}", flush=True)
    report.figure("seconds of each", seconds)
    report.figure("findings", len(findings), " ".join(findings), exactly=0)
