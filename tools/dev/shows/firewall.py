# SPDX-License-Identifier: Apache-2.0
"""What others on the network find open, and what a change of the whole policy does to traffic that flows."""
import concurrent.futures
import contextlib
import json
import pathlib
import re
import signal
import subprocess
import time

import appliance
import build
import run
import say
from say import Failure

from . import frame

ABOUT = ("scan all TCP ports over IPv4 and IPv6 from outside; replace all rules under a UDP flood of each family; commit time beside "
         "iptables-restore of the same tables")
PORT = 10000
# docs/reference/ports.md, for an appliance that runs one application on service port 10000.
OPEN_TO_ANYBODY = [80, 443, PORT]
OPEN_TO_MANAGEMENT = sorted([*OPEN_TO_ANYBODY, 5050, 5051, 8080])
STRANGER_V4, STRANGER_V6 = "198.51.100.50", "2001:db8:67::50"
FLOOD_OPEN, FLOOD_CLOSED = 18500, 18501
RATE_MIN = 15000  # packets a second to each of the two
RATE = 2 * RATE_MIN + 2000  # what the sender is asked for, over both: it may be late by a little
RATE_MIN_SMOKE, RATE_SMOKE = 2000, 12000  # on a machine that has other things to do
CHANGES_MIN = 10
ROUNDS = 10  # of commits beside the packet filter's own tool


def attach_stranger(node):
    """A machine on the same switch with addresses that no policy knows."""
    bed = node.bed
    name = f"{bed.prefix}x"
    bed.network.attach(name, 50)
    for address, length, option in ((STRANGER_V4, 24, ()), (STRANGER_V6, 64, ("nodad",))):
        run.output(["ip", "-n", name, "addr", "add", f"{address}/{length}", "dev", "eth0", *option])
    inside = ["nsenter", f"--net=/run/netns/{node.node.machine}", "ip"]
    run.output([*inside, "route", "add", "198.51.100.0/24", "dev", "eth0"])
    run.output([*inside, "-6", "route", "add", "2001:db8:67::/64", "dev", "eth0"])
    return name


def scan(name, target, source):
    """All open TCP ports that nmap sees from `source`."""
    version = ["-6"] if ":" in target else []
    text = run.output(["nsenter", f"--net=/run/netns/{name}", "nmap", *version, "-sS", "-Pn", "-n", "-S", source, "-e", "eth0",
                       "-p1-65535", "--max-retries", "1", "--min-rate", "10000", "-oG", "-", target], timeout=300)
    if "Status: Up" not in text:
        raise Failure(f"nmap did not scan {target}:\n{text[-800:]}")
    return sorted(int(port) for port in re.findall(r"(\d+)/open/", text))


def scans(node, report, name):
    v4, v6 = node.bed.network.address(50)
    plan = {"anybody": (STRANGER_V4, STRANGER_V6, OPEN_TO_ANYBODY)}
    if not report.smoke:
        plan["the management network"] = (v4, v6, OPEN_TO_MANAGEMENT)
    for who, (source_v4, source_v6, expected) in plan.items():
        with say.step(f"scan 65,535 ports of both families as {who}"), concurrent.futures.ThreadPoolExecutor() as pool:
            found = {"IPv4": pool.submit(scan, name, node.node.v4, source_v4), "IPv6": pool.submit(scan, name, node.node.v6, source_v6)}
        for family, ports in found.items():
            report.figure(f"TCP ports open to {who}, {family}", str(ports.result()), exactly=str(expected))


def put_policy(node, policy):
    """Replaces the policy; milliseconds until the daemon says that it is in force."""
    said = node.node.curl("http://localhost/v1/policy", "-X", "PUT", "--unix-socket", "/run/gestalt/netfwd.sock", "-H",
                          "Content-Type: application/json", "-d", json.dumps(policy), "-w", "\n%{http_code} %{time_total}")
    body, _, last = said.rpartition("\n")
    status, seconds = last.split()
    # 202 is a trial, for a policy that takes something away from who manages the node; these do not.
    if status != "200":
        raise Failure(f"PUT /v1/policy answered {status}: {body}")
    return float(seconds) * 1000


def policies(node):
    """Two policies that differ in the rules themselves, since with `forward` the forward chain is empty, and in 800 members of two sets.

    Both let the flood's open port in, and neither takes anything away from who manages the node.
    """
    now = json.loads(node.socket("netfwd", "GET", "/v1/policy"))
    many = list(range(20000, 20400))
    return ({**now, "public_udp": [FLOOD_OPEN], "forward": False},
            {**now, "public_udp": [FLOOD_OPEN, *many], "public_tcp": [*now["public_tcp"], *many], "forward": True})


class Changes:
    """Puts the two policies in turn, and looks after each whether the kernel has other rules than before, in the table of each family."""

    def __init__(self, node, backend):
        self.node, self.backend, self.policies = node, backend, policies(node)
        put_policy(node, self.policies[0])
        self.rules = frame.rules(node, backend)
        self.times, self.kept = [], 0

    def next(self):
        self.times.append(put_policy(self.node, self.policies[(len(self.times) + 1) % 2]))
        rules = frame.rules(self.node, self.backend)
        self.kept += sum(now == before for now, before in zip(rules, self.rules))
        self.rules = rules


