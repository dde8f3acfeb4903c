#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of user stacks of other C libraries and languages, as far as their compilers are here:
musl, Rust, Go, Python; of libraries that were deleted or replaced; and of containers.
"""
import contextlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from livetest import Skip, check, check_equal, main, running, test, wait_asleep, wait_until
from program import (PROGRAMS, build, document, need_registers, one, ready, scratch, settled,
                     symbols)


def compiled(source, name, *words, **environment):
    """Another compiler's program."""
    if not shutil.which(words[0]):
        raise Skip(f"there is no {words[0]}")
    path = Path(scratch.name) / name
    if not path.exists():
        done = subprocess.run([*words, path, PROGRAMS / source], check=False, capture_output=True,
                              text=True, env={**os.environ, **environment}, cwd=scratch.name)
        if done.returncode:
            raise Skip(f"{words[0]}: {done.stderr.strip()[-200:]}")
    return path


def by_function(threads, pattern):
    """{function of the program: thread}, of the threads that are in one."""
    found = {}
    for thread in threads:
        for name in symbols(thread):
            if match := re.search(pattern, name or ""):
                found.setdefault(match[0], thread)
    return found


def verdicts(threads, pattern):
    return {name: (t["wait"]["reason"], t["wait"].get("rule"))
            for name, t in by_function(threads, pattern).items()}


def check_whole(threads):
    """To the outermost function, and nothing of it is a guess."""
    for thread in threads:
        check("user_stack_gap" not in thread, f"{thread.get('user_stack_gap')}: {symbols(thread)}")
        check(not any(f.get("unreliable") for f in thread["user_stack"]), f"{symbols(thread)}")


# ---- musl

@test
def musl():
    """Dynamic and static. Debian's has no CFI and keeps no frame pointers: stacks end in it, with a
    gap, and nothing that is not on them is shown as certain. Verdicts rest on locks in memory."""
    need_registers()
    for flags in (("-O1",), ("-O2", "-static"), ("-O2", "-static-pie")):
        with ready(compiled("threads.c", "musl" + "".join(flags), "musl-gcc", "-g", *flags,
                            "-pthread", "-o")) as pid:
            threads = document(pid)["threads"]
            told = [t["wait"]["reason"] for t in threads]
            check({"read", "sleep", "lock"} <= set(told), f"{flags}: {told}")
            wrong = set(told) - {"read", "sleep", "lock", "futex", "join", "barrier", "semaphore",
                                 "condition"}
            check(not wrong, f"{flags}: {wrong}")
            for thread in threads:
                sure = [f.get("symbol") for f in thread["user_stack"] if not f.get("unreliable")]
                check("user_stack_gap" in thread or sure[-1] in ("_start", "__clone", "start"),
                      f"{flags}: neither an end nor a gap: {sure}")
                # What calls no system call is not where a thread sleeps.
                check(not re.match("mem|str", sure[0] or ""), f"{flags}: {sure} in a call")


# ---- Rust

RUST = {"wait_mutex": ("lock", "rust-mutex"), "wait_read": ("lock", "rust-rwlock"),
        "wait_write": ("lock", "rust-rwlock"), "wait_condition": ("condition", "rust-condvar"),
        "wait_once": ("lock", "rust-once"), "wait_park": ("condition", "rust-park")}


@test
def rust():
    """Either mangling of names, with and without debug information, and optimised."""
    need_registers()
    variants = [("v0", "-g"), ("v0", "-O"), ("legacy", "-g"), ("legacy", "-O")]
    for mangling, option in variants:
        path = compiled("waits.rs", f"rust-{mangling}{option}", "rustc", "-C",
                        f"symbol-mangling-version={mangling}", "-Z", "unstable-options", option, "-o",
                        RUSTC_BOOTSTRAP="1")
        with ready(path) as pid:
            threads = document(pid)["threads"]
            check_whole(threads)
            pattern = r"\bwait_(mutex|read|write|condition|once|park)\b"
            check_equal(verdicts(threads, pattern), RUST, f"{mangling} {option}")
            joins = by_function(threads, r"wait_join|JoinInner.*::join").values()
            check_equal({t["wait"]["reason"] for t in joins}, {"join"}, f"join, {mangling}")
            names = [n for t in threads for n in symbols(t) if n]
            check(not any(n.startswith(("_R", "_ZN")) for n in names), "not demangled")


# ---- Go

@test
def go():
    """Threads, not goroutines: what they do, and nothing left over of another stack."""
    need_registers()
    path = compiled("waits.go", "go-waits", "go", "build", "-o", GO111MODULE="off",
                    GOCACHE=f"{scratch.name}/go", HOME=scratch.name)
    with ready(path) as pid:
        threads = document(pid)["threads"]
        check_whole(threads)
        for thread in threads:
            check(re.match(r"runtime\.(goexit|mcall|mstart|clone|rt0_go|systemstack)",
                           symbols(thread)[-1]), f"outermost: {symbols(thread)}")
        found = by_function(threads, r"main\.waitRead|runtime\.(stoplockedm|sysmon|stopm)$")
        check_equal(found["main.waitRead"]["wait"]["reason"], "read", "a goroutine in a call")
        check_equal(found["runtime.stoplockedm"]["wait"]["rule"], "go-locked", "a locked thread")
        check_equal(found["runtime.sysmon"]["wait"]["rule"], "go-note", "sysmon")
        if "runtime.stopm" in found:
            check_equal(found["runtime.stopm"]["wait"]["rule"], "go-idle", "an idle thread")


