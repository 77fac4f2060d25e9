#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the cases on a folder of a mounted file system, each in a fresh folder; prints what failed, then one JSON line.

    run.py FOLDER [--short] [--only WORD]

What a case expects is what Linux documents and ext4 does: on a folder of ext4 all of them succeed.
"""
import argparse
import json
import pathlib
import shutil
import sys
import time

import calls
import content  # noqa: F401  registers its cases
import folders  # noqa: F401
import locks  # noqa: F401
import names  # noqa: F401
import rights  # noqa: F401

LONG = {"too_many_links", "folder_of_100_000_names"}  # left out of the short form


CASE_SECONDS = 120  # on a loaded machine, the longest


def judge(function, place):
    """What was wrong, or nothing."""
    try:
        function(place)
    except (calls.Wrong, OSError, ValueError, AssertionError) as problem:
        line = problem.__traceback__
        while line.tb_next is not None and line.tb_frame.f_code.co_name != function.__name__:
            line = line.tb_next
        return f"line {line.tb_lineno} of {function.__module__}.py: {type(problem).__name__} {problem}"
    return ""


def run_case(function, folder):
    """Runs it in a process of its own, which a call that never returns does not keep; what was wrong, or nothing."""
    place = pathlib.Path(folder).resolve() / function.__name__
    place.mkdir()
    child = calls.Child(lambda own: own.tell("." + judge(function, place).replace("\n", " ")))
    try:
        return child.hear(seconds=CASE_SECONDS)[1:]
    except calls.Wrong as problem:
        return str(problem)
    finally:
        child.end()
        shutil.rmtree(place, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="", help="cases with this in their name")
    arguments = parser.parse_args()
    chosen = [each for each in calls.CASES if arguments.only in each.__name__ and not (arguments.short and each.__name__ in LONG)]
    wrong = []
    for function in chosen:
        begin = time.monotonic()
        problem = run_case(function, arguments.folder)
        if problem:
            wrong.append(problem)
            print(f"{function.__name__}: {problem}", flush=True)
        if time.monotonic() - begin > 5:
            print(f"({function.__name__} took {time.monotonic() - begin:.1f} s)", flush=True)
    print(json.dumps({"cases": len(chosen), "wrong": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
