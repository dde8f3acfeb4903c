#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of docs/cases.md with a server: a client waits, and its server for somebody else.

What is not installed is skipped, aloud. Python standard library only.
"""
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from cases import (
    QUIET, children_of, descendants_of, directory, document, listening, name_of, need, port, say, show,
    user_for)
from livetest import (
    Skip, check, check_equal, main, need_root, running, state_of, task, test, wait_asleep, wait_until)


@test
def redis_blocked_client():
    """BLPOP on an empty list: the client waits for the server, which waits for anybody."""
    need("redis-server", "redis-cli")
    number = port()
    with directory() as d, running("redis-server", "--port", number, "--dir", d, "--save", "",
                                   **QUIET) as server:
        listening(number)
        with running("redis-cli", "-p", number, "BLPOP", "queue", "0", **QUIET) as client:
            wait_asleep(client.pid)
            thread = document(client.pid)["threads"][0]
            check_equal([o["pid"] for o in thread["wait"]["on"]], [server.pid], "the server")
            check("deadlocked" not in thread, thread)
            show(client.pid)


@test
def nginx_with_a_slow_upstream():
    """curl waits for nginx, nginx for an application that sleeps."""
    need("nginx", "curl")
    web, app = port(), port()
    code = ("import socket, sys, time\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
            "c, _ = s.accept()\nc.recv(65536)\ntime.sleep(1000)")
    with directory() as d:
        (d / "nginx.conf").write_text(
            f"daemon off; pid {d}/pid; error_log {d}/error; worker_processes 1; user root;\n"
            "events {}\nhttp { access_log off; server { listen 127.0.0.1:%d;\n"
            "location / { proxy_pass http://127.0.0.1:%d; proxy_read_timeout 1h; } } }\n" % (web, app))
        with running(sys.executable, "-c", code, app, **QUIET) as upstream, \
                running("nginx", "-p", d, "-c", d / "nginx.conf", by=signal.SIGTERM, **QUIET) as nginx:
            wait_until(lambda: children_of(nginx.pid), "a worker")
            listening(web)
            wait_until(lambda: state_of(upstream.pid) == "S", "upstream listens")
            with running("curl", "-s", f"http://127.0.0.1:{web}/", **QUIET) as curl:
                wait_until(lambda: "nanosleep" in (task(upstream.pid) / "wchan").read_text(),
                           "the request has arrived")
                wait_asleep(curl.pid)
                worker = children_of(nginx.pid)[0]
                thread = document(curl.pid)["threads"][0]
                check(worker in {o["pid"] for o in thread["wait"]["on"]}, thread["wait"])
                show(curl.pid), show(worker), show(upstream.pid)


@test
def postgresql_lock_wait_and_deadlock():
    """Its locks are its own, in shared memory: nothing outside shows the owner, and none is named."""
    initdb, postgres, psql = need("initdb", "postgres", "psql")
    number = port()
    with directory() as d:
        user = user_for("postgres", d)
        if Path(postgres).parent != Path(initdb).parent:
            postgres = str(Path(initdb).parent / "postgres")
        subprocess.run([initdb, "-D", d / "data", "-A", "trust", "-U", "me"], check=True, cwd=d,
                       **QUIET, **user)
        with running(postgres, "-D", d / "data", "-p", number, "-k", d, "-c", "deadlock_timeout=1h",
                     cwd=d, **QUIET, **user) as server:
            def session(text):
                process = subprocess.Popen(
                    [psql, "-h", d, "-p", str(number), "-U", "me", "-qAt", "postgres"], text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                process.stdin.write("select pg_backend_pid();\n" + text)
                process.stdin.flush()
                return process, int(process.stdout.readline())

            def ask(text):
                return subprocess.run([psql, "-h", d, "-p", str(number), "-U", "me", "-qAtc", text,
                                       "postgres"], capture_output=True, text=True, check=False).stdout

            wait_until(lambda: "1" in ask("select 1"), "the server answers")
            ask("create table t(i int primary key, x int); insert into t values (1, 0), (2, 0)")
            one, first = session("begin; update t set x = 1 where i = 1;\n")
            two, second = session("begin; update t set x = 1 where i = 2;\n")
            try:
                wait_until(lambda: ask("select count(*) from pg_stat_activity where state = "
                                       "'idle in transaction'").strip() == "2", "both hold a row")
                two.stdin.write("update t set x = 2 where i = 1;\n"), two.stdin.flush()
                wait_until(lambda: ask(f"select wait_event_type from pg_stat_activity where pid = "
                                       f"{second}").strip() == "Lock", "it waits for a lock")
                wait_asleep(second), wait_asleep(first)
                blocking = (f"select pid, wait_event_type, wait_event, pg_blocking_pids(pid) from "
                            f"pg_stat_activity where pid in ({first}, {second}) order by pid = {first}")
                text = show(second)
                check("root cause" not in text and "deadlock" not in text, text)
                check(document(second)["threads"][0]["wait"]["reason"] in ("lock", "poll"), text)
                if "ProcSleep" in text:
                    check(re.search("^  waiting for a lock of PostgreSQL", text, re.M), text)
                    check_equal(document(second)["threads"][0]["wait"]["on"], [], "owners")
                say(ask(blocking))
                check(f"{second}|Lock|transactionid|{{{first}}}" in ask(blocking), ask(blocking))
                # Whom PostgreSQL names waits for its client, which pwhy names.
                show(first)
                check(one.pid in {o["pid"] for o in document(first)["threads"][0]["wait"]["on"]}, "client")
                one.stdin.write("update t set x = 2 where i = 2;\n"), one.stdin.flush()
                wait_until(lambda: ask("select count(*) from pg_stat_activity where wait_event_type = "
                                       "'Lock'").strip() == "2", "both wait")
                wait_asleep(first)
                found = document(first, second)
                check_equal(found["deadlocks"], [], "what cannot be seen is not told")
                say(ask(blocking))
                check({f"{first}|Lock|transactionid|{{{second}}}",
                       f"{second}|Lock|transactionid|{{{first}}}"} <= set(ask(blocking).split()), "each")
            finally:
                for client in (one, two):
                    client.kill(), client.communicate()
                server.send_signal(signal.SIGINT)
                server.wait(20)


@contextlib.contextmanager
def mariadb_server(d):
    """A server with a table t of two rows; what asks it, and what makes a session."""
    install, program, client = need("mariadb-install-db", "mariadbd", "mariadb")
    place = {"cwd": d, **QUIET, **user_for("nobody", d)}
    subprocess.run([install, "--no-defaults", f"--datadir={d}/data", "--skip-test-db",
                    "--auth-root-authentication-method=normal"], check=True, **place)
    options = ["--no-defaults", f"--socket={d}/socket", "-u", "root", "-N"]
    with running(program, "--no-defaults", f"--datadir={d}/data", f"--socket={d}/socket",
                 "--skip-networking", "--performance-schema",
                 "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON", by=signal.SIGTERM,
                 **place) as server:
        def ask(text):
            return subprocess.run([client, *options, "-e", text], capture_output=True, text=True,
                                  check=False).stdout

        @contextlib.contextmanager
        def session(text):
            """A client that said this, and the thread of the server that serves it."""
            with running(client, *options, "-n", "d", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True) as process:
                process.say = lambda text: (process.stdin.write(text + "\n"), process.stdin.flush())
                process.say("select tid from information_schema.processlist "
                            "where id = connection_id();")
                tid = int(process.stdout.readline())
                process.say(text)
                yield process, tid

        wait_until(lambda: "1" in ask("select 1"), "the server answers")
        ask("create database d; create table d.t(i int primary key, x int); "
            "insert into d.t values (1, 0), (2, 0)")
        yield server, ask, session


@test
def mariadb_row_lock():
    """A row lock is in the server's memory: what is seen is that a thread waits for a condition."""
    with directory() as d, mariadb_server(d) as (server, ask, session), \
            session("begin; update t set x = 1 where i = 1;") as (one, first), \
            session("set innodb_lock_wait_timeout = 1000;") as (two, second):
        waits = ("select r.trx_mysql_thread_id, 'waits for', b.trx_mysql_thread_id "
                 "from information_schema.innodb_lock_waits w, information_schema.innodb_trx r, "
                 "information_schema.innodb_trx b where r.trx_id = requesting_trx_id and "
                 "b.trx_id = blocking_trx_id")
        # The tables are a copy that is not made anew while somebody reads it all the time.
        wait_until(lambda: "undo log entries 1" in ask("show engine innodb status"),
                   "the first has the row")
        two.say("update t set x = 2 where i = 1;")
        wait_until(lambda: "LOCK WAIT" in ask("show engine innodb status"), "the second waits")
        wait_asleep(server.pid, second), wait_asleep(server.pid, first)
        text = show(two.pid)
        check(re.search(rf"by +peer mariadbd \(pid {server.pid}\)", text), text)
        # Which of its threads, nobody tells: not the first, and not the main one.
        check_equal(document(two.pid)["threads"][0]["root"]["pid"], two.pid, text)
        show(second)
        wait = document(second)["threads"][0]["wait"]
        check(wait["reason"] in ("condition", "futex"), wait)
        check_equal(wait["on"], [], "nobody to be named")
        say(ask(waits))
        # Whom MariaDB names waits for its client, which pwhy names.
        wait = document(first)["threads"][0]["wait"]
        check_equal({o["pid"] for o in wait["on"]}, {one.pid}, wait)


