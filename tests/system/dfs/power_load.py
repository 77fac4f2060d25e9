#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Changes of files, each synced before the next one: what a power cut must not take back.

power_load.py load FOLDER SEED    works until it is killed or an operation fails; before each operation prints it as a line of JSON, and
                                  "done" once its fsync has returned
power_load.py dump FOLDER         prints every file as JSON: name to content in base64

The show keeps a model of what was done (power_model.py) and compares.
"""
import base64
import json
import os
import random
import sys

FILES = 12
SIZE_MAX = 60_000  # below and above what is kept inside an inode
PIECE_MAX = 20_000
LARGE = 192 << 10  # whole blocks, which go to their place at once


def content(seed, size):
    return random.Random(seed).randbytes(size)


def say(text):
    os.write(1, (text + "\n").encode())


def sync_folder(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def carry_out(folder, operation):
    """One operation, durable when it returns."""
    kind, path = operation["kind"], f"{folder}/{operation['name']}"
    data = content(operation["seed"], operation.get("size", 0))
    if kind in ("write", "append"):
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | (os.O_APPEND if kind == "append" else 0), 0o644)
        if kind == "append":
            os.write(fd, data)
        else:
            os.pwrite(fd, data, operation["offset"])
        (os.fdatasync if operation["data_only"] else os.fsync)(fd)
        os.close(fd)
    elif kind == "replace":
        fd = os.open(path + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        os.rename(path + ".new", path)
        sync_folder(folder)
    elif kind == "cut":
        fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
        os.ftruncate(fd, operation["offset"])
        os.fsync(fd)
        os.close(fd)
    elif kind == "remove":
        if os.path.exists(path):
            os.unlink(path)
        sync_folder(folder)


def load(folder, seed):
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        kind = chance.choice(["write"] * 5 + ["append"] * 3 + ["replace"] * 2 + ["cut", "remove"])
        operation = {"kind": kind, "name": f"f{chance.randrange(FILES)}", "seed": f"{seed}/{number}", "offset": chance.randrange(SIZE_MAX),
                     "size": chance.choice([1, 100, 4096, chance.randrange(1, PIECE_MAX), LARGE]), "data_only": chance.random() < 0.5}
        if operation["size"] == LARGE:
            operation["offset"] -= operation["offset"] % 4096
        if kind == "append" and os.path.exists(f"{folder}/{operation['name']}") and \
                os.path.getsize(f"{folder}/{operation['name']}") > 2 * SIZE_MAX:
            operation["kind"] = "cut"
        say(json.dumps(operation))
        carry_out(folder, operation)
        say("done")


def dump(folder):
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(f"{folder}/{name}", "rb") as file:
            files[name] = base64.b64encode(file.read()).decode()
    say(json.dumps(files))


if __name__ == "__main__":
    if sys.argv[1] == "load":
        load(sys.argv[2], sys.argv[3])
    dump(sys.argv[2])
