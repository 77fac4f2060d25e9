# SPDX-License-Identifier: Apache-2.0
"""Cases about who may do what: modes, owners, sticky folders, set-uid, ACLs, extended attributes."""
import errno
import os
import stat
import struct

from calls import RENAME_EXCHANGE, as_user, case, fails, make, mode_of, opened, read, renameat2, same, tick, true

ALICE, BOB, TEAM = 65501, 65502, 65510
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
USER_OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32


def acl(*entries):
    """An ACL as the kernel takes it; each entry (tag, permissions[, id])."""
    text = struct.pack("<I", 2)
    for entry in entries:
        text += struct.pack("<HHI", entry[0], entry[1], entry[2] if len(entry) > 2 else 0xFFFFFFFF)
    return text


def alice(body, groups=()):
    return as_user(ALICE, ALICE, body, groups)


def bob(body, groups=()):
    return as_user(BOB, BOB, body, groups)


def open_p(p, mode=0o777):
    os.chmod(p, mode)


@case
def modes_are_kept(p):
    make(p / "file")
    os.mkdir(p / "folder")
    for mode in (0o000, 0o111, 0o644, 0o4755, 0o2755, 0o1777, 0o7777):
        for name in ("file", "folder"):
            os.chmod(p / name, mode)
            same(mode_of(p / name), mode)


@case
def permission_bits_are_obeyed(p):
    open_p(p)
    make(p / "file", b"secret", 0o600)
    os.chown(p / "file", ALICE, TEAM)
    for mode, who, groups, reads, writes in ((0o600, ALICE, (), True, True), (0o600, BOB, (), False, False), (0o640, BOB, (TEAM,), True, False),
                                             (0o604, BOB, (), True, False), (0o604, BOB, (TEAM,), False, False), (0o020, BOB, (TEAM,), False, True),
                                             (0o077, ALICE, (), False, False)):
        os.chmod(p / "file", mode)
        for flags, may in ((os.O_RDONLY, reads), (os.O_WRONLY, writes)):
            def use(flags=flags):
                os.close(os.open(p / "file", flags))
            if may:
                as_user(who, who, use, groups)
            else:
                with fails(errno.EACCES):
                    as_user(who, who, use, groups)


@case
def folders_need_search_and_write(p):
    open_p(p)
    os.mkdir(p / "folder", 0o755)
    make(p / "folder/file", b"x", 0o666)
    os.chmod(p / "folder", 0o644)
    for call in (os.stat, os.unlink, os.readlink, lambda path: os.chmod(path, 0), lambda path: os.rename(path, path), os.rmdir, os.mkdir,
                 lambda path: os.truncate(path, 0)):
        with fails(errno.EACCES):
            bob(lambda call=call: call(p / "folder/file"))
    same(bob(lambda: os.listdir(p / "folder")), ["file"])
    os.chmod(p / "folder", 0o711)
    with fails(errno.EACCES):
        bob(lambda: os.listdir(p / "folder"))
    for call in (lambda: os.unlink(p / "folder/file"), lambda: os.mkdir(p / "folder/new"), lambda: os.symlink("x", p / "folder/new"),
                 lambda: os.link(p / "folder/file", p / "folder/new"), lambda: os.mkfifo(p / "folder/new"),
                 lambda: os.rename(p / "folder/file", p / "new"), lambda: os.open(p / "folder/new", os.O_CREAT | os.O_WRONLY)):
        with fails(errno.EACCES):
            bob(call)
    same(bob(lambda: read(p / "folder/file")), b"x")


@case
def only_owners_change_modes_and_times(p):
    open_p(p)
    make(p / "file", b"x", 0o666)
    os.chown(p / "file", ALICE, ALICE)
    with fails(errno.EPERM):
        bob(lambda: os.chmod(p / "file", 0o777))
    with fails(errno.EPERM):
        bob(lambda: os.utime(p / "file", (1, 1)))
    bob(lambda: os.utime(p / "file"))  # "now" needs write permission only
    os.chmod(p / "file", 0o644)
    with fails(errno.EACCES):
        bob(lambda: os.utime(p / "file"))
    alice(lambda: os.chmod(p / "file", 0o600))
    alice(lambda: os.utime(p / "file", (5, 6)))
    same(os.stat(p / "file").st_mtime, 6.0)


