# SPDX-License-Identifier: Apache-2.0
"""Cases about content, sizes and times: write, append, truncate, fallocate, holes, mapped pages, direct transfers, statfs, utimensat."""
import errno
import mmap
import os
import random
import time

from calls import (COLLAPSE_RANGE, INSERT_RANGE, KEEP_SIZE, PUNCH_HOLE, UTIME_NOW, UTIME_OMIT, ZERO_RANGE, AT_SYMLINK_NOFOLLOW, case, fails,
                   fallocate, make, opened, read, same, tick, true, utimensat)

FILE_MAX = 1 << 46  # largest file of ours; a local file system's may be smaller


@case
def sparse_files(p):
    with opened(p / "file") as file:
        os.pwrite(file, b"end", 1 << 30)
        same(os.fstat(file).st_size, (1 << 30) + 3)
        true(os.fstat(file).st_blocks * 512 < 1 << 24, "a hole takes no space")
        same(os.pread(file, 10, 12345), b"\0" * 10)
        same(os.pread(file, 10, 1 << 30), b"end")


@case
def sizes_beyond_32_bits(p):
    with opened(p / "file") as file:
        for place in (1 << 32, (1 << 32) - 2, (1 << 40) + 5):
            os.pwrite(file, b"word", place)
            os.fsync(file)
            same(os.pread(file, 4, place), b"word")
        same(os.fstat(file).st_size, (1 << 40) + 9)
        os.ftruncate(file, 1 << 42)
        same(os.fstat(file).st_size, 1 << 42)
        os.ftruncate(file, 3)
        same(os.fstat(file).st_size, 3)


@case
def sizes_that_are_none(p):
    with opened(p / "file") as file:
        with fails(errno.EINVAL):
            os.ftruncate(file, -1)
        with fails(errno.EFBIG):
            os.ftruncate(file, (1 << 63) - 1)
        with fails(errno.EFBIG):
            os.pwrite(file, b"x", (1 << 63) - 10)
        with fails(errno.EINVAL):
            os.lseek(file, -1, os.SEEK_SET)
        same(os.fstat(file).st_size, 0)


