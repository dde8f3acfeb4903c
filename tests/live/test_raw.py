#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of --raw: the same bytes as /proc/PID/task/TID/stack, thread for thread.

Compared are all threads of the machine, kernel threads included, that did not run in between:
their context-switch count is read before and after, and a thread that was not switched off a
CPU meanwhile, and is not on one, has not left the place where it sleeps.
"""
import os
import re
import subprocess

from livetest import (check, check_equal, main, need_root, pwhy, python, state_of, switches, task,
                      test, threads_of, wait_asleep)

HEADER = re.compile(rb"^==> (\d+) (\d+) .* <==\n", re.M)
MANY = 200

SLEEPERS = """
import select, socket, sys, threading, time
pair, epoll = socket.socketpair(), select.epoll()
ways = [threading.Event().wait, lambda: time.sleep(1000), lambda: pair[0].recv(1),
        lambda: epoll.poll(-1), lambda: select.select([pair[0]], [], [])]
for i in range(int(sys.argv[1])):
    threading.Thread(target=ways[i % len(ways)], daemon=True).start()
print("ready", flush=True)
time.sleep(1000)
"""


def sections(raw):
    """{(pid, tid): stack} of what --raw prints of several threads."""
    parts = HEADER.split(raw)
    check_equal(parts[0], b"", "text before the first header")
    return {(int(pid), int(tid)): text
            for pid, tid, text in zip(parts[1::3], parts[2::3], parts[3::3])}


def threads_of_machine():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            tids = threads_of(int(pid))
        except OSError:
            continue
        yield from ((int(pid), tid) for tid in tids)


def asleep(pid, tid):
    """(switches, stack) of a thread that sleeps; None when it does not, or is gone."""
    try:
        if state_of(pid, tid) == "R":
            return None
        count = switches(pid, tid)
        stack = (task(pid, tid) / "stack").read_bytes()
        return (count, stack) if switches(pid, tid) == count else None
    except OSError:
        return None


def compare(threads, *args):
    """The threads that kept still and were compared; a difference is a failure."""
    before = {thread: asleep(*thread) for thread in threads}
    shown = sections(pwhy("--raw", *args))
    compared = set()
    for thread, was in before.items():
        if was is None or asleep(*thread) != was:
            continue
        check(thread in shown, f"{thread} is not shown; the kernel says {was[1]!r}")
        check_equal(shown[thread], was[1], f"stack of {thread}")
        compared.add(thread)
    return compared


@test
def whole_machine():
    need_root()
    compared = set()
    for _ in range(5):  # what moved the first time may keep still the next
        threads = set(threads_of_machine())
        compared |= compare(threads, "--all", "--threads", "--idle")
        if len(compared & threads) >= 0.9 * len(threads):
            break
    now = compared & threads
    print(f"     {len(now)} of {len(threads)} threads kept still and were compared")
    check(len(now) >= 20 and len(now) >= len(threads) // 2, "not a quiet machine")


@test
def kernel_threads():
    need_root()
    kernel = [t for t in threads_of_machine()
              if not os.path.lexists(f"/proc/{t[0]}/exe") or not command_line(t[0])]
    check(compare(kernel, "--all", "--threads", "--idle"), "no kernel thread kept still")


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(1)
    except OSError:
        return b""


@test
def many_threads():
    need_root()
    with python(SLEEPERS, MANY, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        for tid in threads_of(process.pid):
            wait_asleep(process.pid, tid)
        threads = [(process.pid, tid) for tid in threads_of(process.pid)]
        check_equal(len(threads), MANY + 1, "threads")
        check_equal(compare(threads, "--threads", process.pid), set(threads), "compared")
        check_equal(set(sections(pwhy("--raw", "--threads", process.pid))), set(threads),
                    "threads shown")


@test
def one_process():
    need_root()
    with python("import time; time.sleep(1000)") as process:
        wait_asleep(process.pid)
        wanted = (task(process.pid) / "stack").read_bytes()
        check_equal(pwhy("--raw", process.pid), wanted, "without a header")


@test
def several_processes():
    need_root()
    with python("import time; time.sleep(1000)") as a, python("input()", stdin=subprocess.PIPE) as b:
        wait_asleep(a.pid)
        wait_asleep(b.pid)
        both = {(a.pid, a.pid), (b.pid, b.pid)}
        check_equal(compare(both, a.pid, b.pid), both, "compared")


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
