# SPDX-License-Identifier: Apache-2.0
"""Cases about listing folders: streams that seek, folders that change while they are read, large ones."""
import ctypes
import errno
import os

from calls import LIBC, case, fails, make, same


class _Entry(ctypes.Structure):
    _fields_ = [("d_ino", ctypes.c_uint64), ("d_off", ctypes.c_int64), ("d_reclen", ctypes.c_uint16), ("d_type", ctypes.c_uint8),
                ("d_name", ctypes.c_char * 256)]


class Stream:
    """readdir(3), telldir(3), seekdir(3)."""

    def __init__(self, path):
        LIBC.opendir.restype = ctypes.c_void_p
        LIBC.readdir.restype = ctypes.POINTER(_Entry)
        LIBC.telldir.restype = ctypes.c_long
        self.stream = ctypes.c_void_p(LIBC.opendir(os.fsencode(path)))

    def next(self):
        entry = LIBC.readdir(self.stream)
        return entry.contents.d_name.decode() if entry else None

    def kind(self):
        entry = LIBC.readdir(self.stream)
        return (entry.contents.d_name.decode(), entry.contents.d_type, entry.contents.d_ino) if entry else None

    def rest(self):
        return list(iter(self.next, None))

    def tell(self):
        return LIBC.telldir(self.stream)

    def seek(self, where):
        LIBC.seekdir(self.stream, ctypes.c_long(where))

    def rewind(self):
        LIBC.rewinddir(self.stream)

    def close(self):
        LIBC.closedir(self.stream)


@case
def folder_streams_can_seek(p):
    for number in range(2000):
        os.close(os.open(p / f"name{number}", os.O_CREAT | os.O_WRONLY))
    stream = Stream(p)
    seen, places = [], []
    while (name := stream.next()) is not None:
        seen.append(name)
        places.append(stream.tell())
    same(len(seen), 2002)
    for at in (1999, 3, 1000, 0):
        stream.seek(places[at])
        same(stream.next(), seen[at + 1], "the name after a place")
    stream.rewind()
    same(stream.rest(), seen)
    stream.close()


@case
def rewind_shows_what_is_there_now(p):
    make(p / "a")
    stream = Stream(p)
    same(sorted(stream.rest()), [".", "..", "a"])
    make(p / "b")
    stream.rewind()
    same(sorted(stream.rest()), [".", "..", "a", "b"])
    stream.close()


@case
def names_stay_listed_while_others_go(p):
    """What is there from the beginning to the end of a listing is in it once."""
    for number in range(1500):
        os.close(os.open(p / f"keep{number:05}", os.O_CREAT | os.O_WRONLY))
        os.close(os.open(p / f"lose{number:05}", os.O_CREAT | os.O_WRONLY))
    stream = Stream(p)
    seen = []
    for number in range(1500):
        seen.append(stream.next())
        os.unlink(p / f"lose{number:05}")
        os.close(os.open(p / f"new{number:05}", os.O_CREAT | os.O_WRONLY))
    seen += stream.rest()
    stream.close()
    kept = [name for name in seen if name.startswith("keep")]
    same((len(kept), len(set(kept))), (1500, 1500), "names that stayed")
    same(len(seen), len(set(seen)), "names listed twice")


@case
def listing_says_inode_and_kind(p):
    make(p / "file")
    os.mkdir(p / "folder")
    os.symlink("x", p / "link")
    os.mkfifo(p / "fifo")
    stream = Stream(p)
    found = {name: (kind, inode) for name, kind, inode in iter(stream.kind, None)}
    stream.close()
    for name, kind in (("file", 8), ("folder", 4), ("link", 10), ("fifo", 1)):
        same(found[name], (kind, os.lstat(p / name).st_ino), f"d_type and d_ino of {name}")
    same(found["."][0], 4)


@case
def removing_while_listing_empties_a_folder(p):
    for number in range(2000):
        os.close(os.open(p / f"name{number}", os.O_CREAT | os.O_WRONLY))
    with os.scandir(p) as entries:
        for entry in entries:
            os.unlink(entry.path)
    same(os.listdir(p), [])


@case
def folder_of_100_000_names(p):
    names = {f"entry-{number:06}" for number in range(100_000)}
    for name in names:
        os.close(os.open(p / name, os.O_CREAT | os.O_WRONLY))
    same(set(os.listdir(p)), names)
    same(os.stat(p / "entry-054321").st_size, 0)
    with fails(errno.ENOENT):
        os.stat(p / "entry-100000")
    with fails(errno.ENOTEMPTY):
        os.rmdir(p)
    for name in names:
        os.unlink(p / name)
    same(os.listdir(p), [])
