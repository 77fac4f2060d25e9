# SPDX-License-Identifier: Apache-2.0
"""How fast the services answer over a socket and in process, whether that depends on how much there is, start and memory; beside
oidc-provider, the token server that a user could take from npm.

Over the socket the client runs on the same processors: the rate is what both together reach, the processor time is the server's alone.
"""
import base64
import contextlib
import json
import pathlib
import random
import subprocess
import time
import urllib.parse
import uuid

import appliance
import build
import say
from say import Failure
from shows import services

ABOUT = "tokens, reads and creates per second, flat in resources and organisations; start and memory; beside oidc-provider"
INSPECT_MIN, GET_MIN, CREATE_MIN = 20_000, 15_000, 3_000
FLAT_MIN = 0.6  # what is left of the speed with the most
MEMORY_MIB_MAX, START_SECONDS_MAX = 100, 1.0
CONNECTIONS = 32
FEW, MANY, ORGS = 10, 100_000, 10_000
MANY_SMOKE, ORGS_SMOKE = 1000, 100
GROW_SECONDS_MAX = 900
SAMPLE = 5000  # different resources that are read
SEED = 20261130
PEER = "oidc-provider@9.13.3"
FORM = "application/x-www-form-urlencoded"
# Nobody is refused for asking often here; that is another show's subject.
LIMITS = {"requests_per_second": 0, "address_requests_per_second": 0}


def tools():
    build.build(appliance.preset(), ["services-load", "services-calls"])
    return build.folder(appliance.preset()) / "bench"


