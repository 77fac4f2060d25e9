# SPDX-License-Identifier: Apache-2.0
"""The firewall stands before the network does, and stays when its daemon ends; no policy shuts SSH for good.

The node's interface comes up after network-pre.target, as with any network service; something listens on a port that no policy opens
from the first moment, and netfwd comes seconds later."""
import json
import shlex
import socket
import threading
import time
import unittest

import frame
import appliance

CLOSED, OPEN = 7777, 22
UNITS = {
    "test-network.service": "[Unit]\nDefaultDependencies=no\nAfter=network-pre.target\nBefore=network.target\n"
                            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/sbin/ip link set eth0 up\n",
    "test-listen.socket": f"[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=0.0.0.0:{CLOSED}\nListenStream=0.0.0.0:{OPEN}\n",
    "test-listen.service": "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep infinity\n",
    "sysinit.target.d/test.conf": "[Unit]\nWants=test-network.service test-listen.socket\n",
    "gestalt-netfwd.service.d/late.conf": "[Service]\nExecStartPre=/bin/sleep 3\n",
}
# In place of the real one: the window that it closes.
NO_BOOT_UNIT = {"gestalt-netfw-boot.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=sysinit.target\n"}


def connects(address, port, seconds=0.1):
    with socket.socket() as link:
        link.settimeout(seconds)
        return link.connect_ex((address, port)) == 0


class Prober(threading.Thread):
    """Tries both ports without end; counts what got through."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.through, self.ending = address, {CLOSED: 0, OPEN: 0}, threading.Event()

    def run(self):
        while not self.ending.is_set():
            for port in self.through:
                self.through[port] += connects(self.address, port)
            self.ending.wait(0.01)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()


class FirewallAtBoot(unittest.TestCase):
    def prepare(self, units, files=None):
        bed = appliance.fresh_bed()
        bed.create()
        self.addCleanup(bed.remove)
        named = {f"/etc/systemd/system/{name}": text for name, text in units.items()}
        node = bed.add_node("n1", {**named, **(files or {})})
        node.prepare()
        appliance.run.output(["ip", "-n", node.machine, "link", "set", "eth0", "down"])
        return node

    def test_no_closed_port_answers_during_boot_nor_without_the_daemon(self):
        self.check_boot(self.prepare(UNITS), "iptables")

    def test_the_same_with_nf_tables(self):
        files = {"/etc/gestalt/netfwd.d/40-backend.json": '{"firewall": {"backend": "nftables"}}'}
        self.check_boot(self.prepare(UNITS, files), "nftables")

    def check_boot(self, node, backend):
        with Prober(node.v4) as prober:
            node.boot()
            self.assertEqual(node.run(["systemctl", "is-active", "gestalt-netfwd"]).strip(), "active")
            self.assertEqual(node.run(["systemctl", "is-active", "gestalt-netfw-boot"]).strip(), "active")
            self.assertGreater(prober.through[OPEN], 0)
            rules = self.rules(node, backend)
            node.run(["systemctl", "kill", "--signal=SIGKILL", "--kill-whom=main", "gestalt-netfwd"])
            node.run(["systemctl", "stop", "gestalt-netfwd", "gestalt-netfw-boot"])
            self.assertEqual(self.rules(node, backend), rules)
            self.assertTrue(connects(node.v4, OPEN, 2))
            self.assertEqual(prober.through[CLOSED], 0)

    def test_a_damaged_state_leaves_ssh_open_and_nothing_else(self):
        node = self.prepare(UNITS)
        node.boot()
        node.run(["systemctl", "stop", "gestalt-netfwd"])
        node.run(["sh", "-c", "head -c 65536 /dev/urandom > /var/lib/gestalt/netfw/state/data.mdb"])
        node.run(["systemctl", "mask", "gestalt-netfwd"])
        node.run(["sync"])
        node.cut_power()
        appliance.run.output(["ip", "-n", node.machine, "link", "set", "eth0", "down"])
        with Prober(node.v4) as prober:
            node.boot()
            end = time.monotonic() + 10
            while prober.through[OPEN] == 0 and time.monotonic() < end:
                time.sleep(0.05)
        self.assertGreater(prober.through[OPEN], 0)
        self.assertEqual(prober.through[CLOSED], 0)
        self.assertNotIn("80", node.run(["ipset", "list", "gestalt-public-tcp"]).split("Members:")[1].split())

    def test_the_probe_sees_the_window_that_the_boot_unit_closes(self):
        node = self.prepare({**UNITS, **NO_BOOT_UNIT})
        with Prober(node.v4) as prober:
            node.boot()
        self.assertGreater(prober.through[CLOSED], 0)

    def test_a_policy_that_shuts_ssh_goes_back_when_the_daemon_is_killed_and_stays_when_ssh_proves_it(self):
        node = self.prepare(UNITS)
        node.boot()
        before = self.sources(node)
        self.assertTrue(connects(node.v4, OPEN, 2))
        self.apply(node, "192.0.2.1/32")
        self.assertFalse(connects(node.v4, OPEN, 1))
        # The next life comes after 3 seconds: until then there is nobody but the guardian.
        node.run(["systemctl", "kill", "--signal=SIGKILL", "--kill-whom=main", "gestalt-netfwd"])
        end = time.monotonic() + 2
        while not connects(node.v4, OPEN) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertTrue(connects(node.v4, OPEN))
        self.assertEqual(self.sources(node), before)
        with socket.create_connection((node.v4, OPEN), 2) as old:
            here = old.getsockname()[0]
            self.apply(node, f"{here}/32")
            self.confirm(node, old, 6)
            with socket.create_connection((node.v4, OPEN), 2) as new:
                self.confirm(node, new, 0)
        self.assertEqual(self.sources(node), [f"{here}/32"])

    @staticmethod
    def apply(node, source):
        node.run(["gestalt", "fw", "apply", "-"], text=json.dumps({"management_sources": [source]}))

    @staticmethod
    def confirm(node, link, status):
        """As in an SSH session over this connection."""
        address, port = link.getsockname()
        argv = ["env", f"SSH_CONNECTION={address} {port} {node.v4} {OPEN}", "gestalt", "fw", "confirm"]
        node.run(["sh", "-c", f"{shlex.join(argv)}; test $? = {status}"])

    @staticmethod
    def sources(node):
        """Of the policy in force, as soon as the daemon answers."""
        text, end = "", time.monotonic() + 20
        while not text and time.monotonic() < end:
            text = node.curl("http://localhost/v1/policy", "--unix-socket", "/run/gestalt/netfwd.sock", check=False)
        return json.loads(text)["management_sources"]

    @staticmethod
    def rules(node, backend):
        """Our rules, which there are in the expected packet filter only."""
        legacy = [node.run([tool, "-S"]) for tool in ("iptables-legacy", "ip6tables-legacy")]
        native = node.run(["nft", "-s", "list", "ruleset"])
        ours, other = (legacy, native) if backend == "iptables" else (native, "".join(legacy))
        assert "GESTALT" not in other and "gestalt" not in other, other
        assert "gestalt" in str(ours), ours
        return ours


if __name__ == "__main__":
    frame.main()
