# SPDX-License-Identifier: Apache-2.0
"""`./dev lint` and `./dev clean`."""
import shutil

import clang_tidy
import run
import say
from say import Failure


def tracked(*patterns):
    return run.output(["git", "-C", run.ROOT, "ls-files", "--", *patterns]).split()


class Lint:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--fix", action="store_true", help="rewrite the C++ files' format instead of reporting it")
        parser.add_argument("--all", action="store_true", help="clang-tidy of every source, not only of what has changed (8 s each)")
        parser.add_argument("--base", metavar="COMMIT", help="what has changed since then (default: since the branch left main)")
        parser.add_argument("files", nargs="*", metavar="FILE", help="clang-tidy of these instead")

    @staticmethod
    def main(arguments):
        sources = tracked("*.cc", "*.h", "*.c")
        mode = ["-i"] if arguments.fix else ["--dry-run", "--Werror"]
        with say.step(f"clang-format of {len(sources)} files"):
            run.stream(["clang-format", *mode, *sources], "clang-format", "Mend it with ./dev lint --fix")
        scripts = ["dev", ".ci/run", *tracked("*.sh")]
        with say.step(f"shellcheck of {len(scripts)} files"):
            run.stream(["shellcheck", *scripts], "shellcheck")
        folder, known = clang_tidy.database()
        if arguments.files:
            unknown = sorted(set(arguments.files) - known)
            if unknown:
                raise Failure(f"the build does not compile {', '.join(unknown)}")
            files = sorted(arguments.files)
        elif arguments.all:
            files = sorted(known)
        else:
            files = clang_tidy.concerned(clang_tidy.changed(clang_tidy.base_commit(arguments.base)), known)
        with say.step(f"clang-tidy of {len(files)} sources"):
            wrong = clang_tidy.check(folder, files)
        if wrong:
            raise Failure(f"clang-tidy objects to {wrong} of {len(files)} sources; .clang-tidy says which checks there are and why")


class Clean:
    @staticmethod
    def add_arguments(parser):
        pass

    @staticmethod
    def main(_arguments):
        shutil.rmtree(run.ROOT / "build", ignore_errors=True)
        say.note("removed build/")
