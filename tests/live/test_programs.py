#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that people run, from the distribution's packages: where they rest, pwhy says it.

Each test starts one as its users do, on a port and in a folder of its own, and compares what
pwhy says of its threads with what the program is known to wait for. One that is not installed
is skipped, aloud.
"""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from livetest import Skip, check, check_equal, main, pwhy, running, test, wait_until
from scene_rules import JAVA_RULES, PYTHON_RULES

START_S = 60  # a machine may be busy, and Java is slow to begin with


def program(*names):
    """The first of these that is installed, in its package's place or on the path."""
    for name in names:
        for path in sorted(Path("/").glob(name[1:])) if name[0] == "/" else [shutil.which(name)]:
            if path and os.access(path, os.X_OK):
                return str(path)
    raise Skip(f"{names[0]} is not installed")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="pwhy-programs-") as path:
        yield Path(path)


def threads(*targets):
    """Of these processes, as the document has them."""
    return json.loads(pwhy("--json", *targets))["threads"]


def settled(condition, what):
    """Until pwhy sees it: programs go on for a while after they have begun."""
    end = time.monotonic() + START_S
    while True:
        seen = None
        with contextlib.suppress(AssertionError, StopIteration, LookupError):
            seen = condition()
        if seen:
            return seen
        check(time.monotonic() < end, f"never seen: {what}")
        time.sleep(0.1)


def thread_in(targets, reason, text):
    """A thread that waits for that, certainly; without its kernel stack, likely may be as much."""
    def find():
        return next(t for t in threads(*targets)
                    if t["wait"]["reason"] == reason and text in t["wait"]["text"])
    found = settled(find, f"{reason} with {text!r}")
    check(found["wait"]["confidence"] in ("certain", "likely")[:1 + ("kernel_stack" not in found)],
          f"{found['wait']['text']!r} is {found['wait']['confidence']}")
    return found


def members(thread):
    return thread["wait"]["object"].get("members", [])


def listens(thread, port):
    """Has a member that waits for clients at this port."""
    return any(m.get("state") == "LISTEN" and m.get("local", "").endswith(f":{port}")
               for m in members(thread))


def by_rule(pid, *rules):
    """Threads come to these rules, as far as their own stacks are told."""
    if any("user_stack" in t for t in threads(pid)):
        for rule in rules:
            settled(lambda r=rule: any(t["wait"].get("rule") == r for t in threads(pid)),
                    f"a thread that comes to {rule}")


def no_false_certainty(targets):
    """Whatever else its threads do: none waits for a disk, a server, the kernel or a daemon."""
    possible = {"barrier", "running", "runnable", "sleep", "futex", "poll", "read", "receive", "accept",
                "child", "signal", "unknown", "condition", "lock", "join", "semaphore", "open"}
    for t in threads(*targets):
        wait = t["wait"]
        check(wait["reason"] in possible or wait["confidence"] != "certain",
              f"{t['comm']}: {wait['text']} ({wait['confidence']})")


def children(pid):
    return {t["pid"]: t for t in threads("--all") if t.get("ppid") == pid and t["pid"] == t["tid"]}


@test
def bash_pipeline():
    """A full pipe, an empty one, and the shell that waits for all three."""
    script = "yes | sleep 1000 | cat & wait"
    with running(program("bash"), "-c", script, stdin=subprocess.DEVNULL,
                 start_new_session=True) as shell:
        try:
            wait_until(lambda: len(children(shell.pid)) == 3, "three commands")
            parts = {t["comm"]: t["pid"] for t in children(shell.pid).values()}
            check_equal(sorted(parts), ["cat", "sleep", "yes"], "commands of the pipeline")
            check_equal(thread_in([parts["yes"]], "write", "room in pipe")["wait"]["object"]["fd"],
                        1, "fd of yes")
            check_equal(thread_in([parts["cat"]], "read", "data in pipe")["wait"]["object"]["fd"],
                        0, "fd of cat")
            thread_in([parts["sleep"]], "sleep", "sleeping for another")
            told = thread_in([shell.pid], "child", "any of its 3 children")["wait"]["on"]
            check_equal(sorted(o["pid"] for o in told), sorted(parts.values()), "children")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, 9)


PYTHON = """
import queue, socket, subprocess, sys, threading, time
def thread(work, *args):
    threading.Thread(target=work, args=args, daemon=True).start()
lock = threading.Lock()
lock.acquire()
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
thread(server.accept)
thread(queue.Queue().get)
thread(lock.acquire)
thread(time.sleep, 9999)
thread(subprocess.run, ["sleep", "9999"])
threading.Event().wait(9999)
"""


