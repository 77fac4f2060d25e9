# SPDX-License-Identifier: Apache-2.0
"""A masterd with fake agents in a folder of its own: started, killed, cleaned up."""

import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

DEADLINE_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Master:
    """Use as a context manager. `url` and `token` are for clients; `call` for the test itself."""

    def __init__(self, masterd, fake_agent, nodes=("n1", "n2")):
        self.masterd, self.fake_agent, self.nodes = masterd, fake_agent, nodes
        self.folder = tempfile.mkdtemp(prefix="master-clients-")
        self.port, self.mesos_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.mesos_url = f"http://127.0.0.1:{self.mesos_port}"
        self.token = secrets.token_urlsafe(24)
        self.socket = f"{self.folder}/masterd.sock"
        self.process, self.agents = None, {}

    def __enter__(self):
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        tokens = {"tokens": [{"id": "client", "sha256": digest, "scopes": ["*"]}]}
        with open(f"{self.folder}/tokens.json", "w") as file:
            json.dump(tokens, file)
        os.chmod(f"{self.folder}/tokens.json", 0o600)
        config = {"address": "127.0.0.1", "netfw_socket": "",
                  "coordination_folder": f"{self.folder}/coordination",
                  "tokens_file": f"{self.folder}/tokens.json",
                  "listen": [{"unix": self.socket},
                             {"address": "127.0.0.1", "port": self.port},
                             {"address": "127.0.0.1", "port": self.mesos_port}]}
        os.mkdir(f"{self.folder}/coordination")
        with open(f"{self.folder}/masterd.json", "w") as file:
            json.dump(config, file)
        try:
            self.start()
            for number, name in enumerate(self.nodes):
                self.start_agent(name, f"127.0.1.{number + 1}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in [*self.agents.values(), self.process]:
            if process is not None and process.poll() is None:
                process.kill()
            if process is not None:
                process.wait()
        if sys.exc_info()[0] is not None or os.environ.get("KEEP"):
            with open(f"{self.folder}/log") as file:
                print("masterd's log:\n" + file.read(), file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        log = open(f"{self.folder}/log", "a")
        self.process = subprocess.Popen(
            [self.masterd, "--config", f"{self.folder}/masterd.json"], stderr=log, stdout=log)
        log.close()
        self.until(self.answers, "masterd answers")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start_agent(self, name, address):
        self.agents[name] = subprocess.Popen(
            [self.fake_agent, f"{self.folder}/coordination", self.socket, name, address],
            stdout=subprocess.PIPE)
        assert self.agents[name].stdout.readline() == b"live\n"

    def kill_agent(self, name):
        self.agents[name].kill()
        self.agents[name].wait()

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"masterd ended with {self.process.returncode}")
        try:
            return self.call("GET", "/ping")[0] == 200
        except OSError:
            return False

    def call(self, method, path, body=None, headers=None):
        """(status, headers, body as JSON when it is)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
            connection.request(method, path, data, {"Authorization": f"token={self.token}",
                                                    "Content-Type": "application/json",
                                                    **(headers or {})})
            reply = connection.getresponse()
            text = reply.read().decode()
            is_json = "json" in (reply.headers.get("Content-Type") or "")
            return reply.status, reply.headers, json.loads(text) if is_json else text
        finally:
            connection.close()

    @staticmethod
    def until(condition, what, seconds=DEADLINE_SECONDS):
        # The outside of masterd has no event for this; a short poll with a deadline is all there is.
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{what}: not within {seconds} s")

    def settled(self):
        self.until(lambda: self.call("GET", "/v2/deployments")[2] == [], "no deployment is left")


def run(test):
    """Runs `test(master)` with the programs named on the command line."""
    with Master(sys.argv[1], sys.argv[2]) as master:
        test(master)
    print("ok")
