#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of docs/cases.md: real programs, set up as a user would find them hanging.

What is not installed is skipped, aloud. Servers are in test_servers.py. Python standard library only.
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

from cases import QUIET, children_of, directory, document, name_of, need, say, show
from livetest import (
    check, check_equal, main, running, state_of, task, test, wait_asleep, wait_until)


@test
def pipeline_with_a_stopped_member():
    """A pipeline of a shell, of which somebody stopped one member (^Z in the wrong terminal)."""
    code = "yes | tr y z | tail -n 1"
    with running("bash", "-c", f"{code}; true", **QUIET) as shell:
        wait_until(lambda: len(children_of(shell.pid)) == 3 and
                   [name_of(p) for p in children_of(shell.pid)] == ["yes", "tr", "tail"], "pipeline")
        yes, tr, tail = children_of(shell.pid)
        try:
            os.kill(tr, signal.SIGSTOP)
            wait_until(lambda: state_of(tr) == "T", "stopped")
            wait_asleep(tail), wait_asleep(yes)
            text = show(tail)
            check(re.search(rf"root cause: tr \(pid {tr}\) is stopped by a job-control signal", text), text)
            text = show("--graph", tr)
            check_equal(len(re.findall(r"^[├└]─ (?:yes|tail) ", text, re.M)), 2, text)
        finally:
            for pid in (yes, tr, tail):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@test
def git_that_waits_for_its_editor():
    """git index.lock: a commit is open in an editor somewhere; the next one fails at once."""
    need("git")
    with directory() as d:
        run = lambda *args: subprocess.run(["git", "-C", d, *args], check=False, capture_output=True)
        run("init", "-q")
        (d / "file").write_text("x")
        run("add", "file")
        env = {**os.environ, "GIT_EDITOR": "sleep 1000; :", "GIT_AUTHOR_NAME": "x",
               "GIT_AUTHOR_EMAIL": "x@x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@x"}
        with running("git", "-C", d, "commit", "-a", env=env, start_new_session=True, **QUIET) as git:
            try:
                wait_until(lambda: children_of(git.pid), "an editor")
                wait_asleep(git.pid)
                wait_until(lambda: (d / ".git/index.lock").exists(), "index.lock")
                refused = run("commit", "-a", "-m", "x")
                check(b"index.lock" in refused.stderr, refused.stderr)
                text = show(git.pid)
                check(re.search(r"root cause: sleep \(pid \d+\) is sleeping", text), text)
            finally:
                os.killpg(git.pid, signal.SIGKILL)


@test
def sqlite_that_waits_for_a_writer():
    """SQLite polls for its lock: what is seen is that it sleeps, and it has no owner to be named."""
    need("sqlite3")
    with directory() as d:
        base = d / "app.db"
        subprocess.run(["sqlite3", base, "create table t(x)"], check=True)
        with running("sqlite3", base, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as one:
            one.stdin.write("begin exclusive;\n")
            one.stdin.flush()
            wait_asleep(one.pid)
            with running("sqlite3", "-cmd", ".timeout 1000000", base, "insert into t values(1)",
                         **QUIET) as two:
                wait_until(lambda: state_of(two.pid) == "S" and "nanosleep" in
                           (task(two.pid) / "wchan").read_text(), "it polls")
                text = show(two.pid)
                check("root cause" not in text and "by  " not in text, text)
                show(one.pid)


@contextlib.contextmanager
def dpkg_that_hangs(d):
    """dpkg -i, in the middle of a package's script: in a root directory of its own, d."""
    package, root = d / "package", d / "root"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN/control").write_text(
        "Package: slow\nVersion: 1\nArchitecture: all\nMaintainer: a <a@a>\nDescription: x\n")
    script = package / "DEBIAN/preinst"
    script.write_text("#!/bin/sh\nsleep 1000\ntrue\n")
    script.chmod(0o755)
    for name in "info", "updates", "triggers", "parts":
        (root / "var/lib/dpkg" / name).mkdir(parents=True)
    for name in "status", "available":
        (root / "var/lib/dpkg" / name).touch()
    subprocess.run(["dpkg-deb", "--build", package, d / "slow.deb"], check=True, **QUIET)
    with running("dpkg", f"--root={root}", "--force-script-chrootless", "--force-not-root", "--log=/dev/null",
                 "-i", d / "slow.deb", start_new_session=True, **QUIET) as dpkg:
        try:
            wait_until(lambda: any(name_of(c) == "sleep" for p in children_of(dpkg.pid)
                                   for c in children_of(p)), "the script sleeps")
            wait_asleep(dpkg.pid)
            yield dpkg, root
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(dpkg.pid, signal.SIGKILL)