METADATA_LOCKS = (
    ("lock tables t write;", "select * from t;"),
    ("flush tables with read lock;", "update t set x = 2 where i = 1;"),
    ("do get_lock('job', 0);", "do get_lock('job', 1000);"))


@test
def mariadb_metadata_lock():
    """LOCK TABLES, FLUSH TABLES WITH READ LOCK, GET_LOCK(): pwhy tells that, the server whose it is."""
    with directory() as d, mariadb_server(d) as (server, ask, session):
        for hold, want in METADATA_LOCKS:
            with session(hold) as (_, first), session("") as (two, second):
                locks = ("select thread_os_id, object_type, lock_type, lock_status from "
                         "performance_schema.metadata_locks m, performance_schema.threads t "
                         f"where t.thread_id = owner_thread_id and thread_os_id in ({first}, {second})")
                wait_until(lambda: f"{first}\t" in ask(locks), "the first has it")
                two.say(want)
                wait_until(lambda: "PENDING" in ask(locks), "the second waits")
                wait_asleep(server.pid, second)
                say(f"{hold} … {want}")
                text = show(second)
                wait = document(second)["threads"][0]["wait"]
                check_equal(wait["on"], [], "nobody to be named")
                if "MDL_context::acquire_lock" in text:
                    check(re.search("^ +waiting for a metadata lock of MariaDB", text, re.M), text)
                say(ask(locks))