@test
def go_and_c():
    """From a function of C back to the goroutine that called it, where the runtime's code is known."""
    need_registers()
    if platform.machine() != "x86_64":
        raise Skip("known of x86-64 only")
    path = compiled("cgo.go", "go-cgo", "go", "build", "-o", GO111MODULE="off", CGO_ENABLED="1",
                    GOCACHE=f"{scratch.name}/go", HOME=scratch.name)
    with ready(path) as pid:
        (thread,) = by_function(document(pid)["threads"], r"waitInC$").values()
        names = [name for name in symbols(thread) if not name.startswith("_cgo_")]
        wanted = ["pause", "waitInC", "runtime.asmcgocall.abi0", "runtime.cgocall",
                  "main._Cfunc_waitInC.abi0", "main.callC", "main.main", "runtime.main",
                  "runtime.goexit.abi0"]
        plain = [re.sub(r"\.abi0$", "", name) for name in names]
        if "user_stack_gap" in thread: # code of a runtime that is not known: it ends there
            check_equal(plain[-1], "runtime.asmcgocall", f"a stack with a gap: {names}")
            raise Skip(f"this runtime's way from C is not known: {thread['user_stack_gap']}")
        check_equal(plain, [re.sub(r"\.abi0$", "", name) for name in wanted], "functions")


# ---- Python

@test
def python_trampolines():
    """Python 3.12 and later, with -X perf: calls of Python's functions through code made for each,
    named in a map. Here by the same means, since Debian's Python is older."""
    need_registers()
    name = "py::inner:/srv/app.py"
    with ready(build("jit.c", "-O1"), name) as pid:
        try:
            frames = one(pid)["user_stack"]
            check(name in symbols(one(pid)), f"{symbols(one(pid))}")
            check_equal([f["module"] for f in frames if f.get("symbol") == name], ["[anon]"], "module")
        finally:
            os.unlink(f"/tmp/perf-{pid}.map")
    newer = [p for p in map(shutil.which, ("python3.14", "python3.13", "python3.12"))
             if p and subprocess.run([p, "-X", "perf", "-c", ""], capture_output=True,
                                     check=False).returncode == 0]
    if not newer:
        print("   no Python from 3.12 on is here: the map alone was tested")
        return
    code = "import time\ndef inner():\n    print('ready', flush=True)\n    time.sleep(1000)\ninner()\n"
    with ready(newer[0], "-X", "perf", "-c", code) as pid:
        try:
            check(any(re.match("py::inner:", n or "") for n in symbols(one(pid))), symbols(one(pid)))
        finally:
            Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)


# ---- libraries that are gone, containers

LIBRARY = """
#include <unistd.h>
__attribute__((noinline)) void library_inner(void) { pause(); __asm__ volatile(""); }
void library_outer(void) { library_inner(); __asm__ volatile(""); }
"""
USER = """
#include <stdio.h>
void library_outer(void);
int main(void) { puts("ready"); fflush(stdout); library_outer(); return 0; }
"""


def program_with_library(folder):
    """The program looks for its library beside itself."""
    for name, text, flags in (
            ("liblate.so", LIBRARY, ["-shared", "-fPIC"]),
            ("program", USER, ["-L", folder, "-llate", "-Wl,-rpath,$ORIGIN"])):
        done = subprocess.run(["cc", "-O1", "-g", "-x", "c", "-o", folder / name, "-", "-x", "none",
                               *flags], input=text, text=True, capture_output=True, check=False)
        check(done.returncode == 0, done.stderr)
    return folder / "program"


WANTED = ["library_inner", "library_outer", "main"]


@test
def library_that_is_gone():
    need_registers()
    for how in ("deleted", "replaced"):
        folder = Path(scratch.name) / f"library-{how}"
        folder.mkdir()
        program = program_with_library(folder)
        with ready(program) as pid:
            (folder / "liblate.so").unlink()
            if how == "replaced":
                shutil.copy(build("deep.c", "-O1"), folder / "liblate.so")
            thread = one(pid)
            check_equal([n for n in symbols(thread) if n in WANTED], WANTED, how)
            frames = thread["user_stack"]
            check_equal({f["module"] for f in frames if "library" in (f.get("symbol") or "")},
                        {str(folder / "liblate.so")}, how)
            check("user_stack_gap" not in thread, f"{how}: {thread.get('user_stack_gap')}")


@test
def container():
    """Mounts and PIDs of its own; its library is at a path that leads to another file outside."""
    need_registers()
    folder = Path(scratch.name) / "container"
    folder.mkdir()
    program = program_with_library(folder)
    other = Path(scratch.name) / "outside"
    other.mkdir()
    shutil.copy(build("deep.c", "-O1"), other / "liblate.so")
    shutil.copy(build("deep.c", "-O1"), other / "program")
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
             f"mount --bind {folder} {other} && exec {other}/{program.name}"]
    if subprocess.run([*words[:5], "true"], capture_output=True, check=False).returncode:
        raise Skip("cannot make namespaces")
    with running(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        check_equal(process.stdout.readline(), "ready\n", "first line")
        pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        wait_asleep(pid)
        thread = one(pid)
        check_equal([n for n in symbols(thread) if n in WANTED], WANTED, "frames")
        check_equal(symbols(thread)[-1], "_start", "outermost frame")


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
