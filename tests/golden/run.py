#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows recorded /proc trees to pwhy and compares what it says with what it should say.

For each trees/NAME: its text with NAME.txt, its JSON with NAME.json. Then each tree is spoilt,
one thing at a time: a function renamed, a file taken away. Whatever is missing, pwhy must not
crash, and a verdict may only get weaker, never become another one that claims to be certain.

PWHY is the program to test. --update writes the expected files anew, for a person to read
the difference before it is committed.
"""
import argparse
import contextlib
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TREES = HERE / "trees"
TIMEOUT = 30
CONFIDENCES = ("guess", "likely", "certain")
# What a refusal needs depends on who runs pwhy, and what a user may do, not on the recording.
REFUSALS = ("kernel stacks", "system calls", "file descriptors", "what arguments point to")
REFUSAL = re.compile(r"^(missing: (?:" + "|".join(REFUSALS) + r")[^:\n]*: )(?!this kernel).*$",
                     re.M)
FRAME = re.compile(rb"^(\[<[^>]*>\] (?:\? )?)([A-Za-z_][\w.]*)", re.M)
IDENTITY = ("stat", "status")
# Fields of an object that must not become others. Its kind may: a TCP socket is a socket, too.
IDENTIFIES = ("fd", "path", "inode", "address", "local", "remote", "id", "number", "pid")
FRAMES_MAX = 14  # renamed in a stack: beyond are the general ones


class Failure(Exception):
    pass


def pwhy(tree, *args):
    """Standard output; the exit status must be one of a program that worked."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    command = [options.pwhy, *(["--proc", str(tree)] if tree else []), *args]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired:
        raise Failure(f"no answer within {TIMEOUT} s") from None
    nothing = done.returncode == 1 and done.stderr.startswith(b"pwhy: ")
    if done.returncode not in (0, 3) and not nothing or done.stderr and not nothing:
        raise Failure(f"exit status {done.returncode}: "
                      f"{done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout.decode()


def arguments(name):
    """Those of NAME.args; else everything, or the processes, where others have only a name."""
    given = TREES / f"{name}.args"
    if given.exists():
        return given.read_text(encoding="utf-8").split()
    pids = [entry for entry in (TREES / name).iterdir() if entry.name.isdigit()]
    whole = sorted(int(entry.name) for entry in pids if (entry / "stat").exists())
    return ["--all", "--idle"] if len(whole) == len(pids) else list(map(str, whole))


def document(tree, args):
    """The JSON, without what differs from version to version and from run to run."""
    text = pwhy(tree, "--json", *args)
    result = json.loads(text)
    result["pwhy"] = "…"
    result["capture"]["duration_ns"] = 0
    for gap in result["capture"].get("missing", []):
        if gap.get("what") in REFUSALS and not gap["why"].startswith("this kernel"):
            gap["why"] = "…"
            gap.pop("remedy", None)
    result["threads"].sort(key=lambda thread: (thread["pid"], thread["tid"]))
    return result


def pretty(result):
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


def compare(name, path, got):
    if options.update:
        path.write_text(got, encoding="utf-8")
        return
    if not path.exists():
        raise Failure(f"{path.name} is not there; --update writes it")
    wanted = path.read_text(encoding="utf-8")
    if got != wanted:
        difference = difflib.unified_diff(wanted.splitlines(), got.splitlines(),
                                          f"expected {path.name}", f"got from {name}", lineterm="")
        raise Failure("not as expected\n" + "\n".join(difference))


def check_text(name):
    got = REFUSAL.sub(r"\1…", pwhy(TREES / name, *arguments(name)))
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", got):
        raise Failure("a control character in the text")
    compare(name, TREES / f"{name}.txt", got)


def check_json(name):
    compare(name, TREES / f"{name}.json", pretty(document(TREES / name, arguments(name))))


def check_raw(name):
    """The exact form: the stack file of a main thread, byte for byte."""
    for stack in sorted((TREES / name).glob("*/task/*/stack")):
        tid, pid = stack.parts[-2], stack.parts[-4]
        if tid == pid and (got := pwhy(TREES / name, "--raw", pid)) != stack.read_text():
            raise Failure(f"--raw {pid} is not what its stack file holds, but {got!r}")


# Spoiling: each yields (what, do, undo), on a copy of the tree.

def without(path):
    """Take a file or link away."""
    hidden = path.with_name(path.name + ".hidden")
    return (lambda: path.rename(hidden)), (lambda: hidden.rename(path))


def instead(path, data):
    before = path.read_bytes()
    return (lambda: path.write_bytes(data)), (lambda: path.write_bytes(before))


def refused(path):
    take, give = without(path)
    error = path.with_name(path.name + ".errno")

    def do():
        take()
        error.write_text("EACCES\n", encoding="ascii")

    def undo():
        error.unlink()
        give()
    return do, undo


def spoilt_stack(path):
    text = path.read_bytes()
    for frame in list(FRAME.finditer(text))[:FRAMES_MAX]:
        at, end = frame.span(2)
        yield f"{frame[2].decode()} renamed", *instead(path, text[:at] + b"zz_renamed" + text[end:])
    yield "an empty stack", *instead(path, b"")
    yield "a stack of nonsense", *instead(path, b"\x00\xff[<0>]\n[<\n" * 3)


def files(tree):
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path, path.relative_to(tree)


def spoilt_identity(tree):
    """What a thread is: without it nothing may be said, or all."""
    for path, place in files(tree):
        if place.parts[0].isdigit() and place.name in IDENTITY:
            yield f"no {place}", *without(path)
            yield f"an empty {place}", *instead(path, b"")


def spoilt(tree):
    for path, place in files(tree):
        if not place.parts[0].isdigit() or place.suffix == ".errno":
            if str(place) in ("self/sched", "captured", "stat", "sys/kernel/arch"):
                yield f"no {place}", *without(path)
            continue
        if place.name == "stack":
            for what, do, undo in spoilt_stack(path):
                yield f"{place.parent}: {what}", do, undo
        if place.name in ("stack", "syscall", "wchan"):
            yield f"{place} refused", *refused(path)
        if place.name not in IDENTITY:
            yield f"no {place}", *without(path)


def identity(wait):
    """What says which object it is, as far as it is told."""
    thing = wait.get("object") or {}
    return {name: thing[name] for name in IDENTIFIES if name in thing}


def stronger(old, new):
    """What a verdict for the same reason claims that it did not with more to go by, or None."""
    if CONFIDENCES.index(new["confidence"]) > CONFIDENCES.index(old["confidence"]):
        return "surer"
    before, after = identity(old), identity(new)
    if any(before.get(name, value) != value for name, value in after.items()):
        return f"about {after}, not {before}"
    others = {(o["pid"], o.get("tid"), o["role"]) for o in new["on"]}
    if not others <= {(o["pid"], o.get("tid"), o["role"]) for o in old["on"]}:
        return f"for {new['on']}, not {old['on']}"
    return None


def weaker(before, after):
    """What is wrong with the verdicts after, or None."""
    for key, new in after.items():
        old = before.get(key)
        if old and new["reason"] == old["reason"] and (how := stronger(old, new)):
            return f"thread {key[1]} was \"{old['text']}\", is \"{new['text']}\": {how}"
        if not old or new["reason"] in (old["reason"], "unknown"):
            continue
        lower = CONFIDENCES.index(new["confidence"]) < CONFIDENCES.index(old["confidence"])
        if new["confidence"] == "certain" or not lower:
            return (f"thread {key[1]} was \"{old['text']}\" ({old['reason']}, "
                    f"{old['confidence']}), is \"{new['text']}\" ({new['reason']}, "
                    f"{new['confidence']})")
    return None


def verdicts(tree, args):
    text = pwhy(tree, "--json", *args)
    threads = json.loads(text)["threads"] if text else []
    return {(t["pid"], t["tid"]): t["wait"] for t in threads}


def check_spoilt(name):
    """One tree, spoilt in every way; the number of ways is worth knowing."""
    args, wrong, n = arguments(name), [], 0
    with tempfile.TemporaryDirectory(prefix="pwhy-golden-") as scratch:
        tree = Path(scratch) / name
        shutil.copytree(TREES / name, tree, symlinks=True)
        before = verdicts(tree, args)
        for what, do, undo in list(spoilt(tree)):
            do()
            n += 1
            try:
                problem = weaker(before, verdicts(tree, args))
            except (Failure, ValueError, KeyError) as why:
                problem = str(why)
            undo()
            if problem:
                wrong.append(f"{what}: {problem}")
        for what, do, undo in list(spoilt_identity(tree)):
            do()
            n += 1
            try:
                verdicts(tree, args)
            except (Failure, ValueError, KeyError) as why:
                wrong.append(f"{what}: {why}")
            undo()
    if wrong:
        raise Failure(f"{len(wrong)} of {n}\n" + "\n".join(wrong))


def check_recorder(_name):
    """A process of our own, recorded and replayed, is where it is live."""
    sleeper = [sys.executable, "-c", "import os; print(flush=True); os.read(0, 1)"]
    with tempfile.TemporaryDirectory(prefix="pwhy-golden-") as scratch, \
            subprocess.Popen(sleeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        pid = str(process.pid)
        end = time.monotonic() + TIMEOUT
        while True:
            live = json.loads(pwhy(None, "--json", pid))["threads"]
            if live and live[0]["wait"]["reason"] == "read" or time.monotonic() > end:
                break
        tree = Path(scratch) / "tree"
        subprocess.run([sys.executable, HERE.parent / "record-proc", pid, tree], check=True)
        again = json.loads(pwhy(tree, "--json", pid))["threads"]
        process.stdin.close()
    facts = ("pid", "tid", "comm", "cmdline", "exe", "uid", "state", "kernel_stack", "syscall")
    for before, after in zip(live, again):
        for fact in facts:
            if before.get(fact) != after.get(fact):
                raise Failure(f"{fact}: {before.get(fact)} live, {after.get(fact)} replayed")
        for fact in ("reason", "object", "text", "confidence", "evidence"):
            if before["wait"].get(fact) != after["wait"].get(fact):
                raise Failure(f"{fact}: {before['wait'].get(fact)} live, "
                              f"{after['wait'].get(fact)} replayed")
    if len(live) != 1 or len(again) != 1 or live[0]["wait"]["reason"] != "read":
        raise Failure(f"one thread in read expected, got {live} live, {again} replayed")


def check_strangers(_name):
    """A recording is not of this machine: who has its numbers here is not measured for it."""
    busy = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with tempfile.TemporaryDirectory(prefix="pwhy-golden-") as scratch, \
            subprocess.Popen(busy, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        tree = Path(scratch) / "tree"
        try:
            subprocess.run([sys.executable, HERE.parent / "record-proc", str(process.pid), tree],
                           check=True)
            thread = json.loads(pwhy(tree, "--json", str(process.pid)))["threads"][0]
        finally:
            process.kill()
    if thread["state"] != "R" or "profile" in thread:
        raise Failure(f"a thread that runs, as it was recorded, got {thread}")


def run(case):
    title, function, name = case
    try:
        function(name)
    except Failure as why:
        return "failed", f"FAILED {name} {title}: {why}"
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as why:
        return "failed", f"FAILED {name} {title}: {type(why).__name__}: {why}"
    return "passed", f"ok {name} {title}"


def has_no_dwarf():
    """User stacks are walked, and named, from ELF files."""
    tree = next((path.parents[1] for path in sorted(TREES.glob("*/*/map_files"))), None)
    return tree and b"without DWARF" in subprocess.run(
        [options.pwhy, "--json", "--proc", tree, "--all"], capture_output=True, check=False).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pwhy", default=os.environ.get("PWHY", str(ROOT / "build/pwhy")),
                        metavar="PATH", help="the program to test ($PWHY, or %(default)s)")
    parser.add_argument("--update", action="store_true",
                        help="write the expected files anew: read the difference before you commit")
    parser.add_argument("names", nargs="*", metavar="TREE", help="only these trees")
    parser.parse_args(namespace=options)
    options.pwhy = os.path.abspath(options.pwhy)
    if not os.access(options.pwhy, os.X_OK):
        parser.error(f"{options.pwhy}: no program there; give its place with --pwhy")
    names = options.names or sorted(p.name for p in TREES.iterdir() if p.is_dir())
    for name in names:
        if not (TREES / name).is_dir():
            parser.error(f"there is no tree {name}")
    if not options.names and has_no_dwarf():
        names = [name for name in names if not list((TREES / name).glob("*/map_files"))]
        print("skip trees with user stacks: pwhy was built without DWARF")
    kinds = [("text", check_text), ("json", check_json)]
    if not options.update:
        kinds += [("raw", check_raw), ("spoilt", check_spoilt)]
    cases = [(title, function, name) for name in names for title, function in kinds]
    if not options.names and not options.update:
        cases.append(("replay", check_recorder, "record-proc"))
        cases.append(("strangers", check_strangers, "record-proc"))
    counts = {"passed": 0, "failed": 0}
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for result, line in pool.map(run, cases):
            counts[result] += 1
            with contextlib.suppress(BrokenPipeError):
                print(line, flush=True)
    print("{passed} passed, {failed} failed, 0 skipped".format(**counts))
    return int(bool(counts["failed"]) or not counts["passed"])


options = argparse.Namespace()

if __name__ == "__main__":
    sys.exit(main())
