#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of user stacks: frame by frame the same as the debuggers', without stopping anybody.

Programs are compiled here at every level of optimisation, with and without frame pointers; and
there are real ones, as far as they are installed. Each test prints how many stacks are identical,
and every difference. A frame that pwhy shows as certain and a debugger contradicts is a failure.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from debugger import eu_stack, gdb, plain, pwhy_stacks
from livetest import (PARTLY, SHOWN, SOURCE, Skip, check, check_equal, command, main, need_root,
                      pwhy, python, running, switches, test, threads_of, wait_asleep, wait_until)

PROGRAMS = SOURCE / "tests/live/user"
scratch = tempfile.TemporaryDirectory(prefix="pwhy-user-")  # pylint: disable=consider-using-with

LEVELS = [("-O0",), ("-O1",), ("-O2",), ("-O3",), ("-O2", "-flto"),
          ("-O1", "-fno-omit-frame-pointer"), ("-O2", "-fno-omit-frame-pointer")]


def document(*args, status=(SHOWN, PARTLY)):
    return json.loads(pwhy("--json", *args, status=status))


def need_registers():
    need_root()
    if document(os.getpid())["capture"]["source"] != "bpf":
        raise Skip("needs the registers that only the bpf source can read")


def build(source, *flags, compiler=None):
    compiler = compiler or ("g++" if source.endswith(".cc") else "cc")
    if not shutil.which(compiler):
        raise Skip(f"there is no {compiler}")
    path = Path(scratch.name) / re.sub(r"\W+", "-", " ".join((source, compiler, *flags)))
    if not path.exists():
        done = subprocess.run([compiler, "-g", *flags, "-o", path, PROGRAMS / source, "-pthread"],
                              check=False, capture_output=True, text=True)
        check(done.returncode == 0, f"{source} {flags}: {done.stderr[-600:]}")
    return path


@contextlib.contextmanager
def ready(*args, **more):
    """A program that says "ready", all of whose threads sleep."""
    with running(*args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                 text=True, **more) as process:
        for line in process.stdout:
            if line == "ready\n":
                break
        else:
            raise AssertionError(f"{args} did not start")
        settled(process.pid)
        yield process.pid


def settled(pid):
    def counts():
        return {tid: switches(pid, tid) for tid in threads_of(pid)}

    def still():
        before = counts()
        time.sleep(0.1)
        return counts() == before
    wait_until(still, f"the threads of {pid} sleep")


class Tally:
    """How many stacks are the same, and what the others differ in."""

    def __init__(self, what):
        self.what, self.same, self.total, self.differences, self.wrong = what, 0, 0, {}, []
        self.lines, self.same_lines = 0, 0

    def differ(self, why, tid, certain=False):
        self.differences[why] = self.differences.get(why, 0) + 1
        if certain:
            self.wrong.append(f"thread {tid}: {why}")

    def compare(self, tid, ours, theirs, known):
        """known: does the debugger tell lines and inlined functions?"""
        self.total += 1
        if not known:
            ours = [frame for frame in ours if not frame.inlined]
        else:  # pwhy tells no lines of the C library, and nothing that is inlined there
            ours = [frame for frame in ours if not is_library(frame)]
            library = {address for address, *_ in theirs} - {frame.address for frame in ours}
            theirs = [frame for frame in theirs if frame.address not in library]
        for i, (a, b) in enumerate(zip(ours, theirs)):
            if a.address != b.address:
                self.differ(f"frame {i}: {a.name} at {a.address:#x} or {b.name} at {b.address:#x}",
                            tid, certain=a.certain)
                return
            if a.signal or b.signal:
                if known and a.signal != b.signal:
                    self.differ(f"frame {i}: the frame of a signal or {b.name or a.name}", tid)
                    return
                continue
            if not same_name(a, b):
                self.differ(f"frame {i}: called {a.name or 'nothing'} or {b.name or 'nothing'}", tid,
                            certain=bool(a.name) and known and a.inlined != b.inlined)
                return
            if known and a.line and b.line:
                self.lines += 1
                self.same_lines += a.line == b.line
        if len(ours) != len(theirs):
            rest = ours[len(theirs):] or theirs[len(ours):]
            who = "pwhy" if len(ours) > len(theirs) else "the debugger"
            self.differ(f"{who} has {len(rest)} more from {rest[0].name or hex(rest[0].address)} on",
                        tid)
            return
        self.same += 1

    def report(self):
        share = 100 * self.same / self.total if self.total else 100
        print(f"   {self.what}: {self.same} of {self.total} stacks are the same ({share:.1f} %)",
              flush=True)
        if self.lines:
            print(f"      {self.same_lines} of {self.lines} lines of frames are the same")
        for why, count in sorted(self.differences.items(), key=lambda item: -item[1])[:6]:
            print(f"      {count} times {why}")

    def demand(self, percent):
        self.report()
        check(not self.wrong, f"{self.what}: certain and wrong: {self.wrong[:4]}")
        # gdb passes over rows of the line table that are no recommended breakpoints.
        check(self.same_lines * 100 >= 95 * self.lines, f"{self.what}: lines")
        check(self.same * 100 >= percent * self.total, f"{self.what}: {self.same} of {self.total}")


