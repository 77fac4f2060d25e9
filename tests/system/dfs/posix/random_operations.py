#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same random operations on a folder of a local file system and on mounts of one volume; each result and the final trees must be equal.

    random_operations.py MODEL MOUNT [MOUNT …] --operations N --seed S

With several mounts each operation goes to one of them by chance. Stops at the first difference, with the seed and what was done. The last
line is JSON.
"""
import argparse
import errno
import json
import mmap
import os
import pathlib
import random
import stat
import sys
import time

from calls import KEEP_SIZE, PUNCH_HOLE, RENAME_EXCHANGE, RENAME_NOREPLACE, ZERO_RANGE, fallocate, link_file, renameat2

NAMES = ["a", "b", "c", "dd", "e" * 60, "f" * 255]
SLOTS = 12  # files kept open
SIZE_MAX = 400_000


class Side:
    """One tree: a folder, or the same folder through several mounts."""

    def __init__(self, folders):
        self.folders = folders
        self.files = [None] * SLOTS

    def path(self, mount, name):
        return self.folders[mount % len(self.folders)] + name


class Operations:
    """Each returns something that can be compared; errors are compared by their number."""

    def __init__(self, rng, mounts):
        self.rng, self.mounts = rng, mounts
        self.table = [(getattr(self, name), weight) for name, weight in (
            ("create", 8), ("mkdir", 5), ("rmdir", 3), ("unlink", 5), ("rename", 8), ("link", 4), ("symlink", 3), ("readlink", 2), ("write", 12),
            ("append", 6), ("read", 12), ("truncate", 6), ("stat", 12), ("chmod", 4), ("chown", 2), ("utime", 3), ("setxattr", 3), ("getxattr", 3),
            ("removexattr", 1), ("listdir", 6), ("allocate", 5), ("open", 8), ("close", 6), ("file_write", 10), ("file_read", 10),
            ("file_truncate", 3), ("file_stat", 5), ("file_sync", 2), ("file_map", 3), ("unnamed", 2), ("name_file", 2), ("mknod", 2),
            ("copy_whole", 1), ("direct", 5))]
        self.weights = [weight for _, weight in self.table]

    def pick(self):
        """A function of a side, and its words for the account."""
        function, _ = self.rng.choices(self.table, self.weights)[0]
        mount = self.rng.randrange(self.mounts)
        return function(mount)

    def name(self):
        depth = self.rng.choices([1, 2, 3, 4], [5, 5, 3, 1])[0]
        return "".join("/" + self.rng.choice(NAMES) for _ in range(depth))

    def bytes(self):
        size = self.rng.choice([1, 7, 100, 1000, 4096, 5000, 20_000, 100_000])
        return bytes([self.rng.randrange(1, 256)]) * size

    def place(self):
        return self.rng.choice([0, 0, 1, 511, 4095, 4096, 8191, 10_000, 65_536, 131_072, self.rng.randrange(SIZE_MAX)])

    # Each method decides by chance, and returns what is done on either side.

    def create(self, mount):
        name, exclusive = self.name(), self.rng.random() < 0.3
        # A pipe of that name has no reader: without O_NONBLOCK the call would wait for one for ever.
        flags = os.O_CREAT | os.O_WRONLY | os.O_NONBLOCK | (os.O_EXCL if exclusive else 0) | (os.O_TRUNC if self.rng.random() < 0.2 else 0)
        mode = self.rng.choice([0o644, 0o600, 0o777])

        def run(side):
            os.close(os.open(side.path(mount, name), flags, mode))
        return run, (mount, "create", name, flags)

    def mkdir(self, mount):
        name = self.name()
        return lambda side: os.mkdir(side.path(mount, name)), (mount, "mkdir", name)

    def rmdir(self, mount):
        name = self.name()
        return lambda side: os.rmdir(side.path(mount, name)), (mount, "rmdir", name)

    def unlink(self, mount):
        name = self.name()
        return lambda side: os.unlink(side.path(mount, name)), (mount, "unlink", name)

    def rename(self, mount):
        old, new = self.name(), self.name()
        flags = self.rng.choices([0, RENAME_NOREPLACE, RENAME_EXCHANGE], [6, 1, 2])[0]

        def run(side):
            names = side.path(mount, old), side.path(mount, new)
            try:
                return renameat2(*names, flags)
            except OSError as problem:
                if problem.errno != errno.ESTALE:
                    raise
            # While it holds its lock for renames, the kernel cannot find a folder anew that another mount has moved and in which something is
            # open here (see dfs-semantics.md).
            for name in names:
                os.path.lexists(name)
            return renameat2(*names, flags)
        return run, (mount, "rename", old, new, flags)

    def link(self, mount):
        old, new = self.name(), self.name()
        return lambda side: os.link(side.path(mount, old), side.path(mount, new), follow_symlinks=False), (mount, "link", old, new)

    def symlink(self, mount):
        name, target = self.name(), self.rng.choice(NAMES + ["../a", "none/b", "t" * 1000])
        return lambda side: os.symlink(target, side.path(mount, name)), (mount, "symlink", target, name)

    def mknod(self, mount):
        name, kind = self.name(), self.rng.choice([stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
        return lambda side: os.mknod(side.path(mount, name), kind | 0o640, os.makedev(1, 3)), (mount, "mknod", name, kind)

    def readlink(self, mount):
        name = self.name()
        return lambda side: os.readlink(side.path(mount, name)), (mount, "readlink", name)

    def _with_file(self, mount, name, flags, body):
        def run(side):
            file = os.open(side.path(mount, name), flags | os.O_NONBLOCK)
            try:
                return body(file) if stat.S_ISREG(os.fstat(file).st_mode) else "not a file"
            finally:
                os.close(file)
        return run

    def write(self, mount):
        name, place, content = self.name(), self.place(), self.bytes()
        return self._with_file(mount, name, os.O_WRONLY, lambda file: os.pwrite(file, content, place)), (mount, "write", name, place, len(content))

    def append(self, mount):
        name, content = self.name(), self.bytes()[:5000]

        def body(file):
            return os.write(file, content) if os.fstat(file).st_size < SIZE_MAX else 0
        return self._with_file(mount, name, os.O_WRONLY | os.O_APPEND, body), (mount, "append", name, len(content))

    def read(self, mount):
        name, place, size = self.name(), self.place(), self.rng.choice([1, 100, 5000, 500_000])
        return self._with_file(mount, name, os.O_RDONLY, lambda file: os.pread(file, size, place)), (mount, "read", name, place, size)

    def direct(self, mount):
        """Past the page cache, in whole blocks: writes some, reads more."""
        name, place, fill = self.name(), self.place() // 4096 * 4096, self.rng.randrange(256)

        def body(file):
            block = mmap.mmap(-1, 8192)
            block[:] = bytes([fill]) * 8192
            done = os.pwritev(file, [block], place)
            back = mmap.mmap(-1, 65536)
            size = os.preadv(file, [back], max(0, place - 8192))
            return done, back[:size]
        return self._with_file(mount, name, os.O_RDWR | os.O_DIRECT, body), (mount, "direct", name, place)

    def truncate(self, mount):
        name, size = self.name(), self.place()
        return lambda side: os.truncate(side.path(mount, name), size), (mount, "truncate", name, size)

    def stat(self, mount):
        name = self.name()
        return lambda side: shown(os.lstat(side.path(mount, name))), (mount, "stat", name)

    def chmod(self, mount):
        name, mode = self.name(), self.rng.choice([0o644, 0o600, 0o755, 0o4755, 0o2770, 0o1777])
        return lambda side: os.chmod(side.path(mount, name), mode), (mount, "chmod", name, mode)

    def chown(self, mount):
        name, uid, gid = self.name(), self.rng.choice([-1, 0, 1000]), self.rng.choice([-1, 0, 2000])
        return lambda side: os.lchown(side.path(mount, name), uid, gid), (mount, "chown", name, uid, gid)

    def utime(self, mount):
        name, moment = self.name(), self.rng.randrange(10**18)

        def run(side):
            path = side.path(mount, name)
            os.utime(path, ns=(moment, moment + 1), follow_symlinks=False)
            status = os.lstat(path)
            return status.st_atime_ns, status.st_mtime_ns
        return run, (mount, "utime", name, moment)

    def setxattr(self, mount):
        name, key, value = self.name(), self.rng.choice(["user.a", "user.b", "trusted.c"]), self.bytes()[:1000]
        flags = self.rng.choice([0, 0, os.XATTR_CREATE, os.XATTR_REPLACE])
        return lambda side: os.setxattr(side.path(mount, name), key, value, flags), (mount, "setxattr", name, key, flags)

    def getxattr(self, mount):
        name = self.name()

        def run(side):
            path = side.path(mount, name)
            return sorted((key, os.getxattr(path, key)) for key in os.listxattr(path))
        return run, (mount, "getxattr", name)

    def removexattr(self, mount):
        name, key = self.name(), self.rng.choice(["user.a", "user.b", "trusted.c"])
        return lambda side: os.removexattr(side.path(mount, name), key), (mount, "removexattr", name, key)

    def listdir(self, mount):
        name = self.rng.choice(["", self.name()])
        return lambda side: sorted(os.listdir(side.path(mount, name) or "/")), (mount, "listdir", name)

    def allocate(self, mount):
        name, place, size = self.name(), self.place(), self.rng.choice([1, 4096, 10_000, 100_000])
        mode = self.rng.choice([0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE])
        return (self._with_file(mount, name, os.O_WRONLY, lambda file: fallocate(file, mode, place, size)),
                (mount, "allocate", name, mode, place, size))

    def open(self, mount):
        name, slot = self.name(), self.rng.randrange(SLOTS)
        flags = self.rng.choice([os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDWR | os.O_APPEND, os.O_RDWR | os.O_TRUNC, os.O_RDONLY])

        def run(side):
            if side.files[slot] is None:
                file = os.open(side.path(mount, name), flags | os.O_NONBLOCK, 0o644)
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    os.close(file)
                    return "not a file"
                side.files[slot] = file
            return "open"
        return run, (mount, "open", name, flags, slot)

    def unnamed(self, mount):
        name, slot = self.rng.choice(["", self.name()]), self.rng.randrange(SLOTS)

        def run(side):
            if side.files[slot] is None:
                side.files[slot] = os.open(side.path(mount, name), os.O_TMPFILE | os.O_RDWR, 0o640)
        return run, (mount, "unnamed", name, slot)

    def _slot(self, mount, what, body, *words):
        slot = self.rng.randrange(SLOTS)
        return lambda side: "closed" if side.files[slot] is None else body(side, side.files[slot], slot), (mount, what, slot, *words)

    def name_file(self, mount):
        slot, name = self.rng.randrange(SLOTS), self.name()

        def run(side):
            # A name can be given on the mount only that the file was opened on.
            file = side.files[slot]
            if file is None or os.fstat(file).st_nlink > 0:
                return "not unnamed"
            opened_on = os.readlink(f"/proc/self/fd/{file}")
            folder = next(each for each in side.folders if opened_on.startswith(each + "/"))
            return link_file(file, folder + name)
        return run, (mount, "name_file", slot, name)

    def close(self, mount):
        def body(side, file, slot):
            side.files[slot] = None
            os.close(file)
        return self._slot(mount, "close", body)

    def file_write(self, mount):
        place, content = self.place(), self.bytes()

        def body(_, file, __):
            return os.pwrite(file, content, place) if os.fstat(file).st_size < SIZE_MAX else 0
        return self._slot(mount, "file_write", body, place, len(content))

    def file_read(self, mount):
        place, size = self.place(), self.rng.choice([1, 5000, 500_000])
        return self._slot(mount, "file_read", lambda _, file, __: os.pread(file, size, place), place, size)

    def file_truncate(self, mount):
        size = self.place()
        return self._slot(mount, "file_truncate", lambda _, file, __: os.ftruncate(file, size), size)

    def file_stat(self, mount):
        return self._slot(mount, "file_stat", lambda _, file, __: shown(os.fstat(file)))

    def file_sync(self, mount):
        return self._slot(mount, "file_sync", lambda _, file, __: os.fsync(file))

    def file_map(self, mount):
        place, content = self.place(), self.bytes()[:100]

        def body(_, file, __):
            size = os.fstat(file).st_size
            if size == 0:
                return "empty"
            with mmap.mmap(file, size) as pages:
                at = min(place, size - 1)
                before = pages[at:at + 200]
                part = content[:size - at]
                pages[at:at + len(part)] = part
                pages.flush()
            return before
        return self._slot(mount, "file_map", body, place)

    def copy_whole(self, mount):
        old, new = self.name(), self.name()

        def run(side):
            with open(side.path(mount, old), "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return "not a file"
                content = file.read()
            target = os.open(side.path(mount, new), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o600)
            try:
                if stat.S_ISREG(os.fstat(target).st_mode):
                    os.write(target, content)
            finally:
                os.close(target)
            return len(content)
        return run, (mount, "copy_whole", old, new)


def shown(status):
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    device = status.st_rdev if stat.S_ISCHR(status.st_mode) else 0
    return oct(status.st_mode), status.st_nlink, status.st_uid, status.st_gid, size, device


def outcome(run, side):
    try:
        return run(side)
    except OSError as problem:
        return errno.errorcode.get(problem.errno, str(problem.errno))
    except ValueError as problem:
        return str(problem)


def tree(folder):
    """Everything below, by path."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            status = os.lstat(path)
            entry = [shown(status)]
            if stat.S_ISREG(status.st_mode):
                entry.append(pathlib.Path(path).read_bytes())
            if stat.S_ISLNK(status.st_mode):
                entry.append(os.readlink(path))
            entry.append(sorted((key, os.getxattr(path, key, follow_symlinks=False)) for key in os.listxattr(path, follow_symlinks=False)))
            found[os.path.relpath(path, folder)] = entry
    return found


