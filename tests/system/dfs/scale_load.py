#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Work for the scale show; each mode prints one line of JSON.

scale_load.py create FOLDER FIRST COUNT   makes files FIRST …, a thousand per folder, and syncs: operations per second
scale_load.py stat FOLDER TOTAL COUNT     looks at COUNT of TOTAL files by chance: operations per second
scale_load.py sync FOLDER SECONDS         4 KiB writes with fdatasync in an own file: operations per second
"""
import json
import os
import random
import sys
import time

PER_FOLDER = 1000


def path_of(folder, number):
    return f"{folder}/{number // PER_FOLDER:06d}/{number:08d}"


def create(folder, first, count):
    begin = time.monotonic()
    for number in range(first, first + count):
        if number % PER_FOLDER == 0:
            os.mkdir(os.path.dirname(path_of(folder, number)))
        os.close(os.open(path_of(folder, number), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)
    return count / (time.monotonic() - begin)


def stat(folder, total, count):
    chance = random.Random(1)
    numbers = [chance.randrange(total) for _ in range(count)]
    begin = time.monotonic()
    for number in numbers:
        os.stat(path_of(folder, number))
    return count / (time.monotonic() - begin)


def sync(folder, seconds):
    fd = os.open(f"{folder}/sync.{os.getpid()}", os.O_CREAT | os.O_RDWR, 0o644)
    os.write(fd, bytes(1 << 20))
    os.fsync(fd)
    chance, done, data = random.Random(os.getpid()), 0, bytes(4096)
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        os.pwrite(fd, data, 4096 * chance.randrange(256))
        os.fdatasync(fd)
        done += 1
    return done / (time.monotonic() - begin)


MODES = {"create": create, "stat": stat, "sync": sync}
print(json.dumps(MODES[sys.argv[1]](sys.argv[2], *[int(word) for word in sys.argv[3:]])))