def same_name(a, b):
    """DWARF has the names of inlined functions, and symbols those of extern "C" ones, without what
    they are in."""
    bare = b.inlined or "::" not in a.name or "::" not in b.name
    return plain(a.name) == plain(b.name) or (bare and last(a.name) == last(b.name))


def last(name):
    return plain(name).split("::")[-1].lstrip("_")


def is_library(frame):
    return re.search(r"/(libc|ld-linux|libpthread)[-.\w]*$", frame.module) is not None


def compare(pid, by_eu_stack, by_gdb):
    ours = pwhy_stacks(document(pid))
    if by_eu_stack:
        theirs = eu_stack(pid)
        for tid in ours:
            by_eu_stack.compare(tid, ours[tid], theirs.get(tid, []), False)
        settled(pid)
        ours = pwhy_stacks(document(pid))
    if by_gdb:
        theirs = gdb(pid)
        for tid in ours:
            by_gdb.compare(tid, ours[tid], theirs.get(tid, []), True)
    return ours


def compare_variants(source, variants, compilers):
    for compiler in compilers:
        tallies = Tally(f"{source} by {compiler}, eu-stack"), Tally(f"{source} by {compiler}, gdb")
        for flags in variants:
            with ready(build(source, *flags, compiler=compiler)) as pid:
                compare(pid, *tallies)
        for tally in tallies:
            tally.demand(99)


@test
def threads_in_c():
    need_registers()
    compare_variants("threads.c", LEVELS, [c for c in ("gcc", "clang") if shutil.which(c)])


@test
def cplusplus():
    need_registers()
    compare_variants("waits.cc", LEVELS, ["g++"])


@test
def static_and_stripped():
    """Static, static-pie, musl; and without any symbol, the addresses are the same."""
    need_registers()
    tally = Tally("static programs, eu-stack")
    for flags in (("-static",), ("-static-pie",), ("-no-pie",)):
        with ready(build("threads.c", "-O2", *flags)) as pid:
            compare(pid, tally, None)
    tally.demand(99)
    path = build("threads.c", "-O2", "-DSTRIPPED")
    subprocess.run(["strip", path], check=True)
    tally = Tally("a stripped program, eu-stack")
    with ready(path) as pid:
        ours = compare(pid, tally, None)
        nameless = [f for frames in ours.values() for f in frames if f.module == str(path)]
        check(nameless and not any(f.name for f in nameless if f.name != "_start"),
              f"names of a stripped program: {nameless[:3]}")
        text = pwhy(pid).decode()
        check(re.search(rf"{path.name}\+0x[0-9a-f]+ +{path}", text), f"no module+offset: {text[:900]}")
    tally.demand(99)