class Load:
    """The load program against one server, with files in a folder."""

    def __init__(self, folder, target, pid, authorization):
        self.folder, self.target, self.pid, self.authorization = folder, str(target), pid, authorization
        self.sent = 0

    def __call__(self, requests, status=200, seconds=5, count=0, authorization=None):
        self.sent += 1
        file = self.folder / "requests"
        file.write_text("".join(json.dumps(request) + "\n" for request in requests))
        done = subprocess.run([tools() / "services-load", "--to", self.target, "--requests", file, "--pid", str(self.pid), "--connections",
                               str(CONNECTIONS), "--seconds", str(seconds), "--count", str(count), "--status", str(status), "--from",
                               str(self.sent * 10_000_000), "--authorization", authorization or self.authorization],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
        if done.returncode != 0:
            raise Failure(f"the load failed: {done.stderr[-1000:]}")
        return json.loads(done.stdout)


def figure(report, what, run, at_least=None):
    report.figure(what, run["per_second"], f"/s, p50 {run['p50_us']:.0f} us, p99 {run['p99_us']:.0f} us, "
                  f"{run['server_cpu_us']:.0f} CPU us of the server, {run['client_cpu_us']:.0f} of the client", at_least=at_least)


class Speed:
    def __init__(self, daemon, seconds):
        self.daemon, self.seconds = daemon, seconds
        self.basic = daemon.administrator_key()
        daemon.must("POST", "/meta/sync")
        self.load = Load(daemon.folder, daemon.socket, daemon.process.pid, self.basic)
        issued = self.form("/security/root/oauth/issue", {"grant_type": "client_credentials"})
        self.token = issued["access_token"]
        self.load.authorization = "Bearer " + self.token
        self.known = self.token_of_somebody()
        place = daemon.must("POST", "/meta/root/workspaces", {"name": "speed"})
        self.place = f"/meta/root/workspaces/{place['id']}/environments"
        self.ids = []

    def token_of_somebody(self):
        """Of an account that makes no organisations: who makes one joins its administrators, and an inspection lists all groups."""
        somebody = self.daemon.must("POST", "/security/root/accounts", {"username": "somebody", "firstName": "", "lastName": ""})
        key = self.daemon.must("POST", f"/security/accounts/{somebody['id']}/apiKeys", {"orgId": self.daemon.must("GET", "/security/root")["id"]})
        pair = base64.b64encode(f"{key['apiKey']}:{key['apiSecret']}".encode()).decode()
        issued = self.form("/security/root/oauth/issue", {"grant_type": "client_credentials"}, f"Basic {pair}")
        return issued["access_token"]

    def form(self, path, fields, authorization=None):
        connection = services.UnixConnection(self.daemon.socket)
        connection.request("POST", path, urllib.parse.urlencode(fields),
                           {"Content-Type": FORM, "Authorization": authorization or self.basic})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        if reply.status != 200:
            raise Failure(f"{path}: {reply.status} {text}")
        return json.loads(text)

    def grow(self, resources):
        """Until there are so many, with ids of our own to read them by."""
        ids = [str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(resources - len(self.ids))]
        made = self.load([{"method": "POST", "path": self.place, "body": json.dumps(
            {"id": each, "name": f"g{each}", "properties": {"environment_type": "development"}})} for each in ids], status=201, count=len(ids),
                         seconds=GROW_SECONDS_MAX)
        if made["requests"] < len(ids):
            raise Failure(f"only {made['requests']} of {len(ids)} resources within {GROW_SECONDS_MAX} s")
        self.ids += ids
        return made

    def grow_orgs(self, count):
        return self.load([{"method": "POST", "path": "/meta/root", "body": json.dumps({"name": "org@N@"})}], status=201, count=count,
                         seconds=GROW_SECONDS_MAX)

    def inspect(self, token):
        request = {"method": "POST", "path": "/security/root/oauth/inspect", "body": urllib.parse.urlencode({"token": token}), "type": FORM}
        return self.load([request], seconds=self.seconds, authorization=self.basic)

    def measure(self):
        reads = [{"method": "GET", "path": f"/meta/root/environments/{each}"} for each in random.sample(self.ids, min(SAMPLE, len(self.ids)))]
        create = {"method": "POST", "path": self.place, "body": json.dumps({"name": "m@N@", "properties": {"environment_type": "development"}})}
        return {"token inspection": self.inspect(self.known),
                "cached authentication": self.load([{"method": "GET", "path": "/security/accounts/self"}], seconds=self.seconds),
                "meta GET by id": self.load(reads, seconds=self.seconds),
                "create": self.load([create], status=201, seconds=self.seconds)}


def measure_daemon(report, seconds):
    many, orgs = (MANY_SMOKE, ORGS_SMOKE) if report.smoke else (MANY, ORGS)
    targets = {"token inspection": INSPECT_MIN, "cached authentication": INSPECT_MIN, "meta GET by id": GET_MIN, "create": CREATE_MIN}
    with services.scratch("speed") as folder, services.Daemon(folder, {"limits": LIMITS}) as daemon:
        report.figure("resident memory, idle", daemon.resident_mib(), "MiB, empty store", at_most=MEMORY_MIB_MAX)
        speed = Speed(daemon, seconds)
        speed.grow(FEW)
        first = speed.measure()
        for what, run in first.items():
            figure(report, f"{what}, socket, {FEW} resources", run, targets[what])
        with say.step(f"grow to {many} resources"):
            grown = speed.grow(many)
        figure(report, f"creates while growing to {many}", grown)
        last = speed.measure()
        for what, run in last.items():
            figure(report, f"{what}, socket, {many} resources", run, targets[what])
        with say.step(f"grow to {orgs} organisations"):
            grown = speed.grow_orgs(orgs)
        figure(report, f"rate of making organisations, up to {orgs}", grown)
        report.figure("organisations made by one administrator", grown["requests"], f"within {GROW_SECONDS_MAX} s", at_least=orgs)
        wide = speed.measure()
        for what, run in wide.items():
            figure(report, f"{what}, socket, {many} resources, {orgs} organisations", run, targets[what])
        figure(report, f"inspection of the token of who made {orgs} organisations and is in the group of each", speed.inspect(speed.token))
        for what in ("meta GET by id", "create"):
            report.figure(f"{what}: speed left at {many} resources", last[what]["per_second"] / first[what]["per_second"], at_least=FLAT_MIN)
        for what in targets:
            report.figure(f"{what}: speed left with {orgs} organisations too", wide[what]["per_second"] / first[what]["per_second"],
                          at_least=FLAT_MIN)
        daemon.stop()
        daemon.start()
        report.figure("start to ready", daemon.ready_seconds, f"s, {many} resources, {orgs} organisations", at_most=START_SECONDS_MAX)
        time.sleep(2)  # what a start leaves to be done is done
        own, mapped = daemon.own_and_mapped_mib()
        report.figure("memory of its own after that start", own, f"MiB, {many} resources, {orgs} organisations", at_most=MEMORY_MIB_MAX)
        report.figure("pages of the store beside it", mapped, "MiB of the page cache that are mapped, and go when the node needs them")
    return first["token inspection"]


def measure_calls(report, seconds):
    many = MANY_SMOKE if report.smoke else MANY
    with services.scratch("calls") as folder:
        done = subprocess.run([tools() / "services-calls", folder / "w", str(seconds), str(many)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=1800)
    if done.returncode != 0:
        raise Failure(f"services-calls failed: {done.stderr[-1000:]}")
    runs = json.loads(done.stdout)
    titles = {"inspect": ("token inspection", INSPECT_MIN), "authenticated": ("cached authentication", INSPECT_MIN),
              "get": ("meta GET by id", GET_MIN), "create": ("create", CREATE_MIN)}
    for name, run in runs.items():
        if name in ("resources", "filling"):
            continue
        kind, _, callers = name.partition("_")
        title, least = titles[kind]
        # One caller is what the daemon's loop is; the machine's processors together have the target.
        report.figure(f"{title}, in process, {callers or CONNECTIONS} caller(s), {many} resources", run["per_second"],
                      f"/s, p50 {run['p50_us']:.0f} us, p99 {run['p99_us']:.0f} us, {run['cpu_us']:.0f} CPU us",
                      at_least=None if callers == "1" else least)


@contextlib.contextmanager
def peer():
    """oidc-provider from npm, with tokens in memory; its port, its process and an access token."""
    with services.scratch("peer") as folder:
        (folder / "package.json").write_text('{"private":true,"type":"module"}')
        installed = subprocess.run(["npm", "install", "--no-audit", "--no-fund", PEER], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                                   text=True, timeout=300)
        if installed.returncode != 0:
            raise Failure("npm could not install the peer: " + installed.stderr[-500:])
        script = folder / "peer.js"
        script.write_text(pathlib.Path(__file__).with_name("oidc_peer.js").read_text())
        port = services.free_port()
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(["node", script, str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={"PATH": "/usr/bin:/bin:/usr/local/bin", "NODE_ENV": "production"})
        try:
            yield folder, port, process
        finally:
            process.kill()
            process.wait()


def measure_peer(report, seconds, ours):
    try:
        with peer() as (folder, port, process):
            basic = "Basic " + services.base64.b64encode(b"bench:bench-secret-of-this-run").decode()
            issued = None
            for _ in range(200):
                with contextlib.suppress(OSError):
                    connection = services.http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                    connection.request("POST", "/token", "grant_type=client_credentials", {"Content-Type": FORM, "Authorization": basic})
                    issued = json.loads(connection.getresponse().read())
                    break
                time.sleep(0.05)
            if not issued or "access_token" not in issued:
                raise Failure(f"oidc-provider issued no token: {issued} {(folder / 'log').read_text()[-500:]}")
            load = Load(folder, port, process.pid, basic)
            body = urllib.parse.urlencode({"token": issued["access_token"]})
            run = load([{"method": "POST", "path": "/token/introspection", "body": body, "type": FORM}], seconds=seconds)
    except (Failure, OSError, subprocess.TimeoutExpired) as problem:
        report.figure("oidc-provider", "not measured", str(problem)[:200])
        return
    figure(report, f"token inspection by {PEER}, TCP, tokens in memory", run)
    report.figure("ours over its rate", ours["per_second"] / run["per_second"], "times")


def show(report):
    random.seed(SEED)
    seconds = 1 if report.smoke else 5
    ours = measure_daemon(report, seconds)
    measure_calls(report, seconds)
    measure_peer(report, seconds, ours)
