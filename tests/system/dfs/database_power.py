#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A database in a folder whose power fails. `run` inserts one number per transaction, from behind the last one that is there, and prints
each once it is acknowledged, until something fails; `check` prints one JSON line: the numbers that are there, and what the database's own
check says.

    database_power.py run|check sqlite-delete|sqlite-wal|postgresql FOLDER
"""
import glob
import json
import os
import pwd
import sqlite3
import subprocess
import sys
import tempfile


class Sqlite:
    def __init__(self, folder, mode):
        self.connection = sqlite3.connect(f"{folder}/data.db", isolation_level=None, timeout=30)
        if self.connection.execute(f"pragma journal_mode={mode}").fetchone()[0] != mode:
            raise RuntimeError(f"no journal mode {mode}")
        self.connection.execute("pragma synchronous=full")
        self.connection.execute("create table if not exists t(number integer primary key, text text)")

    def insert(self, number):
        self.connection.execute("insert into t values(?, ?)", (number, "x" * 200))

    def numbers(self):
        return [row[0] for row in self.connection.execute("select number from t")]

    def check(self):
        return self.connection.execute("pragma integrity_check").fetchone()[0]


class Postgresql:
    def __init__(self, folder):
        self.programs = os.path.dirname(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1])
        self.data = f"{folder}/pg"
        # Beside the mount, in the folder that goes with the sandbox.
        self.socket = tempfile.mkdtemp(prefix="pg-", dir=os.path.dirname(os.path.dirname(folder)))
        user = pwd.getpwnam("postgres")
        os.chown(self.socket, user.pw_uid, user.pw_gid)
        if not os.path.exists(self.data):
            os.mkdir(self.data, 0o700)
            os.chown(self.data, user.pw_uid, user.pw_gid)
            self._tool(f"{self.programs}/initdb", "-D", self.data, "-A", "trust", "--no-instructions", "--data-checksums")
        self._drop_stale_pid()
        options = f"-c listen_addresses='' -c unix_socket_directories={self.socket} -c shared_buffers=32MB"
        self._tool(f"{self.programs}/pg_ctl", "-D", self.data, "-l", f"{self.socket}/log", "-o", options, "-w", "-t", "120", "start")
        self.psql = subprocess.Popen([*self._as_user(), "psql", "-X", "-q", "-A", "-t", "-h", self.socket, "postgres"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
        self._ask("create table if not exists t(number integer primary key, text text)")

    def _drop_stale_pid(self):
        """The server's machine has lost its power, so none runs; here another process, or what is left of the old one, has its number."""
        if os.path.exists(f"{self.data}/postmaster.pid"):
            os.unlink(f"{self.data}/postmaster.pid")

    @staticmethod
    def _as_user():
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]

    def _tool(self, *argv):
        # Its output goes nowhere: a server that stays would keep a pipe open.
        subprocess.run([*self._as_user(), *argv], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def _ask(self, statement):
        self.psql.stdin.write(statement + ";\n\\echo done\n")
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline().strip()) != "done":
            if not line and self.psql.poll() is not None:
                with open(f"{self.socket}/log", encoding="utf-8", errors="replace") as log:
                    raise RuntimeError(f"psql ended: {lines}; the server: {log.read()[-1500:]}")
            lines.append(line)
        if any("ERROR" in line or "FATAL" in line for line in lines):
            raise RuntimeError("; ".join(lines))
        return lines

    def insert(self, number):
        self._ask(f"insert into t values({number}, repeat('x', 200))")

    def numbers(self):
        return [int(line) for line in self._ask("select number from t") if line]

    def check(self):
        self.psql.stdin.close()
        self.psql.wait()
        self._tool(f"{self.programs}/pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")
        checked = subprocess.run([*self._as_user(), f"{self.programs}/pg_checksums", "--check", "-D", self.data], capture_output=True,
                                 text=True, cwd="/", check=False)
        return "ok" if checked.returncode == 0 else checked.stdout[-300:] + checked.stderr[-300:]


def main():
    verb, kind, folder = sys.argv[1:]
    database = Postgresql(folder) if kind == "postgresql" else Sqlite(folder, kind.split("-")[1])
    if verb == "check":
        print(json.dumps({"numbers": database.numbers(), "integrity": database.check()}))
        return 0
    number = max(database.numbers(), default=0)
    try:
        while True:
            number += 1
            database.insert(number)
            print(number, flush=True)
    except (OSError, sqlite3.Error, RuntimeError):
        return 0  # the power is gone


if __name__ == "__main__":
    sys.exit(main())
