#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes each scene for real, asks pwhy about it, and compares with what is known to be so.

A scene's ready line says what only its maker knows: the fd, the addresses, the inode, the
other processes. A row of ROWS says which reason and kind of object that must lead to, and
which of the facts pwhy must have found; any fact it gives without having to must be true as
well. Where the kernel's files do not tell, the row allows "unknown", and never another
reason. Afterwards the thread must be where it was, without having run.

Looking and judging are apart: what was seen is Evidence, and Check judges it without this
machine's help, so that kernels.py can judge what was seen inside another one.
"""

import argparse
import ctypes
import dataclasses
import json
import os
import re
import stat
import subprocess
import sys
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from scene_rules import MOMENTARY, RULES, WITHOUT_NAMES_NONE, rules_of, write_rules

ROOT = Path(__file__).resolve().parents[2]
CONFIDENCES = ("guess", "likely", "certain")
REASONS = frozenset(
    """running runnable throttled stopped traced frozen zombie sleep signal accept connect
    receive send open read write poll disk remote-fs lock condition semaphore barrier join
    futex child reply memory kernel idle unknown""".split())
KINDS = frozenset(
    """tcp udp unix netlink packet raw vsock socket pipe fifo tty file directory block chardev
    nfs fuse epoll poll-set io_uring eventfd timerfd signalfd inotify fanotify userfaultfd
    seccomp mutex rwlock condvar semaphore barrier futex thread flock posix-lock ofd-lock lease
    kernel-mutex kernel-rwsem kernel-semaphore sysv-sem sysv-msg posix-mq process timer cgroup
    memory""".split())
# Which keys of a ready line name somebody with such a role.
ROLES = {
    "holder": ("holder", "other"),
    "peer": ("peer", "stage", "pid"),  # the process itself, where it has both ends open
    "child": ("child", "children"),
    "thread": ("other",),
    "tracer": ("tracer",),
    "server": ("pid", "stage"),
    "parent": ("parent",),
}
CHILDREN_TOLD = os.path.exists("/proc/thread-self/children")
MEMBERS_MAX = 64  # a larger set may be cut there
SLACK_NS = 2_000_000_000
FOR_SLACK_NS = 100_000_000
TRIES_S = 20
START_S = 60
PR_CAPBSET_DROP, CAP_SYS_ADMIN = 24, 21  # linux/prctl.h, linux/capability.h
PWHY_S = 30


class Failure(Exception):
    """What was expected and what came instead."""

    def __init__(self, expected, got):
        super().__init__(f"expected {expected} got {got}")


@dataclass(frozen=True)
class Row:
    reasons: str  # allowed ones, separated by spaces
    kinds: str = ""  # allowed ones; "-": no object; empty: any or none
    must: str = ""  # fields of the object that must be there
    state: str = ""  # of a connection, if it is told
    members: bool = False  # the set's members must be those of the ready line
    deadline: str = "may"  # "must" be there, "may", or "never"
    most: str = "certain"  # highest confidence that is right
    least: str = "guess"  # lowest one that root must get
    calls: str = ""  # allowed names of the system call
    also: str = ""  # reasons that may be true for a moment: ask again
    holder: bool = False  # all of the ready line's holders must be named, nobody else
    on: str = ""  # a role, and keys of the ready line that are all of its owners with it
    still: bool = True  # does not run, so that nothing may have moved
    ask: str = ""  # keys of the ready line that pwhy is asked about, too
    check: object = None  # of whatever else was seen: f(evidence, ready, thread)
    deadlock: bool = False  # of the thread with itself
    rules: str = ""  # allowed ones (scene_rules.py)


@dataclass
class Evidence:
    """What was seen of a scene, once. Times are those of CLOCK_MONOTONIC, in ns."""
    ready: dict  # the words of the ready line
    begin: int  # the scene began
    made: int  # it was ready
    asked: int
    answered: int
    before: dict  # thread_facts() before pwhy was asked
    after: dict
    documents: dict  # of pwhy --json, by PID or TID as the ready line has it
    text: str  # of pwhy
    stack: str  # /proc/PID/task/TID/stack; None when it cannot be read
    device: tuple  # ("254:0", "vda") of the ready line's path; None without
    root: bool
    release: tuple  # of the kernel: (6, 18)


def check_kernel_lock(evidence, ready, thread):
    """Where the kernel tells the lock, it tells who has it, and that is the right one."""
    wait = thread["wait"]
    if wait.get("rule") != "kernel-lock":
        source = evidence.documents[ready["tid"]]["capture"]["source"]
        if evidence.release >= (6, 17) and source == "bpf":
            raise Failure("the lock, which this kernel tells", wait)
        return
    if wait["confidence"] != "certain" or not re.fullmatch("0x[0-9a-f]+",
                                                           wait["object"].get("address", "")):
        raise Failure("a lock with its address, certain", wait)
    if [owner.get("tid") for owner in wait["on"]] != [int(ready["holder"])]:
        raise Failure(f"held by thread {ready['holder']}", wait["on"])
    if ready["holder"] not in wait["text"]:
        raise Failure(f"thread {ready['holder']} in the sentence", wait["text"])


def check_crowd(evidence, ready, _thread):
    """All threads of the process, each in its place."""
    document = evidence.documents[ready["pid"]]
    address = int(ready["address"], 16)
    seen = [
        t for t in document["threads"]
        if t["wait"]["reason"] == "futex" and
        int(t["wait"].get("object", {}).get("address", "0"), 16) == address
    ]
    if len(seen) != int(ready["threads"]):
        raise Failure(f"{ready['threads']} threads at {ready['address']}", len(seen))


def check_disabled(_evidence, _ready, thread):
    """Whoever writes to a member that is disabled ends nothing."""
    wait = thread["wait"]
    if wait["on"] or "disabled" not in wait["text"]:
        raise Failure("nobody, as the only member is disabled", wait)


def check_unarmed(_evidence, _ready, thread):
    """That it will not expire is what there is to know of it."""
    if "not armed" not in thread["wait"]["text"]:
        raise Failure("a timer that is not armed", thread["wait"]["text"])


def check_replaced(_evidence, _ready, thread):
    """What has the number now is not what is waited for."""
    wait = thread["wait"]
    if wait["on"] or "another file by now" not in wait["text"]:
        raise Failure("no word about the directory that has the number", wait)


def check_harmless(evidence):
    """What people see has nothing in it that a terminal obeys."""
    bad = re.search(r"[^\n\t\x20-\x7e\u00a0-\U0010ffff]", evidence.text)
    if bad or not evidence.text:
        raise Failure("text without control characters", repr(bad[0] if bad else evidence.text))


def check_names(evidence, ready, thread):
    """Names come through whole in JSON and harmless in text."""
    for field in ("comm", "exe"):
        expected = urllib.parse.unquote(ready[field])
        if thread.get(field) != expected:
            raise Failure(f"{field} {expected!r}", repr(thread.get(field)))
    arguments = thread.get("cmdline") or []
    if len(arguments) < 2 or not arguments[1].startswith("bad \\xff\\xfe\\xc0\\x80 utf-8 \x1b]0;"):
        raise Failure("an argument with \\xNN for bytes that are not UTF-8",
                      repr([a[:40] for a in arguments]))
    check_harmless(evidence)


def check_leader(evidence, ready, _thread):
    """The process lives on, in its other thread."""
    other = thread_of(evidence.documents[ready["thread"]], ready["thread"])
    if other["wait"]["reason"] != "signal":
        raise Failure("reason signal of the other thread", other["wait"]["reason"])


def check_forged(evidence, ready, thread):
    """A socket's name is no source of facts about it."""
    thing = thread["wait"].get("object", {})
    if ready["forged"] in thing.get("local", "").split("/") or thing.get("state") not in (
            None, "LISTEN"):
        raise Failure("a listening socket", json.dumps(thing))
    check_harmless(evidence)


