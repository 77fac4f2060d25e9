# SPDX-License-Identifier: Apache-2.0
"""Callers without credentials get nothing, and requests that are too large, malformed or slow are told so and give their resources back."""
import base64
import json
import re
import socket
import time

from say import Failure

from . import frame

ABOUT = "every route of every daemon refuses callers without credentials; bad requests end in 4xx, slow ones in 408, and free what they held"
# Where each daemon answers HTTP over TCP; netfwd has its socket only. docs/reference/ports.md
PORTS = {"masterd": (8080, 5050), "agentd": (5051,), "netfwd": (), "dfs-meta": (7860,), "dfs-storage": (9095,), "services": (9000,)}
ALL_PORTS = sorted(port for ports in PORTS.values() for port in ports)
# These listen on loopback only and the firewall has their ports closed, unless an operator says otherwise: see expose().
ON_LOOPBACK = {"dfs-meta": 0o660, "dfs-storage": 0o660, "services": 0o666}  # with the mode of their sockets
FILES = {"/etc/gestalt/netfwd.d/40-policy.json": json.dumps({"policy": {"management_tcp": ALL_PORTS}})}
# Browsers ask with OPTIONS before they send credentials (CORS).
ANSWERS_OPTIONS = ("services",)
SERVICES_KEY = "/var/lib/gestalt/credentials/services/admin.json"
SLOW_CONNECTIONS = 54
HANG_SECONDS = 75
DESCRIPTORS_SLACK = len(PORTS)  # daemons open and close files of their own meanwhile
PARAMETER = re.compile(r"\{[^}]*\}")
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


def expose(node):
    """Lets every daemon be reached from here."""
    for daemon, mode in ON_LOOPBACK.items():
        rows = [{"unix": f"/run/gestalt/{daemon}.sock", "unix_mode": mode}]
        rows += [{"address": address, "port": port} for port in PORTS[daemon] for address in ("127.0.0.1", node.node.v4)]
        node.node.run(["mkdir", "-p", f"/etc/gestalt/{daemon}.d"])
        node.node.run(["tee", f"/etc/gestalt/{daemon}.d/50-listen.json"], text=json.dumps({"listen": rows}))
    node.node.run(["systemctl", "restart", *(f"gestalt-{daemon}" for daemon in ON_LOOPBACK)], timeout=120)
    node.check_units()
    node.wait_for("every listener", lambda: all(is_reached(node, port) for port in ALL_PORTS))


