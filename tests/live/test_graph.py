#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of wait chains, roots and deadlocks: processes that really wait for each other.

What is looked at is made by tangle.c, which says who waits for whom; each answer is compared with
that, exactly. Python standard library only.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree

from livetest import (DEADLOCK, 
    NOTHING, PARTLY, SHOWN, USAGE, Skip, built, check, check_equal, command, main, need_root, pwhy,
    python, running, switches, task, test, wait_asleep, wait_until)


ANY = (SHOWN, PARTLY, DEADLOCK)
OR_FORMS = ("chain-pipe", "chain-unix", "chain-tcp")


@contextlib.contextmanager
def tangle(form, n, settle=True):
    """The actors' (PID, TID), each of which waits for the next."""
    with running(built("tests/tangle"), form, n, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as process:
        try:
            words = process.stdout.readline().split()
            check(words[:1] == ["ready"], f"tangle {form} said {words}")
            actors = [tuple(map(int, word.split("/"))) for word in words[1:]]
            for pid, tid in actors if settle else ():
                if len(actors) < 100 or tid == actors[0][1]:
                    wait_asleep(pid, tid)
            yield actors
        finally:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def look(*args, status=ANY):
    return json.loads(pwhy("--json", *args, status=status))


def threads(document):
    return {(t["pid"], t["tid"]): t for t in document["threads"]}


def root_of(thread):
    root = thread.get("root")
    return root and (root["pid"], root["tid"])


def members(document):
    return [[(m["pid"], m["tid"]) for m in d["members"]] for d in document["deadlocks"]]


def pids(actors):
    return sorted({pid for pid, _ in actors})


def check_chain(form, n):
    with tangle(form, n) as actors:
        # Of the first one alone: the others are context, and not shown.
        document = look(actors[0][0], status=(SHOWN, PARTLY))
        found = threads(document)
        check_equal(list(found), [actors[0]], "threads shown")
        check_equal(root_of(found[actors[0]]), actors[-1], "root of the first, alone")
        check_equal(document["deadlocks"], [], "deadlocks")
        check_equal(document["capture"]["threads"], 1, "threads captured")
        # Of all of them.
        document = look(*pids(actors), status=(SHOWN, PARTLY))
        found = threads(document)
        for actor, owner in zip(actors, actors[1:]):
            on = found[actor]["wait"]["on"]
            check_equal([o["pid"] for o in on], [owner[0]], f"owners of {actor}")
            check_equal(root_of(found[actor]), actors[-1], f"root of {actor}")
            # Any writer of a pipe will do, and others could be out of sight; a lock has one holder.
            check_equal(found[actor]["wait"].get("on_any", False), form in OR_FORMS, "any or each")
            check(found[actor]["wait"].get("on_whole", form in OR_FORMS), "all who can")
        check_equal(root_of(found[actors[-1]]), actors[-1], "root of the last")
        text = pwhy(actors[0][0]).decode()
        check(re.search(rf"^  root cause: tangle \(pid {actors[-1][0]}\) has been ", text, re.M), text)
        for pid, _ in actors[1:min(len(actors) - 1, 6)]:
            check(re.search(rf"^  .* tangle \(pid {pid}\) has been ", text, re.M), f"{pid}: {text}")


@test
def chains_of_flocks():
    for n in (2, 3, 10):
        check_chain("chain-flock", n)


@test
def chain_of_posix_locks():
    check_chain("chain-posix", 10)


@test
def chains_of_pipes():
    need_root()
    for n in (2, 3, 10):
        check_chain("chain-pipe", n)


@test
def chain_of_unix_sockets():
    need_root()
    check_chain("chain-unix", 4)


@test
def chains_of_children():
    for n in (2, 3, 10):
        check_chain("chain-wait", n)


@test
def chains_of_mutexes():
    """Between threads, and between processes; the whole of a chain is one process, or ten."""
    for form in "chain-mutex", "chain-shared-mutex":
        for n in (2, 3, 10):
            with tangle(form, n) as actors:
                found = threads(look(*pids(actors), status=(SHOWN, PARTLY)))
                for actor, owner in zip(actors, actors[1:]):
                    on = found[actor]["wait"]["on"]
                    check_equal([(o["pid"], o["tid"]) for o in on], [owner], f"owners of {actor}")
                    check_equal(root_of(found[actor]), actors[-1], f"{form}: root of {actor}")


@test
def chain_of_connections():
    need_root()
    check_chain("chain-tcp", 3)


@test
def chain_of_all_kinds():
    """A pipe, a file lock, a child, a thread that is joined, a mutex: each leads on."""
    need_root()
    with tangle("chain-kinds", 6) as actors:
        found = threads(look(*pids(actors), status=(SHOWN, PARTLY)))
        check_equal([found[actor]["wait"]["reason"] for actor in actors],
                    ["read", "lock", "child", "join", "lock", "signal"], "reasons")
        for actor, owner in zip(actors, actors[1:]):
            check_equal([o["pid"] for o in found[actor]["wait"]["on"]], [owner[0]], actor)
        # Whom the child's parent waits for is its process: any of its threads could end it.
        for actor in actors[3:]:
            check_equal(root_of(found[actor]), actors[-1], f"root of {actor}")
        text = pwhy("--graph", actors[0][0], status=ANY).decode()
        for pid, _ in actors[:3]:
            check(f"(pid {pid})" in text, text)


def check_fan(form, threads_n):
    with tangle(form, threads_n) as actors:
        *waiters, holder = actors
        # All of them have to be there.
        wait_until(lambda: all(
            (task(*w) / "syscall").read_text().split()[0] != "running" for w in waiters[::97]), "waiters")
        time_out = time.monotonic() + 60
        while True:
            found = threads(look(*pids(actors), status=(SHOWN, PARTLY)))
            roots = [root_of(found.get(w, {})) for w in waiters]
            if roots.count(holder) == threads_n or time.monotonic() > time_out:
                break
        check_equal(roots.count(holder), threads_n, "waiters with that root")

        def folded():
            text = pwhy("--graph", *pids(actors)).decode()
            found = re.search(r"└─ (\d+) threads of tangle \(pid \d+\) have been waiting ", text)
            check(len(text.splitlines()) < 16, text)
            return found and int(found[1]) == threads_n

        def counted():
            text = pwhy("--root", *pids(actors)).decode()
            return re.search(rf"^ +{threads_n}  tangle \(pid {holder[0]}", text, re.M)

        # On a busy machine one of them may be just on its way to sleep.
        wait_until(folded, "one branch in the graph")
        wait_until(counted, "their number among the roots")


@test
def fan_in_of_a_thousand_flocks():
    check_fan("fan-flock", 1000)


@test
def fan_in_of_a_thousand_mutexes():
    check_fan("fan-mutex", 1000)


def check_ring(form, n, everybody=True):
    with tangle(form, n) as actors:
        document = look(*pids(actors), status=(DEADLOCK,))
        check_equal(members(document), [sorted(actors)], f"deadlocks of {form}")
        found = threads(document)
        for actor in actors:
            check(found[actor].get("deadlocked") is True, f"{actor} is deadlocked")
            check("root" not in found[actor], f"{actor} has a root")
        # Found from any member alone, though the others were not asked for.
        document = look(actors[-1][1], status=(DEADLOCK,))
        check_equal(members(document), [sorted(actors)], "from one member")
        text = pwhy(actors[0][1], status=(DEADLOCK,)).decode()
        check(f"\ndeadlock: {n} threads wait for each other in a ring\n" in text or n == 1, text)
        check("deadlock: a thread waits for itself\n" in text or n > 1, text)
        text = pwhy("--deadlocks", *pids(actors), status=(DEADLOCK,)).decode()
        check_equal(len(re.findall(r"^  tangle \(pid \d+.* has been ", text, re.M)), n, text)
        # On the whole machine somebody may just be out of sight: in execve(2), for one.
        if everybody:
            wait_until(lambda: all(f"pid {pid}" in pwhy("--deadlocks", status=ANY).decode()
                                   for pid in pids(actors)), "found on the whole machine")


@test
def ring_of_flocks():
    check_ring("ring-flock", 2)
    check_ring("ring-flock", 7)


@test
def ring_of_pipes():
    need_root()
    check_ring("ring-pipe", 3)


@test
def pipe_to_itself():
    need_root()
    check_ring("ring-pipe", 1)


@test
def ring_of_unix_sockets():
    need_root()
    check_ring("ring-unix", 3)


@test
def ring_of_mutexes():
    check_ring("ring-mutex", 2)
    check_ring("ring-mutex", 5, False)


@test
def mutex_locked_twice():
    check_ring("ring-mutex", 1)


@test
def ring_of_shared_mutexes():
    check_ring("ring-shared-mutex", 2)


@test
def ring_of_rwlocks():
    """Writers, and writers and readers in turn: who writes is recorded."""
    check_ring("ring-rwlock", 2)
    check_ring("ring-rwlock", 4, False)


@test
def ring_of_connections():
    need_root()
    check_ring("ring-tcp", 3)


@test
def child_that_writes_to_its_parent():
    """The parent waits for its end before it reads: a pipe holds 64 KiB."""
    need_root()
    check_ring("ring-child", 2)


def kernel_tells_locks():
    """Who has a lock of the kernel, only a program inside it tells (since 6.17: of mutexes, too)."""
    told = look("--source=bpf", os.getpid(), status=(SHOWN, PARTLY))["threads"]
    return bool(told) and tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 17)


