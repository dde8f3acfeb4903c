#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test that pwhy answers in time and stays small, whatever it looks at and wherever it runs.

Targets that hang their readers are made by hang-fuse.c, targets that are many by hang-many.c.
This program never reads /proc of the former by itself: it would hang as any other reader.
"""
import contextlib
import json
import os
import random
import re
import resource
import subprocess
import tempfile
import time

from pathlib import Path

from livetest import (DEADLOCK, NOTHING, PARTLY, SHOWN, Skip, built, check, check_equal, command, main,
                      need_root, python, running, test, wait_asleep,
                      wait_until)

MARGIN_S = 3     # for a busy machine
RSS_MAX = 64 << 10  # KiB
TIMEOUTS = {2.0: (), 0.5: ("--timeout", "500ms")}
READS = 100


class Looked:
    """What pwhy did: output, exit status, time and memory. Killed when it hangs."""

    def __init__(self, *args, limit_s=20, wrap=(), **more):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
            start = time.monotonic()
            more = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": error, **more}
            with subprocess.Popen([*wrap, *command(*args)], **more) as process:
                self.pid = process.pid
                pidfd = os.pidfd_open(process.pid)
                try:
                    while not os.waitid(os.P_PIDFD, pidfd,
                                        os.WEXITED | os.WNOHANG | os.WNOWAIT):
                        if time.monotonic() > start + limit_s:
                            process.kill()
                            raise AssertionError(f"pwhy {args} hangs")
                        time.sleep(0.002)
                finally:
                    os.close(pidfd)
                self.took_s = time.monotonic() - start
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            # Its mark begins at ours, from before the exec: below that nothing is known.
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            self.status = process.returncode
            self.rss = 0 if usage.ru_maxrss <= own else usage.ru_maxrss
            out.seek(0)
            error.seek(0)
            self.out, self.error = out.read(), error.read().decode(errors="replace")

    def check(self, status=(SHOWN, PARTLY, DEADLOCK), took_s=None, rss=RSS_MAX):
        check(self.status in status, f"exit status {self.status}: {self.error[-500:]}")
        check(took_s is None or self.took_s < took_s, f"took {self.took_s:.2f} s")
        check(self.rss < rss, f"RSS of {self.rss} KiB")
        return self

    def json(self):
        document = json.loads(self.out)
        check(isinstance(document["threads"], list), "no threads")
        return document


@contextlib.contextmanager
def helper(name, *args):
    """A helper: its process and the words of its "ready" line."""
    with running(built(f"tests/{name}"), *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as process:
        try:
            line = process.stdout.readline().split()
            if line[:1] == ["skip"]:
                raise Skip(" ".join(line[1:]))
            check(line[:1] == ["ready"], f"{name} {args} said {line}")
            yield process, dict(word.split("=", 1) for word in line[1:])
        finally:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


@contextlib.contextmanager
def hanging():
    need_root()
    with helper("hang-fuse") as (process, pids):
        time.sleep(0.6)  # the last of them is where it hangs half of that after "ready"
        yield process, {name: int(pid) for name, pid in pids.items()}


def pwhys():
    """Processes of our pwhy. By its executable: reading that link takes no lock of a victim."""
    wanted, found = os.path.realpath(command()[0]), []
    for name in os.listdir("/proc"):
        # Of a stuck execve(2), the link hangs too; "comm" does not.
        with contextlib.suppress(OSError):
            if name.isdigit() and open(f"/proc/{name}/comm", encoding="utf-8",
                                       errors="replace").read() == "pwhy\n":
                if os.readlink(f"/proc/{name}/exe") == wanted:
                    found.append(int(name))
    return found


def missing(document):
    return [gap["what"] + ": " + gap["why"] for gap in document["capture"].get("missing", [])]


def hangs_alone(timeout_s, options):
    """Each by itself: within the time, shown, and what could not be read is said."""
    # The program of "exec" lies on a file system that hangs: its functions have no names.
    said = {"exec": "does not answer", "library": "does not answer", "memory": "memory is locked", "lock": "memory is locked",
            "map": "memory is locked", "epoll": "not answer",
            "child": "not answer" if "--source=proc" in options else "memory is locked"}
    with hanging() as (process, pids):
        for name, pid in pids.items():
            looked = Looked("--json", *options, pid).check(took_s=timeout_s + MARGIN_S)
            document = looked.json()
            check_equal({t["pid"] for t in document["threads"]}, {pid}, f"{name}: processes")
            if name in said:
                check(any(said[name] in gap for gap in missing(document)),
                      f"{name}: says {missing(document)}")
            elif name != "server":
                check(not any("not answer" in gap for gap in missing(document)),
                      f"{name}: says {missing(document)}")
        check_equal(process.poll(), None, "status of the helper")


@test
def hanging_targets_one_by_one():
    hangs_alone(2.0, TIMEOUTS[2.0])


@test
def hanging_targets_read_from_files():
    """Of what hangs in execve(2) even the stack does not come then."""
    hangs_alone(2.0, [*TIMEOUTS[2.0], "--source=proc"])


@test
def hanging_targets_with_half_a_second():
    hangs_alone(0.5, TIMEOUTS[0.5])


@test
def hanging_targets_among_all():
    """All at once, and the rest of the machine with them; by name, too."""
    with hanging() as (_, pids), running("sleep", 1000) as bystander:
        for timeout_s, options in TIMEOUTS.items():
            document = Looked("--json", "--all", *options).check(
                took_s=timeout_s * 1.5 + MARGIN_S).json()
            shown = {t["pid"] for t in document["threads"]}
            check(bystander.pid in shown, "a process that does not hang is left out")
            check(set(pids.values()) <= shown, f"left out: {set(pids.values()) - shown}")
            check(missing(document), "nothing is said to be missing")
        Looked("sleep").check(took_s=2 + MARGIN_S)


@test
def more_than_there_is_time_for():
    """So much hangs that time runs out: whom it was not enough for is counted, and the status tells."""
    with contextlib.ExitStack() as stack:
        pids = [pid for _ in range(3) for pid in stack.enter_context(hanging())[1].values()]
        pids += [stack.enter_context(running("sleep", 1000)).pid for _ in range(5)]
        looked = Looked("--json", "--timeout=500ms", *pids).check((PARTLY,), 0.5 + MARGIN_S)
        document = looked.json()
        shown = {t["pid"] for t in document["threads"]}
        check(shown <= set(pids), f"others: {shown - set(pids)}")
        check_equal(document["capture"]["lost"], len(pids) - len(shown), "lost")
        check(document["capture"]["lost"] > 0, "time enough for all of them")
        check(any("part of the snapshot" in gap for gap in missing(document)), missing(document))
        text = Looked("--timeout=500ms", *pids).check((PARTLY,)).out.decode()
        check(re.search(r"^\d+ targets were not reached$", text, re.M), text[-900:])


@test
def memory_lock_and_its_last_reader():
    """Of readers the kernel keeps the last one that came: told as evidence, not as the holder."""
    with hanging() as (_, pids):
        document = Looked("--json", "--source=bpf", pids["lock"]).check().json()
    waits = {t["tid"]: t["wait"] for t in document["threads"]}
    told = [w for w in waits.values() if w.get("rule") == "kernel-lock"]
    if not told:
        release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
        check(release < (6, 17) or not document["threads"], f"no lock is told: {waits}")
        raise Skip("this kernel does not tell who waits for such a lock")
    (reader,) = [tid for tid, w in waits.items() if w["reason"] == "reply"]
    for wait in told:
        check_equal((wait["object"]["kind"], wait["on"]), ("kernel-rwsem", []), "lock and holders")
        check(f"last taken for reading by hang-fuse ({pids['lock']}, thread {reader})"
              in " ".join(wait["evidence"]), wait)
        check("held by" not in wait["text"] and "memory map" in wait["text"], wait)


@test
def memory_lock_and_its_writer():
    """Who has it for writing is known: the holder."""
    with hanging() as (_, pids):
        document = Looked("--json", "--source=bpf", pids["map"]).check().json()
    waits = {t["tid"]: t["wait"] for t in document["threads"]}
    told = {tid: w for tid, w in waits.items() if w.get("rule") == "kernel-lock"}
    if not told:
        release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
        check(release < (6, 17) or not document["threads"], f"no lock is told: {waits}")
        raise Skip("this kernel does not tell who waits for such a lock")
    ((tid, wait),) = told.items()
    (holder,) = set(waits) - {tid, pids["map"]}
    check_equal(wait["object"]["kind"], "kernel-rwsem", "kind of the lock")
    check_equal([o["tid"] for o in wait["on"]], [holder], f"holder: {wait}")
    check(f"thread {holder}" in wait["text"] and "memory map" in wait["text"], wait)
    check_equal(wait["confidence"], "certain", "confidence")
    check_equal(waits[holder]["rule"], "fuse-writeback", f"what the holder waits for: {waits[holder]}")


@test
def targets_go_on_and_workers_end():
    """The mmap locks of targets are not kept; workers that hang end with the hang."""
    before = set(pwhys())

    def beats():
        process.stdin.write("\n")
        process.stdin.flush()
        return list(map(int, process.stdout.readline().split()))

    with hanging() as (process, pids):
        for name in ("argv", "memory", "epoll"):
            Looked("--json", pids[name]).check()
            first = beats()
            time.sleep(0.3)
            check(all(a < b for a, b in zip(first, beats())), f"{name}: stands still after a look")
    wait_until(lambda: not set(pwhys()) - before, "all processes of pwhy end")


@test
def process_with_many_fds():
    with helper("hang-many", "fds", 1000000) as (process, ready):
        looked = Looked("--json", process.pid, limit_s=60).check()
        threads = looked.json()["threads"]
        print(f"     {ready['fds']} fds, {ready['watched']} in an epoll set: "
              f"{looked.took_s * 1000:.0f} ms, {looked.rss} KiB")
        check(looked.took_s < 5 + MARGIN_S, f"took {looked.took_s:.1f} s")
        sets = [t["wait"]["object"] for t in threads if t["wait"]["reason"] == "poll"]
        check_equal(len(sets), 2, f"threads that poll, of {[t['wait'] for t in threads]}"[:900])
        for one in sets:
            check(0 < len(one["members"]) <= 64, f"{len(one['members'])} members")
        text = Looked(process.pid, limit_s=60).check().out.decode()
        check("more" in text, f"members left out are not counted: {text[:900]}")


@test
def listener_among_many_sockets():
    with helper("hang-many", "sockets", 100000) as (process, ready):
        looked = Looked("--json", process.pid).check(took_s=1 + MARGIN_S)
        print(f"     {ready['tcp']} TCP, {ready['unix']} unix sockets: "
              f"{looked.took_s * 1000:.0f} ms, {looked.rss} KiB")
        waits = [t["wait"] for t in looked.json()["threads"] if t["wait"]["reason"] == "accept"]
        check_equal([w["object"].get("local") for w in waits], [ready["address"]], "listener")


def read_often(how):
    random.seed(1)
    statuses = {}
    with helper("hang-many", how) as (_, ready):
        for i in range(READS):
            looked = Looked(*(["--json"], ["--raw", "--threads"], [])[i % 3], ready["pid"])
            looked.check((SHOWN, NOTHING, PARTLY))
            statuses[looked.status] = statuses.get(looked.status, 0) + 1
            if i % 3 == 0:
                looked.json()
    print(f"     {how}: exit statuses {statuses}")
    check(SHOWN in statuses, f"never shown: {statuses}")


@test
def target_that_execs():
    read_often("exec")


@test
def target_that_forks():
    read_often("fork")


@test
def target_that_changes_its_name():
    read_often("comm")


@test
def target_whose_threads_end():
    read_often("threads-come")


def limited(what, value):
    return lambda: resource.setrlimit(what, (value, value))


@test
def little_memory():
    with running("sleep", 1000) as target:
        threads = Looked("--json", target.pid,
                         preexec_fn=limited(resource.RLIMIT_AS, 64 << 20)).check().json()["threads"]
        check_equal(threads[0]["wait"]["reason"], "sleep", "reason")
        looked = Looked("--json", "--all", preexec_fn=limited(resource.RLIMIT_AS, 64 << 20))
        check(looked.status in (SHOWN, PARTLY, DEADLOCK),
              f"exit status {looked.status}: {looked.error}")
        check(looked.out or "memory" in looked.error, looked.error)


@test
def little_stack():
    """ulimit -s 64, as some services have it."""
    small = limited(resource.RLIMIT_STACK, 64 << 10)
    code = "import select; p = select.poll(); p.register(0, select.POLLIN); p.poll()"
    with running("python3", "-c", code, stdin=subprocess.PIPE) as target:
        wait_asleep(target.pid)
        for source in "proc", "auto":
            threads = Looked(f"--source={source}", "--json", target.pid,
                             preexec_fn=small).check().json()["threads"]
            check_equal([t["wait"]["reason"] for t in threads], ["poll"], source)
        present = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[1])
        Looked("--json", "--all", preexec_fn=small).check(rss=RSS_MAX + 8 * present).json()


@test
def few_descriptors():
    with running("sleep", 1000) as target:
        looked = Looked("--json", target.pid, preexec_fn=limited(resource.RLIMIT_NOFILE, 32))
        check_equal(looked.check().json()["threads"][0]["wait"]["reason"], "sleep", "reason")
        present = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[1])
        Looked("--json", "--all", preexec_fn=limited(resource.RLIMIT_NOFILE, 32)).check(
            rss=RSS_MAX + 8 * present).json()


@test
def no_process_to_be_had():
    """Said, with what to do about it. The limit binds no root: it is tried as nobody."""
    need_root()

    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))

    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        copy = os.path.join(directory, "pwhy")
        subprocess.run(["cp", command()[0], copy], check=True)
        done = subprocess.run([copy, "1"], preexec_fn=nobody, capture_output=True, timeout=20,
                              check=False)
    check_equal(done.returncode, PARTLY, f"exit status ({done.stderr!r})")
    check(b"limit on processes" in done.stderr, f"says {done.stderr!r}")


@test
def closed_streams():
    with running("sleep", 1000) as target:
        for closed in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
            done = Looked("--json", target.pid, preexec_fn=lambda c=closed: list(map(os.close, c)))
            check(done.status == (PARTLY if 1 in closed else SHOWN),
                  f"without {closed}: exit status {done.status}, {done.error!r}")
            check(1 in closed or done.json()["threads"], f"without {closed}: nothing")


def in_namespaces(script, *how):
    """pwhy in namespaces of its own; {pwhy} in the script is the program. Its status, output."""
    done = subprocess.run(["unshare", *how, "sh", "-c", script.replace("{pwhy}", command()[0])],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    if done.stderr.startswith(b"unshare:") or b"setup failed" in done.stderr:
        raise Skip(done.stderr.decode(errors="replace"))
    return done


@test
def hidden_processes():
    need_root()
    with running("sleep", 1000) as target:
        done = in_namespaces("mount -t proc -o hidepid=2 proc /proc || { echo setup failed >&2; "
                             "exit; }; exec setpriv --reuid=65534 --regid=65534 --clear-groups "
                             f"{{pwhy}} {target.pid}", "--mount")
    if b"ermission denied" in done.stderr:
        raise Skip("nobody may not run this pwhy")
    check_equal(done.returncode, NOTHING, f"exit status ({done.stderr!r})")
    check(b"hidepid" in done.stderr, f"says {done.stderr!r}")


@test
def pid_namespace():
    need_root()
    done = in_namespaces("mount -t proc proc /proc || { echo setup failed >&2; exit; }; "
                         "sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; "
                         "{pwhy} --json --all; kill $!",
                         "--pid", "--fork", "--mount")
    threads = json.loads(done.stdout)["threads"]
    check("sleep" in {t["comm"] for t in threads}, f"shows {[t['comm'] for t in threads]}")
    check(all(t["pid"] < 100 for t in threads), "processes of another namespace")


@test
def foreign_numbers():
    """Where /proc is that of another PID namespace, a number is another process to system calls:
    nothing of its memory may be mixed up with what the files tell."""
    need_root()
    poll = ("import os, select; p = select.poll(); p.register(os.pipe()[0], 1); "
            "print(flush=True); p.poll()")
    number = "/proc/sys/kernel/ns_last_pid"
    script = """test -w %s || { echo setup failed >&2; exit; }
        echo $((%%d - 1)) > %s; sleep 1000 & test $! = %%d || { echo setup failed >&2; exit; }
        {pwhy} --json --source=proc %%d; kill $!""" % (number, number)
    with python(poll, stdout=subprocess.PIPE) as target:
        target.stdout.readline()
        wait_asleep(target.pid)
        done = in_namespaces(script % (target.pid, target.pid, target.pid), "--pid", "--fork")
    document = json.loads(done.stdout)
    thread, = document["threads"]
    check_equal(thread["wait"]["reason"], "poll", thread["wait"])
    check("members" not in thread["wait"].get("object", {}), f"memory of whom? {thread['wait']}")
    check(any("another PID namespace" in gap for gap in missing(document)), missing(document))


@test
def no_proc():
    """Nothing is hidden, ended or of another namespace there."""
    need_root()
    for mount in "umount -l /proc", "mount -t tmpfs none /proc":
        for target in "1", "sleep", "--root":
            done = in_namespaces(f"{mount} || {{ echo setup failed >&2; exit; }}; "
                                 f"exec {{pwhy}} {target}", "--mount")
            check_equal(done.returncode, PARTLY, f"{mount}, {target}: {done.stderr!r}")
            check_equal(done.stderr.count(b"\n"), 1, f"{mount}, {target}: lines: {done.stderr!r}")
            check(b"mount -t proc" in done.stderr, f"{mount}, {target}: {done.stderr!r}")


@test
def no_descriptor_left():
    """That a file cannot be opened for want of descriptors does not mean that a process ended."""
    with running("sleep", 1000) as target:
        for limit in range(6, 20):
            done = Looked("--json", target.pid, preexec_fn=lambda n=limit: resource.setrlimit(
                resource.RLIMIT_NOFILE, (n, n)))
            check("ended" not in done.error, f"with {limit}: {done.error!r}")
            if done.status == PARTLY and not done.out:
                check("ulimit -n" in done.error, f"with {limit}: {done.error!r}")
            else:
                check_equal(done.json()["threads"][0]["wait"]["reason"], "sleep", f"with {limit}")


@test
def user_namespace():
    """Capabilities that do not count must not be relied on, and this is said."""
    with running("sleep", 1000) as target:
        done = in_namespaces(f"{{pwhy}} --json {target.pid}; {{pwhy}} --json --all > /dev/null",
                             "--user", "--map-root-user")
        check(done.returncode in (SHOWN, PARTLY), f"exit status {done.returncode}")
        document = json.loads(done.stdout)
        check_equal([t["pid"] for t in document["threads"]], [target.pid], "processes")
        check(any("user namespace" in gap for gap in missing(document)), missing(document))


@test
def thousands_of_threads():
    """As many as the machine has numbers for, short of what others on it may need."""
    def number(path):
        with open(f"/proc/sys/kernel/{path}", encoding="ascii") as file:
            return int(file.read())
    present = int(open("/proc/loadavg", encoding="ascii").read().split()[3].split("/")[1])
    wanted = min(number("pid_max"), number("threads-max")) - present - 8000
    with helper("hang-many", "threads", max(1000, min(wanted, 100000))) as (_, ready):
        looked = Looked("--all", limit_s=40)
        print(f"     {ready['threads']} threads: {looked.took_s:.2f} s, {looked.rss} KiB, "
              f"{len(looked.out)} bytes of text")
        check(looked.status in (SHOWN, PARTLY, DEADLOCK),
              f"exit status {looked.status}: {looked.error}")
        check(looked.took_s < 20, f"took {looked.took_s:.1f} s")


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
