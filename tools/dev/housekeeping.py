# SPDX-License-Identifier: Apache-2.0
"""`./dev lint` and `./dev clean`."""
import concurrent.futures
import shutil

import build
import clang_tidy
import run
import say
from say import Failure


def tracked(*patterns):
    return run.output(["git", "-C", run.ROOT, "ls-files", "--", *patterns]).split()


def format_sources(*mode):
    """clang-format over all C++ files, on every processor."""
    sources = tracked("*.cc", "*.h", "*.c")
    parts = [sources[first::build.jobs()] for first in range(build.jobs())]
    with say.step(f"clang-format of {len(sources)} files"), concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda part: run.stream(["clang-format", *mode, *part], "clang-format", "Mend it with ./dev lint --fix"), filter(None, parts)))


def check_scripts():
    scripts = ["dev", ".ci/run", *tracked("*.sh")]
    with say.step(f"shellcheck of {len(scripts)} files"):
        run.stream(["shellcheck", *scripts], "shellcheck")


def check_format():
    """What of ./dev lint takes seconds only."""
    format_sources("--dry-run", "--Werror")
    check_scripts()


class Lint:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--format", action="store_true", help="the C++ files' format and the shell scripts only (seconds)")
        parser.add_argument("--fix", action="store_true", help="rewrite the C++ files' format instead of reporting it")
        parser.add_argument("--all", action="store_true", help="clang-tidy of every source, not only of what has changed (8 s each)")
        parser.add_argument("--base", metavar="COMMIT", help="what has changed since then (default: since the branch left main)")
        parser.add_argument("files", nargs="*", metavar="FILE", help="clang-tidy of these instead")

    @staticmethod
    def main(arguments):
        if arguments.fix:
            format_sources("-i")
        check_format()
        if arguments.format:
            return
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