def check_nothing_from_files(actors, waiter):
    """/proc does not tell who has the lock: nobody is named, no deadlock is told."""
    document = look("--source=proc", *pids(actors), status=(SHOWN, PARTLY))
    check_equal(document["deadlocks"], [], "deadlocks, from files")
    check_equal(threads(document)[waiter]["wait"]["on"], [], "holder, from files")


def check_kernel_ring(form, waiter):
    """waiter: which of the actors waits for the lock of the kernel."""
    need_root()
    with tangle(form, 1) as actors:
        check_nothing_from_files(actors, actors[waiter])
        if not kernel_tells_locks():
            raise Skip("the kernel does not tell who has its locks")
        document = look(*pids(actors), status=(DEADLOCK,))
        check_equal(members(document), [sorted(actors)], f"deadlocks of {form}")
        found = threads(document)
        for actor, owner in zip(actors, actors[1:] + actors[:1]):
            on = found[actor]["wait"]["on"]
            check_equal([o["pid"] for o in on], [owner[0]], f"owners of {actor}")
            check(on[0].get("tid", owner[1]) == owner[1] or len(pids(actors)) == 1, on)
        document = look(actors[-1][1], status=(DEADLOCK,))
        check_equal(members(document), [sorted(actors)], "from one member")


@test
def kernel_locks_in_a_ring():
    """The handler of a page fault wants the lock that the faulter has."""
    for form in "kernel-ring-self", "kernel-ring-position", "kernel-ring-inode":
        check_kernel_ring(form, 1)