def check_facts(ready, thing, fields):
    for field in fields.split():
        if thing.get(field) != ready[field]:
            raise Failure(f"{field} {ready[field]}", json.dumps(thing))


def check_mount(evidence, ready, thread):
    """The file system, and the stage as the program that must answer."""
    wait = thread["wait"]
    check_facts(ready, wait.get("object", {}), "path fs mount source")
    if ready["mount"] not in wait["text"]:
        raise Failure(f"a text with {ready['mount']}", wait["text"])
    # Which connection an fd is, the kernel tells since 6.16; before, it may stay open.
    servers = [o["pid"] for o in wait["on"] if o["role"] == "server"]
    told = servers or evidence.release >= (6, 16)
    if evidence.root and told and servers != [int(ready["stage"])]:
        raise Failure(f"server {ready['stage']}", wait["on"])


def check_device(evidence, _ready, thread):
    """The disk that a file is on, or that a device file stands for; 0: is for none."""
    device, name = evidence.device
    thing, text = thread["wait"].get("object", {}), thread["wait"]["text"]
    if device.startswith("0:"):
        if "device" in thing:
            raise Failure("no device", json.dumps(thing))
    elif (thing.get("device"), thing.get("device_name")) != (device, name) or name not in text:
        raise Failure(f"device {device} {name}", f"{text} {json.dumps(thing)}")


def check_child(_evidence, ready, thread):
    """It waits for this one process, whatever others it has."""
    wait = thread["wait"]
    if wait["reason"] == "unknown":
        return
    told = [(o["role"], o["pid"]) for o in wait["on"]]
    # Which children a process has, not every kernel tells (CONFIG_PROC_CHILDREN).
    if told != [("child", int(ready["child"]))] and (told or CHILDREN_TOLD):
        raise Failure(f"child {ready['child']} alone", wait["on"])
    if "group" in ready and f"process group {ready['group']}" not in wait["text"]:
        raise Failure(f"process group {ready['group']}", wait["text"])


def check_signalling(_evidence, ready, thread):
    """Its child's end would be a signal, and anybody else's signal would do, too."""
    told = [(o["role"], o["pid"]) for o in thread["wait"]["on"]]
    if told != [("child", int(ready["child"]))] and (told or CHILDREN_TOLD):
        raise Failure(f"child {ready['child']} alone", told)
    if told and not thread["wait"]["on_any"]:
        raise Failure("any", thread["wait"])


def check_nobody(_evidence, _ready, thread):
    if thread["wait"]["on"]:
        raise Failure("nobody who can end this wait", thread["wait"]["on"])


def check_not_child(text):
    if re.search(r"\bits (child|\d+ children) |\ba child process\b", text):
        raise Failure("no word of a child that is none", text)


def check_polled(_evidence, ready, thread):
    """Its set is one process, whose end it waits for."""
    wait = thread["wait"]
    if not re.search(rf"\({ready['child']}\).* to end\b", wait["text"]):
        raise Failure(f"the end of process {ready['child']}", wait["text"])
    told = [m.get("pid") for m in wait["object"]["members"]]
    if told != [int(ready["child"])]:
        raise Failure(f"pid {ready['child']}", told)


def check_tracee(evidence, ready, thread):
    """A process that is waited for because it is traced, and is not a child."""
    check_child(evidence, ready, thread)
    check_not_child(thread["wait"]["text"])


def check_tracees(_evidence, _ready, thread):
    """Any process that is traced: there is no child that it could be."""
    if CHILDREN_TOLD:
        check_not_child(thread["wait"]["text"])


def check_stale(evidence, ready, thread):
    """What has the number now is not in the set."""
    wait = thread["wait"]
    if "timerfd" in json.dumps(wait):
        raise Failure("no timerfd", json.dumps(wait))
    stale = int(ready["stale"])
    kinds = {m["fd"]: m.get("kind") for m in wait.get("object", {}).get("members", [])}
    if ready["kcmp"] == "1" and evidence.root and any(
            kind != "eventfd" for fd, kind in kinds.items() if fd != stale):
        raise Failure("an eventfd that still is what was added", json.dumps(wait))


def check_each(evidence, _ready, thread):
    """Each has a lock of its own: all have to give it up."""
    if evidence.root and thread["wait"].get("on_any", False):
        raise Failure("that each must act", thread["wait"])


def check_any(evidence, _ready, thread):
    """All have one lock: any of them can give it up."""
    if evidence.root and not thread["wait"].get("on_any", False):
        raise Failure("that any can act", thread["wait"])


def check_self(evidence, ready, thread):
    """The holder is the process that waits, and people are told so."""
    wait = thread["wait"]
    if evidence.root and "itself" not in wait["text"]:
        raise Failure(f"that {ready['holder']} holds it itself", wait["text"])


def check_readers(_evidence, _ready, thread):
    """How many hold it is known, and said; not who."""
    wait = thread["wait"]
    if wait["on"] or "held by 2 readers" not in wait["text"]:
        raise Failure("two readers and no names", f"{wait['text']} {wait['on']}")


