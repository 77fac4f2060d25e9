# SPDX-License-Identifier: Apache-2.0
"""Instances on an appliance as an operator meets them: what `gestalt` says of daemons, logs and limits, and what an application may ask for."""
import json
import subprocess
import time
import unittest

import frame
import appliance

TALKER = "i=0; while :; do echo line-$i; i=$((i+1)); sleep 0.2; done"


class Instances(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = frame.boot_node(cls)
        cls.node.wait_for("the master", lambda: cls.node.try_ask("GET", "/v2/info")[0] == 200)

    def gestalt(self, *words, check=True):
        return self.node.node.run(["gestalt", *words], check=check)

    def run_process(self, name, command, **changes):
        app = {"id": f"/{name}", "cmd": command, "cpus": 0.05, "mem": 32, "portDefinitions": [], **changes}
        self.addCleanup(self.node.ask, "DELETE", f"/v2/apps/{name}?force=true")
        return self.node.run_app(app)

    def tasks(self, name):
        return self.node.ask("GET", f"/v2/apps/{name}/tasks")["tasks"]

    def pids(self):
        """Of what runs, by task."""
        listed = json.loads(self.node.socket("agentd", "GET", "/v1/instances"))["instances"]
        return {each["id"]: each["pid"] for each in listed if each["state"] == "running"}

    def daemons(self):
        return {each["name"]: each for each in json.loads(self.gestalt("--json", "status", check=False))["daemons"]}

    def test_status_names_each_daemon_and_what_to_do_when_one_is_down(self):
        self.node.wait_for("all daemons to be well", lambda: {each["status"] for each in self.daemons().values()} == {"ok"})
        self.assertEqual({"masterd", "agentd", "netfwd", "dfs-meta", "dfs-storage", "services"}, set(self.daemons()))
        for name in ("services", "dfs-storage"):
            self.node.node.run(["systemctl", "stop", f"gestalt-{name}"])
            said = self.gestalt("status", check=False)
            self.assertRegex(said, rf"(?m)^{name} +down +does not answer on unix:/run/gestalt/{name}.sock$")
            self.assertIn(f"fix {name}: systemctl restart gestalt-{name}", said)
            self.assertEqual("down", self.daemons()[name]["status"])
            self.node.node.run(["systemctl", "start", f"gestalt-{name}"])
            self.node.wait_for(f"{name} to be well", lambda: self.daemons()[name]["status"] == "ok")

    def test_logs_come_from_the_journal_and_are_followed(self):
        self.run_process("talker", TALKER)
        last = self.node.wait_for("some lines", lambda: (lines := self.gestalt("app", "logs", "/talker", "-n", "3").splitlines())
                                  and len(lines) == 3 and lines)
        numbers = [int(line.removeprefix("line-")) for line in last]
        self.assertEqual([numbers[0], numbers[0] + 1, numbers[0] + 2], numbers)
        follow = subprocess.Popen(self.node.node.inside(["timeout", "3", "gestalt", "app", "logs", "/talker", "-n", "1", "-f"]),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        text, _ = follow.communicate(timeout=30)
        lines = text.splitlines()
        self.assertGreater(len(lines), 5)
        first = int(lines[0].removeprefix("line-"))
        self.assertEqual([f"line-{first + at}" for at in range(len(lines))], lines)

    def test_a_reader_goes_on_behind_the_last_line_it_has(self):
        self.run_process("counter", TALKER)
        task = self.tasks("counter")[0]["id"]
        path = f"/v1/instances/{task}/logs"
        self.node.wait_for("some lines", lambda: "line-3" in self.node.socket("agentd", "GET", path))
        options = ["--unix-socket", "/run/gestalt/agentd.sock", "-H", "Accept: text/event-stream"]
        text = self.node.node.curl(f"http://localhost{path}?last=1", *options)
        cursor = next(line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: "))
        seen = next(line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
        time.sleep(0.5)
        later = self.node.node.curl(f"http://localhost{path}", "-G", "--data-urlencode", f"after={cursor}", *options)
        first = next(line.removeprefix("data: ") for line in later.splitlines() if line.startswith("data: "))
        self.assertEqual(int(seen.removeprefix("line-")) + 1, int(first.removeprefix("line-")))

    def test_a_disk_limit_that_a_process_cannot_have_is_told(self):
        self.run_process("wide", "sleep 1000", disk=10)
        self.node.wait_for("the limits to be read back", lambda: self.tasks("wide")[0].get("degraded"))
        self.assertEqual(["disk_limit_not_effective"], self.tasks("wide")[0]["degraded"])
        self.assertIn("degraded: disk limit not effective (1 instance)", self.gestalt("app", "show", "/wide"))

    def test_an_application_may_ask_for_an_init_a_read_only_root_and_few_processes(self):
        app = appliance.sample_app(self.node.put_image(), instances=1, app_id="/asked", volume=appliance.HOST_VOLUME)
        app["container"]["docker"]["parameters"] = [{"key": "init", "value": "true"}, {"key": "read-only", "value": "true"},
                                                    {"key": "pids-limit", "value": "40"}]
        self.addCleanup(self.node.ask, "DELETE", "/v2/apps/asked?force=true")
        self.node.run_app(app)
        task = self.tasks("asked")[0]["id"]
        pid = self.pids()[task]
        # Sent to process 1 of the container, which has no handler of its own for it: the program has.
        self.assertEqual("gestalt-init", self.node.node.run(["cat", f"/proc/{pid}/comm"]).strip())
        root = next(line for line in self.node.node.run(["cat", f"/proc/{pid}/mounts"]).splitlines() if line.split()[1] == "/")
        self.assertIn("ro", root.split()[3].split(","))
        group = self.node.node.run(["sh", "-c", f"sed -n 's/.*:pids:\\|^0:://p' /proc/{pid}/cgroup | head -1"]).strip()
        limit = self.node.node.run(["sh", "-c", f"cat /sys/fs/cgroup/pids{group}/pids.max 2>/dev/null || cat /sys/fs/cgroup{group}/pids.max"])
        self.assertEqual("40", limit.strip())
        self.assertNotIn("degraded", self.tasks("asked")[0])

    def test_changed_limits_and_checks_reach_what_runs(self):
        self.run_process("grown", "sleep 1000", cpus=0.2, mem=32)
        task = self.tasks("grown")[0]["id"]
        pid = self.pids()[task]
        def limit():
            group = self.node.node.run(["sh", "-c", f"sed -n 's/.*:memory:\\|^0:://p' /proc/{pid}/cgroup | head -1"]).strip()
            return self.node.node.run(["sh", "-c", f"cat /sys/fs/cgroup/memory{group}/memory.limit_in_bytes 2>/dev/null || "
                                       f"cat /sys/fs/cgroup{group}/memory.max"]).strip()

        self.assertEqual(str(32 << 20), limit())
        check = {"protocol": "COMMAND", "command": {"value": "true"}, "intervalSeconds": 1, "gracePeriodSeconds": 0, "delaySeconds": 0}
        self.node.ask("PUT", "/v2/apps/grown", {"mem": 48, "healthChecks": [check]})
        self.node.wait_for("the new limit", lambda: limit() == str(48 << 20))
        self.node.wait_for("the new check", lambda: self.tasks("grown")[0].get("healthCheckResults"))
        self.assertEqual(task, self.tasks("grown")[0]["id"])
        self.assertEqual(pid, self.pids()[task])

    def test_instances_outlive_a_new_execution_of_systemd(self):
        self.run_process("steady", "sleep 1000", instances=20)
        before = self.pids()
        self.node.node.run(["systemctl", "daemon-reexec"])
        self.node.ask("PUT", "/v2/apps/steady?force=true", {"instances": 10})
        self.node.wait_app("/steady", 10)
        kept = self.node.wait_for("ten to be left", lambda: len(now := {task: pid for task, pid in self.pids().items() if "steady" in task}) == 10
                                  and now)
        self.assertLessEqual(set(kept.items()), set(before.items()))

    def test_the_kernel_gives_none_of_our_ports_away(self):
        # The test bed's nodes cannot write below /proc/sys, so that systemd leaves sysctl.d out at their boot.
        apply = "mount -o remount,rw /proc/sys && /lib/systemd/systemd-sysctl /usr/lib/sysctl.d/60-gestalt.conf"
        self.node.node.run(["unshare", "--mount", "sh", "-c", apply])
        self.assertEqual("3000-4000,10000-20000", self.node.node.run(["cat", "/proc/sys/net/ipv4/ip_local_reserved_ports"]).strip())


if __name__ == "__main__":
    frame.main()