@test
def kernel_lock_and_mutex():
    check_kernel_ring("kernel-ring-mutex", 0)


@test
def kernel_lock_and_flock():
    check_kernel_ring("kernel-ring-flock", 0)


@test
def kernel_lock_and_pipe():
    check_kernel_ring("kernel-ring-pipe", 0)


@test
def faulter_and_handler_in_one_process():
    need_root()
    with tangle("kernel-ring-threads", 1) as actors:
        document = look(actors[0][0])
        if document["capture"]["source"] != "bpf":
            raise Skip("the kernel does not tell whose userfaultfd it is")
        check_equal(members(document), [sorted(actors)], "deadlocks")


@test
def kernel_lock_with_a_way_out():
    """One more process could answer the fault: it is the root, and there is no deadlock."""
    need_root()
    with tangle("kernel-ring-escape", 1) as actors:
        faulter, handler, escape = actors
        document = look(*pids(actors), status=(SHOWN, PARTLY))
        check_equal(document["deadlocks"], [], "deadlocks")
        if not kernel_tells_locks():
            raise Skip("the kernel does not tell who has its locks")
        found = threads(document)
        check_equal(sorted(o["pid"] for o in found[faulter]["wait"]["on"]),
                    sorted((handler[0], escape[0])), "who could answer")
        check_equal([root_of(found[a]) for a in (faulter, handler)], [escape, escape], "roots")


