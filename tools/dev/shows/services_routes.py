# SPDX-License-Identifier: Apache-2.0
"""The interface of gestalt-services held against what it does, twice. By its suites: every answer of every suite is checked where it is
given (tests/support/services/reply_check.h), each change is really tried, and what was seen is counted here. And from outside: a client
made of nothing but /openapi.json walks a running daemon over its sockets, on objects that it makes itself."""
import json
import os
import re
import subprocess
import urllib.parse

import build
from say import Failure
from shows import services, services_world
from shows.json_schema import Schemas

ABOUT = "every route of the services: none open by accident, a real dry run for each change, every reply of the suites in its schema"
UNKNOWN = "00000000-0000-4000-8000-00000000dead"
PROBLEM = {"Accept": "application/problem+json"}
UNIT, CONTRACT = "unit/services/", "contract/"
# Below the build folder's tests; those of the short form with the mounts whose every route they ask.
SUITES = {
    UNIT + "audit/services_audit_test": ("/audit", "/task"),
    UNIT + "change/change_test": (),
    UNIT + "event/event_service_test": ("/event", "/kafka"),
    UNIT + "launcher/launcher_service_test": (),
    UNIT + "meta/meta_service_test": ("/meta",),
    UNIT + "sdk/sdk_test": (),
    UNIT + "security/security_service_test": (),
    CONTRACT + "internal_directory_test": (),
    CONTRACT + "ldap_directory_test": (),
}
SECONDS_MAX = 1200
GOOD = {"reply", "empty", "other", "stream", "task", "explained"}
# Routes that no caller can be answered well by, and why.
NEVER = {}


class Client:
    """A client generated from the interface: calls by method and path template, every reply held against what was promised."""

    def __init__(self, daemon):
        self.daemon = daemon
        status, _, text = daemon.ask("GET", "/openapi.json")
        if status != 200:
            raise Failure(f"/openapi.json answered {status}")
        self.api = json.loads(text)
        self.components = Schemas(self.api["components"]["schemas"])
        self.operations = {(method.upper(), path): operation for path, methods in self.api["paths"].items()
                           for method, operation in methods.items()}
        for (method, path), operation in self.operations.items():
            for reply in operation["responses"].values():
                for content in reply.get("content", {}).values():
                    self.components.check(content.get("schema", {}), f"{method} {path}")
        self.authorization = None
        self.wrong, self.good, self.tried = [], set(), set()
        self.checked = 0

    def call(self, method, path, /, body=None, headers=None, over="unix", **parameters):
        """(status, value) of a call, and whatever its reply breaks is noted. The parameters are those of the path and of the query."""
        operation = self.operations[method, path]
        names = re.findall(r"\{(\w+)\}", path)
        filled = re.sub(r"\{(\w+)\}", lambda match: urllib.parse.quote(str(parameters[match.group(1)]), safe="/"), path)
        query = urllib.parse.urlencode({name: value for name, value in parameters.items() if name not in names})
        sent = {**({"Authorization": self.authorization} if self.authorization and over == "unix" else {}), **(headers or {})}
        status, got, text = self.daemon.ask(method, filled + ("?" + query if query else ""), body, sent, over)
        value, wrong = self.look_at(operation, status, {name.lower(): value for name, value in got.items()}, text)
        self.checked += 1
        is_tried = parameters.get("dryrun") and status < 300
        if wrong is None and is_tried:
            wrong = self.components.mismatch({"type": "object", "required": ["dryrun", "would"]}, value)
        if wrong is not None:
            self.wrong.append(f"{method} {filled} {query} {status}{wrong}: {text[:300]}")
        elif is_tried:
            if value["would"].get("status", 200) < 400:
                self.tried.add((method, path))
        elif status < 400:
            self.good.add((method, path))
        return status, value

    def look_at(self, operation, status, headers, text):
        """(JSON or None, what the reply breaks or None)."""
        kind = headers.get("content-type", "").split(";")[0].strip()
        responses = operation["responses"]
        promised = responses.get(str(status)) or responses["2XX" if status < 300 else "default"]
        if 300 <= status < 400 or not text:
            return None, " has no body" if status == 200 and "x-reply" in operation else None
        content = promised["content"].get(kind)
        if content is None and "*/*" in promised["content"] and "json" not in kind:
            content = promised["content"]["*/*"]
        # A page that asks for a login says in words what was wrong.
        if content is None and status >= 400 and "json" not in kind:
            content = {}
        if content is None:
            return json.loads(text) if "json" in kind else None, f" is of the type {kind}, which is not promised"
        if "json" not in kind:
            return None, None
        value = json.loads(text)
        return value, self.components.mismatch(content.get("schema", {}), value)


