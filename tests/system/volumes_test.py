# SPDX-License-Identifier: Apache-2.0
"""Volumes of applications on an appliance: what was written is there after the end of the instance, of the agent, of the mount and of the
servers, and after a reboot and a power cut of the node."""
import json
import unittest

import frame
import appliance
import resident

PORT = 10000
APP = "/volumes"
OWN = {"containerPath": "/data", "persistent": {"size": 32}, "mode": "RW"}


class Volumes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = frame.boot_node(cls)
        cls.image = cls.node.put_image()
        cls.app = appliance.sample_app(cls.image, instances=1, app_id=APP, service_port=PORT, volume=OWN, backoffSeconds=0)
        cls.node.run_app(cls.app)
        cls.node.wait_answer(cls.node.url_of(PORT))
        cls.count = 0

    # Helpers.

    def write(self):
        """An entry that is durable once this returns."""
        type(self).count += 1
        text = f"entry-{self.count}"
        self.node.wait_for("an entry to be taken", lambda: self.node.node.curl(
            f"http://{self.node.node.v4}:{PORT}/", "-d", f"entry={text}", "-w", "%{http_code}", "-o", "/dev/null", check=False).strip()[:1] in "23")
        return text

    def wait_entries(self, *texts):
        self.node.wait_for(f"the entries {texts}", lambda: all(
            text in self.node.fetch(self.node.url_of(PORT) + "/")[1] for text in texts))

    def instance(self):
        found = json.loads(self.node.socket("agentd", "GET", "/v1/instances"))["instances"]
        return next((each for each in found if each["state"] == "running"), {})  # without one: nothing that wait_for takes

    def mounts(self):
        listed = self.node.node.run(["systemctl", "list-units", "--plain", "--no-legend", "gsv-*"]).split()
        return [word for word in listed if word.startswith("gsv-")]

    def kill_unit(self, unit):
        self.node.node.run(["systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", unit])

    # What is proven.

    def test_1_the_volume_is_one_of_the_file_system_with_its_quota(self):
        names = {each["name"]: each for each in json.loads(
            self.node.socket("dfs-meta", "GET", "/dfs/v1/volumes"))["volumes"]}
        self.assertEqual(names["volumes.0._data"]["quota_bytes"], 32 << 20)
        self.assertEqual(len(self.mounts()), 1)
        text = self.write()
        self.wait_entries(text)

    def test_2_an_instance_that_is_killed_finds_its_entries(self):
        text, before = self.write(), self.instance()["id"]
        self.kill_unit("gst-*")
        self.node.wait_for("another instance", lambda: self.instance()["id"] != before)
        self.wait_entries("entry-1", text)
        self.node.wait_for("the old mount to end", lambda: len(self.mounts()) == 1)

    def test_3_the_mount_outlives_the_agent_and_both_servers(self):
        text, before = self.write(), self.instance()
        mount = self.node.node.run(["systemctl", "show", "-p", "MainPID", self.mounts()[0]])
        for daemon in ("agentd", "dfs-meta", "dfs-storage"):
            self.kill_unit(f"gestalt-{daemon}.service")
            self.wait_entries(text)
        text = self.write()
        self.wait_entries("entry-1", text)
        self.node.wait_for("the agent", lambda: self.instance()["pid"] == before["pid"])
        self.assertEqual(mount, self.node.node.run(["systemctl", "show", "-p", "MainPID", self.mounts()[0]]))

    def test_4_an_instance_whose_mount_is_killed_is_replaced_and_finds_its_entries(self):
        text, before = self.write(), self.instance()["id"]
        self.kill_unit(self.mounts()[0])
        self.node.wait_for("another instance", lambda: self.instance()["id"] != before)
        self.wait_entries("entry-1", text)
        points = self.node.node.run(["ls", "/run/gestalt/volumes"]).split()
        self.assertEqual(points, self.mounts())

    def test_5_entries_are_there_after_a_reboot_and_a_power_cut(self):
        for end in ("halt", "cut_power"):
            text = self.write()
            getattr(self.node.node, end)()
            self.node.node.boot()
            self.node.check_units()
            self.wait_entries("entry-1", text)

    def test_6_two_instances_share_an_external_volume(self):
        port = PORT + 1
        app = appliance.sample_app(self.image, instances=2, app_id="/shared", service_port=port, host="shared.gestalt")
        self.node.run_app(app)
        self.node.wait_answer(self.node.url_of(port))
        for number in range(6):
            self.node.node.curl(f"http://{self.node.node.v4}:{port}/", "-d", f"entry=both-{number}", "-o", "/dev/null")
        for _ in range(6):
            text = self.node.fetch(self.node.url_of(port) + "/")[1]
            for number in range(6):
                self.assertIn(f"both-{number}", text)
        self.node.ask("DELETE", "/v2/apps/shared")
        self.node.wait_for("the mounts to end", lambda: len(self.mounts()) == 1)

    def test_7_all_daemons_are_well_and_small(self):
        self.node.node.run(["gestalt", "status"])
        sizes = resident.daemons(self.node)
        del sizes["haproxy"]
        print("resident MiB:", {name: round(size, 1) for name, size in sizes.items()}, "together", round(sum(sizes.values()), 1))
        self.assertLess(sum(sizes.values()), resident.ALL_MIB_MAX)

    def test_8_a_deleted_application_leaves_its_volume_and_finds_it_again(self):
        self.node.ask("DELETE", f"/v2/apps{APP}")
        self.node.wait_for("the mount to end", lambda: not self.mounts())
        self.node.run_app(self.app)
        self.wait_entries("entry-1")


if __name__ == "__main__":
    frame.main()
