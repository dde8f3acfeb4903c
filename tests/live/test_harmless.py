#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test that pwhy changes nothing about what it looks at, and hangs on nothing.

Each test is something that a tool which stops its target does to it: calls that end early or
are restarted, stops that others see, threads that never answer. That a thread was not even
woken is seen at its context-switch count.
"""
import contextlib
import ctypes
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from livetest import (NOTHING, PARTLY, SHOWN, Skip, check, check_equal, command, main, pwhy, python,
                      running, scene, state_of, switches, task, test, wait_asleep)

LOOKS = 100

# The C library's call and not Python's own, which would go on after EINTR and never tell.
EPOLL = """
import ctypes, errno, os, select, sys
libc = ctypes.CDLL(None, use_errno=True)
epoll, events, interrupted = select.epoll(), ctypes.create_string_buffer(16), 0
epoll.register(0, select.EPOLLIN)
print("ready", flush=True)
while (n := libc.epoll_wait(epoll.fileno(), events, 1, -1)) < 0:
    assert ctypes.get_errno() == errno.EINTR
    interrupted += 1
print(n, interrupted)
"""

WAITALL = """
import ctypes, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
s = socket.socket(fileno=0)
print("ready", flush=True)
print(libc.recv(0, ctypes.create_string_buffer(100), 100, socket.MSG_WAITALL))
"""

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SLEEP = """
import ctypes
class Time(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]
print("ready", flush=True)
ctypes.CDLL(None).nanosleep(ctypes.byref(Time(1000, 0)), None)
"""


def look_often(pid, times=LOOKS):
    for i in range(times):
        pwhy(*(["--json"], ["--raw"], [])[i % 3], pid)


@contextlib.contextmanager
def asleep(code, **more):
    more.setdefault("stdin", subprocess.PIPE)
    with python(code, stdout=subprocess.PIPE, text=True, **more) as process:
        check_equal(process.stdout.readline(), "ready\n", "first line")
        wait_asleep(process.pid)
        yield process


@test
def epoll_wait_is_not_interrupted():
    with asleep(EPOLL) as process:
        before = switches(process.pid)
        look_often(process.pid)
        check_equal(switches(process.pid), before, "context switches")
        process.stdin.write("x")
        process.stdin.close()
        check_equal(process.stdout.read(), "1 0\n", "events and EINTRs")


@test
def recv_waitall_is_not_cut_short():
    ours, theirs = socket.socketpair()
    with ours, theirs, asleep(WAITALL, stdin=theirs) as process:
        ours.sendall(b"x" * 10)
        time.sleep(0.05)
        wait_asleep(process.pid)
        before = switches(process.pid)
        look_often(process.pid, 50)
        check_equal(switches(process.pid), before, "context switches")
        ours.sendall(b"x" * 90)
        check_equal(process.stdout.read(), "100\n", "bytes that recv returned")


@test
def nanosleep_is_not_restarted():
    with asleep(SLEEP) as process:
        before = (task(process.pid) / "syscall").read_text()
        look_often(process.pid, 50)
        check_equal((task(process.pid) / "syscall").read_text(), before, "system call")


class Watcher(threading.Thread):
    """Samples state and TracerPid of a process as fast as it can."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.states, self.tracers, self.samples = pid, set(), set(), 0
        self.end = threading.Event()

    def run(self):
        while not self.end.is_set():
            status = (task(self.pid) / "status").read_text()
            self.states.add(re.search(r"^State:\s+(\S)", status, re.M)[1])
            self.tracers.add(int(re.search(r"^TracerPid:\s+(\d+)", status, re.M)[1]))
            self.samples += 1
            time.sleep(0.0002)


@test
def target_is_never_stopped():
    with asleep(SLEEP) as process:
        watcher = Watcher(process.pid)
        watcher.start()
        look_often(process.pid, 100)
        watcher.end.set()
        watcher.join()
        check(watcher.samples > 100, f"only {watcher.samples} samples")
        check_equal(watcher.states, {"S"}, "states seen")
        check_equal(watcher.tracers, {0}, "tracers seen")
        # To its parent, a process that was stopped or went on says so.
        check_equal(os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG),
                    None, "what its parent was told")


SPIN = """
import signal, sys, time
def tell(*_):
    print(longest, flush=True)
    sys.exit()
longest, last = 0, time.perf_counter_ns()
signal.signal(signal.SIGTERM, tell)
print("ready", flush=True)
while True:
    now = time.perf_counter_ns()
    longest, last = max(longest, now - last), now
"""


@contextlib.contextmanager
def spinner():
    with python(SPIN, stdout=subprocess.PIPE, text=True) as process:
        check_equal(process.stdout.readline(), "ready\n", "first line")
        yield process


def longest_gap_ms(process):
    process.terminate()
    return int(process.stdout.readline()) / 1e6


@test
def spinner_is_not_paused():
    """A program that only reads the clock never waits by itself: who stops it for its registers
    makes it switch voluntarily, as the kernel counts. Its longest gap is for orientation, next to
    that of one that nobody looks at: others want the CPU, too."""
    def waited():
        status = (task(process.pid) / "status").read_text()
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.M)[1])

    with spinner() as process:
        before, start = waited(), time.monotonic()
        look_often(process.pid, 60)
        took_s = time.monotonic() - start
        check_equal(waited(), before, "voluntary switches")
        gap_ms = longest_gap_ms(process)
    with spinner() as process, asleep(SLEEP) as other:
        end, looks = time.monotonic() + min(took_s, 5), 0
        while time.monotonic() < end:  # the same work for the CPUs, about somebody else
            look_often(other.pid, 1)
            looks += 1
        alone_ms = longest_gap_ms(process)
    print(f"   longest gap {gap_ms:.1f} ms; {alone_ms:.1f} ms while another one was looked at, "
          f"{looks} times")


