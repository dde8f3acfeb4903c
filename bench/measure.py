# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks share: running commands in turn, and a table of what came of it.

Only ratios of what ran in turn in the same minute say something on a shared machine; times
are there for orientation. Medians. Exit status 1 when a target is missed by a program that
ran; --report only shows.
"""
import argparse
import contextlib
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]

options = argparse.Namespace()
missed = []


class Measured:
    def __init__(self, line):
        median, least, rss, status = map(int, line.split())
        self.ms, self.least_ms, self.rss_mib, self.status = (
            median / 1e6, least / 1e6, rss / 1024, status)


def measure(rounds, *commands):
    """Each command's Measured, run in turn."""
    words = []
    for one in commands:
        words += (["--"] if words else []) + [str(word) for word in one]
    done = subprocess.run([built("bench/bench-spawn"), str(rounds), *words], check=True,
                          stdout=subprocess.PIPE, text=True)
    return [Measured(line) for line in done.stdout.splitlines()]


def built(name):
    path = options.build / name
    if not path.exists():
        sys.exit(f"bench: {path} is missing; build it first")
    return str(path)


@contextlib.contextmanager
def running(*args):
    """A process that says when it is ready, and ends at the end of its input."""
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            if "ready" not in process.stdout.readline():
                sys.exit(f"bench: {args} did not start")
            time.sleep(0.2)
            yield process.pid
        finally:
            process.stdin.close()
            process.wait()


def row(what, value, target=None, good=None, note=""):
    verdict = "" if good is None else "ok" if good else "MISSED"
    if good is False:
        missed.append(what)
    print(f"{what:<48} {value:>12} {target or '':>10} {verdict:<7}{note}".rstrip(), flush=True)


def ok(measured, what):
    """pwhy's exit status: shown, or shown with gaps (without root)."""
    if measured.status not in (0, 3):
        sys.exit(f"bench: {what}: exit status {measured.status}")
    return measured


def options_parser(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", type=lambda path: Path(path).resolve(), default=SOURCE / "build",
                        metavar="DIR",
                        help="where pwhy was built, best with --buildtype=release (%(default)s)")
    parser.add_argument("--report", action="store_true", help="missed targets are no failure")
    return parser


def finish():
    if missed:
        print(f"missed: {'; '.join(missed)}")
    sys.exit(1 if missed and not options.report else 0)