@test
def chains_through_kernel_locks():
    need_root()
    for form, waiter in ("kernel-chain", 0), ("kernel-chain-position", 0), ("kernel-chain-inode", 0), \
            ("kernel-chain-long", 1):
        with tangle(form, 1) as actors:
            check_nothing_from_files(actors, actors[waiter])
            if not kernel_tells_locks():
                raise Skip("the kernel does not tell who has its locks")
            found = threads(look(*pids(actors), status=(SHOWN, PARTLY)))
            for actor, owner in zip(actors, actors[1:]):
                on = found[actor]["wait"]["on"]
                check_equal([o["pid"] for o in on], [owner[0]], f"{form}: owners of {actor}")
            for actor in actors:
                check_equal(root_of(found[actor]), actors[-1], f"{form}: root of {actor}")
            # Of the first one alone, too.
            check_equal(root_of(threads(look(actors[0][0]))[actors[0]]), actors[-1], form)


@test
def fault_of_somebody_else():
    """Who reads another's memory waits for the handler of that, whatever it has itself."""
    need_root()
    with tangle("kernel-remote", 1) as (reader, handler):
        for source in "auto", "proc":
            wait = threads(look(f"--source={source}", reader[0]))[reader]["wait"]
            check_equal(wait["reason"], "reply", wait)
            check({o["pid"] for o in wait["on"]} <= {handler[0]}, wait)


@test
def file_lock_and_pipe():
    need_root()
    check_ring("ring-mixed", 2)


@test
def file_lock_and_pipe_in_an_epoll_set():
    need_root()
    check_ring("ring-set", 2)


@test
def epoll_set_of_two_processes():
    """A child has the set as well: it could add something that ends the wait."""
    need_root()
    with tangle("ring-shared-set", 2) as actors:
        document = look(*pids(actors), status=(SHOWN, PARTLY))
        check_equal(document["deadlocks"], [], "deadlocks")
        check("deadlock" not in pwhy(*pids(actors), status=ANY).decode(), "the word in the text")


@test
def ring_with_a_way_out():
    """One of the pipes has a writer outside of the ring: it is the root of all."""
    need_root()
    with tangle("ring-escape", 3) as actors:
        document = look(*pids(actors), status=(SHOWN, PARTLY))
        check_equal(document["deadlocks"], [], "deadlocks")
        found = threads(document)
        for actor in actors:
            check_equal(root_of(found[actor]), actors[-1], f"root of {actor}")


@test
def ring_with_a_timeout():
    """One of the members gives up in ten minutes: it is the root of all."""
    need_root()
    with tangle("ring-timeout", 3) as actors:
        document = look(*pids(actors), status=(SHOWN, PARTLY))
        check_equal(document["deadlocks"], [], "deadlocks")
        found = threads(document)
        for actor in actors:
            check_equal(root_of(found[actor]), actors[0], f"root of {actor}")


@test
def ring_of_sockets_with_a_timeout():
    """SO_RCVTIMEO: nothing in /proc shows it; the kernel tells, or it is said as a reservation."""
    need_root()
    with tangle("ring-rcvtimeo", 3) as actors:
        document = look(*pids(actors))
        if not document["deadlocks"]:
            found = threads(document)
            for actor in actors:
                check_equal(root_of(found[actor]), actors[0], f"root of {actor}")
        else:
            check("socket's own timeout" in pwhy(*pids(actors), status=ANY).decode(), "reservation")
    with tangle("ring-unix", 3) as actors:
        text = pwhy("--deadlocks", *pids(actors), status=ANY).decode()
        if not document["deadlocks"]:
            check("timeout" not in text, text)


@test
def ring_with_a_stopped_member():
    """It is stopped, whatever it waited for: SIGCONT is what it needs first."""
    with tangle("ring-flock", 3) as actors:
        os.kill(actors[1][0], signal.SIGSTOP)
        wait_until(lambda: (task(*actors[1]) / "stat").read_text().rpartition(")")[2].split()[0] == "T",
                   "stopped")
        document = look(*pids(actors), status=(SHOWN, PARTLY))
        check_equal(document["deadlocks"], [], "deadlocks")
        found = threads(document)
        for actor in actors:
            check_equal(root_of(found[actor]), actors[1], f"root of {actor}")
        text = pwhy(actors[0][0]).decode()
        check(re.search(r"^  root cause: tangle \(pid \d+\) is stopped by ", text, re.M), text)