@test
def no_call_touches_the_target():
    """pwhy's own system calls: none that stops, signals or writes to somebody else."""
    strace = shutil.which("strace")
    if not strace:
        raise Skip("there is no strace")
    calls = "ptrace,process_vm_writev,kill,tkill,tgkill,rt_sigqueueinfo,pidfd_send_signal," \
            "open,openat,openat2,fork,vfork,clone,clone3"
    with asleep(SLEEP) as process, tempfile.NamedTemporaryFile("r") as log:
        done = subprocess.run([strace, "-f", "-qq", "-o", log.name, "-e", f"trace={calls}",
                               *command("--json", process.pid)], check=False, timeout=60,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        lines = log.read().splitlines()
        if not lines:
            raise Skip(f"strace cannot trace here: {done.stderr!r}")
        own = {line.split()[0] for line in lines}
        own |= set(re.findall(r"(?:fork|clone3?)\(.*= (\d+)$", "\n".join(lines), re.M))
        check(any(f"{process.pid}" in line for line in lines), "the trace shows nothing")
        for line in lines:
            check(not re.search(r"\b(ptrace|process_vm_writev)\(", line), line)
            signalled = re.search(r"\bt?g?kill\((-?\d+)", line)
            check(not signalled or signalled[1].lstrip("-") in own, line)
            check("O_WRONLY" not in line and "O_RDWR" not in line or '"/dev/null"' in line, line)


@test
def uninterruptible_parent_is_answered():
    """The parent of a vfork is in state D, and its mmap lock is nobody's to take for granted."""
    with scene("vfork") as ready, asleep(SLEEP) as sleeping:
        stuck = int(ready["pid"])
        check_equal(state_of(stuck, int(ready.get("tid", stuck))), "D", "state")
        times = {stuck: [], sleeping.pid: []}
        for _ in range(9):
            for pid, list_of in times.items():
                start = time.monotonic()
                pwhy("--json", pid)
                list_of.append(time.monotonic() - start)
        stuck_s, sleeping_s = (statistics.median(t) for t in times.values())
        check(stuck_s < 1 and stuck_s <= 10 * sleeping_s,
              f"{stuck_s * 1000:.1f} ms, a sleeping one {sleeping_s * 1000:.1f} ms")


@test
def target_that_ends_is_gone():
    """Ended at any moment of the reading: shown, or not found; never an error or a crash."""
    random.seed(1)
    statuses = set()
    for _ in range(60):
        with running("sleep", 1000) as target:
            wait_asleep(target.pid)
            looking = subprocess.Popen(command("--json", target.pid), stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            time.sleep(random.uniform(0, 0.008))
            target.kill()
            target.wait()
            out, error = looking.communicate(timeout=30)
            statuses.add(looking.returncode)
            check(looking.returncode in (SHOWN, NOTHING, PARTLY),
                  f"exit status {looking.returncode}: {error!r}")
            if out:
                json.loads(out)
            if looking.returncode == NOTHING:
                check(str(target.pid).encode() in error, f"who is gone? {error!r}")
    print(f"     exit statuses seen: {sorted(statuses)}")


@test
def storm_of_short_lived_processes():
    storm = "while :; do /bin/true; (exit 0) & wait; done"
    with running("sh", "-c", storm), running("sh", "-c", storm):
        for how in (["--json"], ["--raw", "--threads"], []):
            for _ in range(15):
                out = pwhy(*how, "--all")
                if how == ["--json"]:
                    json.loads(out)


@test
def nobody_is_left_behind():
    """Where process 1 reaps nobody, as in many containers, what pwhy left would stay for ever."""
    check_equal(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0, "prctl")
    try:
        with asleep(SLEEP) as process:
            for _ in range(5):
                pwhy(process.pid)
                check_equal(children(), [str(process.pid)], "children that were left to us")
    finally:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@test
def several_at_once():
    with asleep(SLEEP) as process:
        before = switches(process.pid)
        for _ in range(10):
            looking = [subprocess.Popen(command("--json", process.pid), stdout=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL) for _ in range(4)]
            waits = []
            for one in looking:
                out = one.communicate(timeout=30)[0]
                check(one.returncode in (SHOWN, PARTLY), f"exit status {one.returncode}")
                wait = json.loads(out)["threads"][0]["wait"]
                waits.append((wait["reason"], wait["confidence"], wait["evidence"]))
            check(all(w == waits[0] for w in waits), f"they disagree: {waits}")
        check_equal(switches(process.pid), before, "context switches")


@test
def nothing_is_left_behind():
    """No process of pwhy outlives it: a worker that was given up must die, too."""
    libc = ctypes.CDLL(None, use_errno=True)
    pr_set_child_subreaper = 36
    check_equal(libc.prctl(pr_set_child_subreaper, 1, 0, 0, 0), 0, "prctl")
    try:
        with scene("vfork") as ready:
            pwhy(ready["pid"])
            pwhy("--all")
            left = [pid for pid in children() if executable(pid) == os.path.realpath(command()[0])]
            check_equal(left, [], "processes left behind")
    finally:
        libc.prctl(pr_set_child_subreaper, 0, 0, 0, 0)


def children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return file.read().split()


def executable(pid):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe")
    return None


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
