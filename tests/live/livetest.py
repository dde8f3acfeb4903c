# SPDX-License-Identifier: GPL-2.0-or-later
"""What the live tests that look at real processes share.

A test is a function with @test; it returns (ok), raises Skip, or raises (FAILED). main() runs
all, or those named on the command line, prints a line for each and the sum as the last line.
Python standard library only.
"""
import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
SHOWN, NOTHING, USAGE, PARTLY, DEADLOCK = range(5)
TIMEOUT = 60

tests = []
options = argparse.Namespace()


class Skip(Exception):
    pass


def test(function):
    tests.append(function)
    return function


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def check_equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def need_root():
    """Kernel stacks are shown to CAP_SYS_ADMIN only."""
    try:
        Path("/proc/self/stack").read_bytes()
    except OSError:
        raise Skip("needs root, to read kernel stacks") from None


def built(name):
    """A program that was built beside pwhy."""
    path = Path(options.pwhy).parent / name
    if not path.exists():
        raise Skip(f"{path} was not built")
    return str(path)


def command(*args):
    return [options.pwhy, f"--source={options.source}", *map(str, args)]


def pwhy(*args, status=(SHOWN, PARTLY, DEADLOCK)):
    """Runs pwhy; its standard output. Another exit status than these is a failure."""
    done = subprocess.run(command(*args), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=TIMEOUT, check=False)
    check(done.returncode in status, f"pwhy {' '.join(map(str, args))}: exit status "
          f"{done.returncode}, {done.stderr.decode(errors='replace')[-600:]!r}")
    return done.stdout


@contextlib.contextmanager
def running(*args, by=signal.SIGKILL, **more):
    """A process, ended and reaped afterwards whatever happens; by: what its children end with it by."""
    with subprocess.Popen(list(map(str, args)), **more) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(by)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def python(code, *args, **more):
    return running(sys.executable, "-c", code, *args, **more)


@contextlib.contextmanager
def scene(*args):
    """A scene of scene.c: the words of its "ready" line, as a dictionary."""
    with running(built("tests/scene"), *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as process:
        try:
            line = process.stdout.readline().split()
            if line[:1] == ["skip"]:
                raise Skip(" ".join(line[1:]))
            check(line[:1] == ["ready"], f"scene {args} said {line}")
            yield dict(word.split("=", 1) for word in line[1:] if "=" in word)
        finally:
            process.stdin.close()  # it cleans up at the end of input, if it may
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def task(pid, tid=None):
    return Path(f"/proc/{pid}/task/{tid or pid}")


def state_of(pid, tid=None):
    return (task(pid, tid) / "stat").read_bytes().rpartition(b")")[2].split()[0].decode()


def switches(pid, tid=None):
    """How often it was switched off a CPU: while that stands still, so does the thread."""
    status = (task(pid, tid) / "status").read_text(errors="replace")
    return sum(map(int, re.findall(r"^(?:non)?voluntary_ctxt_switches:\s+(\d+)$", status, re.M)))


def threads_of(pid):
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


def wait_until(condition, what):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(0.02)
    raise AssertionError(f"did not happen in time: {what}")


def wait_asleep(pid, tid=None, call=None):
    """Until it sleeps, in the system call of that number, and nothing moves it any more."""
    def settled():
        if call is not None:
            words = (task(pid, tid) / "syscall").read_text().split()
            if words[0] != str(call):
                return False
        before = switches(pid, tid)
        time.sleep(0.05)
        return state_of(pid, tid) in "SD" and switches(pid, tid) == before
    wait_until(settled, f"{pid} sleeps")


def run(function):
    try:
        function()
    except Skip as why:
        print(f"skip {function.__name__}: {why}", flush=True)
        return "skipped"
    except Exception as why:  # pylint: disable=broad-except
        print(f"FAILED {function.__name__}: {type(why).__name__}: {str(why)[:1500]}", flush=True)
        if not isinstance(why, AssertionError):
            traceback.print_exc()
        return "failed"
    print(f"ok {function.__name__}", flush=True)
    return "passed"


def main(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--pwhy", default=str(SOURCE / "build/pwhy"), metavar="PATH",
                        help="the program to test (%(default)s)")
    parser.add_argument("--source", default="auto", help="of pwhy (%(default)s)")
    parser.add_argument("names", nargs="*", metavar="TEST", help="only these tests")
    parser.parse_args(namespace=options)
    options.pwhy = os.path.abspath(options.pwhy)
    os.environ.pop("COLUMNS", None)  # lines would be folded
    if not os.access(options.pwhy, os.X_OK):
        parser.error(f"{options.pwhy}: no program there; give its place with --pwhy")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for function in tests:
        if not options.names or function.__name__ in options.names:
            counts[run(function)] += 1
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    sys.exit(1 if counts["failed"] or not sum(counts.values()) else 0)
