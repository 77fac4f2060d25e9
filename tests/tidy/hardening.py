#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads executables with readelf and reports what protection each lacks.

    tests/tidy/hardening.py [--fortified] EXECUTABLE…

Wanted: position independent (PIE), relocations read-only after start (RELRO with BIND_NOW), a stack that is not
executable, the stack protector, no search path for libraries (RPATH, RUNPATH); with --fortified also calls of libc that
check the size of what they write into (-D_FORTIFY_SOURCE, which needs an optimized build).
"""
import re
import subprocess
import sys

SECONDS_MAX = 60


def readelf(*arguments):
    done = subprocess.run(["readelf", "--wide", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=SECONDS_MAX, text=True)
    if done.returncode != 0 or "Error" in done.stderr:
        raise ValueError(done.stderr.strip())
    return done.stdout


def weaknesses(path, fortified=False):
    """What the executable at `path` lacks, in words."""
    header = readelf("--file-header", "--program-headers", "--dynamic", path)
    symbols = readelf("--syms", path)  # of a static executable there are no dynamic ones
    found = []
    # A shared library is DYN too; an executable asks for the loader, or says PIE when it is static.
    executable = "INTERP" in header or re.search(r"\(FLAGS_1\).*\bPIE\b", header)
    if not re.search(r"Type:\s+DYN", header) or not executable:
        found.append("it is not position independent (-pie)")
    if "GNU_RELRO" not in header:
        found.append("no RELRO segment (-z relro)")
    if not re.search(r"\(FLAGS(_1)?\).*\b(BIND_NOW|NOW)\b", header):
        found.append("symbols are not bound at start (-z now)")
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+?)\s+0x", header)
    if stack is None or "E" in stack.group(1):
        found.append("its stack is executable (-z noexecstack)")
    if "__stack_chk_fail" not in symbols:
        found.append("no stack protector (-fstack-protector-strong)")
    if fortified and re.search(r"\bv?(f|s|sn|d|as)?printf@", symbols):
        found.append("calls of libc are not checked (-D_FORTIFY_SOURCE=2)")
    if re.search(r"\((RPATH|RUNPATH)\)", header):
        found.append("it has a search path for libraries (RPATH)")
    return found


def main():
    fortified = "--fortified" in sys.argv[1:]
    paths = [path for path in sys.argv[1:] if path != "--fortified"]
    count = 0
    for path in paths:
        for weakness in weaknesses(path, fortified):
            print(f"{path}: {weakness}")
            count += 1
    print(f"{len(paths)} executables, {count} weaknesses")
    return 1 if count or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
