#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of capture inside the kernel: nothing is lost, and it says what /proc says.

What the two sources tell of a thread is compared where neither of them, nor anything else, can
have seen it move: its count of context switches is the same in both. Where the program cannot be
had, files are read instead, and it is said why.
"""
import contextlib
import itertools
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from livetest import (DEADLOCK, NOTHING, PARTLY, SHOWN, Skip, built, check, check_equal, command,
                      main, need_root, pwhy, python, running, scene, state_of, task, test, threads_of,
                      wait_asleep, wait_until)
from program import build, one, ready, symbols

HEADER = re.compile(rb"^==> (\d+) (\d+) .* <==\n", re.M)
FACTS = ("pid", "ppid", "comm", "cmdline", "exe", "uid", "cgroup", "state", "kernel_stack", "syscall")
VERDICT = ("reason", "object", "text")
THREADS = 30000
SPARE_PIDS = 4000
ANY = (SHOWN, NOTHING, PARTLY, DEADLOCK)  # whatever else is on the machine


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


def difference(ours, theirs):
    """The first fact in which they differ, with both; None."""
    for fact in FACTS:
        if ours.get(fact) != theirs.get(fact):
            return fact, ours.get(fact), theirs.get(fact)
    # With sp and pc alone, a user stack may end early, and what it would have told is not known.
    if len(theirs.get("user_stack", ())) < len(ours.get("user_stack", ())) and \
            "user_stack_gap" in theirs:
        return None
    for fact in VERDICT:
        if "deadline_ns" in str(ours["wait"]) or " for another " in ours["wait"]["text"] or \
                " for at most " in ours["wait"]["text"]:
            break
        if ours["wait"].get(fact) != theirs["wait"].get(fact):
            return fact, ours["wait"], theirs["wait"]
    return None


@test
def the_same_as_proc():
    """Every thread of the machine that did not run in between, in every fact that both tell."""
    need_bpf()
    compared = set()
    with python("import time; time.sleep(1000)"):
        for _ in range(3):
            before, other = look("--source=proc", "--all", "--idle")
            ours, capture = look("--source=bpf", "--all", "--idle")
            after, _ = look("--source=proc", "--all", "--idle")
            check_equal((capture["source"], other["source"]), ("bpf", "proc"), "sources")
            for thread in set(ours) & set(before) & set(after):
                a, b, c = ours[thread], before[thread], after[thread]
                if not a["switches"] == b["switches"] == c["switches"] or \
                        "R" in a["state"] + b["state"] or \
                        a["wait"].get("rule") == "kernel-lock" or \
                        "kernel_stack" not in a or "kernel_stack" not in b:
                    continue
                # What changes without it: its parent, its peer, a daemon.
                if not difference(b, c):
                    check_equal(difference(a, b), None, f"{thread}, bpf and proc")
                    compared.add(thread)
            if len(compared) >= 0.8 * len(ours):
                break
    print(f"     {len(compared)} of {len(ours)} threads compared")
    check(len(compared) >= 20 and len(compared) >= len(ours) // 3, "not a quiet machine")


SPACES = ("net", "mnt", "uts", "time", "ipc", "cgroup", "pid", "user")  # by enum wire_ns
SPACES_TOLD = {"net", "mnt", "uts", "time"}  # of every thread; others only if they are pwhy's own


def links(thread):
    """Inodes of its namespaces, as its links show them; None: it is gone, or has none any more."""
    inodes = {}
    for space in SPACES:
        try:
            text = os.readlink(task(*thread) / "ns" / space)
        except OSError:
            return None
        inodes[space] = int(text.partition("[")[2].rstrip("]"))
    return inodes


@test
def namespaces_in_the_record():
    """Of every thread they are what its links say, or not told where they are not pwhy's own."""
    need_bpf()
    everything = ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
                  "--cgroup", "--time", "--user", "sleep", "1000"]
    one = [["unshare", flag, "sleep", "1000"]
           for flag in ("--net", "--mount", "--uts", "--ipc", "--cgroup", "--user")]
    thread_of_its_own = python(
        "import ctypes, threading, time\n"
        "def other():\n    ctypes.CDLL(None).unshare(0x08000000)\n    time.sleep(1000)\n"
        "threading.Thread(target=other, daemon=True).start()\ntime.sleep(1000)")
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(running(*command)) for command in [everything, *one]]
        threaded = stack.enter_context(thread_of_its_own)
        own = links((os.getpid(), os.getpid()))

        def unshared():
            spaces = [links((p.pid, p.pid)) for p in processes]
            threads = [links((threaded.pid, tid)) for tid in threads_of(threaded.pid)]
            return all(spaces) and all(a != own for a in spaces) and len(threads) == 2 and \
                all(threads) and threads[0] != threads[1]
        wait_until(unshared, "all have namespaces of their own")
        before = {thread: links(thread) for thread in listed()}
        done = subprocess.run([built("tests/nsask")], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=60)
        check_equal(done.returncode, 0, f"nsask: {done.stderr}")
        compared = foreign = 0
        for line in done.stdout.splitlines():
            pid, tid, *inodes = map(int, line.split())
            wanted = before.get((pid, tid))
            if not wanted or wanted != links((pid, tid)):
                continue  # it is young, gone, or went elsewhere
            compared += 1
            foreign += wanted != own
            for space, inode in zip(SPACES, inodes):
                if inode or space in SPACES_TOLD or wanted[space] == own[space]:
                    check_equal(inode, wanted[space], f"thread {tid}: {space} namespace")
    print(f"     {compared} threads, {foreign} of them elsewhere")
    check(compared >= 20 and foreign >= len(processes) + 1, "too few were compared")


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
                    out = pwhy("--raw", "--source=bpf", *args, status=ANY)
                    pids = {int(p) for p, _ in HEADER.findall(out)}
                else:
                    out = pwhy("--json", "--source=bpf", *args, status=ANY)
                    pids = {t["pid"] for t in json.loads(out)["threads"]}
                check(wanted is None or wanted in pids, f"{args} {form}: {wanted} is not shown")
                check(unwanted not in pids, f"{args} {form}: {unwanted} is shown")


