#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of capture inside the kernel: nothing is lost, and it says what /proc says.

What the two sources tell of a thread is compared where neither of them, nor anything else, can
have seen it move: its count of context switches is the same in both. Where the program cannot be
had, files are read instead, and it is said why.
"""
import contextlib
import json
import math
import os
import re
import subprocess
import time
from pathlib import Path

from livetest import (DEADLOCK, NOTHING, PARTLY, SHOWN, Skip, built, check, check_equal, command,
                      main, need_root, pwhy, python, running, scene, task, test, threads_of, wait_asleep,
                      wait_until)

HEADER = re.compile(rb"^==> (\d+) (\d+) .* <==\n", re.M)
FACTS = ("pid", "ppid", "comm", "cmdline", "exe", "uid", "cgroup", "state", "kernel_stack", "syscall")
VERDICT = ("reason", "object", "text")
THREADS = 30000
SPARE_PIDS = 4000


def need_bpf():
    need_root()
    document = json.loads(pwhy("--json", "--source=bpf", os.getpid()))
    if not document["threads"]:
        raise Skip(f"no capture inside the kernel: {document['capture']['missing']}")


def look(*args):
    """{(pid, tid): thread} and the document's "capture"."""
    document = json.loads(pwhy("--json", *args))
    return {(t["pid"], t["tid"]): t for t in document["threads"]}, document["capture"]


def listed():
    """All threads that /proc lists."""
    result = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            result |= {(int(pid), tid) for tid in threads_of(int(pid))}
    return result


def stack_is_readable(pid, tid):
    try:
        (task(pid, tid) / "stack").read_bytes()
        return True
    except OSError:
        return False


def started(thread):
    """When it was made, in seconds since boot; one that is gone: now."""
    try:
        words = (task(*thread) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return math.inf
    return int(words[19]) / os.sysconf("SC_CLK_TCK")


def all_are_there(*args):
    """Whatever /proc lists before and after is shown in between."""
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)
    before = listed()
    if "--raw" in args:
        shown = {(int(p), int(t)) for p, t in HEADER.findall(pwhy("--source=bpf", *args))}
    else:
        shown = set(look("--source=bpf", *args)[0])
    missing = (before & listed()) - shown - {(os.getpid(), os.getpid())}
    if "--raw" in args:  # prints nothing of a stack that is refused
        missing = {thread for thread in missing if stack_is_readable(*thread)}
    # A number that was given to somebody else meanwhile is another thread's.
    missing = {thread for thread in missing if started(thread) < begun - 0.02}
    check(not missing, f"{len(missing)} threads are missing, {sorted(missing)[:5]} …")
    return len(shown)


@contextlib.contextmanager
def room_for(n):
    """Numbers for so many threads more."""
    path = Path("/proc/sys/kernel/pid_max")
    before = path.read_text(encoding="ascii")
    present = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[1])
    try:
        if int(before) < n + present + SPARE_PIDS:
            path.write_text(str(n + present + SPARE_PIDS), encoding="ascii")
        yield
    finally:
        path.write_text(before, encoding="ascii")


