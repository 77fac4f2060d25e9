# SPDX-License-Identifier: Apache-2.0
"""Containers of the meta service on an appliance as it is installed: made by the command line, answered for through HAProxy, scaled,
killed, kept across crashes of the services and of masterd, and gone from load balancer and firewall once they are deleted."""
import json
import unittest

import frame
import appliance

KEY_FILE = "/var/lib/gestalt/credentials/services/admin.json"
PLACE = "/acme/shop/test"
HOST = "web.gestalt"
SECONDS = 120


class Containers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = frame.boot_node(cls)
        cls.image = cls.node.put_image()
        cls.cli("login", "--key-file", KEY_FILE)
        cls.cli("org", "create", "/acme")
        cls.cli("workspace", "create", "/acme/shop")
        cls.cli("environment", "create", PLACE, "--type", "test")

    # Helpers.

    @classmethod
    def cli(cls, *argv, text=None):
        """What a command on the node prints; a failure of it is one of the test."""
        return cls.node.node.run(["env", "HOME=/root", "gestalt", *argv], timeout=2 * SECONDS, text=text)

    def web(self, instances=2, name="web", host=HOST):
        return {"kind": "containers", "context": PLACE, "name": name, "properties": {
            "provider": {"name": "default"}, "image": self.image, "num_instances": instances, "memory": 32,
            "volumes": [{"mount_path": "/data", "size": 16}],
            "port_mappings": [{"name": "http", "expose_endpoint": True, "virtual_hosts": [host]}],
            "health_checks": [{"protocol": "MESOS_HTTP", "path": "/health", "interval_seconds": 1, "timeout_seconds": 2,
                               "grace_period_seconds": 5}]}}

    def apply(self, manifest, *more):
        return self.cli("apply", "-f", "-", *more, text=json.dumps(manifest))

    def shown(self, name="web"):
        return json.loads(self.cli("get", "containers", name, "--context", PLACE))["properties"]

    def wait_shown(self, what, probe, name="web"):
        return self.node.wait_for(what, lambda: probe(self.shown(name)), SECONDS)

    def apps(self):
        return {app["id"]: app for app in self.node.ask("GET", "/v2/apps")["apps"]}

    def in_rotation(self):
        """Members that HAProxy has for the host name."""
        return json.dumps(json.loads(self.cli("--json", "lb", "show")))

    def kill(self, unit):
        self.node.node.run(["systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", unit])

    def services_answer(self):
        self.node.wait_for("the services", lambda: "ok" in self.node.node.curl("http://127.0.0.1:9000/health", check=False))

    # What is proven.

    def test_1_a_manifest_becomes_an_application_that_answers_by_its_host_name(self):
        told = self.apply(self.web(), "--wait", "--timeout", str(SECONDS))
        self.assertIn("1 created", told)
        shown = self.shown()
        self.assertEqual(("RUNNING", 2), (shown["status"], shown["tasks_running"]), shown)
        self.assertEqual(2, len(shown["instances"]))
        self.node.wait_answer(f"http://{self.node.node.v4}/", HOST)
        self.assertIn("1 unchanged", self.apply(self.web()))
        self.assertIn("RUNNING", self.cli("container", "list", "--context", PLACE))

    def test_2_it_is_scaled_and_an_instance_that_is_killed_comes_back(self):
        self.cli("container", "scale", "web", "3", "--context", PLACE, "--timeout", str(SECONDS))
        self.assertEqual(3, self.shown()["tasks_running"])
        before = {each["id"] for each in self.shown()["instances"]}
        victim = sorted(before)[0]
        self.cli("app", "kill", self.shown()["external_id"], "--instance", victim, "--no-wait")
        self.wait_shown("another instance", lambda seen: seen["tasks_running"] == 3
                        and victim not in {each["id"] for each in seen["instances"]})
        self.node.wait_answer(f"http://{self.node.node.v4}/", HOST)

    def test_3_a_crash_of_the_services_loses_and_doubles_nothing(self):
        names = [f"crash-{number}" for number in range(5)]
        for name in names:
            self.apply(self.web(1, name, f"{name}.gestalt"))
            self.kill("gestalt-services")
            self.services_answer()
        for name in names:
            self.wait_shown(name, lambda seen: seen.get("status") == "RUNNING", name)
        ids = list(self.apps())
        for name in names:
            self.assertEqual(1, sum(f"/{name}-" in each for each in ids), ids)
        for name in names:
            self.cli("delete", "containers", name, "--context", PLACE)
            self.kill("gestalt-services")
            self.services_answer()
        self.node.wait_for("the applications to go", lambda: not any("/crash-" in each for each in self.apps()), SECONDS)
        self.assertEqual("RUNNING", self.shown()["status"])

    def test_4_what_is_asked_for_while_masterd_is_away_is_done_when_it_is_back(self):
        self.node.node.run(["systemctl", "stop", "gestalt-masterd"])
        self.cli("container", "scale", "web", "1", "--context", PLACE, "--no-wait")
        waiting = self.node.wait_for("the task to say why", lambda: [
            task for task in json.loads(self.node.node.curl("http://127.0.0.1:9000/task/tasks", "-u", self.key()))
            if "trying again" in task["detail"]["action"]["message"]], 30)
        self.assertEqual("running", waiting[0]["status"])
        self.node.node.run(["systemctl", "start", "gestalt-masterd"])
        self.wait_shown("one instance", lambda seen: seen["tasks_running"] == 1 and len(seen["instances"]) == 1)

    def test_5_what_is_deleted_is_gone_from_load_balancer_and_firewall(self):
        app = self.shown()["external_id"]
        self.assertIn(app, self.in_rotation())
        self.cli("delete", "containers", "web", "--context", PLACE, "--wait", "--timeout", str(SECONDS))
        self.assertNotIn(app, self.apps())
        self.node.wait_for("the load balancer to forget it", lambda: app not in self.in_rotation(), SECONDS)
        self.assertNotIn(app, self.cli("--json", "fw", "show"))
        self.node.wait_for("no answer", lambda: self.node.fetch(f"http://{self.node.node.v4}/", HOST)[0] in (404, 503), 30)
        self.assertEqual([], json.loads(self.node.node.curl("http://127.0.0.1:9000/launcher/containers", "-u", self.key())))

    def key(self):
        key = json.loads(self.node.node.run(["cat", KEY_FILE]))
        return f"{key['apiKey']}:{key['apiSecret']}"


if __name__ == "__main__":
    frame.main()
