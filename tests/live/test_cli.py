#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of the command: options, exit statuses, output on pipes and terminals.

Looks only at processes that it starts itself. Runs as any user; what needs root, or a second
user, is skipped aloud elsewhere. Python 3.11, standard library only.
"""
import argparse
import contextlib
import errno
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import textwrap
import time
import traceback
from pathlib import Path

NOBODY = 65534
SOURCE = Path(__file__).resolve().parents[2]
SHOWN, NOTHING, USAGE, PARTLY, DEADLOCK = range(5)
TIMEOUT = 60

REASONS = """running runnable throttled stopped traced frozen zombie sleep signal accept connect
    receive send open read write poll disk remote-fs lock condition semaphore barrier join futex
    child reply memory kernel idle unknown""".split()
KINDS = """tcp udp unix netlink packet raw vsock socket pipe fifo tty file directory block chardev
    nfs fuse epoll poll-set io_uring eventfd timerfd signalfd inotify fanotify userfaultfd seccomp
    mutex rwlock condvar semaphore barrier futex thread flock posix-lock ofd-lock lease
    kernel-mutex kernel-rwsem kernel-semaphore sysv-sem sysv-msg posix-mq process timer cgroup
    memory""".split()
ROLES = "holder peer child thread tracer server parent".split()

tests = []
options = None
scratch = None


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


# Running pwhy


class Result:
    def __init__(self, status, out, err):
        self.status, self.raw_out, self.raw_err = status, out, err
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")

    def __repr__(self):
        return f"status {self.status}, stdout {self.out[:600]!r}, stderr {self.err[:600]!r}"


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
    env["TERM"] = "xterm"
    env.update(changes)
    return env


def pwhy(*args, user=None, env=(), **more):
    binary = options.pwhy if user is None else binary_for_others()
    extra = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    more.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([binary, *map(str, args)], stdout=subprocess.PIPE, cwd="/",
                          stderr=subprocess.PIPE, env=environment(**dict(env)), timeout=TIMEOUT,
                          **extra, **more)
    return Result(done.returncode, done.stdout, done.stderr)


def expect(status, *args, **more):
    result = pwhy(*args, **more)
    statuses = status if isinstance(status, tuple) else (status,)
    check(result.status in statuses, f"pwhy {' '.join(map(str, args))}: wanted {status}: {result}")
    return result


def document(*args, status=(SHOWN, PARTLY, DEADLOCK), **more):
    result = expect(status, "--json", *args, **more)
    doc = json.loads(result.raw_out.decode("utf-8"))
    check_contract(doc, "--proc" in args)
    return doc


def binary_for_others():
    """The program where another user can run it: a checkout is often private."""
    copy = scratch / "bin" / "pwhy"
    if not copy.exists():
        copy.parent.mkdir(mode=0o755)
        shutil.copy(options.pwhy, copy)
        copy.chmod(0o755)
    return str(copy)


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


# Processes to look at


def read_proc(pid, name):
    return Path(f"/proc/{pid}/{name}").read_bytes()


def state_of(pid):
    return read_proc(pid, "stat").rpartition(b")")[2].split()[0].decode()


def wait_until(condition, what):
    end = time.monotonic() + 15
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(0.02)
    raise AssertionError(f"did not happen in time: {what}")


def stop(process):
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


@contextlib.contextmanager
def child(args, name=None, **more):
    """A process that has come to rest. name: what its comm becomes when it has begun."""
    more.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(args, **more)
    try:
        if name:
            wait_until(lambda: read_proc(process.pid, "comm").rstrip(b"\n") == name.encode(),
                       f"{name} begins")
        wait_until(lambda: state_of(process.pid) == "S", f"{args[0]} sleeps")
        time.sleep(0.05)
        yield process
    finally:
        stop(process)


def sleeper(**more):
    return child(["sleep", "1000"], name="sleep", **more)


@contextlib.contextmanager
def script(text, *args, file="pwhy-test-child.py", **more):
    """A Python program that says "ready …" on stdout and then blocks. Yields (process, words)."""
    path = scratch / file
    path.write_text(textwrap.dedent(text))
    path.chmod(0o755)
    with subprocess.Popen([sys.executable, path, *args], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, **more) as process:
        try:
            words = process.stdout.readline().decode().split()
            check(words and words[0] == "ready", f"{file} did not start")
            wait_until(lambda: state_of(process.pid) == "S", f"{file} sleeps")
            time.sleep(0.05)
            yield process, words[1:]
        finally:
            stop(process)


THREADS = """
    import threading, time
    tids = []
    for i in range(3):
        t = threading.Thread(target=time.sleep, args=(1000,), daemon=True)
        t.start()
        tids.append(t.native_id)
    print("ready", *tids, flush=True)
    time.sleep(1000)
"""

READER = """
    import os
    print("ready", flush=True)
    os.read(0, 1)
"""

HOSTILE = """
    import ctypes, time
    ctypes.CDLL(None).prctl(15, b"\\x1b[31m\\n\\x9b\\\\'\\xe2\\x80\\xae", 0, 0, 0)
    print("ready", flush=True)
    time.sleep(1000)
