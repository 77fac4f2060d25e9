# SPDX-License-Identifier: Apache-2.0
"""What a newcomer does: a clone of what is committed, ./dev up, an answer of the sample, ./dev down, nothing left."""
import collections
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile
import time

import run
import say
import testbed
from say import Failure

ABOUT = "clone, ./dev up, the sample answers, ./dev down, ./dev test twice; no process, unit, mount, namespace or loop device is left"

TEST_SECONDS = 30 * 60  # the bound of one ./dev test from a fresh clone on two cores
END_SECONDS = 10  # what is about to end when ./dev has ended may take this long


def dev(clone, *words, **environment):
    done = subprocess.run([clone / "dev", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", cwd=clone, env={**os.environ, **environment})
    if done.returncode != 0:
        # The clone goes; what it said stays, since what failed may stand far above the end.
        log = run.ROOT / "build" / "show-appliance.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text(done.stdout)
        raise Failure(f"./dev {' '.join(words)} ended with {done.returncode} (log: {log}):\n{done.stdout[-3000:]}")
    return done.stdout


def timed(report, name, action, **target):
    begin = time.monotonic()
    result = action()
    report.figure(name, time.monotonic() - begin, "s", **target)
    return result


def judge_build(report, clone):
    """What ./dev up has built is what a node gets; the tests look at the debug build."""
    programs = [path for path in (clone / "build/release").glob("**/gestalt-*") if path.is_file() and os.access(path, os.X_OK)]
    judged = subprocess.run(["python3", "-B", clone / "tests/tidy/hardening.py", "--fortified", *programs], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True)
    report.figure("executables built, all hardened and with checked calls of libc", len(programs) if judged.returncode == 0 else 0,
                  judged.stdout[-300:].strip(), at_least=8)


def visit(report, clone):
    said = timed(report, "./dev up from a fresh clone (with build)", lambda: dev(clone, "up"))
    found = re.search(r"http://\S+:\d+/", said)
    page = run.output(["curl", "-sS", "--max-time", "5", found.group(0)]) if found else ""
    report.figure("the printed URL answers with the page", "<h1>Guestbook</h1>" in page, exactly=True)
    host = re.search(r"curl -H 'Host: (\S+)' (\S+)", said)
    page = run.output(["curl", "-sS", "--max-time", "5", "-H", f"Host: {host.group(1)}", host.group(2)]) if host else ""
    report.figure("the virtual host answers with the page", "<h1>Guestbook</h1>" in page, exactly=True)
    if not report.smoke:
        judge_build(report, clone)
    timed(report, "./dev up when it is up", lambda: dev(clone, "up"))
    timed(report, "./dev down", lambda: dev(clone, "down"))
    timed(report, "./dev up again", lambda: dev(clone, "up"))
    timed(report, "./dev down again", lambda: dev(clone, "down"))


def test_twice(report, folder):
    """Two clones that were never built, with a compiler's cache that is empty at first, as on a newcomer's machine."""
    for name in ("first", "second"):
        clone = folder / name
        run.output(["git", "clone", "-q", run.ROOT, clone])
        timed(report, f"./dev test from a fresh clone, {name} time", lambda: dev(clone, "test", CCACHE_DIR=str(folder / "ccache")),
              at_most=TEST_SECONDS)
        shutil.rmtree(clone)


def left_behind(before, mark, folder):
    """What there is on the machine now and was not before."""
    end = time.monotonic() + END_SECONDS
    while True:
        left = sorted((collections.Counter(testbed.inventory(mark, folder)) - collections.Counter(before)).elements())
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)


def show(report):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gestalt-clone-")).resolve()  # as the beds write it down
    mark = f"GESTALT_SHOW_{secrets.token_hex(4)}"
    before = testbed.inventory(mark, folder)
    os.environ[mark] = "1"
    clone = folder / "gestalt"
    try:
        run.output(["git", "clone", "-q", run.ROOT, clone])
        if report.smoke:
            # The short form measures the script, not the compiler.
            os.environ["GESTALT_BUILD_FOLDER"] = str(run.ROOT / "build")
        say.note("the rest happens in a fresh clone")
        try:
            visit(report, clone)
        finally:
            subprocess.run([clone / "dev", "down"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        if not report.smoke:
            test_twice(report, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("GESTALT_BUILD_FOLDER", None)
        os.environ.pop(mark, None)
    left = left_behind(before, mark, folder)
    report.figure("left: processes, units, mounts, namespaces, loop devices, cgroups, links", len(left), "; ".join(left[:10]), exactly=0)
    if not testbed.has_systemd():
        report.figure("systemd units", "not looked at: systemd does not run this machine")
