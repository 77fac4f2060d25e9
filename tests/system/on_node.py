# SPDX-License-Identifier: Apache-2.0
"""Runs a program inside a fresh node and ends with its status: on_node.py PROGRAM [ARGUMENT...]"""
import pathlib
import shutil
import subprocess
import sys

import frame  # noqa: F401  puts the test bed on the module path
import testbed

PLACE = "usr/libexec/gestalt-test"


def main(program, *arguments):
    def install(folder):
        (folder / PLACE).mkdir(parents=True)
        shutil.copy(program, folder / PLACE)

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
