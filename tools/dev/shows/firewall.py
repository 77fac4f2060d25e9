# SPDX-License-Identifier: Apache-2.0
"""What others on the network find open, and what a change of the whole policy does to traffic that flows."""
import json
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

ABOUT = "scan all TCP ports over IPv4 and IPv6 from outside; change the policy under a UDP flood; commit time beside iptables-restore"
PORT = 10000
# docs/reference/ports.md, for an appliance that runs one application on service port 10000.
OPEN_TO_ANYBODY = [80, 443, PORT]
OPEN_TO_MANAGEMENT = sorted([*OPEN_TO_ANYBODY, 5050, 5051, 8080])
STRANGER_V4, STRANGER_V6 = "198.51.100.50", "2001:db8:67::50"
FLOOD_OPEN, FLOOD_CLOSED = 18500, 18501
RATE = 30000  # over both ports: 15,000 a second to the open one


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
    plan = [("anybody, IPv4", node.node.v4, STRANGER_V4, OPEN_TO_ANYBODY), ("anybody, IPv6", node.node.v6, STRANGER_V6, OPEN_TO_ANYBODY)]
    if not report.smoke:
        plan += [("management network, IPv4", node.node.v4, v4, OPEN_TO_MANAGEMENT),
                 ("management network, IPv6", node.node.v6, v6, OPEN_TO_MANAGEMENT)]
    for who, target, source, expected in plan:
        with say.step(f"scan 65,535 ports as {who}"):
            report.figure(f"TCP ports open to {who}", str(scan(name, target, source)), exactly=str(expected))


def put_policy(node, policy):
    """Replaces the policy; milliseconds until the daemon says that it is in force."""
    said = node.node.curl("http://localhost/v1/policy", "-X", "PUT", "--unix-socket", "/run/gestalt/netfwd.sock", "-H",
                          "Content-Type: application/json", "-d", json.dumps(policy), "-w", "\n%{http_code} %{time_total}")
    body, _, last = said.rpartition("\n")
    status, seconds = last.split()
    if status != "200":
        raise Failure(f"PUT /v1/policy answered {status}: {body}")
    return float(seconds) * 1000


# The tool of each packet filter: its name, how it lists what is in force and how it takes that back in one step.
TOOLS = {
    "iptables": ("iptables-restore", "iptables-legacy-save", "iptables-legacy-restore"),
    "nftables": ("nft -f", "(echo 'table inet gestalt'; echo 'delete table inet gestalt'; nft -s list table inet gestalt)", "nft -f -"),
}


def restore_ms(node, backend):
    """Milliseconds that the packet filter's own tool takes with the rules that are in force."""
    _, save, restore = TOOLS[backend]
    script = f"{save} > /tmp/rules; b=$(date +%s%N); {restore} < /tmp/rules; e=$(date +%s%N); rm /tmp/rules; echo $(( (e - b) / 1000 ))"
    return int(node.node.run(["sh", "-c", script]).split()[-1]) / 1000


def flood(node, report, name):
    seconds = 5 if report.smoke else 20
    program = str(build.folder(appliance.preset()) / "bench/gestalt-flood")
    policy = json.loads(node.socket("netfwd", "GET", "/v1/policy"))
    policy = {**policy, "public_udp": [FLOOD_OPEN]}
    put_policy(node, policy)
    ports = [str(FLOOD_OPEN), str(FLOOD_CLOSED)]
    receiver = subprocess.Popen(["nsenter", f"--net=/run/netns/{node.node.machine}", program, "receive", *ports],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    with receiver:
        receiver.stdout.readline()
        sender = subprocess.Popen(["nsenter", f"--net=/run/netns/{name}", program, "send", node.node.v4, str(RATE), str(seconds),
                                   *ports], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        with sender:
            times = []
            while sender.poll() is None:
                many = list(range(20000, 20400)) if len(times) % 2 == 0 else []
                times.append(put_policy(node, {**policy, "public_tcp": [80, 443, *many],
                                               "management_tcp": [5050, 5051, 8080] if many else [8080, 5051, 5050, 22]}))
            sent = json.loads(sender.stdout.read())
        time.sleep(0.2)  # what is in the socket's queue
        receiver.send_signal(signal.SIGINT)
        received = json.loads(receiver.stdout.read())
    report.figure("policy changes under the flood", len(times))
    report.figure("packets sent to the open port", sent[ports[0]])
    report.figure("of them lost", sent[ports[0]] - received[ports[0]]["distinct"], exactly=0)
    report.figure("packets sent to the closed port", sent[ports[1]])
    report.figure("of them let through", received[ports[1]]["distinct"], exactly=0)
    report.figure("policy change p50", frame.percentile(times, 0.5), "ms")
    report.figure("policy change p99", frame.percentile(times, 0.99), "ms")
    backend = json.loads(node.socket("netfwd", "GET", "/v1/status"))["firewall"]["backend"]
    times = [restore_ms(node, backend) for _ in range(10)]
    report.figure(f"{TOOLS[backend][0]} of the same rules p50", frame.percentile(times, 0.5), "ms")


def show(report):
    files = {}
    if report.backend:
        files["/etc/gestalt/netfwd.d/40-backend.json"] = json.dumps({"firewall": {"backend": report.backend}})
    with frame.fresh_appliance(files) as node:
        backend = json.loads(node.socket("netfwd", "GET", "/v1/status"))["firewall"]["backend"]
        report.figure("packet filter", backend, exactly=report.backend)
        node.run_app(appliance.sample_app(node.put_image(), service_port=PORT))
        node.wait_answer(node.url_of(PORT))
        name = attach_stranger(node)
        scans(node, report, name)
        flood(node, report, name)
