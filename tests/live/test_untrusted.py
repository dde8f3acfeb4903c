#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of targets whose own files are hostile, or do not answer: what can be shown is shown,
in time, the rest is a gap, and nobody else suffers from it.
"""
import contextlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

from livetest import (Skip, built, check, check_equal, command, main, pwhy, running, test,
                      wait_asleep)
from program import PROGRAMS, build, document, need_registers, ready, scratch, symbols

TIMEOUT_S, MARGIN_S = 2.0, 1.5  # pwhy's own, and what a busy machine may add


def looked(*pids):
    """{PID: main thread}, within the time."""
    start = time.monotonic()
    threads = document(*pids)["threads"]
    took_s = time.monotonic() - start
    check(took_s < TIMEOUT_S + MARGIN_S, f"took {took_s:.1f} s")
    return {t["pid"]: t for t in threads if t["pid"] == t["tid"]}


def check_bystander(thread):
    check_equal([n for n in symbols(thread) if n in ("recurse", "main", "_start")],
                ["recurse", "main", "_start"], "frames of a process beside it")
    check("user_stack_gap" not in thread, thread.get("user_stack_gap"))


@contextlib.contextmanager
def dead_mount(victim):
    """A process that has to do with a FUSE file system whose server does not answer."""
    with running(built("tests/hang-fuse"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as fuse:
        line = fuse.stdout.readline().split()
        if line[:1] != ["ready"]:
            raise Skip(" ".join(line[1:]))
        try:
            pid = int(dict(word.split("=") for word in line[1:])[victim])
            wait_asleep(pid)
            yield pid
        finally:
            fuse.stdin.close()
            fuse.wait(20)


@test
def program_on_a_dead_mount():
    """Its executable is mapped from there."""
    need_registers()
    with dead_mount("exec") as pid, ready(build("deep.c", "-O1"), "") as bystander:
        threads = looked(pid, bystander)
        thread = threads[pid]
        names = symbols(thread)
        check_equal(names[0], "pause", f"the C library's frame: {names}")
        check(not any(names[1:]), f"names out of a file that cannot be read: {names}")
        check("does not answer" in thread.get("user_stack_gap", ""), f"gap: {thread}")
        check(thread["wait"]["reason"] != "unknown", f"{thread['wait']}")
        check_bystander(threads[bystander])


@test
def library_on_a_dead_mount():
    """Only the stack that leads through it ends there, and says so."""
    need_registers()
    with dead_mount("library") as pid, ready(build("deep.c", "-O1"), "") as bystander:
        start = time.monotonic()
        threads = document(pid, bystander)["threads"]
        took_s = time.monotonic() - start
        check(took_s < TIMEOUT_S + MARGIN_S, f"took {took_s:.1f} s")
        inside, = (t for t in threads if t["tid"] == pid)
        beside, = (t for t in threads if t["pid"] == pid and t["tid"] != pid)
        names = symbols(inside)
        check_equal(names[0], "pause", f"the C library's frame: {names}")
        check(not any(names[1:]), f"names out of a file that cannot be read: {names}")
        check("library.so" in inside["user_stack"][-1]["module"], f"last frame: {inside}")
        gap = inside.get("user_stack_gap", "")
        check("library.so" in gap and "does not answer" in gap, f"gap: {gap}")
        check(inside["wait"]["reason"] != "unknown", f"{inside['wait']}")
        check_equal(symbols(beside)[:2], ["pause", "rest"], "a thread that is not in the library")
        check("user_stack_gap" not in beside, beside.get("user_stack_gap"))
        check_bystander(next(t for t in threads if t["tid"] == bystander))


def sections(data):
    """{name: (header's place, offset, size)}."""
    shoff, = struct.unpack_from("<Q", data, 0x28)
    size, n, names = struct.unpack_from("<HHH", data, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", data, shoff + i * size) for i in range(n)]
    strings = headers[names][4]
    return {data[strings + h[0]:data.index(b"\0", strings + h[0])].decode():
            (shoff + i * size, h[4], h[5]) for i, h in enumerate(headers)}


# What neither the kernel nor the dynamic loader looks at: the program runs all the same.
SPOILT = (".eh_frame", ".eh_frame_hdr", ".symtab", ".strtab", ".shstrtab", ".debug_info",
          ".debug_abbrev", ".debug_line", ".debug_str", ".debug_aranges", ".note.gnu.build-id")


def spoil_section(data, name, chosen):
    _, offset, size = sections(data)[name]
    data[offset:offset + size] = chosen.randbytes(size)


def spoil_bytes(data, name, chosen):
    _, offset, size = sections(data)[name]
    for _ in range(max(1, size // 40)):
        data[offset + chosen.randrange(size)] = chosen.choice((0, 1, 0x7f, 0x80, 0xff))


def spoil_header(data, name, chosen):
    """A section at another place, of another size, linked to itself."""
    place, _, _ = sections(data)[name]
    for field, form in ((24, "<Q"), (32, "<Q"), (40, "<I"), (48, "<Q"), (56, "<Q")):
        if chosen.random() < 0.6:
            size = struct.calcsize(form)
            value = chosen.choice((0, 1, len(data) - 1, 1 << 31, (1 << 64) - 1, 1 << 63))
            struct.pack_into(form, data, place + field, value & (1 << 8 * size) - 1)


def spoil_headers(data, _, chosen):
    """Where section headers are, how large, how many."""
    struct.pack_into("<Q", data, 0x28, chosen.choice((0, 1, len(data) - 10, 1 << 63)))
    struct.pack_into("<HHH", data, 0x3a, chosen.choice((0, 1, 64)), chosen.choice((0, 9, 0xffff)),
                     chosen.choice((0, 5, 0xffff)))


def spoilt_program(seed):
    chosen = random.Random(seed)
    data = bytearray(build("deep.c", "-O1").read_bytes())
    present = [name for name in SPOILT if name in sections(data)]
    how = chosen.choice((spoil_section, spoil_bytes, spoil_header, spoil_headers))
    for name in chosen.sample(present, 3):
        how(data, name, chosen)
        if how is spoil_headers or name == ".shstrtab":
            break
    path = Path(scratch.name) / "spoilt"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    path.chmod(0o755)
    return path, how.__name__


@test
def spoilt_programs():
    """They run, and lie in all that unwinding and naming needs."""
    need_registers()
    shown = whole = 0
    with ready(build("deep.c", "-O1"), "") as bystander:
        for seed in range(40):
            path, how = spoilt_program(seed)
            with ready(path, "") as pid:
                threads = looked(pid, bystander)
                names = symbols(threads[pid])
                check_equal(names[0], "pause", f"{how} {seed}: {names}")
                check_equal(threads[pid]["wait"]["reason"], threads[bystander]["wait"]["reason"],
                            f"{how} {seed}: reason")
                check(threads[pid].get("user_stack_gap") or len(names) > 1, f"{how} {seed}: {names}")
                check_bystander(threads[bystander])
                text = pwhy(pid)
                check(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text), f"{how} {seed}: {text}")
                shown += 1
                whole += "_start" in names
    print(f"   {shown} programs shown, {whole} of them to the outermost frame")


def bomb(path):
    """MiniDebugInfo that is 3 GiB when it is unpacked."""
    packed = f"{path}.xz"
    with open(packed, "wb") as out, subprocess.Popen(
            ["xz", "-0", "--check=crc32", "-T1", "-c"], stdin=subprocess.PIPE, stdout=out) as xz:
        zeros = bytes(1 << 20)
        for _ in range(3 << 10):
            xz.stdin.write(zeros)
        xz.stdin.close()
    return packed


@test
def packed_to_burst():
    need_registers()
    if not shutil.which("xz") or not shutil.which("objcopy"):
        raise Skip("needs xz and objcopy")
    path = Path(scratch.name) / "bomb"
    shutil.copy(build("deep.c", "-O1"), path)
    subprocess.run(["objcopy", "-S", path], check=True)
    subprocess.run(["objcopy", "--add-section", f".gnu_debugdata={bomb(path)}", path], check=True)
    os.unlink(f"{path}.xz")
    with ready(build("deep.c", "-O1"), "") as bystander, ready(path, "") as pid:
        threads = looked(pid, bystander)
        check_equal(symbols(threads[pid])[0], "pause", "innermost frame")
        check_bystander(threads[bystander])


@test
def large_and_empty():
    """A program with a hole of 4 GiB at its end."""
    need_registers()
    path = Path(scratch.name) / "sparse"
    shutil.copy(build("deep.c", "-O1"), path)
    os.truncate(path, 4 << 30)
    with ready(path, "") as pid:
        names = symbols(looked(pid)[pid])
        check_equal([n for n in names if n in ("recurse", "main", "_start")],
                    ["recurse", "main", "_start"], f"frames {names}")


LIBRARIES, MEMORY_MAX_KIB = 160, 48 << 10


def large_library():
    """With 2 MB of debug information, as real ones have: types, inlining, lines."""
    heavy = "".join(f"struct k{i} {{ int a{i}; long b{i}; struct k{max(0, i - 1)} *next; }};\n"
                    f"static inline int in{i}(struct k{i} *k, int by)\n{{\n int s{i} = k->a{i} * by;\n"
                    f" return s{i} + (int)k->b{i};\n}}\n"
                    f"int out{i}(struct k{i} *k, int by)\n{{\n int a = in{i}(k, by);\n"
                    f" return a > {i} ? a + in{i}(k, a) : a;\n}}\n" for i in range(2700))
    path, flags = Path(scratch.name) / "heavy", ["-g", "-O1", "-fPIC"]
    path.with_suffix(".c").write_text(heavy, encoding="utf-8")
    # Two units: all lines of the one that is asked about are read.
    for words in (["-c", "-o", f"{path}.o", f"{path}.c"],
                  ["-DLIBRARY", "-shared", "-o", f"{path}.so", PROGRAMS / "libraries.c", f"{path}.o"]):
        done = subprocess.run(["cc", *flags, *words], check=False, capture_output=True, text=True)
        check(done.returncode == 0, done.stderr[-600:])
    return path.with_suffix(".so")


@test
def much_debug_information():
    """Of all of it, no more is in memory at a time than a few files take."""
    need_registers()
    folder = Path(scratch.name) / "libraries"
    folder.mkdir()
    library = large_library()
    total = LIBRARIES * library.stat().st_size
    for i in range(LIBRARIES):
        shutil.copy(library, folder / f"lib{i}.so")
    with ready(build("libraries.c", "-O1"), folder, LIBRARIES) as pid:
        with subprocess.Popen([*command(), "--json", str(pid)], stdout=subprocess.PIPE) as process:
            frames = json.load(process.stdout)["threads"][0]["user_stack"]
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    named = [f for f in frames if f["symbol"] == "in_library" and f.get("line")]
    inlined = [f for f in frames if f["symbol"] == "call" and f.get("inlined")]
    check(len(named) == len(inlined) > 80, f"{len(named)} functions, {len(inlined)} inlined ones")
    check_equal([f["symbol"] for f in frames[-3:]], ["__libc_start_call_main", "__libc_start_main",
                                                    "_start"], "the outermost frames")
    print(f"   {LIBRARIES} files of {total >> 20} MiB together: {usage.ru_maxrss >> 10} MiB at most")
    check(usage.ru_maxrss < MEMORY_MAX_KIB, f"RSS of {usage.ru_maxrss} KiB")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
