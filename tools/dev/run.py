# SPDX-License-Identifier: Apache-2.0
"""Running other programs: no shell, no stdin, an error that carries what the program said."""
import os
import pathlib
import re
import subprocess

import say
from say import Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]


def output(argv, check=True, timeout=120, text=None, cwd=None, env=None):
    """Standard output of a program that is short of words. Fails with its standard error."""
    argv = [str(word) for word in argv]
    stdin = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout,
                          cwd=cwd, env=env, **stdin)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise Failure(f"{' '.join(argv)} ended with {done.returncode}: {said[-2000:]}")
    return done.stdout


def succeeds(argv, timeout=120):
    """Whether a program ends with 0; its output is dropped."""
    return subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=timeout).returncode == 0


def stream(argv, what, hint="", cwd=ROOT, env=None):
    """Runs a program whose output the person wants to see while it works."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, cwd=cwd,
                          env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise Failure(f"{what} failed (status {done.returncode}). {hint}".rstrip())


# "[12/300]" of ninja, " 3/50 Test" of CTest.
STEP = re.compile(rb"^(?:\[|\s*)(\d+)/(\d+)(?:\]| Test)", re.MULTILINE)
LOOK_SECONDS, STOP_SECONDS = 0.5, 10
READ_MAX = 1 << 20


def wait(process, log, counter):
    """Waits for a program that writes to a log and tells on the way how far it says it is."""
    with open(log, "rb") as written:
        while True:
            try:
                status = process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                status = None
            for done, total in STEP.findall(written.read(READ_MAX))[-1:]:
                counter.count(int(done), int(total))
            if status is not None:
                counter.end()
                return status
            counter.tick()


def stop(process):
    """Ninja removes what it has half made when it is asked to end."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def logged(argv, what, log, cwd=ROOT, env=None):
    """Runs a program with its output in a log file, and gives its status. The person is told how far it is."""
    log = pathlib.Path(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as sink:
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=sink,
                                   stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **(env or {})})
    try:
        return wait(process, log, say.Counter(what))
    except BaseException:
        stop(process)
        raise


def quiet(argv, what, log, hint="", cwd=ROOT, env=None):
    """Likewise; the log's end is shown when it fails."""
    status = logged(argv, what, log, cwd, env)
    if status != 0:
        end = pathlib.Path(log).read_text(errors="replace").splitlines()[-40:]
        raise Failure("\n".join(end) + f"\n{what} failed (status {status}, log {log}). {hint}".rstrip())
