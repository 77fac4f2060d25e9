# SPDX-License-Identifier: Apache-2.0
"""Callers without credentials get nothing, and requests that are too large, malformed or slow give their resources back."""
import json
import re
import socket
import time

from say import Failure

from . import frame

ABOUT = "every route of every daemon refuses callers without credentials; bad requests end in 4xx and free what they held"
PORTS = {"masterd": (8080, 5050), "agentd": (5051,), "netfwd": ()}
SLOW_CONNECTIONS = 50
HANG_SECONDS = 20


def routes(node, daemon):
    """Method and path of each row of the daemon's table, with something in place of each parameter."""
    table = json.loads(node.node.run([f"/usr/libexec/gestalt/gestalt-{daemon}", "--dump-routes"]))
    return [(row["method"], re.sub(r"\{[^}]*\}", "x", row["path"])) for row in table]


def status_without(node, method, path, port, *options):
    argv = ["-o", "/dev/null", "-w", "%{http_code}", "-X", method, *options]
    if method == "HEAD":
        argv = ["-I", "-o", "/dev/null", "-w", "%{http_code}", *options]
    return int(node.node.curl(f"http://{node.node.v4}:{port}{path}", *argv, check=False) or 0)


def walk(node, report):
    """Over TCP without a token, with a wrong one, and over the sockets as a user with no rights."""
    tried, leaks = 0, []
    for daemon, ports in PORTS.items():
        for method, path in routes(node, daemon):
            for port in ports:
                for options in ((), ("-H", "Authorization: Bearer wrong")):
                    status = status_without(node, method, path, port, *options)
                    tried += 1
                    if status not in (401, 403):
                        leaks.append(f"{daemon} {port} {method} {path}: {status}")
            tried += 1
            status = as_nobody(node, daemon, method, path)
            if status not in (0, 401, 403):
                leaks.append(f"{daemon} socket {method} {path}: {status}")
    if tried < 50:
        raise Failure(f"only {tried} requests were tried: the route tables are not complete")
    report.figure("requests without credentials", tried)
    report.figure("answered with anything but 401 or 403", len(leaks), "; ".join(leaks[:5]), exactly=0)


def as_nobody(node, daemon, method, path):
    """0: the socket itself refused."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
            "--max-time", "10", *(["-I"] if method == "HEAD" else ["-X", method]), "--unix-socket",
            f"/run/gestalt/{daemon}.sock", f"http://localhost{path}"]
    return int(node.node.run(argv, check=False) or 0)


def raw(node, port, data, seconds=HANG_SECONDS):
    """Sends bytes as they are; the status of the answer, 0 when the connection was closed without one, None when it hangs."""
    with socket.create_connection((node.node.v4, port), timeout=seconds) as link:
        link.settimeout(seconds)
        try:
            link.sendall(data)
            answer = link.recv(4096)
        except (ConnectionError, BrokenPipeError):
            return 0
        except TimeoutError:
            return None
    found = re.match(rb"HTTP/1\.1 (\d+)", answer)
    return int(found.group(1)) if found else 0


def bad_requests(token):
    head = f"Host: x\r\nAuthorization: Bearer {token}\r\n".encode()
    return {
        "body over the limit": b"POST /v2/apps HTTP/1.1\r\n" + head + b"Content-Length: 999999999\r\n\r\n{",
        "header over the limit": b"GET /v2/apps HTTP/1.1\r\n" + head + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        "two lengths": b"POST /v2/apps HTTP/1.1\r\n" + head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "length and chunks": b"POST /v2/apps HTTP/1.1\r\n" + head
                             + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "not JSON": b"POST /v2/apps HTTP/1.1\r\n" + head + b"Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{]}",
        "zero byte in the path": b"GET /v2/apps/%00 HTTP/1.1\r\n" + head + b"\r\n",
        "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    }


def refuse(node, report):
    for name, data in bad_requests(node.token).items():
        status = raw(node, 8080, data)
        # A listener may close on what is not HTTP at all.
        good = status == 0 or (status is not None and 400 <= status < 500)
        report.figure(f"{name}: refused", f"{status}" if good else f"not refused ({status})", exactly=f"{status}" if good else "4xx")


def connections(node):
    """Established connections on the master's port inside the node."""
    text = node.node.run(["ss", "-H", "-t", "-n", "state", "established", "sport = :8080"])
    return len(text.splitlines())


def slow(node, report):
    """Connections that send one byte a second are ended by the daemon's deadlines."""
    before = connections(node)
    links = [socket.create_connection((node.node.v4, 8080), timeout=5) for _ in range(SLOW_CONNECTIONS)]
    begin = time.monotonic()
    for link in links:
        link.sendall(b"GET /v2/apps HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    report.figure("connections held by slow clients", connections(node) - before)
    while time.monotonic() - begin < HANG_SECONDS and connections(node) > before:
        for link in links:
            try:
                link.send(b"a")
            except OSError:
                pass
        time.sleep(0.5)
    report.figure("slow connections left", max(0, connections(node) - before), exactly=0)
    report.figure("ended after", time.monotonic() - begin, "s")
    for link in links:
        link.close()


def show(report):
    with frame.fresh_appliance() as node:
        walk(node, report)
        refuse(node, report)
        slow(node, report)
        node.ask("GET", "/v2/info")