def ssh_to_here(d):
    """A server of ssh for whoever runs this, on a free port; what calls it."""
    ssh, sshd, keygen = need("ssh", "sshd", "ssh-keygen")
    number = port()
    for name in "host", "key":
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", d / name], check=True, **QUIET)
    server = [sshd, "-D", "-f", "/dev/null", "-h", d / "host", "-p", number, "-E", d / "log"]
    for option in ("ListenAddress=127.0.0.1", f"AuthorizedKeysFile={d}/key.pub", "StrictModes=no",
                   "UsePAM=no", "PidFile=none", "PermitRootLogin=yes"):
        server += ["-o", option]
    client = [ssh, "-F", "/dev/null", "-p", number, "-i", d / "key"]
    for option in ("BatchMode=yes", "StrictHostKeyChecking=no", f"UserKnownHostsFile={d}/known"):
        client += ["-o", option]
    return server, [*client, "127.0.0.1"], number


@test
def ssh_with_a_stopped_member_behind():
    """A pipeline over ssh, of which somebody stopped a member on the other machine, here the same."""
    need_root()  # sshd shows its files to nobody else
    Path("/run/sshd").mkdir(exist_ok=True)  # as Debian's unit does
    with directory() as d:
        server, client, number = ssh_to_here(d)
        with running(*server, **QUIET) as sshd:
            listening(number)
            called = subprocess.run(list(map(str, [*client, "true"])), check=False, text=True,
                                    stdin=subprocess.DEVNULL, capture_output=True)
            if called.returncode:
                raise Skip(f"sshd lets nobody in here: {called.stderr} {(d / 'log').read_text()}")
            far = shlex.join(map(str, [*client, "yes | tr y z"]))
            with running("bash", "-c", f"{far} | tail -n 1; true", **QUIET) as shell:
                find = lambda name, pid: next(p for p in descendants_of(pid) if name_of(p) == name)
                wait_until(lambda: {"yes", "tr"} <= {*map(name_of, descendants_of(sshd.pid))}, "far side")
                ssh, tail, tr = find("ssh", shell.pid), find("tail", shell.pid), find("tr", sshd.pid)
                try:
                    os.kill(tr, signal.SIGSTOP)
                    wait_until(lambda: state_of(tr) == "T", "stopped")
                    wait_asleep(ssh), wait_asleep(tail)
                    text = show(tail)
                    check(re.search(rf"chain +ssh \(pid {ssh}\).*\n +sshd \(pid ", text), text)
                    check(re.search(rf"root cause: tr \(pid {tr}\) is stopped by a job-control", text),
                          text)
                    text = show("--graph", tr)
                    check(f"tail (pid {tail})" in text and f"ssh (pid {ssh})" in text, text)
                finally:
                    for pid in (*descendants_of(sshd.pid), ssh, tail):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
