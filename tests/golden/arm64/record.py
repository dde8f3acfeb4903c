#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records the stacks of an arm64 program that an emulator runs: registers, stack bytes, mappings,
and what is needed of its file. The result is the golden tree arm64-user-stacks.

    tests/golden/arm64/record.py BASE OUT     BASE: a tree that has the rest, arm64-pipe-read

Needs gcc-aarch64-linux-gnu, qemu-user-static and gdb-multiarch. The emulated CPU has pointer
authentication and does sign: saved return addresses have its bits.
"""
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHAPES = {  # the function's name: how it is compiled
    "plain": ["-O2", "-fomit-frame-pointer"],
    "record": ["-O1", "-fno-omit-frame-pointer"],
    "signed": ["-O2", "-mbranch-protection=pac-ret"],
    "leaf": ["-O0", "-mbranch-protection=pac-ret+leaf+b-key"],
    "without": ["-O2", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables",
                "-fno-unwind-tables"],
}
WHICH = [*SHAPES, "signal"]
STACK_BYTES, BELOW = 12288, 128
KEPT = {".eh_frame", ".eh_frame_hdr", ".symtab", ".strtab", ".shstrtab", ".note.gnu.build-id"}

# Runs inside of gdb, which stops where read(2) enters the kernel: the kernel's pc is one further.
SCRIPT = r"""
import gdb, json
gdb.execute("target remote %(socket)s")
gdb.execute("handle SIGSEGV nostop noprint pass")
code = gdb.selected_frame().architecture().disassemble
start = int(gdb.parse_and_eval("(long)&read"))
for insn in code(start, start + 120):
    if insn["asm"].startswith("svc"):
        gdb.Breakpoint("*%%d" %% insn["addr"])
gdb.Breakpoint("wait_here")
gdb.execute("continue")
gdb.execute("continue")
names = ["x%%d" %% i for i in range(31)] + ["sp", "pc"]
values = [int(gdb.parse_and_eval("(unsigned long)$" + name)) & (1 << 64) - 1 for name in names]
values[32] += 4
start = (values[31] - %(below)d) & ~15
stack = b""
try:
    while len(stack) < %(bytes)d:
        stack += bytes(gdb.selected_inferior().read_memory(start + len(stack), 64))
except gdb.MemoryError:
    pass
