# SPDX-License-Identifier: Apache-2.0
"""The file systems that a user could pick instead, as Debian packages them: three copies of everything on one machine."""
import pathlib
import time

import run
import say
from say import Failure
from testbed.sandbox import ADDRESSES

TOOLS = ["fio", "git", "sqlite3"]
PACKAGES = ["glusterfs-client", "glusterfs-server", "moosefs-chunkserver", "moosefs-client", "moosefs-master"]


def install(peers=True):
    """Peers are only needed here, so ./dev does not install them otherwise."""
    missing = [name for name in TOOLS + (PACKAGES if peers else []) if not run.succeeds(["dpkg", "--status", name])]
    if missing:
        with say.step("install " + " ".join(missing)):
            run.output(["apt-get", "install", "-y", "--no-install-recommends", *missing], timeout=600)


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"{what} did not come up within {seconds} s")
        time.sleep(0.1)


class Gluster:
    """GlusterFS, replica 3."""
    label = "glusterfs"
    processes = ("glusterd", "glusterfsd", "glusterfs")

    def start(self, box):
        for name in ("/var/lib/glusterd", "/var/log/glusterfs", "/run"):
            box.output(["mount", "-t", "tmpfs", "tmpfs", name])
        mount = box.folder / "mnt"
        mount.mkdir()
        bricks = []
        for number in (1, 2, 3):
            brick = box.folder / f"brick{number}"
            brick.mkdir()
            bricks.append(f"{ADDRESSES[0]}:{brick}")
        box.output(["glusterd"])
        wait_for("glusterd", lambda: box.succeeds(["gluster", "volume", "list"]))
        box.output(["gluster", "--mode=script", "volume", "create", "peer", "replica", "3", *bricks, "force"])
        box.output(["gluster", "--mode=script", "volume", "start", "peer"])
        box.output(["mount", "-t", "glusterfs", f"{ADDRESSES[0]}:/peer", mount])
        return mount


class Moose:
    """MooseFS, goal 3, at its defaults: chunk servers do not sync before they acknowledge."""
    label = "moosefs"
    processes = ("mfsmaster", "mfschunkserver", "mfsmount")

    def start(self, box):
        master, mount = box.folder / "master", box.folder / "mnt"
        master.mkdir()
        mount.mkdir()
        empty = pathlib.Path("/var/lib/mfs/metadata.mfs.empty")
        (master / "metadata.mfs").write_bytes(empty.read_bytes())
        (master / "mfsexports.cfg").write_text("* / rw,alldirs,admin,maproot=0\n")
        (master / "mfstopology.cfg").write_text("")
        (master / "mfsmaster.cfg").write_text(
            f"WORKING_USER = root\nWORKING_GROUP = root\nDATA_PATH = {master}\nEXPORTS_FILENAME = {master}/mfsexports.cfg\n"
            f"TOPOLOGY_FILENAME = {master}/mfstopology.cfg\n")
        box.output(["mfsmaster", "-c", master / "mfsmaster.cfg", "start"])
        for number in (1, 2, 3):
            folder = box.folder / f"chunks{number}"
            (folder / "data").mkdir(parents=True)
            (folder / "state").mkdir()
            (folder / "mfshdd.cfg").write_text(f"{folder}/data\n")
            (folder / "mfschunkserver.cfg").write_text(
                f"WORKING_USER = root\nWORKING_GROUP = root\nDATA_PATH = {folder}/state\nHDD_CONF_FILENAME = {folder}/mfshdd.cfg\n"
                f"MASTER_HOST = {ADDRESSES[0]}\nBIND_HOST = {ADDRESSES[number]}\nCSSERV_LISTEN_HOST = {ADDRESSES[number]}\n"
                "HDD_LEAVE_SPACE_DEFAULT = 256MiB\n")
            box.output(["mfschunkserver", "-c", folder / "mfschunkserver.cfg", "start"])
        box.output(["mfsmount", mount, "-H", ADDRESSES[0]])
        box.output(["mfssetgoal", "-r", "3", mount])
        wait_for("three chunk servers", lambda: self._writes(box, mount))
        return mount

    @staticmethod
    def _writes(box, mount):
        """A file with three copies can be written once all chunk servers have registered."""
        if not box.succeeds(["dd", "if=/dev/zero", f"of={mount}/probe", "bs=4k", "count=1", "conv=fsync", "status=none"]):
            return False
        copies = box.output(["mfsfileinfo", mount / "probe"], check=False)
        box.output(["rm", "-f", mount / "probe"])
        return copies.count("copy ") >= 3


class Disk:
    """No file system of ours or of others: the disk that all of them lie on, with one copy and no servers."""
    label = "ext4"
    processes = ()

    def start(self, box):
        mount = box.folder / "mnt"
        mount.mkdir()
        return mount


PEERS = (Gluster, Moose)
