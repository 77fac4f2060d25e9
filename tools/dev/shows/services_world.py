# SPDX-License-Identifier: Apache-2.0
"""Real objects for the walk over the services' routes: an organisation with people, applications, environments, channels and changes,
made through the interface itself; and the examples of bodies with which each change is tried on them."""
import re
import time

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
VALUE = [{"op": "add", "path": "/grantValue", "value": "9"}]
DESCRIPTION = [{"op": "add", "path": "/description", "value": "x"}]
ACCOUNT = {"username": "somebody", "firstName": "Some", "lastName": "Body"}
KAFKA = {"Content-Type": "application/vnd.kafka.json.v2+json"}
CONTAINER = {"provider": {"id": ""}, "image": "nginx"}


class World:
    def __init__(self, client):
        self.client, self.made, self.names, self.ids = client, 0, 0, {}
        self.people()
        self.resources()
        self.flows()

    def make(self, name, path, body, field="id", headers=None, /, **parameters):
        """POSTs to a path of the interface and keeps what the reply's field holds."""
        status, value = self.client.call("POST", path, body, headers, **parameters)
        if status >= 400:
            raise RuntimeError(f"POST {path} {parameters}: {status} {value}")
        self.made += 1
        self.ids[name] = value[field] if field else None
        return value

    def people(self):
        make, ids = self.make, self.ids
        make("org", "/security/{org}/orgs", {"name": "acme", "createDefaultUserGroup": True}, org="root")
        make("account", "/security/{org}/accounts", {**ACCOUNT, "username": "bob", "email": "bob@acme.example", "phoneNumber": "+15058675309",
             "credential": {"credentialType": "GestaltPasswordCredential", "password": "bob-secret"}}, org="acme")
        _, directories = self.client.call("GET", "/security/{org}/directories", org="acme")
        ids["directory"] = directories[0]["id"]
        make("group", "/security/directories/{directory}/groups", {"name": "team"}, directory=ids["directory"])
        make("app", "/security/{org}/apps", {"name": "shop"}, org="acme")
        make("mapping", "/security/apps/{app}/accountStores", {"name": "all", "storeType": "DIRECTORY", "accountStoreId": ids["directory"],
             "isDefaultAccountStore": True, "isDefaultGroupStore": True}, app=ids["app"])
        make("right", "/security/apps/{app}/accounts/{account}/rights", {"grantName": "sell"}, app=ids["app"], account=ids["account"])
        make("right", "/security/apps/{app}/groups/{group}/rights", {"grantName": "sell"}, app=ids["app"], group=ids["group"])
        make("right", "/security/{org}/accounts/{account}/rights", {"grantName": "sell"}, org="acme", account=ids["account"])
        make("right", "/security/{org}/groups/{group}/rights", {"grantName": "sell"}, org="acme", group=ids["group"])
        make("key", "/security/accounts/{account}/apiKeys", {"orgId": ids["org"]}, "apiKey", account=ids["account"])
        make("client", "/security/{org}/clients", {"name": "c", "redirectUris": ["https://c.example/cb"]}, org="acme")
        make("text", "/security/{org}/oauth/issue", {"grant_type": "password", "username": "bob", "password": "bob-secret"},
             "access_token", org="acme")
        ids["token"] = UNKNOWN

    def resources(self):
        make, ids = self.make, self.ids
        make("", "/meta/sync", None, "created")
        make("workspaces", "/meta/{org}/workspaces", {"name": "ws"}, org="acme")
        make("environments", "/meta/{org}/workspaces/{parent}/environments", {"name": "env", "properties": {"environment_type": "test"}},
             org="acme", parent=ids["workspaces"])
        make("providers", "/meta/{org}/providers", {"name": "caas", "resource_type": "Gestalt::Configuration::Provider::CaaS::DCOS",
             "properties": {"config": {"url": "http://127.0.0.1:9"}}}, org="acme")
        self.container = {**CONTAINER, "provider": {"id": ids["providers"]}}
        make("containers", "/meta/{org}/environments/{parent}/containers", {"name": "web", "properties": self.container},
             org="acme", parent=ids["environments"])
        ids["users"], ids["groups"] = ids["account"], ids["group"]
        # One resource of every other collection, in the first place that takes it.
        waiting = {path for method, path in self.client.operations
                   if method == "POST" and re.fullmatch(r"/meta/\{org\}(/\w+/\{parent\})?/\w+", path)}
        goes_on = True
        while goes_on:
            goes_on = False
            for path in sorted(waiting):
                words = path.split("/")
                collection, parent = words[-1], words[3] if "{parent}" in words else None
                if collection in self.ids or parent and parent not in self.ids or collection in ("orgs", "entitlements", "resourcetypes"):
                    continue
                named = {"org": "acme", **({"parent": self.ids[parent]} if parent else {})}
                make(collection, path, self.resource(collection), **named)
                goes_on = True
        _, grants = self.client.call("GET", "/meta/{org}/entitlements", org="acme", expand="true")
        self.grant = grants[0]
        ids["entitlement"] = grants[0]["id"]
        make("type", "/meta/{org}/resourcetypes", {"name": "Acme::Robot", "properties": {
            "extend": "Gestalt::Resource::Asset", "actions": {"prefix": "robot", "verbs": ["dance"]}, "api": {"rest_name": "robots"},
            "lineage": {"parent_types": ["Gestalt::Resource::Organization", "Gestalt::Resource::Environment"]}}}, "name", org="root")

    def resource(self, collection):
        self.names += 1
        more = {"environments": {"properties": {"environment_type": "test"}},
                "containers": {"properties": getattr(self, "container", CONTAINER)},
                "logfiles": {"properties": {"path": "/var/log/x"}},
                "resources": {"resource_type": "Gestalt::Resource::Workspace"},
                "licenses": {"properties": {"data": "signed"}},
                "providers": {"resource_type": "Gestalt::Configuration::Provider::CaaS::DCOS", "properties": {"config": {}}},
                "resourcetypes": {"properties": {"extend": "Gestalt::Resource::Asset", "actions": {"prefix": "droid", "verbs": []},
                                                 "api": {"rest_name": "droids"}}},
                "rules": {"resource_type": "Gestalt::Resource::Rule::Limit", "properties": {
                    "match_actions": ["container.create"],
                    "eval_logic": {"property": "containers.count", "operator": "<=", "value": 100}}}}
        return {"name": f"n{self.names}", **more.get(collection, {})}

    def flows(self):
        make, ids = self.make, self.ids
        make("channel", "/event/channels", {"name": "orders", "org_id": ids["org"], "partitions": 2}, "name")
        make("", "/event/channels/{channel}/events", {"event_name": "made", "data": {"n": 1}}, "placed", channel="orders")
        make("instance", "/kafka/consumers/{group}", {"name": "one", "format": "json", "auto.offset.reset": "earliest"}, "instance_id",
             group="readers")
        self.client.call("POST", "/kafka/consumers/{group}/instances/{instance}/subscription", {"topics": ["orders"]},
                         group="readers", instance="one")
        make("handler", "/change/handlers", {"name": "apps need a second pair of eyes", "org_id": ids["org"], "match_actions": ["app.create"]})
        now = int(time.time())
        text = lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        self.freeze = {"name": "holidays", "org_id": ids["org"], "match_actions": ["app.delete"], "from": text(now + 86400), "until": text(now + 2 * 86400)}
        make("freeze", "/change/freezes", self.freeze)
        make("change", "/change/changes", {"payload": {"n": 1}, "outStateName": "task.dns.wanted", "org_id": ids["org"]})
        make("task", "/task/{org}/tasks", {"verb": "move", "resource": "boxes"}, "uuid", org="acme")

    # ---- what the walk asks for

    def parameters(self, path):
        """The path's parameters, each by the word that stands before it."""
        words, found = path.split("/"), {}
        mount = words[1]
        for before, word in zip(words, words[1:]):
            if not word.startswith("{"):
                continue
            name = word[1:-1]
            fixed = {"org": self.ids["org"] if before == "orgs" else "acme", "kind": "workspaces", "child": "environments",
                     "type": "Gestalt::Resource::Container", "property": "image", "path": "acme/ws/env/web", "username": "bob",
                     "groupname": "team", "grant": "sell", "topic": "orders", "partition": "0", "channel": "orders",
                     "instance": "one", "right": self.ids["right"], "app": self.ids["app"] if mount == "security" else "web"}
            if name in fixed:
                found[name] = fixed[name]
            elif mount == "meta" and name in ("id", "parent", "provider"):
                collection = {"{kind}": "workspaces", "{child}": "environments"}.get(before, before)
                found[name] = self.ids.get(collection, UNKNOWN)
            elif mount == "change":
                found[name] = self.ids[{"changes": "change", "handlers": "handler", "freezes": "freeze"}[before]]
            elif mount in ("kafka", "event") and name == "group":
                found[name] = "readers"
            else:
                found[name] = self.ids[name]
        if "{type}" in path and path.startswith("/meta/") and re.search(r"resourcetypes/\{type\}$", path):
            found["type"] = "Acme::Robot"
        if "{type}" in path or path in ("/meta/{org}/resourcetypes", "/meta/orgs/{org}/resourcetypes"):
            found["org"] = "root"
        return found

    def query(self, method, operation):
        """What an action wants in its query."""
        ids = self.ids
        return {"resource.diff": {"from": 1, "to": 1}, "resource.restore": {"version": 1}, "container.scale": {"numInstances": 2},
                "container.migrate": {"provider": ids["providers"]}, "container.promote": {"target": ids["environments"]},
                "event.offsets": {"channel": "orders"} if operation["x-route"].startswith("/event/") else {},
                "event.read": {"timeout": 0} if operation["x-route"].startswith("/kafka/") else {},
                "group.update": {"id": ids["users"]} if operation["x-route"].endswith("/users") else {},
                }.get(operation["x-action"], {})

    def body(self, method, path, operation):
        """(body, headers) of the example with which an operation is tried."""
        if method in ("GET", "DELETE") and not path.endswith("/offsets"):
            return None, None
        mount, last = path.split("/")[1], path.split("/")[-1]
        if mount == "meta":
            return self.meta_body(method, path, operation), None
        examples = self.security() if mount == "security" else self.others(path)
        if mount == "kafka" and "/topics/" in path:
            return {"records": [{"value": {"n": 1}}]}, KAFKA
        if method == "GET":
            return None, None
        for pattern, body in examples.items():
            if re.fullmatch(pattern, f"{method} {last}" if mount != "security" else operation["x-action"]):
                return body, None
        return None, None

    def meta_body(self, method, path, operation):
        if method == "PATCH":
            return DESCRIPTION
        last = path.split("/")[-1]
        if last == "config":
            return {"size": {"value": 3}}
        if "entitlement" in last:
            return {"properties": {"action": self.grant["properties"]["action"], "identities": [self.ids["account"]]}}
        if method == "PUT":
            words = path.split("/")
            return self.resource(words[-2]) if words[-1] == "{id}" else {"name": "acme"}
        if last in ("sync", "bootstrap", "scale", "migrate", "promote", "restore"):
            return None
        return self.resource({"{child}": "environments", "{kind}": "workspaces"}.get(last, last))

    def security(self):
        ids = self.ids
        return {"account.create|.*account.*create": {**ACCOUNT, "email": "some@acme.example"},
                "account.update": [{"op": "add", "path": "/email", "value": "new@acme.example"}],
                "(org|group|app|directory).create": {"name": "another"}, "client.create": {"name": "d", "redirectUris": ["https://d.example/cb"]},
                "apikey.create": {"orgId": ids["org"]}, "group.members.update": [{"op": "add", "path": "/accounts", "value": ids["account"]}],
                ".*right.*create": {"grantName": "another"}, ".*right.*update": VALUE,
                ".*[Ss]tore.*create": {"storeType": "GROUP", "accountStoreId": ids["group"]},
                ".*update": DESCRIPTION, "token.issue": {"grant_type": "client_credentials"},
                "token.inspect|oidc.introspect": {"token": ids["text"]}, ".*app.auth": {"username": "bob", "password": "bob-secret"},
                "oidc.revoke": {"token": ids["text"]}}

    def others(self, path):
        ids = self.ids
        return {"POST amend": {"body": {"n": 2}}, "POST schedule": {"schedule": self.freeze["from"]}, "POST (approve|reject|cancel|override)": {},
                "POST changes": {"payload": {"n": 1}, "outStateName": "task.dns.wanted", "org_id": ids["org"]},
                "POST handlers": {"name": "more", "org_id": ids["org"], "match_actions": ["app.delete"]}, "POST freezes": self.freeze,
                "POST tasks": {"verb": "move", "resource": "boxes"}, "PATCH .*task.*": {"progress": 50, "message": "half way"},
                "POST channels": {"name": "invoices", "org_id": ids["org"]}, "POST events": {"event_name": "made", "data": {"n": 2}},
                "POST subscription": {"topics": ["orders"]}, "POST assignments": {"partitions": [{"topic": "orders", "partition": 0}]},
                "POST (beginning|end)": {"partitions": [{"topic": "orders", "partition": 0}]},
                "POST positions": {"offsets": [{"topic": "orders", "partition": 0, "offset": 0}]},
                "POST .group.": {"name": "two", "format": "json"},
                "POST offsets": {"offsets": [{"topic": "orders", "partition": 0, "offset": 0, "channel": "orders"}]}}
