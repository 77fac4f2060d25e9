# SPDX-License-Identifier: Apache-2.0
"""Runs a program inside a fresh node and ends with its status: on_node.py [--with FILE]... PROGRAM [ARGUMENT...]

FILEs are put beside the program."""
import pathlib
import shutil
import subprocess
import sys

import frame  # noqa: F401  puts the test bed on the module path
import testbed

PLACE = "usr/libexec/gestalt-test"


def main(*words):
    beside = []
    while words[0] == "--with":
        beside.append(words[1])
        words = words[2:]
    program, *arguments = words

    def install(folder):
        (folder / PLACE).mkdir(parents=True)
        for file in [program, *beside]:
            shutil.copy(file, folder / PLACE)

    bed = testbed.Bed(install)
    bed.create()
    try:
        node = bed.boot()
        argv = [f"/{PLACE}/{pathlib.Path(program).name}", *arguments]
        return subprocess.run(node.inside(argv), stdin=subprocess.DEVNULL).returncode
    finally:
        bed.remove()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
