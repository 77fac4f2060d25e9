# SPDX-License-Identifier: Apache-2.0
"""Cases about locks of one mount: fcntl, open file descriptions, flock; blocking, deadlocks, what ends them."""
import errno
import fcntl
import os
import signal
import struct

from calls import Child, case, fails, make, opened, same

F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38


def range_lock(file, kind, start=0, length=0, wait=False, command=None):
    if command is None:
        command = fcntl.F_SETLKW if wait else fcntl.F_SETLK
    fcntl.fcntl(file, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))


def held(file, kind, start=0, length=0, command=fcntl.F_GETLK):
    """What is in the way: (kind, start, length, pid), or None."""
    answer = fcntl.fcntl(file, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))
    kind, _, start, length, pid = struct.unpack("hhqqi4x", answer)
    return None if kind == fcntl.F_UNLCK else (kind, start, length, pid)


def holder(path, kind, start=0, length=0):
    """A process that holds a lock until it is told to let go."""
    def body(child):
        file = os.open(path, os.O_RDWR)
        range_lock(file, kind, start, length)
        child.tell("locked")
        child.hear("go")
        range_lock(file, fcntl.F_UNLCK, start, length)
        child.tell("unlocked")
        child.hear()
    child = Child(body)
    child.hear("locked")
    return child


@case
def range_locks_exclude(p):
    make(p / "file")
    child = holder(p / "file", fcntl.F_WRLCK, 100, 50)
    with opened(p / "file", os.O_RDWR) as file:
        for kind in (fcntl.F_RDLCK, fcntl.F_WRLCK):
            with fails(errno.EAGAIN, errno.EACCES):
                range_lock(file, kind, 120, 1)
        same(held(file, fcntl.F_WRLCK, 0, 0), (fcntl.F_WRLCK, 100, 50, child.pid))
        range_lock(file, fcntl.F_WRLCK, 0, 100)
        range_lock(file, fcntl.F_WRLCK, 150, 0)
        child.tell()
        child.hear("unlocked")
        range_lock(file, fcntl.F_WRLCK, 120, 1)
    child.end()


@case
def shared_range_locks(p):
    make(p / "file")
    child = holder(p / "file", fcntl.F_RDLCK)
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_RDLCK)
        with fails(errno.EAGAIN, errno.EACCES):
            range_lock(file, fcntl.F_WRLCK)
    child.end()


@case
def range_locks_split_and_join(p):
    make(p / "file")

    def body(child):
        file = os.open(p / "file", os.O_RDWR)
        range_lock(file, fcntl.F_WRLCK, 0, 100)
        range_lock(file, fcntl.F_UNLCK, 40, 20)
        range_lock(file, fcntl.F_RDLCK, 90, 10)
        child.tell("locked")
        child.hear()
    child = Child(body)
    child.hear("locked")
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_WRLCK, 40, 20)
        same(held(file, fcntl.F_WRLCK, 0, 1), (fcntl.F_WRLCK, 0, 40, child.pid))
        same(held(file, fcntl.F_WRLCK, 60, 10), (fcntl.F_WRLCK, 60, 30, child.pid))
        same(held(file, fcntl.F_WRLCK, 95, 1), (fcntl.F_RDLCK, 90, 10, child.pid))
        same(held(file, fcntl.F_RDLCK, 95, 1), None)
    child.end()


@case
def range_locks_end_with_their_process(p):
    make(p / "file")
    child = holder(p / "file", fcntl.F_WRLCK)
    child.end()
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_WRLCK)


@case
def range_locks_end_with_any_close(p):
    make(p / "file")
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_WRLCK)
        os.close(os.open(p / "file", os.O_RDONLY))

        def body(child):
            with opened(p / "file", os.O_RDWR) as other:
                range_lock(other, fcntl.F_WRLCK)
            child.tell("locked")
        child = Child(body)
        child.hear("locked")
        child.end()


@case
def range_locks_wait(p):
    make(p / "file")
    first = holder(p / "file", fcntl.F_WRLCK)

    def body(child):
        with opened(p / "file", os.O_RDWR) as file:
            child.tell("waiting")
            range_lock(file, fcntl.F_WRLCK, wait=True)
            child.tell("locked")
            child.hear()
    second = Child(body)
    second.hear("waiting")
    second.is_silent(0.2)
    first.tell()
    second.hear("locked")
    first.end()
    second.end()


