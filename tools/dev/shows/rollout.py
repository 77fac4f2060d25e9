# SPDX-License-Identifier: Apache-2.0
"""Scaling and upgrading under load, and a deployment that cannot succeed."""
import json
import pathlib
import threading
import time

import appliance
import say
from say import Failure

from . import frame

ABOUT = "scale 1 to 20 to 1 and upgrade under load: no failed request, healthy count within its bounds, rollback by deadline"
PORT = 10000
APP = "/sample"


class Watcher:
    """Samples how many instances run and are healthy while something happens."""

    def __init__(self, node):
        self._node = node
        self._stop = threading.Event()
        self.samples = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.wait(0.01):
            status, text = self._node.try_ask("GET", f"/v2/apps{APP}")
            if status == 200:
                app = json.loads(text)["app"]
                self.samples.append((app["tasksHealthy"], app["tasksRunning"] + app["tasksStaged"]))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def bounds(self):
        if not self.samples:
            raise Failure("no sample of the healthy count was taken")
        return min(healthy for healthy, _ in self.samples), max(total for _, total in self.samples)


def deploy(node, app, seconds=180):
    begin = time.monotonic()
    node.run_app(app, seconds)
    return time.monotonic() - begin


def scale(node, report, image, most):
    app = appliance.sample_app(image, instances=1, service_port=PORT)
    report.figure(f"scale 1 to {most}", deploy(node, {**app, "instances": most}), "s")
    report.figure(f"scale {most} to 1", deploy(node, {**app, "instances": 1}), "s")


def version_of(pid):
    """What the process itself was started with, whatever the master says."""
    for word in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        if word.startswith(b"GUESTBOOK_VERSION="):
            return word.split(b"=", 1)[1].decode()
    return ""


def upgrade(node, report, image, count):
    """A new version with no instance less than before and at most half more."""
    strategy = {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 0.5}
    app = appliance.sample_app(image, instances=count, service_port=PORT, upgradeStrategy=strategy)
    deploy(node, app)
    with Watcher(node) as watcher:
        seconds = deploy(node, {**app, "env": {"GUESTBOOK_VERSION": "2"}})
    least, total = watcher.bounds()
    report.figure(f"upgrade of {count} instances", seconds, "s")
    report.figure("instances of the new version", sum(version_of(pid) == "2" for pid in frame.instances(node).values()),
                  exactly=count)
    report.figure("samples of the healthy count", len(watcher.samples))
    report.figure("healthy below the floor", max(0, count - least), exactly=0)
    report.figure("instances above the ceiling", max(0, total - count * 3 // 2), exactly=0)
    return {**app, "env": {"GUESTBOOK_VERSION": "2"}}


def never_healthy(node, report, good):
    """A version whose health check never passes must be given up by its deadline, with the old one serving all along."""
    deadline = 10
    bad = {**good, "env": {"GUESTBOOK_VERSION": "3", "GUESTBOOK_UNHEALTHY": "1"},
           "labels": {**good["labels"], "GESTALT_DEPLOY_DEADLINE": str(deadline),
                      "GESTALT_ON_FAILURE": "rollback"}}
    begin = time.monotonic()
    node.ask("PUT", f"/v2/apps{APP}?force=true", bad)

    def restored():
        app = node.ask("GET", f"/v2/apps{APP}")["app"]
        version = app["env"].get("GUESTBOOK_VERSION")
        return version == "2" and not app["deployments"] and app["tasksHealthy"] == good["instances"]
    node.wait_for("the rollback", restored, deadline + 60)
    report.figure("rolled back after", time.monotonic() - begin, "s", at_most=deadline + 15)


def show(report):
    most, count = (6, 4) if report.smoke else (20, 8)
    with frame.fresh_appliance() as node:
        image = node.put_image()
        deploy(node, appliance.sample_app(image, instances=1, service_port=PORT))
        node.wait_answer(node.url_of(PORT))
        with frame.Load(node, PORT, bodies=True) as load:
            scale(node, report, image, most)
            good = upgrade(node, report, image, count)
            say.note("deploy a version that never gets healthy")
            never_healthy(node, report, good)
        load.figures(report)
        bad = sum(number for body, number in load.result["bodies"].items() if body.endswith(" 3"))
        report.figure("requests answered by the bad version", bad, exactly=0)
