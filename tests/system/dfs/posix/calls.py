# SPDX-License-Identifier: Apache-2.0
"""What the cases share: system calls that Python lacks, errnos that are expected, other users, and the list of the cases."""
import contextlib
import ctypes
import errno
import os
import pickle
import signal
import struct
import time

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW = -100, 0x1000, 0x400, 0x100
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE = 1, 2, 8, 16, 32
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
NAME_MAX, LINKS_MAX = 255, 65000

CASES = []


def case(function):
    CASES.append(function)
    return function


class Wrong(Exception):
    """The file system did something else than it should."""


def same(found, expected, what=""):
    if found != expected:
        raise Wrong(f"{what or 'value'}: {found!r}, expected {expected!r}")


def true(condition, what):
    if not condition:
        raise Wrong(what)


@contextlib.contextmanager
def fails(*expected):
    """The body must fail with one of these errnos."""
    names = " or ".join(errno.errorcode[number] for number in expected)
    try:
        yield
    except OSError as problem:
        if problem.errno not in expected:
            raise Wrong(f"{errno.errorcode.get(problem.errno, problem.errno)}, expected {names}") from problem
        return
    raise Wrong(f"succeeded, expected {names}")


def _check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def renameat2(old, new, flags):
    return _check(LIBC.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def fallocate(file, mode, offset, size):
    return _check(LIBC.fallocate(file, mode, ctypes.c_int64(offset), ctypes.c_int64(size)))


def link_file(file, path):
    """Gives a file without a name one."""
    return _check(LIBC.linkat(AT_FDCWD, f"/proc/self/fd/{file}".encode(), AT_FDCWD, os.fsencode(path), AT_SYMLINK_FOLLOW))


def utimensat(path, accessed, modified, flags=0):
    """Each time a pair (seconds, nanoseconds)."""
    times = struct.pack("qqqq", *accessed, *modified)
    return _check(LIBC.utimensat(AT_FDCWD, os.fsencode(path), times, flags))


def as_user(uid, gid, body, groups=()):
    """Runs `body` in a process of that user; what it raised is raised here, what it returned is returned."""
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            answer = (True, body())
        except BaseException as problem:  # told to the parent
            answer = (False, problem if isinstance(problem, (OSError, Wrong)) else Wrong(repr(problem)))
        if isinstance(answer[1], OSError):
            answer = (None, (answer[1].errno, answer[1].strerror))
        os.write(ends[1], pickle.dumps(answer))
        os._exit(0)
    os.close(ends[1])
    with os.fdopen(ends[0], "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    how, value = pickle.loads(text)
    if how is None:
        raise OSError(*value)
    if not how:
        raise value
    return value


class Child:
    """A process that runs `body(child)`: `tell` and `hear` single words with it."""

    def __init__(self, body):
        self._down, self._up = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._read, self._write = self._down[0], self._up[1]
            os.close(self._down[1])
            os.close(self._up[0])
            try:
                body(self)
            except BaseException as problem:
                os.write(self._write, f"!{problem!r}\n".encode())
            os._exit(0)
        os.close(self._down[0])
        os.close(self._up[1])
        self._read, self._write = self._up[0], self._down[1]

    def tell(self, word="go"):
        os.write(self._write, word.encode() + b"\n")

    def hear(self, expected=None, seconds=20):
        """The next word of the other side; raises when there is none in time."""
        text = b""
        end = time.monotonic() + seconds
        os.set_blocking(self._read, False)
        while not text.endswith(b"\n"):
            if time.monotonic() > end:
                raise Wrong(f"no word from the other process, expected {expected!r}")
            try:
                part = os.read(self._read, 1)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            if not part:
                raise Wrong(f"the other process ended, expected {expected!r}")
            text += part
        word = text.decode().strip()
        if expected is not None:
            same(word, expected, "word of the other process")
        return word

    def is_silent(self, seconds):
        end = time.monotonic() + seconds
        os.set_blocking(self._read, False)
        while time.monotonic() < end:
            try:
                text = os.read(self._read, 1)
                raise Wrong(f"the other process should wait, but said {text!r}")
            except BlockingIOError:
                time.sleep(0.002)

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR | os.O_CREAT, mode=0o644):
    file = os.open(path, flags, mode)
    try:
        yield file
    finally:
        os.close(file)


def make(path, content=b"", mode=0o644):
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode) as file:
        done = 0
        while done < len(content):
            done += os.write(file, content[done:])
    os.chmod(path, mode)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read()


def mode_of(path):
    return os.lstat(path).st_mode & 0o7777


def tick():
    """Lets the clock of files, which is coarser than the clock, move on: the next change has a later time."""
    end = time.monotonic() + 0.012
    while (left := end - time.monotonic()) > 0:
        time.sleep(left)


def long_path(folder, size):
    """A path of exactly `size` bytes below `folder`, of which only the beginning need exist."""
    text = str(folder)
    while len(text) + 200 < size:
        text += "/" + "d" * 150
    return text + "/" + "e" * (size - len(text) - 1)
