# SPDX-License-Identifier: Apache-2.0
"""The npm clients marathon-node 1.1.0 and marathon-event-bus-client 0.1.7, unmodified.

They are fetched from the npm registry into a scratch folder.
"""

import os
import shutil
import subprocess

import master

PACKAGES = ["marathon-node@1.1.0", "marathon-event-bus-client@0.1.7"]
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npm_client.js")


def test(bed):
    env = {**os.environ, "npm_config_cache": f"{bed.folder}/npm-cache"}
    fetched = subprocess.run([shutil.which("npm"), "install", "--prefix", bed.folder, "--no-audit", "--no-fund",
                              "--ignore-scripts", *PACKAGES], env=env, capture_output=True, timeout=120)
    if fetched.returncode != 0:
        raise AssertionError("npm cannot fetch the clients: let this machine reach the npm registry (npm config get "
                             "registry), or name a mirror in npm_config_registry.\n" + fetched.stderr.decode()[-2000:])
    shutil.copy(SCRIPT, bed.folder)
    done = subprocess.run([shutil.which("node"), f"{bed.folder}/npm_client.js", bed.url, bed.token],
                          timeout=60, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-3000:]


if __name__ == "__main__":
    if not (shutil.which("npm") and shutil.which("node")):
        raise SystemExit("npm or node is missing: ./dev test system installs them")
    master.run(test)
