# SPDX-License-Identifier: Apache-2.0
"""SQLite and PostgreSQL on a volume, with servers killed under them: what was committed is there, and their own checks are clean."""
import json
import subprocess
import sys
import time

import dfs_servers
import run
import say
from say import Failure
from testbed.sandbox import Sandbox

ABOUT = "SQLite and PostgreSQL on a volume while servers are killed: integrity, acknowledged transactions"
CLIENT = run.ROOT / "tests/system/dfs/database_load.py"


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


def show(report):
    dfs_servers.prepare()
    with Sandbox("databases") as box:
        servers = dfs_servers.Servers(3, hosts=True)
        mount = servers.start(box)
        for kind in ("sqlite-delete", "sqlite-wal", "postgresql"):
            one(report, servers, mount, kind, 8 if report.smoke else 40)