def check_ownerless(_evidence, _ready, thread):
    """Where it is told what it is, it is told that nobody has it."""
    wait = thread["wait"]
    if wait["on"] or (wait["reason"] != "futex" and
                      not any("has no owner" in e for e in wait["evidence"])):
        raise Failure("the word that it has no owner", f"{wait['on']} {wait['evidence']}")


def check_nobody(_evidence, _ready, thread):
    """A lock that does not record who has it."""
    if thread["wait"]["on"]:
        raise Failure("no holder", thread["wait"]["on"])


def check_remote(evidence, ready, thread):
    """Nobody here can end it; where whoever can is, is said."""
    wait = thread["wait"]
    if wait["on"] or ready["remote"] not in wait["text"] or ready["remote"] not in evidence.text:
        raise Failure(f"nobody but {ready['remote']}", wait)


def check_quota(_evidence, ready, thread):
    """Whose quota it is, if it is that."""
    wait = thread["wait"]
    told = wait.get("object", {}).get("path", "/nowhere")
    if wait["reason"] == "throttled" and not (ready["path"].endswith(told) and told in wait["text"]):
        raise Failure(f"the quota of {ready['path']}", wait)


def check_last(_evidence, ready, thread):
    """Who could end it, nobody knows; who was there last is in the evidence."""
    wait = thread["wait"]
    if wait["on"] or not any(f" by scene ({ready['last']})" in e for e in wait["evidence"]):
        raise Failure(f"process {ready['last']} as the last one", wait)


def check_overlay(_evidence, ready, thread):
    """Its device number stands for no device."""
    thing = thread["wait"].get("object", {})
    check_facts(ready, thing, "path fs mount")
    if "device" in thing or "device_name" in thing or ", on " in thread["wait"]["text"]:
        raise Failure("no device", json.dumps(thing))


TCP_LISTEN = Row("accept", "tcp", "fd local", state="LISTEN")
TCP_CONNECT = Row("connect", "tcp", "fd remote", state="SYN_SENT", on="peer stage")
TCP_RECEIVE = Row("receive", "tcp", "fd local remote", state="ESTABLISHED", on="peer peer")
TCP_SEND = Row("send", "tcp", "fd local remote", state="ESTABLISHED", on="peer stage")
POLL = Row("poll", "poll-set", members=True)
EPOLL = Row("poll", "epoll", "fd", members=True)
SLEEP = Row("sleep", "timer", deadline="must")
SLEEP_POLL = Row("sleep", "timer poll-set -")
DISK = Row("disk", "file", "fd path fs mount", check=check_device)
FUSE_FD = Row("reply", "fuse", "fd path", check=check_mount)
STOPPED = Row("stopped")
TRACED = Row("traced", on="tracer tracer")

# What a lock's memory looks like is likely; what the kernel was told as well, certain.
MUTEX = Row("lock", "mutex", "address", on="holder other")
MUTEX_TOLD = Row("lock", "mutex", "address", on="holder other", least="certain")
MUTEX_SHARED = Row("lock", "mutex", "address", on="holder holder")

CHILD = Row("child", "process", "pid", check=check_child)
SIGCHLD = Row("signal", check=check_signalling)
# Its members are a group, so no single one is the object.
CHILD_GROUP = Row("child", "process", check=check_child)

