# SPDX-License-Identifier: Apache-2.0
"""`./dev fuzz` and `./dev bench`: programs that run as long as one likes."""
import datetime
import os
import platform
import tempfile

import appliance
import build
import dfs_bench
import run
import say
import up
from say import Failure

FUZZ_FOLDER = run.ROOT / "tests" / "fuzz"


def fuzz_targets():
    return sorted(file.stem for file in FUZZ_FOLDER.glob("*_fuzz.cc"))


class Fuzz:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("target", nargs="?", metavar="TARGET", help="which (default: each in turn): " + ", ".join(fuzz_targets()))
        parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")

    @staticmethod
    def main(arguments):
        targets = [arguments.target] if arguments.target else fuzz_targets()
        if arguments.target and arguments.target not in fuzz_targets():
            raise Failure(f"there is no fuzz target {arguments.target}: " + ", ".join(fuzz_targets()))
        build.build("fuzz", targets)
        for target in targets:
            corpus = [path for path in [FUZZ_FOLDER / "corpus" / target] if path.is_dir()]
            with tempfile.TemporaryDirectory(prefix="gestalt-fuzz-") as folder:
                run.stream([build.folder("fuzz") / "tests/fuzz" / target, f"-max_total_time={arguments.seconds}",
                            f"-artifact_prefix={run.ROOT}/build/", folder, *corpus], target,
                           "The input that did it is in build/crash-*; put it into the corpus with the mend.")


# Programs of bench/ that need nothing but themselves, with what they take for --seconds.
BENCHES = {"placement": lambda seconds: [], "rest": lambda seconds: [seconds], "lists": lambda seconds: [1000, seconds]}


class Bench:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("name", nargs="?", default="all", choices=["all", *BENCHES, "load", "dfs"],
                            help="all (the rows of bench/README.md) or one of them; load: GETs of the standing appliance's sample through HAProxy; "
                                 "dfs: the file system beside its peers, which are installed")
        parser.add_argument("--seconds", type=int, default=5, help="for each figure (5)")
        parser.add_argument("--rate", type=int, default=2000, help="requests per second")
        parser.add_argument("--connections", type=int, default=32)
        dfs_bench.add_arguments(parser.add_argument_group("dfs"))

    @staticmethod
    def main(arguments):
        if arguments.name == "dfs":
            return dfs_bench.main(arguments)
        if arguments.name != "load":
            names = list(BENCHES) if arguments.name == "all" else [arguments.name]
            build.build("release", [f"{name}-bench" for name in names])
            say.note(f"{datetime.date.today()}, {os.cpu_count()} processors, {platform.release()}, release build")
            for name in names:
                run.stream([build.folder("release") / "bench" / f"{name}-bench", *BENCHES[name](arguments.seconds)], name)
            return None
        state = up.required()
        build.build(appliance.preset(), ["bench/gestalt-load"])
        say.note(f"{arguments.rate} requests a second for {arguments.seconds} s")
        run.stream([build.folder(appliance.preset()) / "bench/gestalt-load", "--address", state["facts"]["address"], "--port",
                    up.SERVICE_PORT, "--path", "/id", "--rate", arguments.rate, "--connections", arguments.connections,
                    "--seconds", arguments.seconds], "load")
        return None
