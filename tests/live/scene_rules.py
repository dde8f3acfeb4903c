# SPDX-License-Identifier: GPL-2.0-or-later
"""Which rule each scene must lead to: what is there, and what the table of rules is proven by.

A scene may come to one of several rules, by what can be seen: it stands with each of them.
"test_scenes.py --rules" writes the table anew; read the difference before you commit it. That
every rule of the table is here or in a golden, test_rules.py checks; that a scene comes to one of
its rules, and every rule is come to, test_scenes.py.
"""
import textwrap
from pathlib import Path

RULES = {
    "tcp-accept":
        "tcp-accept tcp-accept4 tcp6-accept tcp6-accept4 tcp-accept-netns "
        "tcp-accept-thread-netns socket-inherited",
    "tcp-connect": "tcp-connect tcp6-connect",
    "tcp-receive":
        "tcp-recv tcp-read tcp-recvmsg tcp-readv tcp6-recv tcp6-recv-mapped "
        "tcp-recv-waitall tcp-recv-timeout tcp-between-netns tcp-remote tcp-backlog",
    "tcp-send": "tcp-send tcp-write tcp6-send",
    "datagram-receive":
        "udp-recvfrom udp6-recvfrom udp-recvmmsg raw-recv netlink-recv packet-recv "
        "udp-connected udp-bound udp-between-netns",
    "vsock-accept": "vsock-accept",
    "unix-accept": "unix-accept unix-accept-abstract unix-accept-forged unix-seqpacket-accept",
    "unix-receive": "unix-recv unix-socketpair-read",
    "unix-datagram-receive": "unix-seqpacket-recv unix-dgram-recv",
    "unix-send": "unix-send-full sendfile-full",
    "unix-connect": "unix-connect-full",
    "unix-datagram-send": "unix-dgram-send-full unix-dgram-sendto-full",
    "pipe-read":
        "pipe-read-empty pipe-read-packet pipe-splice fifo-read dup-900 thread-own-files "
        "pipe-self pipe-self-signal i386-read",
    "pipe-write": "pipe-write-full pipe-splice-full",
    "fifo-open": "fifo-open-read fifo-open-write",
    "tty-read": "tty-read tty-container",
    "pty-master-read": "tty-read-master",
    "tty-write": "tty-write-stopped tty-write-full",
    "stopped": "tty-stopped stopped stopped-tstp",
    "poll":
        "poll poll-timeout poll-out poll-restarted poll-100 poll-sparse "
        "poll-sparse-timeout ppoll ppoll-timeout poll-pidfd poll-million",
    "poll-replaced": "poll-replaced",
    "select-replaced": "select-replaced",
    "poll-sleep": "poll-sleep",
    "select": "select select-timeout pselect pselect-timeout",
    "select-sleep": "select-sleep",
    "epoll":
        "epoll-wait epoll-nested epoll-stale epoll-stale-anonymous epoll-oneshot "
        "epoll-pwait2-timeout",
    "eventfd-read": "eventfd-read thread-own-eventfd eventfd-other",
    "eventfd-write": "eventfd-write",
    "timerfd-read": "timerfd-read timerfd-read-realtime timerfd-read-unarmed",
    "signalfd-read": "signalfd-read",
    "inotify-read": "inotify-read",
    "sleep":
        "nanosleep sleep clock-nanosleep-realtime clock-nanosleep-monotonic "
        "clock-nanosleep-cpu clock-nanosleep-namespace i386-nanosleep",
    "sleep-restarted": "nanosleep-restarted",
    "pause": "pause hostile-names",
    "sigsuspend": "sigsuspend sigsuspend-child sigsuspend-uncaught",
    "sigtimedwait": "sigwait-child sigwaitinfo sigtimedwait",
    "futex": "futex-wait futex-wait-timeout futex-restarted futex-wait-bitset many-threads",
    "futex-any": "futex-waitv",
    "futex-requeue-pi": "futex-requeue-pi futex-requeued-pi",
    "futex-pi": "futex-pi",
    "mutex":
        "pthread-mutex mutex-recursive mutex-errorcheck mutex-adaptive mutex-robust "
        "mutex-protect mutex-timed mutex-self c11-mutex c11-mutex-recursive mutex-shared "
        "mutex-shared-recursive mutex-shared-robust mutex-shared-from-inside "
        "mutex-shared-to-inside mutex-shared-both-inside mutex-shared-robust-inside "
        "mutex-namespace mutex-namespace-robust",
    "condition": "pthread-cond pthread-cond-timed",
    "join": "pthread-join",
    "semaphore": "sem-wait",
    "barrier": "pthread-barrier",
    "rwlock-read": "pthread-rwlock-read rwlock-shared-read",
    "rwlock-write": "pthread-rwlock-write rwlock-readers rwlock-shared-write",
    "mutex-robust":
        "mutex-inherit mutex-robust-inherit mutex-shared-inherit musl-inherit "
        "musl-shared-robust",
    "stdio-lock-held": "stdio-lock",
    "mutex-memory": "musl-normal musl-recursive musl-errorcheck musl-robust",
    "wait-children": "wait-any",
    "wait-child": "waitpid waitid-pidfd waitpid-namespace",
    "wait-group": "waitpid-group waitid-group waitpid-own-group",
    "wait-process": "waitpid-traced",
    "wait-no-child": "wait-any-traced",
    "vfork": "vfork vfork-siblings",
    "zombie": "zombie",
    "zombie-leader": "zombie-leader",
    "traced": "traced-syscall traced-interrupt",
    "queued": "runnable",
    "runnable": "runnable",
    "throttled-told": "throttled",
    "throttled": "throttled",
    "runnable-quota": "throttled",
    "memory-cgroup": "memory-oom",
    "frozen-by": "frozen-v1 frozen-v2",
    "disk-direct": "disk-read disk-read-file",
    "disk-flush-page": "disk-fsync",
    "disk-page": "disk-read-cold disk-read-overlay",
    "fault-file": "disk-fault",
    "userfaultfd": "userfaultfd-fault userfaultfd-write",
    "kernel-lock": "pipe-mutex position-mutex inode-rwsem",
    "pipe-lock": "pipe-mutex",
    "seccomp-notify": "seccomp-accept",
    "fanotify-permission": "fanotify-open",
    "flock":
        "flock flock-self flock-shared flock-forked flock-inherited flock-holder-inside "
        "flock-waiter-inside",
    "posix-lock": "posix-lock-thread posix-lock posix-lock-shared",
    "ofd-lock": "ofd-lock ofd-lock-shared ofd-lock-forked",
    "lease": "lease-open",
    "fuse": "fuse-open fuse-stat fuse-read fuse-write fuse-readdir fuse-fault",
    "fuse-mount": "fuse-read-page",
    "autofs": "autofs-open",
    "sysv-msg-receive": "sysv-msgrcv",
    "sysv-msg-send": "sysv-msgsnd",
    "sysv-sem": "sysv-semop",
    "mq-receive": "mq-receive",
    "mq-send": "mq-send",
    "io-uring": "io-uring-wait",
    "running": "running",
    "running-or-ready": "running",
}