@case
def chown_rules(p):
    open_p(p)
    make(p / "file")
    os.chown(p / "file", ALICE, ALICE)
    with fails(errno.EPERM):
        alice(lambda: os.chown(p / "file", BOB, -1))
    with fails(errno.EPERM):
        alice(lambda: os.chown(p / "file", -1, TEAM))
    with fails(errno.EPERM):
        bob(lambda: os.chown(p / "file", -1, BOB))
    alice(lambda: os.chown(p / "file", -1, TEAM), (TEAM,))
    status = os.stat(p / "file")
    same((status.st_uid, status.st_gid), (ALICE, TEAM))
    os.symlink("none", p / "link")
    os.lchown(p / "link", BOB, TEAM)
    same((os.lstat(p / "link").st_uid, os.lstat(p / "link").st_gid), (BOB, TEAM))
    os.chown(p / "file", 0xFFFFFFFE, 0xFFFFFFFE)
    same((os.stat(p / "file").st_uid, os.stat(p / "file").st_gid), (0xFFFFFFFE, 0xFFFFFFFE))


@case
def chown_changes_ctime(p):
    make(p / "file")
    before = os.stat(p / "file")
    tick()
    os.chown(p / "file", ALICE, -1)
    after = os.stat(p / "file")
    true(after.st_ctime_ns > before.st_ctime_ns, "chown changes ctime")
    same(after.st_mtime_ns, before.st_mtime_ns)
    tick()
    os.chown(p / "file", -1, -1)
    same((os.stat(p / "file").st_uid, os.stat(p / "file").st_mode), (ALICE, before.st_mode))


@case
def set_ids_go_with_chown(p):
    open_p(p)
    make(p / "file", b"x", 0o6755)
    os.chown(p / "file", ALICE, ALICE)
    same(mode_of(p / "file"), 0o755, "after a chown by root")
    for uid, gid in ((-1, TEAM), (ALICE, -1)):
        os.chmod(p / "file", 0o6755)
        alice(lambda uid=uid, gid=gid: os.chown(p / "file", uid, gid), (TEAM,))
        same(mode_of(p / "file"), 0o755, "after a chown by the owner")
    os.chmod(p / "file", 0o2745)  # without execution for the group it is a lock, not a right
    os.chown(p / "file", BOB, BOB)
    true(mode_of(p / "file") in (0o2745, 0o745), "set-gid without execution")
    os.mkdir(p / "folder")
    os.chmod(p / "folder", 0o6755)
    os.chown(p / "folder", ALICE, ALICE)
    same(mode_of(p / "folder"), 0o6755, "folders keep theirs")


@case
def set_ids_go_with_writes_of_others(p):
    open_p(p)
    for what in ("write", "truncate", "open", "append", "fallocate"):
        make(p / "file", b"content", 0o777)
        os.chown(p / "file", ALICE, ALICE)
        os.chmod(p / "file", 0o6777)

        def change(what=what):
            if what == "truncate":
                os.truncate(p / "file", 3)
            elif what == "open":
                os.close(os.open(p / "file", os.O_WRONLY | os.O_TRUNC))
            elif what == "fallocate":
                with opened(p / "file", os.O_WRONLY) as file:
                    os.posix_fallocate(file, 0, 5000)
            else:
                with opened(p / "file", os.O_WRONLY | (os.O_APPEND if what == "append" else 0)) as file:
                    os.write(file, b"x")
        bob(change)
        same(mode_of(p / "file"), 0o777, f"after {what} by another")
        os.unlink(p / "file")
    make(p / "root", b"content", 0o777)
    os.chmod(p / "root", 0o6777)
    with opened(p / "root", os.O_WRONLY) as file:
        os.write(file, b"x")
    same(mode_of(p / "root"), 0o6777, "root keeps them")