@test
def deep_recursion():
    """All frames are counted, few are shown, and they are the innermost and the outermost."""
    need_registers()
    depth = 100_000
    with ready(build("deep.c", "-O1"), depth) as pid:
        start = time.monotonic()
        thread = document(pid)["threads"][0]
        took = time.monotonic() - start
        frames = thread["user_stack"]
        check(len(frames) <= 300, f"{len(frames)} frames")
        check_equal(frames[-1]["symbol"], "_start", "outermost frame")
        check("user_stack_gap" not in thread, thread.get("user_stack_gap"))
        names = [f["symbol"] for f in frames]
        total = len(frames) + thread["user_stack_left_out"]
        others = len([name for name in names if name != "recurse"])
        check_equal(total - others, depth + 1, "calls of recurse")
        check(0 < thread["user_stack_left_out_after"] < len(frames), "where it was cut")
        text = pwhy(pid).decode()
        check(len(text.splitlines()) < 90, f"{len(text.splitlines())} lines")
        hidden = int(re.search(r"… (\d+) more", text)[1])
        shown = len(re.findall(r"recurse\+", text))
        check_equal(hidden + shown, depth + 1, "frames shown and counted")
        print(f"   {total} frames in {took * 1000:.0f} ms")


@test
def real_programs():
    """Whatever of these is installed; all of their threads."""
    need_registers()
    for what, start in REAL.items():
        tallies = Tally(f"{what}, eu-stack"), Tally(f"{what}, gdb")
        try:
            with start() as pids:
                for pid in pids:
                    settled(pid)
                    compare(pid, *tallies)
        except Skip as why:
            print(f"   {what}: {why}")
            continue
        for tally in tallies:
            tally.demand(95)


@contextlib.contextmanager
def real_python():
    code = ("import threading, time, queue, sys\n"
            "lock = threading.Lock(); lock.acquire()\n"
            "def deep(n, f): return deep(n - 1, f) if n else f()\n"
            "for f in (lock.acquire, queue.Queue().get, lambda: time.sleep(1000),\n"
            "          threading.Event().wait, sys.stdin.read):\n"
            "    threading.Thread(target=deep, args=(20, f), daemon=True).start()\n"
            "print('ready', flush=True)\n"
            "deep(5, lambda: threading.Condition().__enter__() and time.sleep(1000))\n")
    system = "/usr/bin/python3"
    if not os.path.exists(system):
        raise Skip("there is no python3 of the system")
    with ready(system, "-c", code) as pid:
        yield [pid]


@contextlib.contextmanager
def real_bash():
    if not shutil.which("bash"):
        raise Skip("there is no bash")
    with ready("bash", "-c", "f() { echo ready; sleep 1000; echo; }; f; echo $(f)") as pid:
        yield [pid]
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)


@contextlib.contextmanager
def real_nginx():
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not nginx:
        raise Skip("there is no nginx")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 2;\n"
                          f"events {{}}\nhttp {{ access_log off; server {{"
                          f" listen unix:{folder}/socket; }} }}\n")
        with running(nginx, "-c", config, "-p", folder, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL) as process:
            try:
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                wait_until(lambda: len(children.read_text().split()) == 2, "workers start")
                yield [process.pid, *map(int, children.read_text().split())]
            finally:
                process.terminate()
                process.wait()


@contextlib.contextmanager
def real_postgres():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    where = found[-1] if found else Path(shutil.which("postgres") or "/nowhere").parent
    if not (where / "initdb").exists() or not (where / "postgres").exists():
        raise Skip("there is no PostgreSQL")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        data = f"{folder}/data"
        nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        environment = {**os.environ, "LD_LIBRARY_PATH": str(where.parent / "lib")}
        done = subprocess.run([where / "initdb", "-D", data, "-U", "nobody", "--no-sync"], **nobody,
                              cwd=folder, env=environment, capture_output=True, check=False)
        if done.returncode:
            raise Skip(f"initdb: {done.stderr[-200:].decode(errors='replace')}")
        with running(where / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=",
                     "-F", **nobody, cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL) as process:
            try:
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                wait_until(lambda: len(children.read_text().split()) >= 4, "PostgreSQL starts")
                yield [process.pid, *map(int, children.read_text().split())]
            finally:
                process.terminate()
                process.wait()


REAL = {"Python": real_python, "bash": real_bash, "nginx": real_nginx, "PostgreSQL": real_postgres}


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
