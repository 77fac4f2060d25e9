#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks every executable that has routes for its table and compares what is open with docs/reference/public-routes.md.

    tests/tidy/public_routes.py PAGE EXECUTABLE…
"""
import json
import os
import re
import subprocess
import sys

SECONDS_MAX = 20
# Daemons with a table, at least: fewer means that the question was put wrongly.
TABLES_MIN = 3


def run(program, option):
    done = subprocess.run([program, option], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS_MAX, text=True, errors="replace")
    return done.stdout


def public_rows(program):
    """{"METHOD PATH"} of the public rows; None for a program without routes."""
    if "--dump-routes" not in run(program, "--help"):
        return None
    return {f"{row['method']} {row['path']}" for row in json.loads(run(program, "--dump-routes")) if row["scope"] == "public"}


def listed(text):
    """{daemon: {"METHOD PATH"}} of the page."""
    found = {}
    for method, path, daemon in re.findall(r"^- `?([A-Z]+) (/[^\s`]*)`? — ([\w-]+) — \S", text, re.MULTILINE):
        found.setdefault(daemon, set()).add(f"{method} {path}")
    return found


def compare(rows, page):
    """`rows` is {daemon: its public rows}; lines on what differs from the page."""
    wrong = []
    for daemon in sorted({*rows, *page}):
        open_now, allowed = rows.get(daemon, set()), page.get(daemon, set())
        wrong += [f"{daemon}: {row} is open to everybody and not listed" for row in sorted(open_now - allowed)]
        wrong += [f"{daemon}: {row} is listed and not open, or does not exist" for row in sorted(allowed - open_now)]
    return wrong


def main():
    page, programs = sys.argv[1], sys.argv[2:]
    rows = {os.path.basename(program): public_rows(program) for program in programs}
    rows = {name: found for name, found in rows.items() if found is not None}
    with open(page, encoding="utf-8") as file:
        wrong = compare(rows, listed(file.read()))
    for line in wrong:
        print(line)
    print(f"{len(rows)} route tables, {sum(map(len, rows.values()))} public routes, {len(wrong)} problems")
    return 1 if wrong or len(rows) < TABLES_MIN else 0


if __name__ == "__main__":
    sys.exit(main())
