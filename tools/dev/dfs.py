# SPDX-License-Identifier: Apache-2.0
"""`./dev dfs N`: N servers of the file system and a mount, for work and measurement."""
import os
import subprocess

import dfs_servers
import say
from testbed.sandbox import Sandbox


def add_arguments(parser):
    parser.epilog = "./dev dfs 3 -- COMMAND … runs a command in the mounted volume instead of a shell."
    parser.add_argument("count", nargs="?", type=int, default=3, choices=range(1, 6), help="servers (3)")
    parser.add_argument("--hosts", action="store_true", help="give each server a network of its own")


def main(arguments):
    dfs_servers.prepare()
    with Sandbox("dfs") as box:
        servers = dfs_servers.Servers(arguments.count, hosts=arguments.hosts)
        with say.step(f"start {arguments.count} servers and mount a volume"):
            mount = servers.start(box)
        say.note(f"the volume is at {mount}; the daemons' output beside it; all of it goes when this ends")
        command = arguments.command or [os.environ.get("SHELL", "/bin/bash")]
        return subprocess.call(box.inside(["env", f"--chdir={mount}", *command]))
