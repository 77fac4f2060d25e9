# SPDX-License-Identifier: Apache-2.0
"""The test bed itself: what the other system tests rely on."""
import os
import re
import signal
import subprocess
import sys
import unittest

import frame
import testbed
from testbed.bed import FOLDER, NAME


def install_nothing(_folder):
    pass


class TestBed(unittest.TestCase):
    def setUp(self):
        self.bed = testbed.Bed(install_nothing)
        self.bed.create()
        self.addCleanup(self.check_gone)
        self.addCleanup(self.bed.remove)

    def check_gone(self):
        self.assertEqual(testbed.leftovers(self.bed.prefix), [])

    def test_a_node_boots_without_a_failed_unit(self):
        node = self.bed.boot()
        self.assertEqual(node.run(["systemctl", "is-system-running"]).strip(), "running")

    def test_a_memory_limit_inside_a_node_is_real(self):
        node = self.bed.boot()
        argv = ["systemd-run", "--wait", "--quiet", "-p", "MemoryMax=32M", "-p", "MemorySwapMax=0"]
        node.run([*argv, "busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=8M", "count=1"])
        self.assertNotEqual(self.status(node, [*argv, "busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]), 0)

    def status(self, node, argv):
        return subprocess.run(node.inside(argv), stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode

    def test_the_host_and_the_nodes_reach_each_other(self):
        first, second = self.bed.boot("n1"), self.bed.boot("n2")
        for address in (second.v4, second.v6):
            subprocess.run(["ping", "-c1", "-W2", address], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["nsenter", f"--net=/run/netns/{first.machine}", "ping", "-c1", "-W2", second.v4], check=True,
                       stdout=subprocess.DEVNULL)

    def test_the_inventory_tells_what_a_run_has_made(self):
        mark = "GESTALT_TEST_MARK"
        before = set(testbed.inventory(mark, frame.ROOT))
        self.bed.boot()
        with subprocess.Popen(["sleep", "60"], env={**os.environ, mark: "1"}) as started:
            new = set(testbed.inventory(mark, frame.ROOT)) - before
            started.kill()
        for what in ("process", "mount", "loop device", "namespace", "cgroup"):
            self.assertTrue([line for line in new if line.startswith(what) and self.bed.prefix in line], (what, new))
        self.assertIn(f"process {started.pid} (sleep)", new)
        of_others = [line for line in testbed.inventory(mark, "/nowhere") if self.bed.prefix in line]
        self.assertEqual(of_others, [])
        self.bed.remove()
        self.assertEqual(sorted(set(testbed.inventory(mark, frame.ROOT)) - before), [])

    def test_the_data_disk_survives_a_power_cut(self):
        node = self.bed.boot()
        node.run(["sh", "-c", "echo kept > /var/lib/gestalt/mark && sync /var/lib/gestalt/mark"])
        node.cut_power()
        node.boot()
        self.assertEqual(node.run(["cat", "/var/lib/gestalt/mark"]).strip(), "kept")


class KilledHarness(unittest.TestCase):
    def test_the_bed_of_a_killed_harness_is_removed_by_the_next_run(self):
        program = ("import sys, time; sys.path.insert(0, sys.argv[1]); import testbed\n"
                   "bed = testbed.Bed(lambda folder: None).create(); bed.boot(); print(bed.prefix, flush=True); time.sleep(600)")
        harness = subprocess.Popen([sys.executable, "-B", "-c", program, str(frame.ROOT / "tools/dev")],
                                   stdout=subprocess.PIPE, text=True)
        with harness:
            lines = iter(harness.stdout.readline, "")
            prefix = next(line.strip() for line in lines if re.fullmatch(NAME.pattern, line.strip()))
            os.kill(harness.pid, signal.SIGKILL)
        self.assertTrue((FOLDER / prefix).exists())
        testbed.clean_up_dead()
        self.assertEqual(testbed.leftovers(prefix), [])


if __name__ == "__main__":
    frame.main()
