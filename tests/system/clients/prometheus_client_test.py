# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus finds the instances of an app through marathon_sd_configs."""

import json
import os
import subprocess
import urllib.request

import master

PROMETHEUS = "/usr/bin/prometheus"


def discovered(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets?state=active") as reply:
            return json.load(reply)["data"]["activeTargets"]
    except OSError:
        return []


def test(bed):
    status, _, _ = bed.call("POST", "/v2/apps", {
        "id": "/demo/web", "cmd": "sleep 1", "cpus": 0.1, "mem": 32, "instances": 2,
        "labels": {"team": "shop"}, "portDefinitions": [{"port": 0, "name": "http"}]})
    assert status == 201
    bed.settled()
    port = master.free_port()
    config = {"global": {"scrape_interval": "1h"}, "scrape_configs": [{
        "job_name": "marathon", "authorization": {"type": "Bearer", "credentials": bed.token},
        "marathon_sd_configs": [{"servers": [bed.url], "refresh_interval": "1s",
                                 "authorization": {"type": "Bearer", "credentials": bed.token}}]}]}
    with open(f"{bed.folder}/prometheus.yml", "w") as file:
        json.dump(config, file)  # JSON is YAML
    with open(f"{bed.folder}/prometheus.log", "w") as log:
        process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={bed.folder}/prometheus.yml",
             f"--storage.tsdb.path={bed.folder}/tsdb", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log)
    try:
        found = bed.until(lambda: len(discovered(port)) == 2 and discovered(port), "two targets")
        tasks = bed.call("GET", "/v2/tasks")[2]["tasks"]
        addresses = {f"{task['host']}:{task['ports'][0]}" for task in tasks}
        assert {target["discoveredLabels"]["__address__"] for target in found} == addresses
        labels = found[0]["discoveredLabels"]
        assert labels["__meta_marathon_app"] == "/demo/web", labels
        assert labels["__meta_marathon_app_label_team"] == "shop", labels
        assert labels["__meta_marathon_task"] in {task["id"] for task in tasks}, labels
        assert labels["__meta_marathon_port_index"] == "0", labels
        bed.call("PUT", "/v2/apps//demo/web", {"instances": 1})
        bed.until(lambda: len(discovered(port)) == 1, "one target after scaling")
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    if not os.path.exists(PROMETHEUS):
        raise SystemExit(f"{PROMETHEUS} is missing: ./dev installs it")
    master.run(test)
