# SPDX-License-Identifier: Apache-2.0
"""The calls of the original's command line client, each answered in the shape that it reads.

The calls and shapes are data (fog_shapes.json). The client itself is not part of this tree.
"""
import http.client
import json
import pathlib
import re
import urllib.parse

from shows import services

ABOUT = "every call that the original command line client sends is answered with the fields that it reads"
DATA = pathlib.Path(__file__).with_name("fog_shapes.json")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
KINDS = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "uuid": lambda value: isinstance(value, str) and UUID.match(value),
    "time": lambda value: isinstance(value, str) and TIME.match(value),
}


def at(value, path):
    """[(place, value)] of everything that a path with `*` leads to; nothing where a step is absent."""
    found = [("", value)]
    for step in path.split("/"):
        following = []
        for place, here in found:
            if step == "*" and isinstance(here, list):
                following += [(f"{place}/{number}", entry) for number, entry in enumerate(here)]
            elif isinstance(here, dict) and step in here:
                following.append((f"{place}/{step}", here[step]))
            elif isinstance(here, list) and step.isdigit() and int(step) < len(here):
                following.append((f"{place}/{step}", here[int(step)]))
            elif step != "*":
                following.append((f"{place}/{step}", None))
        found = following
    return found


def wrong_fields(answer, shape):
    """(checked, [what is wrong]) of an answer's fields."""
    checked, wrong = 0, []
    for path, kind in shape.items():
        optional, kind = kind.endswith("?"), kind.rstrip("?")
        for place, value in at(answer, path):
            checked += 1
            if value is None and optional:
                continue
            if not KINDS[kind](value):
                wrong.append(f"{place} is {json.dumps(value)[:60]}, no {kind}")
    return checked, wrong


class Client:
    """What fog does on the wire: JSON in, JSON out, a bearer token."""

    def __init__(self, port):
        self.port, self.token, self.kept, self.body = port, None, {}, None

    def fill(self, value):
        if isinstance(value, str):
            for name in sorted(self.kept, key=len, reverse=True):
                value = value.replace(f"${name}", self.kept[name])
            return value
        if isinstance(value, list):
            return [self.fill(entry) for entry in value]
        if isinstance(value, dict):
            return {key: self.fill(entry) for key, entry in value.items()}
        return value

    def send(self, call):
        headers, body = {}, None
        if "form" in call:
            body, headers["Content-Type"] = urllib.parse.urlencode(self.fill(call["form"])), "application/x-www-form-urlencoded"
        elif "body" in call or "kept_body" in call:
            body, headers["Content-Type"] = json.dumps(self.fill(self.body_of(call))), "application/json"
        if self.token and not call.get("anonymous"):
            headers["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(call["method"], self.fill(call["path"]), body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def body_of(self, call):
        """A body of its own, or the one read before with some fields changed."""
        if "body" in call:
            return call["body"]
        body = json.loads(json.dumps(self.body))
        for path, value in call["kept_body"].items():
            *way, last = path.split("/")
            here = body
            for step in way:
                here = here[step]
            here[last] = value
        return body


def shape_of(data, call):
    """The fields of a call's answer, with those that every resource has."""
    shape = dict(call.get("shape", {}))
    if "item" in call:
        shape.update(data[call["item"]])
    if "list" in call:
        shape.update({f"*/{path}": kind for path, kind in data[call["list"]].items()})
    return shape


def judge(data, client, call):
    """(fields checked, [what is wrong]) of one call."""
    status, text = client.send(call)
    if status not in call.get("status", [200]):
        return 0, [f"status {status}: {text[:200]}"]
    if not text:
        return 0, []
    try:
        answer = json.loads(text)
    except ValueError:
        return 0, [f"no JSON: {text[:80]}"]
    checked, wrong = wrong_fields(answer, shape_of(data, call))
    if "list" in call and not isinstance(answer, list):
        wrong.append("no list")
    if "at_least" in call and len(answer) < call["at_least"]:
        wrong.append(f"{len(answer)} entries, at least {call['at_least']} are there")
    if "message" in call and answer.get("message") != call["message"]:
        wrong.append(f"message {answer.get('message')!r}")
    if "absent" in call and call["absent"] in text:
        wrong.append("a secret is in the answer")
    if not wrong:
        client.kept.update({name: at(answer, path)[0][1] for name, path in call.get("keep", {}).items()})
        if "keep_body" in call:
            client.body = at(answer, call["keep_body"])[0][1]
        if "token" in call:
            client.token = answer[call["token"]]
    return checked, wrong


def show(report):
    data = json.loads(DATA.read_text())
    with services.scratch("fog") as folder, services.Daemon(folder, preset="debug") as daemon:
        daemon.add_administrator("fog", "a-password-for-this-show")
        client = Client(daemon.port)
        client.kept.update({"username": "fog", "password": "a-password-for-this-show"})
        fields, good = 0, 0
        for call in data["calls"]:
            checked, wrong = judge(data, client, call)
            fields += checked
            good += not wrong
            for text in wrong:
                print(f"  {call['fog']}: {call['method']} {call['path']}: {text}", flush=True)
    report.figure("calls of fog", len(data["calls"]))
    report.figure("answered in its shape", good, exactly=len(data["calls"]))
    report.figure("fields compared", fields, at_least=100)
