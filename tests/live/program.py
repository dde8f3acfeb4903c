# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that are compiled and run for the tests of user stacks, and what pwhy says of them."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from livetest import (PARTLY, SHOWN, SOURCE, Skip, check, need_root, pwhy, running, switches,
                      threads_of, wait_until)

PROGRAMS = SOURCE / "tests/live/user"
scratch = tempfile.TemporaryDirectory(prefix="pwhy-user-")  # pylint: disable=consider-using-with


def document(*args, status=(SHOWN, PARTLY)):
    return json.loads(pwhy("--json", *args, status=status))


def need_registers():
    need_root()
    mine = document("--source=bpf", os.getpid())
    if not mine["threads"]:
        raise Skip("needs the registers that only the bpf source can read")
    if any("without DWARF" in thread.get("user_stack_gap", "") for thread in mine["threads"]):
        raise Skip("pwhy was built without DWARF")


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


def symbols(thread):
    return [f.get("symbol") for f in thread.get("user_stack", [])]


def one(*args, **more):
    return document(*args, **more)["threads"][0]
