# SPDX-License-Identifier: Apache-2.0
"""The verbs of ./dev. Each lives in a module of its own; this file only tells them apart."""
import argparse
import os
import signal
import sys

import coverage
import dfs
import engines
import housekeeping
import run
import say
import show
import tests
import up

VERBS = {
    "up": (up.Up, "build, start an appliance, run the sample application on it, print its URL"),
    "down": (up.Down, "stop the appliance and remove everything of it"),
    "status": (up.Status, "what runs on the appliance (status 3: none is up)"),
    "shell": (up.Shell, "a shell or a command on the appliance"),
    "logs": (up.Logs, "the journal of the appliance's daemons"),
    "test": (tests, "build and run the tests"),
    "show": (show, "measure what is claimed, afresh, on a fresh appliance"),
    "bench": (engines.Bench, "figures of bench/README.md, the file system beside its peers, load on the sample"),
    "dfs": (dfs, "servers of the file system and a mounted volume, with a shell in it"),
    "fuzz": (engines.Fuzz, "run the fuzz targets"),
    "lint": (housekeeping.Lint, "check C++ files' format, shell scripts, and with clang-tidy what has changed"),
    "coverage": (coverage.Coverage, "which lines the suites run, by module"),
    "clean": (housekeeping.Clean, "remove what was built"),
}


def parse(words):
    """Words after -- are a command for the node, whatever they look like."""
    command = words[words.index("--") + 1:] if "--" in words else []
    words = words[:words.index("--")] if "--" in words else words
    parser = argparse.ArgumentParser(prog="./dev", description="The one script of this tree.",
                                     epilog="./dev VERB --help says what a verb takes.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, about) in VERBS.items():
        sub = verbs.add_parser(name, help=about, description=about)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    arguments = parser.parse_args(words)
    arguments.command = command
    return arguments


def interrupted(number, _frame):
    """SIGTERM and SIGHUP unwind like Ctrl-C, so that what was started is taken down."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def trust_clone():
    """Root may work in a clone of somebody else's; git refuses that unless a configuration outside the clone allows it."""
    if run.ROOT.stat().st_uid != os.geteuid() and "GIT_CONFIG_GLOBAL" not in os.environ:
        file = run.ROOT / "build" / "gitconfig"
        file.parent.mkdir(exist_ok=True)
        file.write_text("[safe]\n\tdirectory = *\n")
        os.environ["GIT_CONFIG_GLOBAL"] = str(file)


def main():
    trust_clone()
    arguments = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        return arguments.main(arguments) or 0
    except say.Failure as problem:
        say.error(str(problem))
        return 1
    except KeyboardInterrupt as problem:
        say.error(f"stopped ({problem or 'interrupted'})")
        return 130


if __name__ == "__main__":
    sys.exit(main())
