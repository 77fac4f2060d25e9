# SPDX-License-Identifier: Apache-2.0
"""Cases about names: link, mkdir, mkfifo, mknod, open, rename, rmdir, symlink, unlink."""
import errno
import os
import socket
import stat

from calls import (NAME_MAX, RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, case, fails, link_file, long_path, make, mode_of, opened,
                   read, renameat2, same, tick, true)

# Every call that takes a path, as a function of it; those that make something come second.
USE = {
    "open": lambda path: os.close(os.open(path, os.O_RDONLY)),
    "stat": os.stat,
    "chmod": lambda path: os.chmod(path, 0o600),
    "chown": lambda path: os.chown(path, 1, 1),
    "truncate": lambda path: os.truncate(path, 1),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "utime": lambda path: os.utime(path, (1, 1)),
    "rename from": lambda path: os.rename(path, path.parent / "other" if hasattr(path, "parent") else path + "x"),
    "link from": lambda path: os.link(path, str(path) + "x"),
    "listdir": os.listdir,
    "readlink": os.readlink,
    "getxattr": lambda path: os.getxattr(path, "user.a"),
    "setxattr": lambda path: os.setxattr(path, "user.a", b"x"),
}
MAKE = {
    "create": lambda path: os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)),
    "mkdir": os.mkdir,
    "mkfifo": os.mkfifo,
    "mknod": lambda path: os.mknod(path, stat.S_IFREG | 0o644),
    "symlink": lambda path: os.symlink("target", path),
}
REMOVE = {"mkdir": os.rmdir}


def bind(path):
    """A socket there; the address is short, so it is made from within."""
    file = socket.socket(socket.AF_UNIX)
    folder = os.getcwd()
    os.chdir(os.path.dirname(path))
    try:
        file.bind(os.path.basename(path))
    finally:
        os.chdir(folder)
        file.close()


@case
def name_of_255_bytes(p):
    name = "n" * NAME_MAX
    for what, call in MAKE.items():
        call(p / name)
        true(name in os.listdir(p), f"{what}: the name is listed")
        REMOVE.get(what, os.unlink)(p / name)


@case
def name_of_256_bytes_is_refused(p):
    make(p / "file")
    name = "n" * (NAME_MAX + 1)
    for call in [*MAKE.values(), *USE.values()]:
        with fails(errno.ENAMETOOLONG):
            call(str(p / name))
    with fails(errno.ENAMETOOLONG):
        os.rename(p / "file", p / name)
    with fails(errno.ENAMETOOLONG):
        os.link(p / "file", p / name)


@case
def path_longer_than_path_max_is_refused(p):
    for call in [*MAKE.values(), *USE.values()]:
        with fails(errno.ENAMETOOLONG):
            call(long_path(p, 4096))


@case
def path_of_4095_bytes(p):
    text = str(p)
    while len(text) + 102 < 4095:
        text += "/" + "d" * 100
        os.mkdir(text)
    make(text + "/" + "f" * (4095 - len(text) - 1), b"deep")
    same(read(text + "/" + "f" * (4095 - len(text) - 1)), b"deep")


@case
def names_of_any_bytes(p):
    names = [b"\xff\xfe", b"new\nline", b" ", b"...", b"\x01", "ü€".encode(), b"a\\b", b"*?"]
    for name in names:
        make(os.fsencode(p) + b"/" + name, name)
    same(sorted(os.listdir(os.fsencode(p))), sorted(names))
    for name in names:
        same(read(os.fsencode(p) + b"/" + name), name)


@case
def missing_names(p):
    for what, call in USE.items():
        with fails(errno.ENOENT):
            call(str(p / "none"))
        with fails(errno.ENOENT):
            call(str(p / "none/below"))
    for call in MAKE.values():
        with fails(errno.ENOENT):
            call(p / "none/below")


@case
def file_in_the_place_of_a_folder(p):
    make(p / "file")
    for call in [*USE.values(), *MAKE.values()]:
        with fails(errno.ENOTDIR):
            call(str(p / "file/below"))
    with fails(errno.ENOTDIR):
        os.rename(p / "file", p / "file/below")


@case
def loop_of_symlinks(p):
    os.symlink("b", p / "a")
    os.symlink("a", p / "b")
    for what in ("open", "stat", "chmod", "chown", "truncate", "utime", "listdir", "getxattr", "setxattr"):
        with fails(errno.ELOOP):
            USE[what](p / "a")
    for call in [*USE.values(), *MAKE.values()]:
        with fails(errno.ELOOP):
            call(str(p / "a/below"))


@case
def open_with_nofollow_refuses_symlinks(p):
    make(p / "file")
    os.symlink("file", p / "link")
    with fails(errno.ELOOP):
        os.open(p / "link", os.O_RDONLY | os.O_NOFOLLOW)


