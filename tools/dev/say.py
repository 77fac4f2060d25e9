# SPDX-License-Identifier: Apache-2.0
"""What the script tells the person at the terminal: steps with their time, errors that name the fix."""
import contextlib
import sys
import time


class Failure(Exception):
    """Something the person can act on. The text says what failed and what to do."""


_start = time.monotonic()


def note(text):
    """One line with the time since the start."""
    elapsed = time.monotonic() - _start
    print(f"[{int(elapsed) // 60:02d}:{elapsed % 60:04.1f}] {text}", flush=True)


@contextlib.contextmanager
def step(text):
    """Says what is being done, then how long it took."""
    begin = time.monotonic()
    note(f"{text} ...")
    yield
    note(f"{text}: done in {time.monotonic() - begin:.1f} s")


def error(text):
    sys.stdout.flush()
    print(f"dev: {text}", file=sys.stderr, flush=True)


def table(rows):
    """Rows of text in columns, the first row a heading."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
    sys.stdout.flush()
