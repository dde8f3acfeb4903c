#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of user stacks: frame by frame the same as the debuggers', without stopping anybody.

Programs are compiled here at every level of optimisation, with and without frame pointers; and
there are real ones, as far as they are installed. Each test prints how many stacks are identical,
and every difference. A frame that pwhy shows as certain and a debugger contradicts is a failure.
"""
import contextlib
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from scene_rules import MEMORY_RULES
from debugger import eu_stack, gdb, plain, pwhy_stacks
from livetest import (Skip, check, check_equal, command, main, pwhy, running, test, wait_asleep,
                      wait_until)
from program import (PROGRAMS, build, document, need_registers, one, ready, scratch, settled,
                     symbols)

LEVELS = [("-O0",), ("-O1",), ("-O2",), ("-O3",), ("-O2", "-flto"),
          ("-O1", "-fno-omit-frame-pointer"), ("-O2", "-fno-omit-frame-pointer")]


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


def stacks_of(pid):
    """Of a process that wakes up now and then, when it does not."""
    for _ in range(50):
        looked = document(pid)
        stacks = pwhy_stacks(looked)
        if all(stacks.values()) and not any("ran on" in thread.get("user_stack_gap", "")
                                            for thread in looked["threads"]):
            break
        time.sleep(0.1)
    return stacks


def compare(pid, by_eu_stack, by_gdb):
    ours = stacks_of(pid)
    if by_eu_stack:
        theirs = eu_stack(pid)
        for tid in ours:
            by_eu_stack.compare(tid, ours[tid], theirs.get(tid, []), False)
        settled(pid)
        ours = stacks_of(pid)
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
    whole = path.with_suffix(".whole")
    shutil.copy(path, whole)
    subprocess.run(["strip", path], check=True)
    tally = Tally("a stripped program, eu-stack")
    with ready(path) as pid:
        ours = compare(pid, tally, None)
        nameless = [f for frames in ours.values() for f in frames if f.module == str(path)]
        check(nameless and not any(f.name for f in nameless if f.name != "_start"),
              f"names of a stripped program: {nameless[:3]}")
        text = pwhy(pid).decode()
        check(re.search(rf"{path.name}\+0x[0-9a-f]+ +{path}", text), f"no module+offset: {text[:900]}")
        # What is told instead of a name is what addr2line takes, to ask a file that has names.
        offsets = set(re.findall(rf"{path.name}\+(0x[0-9a-f]+) ", text))
        for tool in filter(shutil.which, ("addr2line", "eu-addr2line")):
            said = subprocess.run([tool, "-f", "-e", whole, *offsets], check=True,
                                  capture_output=True, text=True).stdout.split("\n")
            functions = set(said[:-1:2])
            check({"wait_read", "recurse", "thread_run", "main"} <= functions,
                  f"{tool} of {offsets}: {functions}")
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
        names = [f.get("symbol") for f in frames]
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


VERDICTS = {  # by the program's function: reason, kind of the object
    "wait_mutex": ("lock", "mutex"),
    "wait_condition": ("condition", "condvar"),
    "wait_join": ("join", "thread"),
    "wait_semaphore": ("semaphore", "semaphore"),
    "wait_rwlock": ("lock", "rwlock"),
    "wait_barrier": ("barrier", "barrier"),
    "wait_once": ("lock", "futex"),
    "wait_stdio": ("lock", "mutex"),
    "wait_sleep": ("sleep", "timer"),
}
# glibc jumps to what waits, so that without its own symbols these are not on the stack.
NOT_ON_THE_STACK = {"wait_join", "wait_once", "wait_semaphore"}


def check_verdicts(threads, by_exports=False):
    seen = set()
    for thread in threads:
        for function in symbols(thread):
            if function in VERDICTS and "wait_read" not in symbols(thread):
                wait = thread["wait"]
                got = wait["reason"], wait["object"]["kind"]
                if not (by_exports and function in NOT_ON_THE_STACK and got == ("futex", "futex")):
                    check_equal(got, VERDICTS[function], f"verdict on {function}, {wait}")
                    check(function != "wait_once" or wait["rule"] == "once", wait)
                seen.add(function)
    check_equal(seen, set(VERDICTS), "functions seen")


@test
def verdicts():
    """The functions that wait on a futex tell what it is for."""
    need_registers()
    for flags in (("-O0",), ("-O2",), ("-O2", "-static")):
        with ready(build("threads.c", *flags)) as pid:
            threads = document(pid)["threads"]
            named = any("__libc_start_call_main" in symbols(thread) for thread in threads)
            check_verdicts(threads, by_exports=not named)
            plain_futexes = document("--no-user", pid)["threads"]
            check(not any("user_stack" in thread for thread in plain_futexes), "user stacks")
            told = {thread["wait"]["reason"] for thread in plain_futexes}
            check(told.isdisjoint({"condition", "barrier", "semaphore"}), f"without stacks: {told}")
            # What is in memory alone tells these, all the same.
            rules = {thread["wait"].get("rule") for thread in plain_futexes}
            check(set(MEMORY_RULES) <= rules, f"without stacks: {rules}")


HIDE = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /usr/lib/debug && exec \"$@\"",
        "hide"]


def can_hide():
    """Debug symbols, as where none are installed."""
    return subprocess.run([*HIDE, "true"], capture_output=True, check=False).returncode == 0


@test
def verdicts_without_symbols():
    """By exported names alone, as where no debug symbols of the C library are installed."""
    need_registers()
    if not can_hide():
        raise Skip("cannot mount")
    with ready(*HIDE, build("threads.c", "-O2")) as pid:
        done = subprocess.run([*HIDE, *command("--json", pid)], capture_output=True, check=False,
                              timeout=60)
        check_verdicts(json.loads(done.stdout)["threads"], by_exports=True)


INNER = {  # by the program's function: rules, who holds it
    "wait_address": (["poll-resolver"], None),
    "wait_host": (["poll-resolver", "resolver-lock"], None),  # two of them, one after the other
    "wait_signalled": (["condition-mutex"], "main"),
    "wait_loader": (["loader-lock"], "hold_loader"),
    "wait_exit": (["loader-lock", "exit-lock"], "hold_loader"),
    "wait_open": (["stdio-lock-held"], "hold_streams"),
    "wait_fork": (["stdio-lock-held"], "hold_streams"),
    "wait_malloc": (["malloc-lock"], None),
}


def check_inner(threads):
    tids = {name: thread["tid"] for thread in threads for name in symbols(thread)
            if name and re.match("hold_|main$", name)}
    seen = {}
    for thread in threads:
        wait = thread["wait"]
        for function in filter(INNER.get, symbols(thread)):
            rules, holder = INNER[function]
            check(wait["rule"] in rules, f"{function}: {wait}, {symbols(thread)}")
            seen.setdefault(function, set()).add(wait["rule"])
            holders = [o["tid"] for o in wait["on"] if o["role"] == "holder"]
            if wait["rule"] != "exit-lock":
                check_equal(holders, [tids[holder]] if holder else [], f"{function}: {wait}")
    check_equal(sorted(seen), sorted(INNER), "functions seen")
    check_equal(seen["wait_host"], set(INNER["wait_host"][0]), "two that ask for a host")


@test
def locks_of_the_library_itself():
    """malloc's, the loader's, those of stdio and name resolution; with debug symbols and without."""
    need_registers()
    library = build("inner-library.c", "-O1", "-shared", "-fPIC")
    path = build("inner.c", "-O1")
    for words in ([], HIDE) if can_hide() else ([],):
        with ready(*words, path, library) as pid:
            done = subprocess.run([*words, *command("--json", pid)], capture_output=True,
                                  check=False, timeout=60)
            check_inner(json.loads(done.stdout)["threads"])


@test
def code_made_at_run_time():
    need_registers()
    with ready(build("jit.c", "-O1"), "made_at_run_time\x1b[31m") as pid:
        try:
            frames = one(pid)["user_stack"]
            names = [f.get("symbol") for f in frames]
            check(names[1:3] == ["wait_here", "made_at_run_time\x1b[31m"], f"frames {names}")
            check_equal(frames[2]["module"], "[anon]", "module of what was made")
            check_equal(names[3], "main", "caller of what was made")
            check("unreliable" in frames[3] and "unreliable" not in frames[2], "what is not certain")
            check(b"\x1b" not in pwhy(pid), "an escape sequence reaches the terminal")
            os.chown(f"/tmp/perf-{pid}.map", 12345, 12345)
            check(one(pid)["user_stack"][2].get("symbol") is None, "believes somebody else's map")
        finally:
            os.unlink(f"/tmp/perf-{pid}.map")
    with ready(build("jit.c", "-O1")) as pid:
        check(one(pid)["user_stack"][2].get("symbol") is None, "a name from nowhere")
        check("[anon]" in pwhy(pid).decode(), "no [anon]")


@test
def files_that_are_gone():
    """Deleted, replaced by another program, never on a disk."""
    need_registers()
    original = build("deep.c", "-O1")
    for how in ("deleted", "replaced", "memfd"):
        path = Path(scratch.name) / how
        if how == "memfd":
            fd = os.memfd_create("program", 0)
            os.write(fd, original.read_bytes())
            path = f"/proc/self/fd/{fd}"
        else:
            shutil.copy(original, path)
        with ready(path, "", pass_fds=[fd] if how == "memfd" else []) as pid:
            if how != "memfd":
                path.unlink()
            if how == "replaced":
                shutil.copy(build("threads.c", "-O0"), path)
            frames = one(pid)["user_stack"]
            names = [f.get("symbol") for f in frames]
            check_equal([n for n in names if n in ("recurse", "main", "_start")],
                        ["recurse", "main", "_start"], f"{how}: frames {names}")
            check("(deleted)" not in json.dumps(frames), f"{how}: {frames}")


@test
def other_roots():
    """A container, more or less: other mounts, other PIDs, another root."""
    need_registers()
    program = build("deep.c", "-O1", "-static")
    root = Path(scratch.name) / "root"
    (root / "tmp").mkdir(parents=True, exist_ok=True)
    shutil.copy(program, root / "program")
    shutil.copy(build("jit.c", "-O1", "-static"), root / "jit")
    for words in (["chroot", root, "/program", ""],
                  ["unshare", "--pid", "--fork", "--mount", "--kill-child", "chroot", root,
                   "/program", ""]):
        with running(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            check_equal(process.stdout.readline(), "ready\n", "first line")
            pid = process.pid
            if words[0] == "unshare":
                pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
            wait_asleep(pid)
            check_equal(symbols(one(pid))[-1], "_start", f"{words[0]}: outermost frame")
            check("recurse" in symbols(one(pid)), f"{words[0]}: {symbols(one(pid))}")
    words = ["unshare", "--pid", "--fork", "--kill-child", "chroot", root, "/jit", "inside"]
    with running(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        check_equal(process.stdout.readline(), "ready\n", "first line")
        pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        wait_asleep(pid)
        check("inside" in symbols(one(pid)), f"the map of its own PID: {symbols(one(pid))}")


@test
def registers_of_proc():
    """With sp and pc alone: the same frames, as far as it gets, and a word on why not further."""
    need_registers()
    complete = 0
    for flags in LEVELS:
        with ready(build("threads.c", *flags)) as pid:
            whole = {t["tid"]: t for t in document(pid)["threads"]}
            for thread in document("--source=proc", pid)["threads"]:
                ours, all_of_it = thread["user_stack"], whole[thread["tid"]]["user_stack"]
                check_equal(ours, all_of_it[:len(ours)], f"frames of thread {thread['tid']}")
                if len(ours) < len(all_of_it):
                    check("register" in thread["user_stack_gap"], thread["user_stack_gap"])
                else:
                    complete += 1
    check(complete > 20, f"only {complete} complete")


@test
def ordinary_user():
    need_registers()
    if not shutil.which("setpriv"):
        raise Skip("there is no setpriv")
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    os.chmod(scratch.name, 0o755)
    path = build("deep.c", "-O2")
    with ready(*nobody, path, "") as pid, ready(path, "") as foreign:
        mine, other = (json.loads(subprocess.run([*nobody, *command("--json", p)], check=False,
                                                 capture_output=True).stdout) for p in (pid, foreign))
        names = symbols(mine["threads"][0])
        check_equal(names[:2], ["pause", "recurse"], f"frames {names}")
        check("user_stack" not in other["threads"][0], "a stack of somebody else's process")


@test
def options_of_stacks():
    need_registers()
    with ready(build("deep.c", "-O1"), "") as pid:
        text = pwhy("--no-kernel", pid).decode()
        check("  user " in text and "  kernel " not in text, text)
        text = pwhy("--no-user", pid).decode()
        check("  kernel " in text and "  user " not in text, text)
        thread = one("--no-kernel", pid)
        check("kernel_stack" not in thread and "user_stack" in thread, "stacks in JSON")
        check_equal(thread["wait"]["confidence"], "certain", "confidence without kernel stacks")
        for option in ("--no-user", "--no-kernel"):
            pwhy("--raw", option, pid, status=(2,))


@test
def parent_in_vfork():
    """It is in state D, where debuggers hang."""
    need_registers()
    with running(build("vfork.c", "-O1"), stdout=subprocess.PIPE, text=True) as process:
        check_equal(process.stdout.readline(), "ready\n", "first line")
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        try:
            wait_asleep(child)
            thread = one(process.pid)
            check_equal(thread["state"], "D", "state")
            check_equal(symbols(thread)[1:3], ["start_child", "main"], f"frames {symbols(thread)}")
            check("user_stack_gap" not in thread, thread.get("user_stack_gap"))
        finally:
            os.kill(child, signal.SIGKILL)


PLACES = {  # by the thread's own function: those before it, innermost first; the last one's end
    "split_run": ["pause", "wait_here", "split_run", "call_on_stack", "in_split_stack", "thread_run"],
    "in_vdso": ["clock_gettime", "in_vdso", "thread_run"],
    "in_assembly": ["in_assembly", "thread_run"],
    "in_loader": ["in_loader", "thread_run"],
}


@test
def places_that_compilers_do_not_lead_to():
    """Coroutines, the dynamic loader on behalf of a stub, the vDSO, assembly."""
    need_registers()
    library = build("places-library.c", "-O1", "-shared", "-fPIC")
    path = build("places.c", "-O1", "-Wl,--no-as-needed", "-Wl,-z,lazy", str(library))
    with running(path, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        if line.startswith("skip"):
            raise Skip(line[len("skip "):])
        check_equal(line, "ready\n", "first line")
        settled(process.pid)
        threads = {function: thread for thread in document(process.pid)["threads"]
                   for function in (*PLACES, "coroutine_run") if function in symbols(thread)}
    check_equal(sorted(threads), sorted((*PLACES, "coroutine_run")), "functions seen")
    for function, names in PLACES.items():
        thread, found = threads[function], symbols(threads[function])
        check("user_stack_gap" not in thread, f"{function}: {thread.get('user_stack_gap')}")
        check(not any(f.get("unreliable") for f in thread["user_stack"]), f"{function}: {found}")
        last = found.index("thread_run") + 1
        check_equal(found[last - len(names):last], names, f"{function}: {found}")
        check(len(found) > last, f"{function} ends early: {found}")
    for function in "in_vdso", "in_assembly":
        check_equal(threads[function]["wait"]["reason"], "reply", function)
    modules = [f["module"] for f in threads["in_vdso"]["user_stack"]]
    check_equal(modules[0], "[vdso]", "innermost module")
    frames = threads["in_assembly"]["user_stack"]
    check(len(frames) > 2 and "libc" in frames[0]["module"] and frames[1]["symbol"] == "in_assembly",
          f"memcpy: {frames[:2]}")
    # The resolver, which has the function's name as well, and the loader that called it.
    frames = threads["in_loader"]["user_stack"]
    own = symbols(threads["in_loader"]).index("in_loader")
    check(frames[1]["symbol"] in ("resolved", "resolver"), frames[1])
    check(own > 2 and all("/ld-" in f["module"] for f in frames[2:own]), f"the loader: {frames}")
    # Where a coroutine of the C library begins, nothing leads on to who switched to it.
    thread = threads["coroutine_run"]
    check_equal(symbols(thread)[:3], ["pause", "wait_here", "coroutine_run"], "in a coroutine")
    check("in_coroutine" not in symbols(thread) and len(thread["user_stack"]) <= 4,
          f"goes on: {symbols(thread)}")
    check("user_stack_gap" in thread or not symbols(thread)[3:] or
          symbols(thread)[3] == "__start_context", f"neither an end nor a gap: {thread}")


@test
def narrow_program():
    """A 32-bit program has frames of 32 bits; its registers are those that /proc tells."""
    need_registers()
    try:
        path = build("deep.c", "-O1", "-m32")
    except AssertionError:
        raise Skip("no compiler for 32-bit programs") from None
    with contextlib.ExitStack() as stack:
        try:
            pid = stack.enter_context(ready(path, ""))
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            raise Skip("this kernel runs no 32-bit programs") from None
        thread = one(pid)
        check_equal([n for n in symbols(thread) if n in ("recurse", "main", "_start")],
                    ["recurse", "main", "_start"], f"frames {symbols(thread)}")
        check_equal(thread["user_stack"][0]["module"], "[vdso]", "innermost module")
        check("user_stack_gap" not in thread, thread.get("user_stack_gap"))


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
            tally.demand(99)


JAVA = {"w-sleep": "sleep", "w-wait": "condition", "w-enter": "lock", "w-park": "condition",
        "w-read": "read"}


def check_compiled_at_run_time(thread, innermost):
    """Through the interpreter and compiled code, by frame pointers, to the outermost frame. What
    a debugger, which has no CFI for that either, says of the frames before it is the same."""
    frames = thread["user_stack"]
    check("user_stack_gap" not in thread, thread.get("user_stack_gap"))
    check(re.match("_*(?:clone|start)", frames[-1].get("symbol", "")), f"{frames[-1]}")
    doubtful = [i for i, f in enumerate(frames) if f.get("unreliable")]
    check(doubtful and len(doubtful) < len(frames) - 5, "frames that are not certain")
    check(any(re.search(innermost, f.get("symbol", "")) for f in frames[:doubtful[0]]),
          f"{symbols(thread)}")


@contextlib.contextmanager
def java_waits(*options):
    """Waits.java, and its threads in one look in which all of them sleep."""
    need_registers()
    if not shutil.which("java") or not shutil.which("javac"):
        raise Skip("there is no Java")
    done = subprocess.run(["javac", "-d", scratch.name, PROGRAMS / "Waits.java"], check=False,
                          capture_output=True)
    check(done.returncode == 0, done.stderr[-300:])
    with running("java", "-Xmx64m", *options, "-cp", scratch.name, "Waits", stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, text=True) as process:
        check_equal(process.stdout.readline(), "ready\n", "first line")

        def waits():
            threads = {t["comm"]: t for t in document(process.pid)["threads"]}
            return {name: threads[name] for name in JAVA
                    if name in threads and len(threads[name].get("user_stack", [])) > 8
                    and "ran on" not in threads[name].get("user_stack_gap", "")}

        def look():
            # One that waits for a monitor looks again each second.
            looks = []
            wait_until(lambda: looks.append(waits()) or len(looks[-1]) == len(JAVA), "Java's waits")
            return looks[-1]
        yield process.pid, look


@test
def java():
    with java_waits("-Xint") as (_, look):
        threads = look()
        reasons = {name: thread["wait"]["reason"] for name, thread in threads.items()}
        if any("ObjectMonitor" in name for t in threads.values() for name in symbols(t) if name):
            check_equal(reasons, JAVA, "reasons")
        else:
            print("   libjvm has no symbols here")
        for thread in threads.values():
            check_compiled_at_run_time(thread, "JVM_|Java_|Unsafe|InterpreterRuntime|readBytes")


@test
def java_with_a_map():
    """As an agent, jcmd or -XX:+DumpPerfMapAtExit write it: methods have their names."""
    if not shutil.which("jcmd"):
        raise Skip("there is no jcmd")
    compiled = ["-Xcomp", "-XX:CompileCommand=quiet", "-XX:CompileCommand=compileonly,Waits::*",
                "-XX:-Inline", "-XX:+PreserveFramePointer"]
    with java_waits(*compiled) as (pid, look):
        path = Path(f"/tmp/perf-{pid}.map")
        try:
            done = subprocess.run(["jcmd", str(pid), "Compiler.perfmap"], check=False,
                                  capture_output=True, text=True)
            if not path.exists() or "Waits.deep" not in path.read_text(encoding="utf-8"):
                raise Skip(f"this Java writes no map: {done.stdout[-200:]}")
            counts = {}
            for name, thread in look().items():
                check_compiled_at_run_time(thread, "JVM_|Java_|Unsafe|Runtime1|readBytes|Interpreter")
                deep = [f for f in thread["user_stack"] if "Waits.deep(" in f.get("symbol", "")]
                counts[name] = len(deep)
                # While one thread has it compiled, others begin to interpret it.
                check(1 <= len(deep) <= 6, f"calls of deep in {name}: {symbols(thread)}")
                check_equal({f["module"] for f in deep}, {"[anon]"}, "their module")
            check_equal(max(counts.values()), 6, f"calls of deep: {counts}")
            check(any("Waits.enter()" in name for name in symbols(look()["w-enter"]) if name), "a method")
        finally:
            path.unlink(missing_ok=True)


@test
def node():
    need_registers()
    if not shutil.which("node"):
        raise Skip("there is no node")
    code = ("function inner() { console.log('ready'); "
            "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); }\n"
            "function middle(n) { if (n > 0) return middle(n - 1) + 1; inner(); return 1; }\n"
            "middle(3);")
    with ready("node", "--perf-basic-prof", "--interpreted-frames-native-stack", "-e", code,
               cwd=scratch.name) as pid:
        try:
            thread = next(t for t in document(pid)["threads"] if t["tid"] == pid)
            check_compiled_at_run_time(thread, "v8::")
            middles = [n for n in symbols(thread) if n and re.search(r"\bmiddle\b", n)]
            check_equal(len(middles), 4, f"calls of middle in {symbols(thread)}")
            check_equal(thread["wait"]["reason"], "condition", "reason")
        finally:
            Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)


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
        with running(nginx, "-c", config, "-p", folder, by=signal.SIGTERM, stdout=subprocess.DEVNULL,
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
