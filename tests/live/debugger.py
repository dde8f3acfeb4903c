# SPDX-License-Identifier: GPL-2.0-or-later
"""What the debuggers say of a process's stacks, for test_user.py to compare with.

Both stop the process, which wakes what sleeps in it for a moment: ask pwhy first.
"""
import json
import re
import shutil
import subprocess
import tempfile
from typing import NamedTuple

from livetest import Skip, check

# Runs inside of gdb: its own text leaves out addresses where they are of interest.
GDB_SCRIPT = r"""
import gdb, json
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
stacks = {}
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame, frames = gdb.newest_frame(), []
    while frame and len(frames) < 600:
        sal = frame.find_sal()
        frames.append([frame.pc(), frame.name(), frame.type() == gdb.INLINE_FRAME,
                       frame.type() == gdb.SIGTRAMP_FRAME,
                       sal.symtab.filename if sal.symtab else None, sal.line])
        try:
            frame = frame.older()
        except gdb.error:
            break
    stacks[thread.ptid[1]] = frames
open(%r, "w").write(json.dumps(stacks))
"""


class Frame(NamedTuple):
    address: int
    name: str
    inlined: bool = False
    signal: bool = False
    source: str = None
    line: int = 0
    module: str = ""
    certain: bool = True


def plain(name):
    """A function's name without what tools write differently: arguments, templates, versions,
    return types, copies by the compiler, leading underscores of aliases."""
    if not name:
        return ""
    name = name.replace("(anonymous namespace)", "anonymous")
    name = re.sub(r"\{lambda\([^{}]*\)#\d+\}", "lambda", name)
    name = re.sub(r"\[clone [^\]]*\]", "", name)
    name = re.sub(r"operator\(\)", "operator_call", name)
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    name = re.sub(r"\(.*", "", name).strip().split(" ")[-1]
    name = re.sub(r"@.*|\.(?:constprop|isra|part|cold|lto_priv)\b.*", "", name)
    return re.sub(r"^(?:__GI_)?_*|::h[0-9a-f]{16}$", "", name).replace("_IO_", "")


def eu_stack(pid):
    """{TID: [Frame]}"""
    tool = shutil.which("eu-stack")
    if not tool:
        raise Skip("there is no eu-stack")
    done = subprocess.run([tool, "-n", "0", "-m", "-p", str(pid)], capture_output=True, text=True,
                          timeout=120, check=False)
    stacks, frames = {}, None
    for text in done.stdout.splitlines():
        if head := re.match(r"TID (\d+):", text):
            frames = stacks.setdefault(int(head[1]), [])
        elif frame := re.match(r"#\d+\s+(0x[0-9a-f]+)(?: - 1)?(?:\s+(?!- )(.*?))?(?:\s+- (\S.*))?$", text):
            frames.append(Frame(int(frame[1], 16), frame[2] or "", module=frame[3] or ""))
    check(stacks, f"eu-stack says nothing: {done.stderr[-300:]}")
    return stacks


def gdb(pid):
    """{TID: [Frame]}"""
    tool = shutil.which("gdb")
    if not tool:
        raise Skip("there is no gdb")
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script, \
            tempfile.NamedTemporaryFile("r") as answer:
        script.write(GDB_SCRIPT % answer.name)
        script.flush()
        done = subprocess.run([tool, "-nx", "-batch", "-p", str(pid), "-ex", f"source {script.name}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
                              check=False)
        text = answer.read()
    check(text, f"gdb says nothing: {done.stderr[-300:]}")
    return {int(tid): [Frame(address, name or "", inlined, signal, source, line)
                       for address, name, inlined, signal, source, line in frames]
            for tid, frames in json.loads(text).items()}


def pwhy_stacks(document):
    """The same from what pwhy --json says."""
    return {thread["tid"]: [Frame(int(f["address"], 16), f.get("symbol", ""),
                                  f.get("inlined", False), f.get("signal", False), f.get("source"),
                                  f.get("line", 0), f.get("module", ""),
                                  not f.get("unreliable", False))
                            for f in thread.get("user_stack", [])]
            for thread in document["threads"]}
