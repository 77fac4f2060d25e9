# SPDX-License-Identifier: Apache-2.0
"""One namespace with a bridge as the switch, one namespace per node, and on request a link into the host's own namespace.

All names begin with the bed's prefix. Nothing leaves the machine: there is no route out of the bridge.
"""
import ipaddress
import re

import run
from say import Failure


def ip(*words):
    run.output(["ip", *words])


def namespaces(prefix):
    return sorted(line.split()[0] for line in run.output(["ip", "netns", "list"]).splitlines()
                  if line.startswith(prefix))


def host_links(prefix):
    return sorted(re.findall(rf"^\d+: ({prefix}\w+)[@:]", run.output(["ip", "-o", "link"]), re.MULTILINE))


def free_subnet():
    """The first /24 of 10.213.0.0/16 that the host has no address in."""
    taken = run.output(["ip", "-4", "-o", "addr"]) + run.output(["ip", "-4", "route"])
    for third in range(1, 255):
        if f"10.213.{third}." not in taken:
            return ipaddress.ip_network(f"10.213.{third}.0/24"), ipaddress.ip_network(f"fd00:67:{third:x}::/64")
    raise Failure("every /24 of 10.213.0.0/16 is in use: ./dev down --all removes old test beds")


class Network:
    """The switch of one bed."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.v4, self.v6 = free_subnet()
        self.switch = f"{prefix}sw"

    def create(self):
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")

    def address(self, number):
        return str(self.v4[number]), str(self.v6[number])

    def attach(self, namespace, number):
        """Makes `namespace` with an eth0 on the bridge; `number` gives the last part of its addresses."""
        port = f"p{number}"
        ip("netns", "add", namespace)
        ip("-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("-n", self.switch, "link", "set", port, "master", "br0", "up")
        v4, v6 = self.address(number)
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "addr", "add", f"{v4}/24", "dev", "eth0")
        ip("-n", namespace, "addr", "add", f"{v6}/64", "dev", "eth0", "nodad")
        ip("-n", namespace, "link", "set", "eth0", "up")

    def link_host(self):
        """A veth into the host's namespace with the subnet's first address, so that the host reaches the nodes."""
        link = f"{self.prefix}h"
        ip("-n", self.switch, "link", "add", "host", "type", "veth", "peer", "name", link, "netns", "1")
        ip("-n", self.switch, "link", "set", "host", "master", "br0", "up")
        v4, v6 = self.address(1)
        ip("addr", "add", f"{v4}/24", "dev", link)
        ip("addr", "add", f"{v6}/64", "dev", link, "nodad")
        ip("link", "set", link, "up")

    def set_link(self, number, up):
        """Cuts or restores a node's cable."""
        ip("-n", self.switch, "link", "set", f"p{number}", "up" if up else "down")