def seen_by_suites(report):
    """Runs the suites, and counts what they have seen: {(method, route): {kind: count}} of the routes, by status class."""
    chosen = [path for path, mounts in SUITES.items() if mounts or not report.smoke]
    build.build("debug", [path.rsplit("/", 1)[1] for path in chosen])
    seen = {}
    with services.scratch("seen") as folder:
        file = folder / "seen"
        for path in chosen:
            done = subprocess.run([build.folder("debug") / "tests" / path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", timeout=SECONDS_MAX, env={**os.environ, "GESTALT_ROUTES_SEEN": str(file)})
            if done.returncode != 0:
                raise Failure(f"{path} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        for line in file.read_text().splitlines():
            method, route, _, status, kind, count = line.split("\t")
            kinds = seen.setdefault((method, re.sub(r"\.\.\.\}", "}", route)), {})
            kinds[status, kind] = kinds.get((status, kind), 0) + int(count)
    return seen


def shown(names, most=8):
    return "; ".join(f"{method} {path}" for method, path in sorted(names)[:most]) + (" …" if len(names) > most else "")


def show_suites(report, api):
    routes, mutations = set(), set()
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            routes.add((method.upper(), operation["x-route"]))
            if operation["x-kind"] == "mutation":
                mutations.add((method.upper(), operation["x-route"]))
    seen = {route: kinds for route, kinds in seen_by_suites(report).items() if route in routes}
    of_kind = lambda *wanted: sum(count for kinds in seen.values() for (_, kind), count in kinds.items() if kind in wanted)
    good = {route for route, kinds in seen.items() if any(kind in GOOD for _, kind in kinds)}
    tried = {route for route, kinds in seen.items() if any(kind == "tried" for _, kind in kinds)}
    operations = sum(map(len, api["paths"].values()))
    report.figure("routes in the interface", len(routes), f"{operations} operations: an organisation's are there by its id and by its name")
    report.figure("suites: replies checked", of_kind("dryrun", "error", *GOOD), f"{of_kind('error')} of them errors")
    report.figure("suites: replies that do not fit", of_kind("mismatch"), exactly=0)
    if report.smoke:
        mounts = [mount for mounts in SUITES.values() for mount in mounts]
        routes, mutations = ({(method, path) for method, path in each if path.startswith(tuple(f"{mount}/" for mount in mounts))}
                             for each in (routes, mutations))
        report.figure("routes of the suites that run", len(routes), " ".join(mounts))
    never, untried = routes - good - NEVER.keys(), mutations - tried - NEVER.keys()
    report.figure("suites: routes without a good reply", len(never), shown(never), exactly=0)
    report.figure("suites: mutations never tried", len(untried), f"of {len(mutations)}; {shown(untried)}", exactly=0)
    for why in sorted(set(NEVER.values())):
        report.figure(f"routes without a good answer: {why}", list(NEVER.values()).count(why))


def walk_as_nobody(report, client):
    """Over TCP, without credentials: only what says that it is anonymous may answer otherwise than 401."""
    opened, anonymous = [], 0
    for (method, path), operation in client.operations.items():
        if operation["x-access"] == "anonymous":
            anonymous += 1
            continue
        names = {name: "root" if name == "org" else UNKNOWN for name in re.findall(r"\{(\w+)\}", path)}
        status, _ = client.call(method, path, headers=PROBLEM, over="tcp", **names)
        if status != 401:
            opened.append(f"{method} {path}: {status}")
    report.figure("routes that answered nobody", len(opened), "; ".join(opened[:5]), exactly=0)
    return anonymous


def walk_as_administrator(client, world):
    """Each operation on real objects: queries as they are, changes as dry runs with the body of an example."""
    crashed = []
    for (method, path), operation in sorted(client.operations.items(), key=lambda each: each[0][1]):
        if "stream" in path:
            continue
        is_change = operation["x-kind"] == "mutation"
        parameters = world.parameters(path)
        more = {**world.query(method, operation), **({"dryrun": "true"} if is_change else {})}
        body, headers = world.body(method, path, operation)
        status, _ = client.call(method, path, body, headers, **{**parameters, **more})
        if status >= 500 and status != 503:
            crashed.append(f"{method} {path}: {status}")
        # What does not exist is told as the mount tells errors, and as a problem to who wants one.
        if parameters and set(parameters) != {"org"}:
            missing = {name: value if name == "org" else UNKNOWN for name, value in parameters.items()}
            client.call(method, path, body, {**(headers or {}), **PROBLEM}, **{**missing, **more})
    return crashed


def show(report):
    with services.scratch("routes") as folder, services.Daemon(folder) as daemon:
        client = Client(daemon)
        undecided = [f"{method} {path}" for (method, path), operation in client.operations.items()
                     if operation.get("x-access") not in ("anonymous", "authenticated", "right", "entitlement")]
        without_dryrun = [f"{method} {path}" for (method, path), operation in client.operations.items()
                          if (operation["x-kind"] == "mutation") != any(each["name"] == "dryrun" for each in operation["parameters"])]
        show_suites(report, client.api)
        report.figure("routes without a decision on access", len(undecided), "; ".join(undecided[:5]), exactly=0)
        report.figure("mutations without a dry run in the interface", len(without_dryrun), "; ".join(without_dryrun[:5]), exactly=0)
        anonymous = walk_as_nobody(report, client)
        client.authorization = daemon.administrator_key()
        world = services_world.World(client)
        crashed = walk_as_administrator(client, world)
        report.figure("routes that failed inside", len(crashed), "; ".join(crashed[:5]), exactly=0)
        mutations = sum(operation["x-kind"] == "mutation" for operation in client.operations.values())
        report.figure("socket: operations walked", len(client.operations), f"{mutations} of them mutations, {anonymous} anonymous", at_least=10)
        report.figure("socket: replies checked", client.checked, f"on {world.made} objects made for it", at_least=1000)
        report.figure("socket: replies that do not fit", len(client.wrong), "; ".join(client.wrong[:5]), exactly=0)
        report.figure("socket: operations with a good reply", len(client.good), at_least=100)
        report.figure("socket: mutations really tried", len(client.tried), at_least=100)
