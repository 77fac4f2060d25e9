# SPDX-License-Identifier: Apache-2.0
"""SQLite and PostgreSQL on a volume, with servers killed under them and the power of everything cut: what was committed is there, and
their own checks are clean."""
import json
import random
import subprocess
import sys
import threading
import time

import dfs_servers
import powered_servers
import run
import say
from say import Failure
from testbed.sandbox import Sandbox

ABOUT = "SQLite and PostgreSQL on a volume while servers are killed, and through power cuts: integrity, acknowledged transactions"
CLIENT = run.ROOT / "tests/system/dfs/database_load.py"
POWER_CLIENT = run.ROOT / "tests/system/dfs/database_power.py"
KINDS = ("sqlite-delete", "sqlite-wal", "postgresql")
SEED = 1


def killing(servers, seconds):
    """Kills one daemon after the other, and starts it again, for that long. Returns how many."""
    end = time.monotonic() + seconds
    victims = [(name, daemon) for daemon in ("storage", "meta") for name in servers.names]
    count = 0
    while time.monotonic() < end:
        name, daemon = victims[count % len(victims)]
        servers.signal(name, daemon, "KILL")
        time.sleep(1)
        (servers.start_meta if daemon == "meta" else servers.start_storage)(name)
        servers.wait_whole()
        count += 1
    return count


def one(report, servers, mount, kind, seconds):
    say.note(kind)
    folder = mount / kind
    servers.box.output(["mkdir", folder])
    process = subprocess.Popen(servers.box.inside([sys.executable, CLIENT, kind, folder, "--seconds", seconds]), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    if process.stdout.readline().strip() != "started":
        raise Failure(f"{kind} did not start on the volume\n{servers.logs()}")
    kills = killing(servers, seconds - 2)
    text, _ = process.communicate(timeout=300)
    if process.returncode != 0:
        raise Failure(f"{kind}: {text[-1500:]}")
    account = json.loads(text)
    report.figure(f"{kind}: transactions acknowledged", account["acknowledged"], f"with {kills} kills", at_least=1)
    report.figure(f"{kind}: errors", account["errors"], account["first_error"], exactly=0)
    report.figure(f"{kind}: acknowledged and missing", account["missing"], exactly=0)
    report.figure(f"{kind}: its own integrity check", account["integrity"], exactly="ok")


class Acknowledged:
    """The numbers that a database in the sandbox has said it keeps, as they come."""

    def __init__(self, box, kind, folder):
        self.numbers = []
        self._process = subprocess.Popen(box.inside([sys.executable, POWER_CLIENT, "run", kind, folder]), stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.numbers.append(int(line))

    def end(self):
        self._reader.join(timeout=60)
        self._process.wait(timeout=60)


def cut_power(report, kind, cuts):
    """All servers and the database lose their power while it works; what it had acknowledged is there when it is back."""
    say.note(f"{kind}, power cuts")
    chance = random.Random(SEED)
    kept, missing, integrity = set(), set(), "ok"
    with Sandbox("databases") as box:
        servers = powered_servers.PoweredServers(seed=SEED)
        mount = servers.start(box)
        box.output(["mkdir", mount / kind])
        for _ in range(cuts):
            load = Acknowledged(box, kind, mount / kind)
            wanted, end = chance.randrange(5, 60), time.monotonic() + 60
            while len(load.numbers) < wanted and time.monotonic() < end:
                time.sleep(0.01)
            servers.cut()
            # The database's machine is gone as well.
            for name in ("postgres", "psql"):
                for pid in box.pids(name):
                    box.output(["kill", "-KILL", pid], check=False)
            load.end()
            kept.update(load.numbers)
            mount = servers.start_again()
            found = json.loads(box.output([sys.executable, POWER_CLIENT, "check", kind, mount / kind], timeout=180))
            missing |= kept - set(found["numbers"])
            if found["integrity"] != "ok":
                integrity = found["integrity"]
    report.figure(f"{kind}: transactions acknowledged before {cuts} power cuts", len(kept), f"seed {SEED}", at_least=cuts)
    report.figure(f"{kind}: of these missing", len(missing), exactly=0)
    report.figure(f"{kind}: its own integrity check after each cut", integrity, exactly="ok")


def show(report):
    powered_servers.prepare()
    for kind in KINDS:
        cut_power(report, kind, 2 if report.smoke else 10)
    with Sandbox("databases") as box:
        servers = dfs_servers.Servers(3, hosts=True)
        mount = servers.start(box)
        for kind in KINDS:
            one(report, servers, mount, kind, 8 if report.smoke else 40)