def told(words):
    """An operation's words, with the long names cut."""
    text = repr(words)
    for name in NAMES[-2:]:
        text = text.replace(name, name[0].upper())
    return text


def short(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:150]}… ({len(value) if hasattr(value, '__len__') else ''})"


def first_difference(left, right):
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        left, right = next((pair for pair in zip(left, right) if pair[0] != pair[1]), (left, right))
    if isinstance(left, bytes) and isinstance(right, bytes):
        at = next((number for number, (a, b) in enumerate(zip(left, right)) if a != b), min(len(left), len(right)))
        return f"lengths {len(left)} and {len(right)}, the first other byte is {at}: {left[at:at + 4]!r} {right[at:at + 4]!r}"
    return f"{short(left)} on the model, {short(right)} on the volume"


def work(arguments):
    rng = random.Random(arguments.seed)
    label = f"random-{arguments.seed}"
    for folder in (arguments.model, arguments.mounts[0]):
        os.mkdir(f"{folder}/{label}")
    model = Side([f"{arguments.model}/{label}"])
    volume = Side([f"{mount}/{label}" for mount in arguments.mounts])
    operations = Operations(rng, len(arguments.mounts))
    past, failed, begin, longest = [], 0, time.monotonic(), 0.0
    for number in range(arguments.operations):
        run, words = operations.pick()
        past = [*past[-40:], words]
        left = outcome(run, model)
        started = time.monotonic()
        right = outcome(run, volume)
        took = time.monotonic() - started
        if took > max(longest, 1.0):
            print(f"operation {number} {told(words)} took {took:.1f} s", flush=True)
        longest = max(longest, took)
        failed += isinstance(left, str) and left.startswith("E")
        if left != right:
            print("\n".join(f"  {told(each)}" for each in past))
            print(f"seed {arguments.seed}, operation {number} {told(words)}: {first_difference(left, right)}")
            return {"operations": number, "differences": 1}
    for mount in volume.folders:
        left, right = tree(model.folders[0]), tree(mount)
        for path in sorted(left.keys() | right.keys()):
            if left.get(path) != right.get(path):
                print(f"seed {arguments.seed}, at the end {path}: {first_difference(left.get(path), right.get(path))}")
                return {"operations": arguments.operations, "differences": 1}
    return {"operations": arguments.operations, "differences": 0, "refused_on_both": failed, "files": len(left),
            "seconds": round(time.monotonic() - begin, 1),
            "longest_s": round(longest, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("mounts", nargs="+")
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.umask(0o022)
    account = work(arguments)
    print(json.dumps(account))
    return 1 if account["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