def is_reached(node, port):
    try:
        return raw(node, port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", seconds=2) == 401
    except OSError:
        return False


# Without credentials.

def routes(node, daemon):
    """Rows of the daemon's table: method, path with something in place of each parameter, whether it is open to everybody."""
    table = json.loads(node.node.run([f"/usr/libexec/gestalt/gestalt-{daemon}", "--dump-routes"]))
    return [(row["method"], PARAMETER.sub("x", row["path"]), row["scope"] == "public") for row in table]


def unlisted(node, daemon, rows):
    """What the running daemon says that it serves and its table does not have."""
    known = {(method, path) for method, path, _ in rows}
    if ("GET", "/openapi.json") not in known:
        return []
    served = json.loads(node.socket(daemon, "GET", "/openapi.json"))["paths"]
    return [f"{daemon} {method.upper()} {path}" for path, operations in served.items() for method in operations
            if (method.upper(), PARAMETER.sub("x", path)) not in known]


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
    """Status of a request over TCP; 0 when the connection was closed without one, None when it hangs."""
    lines = {"Host": node.node.v4, "Connection": "close", "Content-Length": "0", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return raw(node, port, f"{verb} {target} HTTP/1.1\r\n{head}\r\n".encode())


def over_tcp(node, daemon, port, method, path, public):
    """Every trick on one row of a table, as (what was tried, status, statuses that are right). `public`: rows that are open."""
    denied = (401, 403)
    # Before a caller is known, a path or method that does not exist may be called that.
    refused = (400, 401, 403, 404, 405, 501, 505)
    for headers in ({}, *HEADERS):
        yield f"{method} {path} {headers}", answer(node, port, method, path, headers), denied
    for verb in VERBS:
        if ("GET" if verb == "HEAD" else verb, path) not in public:
            right = (*refused, 204) if verb == "OPTIONS" and daemon in ANSWERS_OPTIONS else refused
            yield f"{verb} {path}", answer(node, port, verb, path), right
    for target in spellings(path):
        yield f"{method} {target}", answer(node, port, method, target), refused


def as_user(node, daemon, method, path, group):
    """As a user who has no rights, in the group that reaches the sockets or not. 0: the socket itself refused."""
    argv = ["setpriv", "--reuid=65534", f"--regid={group}", "--clear-groups", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
            "--max-time", "10", *(["-I"] if method == "HEAD" else ["-X", method]), "--unix-socket",
            f"/run/gestalt/{daemon}.sock", f"http://localhost{path}"]
    return int(node.node.run(argv, check=False) or 0)


def state(node):
    """What a request that slipped through could have changed. The services audit each change; what they do by themselves has no path."""
    parts = [node.ask("GET", "/v2/apps"), node.ask("GET", "/v2/deployments")]
    for daemon, path in (("netfwd", "/v1/policy"), ("netfwd", "/v1/services"), ("dfs-meta", "/dfs/v1/volumes")):
        parts.append(json.loads(node.socket(daemon, "GET", path)))
    done = json.loads(node.socket("services", "GET", "/audit/root/records?outcome=done&limit=1000"))["records"]
    return json.dumps([*parts, [each["n"] for each in done if each["record"].get("path")]], sort_keys=True)


def walk_daemon(node, report, daemon, leaks):
    """Number of requests that were tried on a daemon's closed routes; those that were answered are added to `leaks`."""
    rows = routes(node, daemon)
    public = {(method, path) for method, path, is_public in rows if is_public}
    closed = [(method, path) for method, path, is_public in rows if not is_public]
    beside = unlisted(node, daemon, rows)
    report.figure(f"{daemon}: routes", len(rows), f"{len(public)} of them open to everybody", at_least=5)
    report.figure(f"{daemon}: routes served that its table lacks", len(beside), "; ".join(beside[:5]), exactly=0)
    tried = 0
    for method, path in closed[::4] if report.smoke else closed:
        for port in PORTS[daemon]:
            for what, status, right in over_tcp(node, daemon, port, method, path, public):
                tried += 1
                if status not in right:
                    leaks.append(f"{daemon} {port} {what}: {status}")
        for group, right in (("65534", (0, 401, 403)), ("gestalt", (401, 403))):
            tried += 1
            status = as_user(node, daemon, method, path, group)
            if status not in right:
                leaks.append(f"{daemon} socket, group {group}, {method} {path}: {status}")
    return tried


def walk(node, report):
    """Over TCP without a token or with a wrong one in many spellings, and over the sockets as users with no rights."""
    before, leaks = state(node), []
    tried = sum(walk_daemon(node, report, daemon, leaks) for daemon in PORTS)
    report.figure("requests without credentials", tried, at_least=2000)
    report.figure("answered otherwise than refused", len(leaks), "; ".join(leaks[:8]), exactly=0)
    report.figure("state changed by them", "no" if state(node) == before else "yes", exactly="no")


# With credentials, but bad.

# A route of each daemon that reads JSON from its body, so that a request is refused for what it is and not for its path.
TARGETS = {"masterd": "/v2/apps", "agentd": "/v1/images/pull", "netfwd": "/v1/verdict", "dfs-meta": "/dfs/v1/volumes",
           "dfs-storage": "/v1/scrub", "services": "/event/root/channels"}
READS_NO_BODY = ("dfs-storage",)  # no route of it does
JSON_CASES = ("not JSON", "deep JSON")
# Only here may a connection end without a status, and why.
NO_STATUS = {
    "not HTTP": "there is no request that could be answered",
    "space in the path": "the library gives up such a request line before anybody can answer it",
    "chunked body without end": "the library takes a reply after the body only, and this one has no end",
}


def authorizations(node):
    """What opens each daemon: the node's token; the services have accounts of their own."""
    key = json.loads(node.node.run(["cat", SERVICES_KEY]))
    pair = base64.b64encode(f"{key['apiKey']}:{key['apiSecret']}".encode()).decode()
    return {**dict.fromkeys(PORTS, f"Bearer {node.token}"), "services": f"Basic {pair}"}


def link_to(node, place, seconds):
    """A connection to a port of the node, or to the socket of a daemon by its name."""
    if isinstance(place, int):
        return socket.create_connection((node.node.v4, place), timeout=seconds)
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(seconds)
    link.connect(f"/proc/{node.node.leader}/root/run/gestalt/{place}.sock")
    return link


def status_of(text):
    found = re.match(rb"HTTP/1\.[01] (\d+)", text)
    return int(found.group(1)) if found else 0


def raw(node, place, data, seconds=HANG_SECONDS):
    """Sends bytes as they are; the status of the answer, 0 when the connection was closed without one, None when it hangs."""
    with link_to(node, place, seconds) as link:
        try:
            link.sendall(data)
        except ConnectionError:
            pass  # the answer may have come before all was sent
        except TimeoutError:
            return None
        try:
            return status_of(link.recv(4096))
        except ConnectionError:
            return 0
        except TimeoutError:
            return None


def bad_requests(path, authorization):
    get, post = f"GET {path} HTTP/1.1\r\n".encode(), f"POST {path} HTTP/1.1\r\n".encode()
    head = f"Host: x\r\nAuthorization: {authorization}\r\n".encode()
    post += head
    return {
        "body over the limit": post + b"Content-Length: 999999999\r\n\r\n{",
        "chunked body without end": post + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 320,
        "header over the limit": get + head + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        "too many headers": get + head + b"".join(b"X-%d: 1\r\n" % i for i in range(5000)) + b"\r\n",
        "path over the limit": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + head + b"\r\n",
        "two lengths": post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "length that is no number": post + b"Content-Length: 2x\r\n\r\n{}",
        "negative length": post + b"Content-Length: -2\r\n\r\n{}",
        "length and chunks": post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunk that is no number": post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "unknown coding": post + b"Transfer-Encoding: gzip\r\n\r\n",
        "not JSON": post + b"Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{]}",
        "deep JSON": post + b"Content-Type: application/json\r\nContent-Length: 20000\r\n\r\n" + b"[" * 20000,
        "zero byte in the path": f"GET {path}/%00 HTTP/1.1\r\n".encode() + head + b"\r\n",
        "space in the path": f"GET {path} x HTTP/1.1\r\n".encode() + head + b"\r\n",
        "header without a colon": get + head + b"nonsense\r\n\r\n",
        "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    }


def is_refused(name, status):
    return status is not None and (400 <= status < 500 or status == 0 and name in NO_STATUS)


def refuse(node, report):
    """Each bad request to each listener, netfwd's socket among them, from somebody with credentials."""
    keys, held, statuses = authorizations(node), descriptors(node), {}
    for daemon, ports in PORTS.items():
        for name, data in bad_requests(TARGETS[daemon], keys[daemon]).items():
            if name not in JSON_CASES or daemon not in READS_NO_BODY:
                statuses.setdefault(name, []).extend(raw(node, place, data) for place in ports or (daemon,))
    for name, found in statuses.items():
        shown, wanted = "/".join(map(str, found)), f"4xx or closed: {NO_STATUS[name]}" if name in NO_STATUS else "4xx"
        report.figure(f"{name}: refused on {len(found)} listeners", shown,
                      exactly=shown if all(is_refused(name, status) for status in found) else wanted)
    wait_freed(node, held)
    report.figure("bad requests: descriptors left", max(0, descriptors(node) - held), at_most=DESCRIPTORS_SLACK)


# With credentials, but slow.

def connections(node):
    """Established connections from here to the daemons' ports inside the node."""
    ports = " or ".join(f"sport = :{port}" for port in ALL_PORTS)
    here, _ = node.bed.network.address(1)
    return len(node.node.run(["ss", "-H", "-t", "-n", "state", "established", f"( {ports} ) and dst {here}"]).splitlines())


def descriptors(node):
    """Open descriptors of all daemons."""
    total = 0
    for daemon in PORTS:
        pid = node.node.run(["systemctl", "show", "-P", "MainPID", f"gestalt-{daemon}"]).strip()
        total += len(node.node.run(["ls", f"/proc/{pid}/fd"]).split())
    return total


def wait_freed(node, held):
    node.wait_for("freed descriptors", lambda: descriptors(node) <= held + DESCRIPTORS_SLACK, seconds=20)


# How a slow client begins; then it sends one byte now and then, but for the one that sends nothing at all. And the statuses that are right:
# before a request line is whole there is no request, and nobody is told.
SLOW = {"head": (408,), "body": (408,), "request line": (0, 408), "nothing": (0,)}


def slow_start(name, path, authorization):
    head = f"Host: x\r\nAuthorization: {authorization}\r\n"
    return {"head": f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Slow: ",
            "body": f"POST {path} HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n",
            "request line": f"GET {path}", "nothing": ""}[name].encode()


def told(link):
    """All that came on a connection that the other end has closed."""
    text = b""
    try:
        while part := link.recv(4096):
            text += part
    except (ConnectionError, TimeoutError):
        pass
    return text


def is_told_well(text, name):
    """Whether it is what a slow client is to hear: a whole problem, and that the connection ends."""
    if status_of(text) != 408:
        return status_of(text) in SLOW[name]
    head, _, body = text.partition(b"\r\n\r\n")
    closes = re.search(rb"(?i)^connection: *close\r?$", head, re.MULTILINE) is not None
    return closes and b"application/problem+json" in head and b'"status":408' in body.replace(b" ", b"")


def slow(node, report, name, keys):
    """Connections that send a byte now and then, or nothing, are told 408 and ended by the daemons' deadlines."""
    before, held = connections(node), descriptors(node)
    targets = [(daemon, port) for daemon, ports in PORTS.items() for port in ports]
    targets = [targets[i % len(targets)] for i in range(SLOW_CONNECTIONS)]
    links = [link_to(node, port, 5) for _, port in targets]
    begin = time.monotonic()
    for (daemon, _), link in zip(targets, links):
        link.sendall(slow_start(name, TARGETS[daemon], keys[daemon]))
    report.figure(f"slow {name}: connections", connections(node) - before, exactly=SLOW_CONNECTIONS)
    while time.monotonic() - begin < HANG_SECONDS and connections(node) > before:
        for link in links if name != "nothing" else ():
            try:
                link.send(b"a")
            except OSError:
                pass
        time.sleep(0.5)
    report.figure(f"slow {name}: connections left", max(0, connections(node) - before), exactly=0)
    report.figure(f"slow {name}: ended after", time.monotonic() - begin, "s")
    answers = [told(link) for link in links]
    unlike = [f"{daemon} {port}: {text[:80]!r}" for (daemon, port), text in zip(targets, answers) if not is_told_well(text, name)]
    report.figure(f"slow {name}: told {' or '.join(str(status or 'nothing') for status in SLOW[name])}", SLOW_CONNECTIONS - len(unlike),
                  "; ".join(unlike[:3]), exactly=SLOW_CONNECTIONS)
    for link in links:
        link.close()
    wait_freed(node, held)
    report.figure(f"slow {name}: descriptors left", max(0, descriptors(node) - held), at_most=DESCRIPTORS_SLACK)


def show(report):
    with frame.fresh_appliance(FILES) as node:
        expose(node)
        walk(node, report)
        refuse(node, report)
        keys = authorizations(node)
        for name in ("head",) if report.smoke else SLOW:
            slow(node, report, name, keys)
        node.ask("GET", "/v2/info")