@case
def truncate_cuts_and_grows(p):
    for size in (100, 5000, 300_000):
        make(p / "file", b"x" * size)
        os.truncate(p / "file", size // 2)
        same(read(p / "file"), b"x" * (size // 2))
        os.truncate(p / "file", size)
        same(read(p / "file"), b"x" * (size // 2) + b"\0" * (size - size // 2))
        os.truncate(p / "file", 0)
        os.truncate(p / "file", size * 2)
        same(read(p / "file"), b"\0" * (size * 2))


@case
def truncate_refuses(p):
    os.mkdir(p / "folder")
    os.mkfifo(p / "fifo")
    make(p / "file")
    with fails(errno.EISDIR):
        os.truncate(p / "folder", 0)
    with fails(errno.EINVAL):
        os.truncate(p / "fifo", 0)
    with opened(p / "file", os.O_RDONLY) as file, fails(errno.EINVAL, errno.EBADF):
        os.ftruncate(file, 0)


@case
def truncate_changes_times(p):
    make(p / "file", b"content")
    for size in (3, 100, 100):
        before = os.stat(p / "file")
        tick()
        os.truncate(p / "file", size)
        after = os.stat(p / "file")
        true(after.st_mtime_ns > before.st_mtime_ns and after.st_ctime_ns > before.st_ctime_ns, f"truncate to {size} changes mtime and ctime")


@case
def appends_go_to_the_end(p):
    make(p / "file", b"begin")
    with opened(p / "file", os.O_WRONLY | os.O_APPEND) as one, opened(p / "file", os.O_WRONLY | os.O_APPEND) as two:
        for number in range(100):
            os.write(one if number % 2 else two, b"%03d" % number)
        os.lseek(one, 0, os.SEEK_SET)
        os.write(one, b"end")
    same(read(p / "file"), b"begin" + b"".join(b"%03d" % number for number in range(100)) + b"end")


@case
def appends_of_many_processes(p):
    children = []
    for who in range(4):
        child = os.fork()
        if child == 0:
            with opened(p / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND) as file:
                for number in range(200):
                    os.write(file, b"%d:%04d;" % (who, number) * 50)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    records = read(p / "file").split(b";")[:-1]
    same(len(records), 4 * 200 * 50)
    for who in range(4):
        same([record for record in records if record.startswith(b"%d:" % who)], [b"%d:%04d" % (who, at // 50) for at in range(10_000)])


@case
def append_with_mapping_and_reads(p):
    with opened(p / "file", os.O_RDWR | os.O_CREAT | os.O_APPEND) as file:
        os.write(file, b"a" * 3000)
        with mmap.mmap(file, 3000) as pages:
            os.write(file, b"b" * 3000)
            same(os.pread(file, 6000, 0), b"a" * 3000 + b"b" * 3000)
            pages[0:1] = b"c"
            pages.flush()
        same(os.pread(file, 2, 0), b"ca")


@case
def synchronous_writes(p):
    for flags in (os.O_SYNC, os.O_DSYNC):
        with opened(p / "file", os.O_RDWR | os.O_CREAT | flags) as file:
            same(os.write(file, b"durable"), 7)
            same(os.pread(file, 7, 0), b"durable")


@case
def write_changes_times(p):
    make(p / "file", b"x")
    before = os.stat(p / "file")
    tick()
    with opened(p / "file", os.O_WRONLY) as file:
        os.write(file, b"y")
        after = os.fstat(file)
    true(after.st_mtime_ns > before.st_mtime_ns and after.st_ctime_ns > before.st_ctime_ns, "write changes mtime and ctime")
    before = os.stat(p / "file")
    tick()
    with opened(p / "file", os.O_WRONLY) as file:
        os.write(file, b"")
    same(os.stat(p / "file").st_mtime_ns, before.st_mtime_ns, "an empty write changes nothing: mtime")


@case
def fallocate_grows(p):
    with opened(p / "file") as file:
        fallocate(file, 0, 0, 100_000)
        same(os.fstat(file).st_size, 100_000)
        same(os.pread(file, 100_000, 0), b"\0" * 100_000)
        os.pwrite(file, b"x" * 100, 50)
        fallocate(file, 0, 0, 1000)
        same((os.fstat(file).st_size, os.pread(file, 100, 50)), (100_000, b"x" * 100))
        fallocate(file, KEEP_SIZE, 100_000, 100_000)
        same(os.fstat(file).st_size, 100_000, "FALLOC_FL_KEEP_SIZE")
        os.posix_fallocate(file, 200_000, 1)
        same(os.fstat(file).st_size, 200_001)


@case
def fallocate_refuses(p):
    os.mkfifo(p / "fifo")
    with opened(p / "file") as file:
        with fails(errno.EINVAL):
            fallocate(file, 0, 0, 0)
        with fails(errno.EINVAL):
            fallocate(file, 0, -1, 10)
        with fails(errno.EFBIG):
            fallocate(file, 0, (1 << 63) - 10, 100)
        with fails(errno.EOPNOTSUPP, errno.EINVAL):
            fallocate(file, PUNCH_HOLE, 0, 10)
    with opened(p / "file", os.O_RDONLY) as file, fails(errno.EBADF):
        fallocate(file, 0, 0, 10)
    with opened(p / "fifo", os.O_RDWR) as fifo, fails(errno.ESPIPE, errno.ENODEV):
        fallocate(fifo, 0, 0, 10)


@case
def fallocate_changes_times(p):
    make(p / "file", b"x" * 10_000)
    for mode, start in ((0, 20_000), (PUNCH_HOLE | KEEP_SIZE, 0), (ZERO_RANGE, 100)):
        before = os.stat(p / "file")
        tick()
        with opened(p / "file", os.O_RDWR) as file:
            fallocate(file, mode, start, 5000)
        after = os.stat(p / "file")
        true(after.st_ctime_ns > before.st_ctime_ns, f"fallocate {mode} changes ctime")


@case
def holes_are_punched(p):
    for size in (4000, 100_000, 3_000_000):
        content = random.Random(size).randbytes(size)
        make(p / "file", content)
        with opened(p / "file", os.O_RDWR) as file:
            start, length = size // 5, size // 3
            fallocate(file, PUNCH_HOLE | KEEP_SIZE, start, length)
            expected = content[:start] + b"\0" * length + content[start + length:]
            same(os.pread(file, size, 0) == expected, True, f"content of {size} after a hole")
            fallocate(file, PUNCH_HOLE | KEEP_SIZE, size - 10, 1000)
            same(os.fstat(file).st_size, size, "a hole keeps the size")
            fallocate(file, ZERO_RANGE, 0, 100)
            same(os.pread(file, 101, 0), b"\0" * 100 + content[100:101])
            fallocate(file, ZERO_RANGE, size - 10, 100)
            same(os.fstat(file).st_size, size + 90, "zeroing may grow")
            fallocate(file, ZERO_RANGE | KEEP_SIZE, size + 90, 100)
            same(os.fstat(file).st_size, size + 90)
        same(read(p / "file")[:start], b"\0" * 100 + content[100:start])


@case
def holes_give_space_back(p):
    make(p / "file", b"x" * (8 << 20))
    with opened(p / "file", os.O_RDWR) as file:
        os.fsync(file)
        before = os.fstat(file).st_blocks
        fallocate(file, PUNCH_HOLE | KEEP_SIZE, 1 << 20, 6 << 20)
        os.fsync(file)
        true(os.fstat(file).st_blocks < before / 2, "st_blocks after a hole")


@case
def modes_of_fallocate_that_move_content(p):
    """Collapsing and inserting: as ext4 does it, or refused with EOPNOTSUPP, never something else (FUSE does not carry them)."""
    content = random.Random(1).randbytes(64 << 10)
    make(p / "file", content)
    with opened(p / "file", os.O_RDWR) as file:
        for mode, expected in ((COLLAPSE_RANGE, content[:4096] + content[12288:]), (INSERT_RANGE, content)):
            try:
                fallocate(file, mode, 4096, 8192)
            except OSError as problem:
                same(problem.errno, errno.EOPNOTSUPP)
                same(os.pread(file, 1 << 20, 0), content)
                continue
            if mode == COLLAPSE_RANGE:
                same(os.pread(file, 1 << 20, 0), expected)
            else:
                same(os.pread(file, 4096, 0), content[:4096])


@case
def holes_and_data_are_found(p):
    with opened(p / "file") as file:
        os.ftruncate(file, 4 << 20)
        os.pwrite(file, b"x" * 65536, 1 << 20)
        os.fsync(file)
        same(os.lseek(file, 0, os.SEEK_DATA), 1 << 20)
        same(os.lseek(file, 1 << 20, os.SEEK_HOLE), (1 << 20) + 65536)
        same(os.lseek(file, 0, os.SEEK_HOLE), 0)
        same(os.lseek(file, (1 << 20) + 100, os.SEEK_DATA), (1 << 20) + 100)
        with fails(errno.ENXIO):
            os.lseek(file, 2 << 20, os.SEEK_DATA)
        with fails(errno.ENXIO):
            os.lseek(file, 4 << 20, os.SEEK_HOLE)
        same(os.lseek(file, -1, os.SEEK_END), (4 << 20) - 1)
    make(p / "small", b"content")
    with opened(p / "small", os.O_RDONLY) as file:
        same((os.lseek(file, 2, os.SEEK_DATA), os.lseek(file, 2, os.SEEK_HOLE)), (2, 7))
        with fails(errno.ENXIO):
            os.lseek(file, 7, os.SEEK_DATA)


@case
def mapped_pages_and_writes_agree(p):
    make(p / "file", b"a" * 20_000)
    with opened(p / "file", os.O_RDWR) as file, mmap.mmap(file, 20_000) as pages:
        os.pwrite(file, b"written", 5000)
        same(pages[5000:5007], b"written")
        pages[100:106] = b"mapped"
        same(os.pread(file, 6, 100), b"mapped")
        pages.flush()
        with opened(p / "file", os.O_RDONLY | os.O_DIRECT) as direct:
            block = mmap.mmap(-1, 4096)
            os.preadv(direct, [block], 0)
            same(block[100:106], b"mapped", "through a direct read")
    same(read(p / "file")[100:106], b"mapped")


@case
def mapped_pages_reach_the_file_without_flush(p):
    make(p / "file", b"\0" * 300_000)
    with opened(p / "file", os.O_RDWR) as file, mmap.mmap(file, 300_000) as pages:
        for place in range(0, 300_000, 4096):
            pages[place:place + 4] = b"page"
    content = read(p / "file")
    same(all(content[place:place + 4] == b"page" for place in range(0, 300_000, 4096)), True)
    before = os.stat(p / "file")
    tick()
    with opened(p / "file", os.O_RDWR) as file, mmap.mmap(file, 300_000) as pages:
        pages[0:1] = b"x"
        pages.flush()
    true(os.stat(p / "file").st_mtime_ns > before.st_mtime_ns, "msync changes mtime")


@case
def private_mappings_stay_private(p):
    make(p / "file", b"a" * 5000)
    with opened(p / "file", os.O_RDONLY) as file:
        with mmap.mmap(file, 5000, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as pages:
            pages[0:5] = b"mine!"
    same(read(p / "file"), b"a" * 5000)


@case
def tail_of_a_mapped_page_is_not_stored(p):
    make(p / "file", b"a" * 100)
    with opened(p / "file", os.O_RDWR) as file, mmap.mmap(file, 100, prot=mmap.PROT_READ | mmap.PROT_WRITE) as pages:
        pages[99:100] = b"b"
        pages.flush()
        os.ftruncate(file, 5000)
        same(os.pread(file, 5000, 0), b"a" * 99 + b"b" + b"\0" * 4900)


@case
def direct_transfers(p):
    block = mmap.mmap(-1, 65536)
    block[:] = random.Random(5).randbytes(65536)
    with opened(p / "file", os.O_RDWR | os.O_CREAT | os.O_DIRECT) as file:
        same(os.pwritev(file, [block], 0), 65536)
        same(os.pwritev(file, [block], 1 << 20), 65536)
        other = mmap.mmap(-1, 65536)
        same(os.preadv(file, [other], 1 << 20), 65536)
        same(other[:] == block[:], True)
        same(os.preadv(file, [other], 65536), 65536)
        same(other[:] == b"\0" * 65536, True, "a hole, read directly")
    same(read(p / "file")[:65536] == block[:], True)
    with opened(p / "file", os.O_RDWR) as cached, opened(p / "file", os.O_RDWR | os.O_DIRECT) as direct:
        os.pread(cached, 4096, 0)
        os.pwritev(direct, [other], 0)
        same(os.pread(cached, 4096, 0), b"\0" * 4096, "pages after a direct write")
        os.pwrite(cached, b"cached", 8192)
        os.preadv(direct, [other], 0)
        same(other[8192:8198], b"cached", "a direct read after a write")


@case
def large_writes_and_reads(p):
    content = random.Random(9).randbytes(1 << 20) * 24
    make(p / "file", content)
    same(read(p / "file") == content, True)
    same(os.stat(p / "file").st_size, len(content))
    with opened(p / "file", os.O_RDONLY) as file:
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        for place in (1, 4095, 1 << 20, (5 << 20) + 77, len(content) - 5):
            same(os.pread(file, 10_000, place), content[place:place + 10_000])
        same(os.pread(file, 10, len(content)), b"")


@case
def vectors_and_copies(p):
    with opened(p / "a") as one, opened(p / "b") as two:
        os.pwritev(one, [b"x" * 1000, b"y" * 5000, b"z"], 10)
        same(os.fstat(one).st_size, 6011)
        os.copy_file_range(one, two, 5000, 10, 100)
        same(os.pread(two, 1000, 100), b"x" * 1000)
        os.sendfile(two, one, 0, 50)


@case
def times_can_be_set(p):
    make(p / "file")
    os.symlink("none", p / "link")
    for accessed, modified in (((0, 0), (1, 999_999_999)), ((-1, 5), (-100_000, 0)), ((4_000_000_000, 123_456_789), (2_147_483_648, 1))):
        utimensat(p / "file", accessed, modified)
        status = os.stat(p / "file")
        same((status.st_atime_ns, status.st_mtime_ns), (accessed[0] * 10**9 + accessed[1], modified[0] * 10**9 + modified[1]))
    utimensat(p / "link", (7, 7), (8, 8), AT_SYMLINK_NOFOLLOW)
    same((os.lstat(p / "link").st_atime_ns, os.lstat(p / "link").st_mtime_ns), (7 * 10**9 + 7, 8 * 10**9 + 8))


@case
def times_may_be_left_or_now(p):
    make(p / "file")
    utimensat(p / "file", (100, 1), (200, 2))
    utimensat(p / "file", (0, UTIME_OMIT), (300, 3))
    status = os.stat(p / "file")
    same((status.st_atime_ns, status.st_mtime_ns), (100 * 10**9 + 1, 300 * 10**9 + 3), "UTIME_OMIT of atime")
    utimensat(p / "file", (400, 4), (0, UTIME_OMIT))
    same(os.stat(p / "file").st_mtime_ns, 300 * 10**9 + 3, "UTIME_OMIT of mtime")
    before = os.stat(p / "file").st_ctime_ns
    tick()
    utimensat(p / "file", (0, UTIME_OMIT), (0, UTIME_OMIT))
    same(os.stat(p / "file").st_ctime_ns, before, "both omitted: ctime")
    utimensat(p / "file", (0, UTIME_NOW), (0, UTIME_OMIT))
    status = os.stat(p / "file")
    true(abs(status.st_atime - time.time()) < 5, "UTIME_NOW of atime")
    same(status.st_mtime_ns, 300 * 10**9 + 3)
    true(status.st_ctime_ns > before, "utimensat changes ctime")
    for bad in (10**9, -1):
        with fails(errno.EINVAL):
            utimensat(p / "file", (1, bad), (1, 0))


@case
def new_names_change_the_folders_times(p):
    os.mkdir(p / "folder")
    folder = p / "folder"
    for what in (lambda: make(folder / "file"), lambda: os.mkdir(folder / "below"), lambda: os.symlink("x", folder / "link"),
                 lambda: os.link(folder / "file", folder / "hard"), lambda: os.rename(folder / "hard", folder / "harder"),
                 lambda: os.unlink(folder / "file"), lambda: os.rmdir(folder / "below"), lambda: os.mkfifo(folder / "fifo")):
        before = os.stat(folder)
        tick()
        what()
        after = os.stat(folder)
        true(after.st_mtime_ns > before.st_mtime_ns and after.st_ctime_ns > before.st_ctime_ns, "the folder's mtime and ctime")


@case
def chmod_changes_ctime_alone(p):
    make(p / "file")
    before = os.stat(p / "file")
    tick()
    os.chmod(p / "file", 0o600)
    after = os.stat(p / "file")
    true(after.st_ctime_ns > before.st_ctime_ns, "chmod changes ctime")
    same((after.st_mtime_ns, after.st_atime_ns), (before.st_mtime_ns, before.st_atime_ns))


@case
def failed_operations_change_no_times(p):
    os.mkdir(p / "folder")
    make(p / "folder/file")
    before = os.stat(p / "folder")
    tick()
    with fails(errno.EEXIST):
        os.mkdir(p / "folder/file")
    with fails(errno.ENOENT):
        os.unlink(p / "folder/none")
    same(os.stat(p / "folder").st_ctime_ns, before.st_ctime_ns)


@case
def new_files_have_the_time_of_now(p):
    before = time.time_ns()
    make(p / "file")
    status = os.stat(p / "file")
    for moment in (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns):
        true(before - 20_000_000 <= moment <= time.time_ns(), "times of a new file")


@case
def space_is_told(p):
    with opened(p, os.O_RDONLY) as folder:
        os.fsync(folder)  # what cases before have removed is gone by then
    status = os.statvfs(p)
    true(status.f_blocks > 0 and 0 < status.f_bavail <= status.f_bfree <= status.f_blocks, "blocks of statvfs")
    same(status.f_namemax, 255)
    true(status.f_ffree > 0 and status.f_files >= status.f_ffree, "inodes of statvfs")
    make(p / "file", b"x" * (32 << 20))
    with opened(p / "file") as file:
        os.fsync(file)
    after = os.statvfs(p)
    # Free space is the devices', where others write and what was removed is cleared away later.
    used = ((after.f_blocks - after.f_bfree) - (status.f_blocks - status.f_bfree)) * status.f_frsize
    true(30 << 20 <= used <= 34 << 20, f"32 MiB are seen as used, not {used}")
    true(os.stat(p / "file").st_blocks * 512 >= 32 << 20, "st_blocks of a full file")


@case
def folders_cannot_be_read_as_files(p):
    with opened(p, os.O_RDONLY) as folder, fails(errno.EISDIR):
        os.read(folder, 10)
    with opened(p, os.O_RDONLY) as folder:
        os.fsync(folder)
