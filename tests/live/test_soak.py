#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks pwhy, again and again, about a program whose threads hand thousands of locks a second to
each other and never deadlock. The program knows the truth (soak-locks.c): each holder that pwhy
names must have held that lock while the other waited for it, and no deadlock may be found.

A short run by default; --seconds and --edges make it as long as one likes.
"""

import argparse
import calendar
import collections
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def monotonic_ns(text):
    """ "2026-11-23T04:50:00.123456789Z" by the clock that the program uses. """
    seconds, fraction = text.rstrip("Z").split(".")
    then = calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction)
    return then - (time.clock_gettime_ns(time.CLOCK_REALTIME) -
                   time.clock_gettime_ns(time.CLOCK_MONOTONIC))


class Soak:
    """The program, and what was counted."""

    def __init__(self, program, threads, locks):
        self.process = subprocess.Popen([program, str(threads), str(locks)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.stdout.readline().split("pid=")[1].strip()
        self.count = collections.Counter()
        self.wrong = []
        self.tids = []

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def look(self, pwhy):
        run = subprocess.run([pwhy, "--json", self.pid], capture_output=True, check=False)
        document = json.loads(run.stdout)
        begin = monotonic_ns(document["captured_at"])
        end = begin + document["capture"]["duration_ns"]
        self.count["snapshots"] += 1
        if document.get("deadlocks") or run.returncode == 4:
            self.wrong.append(f"a deadlock: {document.get('deadlocks')}")
        self.tids = [thread["tid"] for thread in document["threads"]]
        for thread in document["threads"]:
            self.judge(thread, begin, end)

    def probe(self, thread, wait, owner, begin, end):
        """Would somebody else have been taken for the holder? Seldom, or this shows nothing."""
        other = self.tids[self.count["probes"] * 7 % len(self.tids)]
        if other in (owner["tid"], thread["tid"]):
            return
        self.count["probes"] += 1
        self.count["probes taken"] += self.ask(
            f"{thread['tid']} {wait['object']['address']} {other} {begin} {end}") == "right"

    def judge(self, thread, begin, end):
        wait = thread["wait"]
        self.count["threads"] += 1
        self.count["moved"] += "on the move" in wait["text"]
        if thread.get("deadlocked"):
            self.wrong.append(f"thread {thread['tid']} is deadlocked: {wait['text']}")
        if wait["reason"] != "lock":
            return
        self.count["locks"] += 1
        for owner in wait["on"]:
            answer = self.ask(f"{thread['tid']} {wait['object']['address']} {owner['tid']} "
                              f"{begin} {end}")
            self.count[f"edges {wait['confidence']}"] += 1
            self.count["edges"] += 1
            if self.count["edges"] % 8 == 0:
                self.probe(thread, wait, owner, begin, end)
            self.count["unknown"] += answer == "unknown"
            if answer.startswith("wrong"):
                self.wrong.append(f"{answer}: {wait['confidence']} {wait['text']}")

    def end(self):
        taken = int(self.ask("taken"))
        self.process.stdin.close()
        self.process.wait()
        return taken


def main():
    build = Path(os.environ.get("PWHY_BUILD", ROOT / "build"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pwhy", default=os.environ.get("PWHY", str(build / "pwhy")))
    parser.add_argument("--program", default=str(build / "tests" / "soak-locks"))
    parser.add_argument("--seconds", type=float, default=6, help="at most")
    parser.add_argument("--edges", type=int, default=2000, help="then it is enough")
    parser.add_argument("--threads", type=int, default=96)
    parser.add_argument("--locks", type=int, default=40)
    arguments = parser.parse_args()
    soak = Soak(arguments.program, arguments.threads, arguments.locks)
    begin = time.monotonic()
    while soak.count["edges"] < arguments.edges and time.monotonic() - begin < arguments.seconds:
        soak.look(arguments.pwhy)
    seconds = time.monotonic() - begin
    taken = soak.end()
    print(f"{taken / seconds:.0f} locks a second; " +
          ", ".join(f"{n} {what}" for what, n in sorted(soak.count.items())))
    for line in soak.wrong[:20]:
        print(f"FAILED {line}")
    # A run that has seen nothing has shown nothing.
    enough = soak.count["edges"] >= 100 and soak.count["unknown"] * 10 <= soak.count["edges"]
    sharp = soak.count["probes taken"] * 2 < soak.count["probes"]
    if not enough:
        print("FAILED expected 100 edges that the program remembers")
    if not sharp:
        print("FAILED expected a program that tells a holder from others")
    enough = enough and sharp
    print(f"{int(not soak.wrong and enough)} passed, {len(soak.wrong) + (not enough)} failed")
    return 1 if soak.wrong or not enough else 0


if __name__ == "__main__":
    sys.exit(main())