@case
def waiting_for_a_lock_can_be_interrupted(p):
    make(p / "file")
    first = holder(p / "file", fcntl.F_WRLCK)

    def body(child):
        class Alarm(Exception):
            pass

        def ring(*_):
            raise Alarm
        signal.signal(signal.SIGALRM, ring)
        with opened(p / "file", os.O_RDWR) as file:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                range_lock(file, fcntl.F_WRLCK, wait=True)
                child.tell("locked")
            except Alarm:
                child.tell("interrupted")
        child.hear()
    second = Child(body)
    second.hear("interrupted")
    first.tell()
    first.hear("unlocked")
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_WRLCK)
    first.end()
    second.end()


@case
def deadlocks_are_told(p):
    make(p / "file")

    def body(child):
        file = os.open(p / "file", os.O_RDWR)
        range_lock(file, fcntl.F_WRLCK, 1, 1)
        child.tell("locked")
        child.hear("go")
        child.tell("waiting")
        range_lock(file, fcntl.F_WRLCK, 0, 1, wait=True)
        child.tell("locked")
        child.hear()
    child = Child(body)
    child.hear("locked")
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_WRLCK, 0, 1)
        child.tell()
        child.hear("waiting")
        child.is_silent(0.2)
        with fails(errno.EDEADLK):
            range_lock(file, fcntl.F_WRLCK, 1, 1, wait=True)
        range_lock(file, fcntl.F_UNLCK, 0, 1)
        child.hear("locked")
    child.end()


@case
def locks_need_the_right_kind_of_open(p):
    make(p / "file")
    with opened(p / "file", os.O_RDONLY) as file, fails(errno.EBADF):
        range_lock(file, fcntl.F_WRLCK)
    with opened(p / "file", os.O_WRONLY) as file, fails(errno.EBADF):
        range_lock(file, fcntl.F_RDLCK)


@case
def locks_of_open_files(p):
    make(p / "file")
    with opened(p / "file", os.O_RDWR) as one, opened(p / "file", os.O_RDWR) as two:
        range_lock(one, fcntl.F_WRLCK, command=F_OFD_SETLK)
        with fails(errno.EAGAIN):
            range_lock(two, fcntl.F_WRLCK, command=F_OFD_SETLK)
        same(held(two, fcntl.F_WRLCK, command=F_OFD_GETLK)[:3], (fcntl.F_WRLCK, 0, 0))
        copy = os.dup(one)
        os.close(os.open(p / "file", os.O_RDONLY))
        with fails(errno.EAGAIN):
            range_lock(two, fcntl.F_WRLCK, command=F_OFD_SETLK)
        os.close(copy)
        with fails(errno.EAGAIN):
            range_lock(two, fcntl.F_WRLCK, command=F_OFD_SETLK)
        range_lock(one, fcntl.F_UNLCK, command=F_OFD_SETLK)
        range_lock(two, fcntl.F_WRLCK, command=F_OFD_SETLK)
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_WRLCK, command=F_OFD_SETLK)


@case
def whole_file_locks(p):
    make(p / "file")
    with opened(p / "file", os.O_RDONLY) as one, opened(p / "file", os.O_RDONLY) as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        with fails(errno.EAGAIN):
            fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with fails(errno.EAGAIN):
            fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with fails(errno.EAGAIN):
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(two, fcntl.LOCK_UN)
        copy = os.dup(one)
        fcntl.flock(copy, fcntl.LOCK_EX)
        os.close(copy)
        with fails(errno.EAGAIN):
            fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
    with opened(p / "file", os.O_RDONLY) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@case
def whole_file_locks_wait(p):
    make(p / "file")

    def body(child):
        with opened(p / "file", os.O_RDONLY) as file:
            child.tell("waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
            child.tell("locked")
            child.hear()
    with opened(p / "file", os.O_RDONLY) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        child = Child(body)
        child.hear("waiting")
        child.is_silent(0.2)
        fcntl.flock(file, fcntl.LOCK_UN)
        child.hear("locked")
        with fails(errno.EAGAIN):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        child.end()
        fcntl.flock(file, fcntl.LOCK_EX)


@case
def range_and_whole_file_locks_are_apart(p):
    make(p / "file")
    child = holder(p / "file", fcntl.F_WRLCK)
    with opened(p / "file", os.O_RDWR) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    child.end()


@case
def locks_of_far_ranges(p):
    make(p / "file")
    child = holder(p / "file", fcntl.F_WRLCK, (1 << 62), 0)
    with opened(p / "file", os.O_RDWR) as file:
        range_lock(file, fcntl.F_WRLCK, 0, 1 << 62)
        with fails(errno.EAGAIN, errno.EACCES):
            range_lock(file, fcntl.F_WRLCK, (1 << 63) - 2, 1)
        same(held(file, fcntl.F_RDLCK, 1 << 62, 1)[:3], (fcntl.F_WRLCK, 1 << 62, 0))
    child.end()
