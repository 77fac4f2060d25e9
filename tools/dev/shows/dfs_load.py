# SPDX-License-Identifier: Apache-2.0
"""A load on a mount that knows what it was promised, in the background (tests/system/dfs/checked_load.py)."""
import json
import subprocess
import sys

import run
import say
from say import Failure

PROGRAM = run.ROOT / "tests/system/dfs/checked_load.py"


class Load:
    def __init__(self, box, mount, name, seconds):
        self.folder, self.record = mount / name, box.folder / f"{name}.record"
        box.output(["mkdir", self.folder])
        self.box = box
        self.process = subprocess.Popen(
            box.inside([sys.executable, PROGRAM, "run", self.folder, self.record, "--seconds", seconds]), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "started":
            raise Failure("the load did not start")

    def account(self):
        text, _ = self.process.communicate(timeout=180)
        if self.process.returncode != 0:
            raise Failure(f"the load ended with {self.process.returncode}: {text[-500:]}")
        return json.loads(text)

    def check(self, mount=None):
        """How many acknowledged things are missing or wrong, seen through this or another mount."""
        folder = self.folder if mount is None else mount / self.folder.name
        text = self.box.output([sys.executable, PROGRAM, "check", folder, self.record], check=False, timeout=300)
        lines = text.strip().splitlines()
        if len(lines) > 1:
            say.error("\n".join(lines[:5]))
        return json.loads(lines[-1])["wrong"] if lines else -1


def longest_stall(account):
    """Of changes, in seconds."""
    return max(account[kind]["stall_s"] for kind in ("append", "overwrite", "replace"))


def errors(account):
    return sum(kind["errors"] for kind in account.values())
