# SPDX-License-Identifier: Apache-2.0
"""`./dev lint` and `./dev clean`."""
import shutil

import run
import say


def tracked(*patterns):
    return run.output(["git", "-C", run.ROOT, "ls-files", "--", *patterns]).split()


class Lint:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--fix", action="store_true", help="rewrite the C++ files instead of reporting")

    @staticmethod
    def main(arguments):
        sources = tracked("*.cc", "*.h", "*.c")
        mode = ["-i"] if arguments.fix else ["--dry-run", "--Werror"]
        with say.step(f"clang-format of {len(sources)} files"):
            run.stream(["clang-format", *mode, *sources], "clang-format", "Mend it with ./dev lint --fix")
        scripts = ["dev", ".ci/run", *tracked("*.sh")]
        with say.step(f"shellcheck of {len(scripts)} files"):
            run.stream(["shellcheck", *scripts], "shellcheck")


class Clean:
    @staticmethod
    def add_arguments(parser):
        pass

    @staticmethod
    def main(_arguments):
        shutil.rmtree(run.ROOT / "build", ignore_errors=True)
        say.note("removed build/")
