#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Works on a mount until another takes the volume over, then tries every kind of change: each must fail with ESTALE.

    old_epoch.py FOLDER PATTERN

Says `ready` once its files are there and work goes on. Each slot of `slots` is overwritten with PATTERN and made durable, again and again,
until that fails. The last line is JSON: how many writes were acknowledged, what the first refusal was, and what each kind of change got.
"""
import errno
import fcntl
import json
import os
import sys
import time

SLOTS, SLOT = 64, 4096
PATIENCE = 30  # seconds for the takeover to come


def changes(folder, file, folder_file):
    """Every kind of change, by name."""
    return {
        "write and fsync": lambda: (os.pwrite(file, b"x" * SLOT, 0), os.fsync(file)),
        "append and fsync": lambda: (os.pwrite(file, b"x" * SLOT, os.fstat(file).st_size), os.fsync(file)),
        "fsync of what was written before": lambda: os.fsync(file),
        "truncate": lambda: os.ftruncate(file, 10),
        "fallocate": lambda: os.posix_fallocate(file, 0, 1 << 20),
        "create": lambda: os.open(f"{folder}/new", os.O_CREAT | os.O_WRONLY, 0o644),
        "mkdir": lambda: os.mkdir(f"{folder}/new"),
        "symlink": lambda: os.symlink("x", f"{folder}/new"),
        "mkfifo": lambda: os.mkfifo(f"{folder}/new"),
        "link": lambda: os.link(f"{folder}/slots", f"{folder}/new"),
        "unlink": lambda: os.unlink(f"{folder}/victim"),
        "rmdir": lambda: os.rmdir(f"{folder}/empty"),
        "rename": lambda: os.rename(f"{folder}/victim", f"{folder}/new"),
        "chmod": lambda: os.fchmod(file, 0o600),
        "chown": lambda: os.fchown(file, 1, 1),
        "utime": lambda: os.utime(file, (1, 1)),
        "setxattr": lambda: os.setxattr(file, "user.a", b"x"),
        "lock": lambda: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB),
        "fsync of a folder": lambda: os.fsync(folder_file),
    }


def main():
    folder, pattern = sys.argv[1:3]
    os.makedirs(f"{folder}/empty", exist_ok=True)
    with open(f"{folder}/victim", "wb") as victim:
        victim.write(b"x")
    file = os.open(f"{folder}/slots", os.O_CREAT | os.O_RDWR, 0o644)
    folder_file = os.open(folder, os.O_RDONLY)
    content = pattern.encode().ljust(SLOT, b".")
    os.pwrite(file, content * SLOTS, 0)
    os.fsync(file)
    os.fsync(folder_file)
    print("ready", flush=True)
    done, refusal, end = 0, None, time.monotonic() + PATIENCE
    while refusal is None and time.monotonic() < end:
        try:
            os.pwrite(file, content, done % SLOTS * SLOT)
            os.fdatasync(file)
            done += 1
        except OSError as problem:
            refusal = errno.errorcode.get(problem.errno, str(problem.errno))
    found = {}
    for name, change in changes(folder, file, folder_file).items():
        try:
            change()
            found[name] = "done"
        except OSError as problem:
            found[name] = errno.errorcode.get(problem.errno, str(problem.errno))
    print(json.dumps({"acknowledged": done, "refusal": refusal, "found": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
