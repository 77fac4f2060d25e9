# SPDX-License-Identifier: Apache-2.0
"""The verbs of ./dev. Each lives in a module of its own; this file only tells them apart."""
import argparse
import signal
import sys

import housekeeping
import say
import tests

VERBS = {
    "test": (tests, "build and run the tests"),
    "lint": (housekeeping.Lint, "check the format of C++ files and the shell scripts"),
    "clean": (housekeeping.Clean, "remove what was built"),
}


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev", description="The one script of this tree.",
                                     epilog="./dev VERB --help says what a verb takes.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, about) in VERBS.items():
        sub = verbs.add_parser(name, help=about, description=about)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    return parser.parse_args(words)


def interrupted(number, _frame):
    """SIGTERM and SIGHUP unwind like Ctrl-C, so that what was started is taken down."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
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