def apt(root, *args):
    state, cache = root.parent / "state", root.parent / "cache"
    for place in state / "lists/partial", cache / "archives/partial":
        place.mkdir(parents=True, exist_ok=True)
    return ["apt-get", "-o", f"Dir::State={state}", "-o", f"Dir::Cache={cache}", "-o",
            f"Dir::State::status={root}/var/lib/dpkg/status", "-o", "Dir::Etc::sourcelist=/dev/null",
            "-o", "Dir::Etc::sourceparts=/dev/null", "-o", "Debug::NoLocking=false", *args, "-y",
            "autoremove"]


@test
def apt_that_waits_for_dpkg():
    """apt tries once a second: it sleeps, and says itself whom it waits for; dpkg, why it hangs."""
    need("apt-get", "dpkg", "dpkg-deb")
    with directory() as d, dpkg_that_hangs(d) as (dpkg, root):
        refused = subprocess.run(apt(root), capture_output=True, text=True, check=False)
        check(refused.returncode != 0 and f"held by process {dpkg.pid} (dpkg)" in refused.stderr,
              refused.stderr)
        with open(d / "said", "w", encoding="utf-8") as said, \
                running(*apt(root, "-o", "DPkg::Lock::Timeout=600"), stdin=subprocess.DEVNULL,
                        stdout=said, stderr=said) as waiter:
            wait_until(lambda: f"held by process {dpkg.pid}" in (d / "said").read_text(), "it waits")
            wait_until(lambda: "nanosleep" in (task(waiter.pid) / "wchan").read_text(), "it sleeps")
            say((d / "said").read_text().replace(str(root), "").split("...")[0] + "...")
            wait_until(lambda: "sleeping for another" in show(waiter.pid), "a sleep is seen")
            check_equal(document(waiter.pid)["threads"][0]["wait"]["on"], [], "nobody to be named")
        text = show(dpkg.pid)
        check(re.search(r"root cause: sleep \(pid \d+\) is sleeping for another", text), text)


@test
def jobs_behind_a_lock_file():
    """flock(1), as cron jobs have it: the holders are named, and what they do."""
    with directory() as d:
        lock = d / "backup.lock"
        with running("flock", lock, "sleep", "1000", start_new_session=True, **QUIET) as first:
            try:
                wait_until(lambda: children_of(first.pid), "the first job")
                with running("flock", lock, "true", **QUIET) as second:
                    wait_asleep(second.pid)
                    thread = document(second.pid)["threads"][0]
                    check_equal({o["pid"] for o in thread["wait"]["on"]},
                                {first.pid, *children_of(first.pid)}, thread["wait"])
                    show(second.pid)
            finally:
                os.killpg(first.pid, signal.SIGKILL)


@test
def python_lock_that_nobody_releases():
    """threading.Lock is a semaphore: it has no owner in memory, and none may be invented."""
    code = ("import threading\na, b = threading.Lock(), threading.Lock()\n"
            "gate = threading.Barrier(2)\ndef run(x, y):\n  x.acquire(); gate.wait(); y.acquire()\n"
            "threading.Thread(target=run, args=(a, b)).start()\nrun(b, a)")
    with running(sys.executable, "-c", code, **QUIET) as process:
        wait_until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) == 2, "two threads")
        for tid in map(int, os.listdir(f"/proc/{process.pid}/task")):
            wait_asleep(process.pid, tid)
        found = document(process.pid)
        for thread in found["threads"]:
            check_equal(thread["wait"]["on"], [], thread["wait"])
            check("deadlocked" not in thread, "no owner, no deadlock")
        check_equal(found["deadlocks"], [], "deadlocks")
        text = show(process.pid)
        if "PyThread_acquire_lock" in text:
            check_equal(text.count("waiting for a lock, event or queue of Python"), 2, text)


