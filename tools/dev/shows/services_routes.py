# SPDX-License-Identifier: Apache-2.0
"""Walks /openapi.json of a running gestalt-services: who may call what, and that every change can be tried without effect."""
import json
import re

from shows import services
from say import Failure

ABOUT = "every route of the services: none open by accident, a dry run for each change, replies in their schemas"
ID = "00000000-0000-4000-8000-00000000dead"


def resolve(schema, components):
    while "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    return schema


def mismatch(schema, value, components, at=""):
    """Where a value does not fit the part of JSON Schema that the tables use; None when it fits."""
    schema = resolve(schema, components)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None)}
    wanted = schema.get("type")
    if wanted is not None:
        wanted = wanted if isinstance(wanted, list) else [wanted]
        if not any(isinstance(value, kinds[kind]) and not (kind in ("integer", "number") and isinstance(value, bool)) for kind in wanted):
            return f"{at}: not of type {wanted}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at}: none of {schema['enum']}"
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                return f"{at}/{name}: missing"
        for name, inner in schema.get("properties", {}).items():
            if name in value and (wrong := mismatch(inner, value[name], components, f"{at}/{name}")):
                return wrong
        if schema.get("additionalProperties") is False and set(value) - set(schema.get("properties", {})) - {"explain"}:
            return f"{at}: unknown fields"
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            if wrong := mismatch(schema["items"], item, components, f"{at}/{number}"):
                return wrong
    return None


def operations(api):
    for path, methods in sorted(api["paths"].items()):
        for method, operation in sorted(methods.items()):
            yield path, method.upper(), operation


def fill(path):
    return re.sub(r"\{(\w+)\}", lambda match: "root" if match.group(1) == "org" else ID, path)


def show(report):
    with services.scratch("routes") as folder, services.Daemon(folder) as daemon:
        status, _, text = daemon.ask("GET", "/openapi.json")
        if status != 200:
            raise Failure(f"/openapi.json answered {status}")
        api = json.loads(text)
        components = api["components"]["schemas"]
        total, mutations, undecided, opened, without_dryrun, crashed, unlike = 0, 0, [], [], [], [], []
        checked, anonymous = 0, 0
        for path, method, operation in operations(api):
            total += 1
            name = f"{method} {path}"
            if operation.get("x-access") not in ("anonymous", "authenticated", "right", "entitlement"):
                undecided.append(name)
            if operation.get("x-kind") == "mutation":
                mutations += 1
                if not any(each["name"] == "dryrun" for each in operation["parameters"]):
                    without_dryrun.append(name)
            # Nobody, over TCP: only what says that it is anonymous may answer otherwise than 401.
            status, _, text = daemon.ask(method, fill(path), over="tcp")
            anonymous += 1 if operation["x-access"] == "anonymous" else 0
            if operation["x-access"] != "anonymous" and status != 401:
                opened.append(f"{name}: {status}")
            # The administrator, on the socket: nothing may fail inside, and good replies fit their schemas.
            dry = "?dryrun=true" if operation["x-kind"] == "mutation" else ""
            if "stream" in path:
                continue
            status, headers, text = daemon.ask(method, fill(path) + dry, headers={"Accept": "application/problem+json"})
            if status >= 500 and status != 503:
                crashed.append(f"{name}: {status}")
            good = operation["responses"].get("2XX", {}).get("content", {}).get("application/json")
            kind = {key.lower(): value for key, value in headers.items()}.get("content-type", "")
            if status >= 400 and "json" in kind:
                checked += 1
                if wrong := mismatch(components["Problem"], json.loads(text), components):
                    unlike.append(f"{name}{wrong}")
            elif good and not dry and "json" in kind:
                checked += 1
                if wrong := mismatch(good["schema"], json.loads(text), components):
                    unlike.append(f"{name}{wrong}")
        for title, wrong in (("routes without a decision on access", undecided), ("routes that answered nobody", opened),
                             ("mutations without a dry run", without_dryrun), ("routes that failed inside", crashed),
                             ("replies that do not fit their schema", unlike)):
            report.figure(title, len(wrong), "; ".join(wrong[:5]), exactly=0)
        report.figure("routes walked", total, f"{mutations} of them mutations, {anonymous} anonymous", at_least=10)
        report.figure("replies checked against a schema", checked, "", at_least=5)
