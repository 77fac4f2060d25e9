# SPDX-License-Identifier: Apache-2.0
"""What files must hold after a power cut: everything that was synced, and of the operation under way any part."""
import sys

import run

sys.path.insert(0, str(run.ROOT / "tests/system/dfs"))
import power_load  # noqa: E402  (the load says what its operations write)


def after(files, operation):
    """The files once the operation is done."""
    files = dict(files)
    name, kind = operation["name"], operation["kind"]
    old = files.get(name, b"")
    data = power_load.content(operation["seed"], operation["size"])
    if kind == "write":
        offset = operation["offset"]
        files[name] = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data):]
    elif kind == "append":
        files[name] = old + data
    elif kind == "replace":
        files[name] = data
        files.pop(f"{name}.new", None)
    elif kind == "cut":
        files[name] = old[:operation["offset"]].ljust(operation["offset"], b"\0")
    elif kind == "remove":
        files.pop(name, None)
    return files


def mixes(found, old, new):
    """Whether each byte is as it was, as it was to become, or not written yet (zero, where there was nothing)."""
    if len(found) not in (len(old), len(new)) and not min(len(old), len(new)) <= len(found) <= max(len(old), len(new)):
        return False
    width = len(found)
    old, new = old[:width].ljust(width, b"\0"), new[:width].ljust(width, b"\0")
    if found in (old, new):
        return True
    return all(byte in (before, then) for byte, before, then in zip(found, old, new))


class Model:
    """The acknowledged state of one folder, and the operation that was not answered."""

    def __init__(self):
        self.files, self.under_way, self.acknowledged = {}, None, 0

    def begin(self, operation):
        self.under_way = operation

    def done(self):
        self.files = after(self.files, self.under_way)
        self.under_way = None
        self.acknowledged += 1

    def check(self, found):
        """What is wrong with the files that were found; takes them over where nothing is."""
        wrong = []
        coming = after(self.files, self.under_way) if self.under_way else self.files
        touched = self.under_way["name"] if self.under_way else None
        leftover = f"{touched}.new"
        for name in sorted({*self.files, *coming, *found}):
            if name == leftover and self.under_way["kind"] == "replace":
                continue  # was on its way to its name
            old, new, here = self.files.get(name), coming.get(name), found.get(name)
            if here == old or here == new:
                continue
            if name != touched:
                wrong.append(f"{name}: " + ("gone" if here is None else "there again" if old is None else "not as it was synced"))
            elif here is None or self.under_way["kind"] == "replace" or not mixes(here, old or b"", new or b""):
                wrong.append(f"{name}: neither as before nor as after {self.under_way['kind']}")
        if not wrong:
            self.files = dict(found)
            self.under_way = None
        return wrong