@case
def set_gid_needs_membership(p):
    open_p(p)
    make(p / "file", b"", 0o755)
    os.chown(p / "file", ALICE, TEAM)
    alice(lambda: os.chmod(p / "file", 0o2755))
    same(mode_of(p / "file"), 0o755, "chmod by an owner outside the group")
    alice(lambda: os.chmod(p / "file", 0o2755), (TEAM,))
    same(mode_of(p / "file"), 0o2755, "chmod by an owner in the group")


@case
def set_gid_folders_hand_their_group_down(p):
    open_p(p)
    os.mkdir(p / "folder")
    os.chown(p / "folder", ALICE, TEAM)
    os.chmod(p / "folder", 0o2777)
    bob(lambda: make(p / "folder/file"))
    bob(lambda: os.mkdir(p / "folder/below"))
    bob(lambda: os.symlink("x", p / "folder/link"))
    for name in ("file", "below", "link"):
        status = os.lstat(p / "folder" / name)
        same((status.st_uid, status.st_gid), (BOB, TEAM), name)
    true(mode_of(p / "folder/below") & stat.S_ISGID, "folders below have set-gid too")
    bob(lambda: os.close(os.open(p / "folder/prog", os.O_CREAT | os.O_WRONLY, 0o2775)))
    true(not mode_of(p / "folder/prog") & stat.S_ISGID, "a file of a foreign group does not get set-gid")


@case
def sticky_folders(p):
    os.mkdir(p / "sticky")
    os.chmod(p / "sticky", 0o1777)
    open_p(p)
    make(p / "sticky/alice")
    os.chown(p / "sticky/alice", ALICE, ALICE)
    os.mkdir(p / "sticky/folder")
    os.chown(p / "sticky/folder", ALICE, ALICE)
    bob(lambda: make(p / "sticky/bob"))
    for call in (lambda: os.unlink(p / "sticky/alice"), lambda: os.rename(p / "sticky/alice", p / "moved"), lambda: os.rmdir(p / "sticky/folder"),
                 lambda: os.rename(p / "sticky/bob", p / "sticky/alice"), lambda: os.rename(p / "sticky/folder", p / "moved"),
                 lambda: renameat2(p / "sticky/bob", p / "sticky/alice", RENAME_EXCHANGE)):
        with fails(errno.EPERM, errno.EACCES):
            bob(call)
    bob(lambda: os.rename(p / "sticky/bob", p / "sticky/bob2"))
    alice(lambda: os.unlink(p / "sticky/alice"))
    os.chown(p / "sticky", BOB, BOB)
    bob(lambda: os.rmdir(p / "sticky/folder"))


@case
def moved_folders_need_write_permission(p):
    open_p(p)
    for name in ("a", "b"):
        os.mkdir(p / name)
        os.chmod(p / name, 0o777)
    os.mkdir(p / "a/folder")
    os.chown(p / "a/folder", ALICE, ALICE)
    os.chmod(p / "a/folder", 0o755)
    with fails(errno.EACCES, errno.EPERM):
        bob(lambda: os.rename(p / "a/folder", p / "b/folder"))
    bob(lambda: os.rename(p / "a/folder", p / "a/folder2"))
    alice(lambda: os.rename(p / "a/folder2", p / "b/folder"))


@case
def devices_need_root(p):
    open_p(p)
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        with fails(errno.EPERM):
            alice(lambda kind=kind: os.mknod(p / "device", kind | 0o666, os.makedev(1, 3)))
    alice(lambda: os.mkfifo(p / "fifo"))
    alice(lambda: os.mknod(p / "file", stat.S_IFREG | 0o644))


@case
def programs_run_with_set_uid(p):
    open_p(p)
    make(p / "id", read("/usr/bin/id"), 0o755)
    os.chown(p / "id", ALICE, ALICE)
    os.chmod(p / "id", 0o4755)

    def run():
        ends = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(ends[1], 1)
            os.execv(p / "id", ["id", "-u"])
        os.close(ends[1])
        os.waitpid(child, 0)
        return os.read(ends[0], 100)
    same(bob(run), f"{ALICE}\n".encode())
    os.chmod(p / "id", 0o644)
    with fails(errno.EACCES):
        bob(lambda: os.execv(p / "id", ["id"]))


