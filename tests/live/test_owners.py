#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of whom pwhy names for the locks of C++, and for file locks from inside of a PID
namespace, and what it says of objects that nobody has.

Python standard library only.
"""
import contextlib
import fcntl
import json
import os
import re
import subprocess
import tempfile

from livetest import (
    Skip, built, check, check_equal, command, main, need_root, pwhy, python, running, state_of, test,
    threads_of, wait_asleep, wait_until)

WAITERS = 3


@contextlib.contextmanager
def waiting(kind):
    """The program, and the TIDs of those that wait, asleep."""
    with running(built("tests/lock-cxx"), kind, WAITERS, stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, text=True) as process:
        check_equal(process.stdout.readline(), "ready\n", "what the program said")
        tids = [tid for tid in threads_of(process.pid) if tid != process.pid]
        for tid in tids:
            wait_asleep(process.pid, tid)
        yield process.pid, tids


def waits(pid):
    return {t["tid"]: t["wait"] for t in json.loads(pwhy("--json", pid))["threads"]}


def check_held(kind, what="mutex"):
    with waiting(kind) as (pid, tids):
        found = waits(pid)
        for tid in tids:
            wait = found[tid]
            check_equal((wait["reason"], wait["object"]["kind"]), ("lock", what), wait)
            check_equal([(o["tid"], o["role"]) for o in wait["on"]], [(pid, "holder")], wait)
            check("on_any" not in wait, wait)


@test
def locks_of_cxx():
    """std::mutex and its like are mutexes of the C library: the holder is in them."""
    for kind in "mutex", "recursive_mutex", "timed_mutex":
        check_held(kind)


@test
def shared_mutex_of_cxx():
    """A writer is known, to readers and writers."""
    check_held("shared_mutex", "rwlock")
    check_held("shared_lock", "rwlock")


def check_nobody(kind, reasons, objects):
    """Nobody has it: that is said where it is known what it is, and who else waits there, always."""
    with waiting(kind) as (pid, tids):
        found = waits(pid)
        for tid in tids:
            wait = found[tid]
            check(wait["reason"] in reasons and wait["object"]["kind"] in objects, wait)
            check_equal(wait["on"], [], wait)
            evidence = "; ".join(wait["evidence"])
            check("has no owner" in evidence or wait["reason"] == "futex", evidence)
            listed = re.search(r"\b(\d+) threads wait there: ([\d, ]+)", evidence)
            check(listed and int(listed[1]) == WAITERS, evidence)
            check_equal(sorted(map(int, listed[2].split(","))), tids, "who else waits")


@test
def condition():
    check_nobody("condition", ("condition", "futex"), ("condvar", "futex"))


@test
def semaphore():
    check_nobody("semaphore", ("semaphore", "futex"), ("semaphore", "futex"))


@test
def barrier():
    check_nobody("barrier", ("barrier", "futex"), ("barrier", "futex"))


def inside(script):
    """What a shell prints that is the first process of a PID namespace of its own."""
    done = subprocess.run(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                           script], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          check=False)
    if done.stderr.startswith(b"unshare:"):
        raise Skip(done.stderr.decode(errors="replace"))
    return done.stdout.decode()


def check_inside(scene, *options):
    """A scene and pwhy, both inside."""
    text = inside(f"sleep 1000 | {built('tests/scene')} {scene} > {{0}} & "
                  f"until grep -q ^ready {{0}}; do sleep 0.01; done; cat {{0}}; "
                  f"pid=$(sed 's/ready pid=\\([0-9]*\\).*/\\1/' {{0}}); "
                  f"{' '.join(command('--json', *options))} $pid"
                  .replace("{0}", f"/tmp/pwhy-inside-{os.getpid()}"))
    os.unlink(f"/tmp/pwhy-inside-{os.getpid()}")
    ready, document = text.split("\n", 1)
    facts = dict(word.split("=", 1) for word in ready.split()[1:])
    found = [t["wait"] for t in json.loads(document)["threads"]
             if t["tid"] == int(facts["tid"])]
    check_equal([sorted(o["pid"] for o in w["on"]) for w in found],
                [sorted(map(int, facts["holder"].split(",")))], f"{scene}: {found}")


@test
def file_locks_inside():
    """/proc/locks has none whose taker is not there: who took it and ended, above all."""
    need_root()
    for scene in "flock-inherited", "flock", "flock-forked", "ofd-lock", "posix-lock":
        check_inside(scene)
        check_inside(scene, "--source=proc")


@test
def file_lock_of_somebody_outside():
    """Who has it cannot be seen from there, and this is said. From outside it can be."""
    need_root()
    with tempfile.NamedTemporaryFile() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        script = f"flock {file.name} true & until grep -q locks_lock /proc/$!/stack; do " \
                 f"sleep 0.01; done; {' '.join(command('--json'))} $!"
        document = json.loads(inside(script))
        check_equal([t["wait"]["on"] for t in document["threads"]], [[]], document)
        check(any("outside of this PID namespace" in gap["why"]
                  for gap in document["capture"]["missing"]), document["capture"]["missing"])


EXITED = """
import ctypes, os, select, threading
poll = select.poll()
poll.register(os.pipe()[0], select.POLLIN)
thread = threading.Thread(target=poll.poll)
thread.start()
print(thread.native_id, flush=True)
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
"""


@test
def main_thread_that_has_exited():
    """It has no memory any more, and the others have the same as ever."""
    with python(EXITED, stdout=subprocess.PIPE, text=True) as process:
        tid = int(process.stdout.readline())
        wait_until(lambda: state_of(process.pid) == "Z", "the main thread has exited")
        wait_asleep(process.pid, tid)
        threads = {t["tid"]: t for t in json.loads(pwhy("--json", process.pid))["threads"]}
    check_equal(threads[process.pid]["wait"]["reason"], "zombie", threads[process.pid]["wait"])
    wait = threads[tid]["wait"]
    check_equal([m["kind"] for m in wait["object"].get("members", [])], ["pipe"], wait)
    check(any(f.get("symbol") for f in threads[tid].get("user_stack", [])),
          f"user stack: {threads[tid].get('user_stack')}")


LOST = """
import ctypes, os, sys, threading, time
libc = ctypes.CDLL(None)
mutex = ctypes.create_string_buffer(64)
locked = threading.Event()

def lock():
    libc.pthread_mutex_lock(mutex)
    locked.set()
    if sys.argv[1] == "forked":
        time.sleep(1000)

thread = threading.Thread(target=lock, daemon=True)
thread.start()
locked.wait()
pid = os.getpid()
if sys.argv[1] == "ended":
    thread.join()
elif not (child := os.fork()):
    libc.prctl(1, 9)
    libc.pthread_mutex_lock(mutex)
else:
    pid = child
print(pid, thread.native_id, flush=True)
if sys.argv[1] == "ended":
    libc.pthread_mutex_lock(mutex)
time.sleep(1000)
"""


@test
def mutex_of_nobody():
    """Its holder has ended, or is in the process that this one was forked from: that is said, of
    nobody else, and what a holder would do is not known."""
    for how in "ended", "forked":
        with python(LOST, how, stdout=subprocess.PIPE, text=True) as process:
            pid, owner = map(int, process.stdout.readline().split())
            wait_asleep(pid, call=202 if os.uname().machine == "x86_64" else 98)
            wait = waits(pid)[pid]
        check_equal(wait["on"], [], wait)
        check(f"held by thread {owner}, which is not in this process" in wait["text"], wait)


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
