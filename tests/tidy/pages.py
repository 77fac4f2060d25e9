#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks the command line for every verb and option it has and looks for each in its pages.

    tests/tidy/pages.py GESTALT ROOT [DAEMON...]

The pages are docs/reference/cli.md, man/gestalt.1 and completions/gestalt. A verb or option that is missing from one of
them is reported, and so is one that completions offer but the program does not have. Each DAEMON that has a unit, or that
mount(8) calls, has man/NAME.8 with each option of its help and none besides.
"""
import os
import re
import subprocess
import sys

# In every help; the pages name them once, if at all.
COMMON = {"--help", "--version"}
SECONDS_MAX = 10


def read_help(text):
    """(subcommands, long options) of one page of CLI11's help."""
    commands, options, section = [], set(), ""
    for line in text.split("\n"):
        heading = re.match(r"(\w[\w ]*):$", line)
        if heading:
            section = heading.group(1)
        elif section == "Subcommands":
            found = re.match(r"  ([a-z][\w-]*)(\s|$)", line)
            if found:
                commands.append(found.group(1))
        elif section == "Options":
            found = re.match(r"  (-\S+)", line)
            if found:
                options.update(name for name in found.group(1).split(",") if name.startswith("--"))
    return commands, options - COMMON


def surface(program, words=()):
    """{"app run": {"--id", …}} for every command, "" for the program itself."""
    done = subprocess.run([program, *words, "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=SECONDS_MAX, text=True)
    commands, options = read_help(done.stdout)
    found = {" ".join(words): options}
    for command in commands:
        found.update(surface(program, (*words, command)))
    return found


def check(found, pages):
    """`pages` is {path: text}."""
    wrong = []
    leaves = [name for name in found if name and not any(other.startswith(name + " ") for other in found)]
    options = set().union(*found.values())
    for path, text in pages.items():
        bare = text.replace("Fl -", "--") if path.endswith(".1") else text
        wrong += [f"{path}: `gestalt {name}` is missing" for name in leaves
                  if not all(re.search(rf"\b{word}\b", bare) for word in name.split())]
        if path.startswith("completions/"):
            wrong += [f"{path}: {name} is missing" for name in sorted(options) if name not in bare]
            offered = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", bare)) - COMMON
            wrong += [f"{path}: {name} is no option of gestalt" for name in sorted(offered - options)]
        if path.endswith("cli.md"):
            wrong += [f"{path}: {name} is missing" for name in sorted(options) if name not in bare]
    return wrong


def has_page(name, root):
    return name == "gestalt-dfs-mount" or os.path.exists(os.path.join(root, "install", "systemd", name + ".service"))


def check_daemon(program, root):
    path = f"man/{os.path.basename(program)}.8"
    if not os.path.exists(os.path.join(root, path)):
        return [f"{path}: is missing"]
    done = subprocess.run([program, "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=SECONDS_MAX, text=True)
    has = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", done.stdout)) - COMMON
    with open(os.path.join(root, path), encoding="utf-8") as file:
        page = {"-" + name for name in re.findall(r"(?:\bFl|\||,) (-[a-z][a-z-]+)", file.read())}
    return [f"{path}: {name} is missing" for name in sorted(has - page)] + \
           [f"{path}: {name} is no option of the program" for name in sorted(page - has - COMMON)]


def main():
    program, root, *daemons = sys.argv[1:]
    pages = {}
    for path in ("docs/reference/cli.md", "man/gestalt.1", "completions/gestalt"):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            pages[path] = file.read()
    found = surface(program)
    wrong = check(found, pages)
    for daemon in daemons:
        if has_page(os.path.basename(daemon), root):
            wrong += check_daemon(daemon, root)
    for line in wrong:
        print(line)
    print(f"{len(found)} commands, {len(wrong)} problems")
    return 1 if wrong or len(found) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
