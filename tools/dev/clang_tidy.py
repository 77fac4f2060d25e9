# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over files of the tree: which ones a change concerns, with which flags, several at a time."""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess

import build
import run
from say import Failure

SECONDS_MAX = 600
# Of gcc's command line: what belongs to its precompiled header, and its warnings, which the build itself judges.
DROPPED = ("-fpch-preprocess", "-W")
COMPILER = re.compile(r"(c\+\+|g\+\+|cc|gcc|clang|clang\+\+)(-\d+)?")
INCLUDED = re.compile(r'^#include "(/.*)"$', re.MULTILINE)  # in what CMake writes
# Made while building; sources include them.
GENERATED = ("common/rest/problem_catalogue.inc",)


def for_clang(command):
    """A compiler's words from a compilation database, without launchers and what only gcc understands."""
    words = shlex.split(command)
    words = words[next(i for i, word in enumerate(words) if COMPILER.fullmatch(os.path.basename(word))):]
    kept, skip = [], False
    for word, following in zip(words, [*words[1:], ""]):
        if skip:
            skip = False
        elif word == "-include" and "cmake_pch" in following:
            kept += ["-include", "nlohmann/json.hpp"]  # headers of ours count on it
            skip = True
        elif not word.startswith(DROPPED):
            kept.append(word)
    return kept


def apart(entry):
    """The entries of a source that joins others (CMAKE_UNITY_BUILD), one for each; else the entry alone."""
    joined = entry["file"]
    if "/Unity/unity_" not in joined:
        return [entry]
    sources = INCLUDED.findall(pathlib.Path(joined).read_text())
    return [{**entry, "file": source, "arguments": [source if word == joined else word for word in entry["arguments"]]} for source in sources]


def database():
    """A folder with compile_commands.json as clang-tidy reads it, made from that of the debug preset, and the files in it."""
    build.configure("debug")
    run.quiet(["ninja", "-C", build.folder("debug"), *GENERATED], "making what sources include", build.folder("debug") / "lint.log")
    entries = json.loads((build.folder("debug") / "compile_commands.json").read_text())
    for entry in entries:
        entry["arguments"] = for_clang(entry.pop("command"))
    entries = [each for entry in entries for each in apart(entry)]
    folder = build.folder("lint")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(entries))
    return folder, {os.path.relpath(entry["file"], run.ROOT) for entry in entries}


def base_commit(name=None):
    """What a change is compared with: a name that was given, else where it left main, else the last commit."""
    for candidate in [name] if name else ["origin/main", "main"]:
        if run.succeeds(["git", "-C", run.ROOT, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}"]):
            return run.output(["git", "-C", run.ROOT, "merge-base", "HEAD", candidate]).strip()
    if name:
        raise Failure(f"there is no commit {name}")
    return "HEAD"


def changed(base):
    """Files that differ from the base, committed or not."""
    listed = run.output(["git", "-C", run.ROOT, "diff", "--name-only", "--diff-filter=d", base])
    return listed.split() + run.output(["git", "-C", run.ROOT, "ls-files", "--others", "--exclude-standard"]).split()


def concerned(names, known):
    """Sources of the build that a list of files concerns: themselves, and for a header its own source and its test."""
    found = set()
    for name in names:
        stem, ending = os.path.splitext(name)
        if ending == ".cc":
            found.add(name)
        elif ending == ".h":
            found.update((f"{stem}.cc", f"tests/unit/{stem}_test.cc"))
    return sorted(found & known)


def check_one(folder, file, extra=()):
    """What clang-tidy says of one file; empty when it finds nothing."""
    done = subprocess.run(["clang-tidy", "--quiet", "-p", str(folder), *extra, str(file)], cwd=run.ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=SECONDS_MAX)
    if done.returncode == 0 and "warning:" not in done.stdout and "error:" not in done.stdout:
        return ""
    return done.stdout.strip() or done.stderr.strip()


def check(folder, files, jobs=None, extra=()):
    """Runs over files, prints what is found as it comes; the number of files with findings."""
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(jobs or build.jobs()) as pool:
        for said in pool.map(lambda file: check_one(folder, pathlib.Path(file), extra), files):
            if said:
                wrong += 1
                print(said, flush=True)
    return wrong