"""

# PR_SET_MM: exec refuses a single argument beyond 128 KiB, a process may claim any.
HUGE_ARGUMENT = """
    import ctypes, time, mmap
    m = mmap.mmap(-1, 1 << 20)
    m.write(b"x" * ((1 << 20) - 1) + b"\\0")
    at = ctypes.addressof(ctypes.c_char.from_buffer(m))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    fine = prctl(35, 8, at, 0, 0) == 0 and prctl(35, 9, at + (1 << 20), 0, 0) == 0
    print("ready", int(fine), flush=True)
    time.sleep(1000)
"""


# The JSON contract


def check_contract(doc, recorded=False):
    def field(where, name, kind, required=True):
        if name not in where:
            check(not required, f"field {name} is missing in {str(where)[:200]}")
            return None
        value = where[name]
        fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        check(fits, f"field {name} is {value!r}, not of type {kind.__name__}")
        return value

    def check_object(thing):
        check(field(thing, "kind", str) in KINDS, f"kind of {thing}")
        field(thing, "fd", int, False)
        for name in ("path", "local", "remote", "state", "address"):
            field(thing, name, str, False)
        for member in field(thing, "members", list, False) or []:
            if "kind" in member:
                check_object(member)

    def check_thread(thread):
        for name in ("pid", "tid"):
            check(field(thread, name, int) > 0, name)
        for name in ("ppid", "uid", "cpu"):
            field(thread, name, int, False)
        for name in ("exe", "cgroup"):
            field(thread, name, str, False)
        field(thread, "comm", str)
        check(len(field(thread, "state", str)) == 1, "state is a letter")
        for argument in field(thread, "cmdline", list, False) or []:
            check(isinstance(argument, str), "cmdline is of strings")
        wait = field(thread, "wait", dict)
        check(field(wait, "reason", str) in REASONS, f"reason {wait['reason']}")
        check(field(wait, "confidence", str) in ("certain", "likely", "guess"), "confidence")
        check("\n" not in field(wait, "text", str), "text is one line")
        field(wait, "for_ns", int, False)
        for line in field(wait, "evidence", list):
            check(isinstance(line, str), "evidence is of strings")
        if field(wait, "object", dict, False):
            check_object(wait["object"])
        for owner in field(wait, "on", list):
            field(owner, "pid", int)
            field(owner, "tid", int, False)
            check(field(owner, "role", str) in ROLES, f"role of {owner}")
        if "syscall" in thread:
            field(thread["syscall"], "nr", int)
            for argument in field(thread["syscall"], "args", list, False) or []:
                check(re.fullmatch(r"0x[0-9a-f]+", argument), f"argument {argument}")
        for frame in field(thread, "kernel_stack", list, False) or []:
            check("symbol" in frame or "address" in frame, f"frame {frame}")

    def check_present(value, path):
        check(value is not None, f"null at {path}: absent means not known")
        items = (value.items() if isinstance(value, dict) else
                 enumerate(value) if isinstance(value, list) else ())
        for key, inner in items:
            check_present(inner, f"{path}.{key}")

    check_present(doc, "")
    check_equal(field(doc, "schema", int), 1, "schema")
    field(doc, "pwhy", str)
    for name in ("kernel", "arch"):
        field(field(doc, "host", dict), name, str)
    # A recorded tree does not tell when it was recorded.
    at = field(doc, "captured_at", str, recorded is False)
    check(at is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", at),
          f"captured_at {at}")
    capture = field(doc, "capture", dict)
    field(capture, "source", str)
    for name in ("duration_ns", "threads", "lost"):
        check(field(capture, name, int) >= 0, name)
    for gap in field(capture, "missing", list):
        field(gap, "what", str)
        field(gap, "why", str)
    for thread in field(doc, "threads", list):
        check_thread(thread)
    # Of a recording nobody can look a second time: then there is no answer, not an empty one.
    check_equal("deadlocks" in doc, not recorded, "deadlocks are looked for")
    for deadlock in doc.get("deadlocks", ()):
        for member in field(deadlock, "members", list):
            check(field(member, "pid", int) > 0 and field(member, "tid", int) > 0, "members")
        check(field(deadlock, "behind", int) >= 0, "behind")


# Terminals


class Terminal:
    """pwhy with a terminal of its own on all three streams."""

    def __init__(self, *args, rows=24, columns=80, **env):
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

        def control():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([options.pwhy, *map(str, args)], stdin=side, stdout=side,
                                        stderr=side, env=environment(**env), cwd="/",
                                        start_new_session=True, preexec_fn=control)
        os.close(side)
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
        os.close(self.main)

    def read_some(self, seconds):
        if not select.select([self.main], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.main, 65536)
        except OSError as e:  # EIO: the other end is closed
            if e.errno != errno.EIO:
                raise
            return False
        self.text += data
        return bool(data)

    def read_until(self, condition, what):
        end = time.monotonic() + 20
        while not condition(self.text):
            check(time.monotonic() < end, f"{what}; got {self.text[-500:]!r}")
            self.read_some(0.2)

    def finish(self):
        end = time.monotonic() + 20
        while self.process.poll() is None:
            check(time.monotonic() < end, "pwhy does not end")
            self.read_some(0.1)
        while self.read_some(0.1):
            pass
        return self.process.returncode


def on_terminal(*args, **env):
    with Terminal(*args, **env) as terminal:
        return terminal.finish(), terminal.text


# Help, manual, completions


def options_of_help():
    text = expect(SHOWN, "--help").out
    found = re.findall(r"^ {2,6}(?:-(\S), )? *--([a-z][a-z-]*)", text, re.M)
    return {"--" + long for _, long in found} | {"-" + short for short, _ in found if short}


@test
def help_teaches():
    text = expect(SHOWN, "--help").out
    for word in ("Examples", "Exit status", "root", "sudo", "DURATION", "PID", "TID", "NAME"):
        check(word in text, f"--help does not speak of {word}")
    for reason in REASONS:
        check(re.search(rf"\b{reason}\b", text), f"--help does not name the reason {reason}")
    for long in ("all idle state user reason cgroup blocked-for json raw threads watch color proc "
                 "timeout help version usage").split():
        check("--" + long in options_of_help(), f"--help does not list --{long}")
    check(max(map(len, text.splitlines())) < 80, "--help is wider than 79 columns")


@test
def manual_lists_the_options():
    path = SOURCE / "man/pwhy.1"
    found = set()
    for line in path.read_text().splitlines():
        if line.startswith(".It Fl "):
            found |= {"-" + word.replace("\\&", "") for word in re.findall(r"\bFl (\S+)", line)}
    check_equal(found, options_of_help(), "options of the manual")


@test
def manual_names_the_reasons():
    text = (SOURCE / "man/pwhy.1").read_text()
    named = {word for line in re.findall(r"^\.It Cm (.*)$", text, re.M)
             for word in re.split(r"[ ,]+", line)}
    check_equal(set(REASONS) - named, set(), "reasons not in the manual")


@test
def manual_is_clean():
    if not shutil.which("mandoc"):
        raise Skip("no mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", SOURCE / "man/pwhy.1"],
                          capture_output=True, text=True, timeout=TIMEOUT)
    check_equal(done.stdout, "", "mandoc -T lint")


@test
def completions_list_the_options():
    wanted = options_of_help()
    bash = (SOURCE / "completions/pwhy.bash").read_text()
    words = " ".join(re.findall(r"(?:long|short)='([^']*)'", bash)).split()
    check_equal(set(words), wanted, "options of the bash completion")

    zsh = (SOURCE / "completions/_pwhy").read_text().replace("\\", "")
    arguments = zsh[zsh.index("_arguments"):]
    found = set()
    for line in arguments.splitlines():
        braces = re.search(r"\{([^}]*)\}", line)
        if braces:
            found |= {word.rstrip("=+") for word in braces[1].split(",")}
        else:
            found |= {w.rstrip("=") for w in re.findall(r"(?:'|\))(--[a-z-]+=?)", line)}
    check_equal(found, wanted, "options of the zsh completion")

    fish = (SOURCE / "completions/pwhy.fish").read_text()
    found = {"--" + w for w in re.findall(r"^complete .* -l (\S+)", fish, re.M)}
    found |= {"-" + w.strip("'") for w in re.findall(r"^complete -c pwhy -s (\S+)", fish, re.M)}
    check_equal(found, wanted, "options of the fish completion")
    for text, shell in ((bash, "bash"), (zsh, "zsh"), (fish, "fish")):
        for reason in REASONS:
            check(re.search(rf"\b{reason}\b", text), f"{shell} does not complete {reason}")


@test
def completions_parse():
    checked = 0
    for shell, file in (("bash", "pwhy.bash"), ("zsh", "_pwhy"), ("fish", "pwhy.fish")):
        if shutil.which(shell):
            done = subprocess.run([shell, "-n", SOURCE / "completions" / file],
                                  capture_output=True, text=True, timeout=TIMEOUT)
            check_equal((done.returncode, done.stderr), (0, ""), f"{shell} -n {file}")
            checked += 1
    if not checked:
        raise Skip("no shell with completions")


@test
def version_and_usage():
    check(re.fullmatch(r"pwhy \d+\.\d+\.\d+\S*\n", expect(SHOWN, "--version").out), "--version")
    check(expect(SHOWN, "--usage").out.startswith("Usage: pwhy"), "--usage")


# Exit statuses


@test
def shows_a_sleeper():
    with sleeper() as p:
        result = expect((SHOWN, PARTLY), p.pid)
        check(f"sleep ({p.pid})" in result.out, f"no heading: {result}")
        if os.geteuid() == 0:
            check_equal(result.status, SHOWN, "status as root")
        check_equal(expect((SHOWN, PARTLY), "show", p.pid).out.splitlines()[0].split("  ")[0],
                    result.out.splitlines()[0].split("  ")[0], "with the verb")


@test
def nothing_matches():
    with sleeper() as p:
        pid = p.pid
        result = expect(NOTHING, "--state", "Z", pid)
        check(result.err.startswith("pwhy: "), f"says nothing: {result}")
        check_equal(result.out, "", "output")
    result = expect(NOTHING, pid)
    check(str(pid) in result.err, f"does not name the PID: {result}")
    check_equal(document(pid, status=NOTHING)["threads"], [], "threads of a dead PID")
    expect(NOTHING, "99999999999999999999")


@test
def usage_errors():
    with sleeper() as p:
        pid = str(p.pid)
        for args, word in (
                ([], "--all"), (["--nonsense"], "nonsense"), (["--json", "--raw", pid], "--raw"),
                (["--threads", pid], "--raw"), (["--all", pid], "--all"), (["-r", "nonsense", pid], "remote-fs"),
                (["-r", "lock,", pid], "remote-fs"), (["-s", "Q", pid], "state"),
                (["-s", "", pid], "state"), (["-u", "no such user", pid], "no such user"),
                (["-b", "soon", pid], "blocked-for"), (["-b", "-1", pid], "blocked-for"),
                (["-w", "0", pid], "watch"), (["-w", "x", pid], "watch"),
                (["--timeout", "0", pid], "timeout"), (["--color=blue", pid], "blue"),
                (["-b", "99999999999h", pid], "blocked-for"), (["-g", "relative", pid], "cgroup"),
                (["--proc", "/nonexistent/tree", "1"], "/nonexistent/tree"), ([""], "target")):
            result = expect(USAGE, *args)
            check(word in result.err, f"{args}: does not mention {word}: {result}")
            check_equal(result.out, "", f"{args}: output")


@test
def one_target_of_two():
    with sleeper() as p:
        result = expect(PARTLY, p.pid, "pwhy-no-such-name")
        check(str(p.pid) in result.out, f"the other is not shown: {result}")
        check("pwhy-no-such-name" in result.err, f"not named: {result}")


@test
def every_process():
    # Others come and go meanwhile: either is right.
    result = expect((SHOWN, PARTLY, DEADLOCK), "--all")
    check(len(result.out.splitlines()) > 3, f"too little: {result}")
    document("--all")
    document("--idle")


# Targets


@test
def names():
    name = f"pwhyslp{os.getpid()}"
    copy = scratch / name
    shutil.copy(shutil.which("sleep"), copy)
    with child([copy, "1000"], name=name[:15]) as a, child([copy, "1000"], name=name[:15]) as b:
        doc = document(name)
        check_equal({t["pid"] for t in doc["threads"]}, {a.pid, b.pid}, f"threads of {name}")
        mistyped = name.replace("slp", "lsp")
        result = expect(NOTHING, mistyped)
        check(mistyped in result.err and name[:15] in result.err, f"no near miss: {result}")


@test
def name_of_a_script():
    file = f"pwhy-snooze-{os.getpid()}.py"
    with script(READER, file=file) as (p, _):
        doc = document(file)
        check_equal({t["pid"] for t in doc["threads"]}, {p.pid}, f"threads of {file}")


@test
def name_like_the_verb():
    copy = scratch / "show"
    shutil.copy(shutil.which("sleep"), copy)
    with child([copy, "1000"], name="show") as p:
        for args in (["show", "show"], ["--", "show"]):
            result = expect((SHOWN, PARTLY), *args)
            check(f"({p.pid})" in result.out, f"{args}: {result}")


@test
def thread_ids():
    with script(THREADS) as (p, tids):
        doc = document(p.pid)
        check_equal({t["tid"] for t in doc["threads"]}, {p.pid, *map(int, tids)}, "all threads")
        doc = document(tids[1])
        check_equal([t["tid"] for t in doc["threads"]], [int(tids[1])], "one thread")
        check_equal(doc["threads"][0]["pid"], p.pid, "its process")


@test
def other_proc():
    with sleeper() as p:
        check_equal([t["pid"] for t in document("--proc", "/proc", p.pid)["threads"]], [p.pid],
                    "threads by --proc /proc")


# Filters


def matching(pid, *args):
    """Does a filter let the process through?"""
    return expect((SHOWN, NOTHING, PARTLY), *args, pid).status != NOTHING


@test
def filter_state():
    with sleeper() as p:
        check(matching(p.pid, "--state", "S") and matching(p.pid, "-s", "SD"), "S")
        check(not matching(p.pid, "-s", "DT"), "DT")
        p.send_signal(signal.SIGSTOP)
        wait_until(lambda: state_of(p.pid) == "T", "stops")
        check(matching(p.pid, "-s", "T"), "T")
        check_equal(document(p.pid)["threads"][0]["wait"]["reason"], "stopped", "reason")


@contextlib.contextmanager
def scene(name):
    """A scene of scene.c: the words of its "ready" line, as a dictionary."""
    path = Path(options.pwhy).parent / "tests/scene"
    if not path.exists():
        raise Skip(f"{path} was not built")
    with subprocess.Popen([path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        try:
            line = p.stdout.readline().decode().split()
            if line[:1] == ["skip"]:
                raise Skip(" ".join(line[1:]))
            check(line[:1] == ["ready"], f"scene {name} said {line}")
            yield dict(word.split("=", 1) for word in line[1:])
        finally:
            p.stdin.close()  # it cleans up at the end of input, if it may
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(10)
            stop(p)


@test
def filter_state_of_a_leader():
    """The other threads are left out, and still it is not a process that has ended."""
    with scene("zombie-leader") as ready:
        threads = document("--state", "Z", ready["pid"])["threads"]
        check_equal([t["tid"] for t in threads], [int(ready["pid"])], "threads")
        wait = threads[0]["wait"]
        check_equal((wait["reason"], wait["rule"]), ("zombie", "zombie-leader"), "reason and rule")
        check("other threads of the process live on" in wait["text"], f"text {wait['text']!r}")
        check("reap" not in wait["text"], f"text {wait['text']!r}")
        check_equal(wait["on"], [], "owners: nobody can reap it yet")
        check("object" not in wait, f"an object: {wait}")
        text = expect(SHOWN, "--state", "Z", ready["pid"]).out
        check("other threads of the process live on" in text, f"no such sentence: {text!r}")
        check(not matching(ready["pid"], "--state", "RDTt"), "RDTt")


@test
def filter_user():
    with sleeper() as p:
        check(matching(p.pid, "--user", os.geteuid()), "own number")
        check(not matching(p.pid, "-u", 54321), "other number")
        if os.geteuid() == 0:
            check(matching(p.pid, "-u", "root"), "own name")


@test
def filter_reason():
    with sleeper() as p:
        check(matching(p.pid, "--reason", "sleep"), "sleep")
        check(matching(p.pid, "-r", "lock,sleep") and matching(p.pid, "-r", "lock", "-r", "sleep"),
              "several")
        check(not matching(p.pid, "-r", "lock,disk"), "others")
        for reason in REASONS:
            expect((SHOWN, NOTHING, PARTLY), "-r", reason, p.pid)


@test
def filter_cgroup():
    with sleeper() as p:
        lines = read_proc(p.pid, "cgroup").decode().splitlines()
        path = next((line[3:] for line in lines if line.startswith("0::")), None)
        if path is None:
            raise Skip("no cgroup v2 hierarchy")
        check(matching(p.pid, "--cgroup", path), path)
        check(matching(p.pid, "-g", "/sys/fs/cgroup" + path), "with the mount")
        check(matching(p.pid, "-g", path.rstrip("/") + "/"), "with a slash")
        check(not matching(p.pid, "-g", "/pwhy-no-such-group"), "other")
        if path != "/":
            check(not matching(p.pid, "-g", path[:-1]) or path.count("/") == 1 and len(path) == 2,
                  "a prefix is not a parent")


@test
def filter_blocked_for():
    with sleeper() as p:
        # The clocks of two CPUs may be apart by some 100 ms: stay well away from the limit.
        time.sleep(1.5)
        if "for_ns" not in document(p.pid)["threads"][0]["wait"]:
            raise Skip("the kernel does not tell how long")
        check(matching(p.pid, "--blocked-for", "300ms"), "300 ms")
        check(not matching(p.pid, "-b", "1h"), "an hour")


@test
def filters_without_targets():
    with sleeper() as p:
        doc = document("-r", "sleep", "-u", os.geteuid())
        check(p.pid in {t["pid"] for t in doc["threads"]}, "not found")
        check_equal({t["wait"]["reason"] for t in doc["threads"]}, {"sleep"}, "reasons")


# Formats


@test
def json_of_a_reader():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as p:
        try:
            wait_until(lambda: read_proc(p.pid, "comm") == b"cat\n" and state_of(p.pid) == "S",
                       "cat reads")
            time.sleep(0.05)
            thread = document(p.pid)["threads"][0]
            check_equal(thread["wait"]["reason"], "read", "reason")
            check_equal(thread["wait"]["object"].get("kind"), "pipe", "kind")
            check_equal(thread["wait"]["object"].get("fd"), 0, "fd")
            check_equal(thread["cmdline"], ["cat"], "cmdline")
        finally:
            stop(p)


@test
def raw_of_a_process():
    need_root()
    with script(THREADS) as (p, tids):
        wanted = read_proc(p.pid, "stack")
        result = expect(SHOWN, "--raw", p.pid)
        check_equal(result.raw_out, wanted, "the main thread, bare")
        wanted = read_proc(p.pid, f"task/{tids[0]}/stack")
        check_equal(expect(SHOWN, "--raw", tids[0]).raw_out, wanted, "a TID, bare")
        heads = re.findall(r"^==> (\d+) (\d+) (.*) <==$",
                           expect(SHOWN, "--raw", "--threads", p.pid).out, re.M)
        check_equal({(int(a), int(b)) for a, b, _ in heads},
                    {(p.pid, int(t)) for t in [p.pid, *tids]}, "heads of --threads")
        check_equal(expect(SHOWN, "--raw", "-r", "sleep,condition,futex,lock", tids[0]).raw_out,
                    wanted, "with a reason")
        expect(NOTHING, "--raw", "-r", "disk", p.pid)


@test
def raw_of_several():
    need_root()
    with sleeper() as a, sleeper() as b:
        text = expect(SHOWN, "--raw", a.pid, b.pid).out
        for p in (a, b):
            block = f"==> {p.pid} {p.pid} sleep <==\n" + read_proc(p.pid, "stack").decode()
            check(block in text, f"no {block!r} in {text!r}")


@test
def piped_output_is_plain():
    with sleeper() as p:
        check("\033" not in expect((SHOWN, PARTLY), p.pid).out, "escapes in a pipe")
        check("\033" in expect((SHOWN, PARTLY), "--color=always", p.pid).out, "--color=always")
        check("\033" in expect((SHOWN, PARTLY), "--color", p.pid).out, "--color")


@test
def colours_on_a_terminal():
    with sleeper() as p:
        check(b"\033" in on_terminal(p.pid)[1], "no colour on a terminal")
        check(b"\033" not in on_terminal(p.pid, NO_COLOR="1")[1], "NO_COLOR")
        check(b"\033" in on_terminal(p.pid, NO_COLOR="")[1], "empty NO_COLOR")
        check(b"\033" not in on_terminal(p.pid, TERM="dumb")[1], "TERM=dumb")
        check(b"\033" not in on_terminal("--color=never", p.pid)[1], "--color=never")
        check(b"\033" in on_terminal("--color=always", p.pid, NO_COLOR="1")[1], "an option wins")
        check(b"\033" not in on_terminal("--json", p.pid)[1], "--json")


def visible(line):
    return len(re.sub("\033\\[[0-9;]*m", "", line))


@test
def lines_are_as_wide_as_wanted():
    """Of a terminal, and of a pager that COLUMNS speaks of; otherwise nothing is folded."""
    with sleeper() as p:
        wide = expect((SHOWN, PARTLY, DEADLOCK), "--all").out.splitlines()
        check(max(map(visible, wide)) > 100, "no line that would have to be folded")
        for columns in 80, 100:
            for args in (["--all"], ["--root"], ["--graph"], [p.pid]):
                piped = expect((SHOWN, PARTLY, DEADLOCK), *args, env={"COLUMNS": str(columns)}).out
                long = [line for line in piped.splitlines() if visible(line) > columns]
                check(not long, f"{args}, COLUMNS={columns}: {long[:3]}")
        text = on_terminal("--all")[1].decode(errors="replace").replace("\r", "")
        long = [line for line in text.splitlines() if visible(line) > 80]
        check(not long, f"on a terminal of 80 columns: {long[:3]}")
        for wrong in "", "0", "-5", "wide", "99999999999999999999":
            out = expect((SHOWN, PARTLY), p.pid, env={"COLUMNS": wrong}).out
            check(f"({p.pid})" in out, f"COLUMNS={wrong!r}: {out!r}")


@test
def output_that_fails():
    with sleeper() as p:
        with open("/dev/full", "w", encoding="ascii") as full:
            for args in ([p.pid], ["--help"], ["--json", "--all"]):
                done = subprocess.run([options.pwhy, *map(str, args)], stdout=full, cwd="/",
                                      stderr=subprocess.PIPE, timeout=TIMEOUT)
                check_equal(done.returncode, PARTLY, f"{args}: status on a full disk")
                check(b"No space left" in done.stderr, f"{args}: {done.stderr!r}")
                check_equal(done.stderr.count(b"cannot write"), 1, "told once")


@test
def reader_that_leaves():
    done = subprocess.run(["bash", "-c", '"$0" --all | head -1; echo "${PIPESTATUS[0]}"',
                           options.pwhy], capture_output=True, text=True, timeout=TIMEOUT)
    status = int(done.stdout.splitlines()[-1])
    check(status in (SHOWN, PARTLY, DEADLOCK, 128 + signal.SIGPIPE), f"status {status}")
    check("write" not in done.stderr and "ipe" not in done.stderr, f"stderr {done.stderr!r}")

    read, write = os.pipe()
    os.close(read)
    # Python ignores SIGPIPE; without restore_signals so does the child, and gets EPIPE.
    done = subprocess.run([options.pwhy, "--help"], stdout=write, stderr=subprocess.PIPE,
                          restore_signals=False, timeout=TIMEOUT)
    os.close(write)
    check_equal((done.returncode, done.stderr), (PARTLY, b""), "EPIPE")


# Watching


@test
def watch_on_a_terminal():
    with sleeper() as p:
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)):
            with Terminal("-w", "0.2", p.pid) as terminal:
                terminal.read_until(lambda text: text.count(b"\033[H") >= 2, "draws twice")
                terminal.process.send_signal(number)
                check_equal(terminal.finish(), status, f"status after {number.name}")
                text = terminal.text
            check(text.startswith(b"\033[?1049h"), f"alternate screen: {text[:80]!r}")
            for sequence in (b"\033[?1049l", b"\033[?25h", b"\033[?7h"):
                check(sequence in text[text.rindex(b"\033[H"):], f"not restored: {text[-80:]!r}")
            check(str(p.pid).encode() in text, "the process is not there")


@test
def watch_keeps_to_the_screen():
    rows = 10
    with Terminal("-w", "0.2", "--all", rows=rows) as terminal:
        terminal.read_until(lambda text: text.count(b"\033[H") >= 2, "draws twice")
        os.kill(terminal.process.pid, signal.SIGINT)
        check_equal(terminal.finish(), 0, "status")
        frame = terminal.text.split(b"\033[H")[1]
        check(frame.count(b"\n") < rows, f"{frame.count(bytes([10]))} lines on {rows} rows")


@test
def watch_suspends():
    with sleeper() as p, Terminal("-w", "0.2", p.pid) as terminal:
        # Without a parent in its session the kernel would not let SIGTSTP stop it.
        terminal.read_until(lambda text: b"\033[H" in text, "draws")
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.read_until(lambda text: b"\033[?1049l" in text, "gives the screen back")
        terminal.process.send_signal(signal.SIGCONT)
        terminal.read_until(lambda text: text.count(b"\033[?1049h") == 2, "takes it again")
        terminal.process.send_signal(signal.SIGINT)
        check_equal(terminal.finish(), 0, "status")


def watch_piped(*args, until):
    with subprocess.Popen([options.pwhy, *map(str, args)], stdout=subprocess.PIPE, cwd="/",
                          stderr=subprocess.PIPE, env=environment()) as process:
        try:
            lines = []
            while len([line for line in lines if until(line)]) < 2:
                line = process.stdout.readline()
                check(line, "ended early")
                lines.append(line)
            process.send_signal(signal.SIGINT)
            lines += process.communicate(timeout=TIMEOUT)[0].splitlines(True)
            check_equal(process.returncode, 0, "status after SIGINT")
            return lines
        finally:
            stop(process)


@test
def watch_into_a_pipe():
    with sleeper() as p:
        head = re.compile(rb"=== \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} ===\n")
        lines = watch_piped("-w", "0.2", p.pid, until=head.fullmatch)
        check(head.fullmatch(lines[0]), f"begins with {lines[0]!r}")
        check(b"\033" not in b"".join(lines), "escapes in a pipe")
        check(f"({p.pid})".encode() in b"".join(lines), "the process is not there")


@test
def watch_as_json():
    with sleeper() as p:
        for line in watch_piped("-w", "200ms", "--json", p.pid, until=lambda line: True):
            doc = json.loads(line)
            check_contract(doc)
            check_equal([t["pid"] for t in doc["threads"]], [p.pid], "threads")


@test
def watch_outlives_the_process():
    with sleeper() as p, Terminal("-w", "0.2", p.pid) as terminal:
        terminal.read_until(lambda text: b"\033[H" in text, "draws")
        stop(p)
        seen = len(terminal.text)
        terminal.read_until(lambda text: text[seen:].count(b"\033[H") >= 3, "goes on")
        terminal.process.send_signal(signal.SIGINT)
        check_equal(terminal.finish(), 0, "status")


# Hostile processes


def check_harmless(text):
    bad = {c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or
           0x202a <= ord(c) <= 0x202e or 0x2066 <= ord(c) <= 0x2069 or 0x2028 <= ord(c) <= 0x2029}
    check(not bad, f"unescaped {bad}")


@test
def hostile_names():
    with script(HOSTILE, b"\xff\xfe\033]0;title\a", b"a\nb") as (p, _):
        result = expect((SHOWN, PARTLY), p.pid)
        check_harmless(result.raw_out.decode("utf-8"))
        check(not any(line.startswith("\\x9b") for line in result.out.splitlines()), "line broken")
        thread = document(p.pid)["threads"][0]
        check(thread["comm"].startswith("\033[31m\n"), f"comm {thread['comm']!r}")
        check_equal(thread["cmdline"][-1], "a\nb", "last argument")
        if os.geteuid() == 0:
            text = expect(SHOWN, "--raw", "--threads", p.pid, os.getpid()).raw_out.decode("utf-8")
            check_harmless(text)
        check_harmless(expect(NOTHING, "\033[31mname\n").err)


@test
def many_long_arguments():
    with script(READER, *["y" * 131000] * 8) as (p, _):
        result = expect((SHOWN, PARTLY), p.pid)
        check(len(result.out) < 20000, f"{len(result.out)} bytes of text")
        check(len(json.dumps(document(p.pid))) < 400000, "an unbounded document")


@test
def huge_argument():
    with script(HUGE_ARGUMENT) as (p, (fine,)):
        if fine != "1":
            raise Skip("prctl(PR_SET_MM) is refused")
        result = expect((SHOWN, PARTLY), p.pid)
        check(len(result.out) < 20000, f"{len(result.out)} bytes of text")
        document(p.pid)


# Another user


def as_nobody():
    need_root()
    try:
        done = subprocess.run([binary_for_others(), "--version"], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, cwd="/", timeout=TIMEOUT)
    except PermissionError as e:
        raise Skip(f"another user cannot run pwhy here: {e}") from e
    if done.returncode != 0:
        raise Skip(f"another user cannot run pwhy here: {done.stderr!r}")


REMEDY = re.compile(r"sudo|root|CAP_SYS_ADMIN")


@test
def own_process_without_root():
    as_nobody()
    with sleeper(user=NOBODY, group=NOBODY, extra_groups=[], cwd="/") as p:
        result = expect((SHOWN, PARTLY), p.pid, user=NOBODY)
        check(f"sleep ({p.pid})" in result.out, f"no heading: {result}")
        check(REMEDY.search(result.out), f"no remedy for the kernel stack: {result}")
        doc = document(p.pid, user=NOBODY)
        thread = doc["threads"][0]
        check_equal(thread["wait"]["reason"], "sleep", "reason")
        check("kernel_stack" not in thread, "a kernel stack that was not read")
        check(any("kernel stack" in gap["what"] for gap in doc["capture"]["missing"]),
              f"missing: {doc['capture']['missing']}")


# At a fixed address below 4 GiB, where 32-bit programs are.
STATIC = """
    #include <unistd.h>

    int main(int argc, char **argv)
    {
            (void)argv;
            if (argc > 1)
                    return pause();
            return (int)read(0, &(char){ 0 }, 1);
    }
