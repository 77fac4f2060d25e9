#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A load on a mounted file system that knows what it was promised: every acknowledged operation is remembered, and checked at the end.

    checked_load.py run FOLDER RECORD --seconds N     works until then, prints one JSON line: operations, errors, longest stall per kind
    checked_load.py check FOLDER RECORD               reads everything back: what was acknowledged must be there, and nothing foreign

Kinds: append (a numbered line, fsync), overwrite (one 4 KiB slot, fdatasync), replace (write beside, fsync, rename, fsync of the folder),
read (a slot whose content is known). RECORD is a file on another file system.
"""
import argparse
import hashlib
import json
import os
import sys
import threading
import time

SLOTS = 256
SLOT = 4096


def slot_content(slot, number):
    """4 KiB that only this slot and number have."""
    head = f"{slot}:{number}:".encode()
    return (head + hashlib.sha256(head).hexdigest().encode() * 64)[:SLOT]


class Worker(threading.Thread):
    """One kind of operation, one at a time. `number` is the last that was begun, `done` the last that was acknowledged."""

    def __init__(self, name, folder, until):
        super().__init__(name=name)
        self.folder, self.until = folder, until
        self.operations, self.errors, self.stall = 0, [], 0.0
        self.record = {}

    def run(self):
        last = time.monotonic()
        number = 0
        self.prepare()
        while time.monotonic() < self.until:
            number += 1
            try:
                self.step(number)
            except OSError as problem:
                self.errors.append(f"{problem.strerror} ({problem.errno}) at {number}")
                if len(self.errors) > 1000:
                    break
                time.sleep(0.01)
                continue
            now = time.monotonic()
            self.stall = max(self.stall, now - last)
            last = now
            self.operations += 1
        self.stall = max(self.stall, time.monotonic() - last)


class Append(Worker):
    def prepare(self):
        self.file = os.open(f"{self.folder}/append", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        self.record["done"] = []

    def step(self, number):
        line = f"{number:012d}\n".encode()
        if os.write(self.file, line) != len(line):
            raise OSError(5, "short write")
        os.fsync(self.file)
        self.record["done"].append(number)


class Overwrite(Worker):
    def prepare(self):
        self.file = os.open(f"{self.folder}/slots", os.O_CREAT | os.O_RDWR, 0o644)
        self.record["done"], self.record["begun"] = [0] * SLOTS, [0] * SLOTS

    def step(self, number):
        slot = number * 7919 % SLOTS
        self.record["begun"][slot] = number
        if os.pwrite(self.file, slot_content(slot, number), slot * SLOT) != SLOT:
            raise OSError(5, "short write")
        os.fdatasync(self.file)
        self.record["done"][slot] = number


class Replace(Worker):
    def prepare(self):
        os.makedirs(f"{self.folder}/names", exist_ok=True)
        self.names = os.open(f"{self.folder}/names", os.O_RDONLY | os.O_DIRECTORY)
        self.record["done"], self.record["begun"] = {}, {}

    def step(self, number):
        name = f"name{number % 50}"
        self.record["begun"][name] = number
        part = f"{self.folder}/names/.part"
        file = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        try:
            os.write(file, slot_content(0, number))
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(part, f"{self.folder}/names/{name}")
        os.fsync(self.names)
        self.record["done"][name] = number


class Read(Worker):
    """Reads what is never changed: a stall of reads alone, and foreign bytes, show here."""

    def prepare(self):
        self.file = os.open(f"{self.folder}/known", os.O_RDONLY)

    def step(self, number):
        slot = number % SLOTS
        if number % 16 == 0:  # past the page cache now and then
            os.posix_fadvise(self.file, 0, 0, os.POSIX_FADV_DONTNEED)
        if os.pread(self.file, SLOT, slot * SLOT) != slot_content(slot, 1):
            raise OSError(5, f"slot {slot} has foreign bytes")
        time.sleep(0.001)


KINDS = {"append": Append, "overwrite": Overwrite, "replace": Replace, "read": Read}


def work(arguments):
    with open(f"{arguments.folder}/known", "wb") as known:
        for slot in range(SLOTS):
            known.write(slot_content(slot, 1))
        known.flush()
        os.fsync(known.fileno())
    until = time.monotonic() + arguments.seconds
    workers = [kind(name, arguments.folder, until) for name, kind in KINDS.items()]
    print("started", flush=True)
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with open(arguments.record, "w", encoding="utf-8") as record:
        json.dump({worker.name: worker.record for worker in workers}, record)
    print(json.dumps({worker.name: {"operations": worker.operations, "errors": len(worker.errors), "first_errors": worker.errors[:3],
                                    "stall_s": round(worker.stall, 3)} for worker in workers}))
    return 0


def found_number(content, slot):
    """The number in a slot whose content is whole, 0 for one never written, None for anything else."""
    if content == b"\0" * SLOT or content == b"":
        return 0
    try:
        number = int(content.split(b":", 2)[1])
    except (IndexError, ValueError):
        return None
    return number if content == slot_content(slot, number) else None


def check(arguments):
    with open(arguments.record, encoding="utf-8") as file:
        record = json.load(file)
    wrong = []
    with open(f"{arguments.folder}/append", "rb") as file:
        lines = file.read()
    # What was refused by fsync may have left a hole.
    texts = [line.lstrip(b"\0") for line in lines.split(b"\n")[:-1]]
    numbers = [int(text) for text in texts if text.isdigit()]
    if not all(text.isdigit() for text in texts):
        wrong.append("append: something that is no number")
    lost = set(record["append"]["done"]) - set(numbers)
    if lost or any(later <= earlier for earlier, later in zip(numbers, numbers[1:])):
        wrong.append(f"append: {len(lost)} acknowledged lines are missing, or they are out of order")
    with open(f"{arguments.folder}/slots", "rb") as file:
        for slot in range(SLOTS):
            file.seek(slot * SLOT)
            number = found_number(file.read(SLOT), slot)
            done, begun = record["overwrite"]["done"][slot], record["overwrite"]["begun"][slot]
            if number is None or not done <= number <= begun:
                wrong.append(f"slot {slot}: has {number}, acknowledged {done}, begun {begun}")
    for name, done in record["replace"]["done"].items():
        with open(f"{arguments.folder}/names/{name}", "rb") as file:
            number = found_number(file.read(), 0)
        if number is None or not done <= number <= record["replace"]["begun"][name]:
            wrong.append(f"{name}: has {number}, acknowledged {done}")
    with open(f"{arguments.folder}/known", "rb") as file:
        for slot in range(SLOTS):
            if file.read(SLOT) != slot_content(slot, 1):
                wrong.append(f"known slot {slot} has changed")
    for line in wrong[:20]:
        print(line)
    print(json.dumps({"wrong": len(wrong), "appended": len(numbers)}))
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "check"])
    parser.add_argument("folder")
    parser.add_argument("record")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    return work(arguments) if arguments.verb == "run" else check(arguments)


if __name__ == "__main__":
    sys.exit(main())
