#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows pasted logs and stacks to pwhy --explain-stack and compares what it says.

For each text/NAME.txt: its text with NAME.expected, its JSON with NAME.json. The same text
with Windows line ends, from a pipe, or cut anywhere must not say anything else that is as
sure as before. One more test explains the log of the running kernel, where it may be read.

PWHY is the program to test. --update writes the expected files anew, for a person to read
the difference before it is committed.
"""
import argparse
import contextlib
import difflib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TEXTS = HERE / "text"
TIMEOUT = 60
CONFIDENCES = ("guess", "likely", "certain")
CUTS = 40  # places where a text is cut


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def pwhy(data, *args, statuses=(0, 3)):
    """Standard output; the text comes through a pipe."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    source = str(data) if isinstance(data, Path) else "-"
    try:
        done = subprocess.run([options.pwhy, "--explain-stack", source, *args],
                              input=b"" if isinstance(data, Path) else data,
                              capture_output=True, timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired:
        raise Failure(f"no answer within {TIMEOUT} s") from None
    if done.returncode not in statuses:
        raise Failure(f"exit status {done.returncode}: "
                      f"{done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout.decode()


def document(data):
    result = json.loads(pwhy(data, "--json", "--idle", statuses=(0, 1, 3)))
    result["pwhy"] = "…"
    result["capture"]["duration_ns"] = 0
    return result


def pretty(result):
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


def compare(path, got):
    if options.update:
        path.write_text(got, encoding="utf-8")
        return
    if not path.exists():
        raise Failure(f"{path.name} is not there; --update writes it")
    wanted = path.read_text(encoding="utf-8")
    if got != wanted:
        difference = difflib.unified_diff(wanted.splitlines(), got.splitlines(),
                                          f"expected {path.name}", "got", lineterm="")
        raise Failure("not as expected\n" + "\n".join(difference))


def check_text(path):
    got = pwhy(path, "--idle")
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", got):
        raise Failure("a control character in the text")
    compare(path.with_suffix(".expected"), got)


def check_json(path):
    compare(path.with_suffix(".json"), pretty(document(path)))


def check_line_ends(path):
    """Windows line ends, a pipe and a missing last newline change nothing."""
    unix = path.read_bytes().replace(b"\r\n", b"\n")
    wanted = document(unix)
    for what, data in (("Windows line ends", unix.replace(b"\n", b"\r\n")),
                       ("no last newline", unix.rstrip(b"\n")),
                       ("quoted in a mail", re.sub(rb"(?m)^", b"> ", unix))):
        if what.startswith("quoted") and re.search(rb"(?m)^$|^==>", unix):
            continue
        if document(data) != wanted:
            raise Failure(f"{what}: says something else")


def key(thread):
    return thread.get("pid"), thread.get("tid"), thread.get("line")


def verdicts(data):
    return {key(t): t["wait"] for t in document(data)["threads"]}


def check_cut(path):
    """A text that ends early: what is said of a task may get weaker, and never another thing."""
    data = path.read_bytes()
    before = verdicts(data)
    for at in range(1, CUTS):
        for part in (data[:len(data) * at // CUTS],):
            for thread, wait in verdicts(part).items():
                old = before.get(thread)
                if not old or wait["reason"] in (old["reason"], "unknown"):
                    continue
                if CONFIDENCES.index(wait["confidence"]) >= CONFIDENCES.index("certain"):
                    raise Failure(f"cut at {len(part)}: {thread} was \"{old['text']}\", "
                                  f"is \"{wait['text']}\"")


def check_raw(path):
    """--raw can be read again, and says the same of stacks that have a name."""
    raw = pwhy(path, "--raw", "--idle", statuses=(0, 1, 3)).encode()
    stacks = {(t.get("pid"), t.get("tid")): t.get("kernel_stack")
              for t in document(path)["threads"] if t.get("kernel_stack") and t.get("comm")}
    if len(stacks) < 2:
        return
    again = {(t.get("pid"), t.get("tid")): t.get("kernel_stack")
             for t in document(raw)["threads"]}
    for thread, stack in stacks.items():
        if again.get(thread) != stack:
            raise Failure(f"{thread}: {stack} becomes {again.get(thread)}")


def check_nothing(_path):
    for data in (b"", b"\n\n", b"hello\n", b"\0" * 1000, os.urandom(4096)):
        if pwhy(data, statuses=(1,)):
            raise Failure("something is said of nothing")


def check_large(_path):
    """A log of 50 MB takes seconds, and one that is too long is read in part, and says so."""
    report = b"".join((TEXTS / "journal-5.15.txt").read_bytes() for _ in range(1))
    data = report * (50_000_000 // len(report))
    start = time.monotonic()
    if "jbd2/sda1-8 (161)" not in pwhy(data):
        raise Failure("a task is missing")
    took = time.monotonic() - start
    if took > 30:
        raise Failure(f"50 MB took {took:.1f} s")
    if "64 MiB" not in pwhy(data + data[:20_000_000], statuses=(3,)):
        raise Failure("nothing is said of the end that was not read")


def check_live(_path):
    """The log of the running kernel, with its own dump of all tasks if it can be asked."""
    trigger = Path("/proc/sysrq-trigger")
    asked = False
    with contextlib.suppress(OSError):
        trigger.write_text("t", encoding="ascii")
        asked = True
        time.sleep(0.5)
    done = subprocess.run(["dmesg"], capture_output=True, check=False)
    if done.returncode != 0 or not done.stdout:
        raise Skip("dmesg may not be read: " + done.stderr.decode(errors="replace").strip())
    threads = document(done.stdout)["threads"]
    if b" blocked for more than " in done.stdout and not threads:
        raise Failure("no task was found in what the detector of hung tasks said")
    if not asked:
        raise Skip("the kernel cannot be asked for its tasks (no /proc/sysrq-trigger, or not "
                   f"permitted); its log has {len(threads)}")
    if b"task:" in done.stdout and not threads:
        raise Failure("no task was found in the kernel's own dump")


def run(title, function, path):
    name = path.stem if path else "all"
    try:
        function(path)
    except Skip as why:
        return "skipped", f"SKIPPED {name} {title}: {why}"
    except Failure as why:
        return "failed", f"FAILED {name} {title}: {why}"
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as why:
        return "failed", f"FAILED {name} {title}: {type(why).__name__}: {why}"
    return "passed", f"ok {name} {title}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pwhy", default=os.environ.get("PWHY", str(ROOT / "build/pwhy")),
                        metavar="PATH", help="the program to test ($PWHY, or %(default)s)")
    parser.add_argument("--update", action="store_true",
                        help="write the expected files anew: read the difference before you commit")
    parser.add_argument("names", nargs="*", metavar="TEXT", help="only these texts")
    parser.parse_args(namespace=options)
    options.pwhy = os.path.abspath(options.pwhy)
    if not os.access(options.pwhy, os.X_OK):
        parser.error(f"{options.pwhy}: no program there; give its place with --pwhy")
    paths = [TEXTS / f"{name}.txt" for name in options.names] or sorted(TEXTS.glob("*.txt"))
    kinds = [("text", check_text), ("json", check_json)]
    if not options.update:
        kinds += [("line ends", check_line_ends), ("cut", check_cut), ("raw", check_raw)]
    cases = [(title, function, path) for path in paths for title, function in kinds]
    if not options.names and not options.update:
        cases += [("nothing", check_nothing, None), ("large", check_large, None),
                  ("live", check_live, None)]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in cases:
        result, line = run(*case)
        counts[result] += 1
        with contextlib.suppress(BrokenPipeError):
            print(line, flush=True)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return int(bool(counts["failed"]) or not counts["passed"])


options = argparse.Namespace()

if __name__ == "__main__":
    sys.exit(main())
