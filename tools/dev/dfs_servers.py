# SPDX-License-Identifier: Apache-2.0
"""The file system's own daemons in a sandbox: metadata and storage servers, one of each per host, and mounts."""
import json
import shutil
import subprocess
import time

import appliance
import build
from say import Failure
from testbed.sandbox import ADDRESSES

TARGETS = ["gestalt-dfs-meta", "gestalt-dfs-storage", "gestalt-dfs-mount"]
VOLUME = "work"
READY_SECONDS = 60


def prepare():
    build.build(appliance.preset(), TARGETS)


class Servers:
    """`count` servers. With `hosts` each has a network of its own, so that its cable can be pulled; otherwise all are on one.

    `metadata`: how many of them keep metadata too; all when unset.
    """
    label = "gestalt"
    processes = tuple(name[:15] for name in TARGETS)  # as the kernel keeps them

    def __init__(self, count=3, hosts=False, inline_max=None, metadata=None, device_mib=None):
        """`device_mib`: a file system of its own of that size for each storage server, so that it can be full."""
        self.count, self.hosts, self.inline_max, self.device_mib = count, hosts, inline_max, device_mib
        self.metadata = metadata or count
        self.mounts = {}

    # Starting.

    def start(self, box):
        self.box = box
        self.programs = build.folder(appliance.preset()) / "dfs"
        self.names = [f"s{number}" for number in range(1, self.count + 1)]
        self.meta_names = self.names[:self.metadata]
        self.address = {}
        for number, name in enumerate(self.names):
            self.address[name] = box.add_host(name) if self.hosts else ADDRESSES[number]
        (box.folder / "run").mkdir()
        self._make_state()
        for name in self.names:
            self._configure(name)
        for name in self.meta_names:
            self.start_meta(name)
        self.wait_leader()
        for name in self.names:
            self.start_storage(name)
        self.wait_whole()
        body = {"name": VOLUME}
        if self.inline_max is not None:
            body["inline_max_bytes"] = self.inline_max
        self._wait("a new volume", lambda: self.ask(self.leader(), "POST", "/dfs/v1/volumes", body) is not None)
        return self.mount("mnt")

    # Where the state is, as the daemons see it; a shape of servers whose disks can fail puts it elsewhere.

    def state(self, name):
        return self.box.folder / name

    def coordination(self):
        return self.box.folder / "coordination"

    def _make_state(self):
        self.coordination().mkdir()
        for name in self.names:
            (self.state(name) / "data").mkdir(parents=True)

    def _configure(self, name):
        folder, state = self.box.folder / name, self.state(name)
        folder.mkdir(exist_ok=True)
        if self.device_mib:
            image = folder / "device.image"
            self.box.output(["truncate", "-s", f"{self.device_mib}M", image])
            self.box.output(["mkfs.ext4", "-q", "-F", image])
            self.box.output(["mount", "-o", "loop", image, state / "data"])
        members = [{"name": each, "address": self.address[each]} for each in self.meta_names]
        meta = {"name": name, "members": members, "state_folder": f"{state}/meta", "coordination_folder": f"{self.coordination()}",
                "tokens_file": f"{folder}/tokens.json", "storage_nodes_expected": self.count, "copies": min(3, self.count),
                "listen": [{"unix": f"{self.box.folder}/run/{name}-meta.sock"}]}
        storage = {"address": self.address[name], "metadata": [f"{self.address[each]}:7861" for each in self.meta_names],
                   "folder": f"{state}/data", "tokens_file": f"{folder}/tokens.json", "min_in_sync": min(3, self.count) // 2 + 1,
                   "device_bytes_min": 256 << 20, "reserve_bytes": 64 << 20,
                   "listen": [{"unix": f"{self.box.folder}/run/{name}-storage.sock"}]}
        (folder / "meta.json").write_text(json.dumps(meta, indent=1))
        (folder / "storage.json").write_text(json.dumps(storage, indent=1))

    def _host(self, name):
        return name if self.hosts else None

    def _spawn_daemon(self, argv, log, host=None):
        return self.box.spawn(argv, log, host)

    def start_meta(self, name):
        self._spawn_daemon([self.programs / "meta/gestalt-dfs-meta", "--config", self.box.folder / name / "meta.json"], f"{name}-meta.log",
                           self._host(name))

    def start_storage(self, name):
        config = self.box.folder / name / "storage.json"
        program = self.programs / "storage/gestalt-dfs-storage"
        self.box.output([program, "--claim", "--config", config], self._host(name))
        self._spawn_daemon([program, "--config", config], f"{name}-storage.log", self._host(name))

    def try_start_storage(self, name, seconds=5):
        """Whether it starts, or still runs after a while; a refusal is no failure here."""
        config = self.box.folder / name / "storage.json"
        program = self.programs / "storage/gestalt-dfs-storage"
        if not self.box.succeeds([program, "--claim", "--config", config], self._host(name)):
            return False
        process = self.box.spawn([program, "--config", config], f"{name}-storage.log", self._host(name))
        try:
            process.wait(timeout=seconds)
            return False
        except subprocess.TimeoutExpired:
            return True

    def mount(self, folder, options=(), volume=VOLUME):
        """Mounts the volume, or another, at a folder of the scratch folder; returns where."""
        place = self.box.folder / folder
        place.mkdir(exist_ok=True)
        source = ",".join(self.address[name] for name in self.meta_names) + f":/{volume}"
        argv = [self.programs / "fuse/gestalt-dfs-mount", source, place, "-f"]
        if options:
            argv += ["-o", ",".join(options)]
        self.box.spawn(argv, f"{folder}.log")
        self._wait(f"the mount at {folder}", lambda: self.box.succeeds(["mountpoint", "-q", place]))
        return place

    def wait_unmounted(self, folder):
        """Its process has written everything and is gone."""
        self._wait(f"the end of the mount at {folder}", lambda: not self.box.succeeds(["pgrep", "--full", f":/{VOLUME} {self.box.folder / folder} "]))

    def unmount(self, folder):
        self.box.output(["fusermount3", "-u", self.box.folder / folder])

    # Asking.

    def ask(self, name, method, path, body=None, daemon="meta"):
        """A request to a daemon's unix socket: the parsed answer, None when there is none or an error."""
        if name is None:
            return None
        argv = ["curl", "-sS", "--max-time", "5", "-f", "-X", method, "--unix-socket", self.box.folder / "run" / f"{name}-{daemon}.sock"]
        if body is not None:
            argv += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        text = self.box.output([*argv, f"http://localhost{path}"], check=False)
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            return None

    def leader(self):
        """Name of the metadata server that leads, None while there is none."""
        for name in self.meta_names:
            status = self.ask(name, "GET", "/dfs/v1/status")
            if status and status["is_primary"]:
                return name
        return None

    def wait_leader(self, seconds=READY_SECONDS):
        self._wait("a metadata server that leads", lambda: self.leader() is not None, seconds)

    def _alive(self):
        listed = self.ask(self.leader(), "GET", "/dfs/v1/devices") or {"devices": []}
        return sum(1 for device in listed["devices"] if device["alive"])

    def is_whole(self):
        """Every group has every copy it should have in sync."""
        status = self.ask(self.leader(), "GET", "/dfs/v1/status")
        return (status is not None and len(status["in_sync"]) == self.metadata and self._alive() == self.count and bool(status["groups"])
                and all(sorted(group["in_sync"]) == sorted(group["copies"]) for group in status["groups"]))

    def storage_nodes(self):
        """Ids of the disks that answer, by their address."""
        listed = self.ask(self.leader(), "GET", "/dfs/v1/devices") or {"devices": []}
        return {device["address"]: device["node"] for device in listed["devices"] if device["alive"]}

    def _is_forgotten(self, node):
        listed = self.ask(self.leader(), "GET", "/dfs/v1/devices")
        return listed is not None and all(device["node"] != node for device in listed["devices"])

    def wait_replaced(self, node, seconds=READY_SECONDS):
        """Another disk has taken the place of this one, with a copy of everything."""
        self._wait(f"the end of {node}", lambda: self._is_forgotten(node), seconds)
        self.wait_whole(seconds)

    def wait_whole(self, seconds=READY_SECONDS):
        self._wait("copies of everything on every server", self.is_whole, seconds)

    def _wait(self, what, condition, seconds=READY_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"{what}: not within {seconds} s\n{self.logs()}")
            time.sleep(0.1)

    def logs(self, lines=15):
        """The end of each daemon's output."""
        text = []
        for log in sorted(self.box.folder.glob("*.log")):
            text.append(f"-- {log.name}")
            text += log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(text)

    # Faults.

    def word(self, name, daemon):
        """What tells a daemon's process from the others on its command line."""
        return f"/{name}/{daemon}.json"

    def wipe_meta(self, name):
        """Kills a metadata server and empties its disk."""
        self.signal(name, "meta", "KILL")
        self.wait_gone(name, "meta")
        shutil.rmtree(self.state(name) / "meta")

    def wait_gone(self, name, daemon):
        self._wait(f"the end of {name}'s {daemon}", lambda: not self.box.succeeds(["pgrep", "--full", self.word(name, daemon)]))

    def signal_all(self, daemon, signal):
        for name in self.names:
            self.signal(name, daemon, signal)

    def signal(self, name, daemon, signal):
        self.box.signal(self.word(name, daemon), signal)