@test
def behind_a_deadlock():
    """Who waits for a member is not a member, and is deadlocked all the same."""
    with tangle("ring-mutex", 2) as actors:
        waiter = subprocess.Popen(["sh", "-c", "sleep 1000 & wait"], stdin=subprocess.DEVNULL)
        try:
            document = look(actors[0][0], waiter.pid, status=(DEADLOCK,))
            check_equal(members(document), [sorted(actors)], "deadlocks")
            check_equal(document["deadlocks"][0]["behind"], 0, "behind")
            check("deadlocked" not in threads(document)[(waiter.pid, waiter.pid)], "a bystander")
        finally:
            subprocess.run(["pkill", "-P", str(waiter.pid)], check=False)
            waiter.kill()
            waiter.wait()
        # The main thread rests: it waits for nobody.
        found = threads(document)
        main_thread = (actors[0][0], actors[0][0])
        check_equal(root_of(found[main_thread]), main_thread, "root of the main thread")


@test
def nothing_is_disturbed():
    with tangle("ring-flock", 3) as actors:
        before = [switches(*actor) for actor in actors]
        for _ in range(5):
            look(*pids(actors), status=(DEADLOCK,))
        check_equal([switches(*actor) for actor in actors], before, "context switches")


def check_churn(form, n, seconds):
    """Locks and tokens change hands all the time: whatever is seen, nobody is deadlocked."""
    looks = edges = 0
    with tangle(form, n, settle=False) as actors:
        start = time.monotonic()
        while time.monotonic() < start + seconds or (
                (looks < 20 or not edges) and time.monotonic() < start + 60):
            document = look(*pids(actors), status=(SHOWN, PARTLY, NOTHING))
            check_equal(document["deadlocks"], [], f"look {looks}")
            for thread in document["threads"]:
                check("deadlocked" not in thread, f"look {looks}: {thread}")
                edges += len(thread["wait"]["on"])
            looks += 1
        ran = [switches(*actor) for actor in actors]
    check(looks >= 20 and edges > 0, f"only {looks} looks, {edges} edges")
    check(min(ran) > 100, f"did not churn: {ran}")
    print(f"   {form}: {looks} looks, {edges} edges, {sum(ran)} switches", flush=True)


@test
def pipes_that_always_move():
    need_root()
    check_churn("churn-pipe", 5, 8)


@test
def locks_that_always_move():
    check_churn("churn-flock", 4, 8)


@test
def views():
    """Each view as text, its exit status, and what does not go together."""
    with tangle("chain-flock", 3) as actors:
        graph = pwhy("--graph", *pids(actors), status=(SHOWN, PARTLY)).decode().splitlines()
        check_equal([re.search(r"\(pid (\d+)\)", line)[1] for line in graph[:3]],
                    [str(pid) for pid, _ in reversed(actors)], "the tree")
        check(graph[1].startswith("└─ ") and graph[2].startswith("   └─ "), graph)
        check_equal(pwhy("--deadlocks", *pids(actors)).decode().splitlines()[0],
                    "no deadlock is seen", "--deadlocks")
        dot = pwhy("--format=dot", *pids(actors)).decode()
        for (_, waiter), (_, owner) in zip(actors, actors[1:]):
            check(f"t{waiter} -> t{owner} [label=\"holder\"];" in dot, dot)
        check("--graph" in pwhy("--help").decode(), "--help")
        for wrong in (["--graph", "--root"], ["--root", "--json"], ["--format=png"],
                      ["--deadlocks", "--raw"], ["--format=dot", "-w", "1"]):
            done = subprocess.run(command(*wrong, actors[0][0]), capture_output=True, check=False)
            check_equal(done.returncode, USAGE, f"{wrong}: {done.stderr}")


@test
def views_of_the_whole_machine():
    """Without a target: whatever else is there, the chain is among it."""
    with tangle("chain-flock", 3) as actors:
        waiters = [rf"[│ ]*[├└]─ tangle \(pid {pid}\) has been waiting .*" for pid, _ in actors[1::-1]]
        tree = re.compile("\n".join([rf"^tangle \(pid {actors[-1][0]}\) .*", *waiters]), re.M)
        root = re.compile(rf"^ +2  tangle \(pid {actors[-1][0]}\) ", re.M)
        edge = f"t{actors[0][1]} -> t{actors[1][1]} [label=\"holder\"];"
        # Somebody may be out of sight for a moment, in execve(2) for one.
        wait_until(lambda: tree.search(pwhy("--graph", status=ANY).decode()), "the chain in the graph")
        wait_until(lambda: root.search(pwhy("--root", status=ANY).decode()), "its end among the roots")
        wait_until(lambda: edge in pwhy("--format=dot", status=ANY).decode(), "an edge of it")