@case
def access_acl(p):
    open_p(p)
    make(p / "file", b"secret", 0o600)
    os.chown(p / "file", ALICE, ALICE)
    with fails(errno.EACCES):
        bob(lambda: read(p / "file"))
    os.setxattr(p / "file", ACCESS, acl((USER_OWNER, 6), (USER, 4, BOB), (GROUP_OWNER, 0), (MASK, 4), (OTHER, 0)))
    same(bob(lambda: read(p / "file")), b"secret")
    with fails(errno.EACCES):
        bob(lambda: os.close(os.open(p / "file", os.O_WRONLY)))
    same(mode_of(p / "file"), 0o640, "the group bits show the mask")
    os.chmod(p / "file", 0o600)
    with fails(errno.EACCES):
        bob(lambda: read(p / "file"))
    same(os.getxattr(p / "file", ACCESS), acl((USER_OWNER, 6), (USER, 4, BOB), (GROUP_OWNER, 0), (MASK, 0), (OTHER, 0)))
    os.removexattr(p / "file", ACCESS)
    with fails(errno.ENODATA):
        os.getxattr(p / "file", ACCESS)


@case
def acl_of_a_group(p):
    open_p(p)
    make(p / "file", b"secret", 0o600)
    os.setxattr(p / "file", ACCESS, acl((USER_OWNER, 6), (GROUP_OWNER, 0), (GROUP, 6, TEAM), (MASK, 6), (OTHER, 0)))
    bob(lambda: os.close(os.open(p / "file", os.O_RDWR)), (TEAM,))
    with fails(errno.EACCES):
        bob(lambda: read(p / "file"))


@case
def default_acl(p):
    os.mkdir(p / "folder")
    entries = acl((USER_OWNER, 7), (USER, 6, BOB), (GROUP_OWNER, 5), (MASK, 7), (OTHER, 0))
    os.setxattr(p / "folder", DEFAULT, entries)
    old = os.umask(0o077)
    try:
        os.close(os.open(p / "folder/file", os.O_CREAT | os.O_WRONLY, 0o664))
        os.mkdir(p / "folder/below", 0o775)
    finally:
        os.umask(old)
    same(mode_of(p / "folder/file"), 0o660, "the default ACL stands for the umask")
    same(os.getxattr(p / "folder/file", ACCESS), acl((USER_OWNER, 6), (USER, 6, BOB), (GROUP_OWNER, 5), (MASK, 6), (OTHER, 0)))
    same(os.getxattr(p / "folder/below", DEFAULT), entries, "folders hand it down")
    make(p / "file")
    with fails(errno.EACCES, errno.EPERM, errno.EOPNOTSUPP):
        os.setxattr(p / "file", DEFAULT, entries)


@case
def acls_that_are_none(p):
    make(p / "file")
    for value in (b"", b"x", acl((USER_OWNER, 6)), acl((USER_OWNER, 6), (GROUP_OWNER, 4), (OTHER, 4), (USER, 4, BOB)),
                  acl((USER_OWNER, 6), (USER, 4, BOB), (GROUP_OWNER, 4), (OTHER, 4))):
        if value:
            with fails(errno.EINVAL):
                os.setxattr(p / "file", ACCESS, value)
    with fails(errno.EPERM):
        os.chown(p / "file", ALICE, ALICE)
        open_p(p)
        bob(lambda: os.setxattr(p / "file", ACCESS, acl((USER_OWNER, 6), (GROUP_OWNER, 4), (OTHER, 4))))


@case
def acl_that_says_what_a_mode_says(p):
    make(p / "file", b"", 0o600)
    os.setxattr(p / "file", ACCESS, acl((USER_OWNER, 6), (GROUP_OWNER, 4), (OTHER, 4)))
    same(mode_of(p / "file"), 0o644)
    with fails(errno.ENODATA):
        os.getxattr(p / "file", ACCESS)