# What test_programs.py and test_servers.py come to, where they can read the programs' own stacks.
PYTHON_RULES = ("python-lock",)
INTERPRETER_RULES = ("python-gil",)
DATABASE_RULES = ("postgresql-lock", "mysql-metadata-lock")
JAVA_RULES = ("java-monitor", "java-wait", "java-park", "java-sleep")

# What test_user.py comes to: the locks that the C library takes for itself, and what memory alone
# tells, without stacks.
LIBRARY_RULES = ("poll-resolver", "resolver-lock", "condition-mutex", "loader-lock", "malloc-lock",
                 "once")
MEMORY_RULES = ("mutex-memory", "join-witnessed", "rwlock-memory")

# What scenes come to on other kernels (kernels.py).
ELSEWHERE = {
    "io-uring-inlined": "io-uring-wait",
}

# What scenes come to where the C library's inner functions have no names (libc6-dbg): it jumps to
# them from those that have.
WITHOUT_NAMES = {
    "mutex-robust":
        "mutex-robust mutex-shared-robust mutex-shared-robust-inside mutex-namespace-robust",
    "mutex-memory": "mutex-protect mutex-timed",
    "join-witnessed": "pthread-join",
    "futex": "sem-wait",
}
WITHOUT_NAMES_NONE = ("join", "semaphore")

# Whether it is on a CPU just then, a busy machine decides.
MOMENTARY = ("running", "running-or-ready")


def rules_of(scene):
    return " ".join(rule for table in (RULES, ELSEWHERE, WITHOUT_NAMES)
                    for rule, scenes in table.items() if scene in scenes.split())


def write_rules(seen, skipped):
    """The table anew, as scenes came to rules; those that could not be made stay where they are."""
    table = {rule: list(scenes) for rule, scenes in seen.items()}
    for rule, scenes in RULES.items():
        kept = skipped if rule not in MOMENTARY else scenes.split()
        table.setdefault(rule, [])
        table[rule] += [name for name in scenes.split()
                        if name in kept and name not in table[rule]]
    lines = []
    for rule in [rule for rule in table if table[rule]]:
        text = textwrap.wrap(" ".join(table[rule]), 80, break_on_hyphens=False)
        line = f'    "{rule}": "{text[0]}",'
        if len(text) == 1 and len(line) < 100:
            lines.append(line)
            continue
        lines.append(f'    "{rule}":')
        lines += [f'        "{part} "' for part in text[:-1]] + [f'        "{text[-1]}",']
    path = Path(__file__)
    before, _, after = path.read_text(encoding="utf-8").partition("\nRULES = {\n")
    path.write_text("".join([before, "\nRULES = {\n", "\n".join(lines), "\n}\n",
                             after.partition("\n}\n")[2]]), encoding="utf-8")

# What test_languages.py proves, where the compilers are.
LANGUAGE_RULES = ("go-locked", "go-idle", "go-note", "rust-mutex", "rust-rwlock", "rust-condvar",
                  "rust-once", "rust-park")
