#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Waits for the lock on a file, says `locked`, and holds it until its input ends.

    lock_holder.py FILE
"""
import fcntl
import sys


def main():
    with open(sys.argv[1], "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        print("locked", flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