@test
def python_threads():
    port = free_port()
    with running(program("/usr/bin/python3"), "-c", PYTHON, str(port),
                 start_new_session=True) as process:
        try:
            pid = process.pid
            thread_in([pid], "accept", f"127.0.0.1:{port} (TCP")
            thread_in([pid], "sleep", "sleeping for another 2 h 4")
            child = thread_in([pid], "child", "its child sleep")["wait"]["on"][0]
            check_equal(child["role"], "child", "role")
            main_thread = settled(lambda: next(
                t for t in threads(pid) if t["tid"] == pid and
                t["syscall"]["name"] == "futex" and "at most another" in t["wait"]["text"]),
                "an event")
            no_false_certainty([pid])
            by_rule(pid, *PYTHON_RULES)
            check("for at most another 2 h 4" in main_thread["wait"]["text"],
                  f"time left: {main_thread['wait']['text']!r}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


@test
def python_interpreter_lock():
    """Taken by a thread that waits in C. Where the interpreter's own functions have no names, as in
    Debian, it is a condition like any other."""
    code = ("import ctypes, threading, time\n"
            "def sleep_often():\n    while True: time.sleep(0.001)\n"
            "threading.Thread(target=sleep_often, daemon=True).start()\n"
            "print('ready', flush=True)\nctypes.PyDLL(None).pause()")
    named = False
    for path in {program("/usr/bin/python3"), os.path.realpath(sys.executable)}:
        with running(path, "-c", code, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            thread_in([process.pid], "signal", "pause")
            # It wakes up every few milliseconds.
            thread = settled(lambda p=process.pid: next(
                t for t in threads(p) if t["tid"] != p and len(t.get("user_stack", ())) > 5 and
                t["wait"]["reason"] in ("lock", "condition")), "who wants the lock")
            wait = thread["wait"]
            check_equal(wait["on"], [], "holders")
            if any(f.get("symbol") == "take_gil" for f in thread["user_stack"]):
                named = True
                check_equal(wait["rule"], "python-gil", f"{path}: {wait}")
                check("for at most" not in wait["text"], wait["text"])
    if not named:
        raise Skip("the interpreter's own functions have no names here")


@test
def python_asyncio():
    """A loop that waits for a process to end, which newer ones are told by a pidfd."""
    code = ("import asyncio\nasync def main():\n"
            "    p = await asyncio.create_subprocess_exec('sleep', '9999')\n"
            "    await asyncio.wait_for(p.wait(), 9000)\nasyncio.run(main())")
    with running(program("/usr/bin/python3"), "-c", code, start_new_session=True) as process:
        try:
            loop = settled(lambda: next(t for t in threads(process.pid) if t["tid"] == process.pid
                                        and t["wait"]["reason"] == "poll"), "its event loop")
            check_equal(loop["wait"]["object"]["kind"], "epoll", "kind")
            check("for at most another 2 h" in loop["wait"]["text"], loop["wait"]["text"])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


@test
def java():
    """Its named threads, one of which accepts."""
    path, port = program("java"), free_port()
    source = f"""public class Waits {{
  public static void main(String[] arguments) throws Exception {{
    var server = new java.net.ServerSocket({port});
    new Thread(() -> {{ try {{ server.accept(); }} catch (Exception e) {{ }} }}, "acceptor").start();
    new Thread(() -> {{ try {{ Thread.sleep(9999000); }} catch (Exception e) {{ }} }},
        "sleeper").start();
    new Thread(() -> java.util.concurrent.locks.LockSupport.park(), "parked").start();
    Object taken = new Object();
    synchronized (taken) {{
      new Thread(() -> {{ synchronized (taken) {{ }} }}, "behind").start();
      synchronized (server) {{ server.wait(); }}
    }}
  }}
}}"""
    with folder() as place:
        (place / "Waits.java").write_text(source, encoding="ascii")
        done = subprocess.run([path, "--list-modules"], capture_output=True, text=True, check=False)
        if "jdk.compiler" not in done.stdout:
            raise Skip("this Java has no compiler")
        with running(path, "-Xmx64m", place / "Waits.java", stderr=subprocess.DEVNULL) as process:
            thread = thread_in([process.pid], "accept", f":{port} (TCP")
            check_equal(thread["comm"], "acceptor", "name of the thread")
            sleeper = settled(lambda: next(t for t in threads(process.pid) if t["comm"] == "sleeper"
                                           and " another " in t["wait"]["text"]), "sleeper")
            check("2 h 4" in sleeper["wait"]["text"], sleeper["wait"]["text"])
            by_rule(process.pid, *JAVA_RULES)
            no_false_certainty([process.pid])


@test
def node():
    """Its loop, and the pool's thread that opens a FIFO."""
    port = free_port()
    with folder() as place:
        os.mkfifo(place / "fifo")
        code = (f"require('http').createServer(() => {{}}).listen({port}, '127.0.0.1');"
                f"require('fs').readFile('{place}/fifo', () => {{}});")
        with running(program("node", "nodejs"), "-e", code) as process:
            loop = settled(lambda: next(t for t in threads(process.pid) if t["tid"] == process.pid
                                        and t["wait"]["reason"] == "poll" and listens(t, port)),
                           "a loop that waits for clients")
            check_equal(loop["wait"]["confidence"], "certain", "confidence of the loop")
            opening = thread_in([process.pid], "open", "the other end of FIFO")
            check_equal(opening["wait"]["object"]["path"], f"{place}/fifo", "path")
            check(opening["tid"] != process.pid, "another thread")
            no_false_certainty([process.pid])


@test
def nginx():
    path, port = program("nginx", "/usr/sbin/nginx"), free_port()
    with folder() as place:
        os.chmod(place, 0o755)
        (place / "conf").write_text(f"""
            daemon off; worker_processes 2; pid {place}/pid; error_log {place}/error;
            events {{ worker_connections 64; }}
            http {{ access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/p;
                    fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
                    server {{ listen 127.0.0.1:{port}; }} }}""", encoding="ascii")
        with running(path, "-p", place, "-c", place / "conf", stderr=subprocess.DEVNULL) as process:
            try:
                thread_in([process.pid], "signal", "sigsuspend")
                wait_until(lambda: len(children(process.pid)) == 2, "two workers")
                for worker in children(process.pid):
                    thread = thread_in([worker], "poll", "epoll")
                    settled(lambda w=worker: listens(threads(w)[0], port), "its listening socket")
                    check_equal(thread["wait"]["object"]["kind"], "epoll", "kind")
            finally:
                process.terminate()
                process.wait(START_S)


@test
def redis():
    """The server, its threads, and a client that waits for it."""
    path, port = program("redis-server"), free_port()
    with folder() as place:
        with running(path, "--port", str(port), "--bind", "127.0.0.1", "--dir", place, "--save", "",
                     stdout=subprocess.DEVNULL) as server:
            loop = settled(lambda: next(t for t in threads(server.pid) if listens(t, port)),
                           "its loop, which wakes up ten times a second")
            check("for at most another" in loop["wait"]["text"] and
                  loop["wait"]["confidence"] == "certain", loop["wait"]["text"])
            thread = settled(lambda: next(t for t in threads(server.pid)
                                          if t["comm"].startswith("bio_")), "its other threads")
            check_equal(thread["syscall"]["name"], "futex", "call of a thread without work")
            no_false_certainty([server.pid])
            with running(program("redis-cli"), "-p", str(port), "blpop", "nothing", "0",
                         stdout=subprocess.DEVNULL) as client:
                thing = thread_in([client.pid], "receive",
                                  f"data from 127.0.0.1:{port}")["wait"]["object"]
                check_equal((thing["remote"], thing["state"]), (f"127.0.0.1:{port}", "ESTABLISHED"),
                            "connection of the client")


def postgres_user():
    """It refuses to be root."""
    if os.geteuid() != 0:
        return {}
    try:
        import pwd  # pylint: disable=import-outside-toplevel
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Skip("there is no user postgres") from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@test
def postgresql():
    """Two sessions want the same lock: what the clients wait for, and the server."""
    path = program("/usr/lib/postgresql/*/bin/postgres")
    psql, port, user = program("psql"), free_port(), postgres_user()
    with folder() as place:
        if user:
            os.chown(place, user["user"], user["group"])
        more = {"cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
        subprocess.run([Path(path).with_name("initdb"), "-D", place / "data", "-U", "me", "-N"],
                       check=True, **more)
        with running(path, "-D", place / "data", "-p", str(port), "-k", place, "-h", "127.0.0.1",
                     "-F", **more) as server:
            try:
                wait_until((place / f".s.PGSQL.{port}").exists, "its socket")
                listener = settled(lambda: next(t for t in threads(server.pid)
                                                if listens(t, port)), "the postmaster")
                check_equal(listener["wait"]["reason"], "poll", "reason of the postmaster")
                session = [psql, "-h", place, "-p", str(port), "-U", "me", "-qc"]
                with running(*session, "select pg_advisory_lock(5); select pg_sleep(9999)",
                             "postgres", **more) as first:
                    thread_in([first.pid], "poll", f"{place}/.s.PGSQL.{port}")
                    with running(*session, "select pg_advisory_lock(5)", "postgres",
                                 **more) as second:
                        thread_in([second.pid], "poll", f"{place}/.s.PGSQL.{port}")
                        sessions = settled(lambda: [
                            t for t in children(server.pid).values()
                            if any("SELECT" in word for word in t.get("cmdline", []))][1:],
                            "two sessions")
                        for t in sessions:
                            # The second waits for the lock, if its stack may be read.
                            check((t["wait"]["reason"], t["wait"]["confidence"]) in
                                  (("poll", "certain"), ("lock", "likely")), t["wait"]["text"])
            finally:
                server.send_signal(3)  # at once, without leaving anything behind
                server.wait(START_S)


if __name__ == "__main__":
    main(__doc__.partition("\n")[0])