@test
def who_waits_for_a_target():
    """Named alone, the holder has all behind it; the middle of a chain its own part of it."""
    with tangle("chain-flock", 4) as actors, tangle("chain-flock", 2) as others:
        lines = pwhy("--graph", actors[2][0]).decode().splitlines()
        check_equal([re.search(r"\(pid (\d+)\)", line)[1] for line in lines[:4]],
                    [str(pid) for pid, _ in reversed(actors)], lines)
        lines = pwhy("--graph", actors[0][0]).decode().splitlines()
        check(not any(f"(pid {pid})" in line for line in lines for pid in pids(others)), lines)
        check("looked for" not in "".join(lines), lines)
        root = pwhy("--root", actors[3][0]).decode()
        check(re.search(rf"^ +3  tangle \(pid {actors[3][0]}\) ", root, re.M), root)
        dot = pwhy("--format=dot", actors[3][0]).decode()
        check(f"t{actors[0][1]} -> t{actors[1][1]} " in dot, dot)
        # A filter leaves some of the machine out, so that it cannot be said.
        text = pwhy("--graph", "--state=SD", actors[3][0], status=ANY).decode()
        check("who else waits for these was not looked for" in text, text)
    with tangle("ring-flock", 2) as actors, tangle("ring-flock", 2) as others:
        # The deadlock of others is not what was asked for.
        text = pwhy("--graph", actors[0][0], status=(DEADLOCK,)).decode()
        check(not any(f"(pid {pid})" in text for pid in pids(others)), text)
    with tangle("ring-flock", 2), tangle("chain-flock", 2) as actors:
        text = pwhy("--graph", actors[0][0], status=(SHOWN, PARTLY)).decode()
        check("deadlock" not in text, text)


