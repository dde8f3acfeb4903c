#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of the example servers, and of what pwhy says of them.

Both are served by a real client on a free port. The checks are those of somebody who has
only the server's name and wants to know why it does not move.
"""
import contextlib
import json
import os
import re
import socket
import subprocess
import time

from livetest import (NOTHING, Skip, built, check, check_equal, main, need_root, pwhy, running,
                      task, test, wait_asleep)


def free_port():
    with socket.socket() as s:
        s.bind(("0.0.0.0", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(name):
    """A server that waits in accept: the process and its port."""
    port = free_port()
    with running(built(f"examples/{name}"), port, stdout=subprocess.PIPE, text=True) as process:
        check_equal(process.stdout.readline(),
                    f"listening on 0.0.0.0:{port}, process {process.pid}\n", "first line")
        check_equal(process.stdout.readline(), "waiting for a client in accept()\n", "second line")
        wait_asleep(process.pid)
        yield process, port


@contextlib.contextmanager
def read_phase():
    """read.out with a client that says nothing: process, port, client's socket."""
    with server("read.out") as (process, port), \
            socket.create_connection(("127.0.0.1", port)) as client:
        check_equal(process.stdout.readline(),
                    f"accepted 127.0.0.1:{client.getsockname()[1]}, "
                    "waiting for its data in read()\n", "third line")
        wait_asleep(process.pid)
        yield process, port, client


def thread_of(document, pid):
    found = [t for t in document["threads"] if t["pid"] == pid]
    check_equal(len(found), 1, f"threads of {pid}")
    return found[0]


def look(target, pid):
    return thread_of(json.loads(pwhy("--json", target)), pid)


def check_fields(got, wanted, what):
    check_equal({key: got.get(key) for key in wanted}, wanted, what)


def check_accept(thread, port):
    check_equal(thread["state"], "S", "state")
    check_equal(thread["syscall"]["name"], "accept", "system call")
    check_equal(int(thread["syscall"]["args"][0], 16), 3, "its first argument")
    wait = thread["wait"]
    check_equal(wait["reason"], "accept", "reason")
    check_fields(wait["object"], {"kind": "tcp", "fd": 3, "local": f"0.0.0.0:{port}",
                                  "state": "LISTEN"}, "object")
    check("remote" not in wait["object"], f"a listener has no other end: {wait['object']}")
    check_equal(wait["on"], [], "who can end it")
    check(f"0.0.0.0:{port}" in wait["text"], wait["text"])
    check(wait["evidence"], "no evidence")


def check_read(thread, port, client):
    check_equal(thread["state"], "S", "state")
    check_equal(thread["syscall"]["name"], "read", "system call")
    wait = thread["wait"]
    check_equal(wait["reason"], "receive", "reason")
    address, remote = client.getsockname()
    check_equal(client.getpeername(), ("127.0.0.1", port), "the client's other end")
    check_fields(wait["object"], {"kind": "tcp", "fd": 4, "local": f"127.0.0.1:{port}",
                                  "remote": f"{address}:{remote}", "state": "ESTABLISHED"},
                 "object")
    check(f"{address}:{remote}" in wait["text"], wait["text"])
    for owner in wait["on"]:
        check_fields(owner, {"pid": os.getpid(), "role": "peer"}, "who can end it")


@test
def accept_json():
    with server("accept.out") as (process, port):
        check_accept(look(process.pid, process.pid), port)


@test
def accept_json_by_name():
    with server("accept.out") as (process, port):
        check_accept(look("accept.out", process.pid), port)


@test
def accept_text():
    with server("accept.out") as (process, port):
        text = pwhy(process.pid).decode()
        for wanted in (f"accept.out ({process.pid})", f"0.0.0.0:{port}", "fd 3", "accept(3, "):
            check(wanted in text, f"no {wanted!r} in {text!r}")
        check("\033" not in text, "terminal colours in a pipe")


@test
def accept_kernel_stack():
    need_root()
    with server("accept.out") as (process, _):
        stack = [f["symbol"] for f in look(process.pid, process.pid)["kernel_stack"]]
        kernel = re.findall(r"\] ([^+\n]+)\+", (task(process.pid) / "stack").read_text())
        check_equal(stack, kernel, "symbols")
        check(any(s.startswith("inet_csk_accept") for s in stack), stack)


