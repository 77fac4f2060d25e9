# SPDX-License-Identifier: Apache-2.0
"""Scaling and upgrading under load, and a deployment that cannot succeed; all the while, how many instances serve and how many there are."""
import contextlib
import http.client
import json
import math
import pathlib
import threading
import time

import appliance
from say import Failure

from . import frame

ABOUT = ("scale 1 to 20 to 1, upgrade, and roll back by deadline under load: no failed request; healthy and all instances within floor and ceiling "
         "as masterd counts, as agentd runs them and as HAProxy has them in rotation")
PORT = 10000
APP = "/sample"
AGENT_PORT = 5051
SAMPLES_MIN = 20  # of each source in each phase
# No instance less than before and at most half more.
STRATEGY = {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 0.5}
# Scaling replaces nothing: whatever the strategy allows, there is no reason for more than the larger number.
SCALING = {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 0.0}


class Source:
    """Somebody who knows how many instances serve and how many there are, over a connection that stays open."""

    def __init__(self, name, node, port, path, count):
        self.name, self.samples = name, []
        self._node, self._port, self._path, self._count = node, port, path, count
        self._connection = None

    def look(self):
        """Takes a sample; none when nobody answers."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._node.node.v4, self._port, timeout=5)
        try:
            self._connection.request("GET", self._path, headers={"Authorization": f"Bearer {self._node.token}"})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            return
        if answer.status == 200:
            self.samples.append(self._count(json.loads(text)))


def as_masterd_counts(answer):
    app = answer["app"]
    return app["tasksHealthy"], app["tasksRunning"] + app["tasksStaged"]


def as_agentd_runs(answer):
    """Instances that have not ended; those that are on their way to it serve no more, but there they are."""
    there = [each for each in answer["instances"] if each["app"] == APP and each["state"] in ("staging", "starting", "running", "killing")]
    return sum(each["state"] == "running" and each["healthy"] is True for each in there), len(there)


class Rotation:
    """HAProxy itself: servers in rotation. How many instances there are is none of its business."""
    name = "HAProxy"

    def __init__(self, node):
        self.samples, self._node = [], node

    def look(self):
        with contextlib.suppress(Failure):
            serving = {(each["srv_addr"], each["srv_port"]) for each in frame.members(self._node) if frame.is_in_rotation(each)}
            self.samples.append((len(serving), len(serving)))


class Watcher:
    """Samples all sources while something happens."""

    def __init__(self, node):
        self.sources = [Source("masterd", node, appliance.MASTER_PORT, f"/v2/apps{APP}", as_masterd_counts),
                        Source("agentd", node, AGENT_PORT, "/v1/instances", as_agentd_runs), Rotation(node)]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(source,), daemon=True) for source in self.sources]

    def _run(self, source):
        source.look()
        while not self._stop.wait(0.01):
            source.look()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        # After a quick change it looks for a little longer: what follows is within the bounds as well.
        end = time.monotonic() + 10
        while min(len(source.samples) for source in self.sources) < SAMPLES_MIN and time.monotonic() < end:
            self._stop.wait(0.02)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def figures(self, report, phase, floor, ceiling):
        """At least `floor` healthy instances and at most `ceiling` of all, in every sample of every source."""
        for source in self.sources:
            who = f"{phase}, {source.name}"
            report.figure(f"{who}: samples", len(source.samples), at_least=SAMPLES_MIN)
            if source.samples:
                report.figure(f"{who}: healthy, least", min(healthy for healthy, _ in source.samples), at_least=floor)
                report.figure(f"{who}: instances, most", max(total for _, total in source.samples), at_most=ceiling)


def bounds(strategy, before, after):
    """Floor of healthy instances and ceiling of all while their number or their version changes."""
    return (math.ceil(min(before, after) * strategy["minimumHealthCapacity"]),
            math.floor(max(before, after) * (1 + strategy["maximumOverCapacity"])))


def deploy(node, app, seconds=180):
    begin = time.monotonic()
    node.run_app(app, seconds)
    return time.monotonic() - begin


def watched(node, report, phase, app, strategy, before):
    """Deploys `app`, which has had `before` instances until now, and holds every sample against the bounds."""
    with Watcher(node) as watcher:
        seconds = deploy(node, app)
    report.figure(phase, seconds, "s")
    watcher.figures(report, phase, *bounds(strategy, before, app["instances"]))


def scale(node, report, app, most):
    watched(node, report, f"scale 1 to {most}", {**app, "instances": most}, SCALING, 1)
    watched(node, report, f"scale {most} to 1", {**app, "instances": 1}, SCALING, most)


def version_of(pid):
    """What the process itself was started with, whatever the master says."""
    for word in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        if word.startswith(b"GUESTBOOK_VERSION="):
            return word.split(b"=", 1)[1].decode()
    return ""


def upgrade(node, report, app, count):
    app = {**app, "instances": count, "upgradeStrategy": STRATEGY}
    deploy(node, app)
    good = {**app, "env": {"GUESTBOOK_VERSION": "2"}}
    watched(node, report, f"upgrade of {count} instances", good, STRATEGY, count)
    report.figure("instances of the new version", sum(version_of(pid) == "2" for pid in frame.instances(node).values()),
                  exactly=count)
    return good


def never_healthy(node, report, good):
    """A version whose health check never passes must be given up by its deadline, with the old one serving all along."""
    deadline, count = 10, good["instances"]
    bad = {**good, "env": {"GUESTBOOK_VERSION": "3", "GUESTBOOK_UNHEALTHY": "1"},
           "labels": {**good["labels"], "GESTALT_DEPLOY_DEADLINE": str(deadline),
                      "GESTALT_ON_FAILURE": "rollback"}}

    def restored():
        app = node.ask("GET", f"/v2/apps{APP}")["app"]
        version = app["env"].get("GUESTBOOK_VERSION")
        return version == "2" and not app["deployments"] and app["tasksHealthy"] == count
    begin = time.monotonic()
    with Watcher(node) as watcher:
        node.ask("PUT", f"/v2/apps{APP}?force=true", bad)
        node.wait_for("the rollback", restored, deadline + 60)
    report.figure("rolled back after", time.monotonic() - begin, "s", at_most=deadline + 15)
    watcher.figures(report, "rollback", *bounds(STRATEGY, count, count))


def show(report):
    most, count = (6, 4) if report.smoke else (20, 8)
    with frame.fresh_appliance() as node:
        app = appliance.sample_app(node.put_image(), instances=1, service_port=PORT, upgradeStrategy=SCALING)
        deploy(node, app)
        node.wait_answer(node.url_of(PORT))
        with frame.Load(node, PORT, bodies=True) as load:
            scale(node, report, app, most)
            good = upgrade(node, report, app, count)
            never_healthy(node, report, good)
        load.figures(report)
        bad = sum(number for body, number in load.result["bodies"].items() if body.endswith(" 3"))
        report.figure("requests answered by the bad version", bad, exactly=0)
