# SPDX-License-Identifier: Apache-2.0
"""What every show shares: a fresh appliance, figures beside their targets, the machine they were taken on, load."""
import contextlib
import http.client
import json
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import time

import appliance
import build
import say
from say import Failure
from testbed import cgroups


class Report:
    """Figures of one show. A figure with a target that is missed makes the show fail."""

    def __init__(self, name, smoke):
        self.name, self.smoke, self.backend = name, smoke, None
        self.rows = []
        self.missed = []
        self.load_before = os.getloadavg()

    def figure(self, name, value, unit="", at_most=None, at_least=None, exactly=None):
        """Notes a figure; with a target it must be at most, at least or exactly that."""
        target, good = "", True
        if at_most is not None:
            target, good = f"<= {at_most:g}", value <= at_most
        if at_least is not None:
            target, good = f">= {at_least:g}", value >= at_least
        if exactly is not None:
            target, good = f"= {exactly}", value == exactly
        shown = f"{value:.2f}" if isinstance(value, float) and value < 10 else f"{value:.1f}" if isinstance(value, float) else str(value)
        self.rows.append([name, f"{shown} {unit}".strip(), target, "" if not target else "met" if good else "MISSED"])
        if not good:
            self.missed.append(f"{name}: {shown} {unit} (target {target})")

    def finish(self):
        print(f"\nshow {self.name}" + (" (short form)" if self.smoke else ""))
        say.table([["figure", "measured", "target", ""], *self.rows])
        before, after = self.load_before[0], os.getloadavg()[0]
        print(f"  machine: {cpu_model()}, {os.cpu_count()} cores, Linux {platform.release()}; "
              f"load {before:.1f} before, {after:.1f} after", flush=True)
        if self.missed:
            raise Failure(f"show {self.name} missed its target: " + "; ".join(self.missed))


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def percentile(values, part):
    """The value below which `part` of all lie, from the sorted list itself."""
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(part * len(ordered)))])


@contextlib.contextmanager
def fresh_appliance(files=None):
    """A node that nothing ran on before; gone afterwards. `files`: path to text, put there before the boot."""
    appliance.prepare()
    with appliance.fresh_bed() as bed:
        with say.step("boot a fresh appliance"):
            node = appliance.Appliance(bed).boot(files)
            node.wait_for("the master", lambda: node.try_ask("GET", "/v2/info")[0] == 200)
        yield node


class Load:
    """The load program, from a `with`: stopped at its end, its account in `result`."""

    def __init__(self, node, port, rate=300, connections=16, path="/id", host="load", bodies=False):
        argv = [build.folder(appliance.preset()) / "bench/gestalt-load", "--address", node.node.v4, "--port", port, "--rate", rate,
                "--connections", connections, "--path", path, "--host", host]
        self._argv = [str(word) for word in argv] + (["--bodies"] if bodies else [])
        self.result = None

    def __enter__(self):
        self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        try:
            text, _ = self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        self.result = json.loads(text)

    def figures(self, report):
        result = self.result
        if result["ok"] == 0:
            raise Failure(f"the load had no answer at all: {result['reasons']}")
        report.figure("requests answered", result["ok"])
        report.figure("requests failed", result["failed"], str(result["reasons"] or ""), exactly=0)
        report.figure("latency p50", result["latency_ms"]["p50"], "ms")
        report.figure("latency p99", result["latency_ms"]["p99"], "ms")
        report.figure("longest gap between answers", result["gap_max_ms"], "ms")


def instances(node):
    """Host pid of each running guestbook of the node, by task id. Read from the kernel, no daemon is asked."""
    found = {}
    hierarchy = next(group for group in cgroups.found(node.node.machine) if group.parent.name in ("pids", "cgroup", "memory"))
    for pid in cgroups.processes(hierarchy):
        folder = pathlib.Path(f"/proc/{pid}")
        try:
            if (folder / "comm").read_text().strip() != "guestbook":
                continue
            words = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for word in words:
            if word.startswith(b"MESOS_TASK_ID="):
                found[word.split(b"=", 1)[1].decode()] = pid
    return found


# What lists the rules of each packet filter in the kernel.
RULES = {"iptables": ("iptables-legacy-save -t filter", "ip6tables-legacy-save -t filter"), "nftables": ("nft -s -t list ruleset",)}
SETS = {"iptables": "ipset save", "nftables": "nft -s list table inet gestalt"}
# What a list says beside what is in force: comments with the time, counters, and how the kernel happens to keep a set.
BESIDE = re.compile(r"^#.*\n|\[\d+:\d+\]| (hashsize|bucketsize|initval) \w+", re.MULTILINE)


def rules(node, backend):
    """The rules that the kernel has in a packet filter, as text in their order: one for each table, IPv4 before IPv6."""
    return [BESIDE.sub("", node.node.run(words.split())) for words in RULES[backend]]


def sets(node, backend):
    """The kernel's sets with their members, as sorted lines: a set has no order."""
    return sorted(BESIDE.sub("", node.node.run(SETS[backend].split())).splitlines())


def packet_filter_of(node):
    """Which one netfwd has chosen."""
    return json.loads(node.socket("netfwd", "GET", "/v1/status"))["firewall"]["backend"]


def haproxy(node, command):
    """HAProxy's answer to a command, from its own socket: no daemon is asked."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(f"/proc/{node.node.leader}/root/run/gestalt/haproxy/admin.sock")
            link.sendall(command.encode() + b"\n")
            while part := link.recv(65536):
                answer += part
    except OSError as problem:
        raise Failure(f"HAProxy's socket: {problem}") from problem
    return answer.decode()


def members(node):
    """HAProxy's servers, each by the names of HAProxy's columns."""
    lines = [line.split() for line in haproxy(node, "show servers state").splitlines()]
    heads = [line[1:] for line in lines if line[:1] == ["#"]]
    if not heads:
        raise Failure("HAProxy shows no servers: it is just about to reload")
    return [dict(zip(heads[0], line)) for line in lines if len(line) >= len(heads[0]) and line[0] != "#"]


def is_in_rotation(member):
    """Neither in maintenance, by command or by the file, nor found ill."""
    return int(member["srv_admin_state"]) & 5 == 0 and member["srv_op_state"] == "2"


class Prober:
    """One keep-alive connection through the load balancer that reads which instance answers."""

    def __init__(self, address, port):
        self.address, self.port, self.connection = address, port, None

    def answering(self):
        """Task id of the instance that answered, or an empty text when none did."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, self.port, timeout=2)
            self.connection.request("GET", "/id")
            answer = self.connection.getresponse()
            text = answer.read().decode()
            return text.split()[0] if answer.status == 200 else ""
        except (OSError, http.client.HTTPException):
            self.connection = None
            return ""

    def wait_new(self, known, seconds):
        """The moment when an instance that is not in `known` answers, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            who = self.answering()
            if who and who not in known:
                return time.monotonic(), who
            time.sleep(0.002)
        return None
