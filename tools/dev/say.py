# SPDX-License-Identifier: Apache-2.0
"""What the script tells the person at the terminal: steps with their time, errors that name the fix."""
import contextlib
import shutil
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


class Counter:
    """How far a long program is: on a terminal one line that is rewritten, elsewhere a line now and then and one at the end."""
    EVERY_SECONDS, LIVE_SECONDS = 15, 1

    def __init__(self, text, out=None, now=time.monotonic):
        self.text, self.now, self.out = text, now, out or sys.stdout
        self.live = self.out.isatty()
        self.every = self.LIVE_SECONDS if self.live else self.EVERY_SECONDS
        self.begin = self.told = now()
        self.done = self.total = self.shown = 0

    def count(self, done, total):
        self.done, self.total = done, total

    def line(self):
        passed = self.now() - self.begin
        if self.total == 0:
            return f"{self.text}: {passed:.0f} s so far"
        left = passed * (self.total - self.done) / self.done if self.done else 0
        text = f"{self.text}: {self.done}/{self.total}"
        return text if left < self.EVERY_SECONDS else f"{text}, about {duration(left)} left"

    def show(self, text, end):
        if self.live:
            text = "\r" + text[:shutil.get_terminal_size().columns - 1] + "\x1b[K"
        print(text, end=end, file=self.out, flush=True)
        self.shown += 1

    def tick(self):
        """Called while the program works, as often as one likes."""
        if self.now() - self.told >= self.every:
            self.told = self.now()
            self.show("  " + self.line(), "" if self.live else "\n")

    def end(self):
        """Nothing is said of a program that was too short to be told of, but a count always has its end."""
        if self.shown or self.total:
            self.show("  " + self.line(), "\n")


def duration(seconds):
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def error(text):
    sys.stdout.flush()
    print(f"dev: {text}", file=sys.stderr, flush=True)


def table(rows):
    """Rows of text in columns, the first row a heading."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
    sys.stdout.flush()
