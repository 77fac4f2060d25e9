# SPDX-License-Identifier: Apache-2.0
"""gestalt-services as a process of its own in a folder of its own, for shows that need no appliance."""
import base64
import contextlib
import http.client
import json
import pathlib
import socket
import subprocess
import tempfile
import time

import build
from say import Failure

START_SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Services:
    def __init__(self, folder, port):
        self.folder, self.port, self.admin = pathlib.Path(folder), port, None

    def ask(self, method, path, body=None, auth=None):
        """(status, JSON or text) of a call, as the administrator unless told otherwise."""
        headers = {"Authorization": auth or self.admin} if auth or self.admin else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def must(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        if status >= 300:
            raise Failure(f"{method} {path}: {status} {answer}")
        return answer

    def read_admin(self, file):
        made = json.loads(file.read_text())
        pair = f"{made['apiKey']}:{made['apiSecret']}".encode()
        self.admin = "Basic " + base64.b64encode(pair).decode()

    def add_administrator(self, name, password):
        """Somebody with a password, in the group of the first boot that may do everything."""
        account = self.must("POST", "/security/root/accounts", {
            "username": name, "firstName": name, "lastName": name,
            "credential": {"credentialType": "GestaltPasswordCredential", "password": password},
            "rights": [{"grantName": "**"}]})
        return account["id"]


def wait_until(what, done, process, log):
    end = time.monotonic() + START_SECONDS
    while not done():
        if process.poll() is not None:
            raise Failure(f"gestalt-services ended: {log.read_text()[-2000:]}")
        if time.monotonic() > end:
            raise Failure(f"no {what} within {START_SECONDS} s: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def answers(services):
    try:
        return services.ask("GET", "/meta/about")[0] == 200
    except OSError:
        return False


@contextlib.contextmanager
def running(preset, people=None, settings=None):
    """The process, with an administrator's key and these people; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gestalt-services-") as name:
        folder = pathlib.Path(name)
        services = Services(folder, free_port())
        admin = folder / "admin.json"
        config = {"listen": [{"port": services.port, "address": "127.0.0.1"}, {"unix": str(folder / "services.sock")}],
                  "state": str(folder / "state"), "tokens": str(folder / "tokens.json"), "store": {"map_size_mib": 2048},
                  "settings": {"security": {"credentialsFile": str(admin)}, **(settings or {})}}
        (folder / "tokens.json").write_text('{"tokens": []}')
        (folder / "services.json").write_text(json.dumps(config))
        log = folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen([build.folder(preset) / "services/gestalt-services", "--config", folder / "services.json"],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until("answer", lambda: answers(services), process, log)
            services.read_admin(admin)
            services.must("POST", "/meta/sync")
            for person, password in (people or {}).items():
                services.add_administrator(person, password)
            services.must("POST", "/meta/sync")
            yield services
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