ROWS = {
    "tcp-accept": TCP_LISTEN,
    "tcp-accept4": TCP_LISTEN,
    "tcp6-accept": TCP_LISTEN,
    "tcp6-accept4": TCP_LISTEN,
    "tcp-accept-netns": TCP_LISTEN,
    # The process's other threads are where this port is not.
    "tcp-accept-thread-netns": Row("accept", "tcp", "fd", state="LISTEN"),
    "tcp-connect": TCP_CONNECT,
    "tcp6-connect": TCP_CONNECT,
    "tcp-recv": TCP_RECEIVE,
    "tcp-read": TCP_RECEIVE,
    "tcp-recvmsg": TCP_RECEIVE,
    "tcp-readv": TCP_RECEIVE,
    "tcp6-recv": TCP_RECEIVE,
    "tcp6-recv-mapped": TCP_RECEIVE,
    "tcp-recv-waitall": TCP_RECEIVE,
    "tcp-recv-timeout": TCP_RECEIVE,
    "tcp-send": TCP_SEND,
    "tcp-write": TCP_SEND,
    "tcp6-send": TCP_SEND,
    "udp-recvfrom": Row("receive", "udp", "fd local"),
    "udp6-recvfrom": Row("receive", "udp", "fd local"),
    "udp-recvmmsg": Row("receive", "udp", "fd local"),
    "raw-recv": Row("receive", "raw", "fd"),
    "netlink-recv": Row("receive", "netlink", "fd"),
    "packet-recv": Row("receive", "packet", "fd"),
    # Its address takes a kernel with vsock_diag.
    "vsock-accept": Row("accept", "vsock", "fd"),
    "socket-inherited": TCP_LISTEN,
    "unix-accept": Row("accept", "unix", "fd local"),
    "unix-accept-abstract": Row("accept", "unix", "fd local"),
    "unix-accept-forged": Row("accept", "unix", "fd", check=check_forged),
    "unix-seqpacket-accept": Row("accept", "unix", "fd local"),
    "unix-recv": Row("receive", "unix", "fd local", on="peer stage"),
    "unix-seqpacket-recv": Row("receive", "unix", "fd local", on="peer stage"),
    "unix-send-full": Row("send", "unix", "fd", on="peer stage"),
    "unix-connect-full": Row("connect", "unix", "fd", on="peer stage"),
    "unix-dgram-recv": Row("receive", "unix", "fd local"),
    "unix-dgram-send-full": Row("send", "unix", "fd", on="peer stage"),
    "unix-dgram-sendto-full": Row("send", "unix", "fd", on="peer stage"),
    "unix-socketpair-read": Row("receive", "unix", "fd", on="peer stage"),
    "pipe-read-empty": Row("read", "pipe", "fd inode", on="peer peer"),
    "pipe-read-packet": Row("read", "pipe", "fd inode", on="peer peer"),
    "pipe-write-full": Row("write", "pipe", "fd inode", on="peer peer"),
    "pipe-splice": Row("read", "pipe", "fd inode", on="peer peer"),
    "pipe-splice-full": Row("write", "pipe", "fd inode", on="peer peer"),
    "sendfile-full": Row("send write", "unix", "fd", on="peer stage"),
    "fifo-read": Row("read", "fifo", "fd path", on="peer peer"),
    "fifo-open-read": Row("open", "fifo", "path"),
    "fifo-open-write": Row("open", "fifo", "path"),
    "tty-read": Row("read", "tty", "fd path", on="peer peer"),
    "tty-read-master": Row("read", "tty chardev", "fd", on="peer peer"),
    "tty-write-stopped": Row("write", "tty", "fd path", on="peer peer"),
    "tty-write-full": Row("write", "tty", "fd path", on="peer peer"),
    "tty-stopped": STOPPED,
    "poll": dataclasses.replace(POLL, on="peer stage"),
    "poll-timeout": dataclasses.replace(POLL, on="peer stage"),
    "poll-out": POLL,
    # Its arguments are no longer those of poll(2).
    "poll-restarted": Row("poll unknown", "poll-set -"),
    "poll-100": POLL,
    "poll-million": POLL,
    "poll-sparse": POLL,
    "poll-sparse-timeout": POLL,
    "poll-sleep": SLEEP_POLL,
    "ppoll": dataclasses.replace(POLL, on="peer stage"),
    "ppoll-timeout": POLL,
    "select": POLL,
    "select-timeout": POLL,
    "select-sleep": SLEEP_POLL,
    "pselect": POLL,
    "pselect-timeout": POLL,
    "epoll-wait": dataclasses.replace(EPOLL, on="peer stage"),
    "epoll-nested": dataclasses.replace(EPOLL, on="peer stage"),
    "epoll-stale": EPOLL,
    "epoll-oneshot": dataclasses.replace(EPOLL, check=check_disabled),
    "poll-replaced": Row("poll", "poll-set", most="likely", check=check_replaced),
    "select-replaced": Row("poll", "poll-set", most="likely", check=check_replaced),
    "epoll-stale-anonymous": Row("poll", "epoll", "fd", members=True, check=check_stale),
    "epoll-pwait2-timeout": EPOLL,
    "eventfd-read": Row("read", "eventfd", "fd", on="peer stage"),
    "eventfd-write": Row("write", "eventfd", "fd", on="peer stage"),
    "timerfd-read": Row("read", "timerfd", "fd", deadline="must"),
    "timerfd-read-realtime": Row("read", "timerfd", "fd", deadline="must"),
    "timerfd-read-unarmed": Row("read", "timerfd", "fd", deadline="never", check=check_unarmed),
    "signalfd-read": Row("read signal", "signalfd", "fd"),
    "inotify-read": Row("read", "inotify", "fd"),
    "dup-900": Row("read", "pipe", "fd inode", on="peer stage"),
    "thread-own-files": Row("read", "pipe", "fd inode", on="peer stage"),
    "thread-own-eventfd": Row("read", "eventfd", "fd"),
    "nanosleep": SLEEP,
    # Which call was restarted is nowhere to be read: only the time of restart_syscall(2).
    "nanosleep-restarted": Row("sleep unknown", "timer -", most="likely"),
    "sleep": SLEEP,
    "clock-nanosleep-realtime": SLEEP,
    "clock-nanosleep-monotonic": SLEEP,
    "clock-nanosleep-cpu": Row("sleep", "timer -", deadline="never"),
    "clock-nanosleep-namespace": Row("sleep", "timer"),
    "pause": Row("signal"),
    "sigsuspend": Row("signal", check=check_nobody),
    "sigsuspend-child": SIGCHLD,
    "sigwait-child": SIGCHLD,
    "sigsuspend-uncaught": Row("signal", check=check_nobody),
    "sigwaitinfo": Row("signal"),
    "sigtimedwait": Row("signal"),
    "futex-wait": Row("futex", "futex", "address"),
    "futex-wait-timeout": Row("futex", "futex", "address"),
    "futex-restarted": Row("futex unknown", "futex -"),
    "futex-wait-bitset": Row("futex", "futex", "address"),
    "futex-waitv": Row("futex", "futex -"),
    # Whether it was moved to the lock already is nowhere to be read.
    "futex-requeue-pi": Row("futex", "futex", "address", most="likely"),
    "futex-requeued-pi": Row("lock futex", "mutex futex", "address", most="likely"),
    "futex-pi": Row("lock", "futex", "address", on="holder other"),
    "pthread-mutex": Row("lock", "mutex", "address", on="holder other"),
    "pthread-cond": Row("condition futex", "condvar futex", "address", check=check_ownerless),
    "pthread-cond-timed": Row("condition futex", "condvar futex", "address", check=check_ownerless),
    "pthread-join": Row("join", "thread", on="thread other"),
    "sem-wait": Row("semaphore futex", "semaphore futex", "address", check=check_ownerless),
    "pthread-barrier": Row("barrier futex", "barrier futex", "address", check=check_ownerless),
    "pthread-rwlock-read": Row("lock", "rwlock", "address", on="holder other"),
    "pthread-rwlock-write": Row("lock", "rwlock", "address", on="holder other"),
    "mutex-recursive": MUTEX,
    "mutex-errorcheck": MUTEX,
    "mutex-adaptive": MUTEX,
    "mutex-robust": MUTEX_TOLD,
    "mutex-inherit": MUTEX_TOLD,
    "mutex-robust-inherit": MUTEX_TOLD,
    "mutex-protect": MUTEX,
    "mutex-timed": MUTEX,
    "mutex-self": dataclasses.replace(MUTEX, deadlock=True),
    # Who they are, the lock does not record.
    "rwlock-shared-read": Row("lock", "rwlock", "address", holder=True),
    "rwlock-shared-write": Row("lock", "rwlock", "address", holder=True),
    "rwlock-readers": Row("lock", "rwlock", "address", check=check_readers),
    "stdio-lock": MUTEX_TOLD,
    "c11-mutex": MUTEX,
    "c11-mutex-recursive": MUTEX,
    "mutex-shared": MUTEX_SHARED,
    "mutex-shared-recursive": MUTEX_SHARED,
    "mutex-shared-robust": MUTEX_SHARED,
    "mutex-shared-inherit": MUTEX_SHARED,
    "mutex-shared-from-inside": MUTEX_SHARED,
    "mutex-shared-to-inside": MUTEX_SHARED,
    "mutex-shared-both-inside": MUTEX_SHARED,
    "mutex-shared-robust-inside": MUTEX_SHARED,
    "mutex-namespace": MUTEX,
    "mutex-namespace-robust": MUTEX_TOLD,
    "musl-normal": Row("lock", "mutex", "address", check=check_nobody),
    "musl-recursive": MUTEX,
    "musl-errorcheck": MUTEX,
    "musl-robust": MUTEX,
    "musl-inherit": MUTEX_TOLD,
    "musl-shared-robust": MUTEX_TOLD,
    "tcp-between-netns": TCP_RECEIVE,
    "tcp-remote": Row("receive", "tcp", "fd local remote", state="ESTABLISHED", check=check_remote),
    "tcp-backlog": TCP_RECEIVE,
    "udp-connected": Row("receive", "udp", "fd local remote", on="peer peer"),
    "udp-between-netns": Row("receive", "udp", "fd", on="peer peer"),
    "udp-bound": Row("receive", "udp", "fd local remote", on="peer peer"),
    # Only where all of the machine is in sight it is certain that nobody else can.
    "pipe-self": Row("read", "pipe", "fd", deadlock=True),
    "pipe-self-signal": Row("read", "pipe", "fd", on="peer"),
    "eventfd-other": Row("read", "eventfd", "fd", on="peer peer"),
    "tty-container": Row("read", "tty", "fd path", on="peer peer"),
    "many-threads": Row("futex", "futex", "address", ask="pid",
                        check=check_crowd),
    "wait-any": Row("child", "process -"),
    "waitpid": CHILD,
    "waitid-pidfd": Row("child", "process", "pid fd", check=check_child),
    "poll-pidfd": Row("poll", "poll-set", members=True, on="child child", check=check_polled),
    "waitpid-group": CHILD_GROUP,
    "waitid-group": CHILD_GROUP,
    "waitpid-own-group": CHILD_GROUP,
    "waitpid-namespace": Row("child", "process", check=check_child),
    "waitpid-traced": Row("child", "process", "pid", check=check_tracee),
    # Which of the processes it traces, if there are several, is nowhere to be read.
    "wait-any-traced": Row("child", "process -", most="likely", check=check_tracees),
    "vfork": CHILD,
    "vfork-siblings": CHILD,
    "zombie": Row("zombie", on="parent parent"),
    "zombie-leader": Row("zombie", ask="thread", check=check_leader),
    "stopped": STOPPED,
    "stopped-tstp": STOPPED,
    "traced-syscall": TRACED,
    "traced-interrupt": TRACED,
    # Another program may have the CPU at the moment of asking, or not have it.
    "running": Row("running", also="runnable", still=False),
    "runnable": Row("runnable", also="running", still=False),
    "throttled": Row("throttled runnable", also="running", still=False, check=check_quota),
    "memory-oom": Row("memory", "cgroup", "path"),
    "frozen-v1": Row("frozen", "cgroup", "path"),
    "frozen-v2": Row("frozen", "cgroup", "path"),
    "disk-read": Row("disk", "block", "fd path", check=check_device),
    "disk-fsync": Row("disk", "block", "fd path", check=check_device),
    "disk-read-file": DISK,
    "disk-read-cold": DISK,
    "disk-read-overlay": Row("disk", "file", "fd path fs mount", check=check_overlay),
    "disk-fault": Row("disk", "file block -"),
    "userfaultfd-fault": Row("reply unknown", "userfaultfd -", on="server pid"),
    # It is in write(2) to a pipe that has room.
    "userfaultfd-write": Row("reply unknown", "userfaultfd -", on="server pid"),
    # So is this one: it waits for the pipe's mutex, which the one above holds.
    "pipe-mutex": Row("lock unknown", "kernel-mutex pipe -", check=check_kernel_lock),
    "position-mutex": Row("lock unknown", "kernel-mutex -", check=check_kernel_lock),
    "inode-rwsem": Row("lock unknown", "kernel-rwsem -", check=check_kernel_lock),
    # It is in accept(2) on a listening socket, which has not been asked yet.
    "seccomp-accept": Row("reply unknown", "seccomp -", on="server pid"),
    "fanotify-open": Row("reply unknown", "fanotify -", on="server stage"),
    "flock": Row("lock", "flock", "fd path inode", holder=True),
    "flock-self": Row("lock", "flock", "fd path inode", holder=True, check=check_self,
                      deadlock=True),
    "flock-shared": Row("lock", "flock", "fd path inode", holder=True, check=check_each),
    "posix-lock-shared": Row("lock", "posix-lock", "fd path inode", holder=True, check=check_each),
    "ofd-lock-shared": Row("lock", "ofd-lock", "fd path inode", holder=True, check=check_each),
    "flock-forked": Row("lock", "flock", "fd path inode", holder=True, check=check_any),
    "ofd-lock-forked": Row("lock", "ofd-lock", "fd path inode", holder=True, check=check_any),
    "flock-inherited": Row("lock", "flock", "fd path inode", holder=True),
    "flock-holder-inside": Row("lock", "flock", "fd path inode", holder=True),
    "flock-waiter-inside": Row("lock", "flock", "fd path inode", holder=True),
    "posix-lock": Row("lock", "posix-lock", "fd path inode first_byte last_byte", holder=True),
    "posix-lock-thread": Row("lock", "posix-lock", "fd path inode first_byte last_byte",
                             holder=True),
    "ofd-lock": Row("lock", "ofd-lock", "fd path inode first_byte last_byte", holder=True),
    "lease-open": Row("lock", "lease", "path inode", holder=True),
    "fuse-open": Row("reply", "fuse", "path", check=check_mount),
    "fuse-stat": Row("reply", "fuse", "path", check=check_mount),
    "fuse-read": FUSE_FD,
    "fuse-read-page": FUSE_FD,
    "fuse-write": FUSE_FD,
    "fuse-readdir": FUSE_FD,
    # Which file the faulting address belongs to is not in the files that do not block.
    "fuse-fault": Row("reply", "fuse"),
    "autofs-open": Row("reply", "directory", "path", check=check_mount),
    "sysv-msgrcv": Row("receive", "sysv-msg", "id", check=check_last),
    "sysv-msgsnd": Row("send", "sysv-msg", "id", check=check_last),
    "sysv-semop": Row("semaphore", "sysv-sem", "id number needed", check=check_last),
    "mq-receive": Row("receive", "posix-mq", "fd path", on="peer stage"),
    "mq-send": Row("send", "posix-mq", "fd path", on="peer stage"),
    "io-uring-wait": Row("poll", "io_uring", "fd"),
    "i386-nanosleep": Row("sleep", "timer -", calls="nanosleep"),
    "i386-read": Row("read", "pipe", "fd inode", calls="read"),
    "hostile-names": Row("signal", check=check_names),
}

