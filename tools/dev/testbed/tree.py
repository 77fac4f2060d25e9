# SPDX-License-Identifier: Apache-2.0
"""The node tree: a Debian root with what a node needs, made once from the host's apt sources and kept in a cache.

Its name carries a hash of all that it was made from, so a new package list gives a new tree.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil

import run
import say
from say import Failure

NODE_INIT = pathlib.Path(__file__).with_name("node-init")
PACKAGES = run.ROOT / "tools" / "node-packages.txt"
OPTIONS = ["--mode=root", "--variant=minbase", "--format=directory", '--aptopt=Acquire::Languages "none"',
           "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
           "--dpkgopt=path-exclude=/usr/share/locale/*"]
# Units that only cost time on a test node or would fight with ours.
MASKED = ["haproxy.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service",
          "fstrim.timer", "dpkg-db-backup.timer", "getty.target", "console-getty.service", "systemd-logind.service",
          "systemd-timesyncd.service"]


def cache():
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gestalt"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def codename():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    raise Failure("/etc/os-release has no VERSION_CODENAME: test nodes are made from a Debian host's sources")


def sources():
    """The host's apt source files that carry its own release; others (a cloud vendor's, say) stay out."""
    candidates = [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]
    chosen = [file for file in candidates if file.is_file() and file.suffix in (".list", ".sources")
              and codename() in file.read_text()]
    own = [file for file in chosen if "cloud" not in file.name]
    if not own:
        raise Failure(f"no apt source for {codename()} in /etc/apt/sources.list.d")
    return own


def packages():
    return PACKAGES.read_text().split()


def _customize(root):
    (root / "sbin").mkdir(exist_ok=True)
    shutil.copy2(NODE_INIT, root / "usr/sbin/node-init")
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    (root / "etc/fstab").write_text("")
    (root / "etc/resolv.conf").write_text("")
    (root / "etc/machine-id").write_text("")


def node_tree():
    """The folder of the tree, made when it is not there yet."""
    wanted = hashlib.sha256("\n".join([codename(), *sorted(packages()), *OPTIONS, *MASKED, NODE_INIT.read_text()]).encode())
    tree = cache() / f"node-tree-{wanted.hexdigest()[:16]}"
    with open(cache() / "node-tree.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tree.is_dir():
            return tree
        begun = tree.with_suffix(".part")
        shutil.rmtree(begun, ignore_errors=True)
        with say.step("make the node tree (once, about half a minute)"):
            run.quiet(["mmdebstrap", *OPTIONS, "--include=" + ",".join(packages()), codename(), begun, *sources()],
                      "mmdebstrap", cache() / "node-tree.log", "Check that apt-get update works on this machine.")
            _customize(begun)
            begun.rename(tree)
        return tree
