# SPDX-License-Identifier: Apache-2.0
"""All services together on a node as it is installed: the first boot's account, tokens, an organisation, tasks, audit; killed and
found again; the audit log verified by its files."""
import concurrent.futures
import json
import time
import unittest

import frame
import appliance

MANIFESTS = """\
kind: workspaces
context: /root
name: shop
---
kind: environments
context: /root/shop
name: test
description: 'of #{Config workspace}'
properties: {environment_type: test}
---
kind: policies
context: /root
name: settings
---
kind: rules
context: /root
parent_kind: policies
parent: settings
name: tls
resource_type: Gestalt::Resource::Rule::Config
properties: {eval_logic: {property: tls, operator: inList, value: ['1.2', '1.3']}}
---
kind: environments
context: /root/shop
name: second
description: 'beside #{Environment /root/shop/test}, under #{Policy settings}'
properties: {environment_type: test}
"""
KEY_FILE = "/var/lib/gestalt/credentials/services/admin.json"
RESTART_SECONDS = 20


class Services(unittest.TestCase):
    def boot(self):
        bed = appliance.fresh_bed()
        bed.create()
        self.addCleanup(bed.remove)
        return appliance.Appliance(bed).boot().node

    def setUp(self):
        self.node = self.boot()
        key = json.loads(self.node.run(["cat", KEY_FILE]))
        self.key = f"{key['apiKey']}:{key['apiSecret']}"

    def ask(self, method, path, body=None, who=None, form=None):
        """(status, parsed answer) of a request over TCP; with the first boot's key unless `who` says otherwise ("" is nobody)."""
        argv = ["curl", "-sS", "-X", method, "-w", "\n%{http_code}", "--max-time", "20"]
        who = self.key if who is None else who
        if who.startswith("Bearer "):
            argv += ["-H", f"Authorization: {who}"]
        elif who:
            argv += ["-u", who]
        if body is not None:
            argv += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        for name, value in (form or {}).items():
            argv += ["--data-urlencode", f"{name}={value}"]
        text, _, status = self.node.run([*argv, f"http://127.0.0.1:9000{path}"], check=False).rpartition("\n")
        return int(status or 0), json.loads(text) if text.strip().startswith(("{", "[")) else text

    def until(self, probe):
        end = time.monotonic() + RESTART_SECONDS
        while not (found := probe()):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        return found

    def test_the_services_work_together_and_survive_a_kill(self):
        status, health = self.ask("GET", "/health", who="")
        self.assertEqual((200, "ok"), (status, health["status"]))
        self.assertEqual(401, self.ask("GET", "/security/orgs", who="")[0])
        self.assertEqual(401, self.ask("GET", "/nothing/at/all", who="")[0])

        status, issued = self.ask("POST", "/security/root/oauth/issue", form={"grant_type": "client_credentials"})
        self.assertEqual(200, status, issued)
        token = f"Bearer {issued['access_token']}"
        self.assertEqual(200, self.ask("GET", "/security/orgs/current", who=token)[0])

        tried, would = self.ask("POST", "/security/root/orgs?dryrun=true", {"name": "acme"}, who=token)
        self.assertEqual((200, True), (tried, would["dryrun"]))
        self.assertNotEqual(200, self.ask("GET", "/security/acme", who=token)[0])
        status, org = self.ask("POST", "/security/root/orgs", {"name": "acme"}, who=token)
        self.assertEqual(201, status, org)
        self.assertEqual(200, self.ask("GET", "/security/acme", who=token)[0])

        self.node.run(["systemctl", "kill", "-s", "KILL", "gestalt-services"])
        self.until(lambda: self.ask("GET", "/health", who="")[0] == 200)
        self.assertEqual(200, self.ask("GET", "/security/acme", who=token)[0], "acknowledged before the kill")

        self.resources_from_manifests(token)

        def recorded():
            status, found = self.ask("GET", "/audit/root/records?limit=1000", who=token)
            self.assertEqual(200, status, found)
            # What a service did by itself, as at the first boot, has no request and so no path.
            return [each for each in found["records"] if each["record"].get("service") == "security"
                    and each["record"].get("path", "").endswith("/orgs") and each["record"]["outcome"] == "done"]
        self.assertEqual(1, len(self.until(recorded)))
        told = self.node.run(["gestalt", "audit", "verify"])
        self.assertIn("are whole", told)

    def resources_from_manifests(self, token):
        """What references stand for, a rule on configuration, and a watch that is answered by a change."""
        for said in ("5 created", "5 unchanged"):
            self.assertIn(said, self.node.run(["gestalt", "apply", "-f", "-"], text=MANIFESTS))
        named = {}
        for collection in ("workspaces", "environments", "policies"):
            for each in self.ask("GET", f"/meta/root/{collection}?expand=true", who=token)[1]:
                named[each["name"]] = each
        self.assertEqual(f"of {named['shop']['id']}", named["test"]["description"])
        self.assertEqual(f"beside {named['test']['id']}, under {named['settings']['id']}", named["second"]["description"])

        config = f"/meta/root/environments/{named['test']['id']}/config"
        known = self.ask("GET", f"{config}/watch", who=token)[1]["hash"]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(self.ask, "GET", f"{config}/watch?wait=15&version={known}", who=token)
            self.assertEqual(409, self.ask("PUT", config, {"tls": {"value": "1.0"}}, who=token)[0])
            self.assertEqual(200, self.ask("PUT", config, {"tls": {"value": "1.3"}}, who=token)[0])
            status, found = answer.result(timeout=20)
        self.assertEqual((200, "1.3"), (status, found["values"]["tls"]))
        self.assertNotEqual(known, found["hash"])


if __name__ == "__main__":
    frame.main()