ROWS = {name: dataclasses.replace(row, rules=rules_of(name)) for name, row in ROWS.items()}


def read_line(line):
    """Of a scene's first line: the words of a ready one and the reason of a skip, or None."""
    line = line.decode().rstrip("\n")
    if line.startswith("ready "):
        return dict(word.split("=", 1) for word in line.split(" ")[1:]), None
    return None, line[len("skip "):] if line.startswith("skip ") else None


class Scene:
    """A scene that is ready; the end of its input ends it."""

    def __init__(self, program, name):
        self.begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self.process = subprocess.Popen([program, name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.name = name
        self.ready, self.reason = read_line(self.process.stdout.readline())
        self.made = time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def end(self):
        """Returns the exit status and what it said on its standard error."""
        try:
            _, err = self.process.communicate(timeout=START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, err = self.process.communicate()
        return self.process.returncode, err.decode(errors="backslashreplace").strip()


def thread_facts(read, still):
    """What must be the same before and after; None when the thread is gone.

    read(name) gives a file of the thread's directory, None when it cannot be read.
    """
    words, status, call = read("stat"), read("status"), read("syscall")
    if words is None or status is None:
        return None
    words = words.rpartition(b")")[2].split()
    facts = {"state": words[0].decode(), "start": words[19].decode()}
    if still:
        facts["call"] = (call or b"").decode()
        facts["switches"] = b" ".join(re.findall(rb"ctxt_switches:\s*(\d+)", status)).decode()
    return facts


def read_document(status, out, err):
    """The document that pwhy --json printed."""
    # 3: something that was asked for is hidden; 4: there is a deadlock; the document says what.
    if status not in (0, 3, 4):
        raise Failure("exit status 0", f"{status}: {err.decode(errors='replace').strip()}")
    try:
        document = json.loads(out.decode())
    except ValueError as e:
        raise Failure("a JSON document in UTF-8", e) from e
    if document.get("schema") != 1 or not isinstance(document.get("threads"), list):
        raise Failure("schema 1 with threads", sorted(document))
    if (status == 4) != bool(document.get("deadlocks")):
        raise Failure("exit status 4 with a deadlock only", f"{status}: {document.get('deadlocks')}")
    return document


def thread_of(document, tid):
    for thread in document["threads"]:
        if thread.get("tid") == int(tid):
            return thread
    raise Failure(f"thread {tid}", [t.get("tid") for t in document["threads"]])


def read_release(text):
    return tuple(map(int, re.findall(r"\d+", text)[:2]))


def as_number(value):
    return int(value, 0) if isinstance(value, str) else value


def address_plain(text):
    """An IPv4 address may be written as such where a socket has it as an IPv6 one."""
    return re.sub(r"^\[::ffff:([0-9.]+)\]", r"\1", text)


class Check:
    """The judgement of one row's evidence."""

    def __init__(self, row, evidence):
        self.row = row
        self.evidence = evidence
        self.ready = evidence.ready

    def judge(self):
        """Returns the verdict that pwhy gave; raises Failure."""
        try:
            return self.judge_once()
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise Failure("a document as the contract says", repr(e)) from e

    def judge_once(self):
        row, evidence, ready = self.row, self.evidence, self.ready
        document = evidence.documents[ready["tid"]]
        thread = thread_of(document, ready["tid"])
        self.check_thread(thread)
        self.check_verdict(document, thread)
        self.check_text(thread["wait"])
        if row.still:
            self.check_time(thread["wait"])
            self.check_stack(thread)
        self.check_object(thread["wait"])
        self.check_owners(thread["wait"])
        if row.holder and evidence.root:
            self.check_holders(document, thread["wait"])
        if row.on and evidence.root:
            self.check_all_owners(thread["wait"])
        if row.check:
            row.check(evidence, ready, thread)
        if evidence.before != evidence.after:
            raise Failure(f"undisturbed, {evidence.before}", evidence.after)
        return thread["wait"]

    def check_thread(self, thread):
        row, ready, before = self.row, self.ready, self.evidence.before
        if before is None:
            raise Failure("a thread", "one that is gone")
        if thread.get("pid") != int(ready["pid"]):
            raise Failure(f"pid {ready['pid']}", thread.get("pid"))
        if thread.get("state") != before["state"]:
            raise Failure(f"state {before['state']}", thread.get("state"))
        call = thread.get("syscall")
        if not call or not row.still:
            return
        number = before["call"].split(" ")[0].strip()
        if number not in ("", "-1", "running") and str(call.get("nr")) != number:
            raise Failure(f"system call {number}", call.get("nr"))
        if row.calls and call.get("name", row.calls) not in row.calls.split():
            raise Failure(f"system call {row.calls}", call["name"])

    def check_verdict(self, document, thread):
        row, wait = self.row, thread["wait"]
        reason, confidence = wait["reason"], wait["confidence"]
        if reason not in REASONS or confidence not in CONFIDENCES:
            raise Failure("a reason and a confidence of the contract", f"{reason}, {confidence}")
        allowed = row.reasons.split() + row.also.split()
        # Without privileges there is less to know from.
        if not self.evidence.root and not thread.get("kernel_stack"):
            allowed.append("unknown")
        if reason not in allowed:
            false = ", and that is certain to it" if confidence == "certain" else ""
            raise Failure(f"reason {' or '.join(row.reasons.split())}",
                          f"{reason} ({confidence}: {wait.get('text')}{false})")
        if (reason not in ["unknown", *row.also.split()] and row.rules is not None and
                wait["rule"] not in row.rules.split()):
            raise Failure(f"rule {' or '.join(row.rules.split()) or 'named in scene_rules.py'}",
                          f"{wait['rule']} ({wait.get('text')})")
        most = "likely" if reason == "unknown" else row.most
        if CONFIDENCES.index(confidence) > CONFIDENCES.index(most):
            raise Failure(f"{reason} at most {most}", confidence)
        if self.evidence.root and CONFIDENCES.index(confidence) < CONFIDENCES.index(row.least):
            raise Failure(f"{reason} at least {row.least}", confidence)
        members = [m for d in document.get("deadlocks", []) for m in d["members"]]
        right = [{"pid": thread["pid"], "tid": thread["tid"]}] if row.deadlock else []
        if thread.get("deadlocked", False) != row.deadlock or members != right:
            raise Failure(f"deadlocks {right}", members)

    def check_text(self, wait):
        ready, text = self.ready, wait.get("text")
        if not text or text.endswith("."):
            raise Failure("a sentence without its full stop", repr(text))
        for sibling in ready.get("sibling", "").split(","):
            if sibling and re.search(rf"\b{sibling}\b", text):
                raise Failure(f"only process {ready['child']}", text)
        if wait["reason"] != "unknown" and not wait.get("evidence"):
            raise Failure("evidence", "none")

    def check_time(self, wait):
        """It went to sleep after the scene began and before the scene was ready."""
        evidence, told = self.evidence, wait.get("for_ns")
        if told is None:
            return
        slack = FOR_SLACK_NS + wait.get("for_error_ns", 0)
        least, most = evidence.asked - evidence.made, evidence.answered - evidence.begin
        if not least - slack <= told <= most + slack:
            raise Failure(f"for_ns between {least} and {most}, +- {slack}", told)

    def check_stack(self, thread):
        """ "[<0>] inet_csk_accept+0x246/0x380" """
        text = self.evidence.stack
        if text is None:
            return
        right = re.findall(r"^\[<[0-9a-f]+>\] ([^\s+]+)\+0x", text, re.MULTILINE)
        told = [f.get("symbol") for f in thread.get("kernel_stack") or []]
        if told != right:
            raise Failure(f"kernel stack {right}", told)

    def check_object(self, wait):
        row, ready = self.row, self.ready
        thing = wait.get("object") or {}
        kind, told = thing.get("kind"), wait["reason"] != "unknown"
        if kind is not None and kind not in KINDS:
            raise Failure("a kind of the contract", kind)
        if told and row.kinds and (kind or "-") not in row.kinds.split():
            raise Failure(f"kind {' or '.join(row.kinds.split())}", kind)
        for field in row.must.split() if told else ():
            if field not in thing:
                raise Failure(f"{field} {ready.get(field)}", f"none in {json.dumps(thing)}")
        self.check_fields(thing)
        self.check_deadline(thing, told)
        if row.members:
            self.check_members(thing)

    def check_fields(self, thing):
        row, ready = self.row, self.ready
        for field in ("fd", "inode", "counter", "id", "number", "needed", "first_byte",
                      "last_byte"):
            if field in thing and field in ready and as_number(thing[field]) != int(ready[field]):
                raise Failure(f"{field} {ready[field]}", thing[field])
        if thing.get("kind") == "cgroup":
            # pwhy tells the path within the hierarchy, as /proc/PID/cgroup does.
            if "path" in thing and not ready["path"].endswith(thing["path"]):
                raise Failure(f"the end of {ready['path']}", thing["path"])
            return
        for field in ("path", "local", "remote"):
            if field in thing and field in ready and address_plain(
                    thing[field]) != address_plain(ready[field]):
                raise Failure(f"{field} {ready[field]}", thing[field])
        if "address" in thing and "address" in ready:
            right = [ready[k] for k in ("address", "object", "address2") if k in ready]
            if as_number(thing["address"]) not in [int(a, 16) for a in right]:
                raise Failure(f"address {' or '.join(right)}", thing["address"])
        if row.state and "state" in thing and thing["state"].replace("-", "_") != row.state:
            raise Failure(f"state {row.state}", thing["state"])
        if "child" in ready and "pid" in thing and thing["pid"] != int(ready["child"]):
            raise Failure(f"process {ready['child']}", thing["pid"])

    def check_deadline(self, thing, told):
        row, ready, evidence = self.row, self.ready, self.evidence
        left = thing.get("deadline_ns")
        if left is None:
            # What is left of a relative time takes the moment it began, which not all may see.
            if told and row.deadline == "must" and evidence.root:
                raise Failure("a deadline", f"none in {json.dumps(thing)}")
            return
        if row.deadline == "never" or "expires" not in ready:
            raise Failure("no deadline", left)
        least = int(ready["expires"]) - evidence.answered
        most = int(ready["expires"]) - evidence.asked
        if not least - SLACK_NS <= left <= most + SLACK_NS:
            raise Failure(f"deadline_ns near {most}", left)

    def check_members(self, thing):
        ready = self.ready
        pairs = (word.split(":") for word in ready["members"].split(","))
        right = {int(fd): kind for fd, kind in pairs}
        members = thing.get("members") or []
        for member in members:
            fd, kind = member.get("fd"), member.get("kind")
            if fd not in right:
                raise Failure(f"members {ready['members']}", f"fd {fd} too")
            if kind is not None and kind != right[fd]:
                raise Failure(f"fd {fd} is {right[fd]}", kind)
        if len({m["fd"] for m in members}) < min(len(right), MEMBERS_MAX):
            raise Failure(f"members {ready['members']}", json.dumps(members))

    def check_holders(self, document, wait):
        # Where others keep very many files open, the search ends early, and that is said.
        cut = any("too many open files" in gap["why"] for gap in document["capture"]["missing"])
        if cut and not wait["on"]:
            return
        told = sorted(o["pid"] for o in wait.get("on", []) if o.get("role") == "holder")
        right = sorted(int(pid) for pid in self.ready["holder"].split(","))
        if told != right:
            raise Failure(f"holders {right}", told)

    def check_all_owners(self, wait):
        role, *keys = self.row.on.split()
        told = sorted((o["role"], o.get("tid" if "tid" in o else "pid")) for o in wait["on"])
        right = {int(number) for key in keys for number in self.ready[key].split(",")}
        if told != sorted((role, number) for number in right):
            raise Failure(f"{role} {sorted(right)}", wait["on"])

    def check_owners(self, wait):
        ready = self.ready
        for owner in wait.get("on", []):
            keys = ROLES.get(owner.get("role"))
            if keys is None:
                raise Failure("a role of the contract", owner)
            right = {int(n) for k in keys if k in ready for n in ready[k].split(",")}
            # A thread of the process itself is told by its TID; what a file is locked by is
            # the process.
            own = owner["pid"] == int(ready["pid"]) and (
                owner.get("tid") in right or "holder" not in ready and
                owner["role"] in ("holder", "thread"))
            one = owner.get("tid") if own else owner["pid"]
            if one not in right:
                raise Failure(f"{owner['role']} among {sorted(right)}", owner)


def drop_sys_admin():
    """What is started now cannot read kernel stacks. ctypes' prctl() takes longs."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_CAPBSET_DROP)")


class Test:
    """Scenes of this machine."""

    def __init__(self, pwhy, scene, source):
        self.pwhy = pwhy
        self.source = source
        self.scene = scene
        self.stacks = True  # pwhy may read them
        self.rules = {}  # that scenes came to
        self.ways = [("", source, True)]
        if os.geteuid() == 0 and source == "auto":
            self.ways += [("from /proc", "proc", True), ("without stacks", "proc", False)]

    def call(self, *args):
        return subprocess.run([self.pwhy, f"--source={self.source}", *args],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PWHY_S,
                              check=False, preexec_fn=None if self.stacks else drop_sys_admin)

    def ask(self, target):
        run = self.call("--json", target)
        return read_document(run.returncode, run.stdout, run.stderr)

    def run(self, name):
        """Returns a reason for skipping, or None when all is well; raises Failure."""
        row = ROWS.get(name)
        scene = Scene(self.scene, name)
        failure = None
        try:
            if scene.ready:
                if row is None:
                    raise Failure("a row for this scene", "none")
                for way in self.ways:
                    self.judge(row, scene, way)
        except Failure as e:
            failure = e
        except OSError as e:
            failure = Failure("that pwhy can be run", e)
        except subprocess.TimeoutExpired:
            failure = Failure("an answer", f"none in {PWHY_S} s")
        finally:
            status, err = scene.end()
        if failure:
            raise failure
        return scene_outcome(scene.ready, scene.reason, status, err)

    def judge(self, row, scene, way):
        """One way of looking: what the case is called, the source, whether stacks may be seen."""
        what, self.source, self.stacks = way
        try:
            rule = judge_tries(row, (self.look(row, scene) for _ in tries()))
        except Failure as failure:
            if not what:
                raise
            raise Failure(what, failure) from None
        if rule:
            self.rules.setdefault(rule, {})[scene.name] = None

    def look(self, row, scene):
        """Returns the evidence of one look at a scene."""
        ready, tid = scene.ready, scene.ready["tid"]

        def read(name):
            try:
                return Path(f"/proc/{tid}/task/{tid}/{name}").read_bytes()
            except OSError:
                return None

        before = thread_facts(read, row.still)
        asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        documents = {tid: self.ask(tid)}
        answered = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        after = thread_facts(read, row.still)
        stack = read("stack")
        for key in row.ask.split():
            documents.setdefault(ready[key], self.ask(ready[key]))
        return Evidence(
            ready=ready, begin=scene.begin, made=scene.made, asked=asked, answered=answered,
            before=before, after=after, documents=documents,
            text=self.call(tid).stdout.decode() if row.check else "",
            stack=None if stack is None or not self.stacks else stack.decode(),
            device=find_device(ready["path"]) if row.check is check_device else None,
            root=os.geteuid() == 0 and self.stacks, release=read_release(os.uname().release))


def tries():
    """As often as it takes for what is true for a moment, on a busy machine."""
    end = time.monotonic() + TRIES_S
    while time.monotonic() < end:
        yield


def find_device(path):
    sb = os.stat(path)
    number = sb.st_rdev if stat.S_ISBLK(sb.st_mode) else sb.st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    return device, os.path.basename(os.path.realpath(f"/sys/dev/block/{device}"))


def judge_tries(row, tries):
    """Judges one look after the other, until it is none of those that are true for a moment.

    Returns the name of the rule, None of a verdict that is "unknown".
    """
    for evidence in tries:
        wait = Check(row, evidence).judge()
        if wait["reason"] not in row.also.split():
            return wait.get("rule")
    raise Failure(f"reason {row.reasons}", f"only {row.also}")


def scene_outcome(ready, reason, status, err):
    """Of a scene that no check failed of: a reason for skipping, or None; raises Failure."""
    if reason is not None and status == 77:
        return reason
    if status != 0 or not ready:
        raise Failure("a scene", f"exit status {status}: {err}")
    return None


def parse_arguments():
    build = Path(os.environ.get("PWHY_BUILD", ROOT / "build"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pwhy", default=os.environ.get("PWHY", str(build / "pwhy")))
    parser.add_argument("--source", default="auto", help="of pwhy (%(default)s)")
    parser.add_argument("--scene", default=str(build / "tests" / "scene"))
    parser.add_argument("--rules", action="store_true",
                        help="write scene_rules.py anew: read the difference before you commit")
    parser.add_argument("names", nargs="*", metavar="NAME")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    for program in (arguments.pwhy, arguments.scene):
        if not os.access(program, os.X_OK):
            sys.exit(f"{program}: cannot be executed")
    listed = subprocess.run([arguments.scene, "--list"], check=True, capture_output=True,
                            text=True).stdout.split()
    test = Test(arguments.pwhy, arguments.scene, arguments.source)
    if arguments.rules:
        ROWS.update({name: dataclasses.replace(row, rules=None) for name, row in ROWS.items()})
    passed = failed = 0
    skipped = set()
    for name in arguments.names or listed:
        try:
            reason = test.run(name)
        except Failure as failure:
            failed += 1
            print(f"FAILED {name}: {failure}", flush=True)
            continue
        if reason is None:
            passed += 1
            print(f"ok {name}", flush=True)
        else:
            skipped.add(name)
            print(f"skip {name}: {reason}", flush=True)
    for name in sorted(set(ROWS) - set(listed)):
        failed += 1
        print(f"FAILED {name}: expected a scene got a row only", flush=True)
    if arguments.rules:
        write_rules(test.rules, skipped)
    # Each rule that the scenes stand for, if they could be made.
    whole = not arguments.names and not arguments.rules and len(test.ways) > 1
    if whole and "mutex-protect" in test.rules.get("mutex-memory", ()):
        for rule in WITHOUT_NAMES_NONE:
            skipped.add(rule)
            print(f"skip rule {rule}: the C library's functions have no names (libc6-dbg)")
    for rule, scenes in RULES.items() if whole else ():
        if not {rule, *scenes.split()} & {*test.rules, *MOMENTARY, *skipped}:
            failed += 1
            print(f"FAILED rule {rule}: expected a scene that comes to it got none", flush=True)
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