@case
def existing_names_are_not_made_again(p):
    make(p / "file")
    os.mkdir(p / "folder")
    os.symlink("none", p / "link")
    os.mkfifo(p / "fifo")
    for name in ("file", "folder", "link", "fifo"):
        for what in ("mkdir", "mkfifo", "mknod", "symlink"):
            with fails(errno.EEXIST):
                MAKE[what](p / name)
        with fails(errno.EEXIST):
            os.open(p / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        with fails(errno.EEXIST):
            os.link(p / "file", p / name)


@case
def symlink_targets(p):
    for size in (1, 100, 4095):
        target = "t" * size
        os.symlink(target, p / f"link{size}")
        same(os.readlink(p / f"link{size}"), target)
        same(os.lstat(p / f"link{size}").st_size, size, "size of a symlink")
    with fails(errno.ENAMETOOLONG):
        os.symlink("t" * 4096, p / "long")
    with fails(errno.ENOENT):
        os.symlink("", p / "empty")
    make(p / "file")
    with fails(errno.EINVAL):
        os.readlink(p / "file")


@case
def special_files(p):
    os.mkfifo(p / "fifo", 0o640)
    os.mknod(p / "char", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(p / "block", stat.S_IFBLK | 0o600, os.makedev(259, 1_000_000))
    bind(str(p / "socket"))
    for name, check in (("fifo", stat.S_ISFIFO), ("char", stat.S_ISCHR), ("block", stat.S_ISBLK), ("socket", stat.S_ISSOCK)):
        status = os.lstat(p / name)
        true(check(status.st_mode), f"{name} is what it was made as")
        same(status.st_nlink, 1)
        same(status.st_size, 0)
    same(os.lstat(p / "char").st_rdev, os.makedev(1, 3), "device number")
    same(os.lstat(p / "block").st_rdev, os.makedev(259, 1_000_000), "device number")
    with opened(p / "char", os.O_WRONLY) as null:
        same(os.write(null, b"into /dev/null"), 14)
    with fails(errno.ENXIO):
        os.open(p / "fifo", os.O_WRONLY | os.O_NONBLOCK)
    with fails(errno.ENXIO):
        os.open(p / "socket", os.O_RDONLY)
    os.rename(p / "fifo", p / "fifo2")
    os.link(p / "fifo2", p / "fifo3")
    same(os.lstat(p / "fifo3").st_nlink, 2)
    with opened(p / "fifo2", os.O_RDWR) as one, opened(p / "fifo3", os.O_RDWR) as other:
        os.write(one, b"through")
        same(os.read(other, 7), b"through", "the fifo")


@case
def umask_applies(p):
    old = os.umask(0o027)
    try:
        os.close(os.open(p / "file", os.O_CREAT | os.O_WRONLY, 0o666))
        os.mkdir(p / "folder", 0o777)
        os.mkfifo(p / "fifo", 0o666)
    finally:
        os.umask(old)
    same((mode_of(p / "file"), mode_of(p / "folder"), mode_of(p / "fifo")), (0o640, 0o750, 0o640))


@case
def folders_count_their_folders(p):
    same(os.stat(p).st_nlink, 2, "links of an empty folder")
    os.mkdir(p / "a")
    os.mkdir(p / "b")
    make(p / "file")
    same(os.stat(p).st_nlink, 4)
    os.mkdir(p / "b/c")
    os.rename(p / "b/c", p / "c")
    same((os.stat(p).st_nlink, os.stat(p / "b").st_nlink), (5, 2))
    os.rmdir(p / "c")
    same(os.stat(p).st_nlink, 4)


@case
def rmdir_refuses(p):
    os.mkdir(p / "full")
    make(p / "full/file")
    make(p / "file")
    with fails(errno.ENOTEMPTY, errno.EEXIST):
        os.rmdir(p / "full")
    with fails(errno.ENOTDIR):
        os.rmdir(p / "file")
    os.symlink("full", p / "link")
    with fails(errno.ENOTDIR):
        os.rmdir(p / "link")
    with fails(errno.EINVAL):
        os.rmdir(str(p / "full") + "/.")
    with fails(errno.ENOTEMPTY, errno.EEXIST):
        os.rmdir(str(p / "full") + "/..")
    with fails(errno.EISDIR, errno.EPERM):
        os.unlink(p / "full")


@case
def removed_folder_in_use(p):
    os.mkdir(p / "folder")
    with opened(p / "folder", os.O_RDONLY | os.O_DIRECTORY) as folder:
        os.rmdir(p / "folder")
        same(os.fstat(folder).st_nlink, 0, "links of a removed folder")
        with fails(errno.ENOENT):
            os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
        with fails(errno.ENOENT):
            os.mkdir("below", dir_fd=folder)
        same(os.listdir(folder), [])


@case
def hard_links(p):
    make(p / "one", b"content")
    before = os.stat(p / "one")
    tick()
    os.link(p / "one", p / "two")
    same(os.stat(p / "two").st_ino, before.st_ino)
    same(os.stat(p / "one").st_nlink, 2)
    true(os.stat(p / "one").st_ctime_ns > before.st_ctime_ns, "link changes ctime")
    same(os.stat(p / "one").st_mtime_ns, before.st_mtime_ns, "link keeps mtime")
    os.chmod(p / "two", 0o600)
    same(mode_of(p / "one"), 0o600)
    os.unlink(p / "one")
    same((os.stat(p / "two").st_nlink, read(p / "two")), (1, b"content"))
    os.mkdir(p / "folder")
    with fails(errno.EPERM):
        os.link(p / "folder", p / "folder2")
    os.symlink("none", p / "symlink")
    os.link(p / "symlink", p / "symlink2", follow_symlinks=False)
    same(os.readlink(p / "symlink2"), "none", "a link to a symlink")


@case
def too_many_links(p):
    make(p / "file")
    for number in range(1, 65_000):
        os.link(p / "file", p / f"link{number}")
    same(os.stat(p / "file").st_nlink, 65_000)
    with fails(errno.EMLINK):
        os.link(p / "file", p / "one more")
    os.unlink(p / "link1")
    os.link(p / "file", p / "one more")


@case
def unlinked_file_lives_while_open(p):
    make(p / "file", b"still here")
    with opened(p / "file", os.O_RDWR) as file:
        os.unlink(p / "file")
        same(os.fstat(file).st_nlink, 0)
        same(os.pread(file, 100, 0), b"still here")
        os.pwrite(file, b"and longer", 10)
        os.ftruncate(file, 100_000)
        os.pwrite(file, b"end", 99_997)
        os.fsync(file)
        same(os.pread(file, 20, 0), b"still hereand longer")
        same(os.pread(file, 10, 99_995), b"\0\0end")
        make(p / "file", b"another")
        same(os.pread(file, 5, 0), b"still")
    same(read(p / "file"), b"another")


@case
def rename_replaces(p):
    make(p / "from", b"new")
    make(p / "to", b"old")
    with opened(p / "to", os.O_RDONLY) as old:
        os.rename(p / "from", p / "to")
        same(os.read(old, 10), b"old", "the replaced file, still open")
        same(os.fstat(old).st_nlink, 0)
    same(read(p / "to"), b"new")
    same(os.listdir(p), ["to"])


@case
def rename_refuses(p):
    os.mkdir(p / "empty")
    os.mkdir(p / "full")
    make(p / "full/file")
    make(p / "file")
    with fails(errno.EISDIR):
        os.rename(p / "file", p / "empty")
    with fails(errno.ENOTDIR):
        os.rename(p / "empty", p / "file")
    with fails(errno.ENOTEMPTY, errno.EEXIST):
        os.rename(p / "empty", p / "full")
    with fails(errno.EINVAL):
        os.rename(p / "full", p / "full/below")
    with fails(errno.EINVAL):
        os.mkdir(p / "full/deep")
        os.rename(p / "full", p / "full/deep/below")
    with fails(errno.EBUSY, errno.EINVAL):
        os.rename(str(p / "empty") + "/.", p / "x")
    with fails(errno.ENOTEMPTY, errno.EEXIST):
        os.rename(p / "full/deep", p / "full")
    os.rename(p / "full", p / "empty")
    same(sorted(os.listdir(p)), ["empty", "file"])


@case
def rename_of_two_names_of_one_file_does_nothing(p):
    make(p / "a", b"x")
    os.link(p / "a", p / "b")
    os.rename(p / "a", p / "b")
    same(sorted(os.listdir(p)), ["a", "b"])
    same(os.stat(p / "a").st_nlink, 2)


@case
def rename_changes_times(p):
    os.mkdir(p / "a")
    os.mkdir(p / "b")
    make(p / "a/file")
    before = [os.stat(p / name) for name in ("a", "b", "a/file")]
    tick()
    os.rename(p / "a/file", p / "b/file")
    after = [os.stat(p / name) for name in ("a", "b", "b/file")]
    for old, new in zip(before[:2], after[:2]):
        true(new.st_mtime_ns > old.st_mtime_ns and new.st_ctime_ns > old.st_ctime_ns, "rename changes the folders' times")
    true(after[2].st_ctime_ns > before[2].st_ctime_ns, "rename changes the file's ctime")
    same(after[2].st_mtime_ns, before[2].st_mtime_ns)


@case
def rename_noreplace(p):
    make(p / "a", b"a")
    make(p / "b", b"b")
    with fails(errno.EEXIST):
        renameat2(p / "a", p / "b", RENAME_NOREPLACE)
    renameat2(p / "a", p / "c", RENAME_NOREPLACE)
    same((read(p / "c"), sorted(os.listdir(p))), (b"a", ["b", "c"]))
    with fails(errno.EINVAL):
        renameat2(p / "b", p / "c", RENAME_NOREPLACE | RENAME_EXCHANGE)


@case
def rename_exchange(p):
    make(p / "file", b"file")
    os.mkdir(p / "one")
    os.mkdir(p / "one/folder")
    make(p / "one/folder/below", b"below")
    renameat2(p / "file", p / "one/folder", RENAME_EXCHANGE)
    same((read(p / "one/folder"), read(p / "file/below")), (b"file", b"below"))
    same((os.stat(p).st_nlink, os.stat(p / "one").st_nlink), (4, 2), "links after a folder moved")
    with fails(errno.ENOENT):
        renameat2(p / "file", p / "none", RENAME_EXCHANGE)
    with fails(errno.EINVAL):
        renameat2(p / "one", p / "one/folder", RENAME_EXCHANGE)
    same(os.path.realpath(p / "file/.."), str(p))


@case
def rename_whiteout(p):
    """As ext4 does it, or refused with EINVAL and nothing is changed (FUSE carries it, ours does not do it)."""
    make(p / "a", b"a")
    try:
        renameat2(p / "a", p / "b", RENAME_WHITEOUT)
    except OSError as problem:
        same((problem.errno, os.listdir(p), read(p / "a")), (errno.EINVAL, ["a"], b"a"))
        return
    status = os.lstat(p / "a")
    true(stat.S_ISCHR(status.st_mode), "a device is left in the old place")
    same((status.st_rdev, read(p / "b")), (0, b"a"))
    make(p / "c", b"c")
    renameat2(p / "c", p / "b", RENAME_WHITEOUT)
    same((read(p / "b"), os.lstat(p / "c").st_rdev), (b"c", 0))


@case
def file_without_a_name(p):
    file = os.open(p, os.O_TMPFILE | os.O_RDWR, 0o640)
    same(os.fstat(file).st_nlink, 0)
    same(os.listdir(p), [])
    os.write(file, b"made whole, then named")
    link_file(file, p / "named")
    same((os.fstat(file).st_nlink, read(p / "named"), mode_of(p / "named")), (1, b"made whole, then named", 0o640))
    os.close(file)
    with opened(p, os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600) as file:
        os.write(file, b"x" * 100_000)
        same(os.pread(file, 100_000, 0), b"x" * 100_000)
    same(os.listdir(p), ["named"])
    with fails(errno.ENOTDIR):
        os.open(p / "named", os.O_TMPFILE | os.O_RDWR)


@case
def a_name_for_an_unlinked_file_is_refused(p):
    make(p / "file")
    with opened(p / "file", os.O_RDWR) as file:
        os.unlink(p / "file")
        with fails(errno.ENOENT):
            link_file(file, p / "again")


@case
def open_flags(p):
    make(p / "file", b"content")
    os.mkdir(p / "folder")
    with fails(errno.EISDIR):
        os.open(p / "folder", os.O_WRONLY)
    with fails(errno.EISDIR):
        os.open(p / "folder", os.O_RDONLY | os.O_CREAT)
    with fails(errno.ENOTDIR):
        os.open(p / "file", os.O_RDONLY | os.O_DIRECTORY)
    with opened(p / "file", os.O_WRONLY | os.O_TRUNC):
        same(os.stat(p / "file").st_size, 0)
    with opened(p / "file", os.O_RDONLY) as file, fails(errno.EBADF):
        os.write(file, b"x")
    with opened(p / "file", os.O_WRONLY) as file, fails(errno.EBADF):
        os.read(file, 1)


@case
def truncating_open_changes_times(p):
    make(p / "file", b"content")
    before = os.stat(p / "file")
    tick()
    with opened(p / "file", os.O_WRONLY | os.O_TRUNC):
        pass
    after = os.stat(p / "file")
    true(after.st_mtime_ns > before.st_mtime_ns and after.st_ctime_ns > before.st_ctime_ns, "O_TRUNC changes mtime and ctime")


@case
def running_programs_are_not_written(p):
    make(p / "sleep", read("/bin/sleep"), 0o755)
    child = os.spawnv(os.P_NOWAIT, p / "sleep", ["sleep", "30"])
    try:
        while os.readlink(f"/proc/{child}/exe") != str(p / "sleep"):
            pass
        with fails(errno.ETXTBSY):
            os.open(p / "sleep", os.O_WRONLY)
        with fails(errno.ETXTBSY):
            os.truncate(p / "sleep", 0)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    with opened(p / "sleep", os.O_WRONLY), fails(errno.ETXTBSY):
        os.execv(p / "sleep", ["sleep", "0"])
