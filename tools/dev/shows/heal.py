# SPDX-License-Identifier: Apache-2.0
"""An instance is killed; how long until a healthy replacement answers through the load balancer, and whether anybody noticed."""
import os
import signal
import time

import appliance
import say
from say import Failure

from . import frame

ABOUT = "kill instances under load: time to a healthy replacement in rotation, failed requests"
PORT = 10000
TARGET_MS = 500


def app(image):
    return appliance.sample_app(image, instances=3, service_port=PORT, backoffSeconds=0, backoffFactor=1.0,
                                maxLaunchDelaySeconds=0)


def kill_one(node, prober, turn):
    """SIGKILLs the oldest-named instance of three and returns the milliseconds until a new one answers."""
    known = frame.instances(node)
    if len(known) != 3:
        node.wait_app("/sample", 3)
        known = frame.instances(node)
    begin = time.monotonic()
    os.kill(known[sorted(known)[turn % len(known)]], signal.SIGKILL)
    seen = prober.wait_new(known, 30)
    if seen is None:
        raise Failure(f"kill {turn}: no replacement within 30 s")
    return (seen[0] - begin) * 1000


def show(report):
    kills = 20 if report.smoke else 100
    with frame.fresh_appliance() as node:
        node.run_app(app(node.put_image()))
        node.wait_answer(node.url_of(PORT))
        prober = frame.Prober(node.node.v4, PORT)
        times = []
        with frame.Load(node, PORT) as load:
            for turn in range(kills):
                times.append(kill_one(node, prober, turn))
                if turn % 10 == 9:
                    say.note(f"{turn + 1} of {kills} kills, worst {max(times):.0f} ms")
            node.wait_app("/sample", 3)
        report.figure("kills", kills)
        report.figure("kill to replacement p50", frame.percentile(times, 0.5), "ms")
        report.figure("kill to replacement p99", frame.percentile(times, 0.99), "ms", at_most=TARGET_MS)
        report.figure("kill to replacement worst", max(times), "ms")
        load.figures(report)