@test
def python_queue_that_nobody_fills():
    """multiprocessing.Queue: a worker reads its pipe, which everybody with the queue could write."""
    code = ("import multiprocessing as m, time\nq = m.Queue()\ndef run(q):\n  q.get()\n"
            "if __name__ == '__main__':\n  p = m.Process(target=run, args=(q,)); p.start(); time.sleep(1000)")
    with directory() as d:
        (d / "queue_user.py").write_text(code)
        with running(sys.executable, d / "queue_user.py", **QUIET) as process:
            wait_until(lambda: children_of(process.pid), "a worker")
            worker = children_of(process.pid)[0]
            wait_asleep(worker)
            try:
                found = document(worker)
                thread = found["threads"][0]
                check_equal(found["deadlocks"], [], "deadlocks")
                check(thread["wait"]["reason"] == "read", thread["wait"])
                check(process.pid in {o["pid"] for o in thread["wait"]["on"]}, thread["wait"])
                show(worker)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)


@test
def python_queue_that_is_joined_too_early():
    """multiprocessing.Queue: who joins a worker before the queue is empty waits for ever: so does the
    worker's thread that fills the pipe. It says so in Python's documentation."""
    code = ("import multiprocessing as m\ndef run(q):\n  q.put(b'x' * 1000000)\n"
            "if __name__ == '__main__':\n  m.set_start_method('fork')\n  q = m.Queue()\n"
            "  p = m.Process(target=run, args=(q,)); p.start(); p.join()")
    with directory() as d:
        (d / "queue_user.py").write_text(code)
        with running(sys.executable, d / "queue_user.py", **QUIET) as process:
            wait_until(lambda: any(len(os.listdir(f"/proc/{pid}/task")) == 2
                                   for pid in children_of(process.pid)), "a worker and its feeder")
            worker = children_of(process.pid)[0]
            feeder = max(map(int, os.listdir(f"/proc/{worker}/task")))
            wait_asleep(process.pid), wait_asleep(worker, feeder)
            try:
                found = {t["tid"]: t["wait"] for t in document(process.pid, worker)["threads"]}
                check_equal([(o["pid"], o["role"]) for o in found[process.pid]["on"]],
                            [(worker, "child")], found)
                check_equal(found[feeder]["reason"], "write", found)
                check(process.pid in {o["pid"] for o in found[feeder]["on"]}, found)
                # Nobody has a lock of Python: whether the worker could go on is not known.
                check_equal(document(process.pid, worker)["deadlocks"], [], "deadlocks")
                show(process.pid)
                show(feeder)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)


@test
def java_monitors():
    """Their owners are the JVM's own: its thread dump names them (jcmd PID Thread.print)."""
    need("java", "javac")
    code = """
public class Stuck {
        static final Object a = new Object(), b = new Object();
        static final java.util.concurrent.CyclicBarrier gate = new java.util.concurrent.CyclicBarrier(2);
        static void run(Object x, Object y) {
                synchronized (x) {
                        try { gate.await(); } catch (Exception e) { }
                        synchronized (y) { }
                }
        }
        public static void main(String[] args) {
                new Thread(() -> run(a, b), "one").start();
                new Thread(() -> run(b, a), "two").start();
        }
}"""
    with directory() as d:
        (d / "Stuck.java").write_text(code)
        subprocess.run(["javac", "-d", d, d / "Stuck.java"], check=True, **QUIET)
        with running("java", "-Xint", "-cp", d, "Stuck", **QUIET) as java:
            names = lambda: {(task(java.pid, int(t)) / "comm").read_text().strip(): int(t)
                             for t in os.listdir(f"/proc/{java.pid}/task")}
            wait_until(lambda: {"one", "two"} <= set(names()), "both threads")
            tids = [names()["one"], names()["two"]]
            for tid in tids:
                wait_asleep(java.pid, tid)
            found = document(java.pid)
            check_equal(found["deadlocks"], [], "deadlocks")
            for thread in found["threads"]:
                if thread["tid"] in tids:
                    check_equal(thread["wait"]["on"], [], thread["wait"])
                    check(thread["wait"]["reason"] in ("futex", "lock"), thread["wait"])
                    # Where it is known to be a monitor, it is said how to learn whose.
                    check(thread["wait"]["reason"] == "futex" or
                          "jcmd PID Thread.print" in thread["wait"]["text"], thread["wait"])
            show(tids[0])
            if os.environ.get("CASES_SHOW") and shutil.which("jcmd"):
                said = subprocess.run(["jcmd", str(java.pid), "Thread.print"], capture_output=True,
                                      text=True, check=False).stdout
                say("\n".join(said[said.find("Found one"):].splitlines()[:9]))


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