@case
def xattr_basics(p):
    make(p / "file")
    os.setxattr(p / "file", "user.one", b"1")
    os.setxattr(p / "file", "user.empty", b"")
    os.setxattr(p / "file", "trusted.two", b"\0\xff" * 100)
    same(sorted(os.listxattr(p / "file")), ["trusted.two", "user.empty", "user.one"])
    same((os.getxattr(p / "file", "user.one"), os.getxattr(p / "file", "user.empty")), (b"1", b""))
    same(os.getxattr(p / "file", "trusted.two"), b"\0\xff" * 100)
    with fails(errno.EEXIST):
        os.setxattr(p / "file", "user.one", b"2", os.XATTR_CREATE)
    with fails(errno.ENODATA):
        os.setxattr(p / "file", "user.none", b"2", os.XATTR_REPLACE)
    os.setxattr(p / "file", "user.one", b"2", os.XATTR_REPLACE)
    same(os.getxattr(p / "file", "user.one"), b"2")
    os.removexattr(p / "file", "user.one")
    for call in (os.getxattr, os.removexattr):
        with fails(errno.ENODATA):
            call(p / "file", "user.one")


@case
def xattr_changes_ctime_alone(p):
    make(p / "file")
    before = os.stat(p / "file")
    tick()
    os.setxattr(p / "file", "user.a", b"x")
    after = os.stat(p / "file")
    true(after.st_ctime_ns > before.st_ctime_ns, "setxattr changes ctime")
    same(after.st_mtime_ns, before.st_mtime_ns)
    tick()
    os.removexattr(p / "file", "user.a")
    true(os.stat(p / "file").st_ctime_ns > after.st_ctime_ns, "removexattr changes ctime")


@case
def xattr_limits(p):
    make(p / "file")
    with fails(errno.ERANGE):
        os.setxattr(p / "file", "user." + "n" * 251, b"x")
    os.setxattr(p / "file", "user." + "n" * 250, b"x")
    with fails(errno.E2BIG):
        os.setxattr(p / "file", "user.big", b"x" * 65_537)
    with fails(errno.ERANGE, errno.EINVAL):
        os.setxattr(p / "file", "", b"x")
    os.setxattr(p / "file", "user.a", b"x" * 3000)
    same(os.getxattr(p / "file", "user.a"), b"x" * 3000)


@case
def xattr_namespaces(p):
    open_p(p)
    make(p / "file", b"", 0o666)
    with fails(errno.EOPNOTSUPP, errno.EPERM):
        os.setxattr(p / "file", "nonsense.a", b"x")
    with fails(errno.EPERM):
        bob(lambda: os.setxattr(p / "file", "trusted.a", b"x"))
    os.setxattr(p / "file", "trusted.a", b"x")
    true("trusted.a" not in bob(lambda: os.listxattr(p / "file")), "trusted attributes are root's to see")
    with fails(errno.ENODATA):
        bob(lambda: os.getxattr(p / "file", "trusted.a"))
    bob(lambda: os.setxattr(p / "file", "user.a", b"x"))
    os.chmod(p / "file", 0o644)
    with fails(errno.EACCES):
        bob(lambda: os.setxattr(p / "file", "user.a", b"y"))
    os.symlink("file", p / "link")
    os.mkfifo(p / "fifo")
    with fails(errno.EPERM):
        os.setxattr(p / "link", "user.a", b"x", follow_symlinks=False)
    with fails(errno.EPERM):
        os.setxattr(p / "fifo", "user.a", b"x")
    os.setxattr(p / "link", "trusted.a", b"x", follow_symlinks=False)
    os.mkdir(p / "folder")
    os.setxattr(p / "folder", "user.a", b"of a folder")
    same(os.getxattr(p / "folder", "user.a"), b"of a folder")


@case
def capabilities_of_files(p):
    make(p / "file", b"x", 0o755)
    value = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
    os.setxattr(p / "file", "security.capability", value)
    same(os.getxattr(p / "file", "security.capability"), value)
    with opened(p / "file", os.O_WRONLY) as file:
        os.write(file, b"y")
    with fails(errno.ENODATA):
        os.getxattr(p / "file", "security.capability")