@test
def filters_lose_nobody():
    """What the pass does not meet (a kernel may hide a process from it) is read from files."""
    need_bpf()
    for args in (["--user", "0"], ["--cgroup", "/"]):
        before, _ = look("--source=proc", "--all", "--idle", *args)
        ours, _ = look("--source=bpf", "--all", "--idle", *args)
        after, _ = look("--source=proc", "--all", "--idle", *args)
        missing = (set(before) & set(after)) - set(ours)
        check(not missing, f"{args}: {sorted(missing)[:5]} are missing")


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


def missing_of(document):
    return {gap["what"]: gap["why"] for gap in document["capture"]["missing"]}


def program_missing(document):
    return missing_of(document).get("capture inside the kernel", "")


# Makes bpf(2) fail as where a sandbox forbids it, or a kernel lacks it; then becomes pwhy.
WITHOUT_BPF = """
import ctypes, os, struct, sys
def statement(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)
call = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
program = b"".join((statement(0x20, 0), statement(0x15, call, 0, 1),
                    statement(0x06, 0x00050000 | int(sys.argv[1])), statement(0x06, 0x7fff0000)))
buffer = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter, 0, 0):
    sys.exit("no seccomp")
os.execv(sys.argv[2], sys.argv[2:])
"""


@test
def where_bpf_is_refused():
    """Files are read instead, and it is said what the kernel said."""
    need_bpf()
    with python("while 1: pass") as target:
        wait_until(lambda: state_of(target.pid, target.pid) == "R", "it spins")
        for error, said in ((1, "CAP_BPF"), (38, "no bpf(2)"), (22, "does not take the program")):
            for source, n in (("auto", 1), ("bpf", 0)):
                done = subprocess.run(
                    [sys.executable, "-c", WITHOUT_BPF, str(error), command()[0], "--json",
                     f"--source={source}", str(target.pid)], capture_output=True, timeout=60,
                    stdin=subprocess.DEVNULL, check=False)
                if b"no seccomp" in done.stderr:
                    raise Skip("seccomp cannot be had")
                document = json.loads(done.stdout)
                check_equal(len(document["threads"]), n, f"errno {error}, {source}: threads")
                check(said in program_missing(document), f"errno {error}: {document['capture']}")
                if n:
                    check_equal(document["capture"]["source"], "proc", "source")
                    check(document["threads"][0]["wait"]["reason"] in ("running", "runnable"),
                          document["threads"][0]["wait"])


def source_of(*targets):
    return json.loads(pwhy("--json", *targets, status=(SHOWN, PARTLY)))["capture"]["source"]


