# SPDX-License-Identifier: Apache-2.0
"""Configuring and building a preset of CMakePresets.json, and installing it into a folder."""
import os
import pathlib

import run
import say


def jobs():
    return int(os.environ.get("GESTALT_JOBS", len(os.sched_getaffinity(0))))


def folder(preset):
    """Where a preset is built. GESTALT_BUILD_FOLDER names another clone's build folder to use in place of one's own."""
    return pathlib.Path(os.environ.get("GESTALT_BUILD_FOLDER", run.ROOT / "build")) / preset


def configure(preset):
    if not (folder(preset) / "build.ninja").exists():
        run.quiet(["cmake", "--preset", preset], f"configuring {preset}", folder(preset) / "configure.log",
                  "Missing packages belong into tools/packages.txt.")


def build(preset, targets=()):
    """Builds targets (all when none is named) of a preset, with what the compiler said when it fails."""
    with say.step(f"build {preset}" + (f" ({' '.join(targets)})" if targets else "")):
        configure(preset)
        run.quiet(["ninja", "-C", folder(preset), "-j", jobs(), *targets], f"building {preset}",
                  folder(preset) / "build.log", env={"NINJA_STATUS": "[%f/%t] "})


def install(preset, destination):
    """The installed tree, as a package would put it on a node."""
    destination = pathlib.Path(destination)
    run.quiet(["cmake", "--install", folder(preset), "--prefix", "/usr", "--strip"], "installing",
              folder(preset) / "install.log", env={"DESTDIR": str(destination)})
