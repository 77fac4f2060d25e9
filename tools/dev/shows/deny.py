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
HANG_SECONDS = 75
VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get")
# What may make a server or one in front of it take one request for another.
HEADERS = (
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Bearer "},
    {"Authorization": "bearer null"},
    {"Authorization": "Basic YWRtaW46YWRtaW4="},
    {"X-HTTP-Method-Override": "GET"},
    {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    {"Host": "localhost"},
    {"X-Forwarded-User": "root", "X-Remote-User": "root", "Remote-User": "root"},
)


def routes(node, daemon):
    """Method and path of each row of the daemon's table, with something in place of each parameter."""
    table = json.loads(node.node.run([f"/usr/libexec/gestalt/gestalt-{daemon}", "--dump-routes"]))
    return [(row["method"], re.sub(r"\{[^}]*\}", "x", row["path"])) for row in table]


def spellings(path):
    """Other ways to write a path, which a careless router or check takes for the same or for none."""
    first, _, rest = path[1:].partition("/")
    last = path.rsplit("/", 1)[1]
    encoded = "".join(f"%{ord(letter):02x}" for letter in last)
    return [f"{path}/", f"{path}//", f"/{path}", path.replace("/", "//"), f"/.{path}", f"/%2e{path}", f"/%2e%2e{path}", f"/x/..{path}",
            f"/x/%2e%2e{path}", f"{path}/.", f"{path}/%2e", f"{path}/..%2f{last}", f"/{first}%2f{rest}", f"{path[:len(path) - len(last)]}{encoded}",
            path.upper(), f"{path};a=b", f"{path}%00", f"{path}%20", f"{path}%0d%0aX:1", f"{path}.json", f"{path}?_method=DELETE",
            f"{path}?access_token=x", f"{path}#x", path.replace("/", "\\"), f"http://localhost{path}"]


def answer(node, port, verb, target, headers=None):
    """Status of a request over TCP; 0 when the connection was closed without one."""
    lines = {"Host": node.node.v4, "Connection": "close", "Content-Length": "0", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return raw(node, port, f"{verb} {target} HTTP/1.1\r\n{head}\r\n".encode()) or 0


def over_tcp(node, method, path, port):
    """Every trick on one row of a table, as (what was tried, status, statuses that are right)."""
    denied = (401, 403)
    # Before a caller is known, a path or method that does not exist may be called that.
    refused = (0, 400, 401, 403, 404, 405, 501, 505)
    for headers in ({}, *HEADERS):
        yield f"{method} {path} {headers}", answer(node, port, method, path, headers), denied
    for verb in VERBS:
        yield f"{verb} {path}", answer(node, port, verb, path), refused
    for target in spellings(path):
        yield f"{method} {target}", answer(node, port, method, target), refused


def as_user(node, daemon, method, path, group):
    """As a user who has no rights, in the group that reaches the sockets or not. 0: the socket itself refused."""
    argv = ["setpriv", "--reuid=65534", f"--regid={group}", "--clear-groups", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
            "--max-time", "10", *(["-I"] if method == "HEAD" else ["-X", method]), "--unix-socket",
            f"/run/gestalt/{daemon}.sock", f"http://localhost{path}"]
    return int(node.node.run(argv, check=False) or 0)


def state(node):
    """What a request that slipped through could have changed."""
    apps = node.ask("GET", "/v2/apps")
    return json.dumps([apps, node.ask("GET", "/v2/deployments"), json.loads(node.socket("netfwd", "GET", "/v1/policy")),
                       json.loads(node.socket("netfwd", "GET", "/v1/services"))], sort_keys=True)


def walk(node, report):
    """Over TCP without a token or with a wrong one in many spellings, and over the sockets as users with no rights."""
    before = state(node)
    tried, leaks = 0, []
    for daemon, ports in PORTS.items():
        rows = routes(node, daemon)
        for method, path in rows if not report.smoke else rows[::4]:
            for port in ports:
                for what, status, right in over_tcp(node, method, path, port):
                    tried += 1
                    if status not in right:
                        leaks.append(f"{daemon} {port} {what}: {status}")
            for group, right in (("65534", (0, 401, 403)), ("gestalt", (401, 403))):
                tried += 1
                status = as_user(node, daemon, method, path, group)
                if status not in right:
                    leaks.append(f"{daemon} socket, group {group}, {method} {path}: {status}")
    if tried < 500:
        raise Failure(f"only {tried} requests were tried: the route tables are not complete")
    report.figure("requests without credentials", tried)
    report.figure("answered otherwise than refused", len(leaks), "; ".join(leaks[:8]), exactly=0)
    report.figure("state changed by them", "no" if state(node) == before else "yes", exactly="no")


def raw(node, port, data, seconds=HANG_SECONDS):
    """Sends bytes as they are; the status of the answer, 0 when the connection was closed without one, None when it hangs."""
    with socket.create_connection((node.node.v4, port), timeout=seconds) as link:
        link.settimeout(seconds)
        try:
            link.sendall(data)
        except (ConnectionError, BrokenPipeError):
            pass  # the answer may have come before all was sent
        except TimeoutError:
            return None
        try:
            text = link.recv(4096)
        except ConnectionError:
            return 0
        except TimeoutError:
            return None
    found = re.match(rb"HTTP/1\.[01] (\d+)", text)
    return int(found.group(1)) if found else 0


def bad_requests(token):
    head = f"Host: x\r\nAuthorization: Bearer {token}\r\n".encode()
    post = b"POST /v2/apps HTTP/1.1\r\n" + head
    return {
        "body over the limit": post + b"Content-Length: 999999999\r\n\r\n{",
        "header over the limit": b"GET /v2/apps HTTP/1.1\r\n" + head + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        "too many headers": b"GET /v2/apps HTTP/1.1\r\n" + head + b"".join(b"X-%d: 1\r\n" % i for i in range(5000)) + b"\r\n",
        "path over the limit": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + head + b"\r\n",
        "two lengths": post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "length that is no number": post + b"Content-Length: 2x\r\n\r\n{}",
        "negative length": post + b"Content-Length: -2\r\n\r\n{}",
        "length and chunks": post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunk that is no number": post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "unknown coding": post + b"Transfer-Encoding: gzip\r\n\r\n",
        "not JSON": post + b"Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{]}",
        "deep JSON": post + b"Content-Type: application/json\r\nContent-Length: 20000\r\n\r\n" + b"[" * 20000,
        "zero byte in the path": b"GET /v2/apps/%00 HTTP/1.1\r\n" + head + b"\r\n",
        "space in the path": b"GET /v2 /apps HTTP/1.1\r\n" + head + b"\r\n",
        "header without a colon": b"GET /v2/apps HTTP/1.1\r\n" + head + b"nonsense\r\n\r\n",
        "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    }


def refuse(node, report):
    ports = [port for some in PORTS.values() for port in some]
    for name, data in bad_requests(node.token).items():
        statuses = [raw(node, port, data) for port in ports]
        # A listener may close on what is not HTTP at all. The two that have no /v2/apps refuse the path.
        good = all(status == 0 or (status is not None and 400 <= status < 500) for status in statuses)
        shown = "/".join(str(status) for status in statuses)
        report.figure(f"{name}: refused on {len(ports)} ports", shown, exactly=shown if good else "4xx")


def connections(node):
    """Established connections on the daemons' ports inside the node."""
    ports = " or ".join(f"sport = :{port}" for some in PORTS.values() for port in some)
    return len(node.node.run(["ss", "-H", "-t", "-n", "state", "established", f"( {ports} )"]).splitlines())


def descriptors(node):
    """Open descriptors of all daemons."""
    total = 0
    for daemon in PORTS:
        pid = node.node.run(["systemctl", "show", "-P", "MainPID", f"gestalt-{daemon}"]).strip()
        total += len(node.node.run(["ls", f"/proc/{pid}/fd"]).split())
    return total


def slow_starts(token):
    """How slow clients begin; each then sends one byte now and then, or nothing at all."""
    head = f"Host: x\r\nAuthorization: Bearer {token}\r\n".encode()
    return {"head": b"GET /v2/apps HTTP/1.1\r\nHost: x\r\nX-Slow: ", "nothing": b"",
            "body": b"POST /v2/apps HTTP/1.1\r\n" + head + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"}


def slow(node, report):
    """Connections that send a byte now and then, or nothing, are ended by the daemons' deadlines."""
    ports = [port for some in PORTS.values() for port in some]
    for name, start in slow_starts(node.token).items():
        if report.smoke and name != "head":
            continue
        before, held = connections(node), descriptors(node)
        links = [socket.create_connection((node.node.v4, ports[i % len(ports)]), timeout=5) for i in range(SLOW_CONNECTIONS)]
        begin = time.monotonic()
        for link in links:
            link.sendall(start)
        report.figure(f"slow {name}: connections", connections(node) - before)
        while time.monotonic() - begin < HANG_SECONDS and connections(node) > before:
            for link in links if start else ():
                try:
                    link.send(b"a")
                except OSError:
                    pass
            time.sleep(0.5)
        report.figure(f"slow {name}: connections left", max(0, connections(node) - before), exactly=0)
        report.figure(f"slow {name}: ended after", time.monotonic() - begin, "s")
        for link in links:
            link.close()
        node.wait_for("freed descriptors", lambda held=held: descriptors(node) <= held + 2, seconds=20)
        report.figure(f"slow {name}: descriptors left", max(0, descriptors(node) - held), at_most=2)


def show(report):
    with frame.fresh_appliance() as node:
        walk(node, report)
        refuse(node, report)
        slow(node, report)
        node.ask("GET", "/v2/info")