@test
def loaded_when_files_do_not_tell():
    """A few threads in plain waits are looked at from files; any that is not, and a crowd, are not."""
    need_bpf()
    with contextlib.ExitStack() as stack:
        asleep = stack.enter_context(running("sleep", 1000)).pid
        wait_asleep(asleep)
        check_equal(source_of(asleep), "proc", "one that sleeps")
        check_equal(source_of("sleep"), "proc", "by its name")
        reader = stack.enter_context(running("cat", stdin=subprocess.PIPE)).pid
        wait_asleep(reader)
        check_equal(source_of(asleep, reader), "proc", "two that sleep")
        spins = stack.enter_context(python("while 1: pass")).pid
        wait_until(lambda: state_of(spins, spins) == "R", "it spins")
        check_equal(source_of(asleep, spins), "bpf", "one that runs")
        crowd = stack.enter_context(python(
            "import threading, time\n"
            "for _ in range(99): threading.Thread(target=time.sleep, args=(1000,)).start()")).pid
        wait_until(lambda: len(threads_of(crowd)) == 100, "100 threads")
        check_equal(source_of(crowd), "bpf", "100 threads")
        lock = stack.enter_context(scene("pipe-mutex"))
        check_equal(source_of(lock["tid"]), "bpf", "a lock of the kernel")