@test
def datagrams_to_who_waits():
    """Who sends datagrams to a parent that waits for its end has no timeout, and is not said to give up;
    others might take data of a socket that is no stream: no deadlock is proven."""
    code = """
import os, socket
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
child = os.fork()
if child == 0:
    ours.close()
    while True:
        theirs.send(b"x" * 1000)
theirs.close()
print(child, flush=True)
os.waitpid(child, 0)
"""
    with running("python3", "-c", code, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        try:
            wait_asleep(child)
            text = pwhy(child, status=ANY).decode()
            check(re.search(rf"by +peer python3 \(pid {parent.pid}\)", text), text)
            check("give up by itself" not in text, text)
            check("others may end this wait" in pwhy(parent.pid, status=ANY).decode(), text)
        finally:
            os.kill(child, signal.SIGKILL)


@test
def who_waits_for_any_thread_of_a_target():
    """It is not known which of the server's threads has to act: no chain leads to it."""
    need_root()
    code = """
import socket, threading, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
threading.Thread(target=time.sleep, args=(1000,)).start()
print(listener.getsockname()[1], flush=True)
client, _ = listener.accept()
listener.accept()
"""
    with running("python3", "-c", code, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline())
        client = f"import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)"
        with running("python3", "-c", client) as process:

            def told():
                text = pwhy("--graph", server.pid, status=ANY).decode()
                return re.search(rf"helped by them.*\n.* python3 \(pid {process.pid}\) .*"
                                 rf"any thread of python3 \(pid {server.pid}\)", text)

            wait_until(told, "the client is told of")
            text = pwhy("--graph", process.pid, status=ANY).decode()
            check(re.search(rf"^python3 \(pid {process.pid}\) has been waiting for data", text, re.M),
                  text)


@test
def who_waits_for_nobody():
    """A target that is not there is said to be so, and nothing else is missing."""
    need_root()
    with running("true") as gone:
        gone.wait()
    done = subprocess.run(command("--graph", gone.pid), capture_output=True, timeout=60, check=False)
    check_equal((done.returncode, done.stdout), (NOTHING, b""), "exit status and output")
    check("no process" in done.stderr.decode() and "worker" not in done.stderr.decode(),
          done.stderr)


@test
def svg():
    with tangle("chain-flock", 2) as actors:
        if not shutil.which("dot"):
            done = subprocess.run(command("--format=svg", *pids(actors)), capture_output=True,
                                  check=False)
            check_equal(done.returncode, PARTLY, "exit status without dot")
            check(b"needs Graphviz" in done.stderr, done.stderr)
            raise Skip("dot (Graphviz) is not installed")
        picture = pwhy("--format=svg", *pids(actors))
        check(xml.etree.ElementTree.fromstring(picture).tag.endswith("svg"), picture[:200])
        # Without it, it says what is missing.
        done = subprocess.run(command("--format=svg", *pids(actors)), capture_output=True,
                              check=False, env={"PATH": "/nowhere"})
        check_equal(done.returncode, PARTLY, "exit status without dot")
        check(b"needs Graphviz" in done.stderr, done.stderr)


@test
def hostile_names_in_dot():
    name = "a\"];x->y;\\"
    code = f"import fcntl, time\nopen('/proc/self/comm', 'w').write({name!r})\n"
    with tangle("chain-flock", 2) as actors:
        path = next(os.readlink(f"/proc/{actors[0][0]}/fd/{fd}")
                    for fd in os.listdir(f"/proc/{actors[0][0]}/fd")
                    if "pwhy-tangle" in os.readlink(f"/proc/{actors[0][0]}/fd/{fd}"))
        code += f"fcntl.flock(open({path!r}), fcntl.LOCK_EX)"
        with running("python3", "-c", code) as process:
            wait_until(lambda: (task(process.pid) / "comm").read_text().startswith("a\""), "renamed")
            wait_asleep(process.pid)
            dot = pwhy("--format=dot", process.pid).decode()
            check(f"t{process.pid} [label=\"a\\\"];x->y;" in dot, dot)
            if shutil.which("dot"):
                done = subprocess.run(["dot", "-Tplain"], input=dot.encode(), capture_output=True,
                                      check=False)
                check_equal(done.returncode, 0, done.stderr)


@test
def who_reads_the_answer():
    """Whoever waits for pwhy waits for the answer: that pwhy runs is no cause of anything."""
    with running("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        wait_asleep(reader.pid)
        with running(*command("--json", "--all"), stdin=subprocess.DEVNULL,
                     stdout=reader.stdin) as looking:
            reader.stdin.close()
            threads = json.loads(reader.stdout.read())["threads"]
    waiting, = [t for t in threads if t["pid"] == reader.pid]
    check_equal([o["pid"] for o in waiting["wait"]["on"]], [looking.pid], waiting["wait"])
    check_equal([t["pid"] for t in threads if t.get("root", {}).get("pid") == looking.pid], [],
                "threads of which pwhy is the root")


IN_FLIGHT = """
import os, socket, sys
a, b = socket.socketpair()
there, here = socket.socketpair()
socket.send_fds(there, [b"x"], [a.fileno()])
for mine, other in (a, b), (b, a):
    if not (pid := os.fork()):
        other.close(); there.close(); here.close()
        mine.recv(1)
    print(pid, flush=True)
a.close(); b.close()
sys.stdin.readline()
_, fds, _, _ = socket.recv_fds(here, 1, 1)
os.close(fds[0])
print("closed", flush=True)
sys.stdin.readline()
"""


@test
def descriptor_in_flight():
    """Two that wait for each other, and a third end of their connection is on its way in a message:
    whoever receives it may send. When it has been closed there is a deadlock."""
    need_root()
    with python(IN_FLIGHT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        pids = [int(process.stdout.readline()) for _ in range(2)]
        try:
            for pid in pids:
                wait_asleep(pid)
            first = json.loads(pwhy("--json", *pids))
            process.stdin.write("go on\n")
            process.stdin.flush()
            check_equal(process.stdout.readline(), "closed\n", "what it said")
            second = json.loads(pwhy("--json", *pids))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
    check_equal(first["deadlocks"], [], "deadlocks while somebody may get another end")
    check(not any(t.get("deadlocked") for t in first["threads"]), first["threads"])
    check_equal([sorted(m["pid"] for m in d["members"]) for d in second["deadlocks"]],
                [sorted(pids)], "deadlocks afterwards")


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
