# SPDX-License-Identifier: Apache-2.0
"""What the shows of the services share: a daemon of its own in a scratch folder, on the host, and requests to it."""
import base64
import contextlib
import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import appliance
import build
from say import Failure

START_SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def storm():
    build.build(appliance.preset(), ["services-storm"])
    return build.folder(appliance.preset()) / "bench" / "services-storm"


@contextlib.contextmanager
def scratch(prefix):
    """A folder on the disk, not in memory: the commits are to be real ones."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"gestalt-{prefix}-", dir="/var/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Daemon:
    """gestalt-services with a store of its own. On its unix socket the caller is root, the node's administrator."""

    def __init__(self, folder, config=None, preset=None):
        self.folder, self.preset = folder, preset or appliance.preset()
        self.socket = folder / "services.sock"
        self.port = free_port()
        settings = {"listen": [{"unix": str(self.socket)}, {"address": "127.0.0.1", "port": self.port}],
                    "state": str(folder / "state"), "settings": {"security": {"credentialsFile": str(folder / "admin.json")}},
                    **(config or {})}
        (folder / "services.json").write_text(json.dumps(settings))
        self.process = None
        self.ready_seconds = 0.0

    def __enter__(self):
        build.build(self.preset, ["gestalt-services"])
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts the process on what the folder holds and waits until it is ready."""
        program = build.folder(self.preset) / "services" / "gestalt-services"
        begin = time.monotonic()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([program, "--config", self.folder / "services.json"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        while time.monotonic() - begin < START_SECONDS:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/health")[0] == 200:
                    self.ready_seconds = time.monotonic() - begin
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        self.stop()
        raise Failure("gestalt-services did not start:\n" + (self.folder / "log").read_text()[-2000:])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def own_and_mapped_mib(self):
        """What is resident: its own, with programs and libraries, and what is mapped of the store's file."""
        mapped, counts = 0, False
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps").read_text().splitlines():
            words = line.split()
            if not words[0].endswith(":"):
                counts = words[-1].endswith(".mdb")
            elif counts and words[0] == "Rss:":
                mapped += int(words[1])
        return self.resident_mib() - mapped / 1024, mapped / 1024

    def resident_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def ask(self, method, path, body=None, headers=None, over="unix"):
        """(status, headers, text) of one request."""
        connection = UnixConnection(self.socket) if over == "unix" else http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=json.dumps(body) if body is not None else None,
                               headers={"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read().decode(errors="replace")
        finally:
            connection.close()

    def must(self, method, path, body=None, headers=None):
        """The JSON of an answer that has to be a good one."""
        status, _, text = self.ask(method, path, body, headers)
        if status >= 300:
            raise Failure(f"{method} {path}: {status} {text}")
        return json.loads(text) if text else None

    def administrator_key(self):
        """The Authorization header of the key that the first boot made."""
        made = json.loads((self.folder / "admin.json").read_text())
        return "Basic " + base64.b64encode(f"{made['apiKey']}:{made['apiSecret']}".encode()).decode()

    def add_administrator(self, name, password):
        """Somebody with a password who may do everything, known to meta too."""
        self.must("POST", "/meta/sync")
        self.must("POST", "/security/root/accounts", {
            "username": name, "firstName": name, "lastName": name,
            "credential": {"credentialType": "GestaltPasswordCredential", "password": password},
            "rights": [{"grantName": "**"}]})
        self.must("POST", "/meta/sync")