@test
def loaded_for_registers_alone():
    """The caller of a function with a frame pointer is found by a register that files do not tell."""
    need_bpf()
    with ready(build("deep.c", "-O0"), 3) as pid:
        thread = one(pid)
        if "without DWARF" in thread.get("user_stack_gap", ""):
            raise Skip("pwhy was built without DWARF")
        check_equal(source_of(pid), "proc", "source")
        check_equal([n for n in symbols(thread) if n in ("recurse", "main", "_start")],
                    ["recurse"] * 4 + ["main", "_start"], f"frames {symbols(thread)}")
        check("user_stack_gap" not in thread, thread.get("user_stack_gap"))
        done = subprocess.run([sys.executable, "-c", WITHOUT_BPF, "1", command()[0], "--json",
                               str(pid)], capture_output=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
        document = json.loads(done.stdout)
        check("register" in document["threads"][0]["user_stack_gap"], document["threads"][0])
        check("CAP_BPF" in program_missing(document), document["capture"])


@contextlib.contextmanager
def setting(name, value):
    path = Path("/proc/sys") / name
    before = path.read_text(encoding="ascii")
    try:
        try:
            path.write_text(value, encoding="ascii")
        except OSError as error:
            raise Skip(f"{path}: {error}") from None
        yield
    finally:
        path.write_text(before, encoding="ascii")


@test
def addresses_that_the_kernel_hides():
    """kptr_restrict: names are shown, as /proc/PID/stack does; addresses of locks are not."""
    need_bpf()
    with scene("pipe-mutex") as ready, setting("kernel/kptr_restrict", "2"):
        document = json.loads(pwhy("--json", "--source=bpf", ready["tid"]))
        (thread,) = document["threads"]
        if thread["wait"].get("rule") != "kernel-lock":
            raise Skip("this kernel does not tell the lock")
        check("address" not in thread["wait"]["object"], thread["wait"])
        check_equal([o["tid"] for o in thread["wait"]["on"]], [int(ready["holder"])], "holder")
        check("kptr_restrict" in missing_of(document).get("addresses of kernel locks", ""),
              document["capture"])
        check(all(not frame["symbol"].startswith("0x") for frame in thread["kernel_stack"]),
              thread["kernel_stack"])
        raw = pwhy("--raw", "--source=bpf", ready["tid"])
        check_equal(raw, (task(int(ready["pid"]), int(ready["tid"])) / "stack").read_bytes(),
                    "stack")


INSIDE = """
mount -t proc proc /proc || exit 77
mkfifo "$2/in"
"$1" pipe-mutex <"$2/in" >"$2/out" &
exec 3>"$2/in"
until grep -q . "$2/out"; do kill -0 $! || exit 77; sleep 0.05; done
cat "$2/out"
"$3" --json --source=bpf --all >"$2/json"
"$3" --raw --source=bpf --all --threads >"$2/raw"
exec 3>&-
wait
"""


@test
def in_a_container():
    """Numbers are those of the PID namespace that pwhy is in, those of holders, too."""
    need_bpf()
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            ["unshare", "--pid", "--mount", "--fork", "--kill-child", "sh", "-c", INSIDE, "sh",
             built("tests/scene"), directory, command()[0]],
            capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        first, document, raw = done.stdout, b"", b""
        with contextlib.suppress(OSError):
            document = Path(directory, "json").read_bytes()
            raw = Path(directory, "raw").read_bytes()
    if done.returncode == 77 or done.stderr.startswith(b"unshare:"):
        raise Skip(done.stderr.decode(errors="replace")[:200] or "no scene in a container")
    if first.startswith(b"skip"):
        raise Skip(first.decode())
    check(first.startswith(b"ready"), f"scene said {first!r}")
    ready = dict(word.split("=", 1) for word in first.decode().split()[1:])
    document = json.loads(document)
    check_equal(document["capture"]["source"], "bpf", "source")
    threads = {t["tid"]: t for t in document["threads"]}
    check(int(ready["tid"]) in threads, f"{ready} is not among {sorted(threads)}")
    check(all(t["tid"] < 1000 and "inner_pid" not in t for t in threads.values()),
          f"threads of another namespace: {sorted(threads)}")
    wait = threads[int(ready["tid"])]["wait"]
    check_equal(threads[int(ready["tid"])]["ppid"], int(ready["stage"]), "ppid")
    if wait.get("rule") == "kernel-lock":
        check_equal([(o["pid"], o["tid"]) for o in wait["on"]],
                    [(int(ready["pid"]), int(ready["holder"]))], "holder")
    shown = {(int(p), int(t)) for p, t in HEADER.findall(raw)}
    check((int(ready["pid"]), int(ready["tid"])) in shown and len(shown) < 100, f"raw: {shown}")


@contextlib.contextmanager
def watching(*args):
    """Documents of pwhy --watch, one after the other."""
    with running(*command("--json", "--watch", "0.2", *args), stdout=subprocess.PIPE) as looking:
        yield (json.loads(line) for line in looking.stdout)


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
def where_in_the_kernel_a_running_thread_is():
    """One that is in a call all the time: what the kernel does for it, and who asked for that."""
    need_bpf()
    code = ("import os\nfd, room = os.open('/dev/zero', os.O_RDONLY), bytearray(16 << 20)\n"
            "print('ready', flush=True)\nwhile 1: os.readv(fd, [room])")
    with python(code, stdout=subprocess.PIPE) as process:
        process.stdout.readline()

        def seen():
            threads, _ = look("--source=bpf", "--profile=100ms", process.pid)
            for hot in threads[process.pid, process.pid].get("profile", {}).get("stacks", ()):
                kernel = [f["symbol"] for f in hot.get("kernel_stack", ())]
                user = [f.get("symbol") for f in hot.get("user_stack", ())]
                if any("readv" in name for name in kernel) and "readv" in user:
                    return True
            return False
        wait_until(seen, "kernel and user frames of the call")


@test
def a_recorded_thread_is_not_measured():
    """Its number may be that of somebody who runs here and now."""
    need_bpf()
    tree = Path(__file__).resolve().parents[1] / "golden/trees/running"
    with python("while 1: pass") as spinner, tempfile.TemporaryDirectory() as directory:
        for path in filter(Path.is_file, tree.rglob("*")):
            to = Path(directory, re.sub(r"\b4242\b", str(spinner.pid), str(path.relative_to(tree))))
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(re.sub(rb"\b4242\b", b"%d" % spinner.pid, path.read_bytes()))
        document = json.loads(pwhy("--json", f"--proc={directory}", "--source=auto", spinner.pid))
        (thread,) = document["threads"]
        check_equal(thread["wait"]["reason"], "running", "reason")
        check("profile" not in thread, thread)


@test
def watched():
    """What sleeps is looked at once; what spins or wakes and sleeps again, each time."""
    need_bpf()
    with python("import threading, time\n"
                "def spin():\n"
                "    while 1: pass\n"
                "threading.Thread(target=time.sleep, args=(1000,), name='sleeps').start()\n"
                "threading.Thread(target=spin, name='spins').start()\n"
                "while 1: time.sleep(0.01)") as target:
        wait_until(lambda: len(threads_of(target.pid)) == 3, "three threads")
        sleeps, spins = [t for t in threads_of(target.pid) if t != target.pid]
        wait_asleep(target.pid, sleeps)
        wait_until(lambda: state_of(target.pid, spins) == "R", "one spins")
        seen = {}
        with watching(target.pid) as documents:
            for document in itertools.islice(documents, 5):
                check_equal(document["capture"]["source"], "bpf", "source")
                check_equal(len(document["threads"]), 3, "threads")
                for thread in document["threads"]:
                    seen.setdefault(thread["tid"], []).append(thread)
        counts = {tid: [t["switches"] for t in threads] for tid, threads in seen.items()}
        check_equal(len(set(counts[sleeps])), 1, "switches of the one that sleeps")
        times = [t["wait"]["for_ns"] for t in seen[sleeps]]
        check(all(a < b for a, b in zip(times, times[1:])), f"sleeps for {times}")
        check_equal({t["wait"]["reason"] for t in seen[sleeps]}, {"sleep"}, "reasons")
        check(all(a < b for a, b in zip(counts[target.pid], counts[target.pid][1:])),
              f"switches of the one that wakes: {counts[target.pid]}")
        for thread in seen[target.pid]:  # at the same place, but not for longer
            check(thread["wait"].get("for_ns", 0) < 10 ** 9, thread["wait"])
        # The GIL makes it wait now and then.
        check({t["wait"]["reason"] for t in seen[spins]} & {"running", "runnable"},
              f"nobody runs: {[t['wait'] for t in seen[spins]]}")


@test
def watched_by_a_walk():
    """Of thousands, those that ran, ended and are new since: each is right in the next look."""
    need_bpf()
    code = ("import os, threading, sys\n"
            "gates = [os.pipe() for _ in range(2)]\n"
            "def wait(fd, then):\n"
            "    os.read(fd, 1)\n"
            "    if then: os.read(gates[1][0], 1)\n"
            "a = threading.Thread(target=wait, args=(gates[0][0], True)); a.start()\n"
            "b = threading.Thread(target=wait, args=(os.pipe()[0], False), daemon=True)\n"
            "print(a.native_id, flush=True)\n"
            "sys.stdin.readline()\n"
            "os.write(gates[0][1], b'x')\n"
            "b.start()\n"
            "print(b.native_id, flush=True)\n"
            "sys.stdin.readline()\n"
            "os.write(gates[1][1], b'x'); a.join()\n"
            "print('ended', flush=True)\n"
            "sys.stdin.readline()\n")
    with room_for(6000), many("threads", "6000"), \
            python(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target, \
            watching("--all", "--no-user") as documents:

        def step():
            target.stdin.write("\n")
            target.stdin.flush()
            return target.stdout.readline().split()

        def reads_of(document):
            return {t["tid"]: t["syscall"]["args"][0] for t in document["threads"]
                    if t["pid"] == target.pid and t.get("syscall", {}).get("name") == "read"}

        def until(condition, what):
            for document in itertools.islice(documents, 30):
                if condition(reads_of(document)):
                    return
            raise AssertionError(f"is not seen: {what}: {reads_of(document)}")

        first = int(target.stdout.readline())
        until(lambda reads: first in reads, "the first thread")
        fd = next(reads_of(d)[first] for d in documents)
        (second,) = map(int, step())
        until(lambda reads: reads.get(first, fd) != fd and second in reads,
              "one that ran and waits elsewhere, and a new one")
        check_equal(step(), ["ended"], "the first thread")
        until(lambda reads: first not in reads and second in reads, "one that ended")


@test
def summary_of_all():
    """Counts by reason, every thread counted once, look-alikes of several processes shown once."""
    need_bpf()
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            wait_asleep(stack.enter_context(running("sleep", 1000)).pid)
        lines = pwhy("--all", "--no-user", "--source=bpf").decode().splitlines()
    head = re.fullmatch(r"(\d+) threads of (\d+) processes", lines[0])
    check(head, f"begins with {lines[0]!r}")
    counts = []
    for line in lines[1:]:
        row = re.match(r" +(\d+)  ([a-z-]+)( +the longest for .*)?$", line)
        if not row:
            break
        counts.append((row[2], int(row[1])))
    check_equal(sum(n for _, n in counts), int(head[1]), "threads counted")
    check_equal([n for _, n in counts], sorted((n for _, n in counts), reverse=True), "order")
    check(dict(counts).get("sleep", 0) >= 30, counts)
    crowds = [int(n) for n in re.findall(r"^(\d+) processes: sleep ", "\n".join(lines), re.M)]
    check(crowds and max(crowds) >= 30, f"look-alikes are not one: {crowds}")
    check(max(map(len, lines)) <= 400, "wide lines")


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