def clock_spread_s():
    """How far the CPUs' scheduler clocks, by which a sleep is timed, may be apart.

    They leave out interrupts and what a hypervisor took away, on each CPU its own. The times
    in /proc/stat are rough: half as much again, and a little.
    """
    with open("/proc/stat", encoding="ascii") as file:
        lost = [sum(map(int, line.split()[6:9])) for line in file if re.match(r"cpu\d", line)]
    return 1.5 * (max(lost) - min(lost)) / os.sysconf("SC_CLK_TCK") + 0.1


@test
def accept_time_grows():
    with server("accept.out") as (process, _):
        slept_from = time.monotonic()
        for seconds in 0.3, 1.3:
            time.sleep(seconds)
            got = look(process.pid, process.pid)["wait"].get("for_ns")
            wanted = time.monotonic() - slept_from
            if got is None:
                raise Skip("this kernel does not tell since when a thread sleeps")
            check(got >= 0 and abs(got / 1e9 - wanted) <= clock_spread_s() + 0.2,
                  f"{got / 1e9:.3f} s after {wanted:.3f} s, spread {clock_spread_s():.3f} s")


@test
def accept_raw_by_name():
    need_root()
    with server("accept.out") as (process, _):
        wanted = (task(process.pid) / "stack").read_bytes()
        check(wanted, "the kernel shows no stack")
        check_equal(pwhy("--raw", process.pid), wanted, "--raw PID")
        got = pwhy("--raw", "accept.out")
        if got.startswith(b"==> "):  # somebody else runs one, too
            header = f"==> {process.pid} {process.pid} accept.out <==\n".encode()
            got = re.split(rb"^(?===> )", got.partition(header)[2], maxsplit=1, flags=re.M)[0]
        check_equal(got, wanted, "--raw accept.out")


@test
def accept_serves():
    with server("accept.out") as (process, port):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                name = client.getsockname()[1]
                check_equal(client.recv(1), b"", "closed at once")
            check_equal(process.stdout.readline(), f"accepted 127.0.0.1:{name}, closing it\n",
                        "what it says")
            check_equal(process.stdout.readline(), "waiting for a client in accept()\n",
                        "what it says then")
        wait_asleep(process.pid)
        check_accept(look(process.pid, process.pid), port)


@test
def read_before_a_client():
    with server("read.out") as (process, port):
        check_accept(look(process.pid, process.pid), port)


@test
def read_json():
    with read_phase() as (process, port, client):
        check_read(look(process.pid, process.pid), port, client)
        check_read(look("read.out", process.pid), port, client)


@test
def read_text():
    with read_phase() as (process, port, client):
        text = pwhy(process.pid).decode()
        remote = f"127.0.0.1:{client.getsockname()[1]}"
        for wanted in (f"read.out ({process.pid})", remote, "fd 4", "read(4, "):
            check(wanted in text, f"no {wanted!r} in {text!r}")


@test
def read_serves():
    with read_phase() as (process, port, client):
        client.sendall(b"hello\n\x1b[2J")
        check_equal(process.stdout.readline(), "received 10 bytes: hello\\x0a\\x1b[2J\n",
                    "what came, harmless for a terminal")
        check_equal(client.recv(1), b"", "closed then")
        wait_asleep(process.pid)
        check_accept(look(process.pid, process.pid), port)


@test
def read_client_leaves():
    with read_phase() as (process, port, client):
        client.shutdown(socket.SHUT_WR)
        check_equal(process.stdout.readline(), "the client closed the connection without a word\n",
                    "what it says")
        wait_asleep(process.pid)
        check_accept(look(process.pid, process.pid), port)


def refusal(name, *args):
    done = subprocess.run([built(f"examples/{name}"), *map(str, args)], capture_output=True,
                          text=True, timeout=10, check=False)
    check_equal(done.stdout, "", "standard output")
    return done.returncode, done.stderr


@test
def port_taken():
    for name in "accept.out", "read.out":
        with server(name) as (_, port):
            status, error = refusal(name, port)
            check_equal(status, 1, "exit status")
            for wanted in (f"{name}: ", str(port), "already in use", "another port"):
                check(wanted in error, f"no {wanted!r} in {error!r}")


@test
def bad_arguments():
    for name in "accept.out", "read.out":
        for bad in "0", "65536", "-1", "80x", "http", "", "99999999999999999999":
            status, error = refusal(name, bad)
            check_equal(status, 2, f"exit status for {bad!r}")
            check(f"'{bad}'" in error and "1 to 65535" in error, error)
        status, error = refusal(name, "1", "2")
        check_equal(status, 2, "exit status for two arguments")
        check("usage" in error, error)


@test
def gone_server():
    with server("accept.out") as (process, _):
        process.kill()
        process.wait()
        pwhy(process.pid, status=(NOTHING,))


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
