#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one client sees right after another changed something: probes on two mounts of one volume, each many times.

    two_mounts.py MOUNT MOUNT [--rounds N]      prints what was wrong, then one JSON line
"""
import argparse
import errno
import fcntl
import json
import mmap
import os
import pathlib
import sys

from calls import Wrong, fails, make, mode_of, opened, read, same
from locks import range_lock

PROBES = []


def probe(function):
    PROBES.append(function)
    return function


@probe
def size(a, b, number):
    make(a / "file", b"x" * number)
    same(os.stat(b / "file").st_size, number)
    os.truncate(a / "file", 10 * number)
    same(os.stat(b / "file").st_size, 10 * number)


@probe
def overwrite(a, b, number):
    make(a / "file", b"old" * 5000)
    same(read(b / "file"), b"old" * 5000)
    with opened(a / "file", os.O_WRONLY) as file:
        os.pwrite(file, b"new%03d" % number, 6000)
        same(read(b / "file")[6000:6006], b"new%03d" % number, "while the writer has it open")
    with opened(b / "file", os.O_RDWR) as kept:
        same(os.pread(kept, 3, 9), b"old")
        with opened(a / "file", os.O_WRONLY) as file:
            os.pwrite(file, b"again", 9)
        same(os.pread(kept, 5, 9), b"again", "in a file that was open and read before")


@probe
def append(a, b, number):
    make(a / "file")
    with opened(a / "file", os.O_RDWR | os.O_APPEND) as one, opened(b / "file", os.O_RDWR | os.O_APPEND) as two:
        expected = b""
        for turn in range(10):
            for file in (one, two):
                line = b"%d of %d\n" % (turn, file)
                os.write(file, line)
                expected += line
                same(os.pread(two if file == one else one, 10_000, 0), expected, "after an append of the other")
                same(os.pread(file, 10_000, 0), expected, "after an own append")


@probe
def unlink(a, b, number):
    make(a / "file", b"x")
    same(read(b / "file"), b"x")
    with opened(b / "file", os.O_RDWR) as kept:
        os.unlink(a / "file")
        with fails(errno.ENOENT):
            os.stat(b / "file")
        same(os.pread(kept, 1, 0), b"x", "still open")
        os.pwrite(kept, b"y", 0)
        same((os.pread(kept, 1, 0), os.fstat(kept).st_nlink), (b"y", 0))
    make(b / "file", b"z")
    same(read(a / "file"), b"z")
    os.unlink(b / "file")
    with fails(errno.ENOENT):
        os.open(a / "file", os.O_RDONLY)


@probe
def nameless(a, b, number):
    """What was written into a file before its last name or the writer went is there for whoever has it open elsewhere."""
    for length in (500, 50_000):  # inside its inode, and outside
        make(a / "file", b"x" * length)
        with opened(b / "file", os.O_RDWR) as kept:
            with opened(a / "file", os.O_RDWR) as other:
                os.unlink((b if number % 3 else a) / "file")
                os.pwrite(other, b"late", 100)
            same(os.pread(kept, 6, 99), b"xlatex", "written and closed without a name")
        make(a / "file", b"x" * length)
        with opened(a / "file", os.O_RDWR) as kept:
            same(os.stat(b / "file").st_size, length)
            os.unlink(a / "file")
            os.pwrite(kept, b"own", 0)
            os.fsync(kept)
            same(os.pread(kept, 4, 0), b"ownx", "unlinked by who has it open, after another looked")
        make(a / "file", b"x" * length)
        with opened(b / "file", os.O_RDWR) as kept:
            with opened(a / "file", os.O_RDWR) as other:
                os.ftruncate(other, 50)
                os.pwrite(other, b"grown", length)
            os.unlink(a / "file")
            same(os.pread(kept, 100_000, 0), b"x" * 50 + b"\0" * (length - 50) + b"grown", "written and closed before the unlink")
        make(a / "file", b"x" * length)
        make(a / "to", b"y" * length)
        with opened(b / "to", os.O_RDWR) as kept:
            with opened(a / "to", os.O_RDWR) as other:
                os.pwrite(other, b"late", 0)
            os.rename(a / "file", a / "to")
            same(os.pread(kept, 5, 0), b"latey", "written and closed before it was replaced")
        os.unlink(a / "to")


@probe
def moved_folder(a, b, number):
    """A folder that one mount has moved into another can be moved on by the other at once."""
    (a / "from/folder").mkdir(parents=True)
    (a / "to").mkdir()
    make(a / "from/folder/file", b"x")
    same(os.stat(b / "from/folder/file").st_size, 1)
    os.rename(a / "from/folder", a / "to/there")
    os.rename(b / "to/there", b / f"moved-{number}")
    same(sorted(os.listdir(a / f"moved-{number}")), ["file"])
    same(os.listdir(a / "to"), [])
    os.unlink(a / f"moved-{number}/file")
    for name in ("from", "to", f"moved-{number}"):
        os.rmdir(b / name)


@probe
def rename(a, b, number):
    make(a / "from", b"%d" % number)
    make(b / "to", b"replaced")
    same(read(a / "to"), b"replaced")
    os.rename(a / "from", a / "to")
    same(read(b / "to"), b"%d" % number)
    with fails(errno.ENOENT):
        os.stat(b / "from")
    os.mkdir(a / "folder")
    os.rename(b / "to", b / "folder/deep")
    same(os.listdir(a / "folder"), ["deep"])
    with fails(errno.ENOENT):
        os.stat(a / "to")


@probe
def chmod(a, b, number):
    make(a / "file", b"", 0o600)
    same(mode_of(b / "file"), 0o600)
    os.chmod(a / "file", 0o644)
    same(mode_of(b / "file"), 0o644)
    os.chown(b / "file", 65501, 65502)
    os.utime(b / "file", (7, 8))
    status = os.stat(a / "file")
    same((status.st_uid, status.st_gid, status.st_mtime), (65501, 65502, 8.0))


@probe
def truncate(a, b, number):
    make(a / "file", b"x" * 50_000)
    same(len(read(b / "file")), 50_000)
    with opened(b / "file", os.O_RDWR) as kept:
        os.truncate(a / "file", 20_000)
        same(os.pread(kept, 60_000, 0), b"x" * 20_000)
        os.truncate(a / "file", 30_000)
        same(os.pread(kept, 60_000, 0), b"x" * 20_000 + b"\0" * 10_000)
        os.ftruncate(kept, 5)
    same(read(a / "file"), b"x" * 5)


@probe
def mapped_pages(a, b, number):
    make(a / "file", b"a" * 20_000)
    with opened(a / "file", os.O_RDWR) as one, opened(b / "file", os.O_RDWR) as two:
        with mmap.mmap(one, 20_000) as left, mmap.mmap(two, 20_000) as right:
            same((left[5000:5001], right[5000:5001]), (b"a", b"a"))
            left[5000:5006] = b"mapped"
            left.flush()
            same(os.pread(two, 6, 5000), b"mapped", "read after msync")
            same(right[5000:5006], b"mapped", "mapped by the other, after msync")
            os.pwrite(two, b"written", 100)
            same(left[100:107], b"written", "mapped, after a write of the other")
            right[12_000:12_004] = b"page"
            right.flush()
            same(left[12_000:12_004], b"page", "mapped, after msync of the other")


@probe
def locks(a, b, number):
    make(a / "file")
    with opened(a / "file", os.O_RDWR) as one, opened(b / "file", os.O_RDWR) as two:
        range_lock(one, fcntl.F_WRLCK, 10, 10)
        with fails(errno.EAGAIN, errno.EACCES):
            range_lock(two, fcntl.F_WRLCK, 15, 10)
        range_lock(two, fcntl.F_WRLCK, 20, 10)
        range_lock(one, fcntl.F_UNLCK, 10, 10)
        range_lock(two, fcntl.F_WRLCK, 15, 10)
        fcntl.flock(one, fcntl.LOCK_EX)
        with fails(errno.EAGAIN):
            fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
    with opened(b / "file", os.O_RDWR) as two:
        fcntl.flock(two, fcntl.LOCK_EX)  # waits: Linux tells FUSE after close() that it let go of one
        range_lock(two, fcntl.F_WRLCK)


@probe
def xattr(a, b, number):
    make(a / "file")
    os.setxattr(a / "file", "user.a", b"%d" % number)
    same(os.getxattr(b / "file", "user.a"), b"%d" % number)
    os.setxattr(b / "file", "user.a", b"other")
    os.setxattr(b / "file", "user.b", b"more")
    same((os.getxattr(a / "file", "user.a"), sorted(os.listxattr(a / "file"))), (b"other", ["user.a", "user.b"]))
    os.removexattr(a / "file", "user.a")
    with fails(errno.ENODATA):
        os.getxattr(b / "file", "user.a")


@probe
def readdir(a, b, number):
    os.mkdir(a / "folder")
    same(os.listdir(b / "folder"), [])
    for turn in range(20):
        one, other = (a, b) if turn % 2 else (b, a)
        make(one / f"folder/name{turn}")
        same(sorted(os.listdir(other / "folder")), sorted(f"name{each}" for each in range(turn + 1)))
    os.unlink(a / "folder/name3")
    same(len(os.listdir(b / "folder")), 19)
    with fails(errno.ENOTEMPTY):
        os.rmdir(b / "folder")


@probe
def hard_link(a, b, number):
    make(a / "file", b"x")
    same(os.stat(b / "file").st_nlink, 1)
    os.link(a / "file", a / "link")
    same((os.stat(b / "file").st_nlink, os.stat(b / "link").st_ino), (2, os.stat(a / "file").st_ino))
    make(b / "link", b"through the link")
    same(read(a / "file"), b"through the link")
    os.unlink(b / "file")
    same(os.stat(a / "link").st_nlink, 1)


def clean(folder):
    for name in os.listdir(folder):
        if name == "folder":
            for below in os.listdir(folder / name):
                os.unlink(folder / name / below)
            os.rmdir(folder / name)
        else:
            os.unlink(folder / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mounts", nargs=2, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    wrong = {}
    for function in PROBES:
        name = f"two-{function.__name__}"
        os.mkdir(arguments.mounts[0] / name)
        for number in range(1, arguments.rounds + 1):
            a, b = (mount / name for mount in (arguments.mounts if number % 2 else arguments.mounts[::-1]))
            try:
                function(a, b, number)
            except (Wrong, OSError) as problem:
                line = problem.__traceback__
                while line.tb_next is not None and line.tb_next.tb_frame.f_globals["__name__"] == __name__:
                    line = line.tb_next
                if function.__name__ not in wrong:
                    print(f"{function.__name__}, round {number}, line {line.tb_lineno}: {problem}", flush=True)
                wrong[function.__name__] = wrong.get(function.__name__, 0) + 1
            clean(a)
        os.rmdir(b)
    print(json.dumps({"probes": len(PROBES), "rounds": arguments.rounds, "wrong": len(wrong), "rounds_wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