@contextlib.contextmanager
def flooding(namespace, *words):
    """The flood program in a network namespace, ended in any case."""
    argv = ["nsenter", f"--net=/run/netns/{namespace}", build.folder(appliance.preset()) / "bench/gestalt-flood", *words]
    with subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def queue_drops():
    """Packets that the kernel has dropped because a processor's queue was full, before any rule saw them. Source: proc(5), softnet_stat."""
    return sum(int(line.split()[1], 16) for line in pathlib.Path("/proc/net/softnet_stat").read_text().splitlines())


def flood(report, changes, name, family, target):
    """A flood of one family to an open and a closed port while all rules are replaced again and again."""
    node, ports = changes.node, (str(FLOOD_OPEN), str(FLOOD_CLOSED))
    first, drops = len(changes.times), queue_drops()
    # The target's link address is known before the first packet, so that none waits for it.
    run.output(["nsenter", f"--net=/run/netns/{name}", "ping", "-c", "1", "-W", "5", target])
    with flooding(node.node.machine, "receive", *ports) as receiver:
        receiver.stdout.readline()
        with flooding(name, "send", target, RATE_SMOKE if report.smoke else RATE, 4 if report.smoke else 20, *ports) as sender:
            while sender.poll() is None:
                changes.next()
            sent = json.loads(sender.stdout.read())
        time.sleep(0.2)  # what is in the socket's queue
        receiver.send_signal(signal.SIGINT)
        received = json.loads(receiver.stdout.read())
    for port, what in zip(ports, ("open", "closed")):
        report.figure(f"{family}: packets to the {what} port", sent[port])
        report.figure(f"{family}: packets a second to the {what} port", sent[port] / sent["seconds"],
                      at_least=RATE_MIN_SMOKE if report.smoke else RATE_MIN)
    report.figure(f"{family}: lost of those to the open port", sent[ports[0]] - received[ports[0]]["distinct"], exactly=0)
    report.figure(f"{family}: let through of those to the closed port", received[ports[1]]["distinct"], exactly=0)
    report.figure(f"{family}: dropped in full queues, whatever the rules", queue_drops() - drops)
    times = changes.times[first:]
    report.figure(f"{family}: changes of all rules under the flood", len(times), at_least=CHANGES_MIN)
    report.figure(f"{family}: policy change under the flood p50", frame.percentile(times, 0.5), "ms")
    report.figure(f"{family}: policy change under the flood p99", frame.percentile(times, 0.99), "ms")


# The tool of each packet filter: its name, what lists all that is in force, and what takes that back in one step for each list.
TOOLS = {
    "iptables": ("iptables-restore and ip6tables-restore", frame.RULES["iptables"],
                 ("iptables-legacy-restore -w 5", "ip6tables-legacy-restore -w 5")),
    "nftables": ("nft -f", (frame.SETS["nftables"],), ("nft -f -",)),
}
REPLACED = "table inet gestalt\ndelete table inet gestalt\n"  # nft adds to what there is, unless told otherwise


def restore_ms(node, backend):
    """Milliseconds that the packet filter's own tool takes to replace the same tables by what is in force."""
    _, lists, restores = TOOLS[backend]
    for number, words in enumerate(lists):
        text = (REPLACED if backend == "nftables" else "") + node.node.run(words.split())
        node.node.run(["tee", f"/tmp/rules{number}"], text=text)
    steps = "".join(f"{words} < /tmp/rules{number}; " for number, words in enumerate(restores))
    return int(node.node.run(["sh", "-ec", f"b=$(date +%s%N); {steps}e=$(date +%s%N); echo $(( (e - b) / 1000 ))"]).split()[-1]) / 1000


def commits(report, changes):
    """A change of policy and the packet filter's own tool with the tables that it has left, by turns and without a flood."""
    first = len(changes.times)
    restores = []
    for _ in range(ROUNDS):
        changes.next()
        restores.append(restore_ms(changes.node, changes.backend))
    report.figure("policy change p50: sets, the tables of both families, state on disk", frame.percentile(changes.times[first:], 0.5), "ms")
    report.figure(f"{TOOLS[changes.backend][0]} of the same tables p50", frame.percentile(restores, 0.5), "ms")


def show(report):
    files = {}
    if report.backend:
        files["/etc/gestalt/netfwd.d/40-backend.json"] = json.dumps({"firewall": {"backend": report.backend}})
    with frame.fresh_appliance(files) as node:
        backend = frame.packet_filter_of(node)
        report.figure("packet filter", backend, exactly=report.backend)
        node.run_app(appliance.sample_app(node.put_image(), service_port=PORT))
        node.wait_answer(node.url_of(PORT))
        name = attach_stranger(node)
        scans(node, report, name)
        changes = Changes(node, backend)
        flood(report, changes, name, "IPv4", node.node.v4)
        flood(report, changes, name, "IPv6", node.node.v6)
        commits(report, changes)
        report.figure("rules of a table that a change left as they were", changes.kept, exactly=0)