@contextlib.contextmanager
def many(*args):
    with running(built("tests/hang-many"), *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as process:
        words = process.stdout.readline().split()
        if words[:1] == ["skip"]:
            raise Skip(" ".join(words[1:]))
        check_equal(words[:1], ["ready"], f"hang-many {args}")
        yield process


@test
def thirty_thousand_threads():
    need_bpf()
    with room_for(THREADS), many("threads", str(THREADS)):
        n = all_are_there("--raw", "--all", "--idle", "--threads")
        check(n >= THREADS, f"{n} threads shown")
        print(f"     {n} threads, none missing")


@test
def threads_that_come_and_go():
    """Meanwhile others are made and end, by the thousand."""
    need_bpf()
    with python("import threading, time\nfor i in range(500):\n"
                "    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
                "print('ready', flush=True)\ntime.sleep(1000)", stdout=subprocess.PIPE) as still, \
            many("threads-come") as busy:
        still.stdout.readline()
        for _ in range(10):
            all_are_there("--raw", "--all", "--idle", "--threads")
        all_are_there("--all", "--idle")
        check_equal(busy.poll(), None, "status of those that come and go")


def same(ours, theirs, what):
    for fact in FACTS:
        check_equal(ours.get(fact), theirs.get(fact), f"{what}: {fact}, bpf and proc")
    # With sp and pc alone, a user stack may end early, and what it would have told is not known.
    if len(theirs.get("user_stack", ())) < len(ours.get("user_stack", ())) and \
            "user_stack_gap" in theirs:
        return
    for fact in VERDICT:
        if "deadline_ns" in str(ours["wait"]) or " for another " in ours["wait"]["text"] or \
                " for at most " in ours["wait"]["text"]:
            break
        check_equal(ours["wait"].get(fact), theirs["wait"].get(fact), f"{what}: {fact}")


@test
def the_same_as_proc():
    """Every thread of the machine that did not run in between, in every fact that both tell."""
    need_bpf()
    compared = set()
    with python("import time; time.sleep(1000)"):
        for _ in range(3):
            ours, capture = look("--source=bpf", "--all", "--idle")
            theirs, other = look("--source=proc", "--all", "--idle")
            check_equal((capture["source"], other["source"]), ("bpf", "proc"), "sources")
            for thread in set(ours) & set(theirs):
                a, b = ours[thread], theirs[thread]
                if a["switches"] != b["switches"] or "R" in a["state"] + b["state"] or \
                        a["wait"].get("rule") == "kernel-lock" or \
                        "kernel_stack" not in a or "kernel_stack" not in b:
                    continue
                same(a, b, thread)
                compared.add(thread)
            if len(compared) >= 0.8 * len(ours):
                break
    print(f"     {len(compared)} of {len(ours)} threads compared")
    check(len(compared) >= 20 and len(compared) >= len(ours) // 2, "not a quiet machine")


@test
def filters_are_those_of_proc():
    need_bpf()
    group = Path("/proc/self/cgroup").read_text(encoding="utf-8").strip().rpartition(":")[2]
    nobody = ["setpriv", "--reuid=65534", "--clear-groups", "sleep", 1000]
    # Two of them: --raw shows one alone without its number.
    with running(*nobody) as other, running(*nobody) as third, running("sleep", 1000) as own:
        wait_asleep(other.pid)
        wait_asleep(third.pid)
        wait_asleep(own.pid)
        for args, wanted, unwanted in (
                (["--user", "65534"], other.pid, own.pid),
                (["--user", "0"], own.pid, other.pid),
                (["--state", "S"], own.pid, None),
                (["--state", "DZT"], None, own.pid),
                (["--blocked-for", "0s"], own.pid, None),
                (["--blocked-for", "1h"], None, own.pid),
                (["--cgroup", group], own.pid, None)):
            for form in ("--json", "--raw"):
                if form == "--raw":
                    out = pwhy("--raw", "--source=bpf", *args, status=(SHOWN, NOTHING, PARTLY, DEADLOCK))
                    pids = {int(p) for p, _ in HEADER.findall(out)}
                else:
                    out = pwhy("--json", "--source=bpf", *args, status=(SHOWN, NOTHING, PARTLY, DEADLOCK))
                    pids = {t["pid"] for t in json.loads(out)["threads"]}
                check(wanted is None or wanted in pids, f"{args} {form}: {wanted} is not shown")
                check(unwanted not in pids, f"{args} {form}: {unwanted} is shown")


@test
def without_the_capability():
    """Files are read instead; it is said what the kernel wants."""
    need_bpf()
    drop = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin", "--inh-caps=-all"]
    with running("sleep", 1000) as target:
        wait_asleep(target.pid)
        for source, n in (("auto", 1), ("bpf", 0), ("proc", 1)):
            done = subprocess.run([*drop, command()[0], "--json", f"--source={source}", "--all"],
                                  capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
                                  check=False)
            document = json.loads(done.stdout)
            found = [t for t in document["threads"] if t["pid"] == target.pid]
            check_equal(len(found), n, f"--source={source}: threads")
            said = [g for g in document["capture"]["missing"]
                    if g["what"] == "capture inside the kernel"]
            check_equal(bool(said), source != "proc", f"--source={source}: says {said}")
            check(source == "proc" or "CAP_BPF" in said[0]["why"], f"says {said}")
            check_equal(done.returncode, PARTLY, f"--source={source}: status")


@test
def running_and_ready():
    """Two threads for one CPU: at each look one of them has it, and the other waits for it."""
    need_bpf()
    cpu = min(os.sched_getaffinity(0))
    code = f"import os\nos.sched_setaffinity(0, [{cpu}])\nprint('ready', flush=True)\nwhile 1: pass"
    with python(code, stdout=subprocess.PIPE) as a, python(code, stdout=subprocess.PIPE) as b:
        a.stdout.readline()
        b.stdout.readline()
        seen = set()

        def both():
            threads, _ = look("--source=bpf", a.pid, b.pid)
            for thread in threads.values():
                wait = thread["wait"]
                check(wait["reason"] in ("running", "runnable"), wait)
                check(thread["cpu"] == cpu and f"CPU {cpu}" in wait["text"], wait)
                if wait["reason"] == "runnable":
                    check(0 <= wait["for_ns"] < 10_000_000_000, wait)
                    check_equal(wait["confidence"], "certain", "confidence")
                seen.add(wait["reason"])
            return seen == {"running", "runnable"}
        wait_until(both, "each of the two is seen")


@test
def where_a_running_thread_is():
    """The function that spins, and who called it, by the kernel's samples."""
    need_bpf()
    with scene("running") as ready:
        def seen():
            threads, _ = look("--source=bpf", "--profile=100ms", ready["pid"])
            profile = threads[int(ready["pid"]), int(ready["tid"])].get("profile")
            if not profile or not profile["samples"]:
                return False
            stacks = profile["stacks"]
            check(sum(s["samples"] for s in stacks) <= profile["samples"], profile)
            check(stacks == sorted(stacks, key=lambda s: -s["samples"]), profile)
            names = [[f.get("symbol") for f in s.get("user_stack", ())] for s in stacks]
            return any("running" in n and "main" in n[n.index("running"):] for n in names)
        wait_until(seen, "the function that spins")
        threads, _ = look("--source=bpf", "--profile=0", ready["pid"])
        check(all("profile" not in t for t in threads.values()), "a profile that nobody wanted")


@test
def watched():
    """What sleeps is looked at once; what spins or wakes and sleeps again, each time."""
    need_bpf()
    with python("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n"
                "while 1: time.sleep(0.01)") as target:
        wait_until(lambda: len(threads_of(target.pid)) == 2, "two threads")
        wait_asleep_thread = [t for t in threads_of(target.pid) if t != target.pid][0]
        wait_asleep(target.pid, wait_asleep_thread)
        looking = subprocess.Popen(command("--json", "--watch", "0.2", target.pid),
                                   stdout=subprocess.PIPE, text=True)
        documents = [json.loads(looking.stdout.readline()) for _ in range(3)]
        looking.terminate()
        looking.wait()
        counts = {}
        for document in documents:
            check_equal(len(document["threads"]), 2, "threads")
            for thread in document["threads"]:
                counts.setdefault(thread["tid"], []).append(thread["switches"])
        check_equal(len(set(counts[wait_asleep_thread])), 1, "switches of the one that sleeps")
        check_equal(len(set(counts[target.pid])), 3, "switches of the one that wakes")


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
