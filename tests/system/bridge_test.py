# SPDX-License-Identifier: Apache-2.0
"""An application with a network of its own on an appliance: from Marathon's API through HAProxy into the container, and what the
container reaches of the node."""
import json
import os
import unittest

import frame

os.environ.setdefault("GESTALT_PRESET", "debug")
import appliance  # noqa: E402

GATEWAY = "100.127.240.1"


class TestBridge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = frame.boot_node(cls)
        app = appliance.sample_app(cls.node.put_image(), instances=2, app_id="/bridged")
        del app["portDefinitions"], app["requirePorts"]
        app["container"]["docker"]["network"] = "BRIDGE"
        app["container"]["portMappings"] = [{"containerPort": 0, "hostPort": 0, "servicePort": 10000, "protocol": "tcp"}]
        cls.app = app
        cls.node.run_app(app)

    def instances(self):
        return self.node.socket("agentd", "GET", "/v1/instances")

    def inside(self, *argv):
        """A program of the node in the first container's network."""
        pid = json.loads(self.instances())["instances"][0]["pid"]
        return self.node.node.run(["nsenter", "-t", pid, "-n", "--", *argv], check=False)

    def test_it_answers_by_service_port_and_by_name(self):
        self.node.wait_answer(self.node.url_of(10000))
        self.node.wait_answer(self.node.url_of(80), "sample.gestalt")

    def test_marathon_shows_bridge_networking_and_ports_of_the_node(self):
        app = self.node.ask("GET", "/v2/apps/bridged?embed=apps.tasks")["app"]
        self.assertEqual(app["networks"], [{"mode": "container/bridge"}])
        for task in app["tasks"]:
            self.assertTrue(3000 <= task["ports"][0] <= 4000)

    def test_from_a_container_only_what_is_public_is_open(self):
        self.assertNotEqual(self.inside("curl", "-s", "--max-time", "5", f"http://{GATEWAY}:10000/"), "")
        for port in (22, 5050, 5051, 8080):
            code = self.inside("sh", "-c", f"curl -s --max-time 2 -o /dev/null http://{GATEWAY}:{port}/; echo $?").strip()
            self.assertEqual(code, "28", f"port {port} was not dropped in silence")

    def test_scaling_down_leaves_no_interface_behind(self):
        self.node.run_app({**self.app, "instances": 1})
        count = "ip -o link show type veth | grep -c 'master gestalt0'"
        self.node.wait_for("one interface", lambda: self.node.node.run(["sh", "-c", count], check=False).strip() == "1")
        self.node.run_app({**self.app, "instances": 2})


if __name__ == "__main__":
    frame.main()