"""


def static_program():
    """A 64-bit program that is where it was linked to be, as most static ones were."""
    if struct.calcsize("P") != 8:
        raise Skip("no 64-bit machine")
    if not shutil.which("gcc"):
        raise Skip("no gcc")
    source, program = scratch / "static.c", scratch / "static"
    source.write_text(textwrap.dedent(STATIC))
    done = subprocess.run(["gcc", "-static", "-no-pie", "-o", program, source],
                          capture_output=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise Skip(f"gcc makes no static program: {done.stderr.decode(errors='replace')[-200:]}")
    program.chmod(0o755)
    head = program.read_bytes()[:18]
    check(head[4] == 2 and int.from_bytes(head[16:18], sys.byteorder) == 2,
          "gcc made another kind of program: no ELFCLASS64, ET_EXEC")
    return program


@test
def static_program_without_root():
    """Neither its addresses nor a kernel stack tell that its calls are 64-bit ones."""
    as_nobody()
    program = static_program()
    nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
    for arguments, calls, reason in (([], ("read",), "read"),
                                     (["pause"], ("pause", "ppoll"), "signal")):
        with child([program, *arguments], name="static", stdin=subprocess.PIPE, **nobody) as p:
            number = int(read_proc(p.pid, "syscall").split()[0])
            thread = document(p.pid, user=NOBODY)["threads"][0]
            check("kernel_stack" not in thread, "a kernel stack that was not read")
            check_equal(thread["syscall"]["nr"], number, "number of the call")
            check(thread["syscall"].get("name") in calls,
                  f"got {thread['syscall']}, wanted {' or '.join(calls)}")
            wait = thread["wait"]
            check_equal(wait["reason"], reason, "reason")
            if reason == "read":
                check_equal((wait["object"].get("kind"), wait["object"].get("fd")), ("pipe", 0),
                            "object")


@test
def other_process_without_root():
    as_nobody()
    with sleeper() as p:
        result = expect((SHOWN, PARTLY), p.pid, user=NOBODY)
        check(f"sleep ({p.pid})" in result.out, f"no heading: {result}")
        check(REMEDY.search(result.out), f"no remedy: {result}")
        doc = document(p.pid, user=NOBODY)
        thread = doc["threads"][0]
        for name in ("kernel_stack", "user_stack", "syscall", "exe"):
            check(name not in thread, f"{name} that could not be read: {thread[name]}"
                  if name in thread else "")
        check(thread["wait"]["confidence"] != "certain" or thread["wait"]["reason"] == "unknown",
              f"too sure without any evidence: {thread['wait']}")
        check(doc["capture"]["missing"], "nothing is missing")


@test
def raw_without_root():
    as_nobody()
    with sleeper() as p:
        result = expect(PARTLY, "--raw", p.pid, user=NOBODY)
        check_equal(result.out.strip(), "", "an empty stack is shown")
        check(REMEDY.search(result.err), f"no remedy: {result}")


@test
def whole_machine_without_root():
    as_nobody()
    doc = document("--all", user=NOBODY)
    check(not any(t.get("kernel_stack") == [] for t in doc["threads"]), "empty stacks")
    expect((SHOWN, PARTLY), "--all", user=NOBODY)


def run(function):
    signal.alarm(TIMEOUT)
    try:
        function()
    except Skip as why:
        print(f"skip {function.__name__}: {why}", flush=True)
        return "skipped"
    except Exception as why:  # pylint: disable=broad-except
        # The cause in one line; where, for those who have to mend it, on stderr.
        print(f"FAILED {function.__name__}: {type(why).__name__}: {str(why)[:1500]}", flush=True)
        if not isinstance(why, AssertionError):
            traceback.print_exc()
        return "failed"
    finally:
        signal.alarm(0)
    print(f"ok {function.__name__}", flush=True)
    return "passed"


def give_up(*_):
    raise TimeoutError(f"took more than {TIMEOUT} s")


def main():
    global options, scratch
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pwhy", default=str(SOURCE / "build/pwhy"), metavar="PATH",
                        help="the program to test (%(default)s)")
    parser.add_argument("names", nargs="*", metavar="TEST", help="only these tests")
    options = parser.parse_args()
    options.pwhy = os.path.abspath(options.pwhy)
    if not os.access(options.pwhy, os.X_OK):
        parser.error(f"{options.pwhy}: no program there; give its place with --pwhy")
    signal.signal(signal.SIGALRM, give_up)
    # A background job begins with SIGINT ignored; what it starts would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory(prefix="pwhy-test-") as directory:
        scratch = Path(directory)
        scratch.chmod(0o755)
        for function in tests:
            if not options.names or function.__name__ in options.names:
                counts[run(function)] += 1
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
