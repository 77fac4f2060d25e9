# SPDX-License-Identifier: Apache-2.0
"""An appliance node in a test bed, and what the harness says to its daemons."""
import json
import os
import time

import build
import image
import run
import testbed
from say import Failure

DAEMONS = ("netfwd", "dfs-meta", "dfs-storage", "masterd", "agentd", "services")
MASTER_PORT = 8080
IMAGE_ON_NODE = "/var/lib/gestalt/sample/guestbook"
VOLUME = {"containerPath": "/data", "external": {"name": "sample", "provider": "gestalt", "size": 64}, "mode": "RW"}
HOST_FOLDER = "/var/lib/gestalt/sample/data"
HOST_VOLUME = {"containerPath": "/data", "hostPath": HOST_FOLDER, "mode": "RW"}
READY_SECONDS = 60


# The daemons listen on loopback until an operator says otherwise; here the host stands in the management network. They
# refuse to listen on all addresses, so each is named.
def _listen(daemon, addresses, *ports):
    rows = [{"unix": f"/run/gestalt/{daemon}.sock"}]
    rows += [{"address": address, "port": port} for port in ports for address in addresses]
    return {f"/etc/gestalt/{daemon}.d/50-listen.json": json.dumps({"listen": rows})}


def listen(node):
    addresses = ("127.0.0.1", node.v4, node.v6)
    return {**_listen("masterd", addresses, MASTER_PORT, 5050), **_listen("agentd", addresses, 5051)}


# What a node needs built; `all` would build the tests of a preset that has them.
TARGETS = ("dfs/all", "netfw/all", "node/all", "services/all", "cli/all", "samples/all", "bench/all", "install/all")


def preset():
    """The build that nodes get. The build machine has only the debug one and says so."""
    return os.environ.get("GESTALT_PRESET", "release")


def install(folder):
    build.install(preset(), folder)


class Appliance:
    """One node of a bed with all daemons. Requests go through the node's own curl or from the host with the admin token."""

    def __init__(self, bed):
        self.bed = bed
        self.node = None
        self.token = ""

    def boot(self, files=None):
        node = self.bed.add_node("n1")
        node.files = {**listen(node), **(files or {})}
        self.node = self.bed.boot("n1")
        self.check_units()
        self.token = self.node.run(["cat", "/var/lib/gestalt/credentials/admin.token"]).strip()
        return self

    def check_units(self):
        failed = self.node.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend", "gestalt*"]).strip()
        wanted = [f"gestalt-{name}" for name in DAEMONS]
        states = self.node.run(["systemctl", "is-active", *wanted], check=False).split()
        if failed or states != ["active"] * len(wanted):
            said = self.node.run(["journalctl", "--no-pager", "-n", "40", "-u", "gestalt-*"], check=False)
            raise Failure(f"daemons are not up: {dict(zip(wanted, states))}\n{said}")

    # Requests.

    def ask(self, method, path, body=None, port=MASTER_PORT, expect=(200, 201, 204), patience=30):
        """A request to a daemon's TCP listener with the admin token: the parsed answer. Others than `expect` are failures."""
        status, text = self.try_ask(method, path, body, port, patience)
        if status not in expect:
            raise Failure(f"{method} {path} answered {status}: {text[:600]}")
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            return text

    def try_ask(self, method, path, body=None, port=MASTER_PORT, patience=30):
        """Status (0: no answer) and text."""
        argv = ["curl", "-sS", "--max-time", patience, "-X", method, "-H", f"Authorization: Bearer {self.token}",
                "-H", "Accept: application/json", "-w", "\n%{http_code}", f"http://{self.node.v4}:{port}{path}"]
        if body is not None:
            argv += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        text = run.output(argv, check=False, timeout=patience + 5, text=json.dumps(body) if body is not None else None)
        content, _, status = text.rpartition("\n")
        return int(status or 0), content

    def socket(self, daemon, method, path, body=None):
        """A request to a daemon's unix socket, as root on the node."""
        argv = ["-X", method, "--unix-socket", f"/run/gestalt/{daemon}.sock"]
        if body is not None:
            argv += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        return self.node.curl(f"http://localhost{path}", *argv)

    # Applications.

    def put_image(self):
        """The sample's image layout in the node's file system, and the folder that is HOST_VOLUME."""
        layout = image.make_guestbook(preset(), self.bed.folder / "guestbook")
        self.node.copy_in(layout, IMAGE_ON_NODE)
        # Instances may run in user namespaces, each with other user numbers.
        self.node.run(["install", "-d", "-m", "1777", HOST_FOLDER])
        return f"oci:{IMAGE_ON_NODE}:{image.TAG}"

    def wait_for(self, what, probe, seconds=READY_SECONDS):
        """Asks until `probe` gives something true, which is returned. An answer it cannot take counts as not yet."""
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end:
            try:
                last = probe()
                if last:
                    return last
            except (Failure, KeyError, TypeError) as problem:
                last = problem
            time.sleep(0.1)
        said = self.node.run(["journalctl", "--no-pager", "-n", "30", "-p", "notice"], check=False)
        raise Failure(f"{what}: not within {seconds} s (last: {last})\n{said}")

    def run_app(self, app, seconds=READY_SECONDS):
        """Creates or changes an application and waits until all its instances are healthy."""
        self.ask("PUT", f"/v2/apps{app['id']}?force=true", app)
        return self.wait_app(app["id"], app.get("instances", 1), seconds)

    def wait_app(self, app_id, healthy, seconds=READY_SECONDS):
        def probe():
            app = self.ask("GET", f"/v2/apps{app_id}")["app"]
            settled = not app.get("deployments") and app["tasksRunning"] == app["instances"] == healthy
            return app if settled and (not app.get("healthChecks") or app["tasksHealthy"] == healthy) else None
        return self.wait_for(f"{app_id} with {healthy} healthy instances", probe, seconds)

    def url_of(self, service_port):
        return f"http://{self.node.v4}:{service_port}"

    def fetch(self, url, host=""):
        """Status and text of a GET through the load balancer, from the host."""
        argv = ["curl", "-sS", "--max-time", "5", "-w", "\n%{http_code}", url]
        if host:
            argv += ["-H", f"Host: {host}"]
        content, _, status = run.output(argv, check=False).rpartition("\n")
        return int(status or 0), content

    def wait_answer(self, url, host=""):
        return self.wait_for(f"an answer from {url} {host}", lambda: self.fetch(url, host)[0] == 200)


def sample_app(image_name, instances=2, app_id="/sample", service_port=10000, host="sample.gestalt", volume=None, **changes):
    """The guestbook as Marathon would be asked for it. Its instances share one volume of the file system, unless told otherwise."""
    app = {
        "id": app_id,
        "instances": instances,
        "cpus": 0.1,
        "mem": 32,
        "container": {"type": "MESOS", "docker": {"image": image_name},
                      "volumes": [volume or VOLUME]},
        "portDefinitions": [{"port": service_port, "protocol": "tcp", "name": "http"}],
        "requirePorts": False,
        "env": {"GUESTBOOK_VERSION": "1"},
        "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": host},
        "healthChecks": [{"protocol": "MESOS_HTTP", "path": "/health", "portIndex": 0, "gracePeriodSeconds": 5,
                          "intervalSeconds": 1, "timeoutSeconds": 2, "maxConsecutiveFailures": 3}],
    }
    app.update(changes)
    return app


def fresh_bed(**options):
    return testbed.Bed(install, **options)


def prepare():
    """What every verb that needs a node does first."""
    testbed.clean_up_dead()
    build.build(preset(), TARGETS)