open(%(out)r, "w").write(json.dumps([values, start, stack.hex()]))
gdb.execute("kill")
"""


def build(folder):
    objects = []
    cc = ["aarch64-linux-gnu-gcc", "-g0"]
    for shape, options in SHAPES.items():
        objects.append(folder / f"{shape}.o")
        subprocess.run([*cc, *options, f"-DSHAPE={shape}", "-c", "-o", objects[-1],
                        HERE / "stacks.c"], check=True)
    program = folder / "stacks"
    subprocess.run([*cc, "-O1", "-static", "-no-pie", "-Wl,--build-id", "-o", program, HERE / "stacks.c",
                    *objects], check=True)
    return program


def run(program, which, folder):
    socket, out, script = folder / f"gdb{which}", folder / f"out{which}", folder / "script.py"
    script.write_text(SCRIPT % {"socket": socket, "below": BELOW, "bytes": STACK_BYTES,
                                "out": str(out)})
    with subprocess.Popen([shutil.which("qemu-aarch64-static"), "-cpu", "max", "-g", socket, f"./{program.name}",
                           str(which)], stdin=subprocess.PIPE, cwd=folder, env={}) as emulator:
        try:
            while not socket.exists():
                pass
            subprocess.run(["gdb-multiarch", "-nx", "-batch", "-ex", "set architecture aarch64",
                            "-x", script, program], check=True, stdout=subprocess.DEVNULL, timeout=60)
        finally:
            emulator.kill()
    return json.loads(out.read_text())


def pruned(program):
    """The file without its code and data: only what unwinding and naming need; and its segments."""
    data = program.read_bytes()
    shoff, = struct.unpack_from("<Q", data, 0x28)
    phoff, = struct.unpack_from("<Q", data, 0x20)
    n_segments, = struct.unpack_from("<H", data, 0x38)
    n, names = struct.unpack_from("<HH", data, 0x3c)
    sections = [struct.unpack_from("<IIQQQQ", data, shoff + i * 64) for i in range(n)]
    strings = sections[names][4]
    kept = bytearray(len(data))
    for start, size in ((0, phoff + n_segments * 56), (shoff, n * 64)):
        kept[start:start + size] = data[start:start + size]
    for name, kind, _, address, offset, size in sections:
        label = data[strings + name:data.index(b"\0", strings + name)].decode()
        if label in KEPT and kind != 8:
            kept[offset:offset + size] = data[offset:offset + size]
        if label == ".text":  # what a signal handler returns to is known by its code
            at = data.index(bytes.fromhex("681180d2010000d4"), offset)
            while 0 <= at < offset + size:
                kept[at:at + 8] = data[at:at + 8]
                at = data.find(bytes.fromhex("681180d2010000d4"), at + 4)
    segments = [struct.unpack_from("<IIQQQQ", data, phoff + i * 56) for i in range(n_segments)]
    return bytes(kept), next(s for s in segments if s[0] == 1 and s[1] & 1)


def main(base, out):
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        # Names of the C library that no stack has are of no use.
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(base, out, symlinks=True)
        process = next(p for p in out.iterdir() if p.name.isdigit() and (p / "task").is_dir())
        pid = int(process.name)
        recorded = [run(program, i, Path(folder)) for i in range(len(WHICH))]
        stripped = Path(folder) / "stripped"
        wanted = [word for shape in SHAPES for word in ("_inner", "_recurse", "_outer")
                  for word in ("-K", shape + word)]
        subprocess.run(["aarch64-linux-gnu-strip", "-s", *wanted, "-o", stripped,
                        *(word for name in ("main", "_start", "read", "__libc_read", "wait_here",
                                            "restore", "handle", "interrupted",
                                            "__libc_start_call_main", "__libc_start_main")
                          for word in ("-K", name)), program], check=True)
        image, (_, _, offset, address, _, size) = pruned(stripped)
    for file in (*process.glob("**/stat"), *process.glob("**/status"), process / "comm"):
        file.write_text(file.read_text().replace("grep", "stacks"))
    (process / "cmdline").write_bytes(b"/srv/stacks\0")
    (process / "exe").unlink()
    (process / "exe").symlink_to("/srv/stacks")
    start, end = address & ~4095, (address + size + 4095) & ~4095
    (process / "map_files").mkdir()
    (process / f"map_files/{start:x}-{end:x}").write_bytes(image)
    (process / "maps").write_text(
        f"{start:x}-{end:x} r-xp {offset & ~4095:08x} 08:01 4242                       /srv/stacks\n")
    (process / "mem").mkdir(exist_ok=True)
    first = process / "task" / str(pid)
    for i, (values, at, stack) in enumerate(recorded):
        task = process / "task" / str(pid + i)
        if i:
            shutil.copytree(first, task)
            for name in ("stat", "status"):
                text = re.sub(rf"^{pid} ", f"{pid + i} ", (task / name).read_text())
                (task / name).write_text(re.sub(rf"^Pid:\t{pid}$", f"Pid:\t{pid + i}", text, flags=re.M))
        arguments = " ".join(hex(v) for v in values[:3])
        (task / "syscall").write_text(f"63 {arguments} 0x0 0x0 0x0 {values[31]:#x} {values[32]:#x}\n")
        (task / "user_regs").write_text(" ".join(f"{n}={v:x}" for n, v in enumerate(values)) + "\n")
        (process / f"mem/{at:x}").write_text(re.sub(r"(.{64})", r"\1\n", stack) + "\n")
    (out / "about").write_text("User stacks of arm64: as compiled with and without frame records, CFI and "
                               "signed\nreturn addresses, and through a signal handler. Made by "
                               "tests/golden/arm64/record.py.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
