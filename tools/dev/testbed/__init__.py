# SPDX-License-Identifier: Apache-2.0
"""The test bed: systemd-nspawn containers with systemd as PID 1, a network namespace and a data disk each."""
from .bed import Bed, clean_up, clean_up_dead, leftovers, living
from .inventory import has_systemd, inventory
from .node import Node

__all__ = ["Bed", "Node", "clean_up", "clean_up_dead", "has_systemd", "inventory", "leftovers", "living"]
