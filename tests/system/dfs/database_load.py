#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A database in a folder, one insert per transaction for so many seconds; then its own integrity check, and whether all that was
acknowledged is there. Prints "started", then one JSON line.

    database_load.py sqlite-delete|sqlite-wal|postgresql FOLDER --seconds N
"""
import argparse
import glob
import json
import os
import pwd
import sqlite3
import subprocess
import sys
import tempfile
import time


def run_until(seconds, insert, reconnect):
    """Inserts 1, 2, 3 …; the numbers that were acknowledged, and the errors."""
    acknowledged, errors = [], []
    end = time.monotonic() + seconds
    number = 0
    print("started", flush=True)
    while time.monotonic() < end:
        number += 1
        try:
            insert(number)
            acknowledged.append(number)
        except (OSError, sqlite3.Error, RuntimeError) as problem:
            errors.append(str(problem))
            if len(errors) > 100:
                break
            reconnect()
    return acknowledged, errors


def sqlite(folder, seconds, mode):
    file = f"{folder}/data.db"

    def connect():
        connection = sqlite3.connect(file, isolation_level=None, timeout=30)
        if connection.execute(f"pragma journal_mode={mode}").fetchone()[0] != mode:
            raise RuntimeError(f"no journal mode {mode}")
        connection.execute("pragma synchronous=full")
        return connection

    state = {"connection": connect()}
    state["connection"].execute("create table t(number integer primary key, text text)")
    acknowledged, errors = run_until(
        seconds, lambda number: state["connection"].execute("insert into t values(?, ?)", (number, "x" * 200)),
        lambda: state.update(connection=connect()))
    state["connection"].close()
    fresh = connect()
    there = {row[0] for row in fresh.execute("select number from t")}
    return acknowledged, errors, there, fresh.execute("pragma integrity_check").fetchone()[0]


def postgresql(folder, seconds):
    programs = os.path.dirname(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1])
    user = pwd.getpwnam("postgres")
    data = f"{folder}/pg"
    os.mkdir(data, 0o700)
    os.chown(data, user.pw_uid, user.pw_gid)
    socket = tempfile.mkdtemp(prefix="gestalt-pg-")
    os.chown(socket, user.pw_uid, user.pw_gid)
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]

    def tool(*argv, **options):
        return subprocess.run([*as_user, *argv], check=True, capture_output=True, text=True, cwd="/", **options).stdout

    tool(f"{programs}/initdb", "-D", data, "-A", "trust", "--no-instructions", "--data-checksums")
    with open(f"{data}/postgresql.conf", "a", encoding="utf-8") as file:
        file.write(f"\nlisten_addresses=''\nunix_socket_directories='{socket}'\nshared_buffers=32MB\n")
    tool(f"{programs}/pg_ctl", "-D", data, "-l", f"{socket}/log", "-w", "-t", "120", "start")
    psql = subprocess.Popen([*as_user, "psql", "-X", "-q", "-A", "-t", "-h", socket, "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, cwd="/")

    def ask(statement):
        """psql answers a number after the statement, so an error shows as another line."""
        psql.stdin.write(statement + ";\n\\echo done\n")
        psql.stdin.flush()
        lines = []
        while (line := psql.stdout.readline().strip()) != "done":
            if not line and psql.poll() is not None:
                raise RuntimeError("psql ended")
            lines.append(line)
        if any("ERROR" in line or "FATAL" in line for line in lines):
            raise RuntimeError("; ".join(lines))
        return lines

    ask("create table t(number integer primary key, text text)")
    acknowledged, errors = run_until(seconds, lambda number: ask(f"insert into t values({number}, repeat('x', 200))"), lambda: None)
    there = {int(line) for line in ask("select number from t") if line}
    psql.stdin.close()
    psql.wait()
    tool(f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    # Recovers from its log, as after a crash, then every page's checksum is read.
    tool(f"{programs}/pg_ctl", "-D", data, "-l", f"{socket}/log", "-w", "-t", "120", "start")
    again = tool("psql", "-X", "-A", "-t", "-h", socket, "-c", "select count(*) from t", "postgres").strip()
    tool(f"{programs}/pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
    checked = subprocess.run([*as_user, f"{programs}/pg_checksums", "--check", "-D", data], capture_output=True, text=True, cwd="/", check=False)
    whole = checked.returncode == 0 and int(again) == len(there)
    return acknowledged, errors, there, "ok" if whole else f"{checked.stdout[-300:]}{checked.stderr[-300:]} {again} of {len(there)} rows"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["sqlite-delete", "sqlite-wal", "postgresql"])
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    if arguments.kind == "postgresql":
        acknowledged, errors, there, integrity = postgresql(arguments.folder, arguments.seconds)
    else:
        acknowledged, errors, there, integrity = sqlite(arguments.folder, arguments.seconds, arguments.kind.split("-")[1])
    print(json.dumps({"acknowledged": len(acknowledged), "errors": len(errors), "first_error": errors[0] if errors else "",
                      "missing": len(set(acknowledged) - there), "integrity": integrity}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
