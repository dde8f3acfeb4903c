# SPDX-License-Identifier: GPL-2.0-or-later
"""Which rule each scene must lead to: what is there, and what the table of rules is proven by.

A scene may come to one of several rules, by what can be seen: it stands with each of them. That
every rule of the table is here or in a golden, test_rules.py checks; that a scene comes to one of
its rules, and every rule is come to, test_scenes.py.
"""

RULES = {
    "tcp-accept":
        "tcp-accept tcp-accept4 tcp6-accept tcp6-accept4 tcp-accept-netns "
        "tcp-accept-thread-netns socket-inherited",
    "tcp-connect": "tcp-connect tcp6-connect",
    "tcp-receive":
        "tcp-recv tcp-read tcp-recvmsg tcp-readv tcp6-recv tcp6-recv-mapped "
        "tcp-recv-waitall tcp-recv-timeout"
        " tcp-backlog tcp-between-netns",
    "tcp-send": "tcp-send tcp-write tcp6-send",
    "datagram-receive":
        "udp-recvfrom udp6-recvfrom udp-recvmmsg raw-recv netlink-recv packet-recv"
        " udp-bound udp-connected",
    "vsock-accept": "vsock-accept",
    "unix-accept": "unix-accept unix-accept-abstract unix-accept-forged unix-seqpacket-accept",
    "unix-receive": "unix-recv unix-socketpair-read",
    "unix-datagram-receive": "unix-seqpacket-recv unix-dgram-recv",
    "unix-send": "unix-send-full sendfile-full",
    "unix-connect": "unix-connect-full",
    "unix-datagram-send":
        "unix-dgram-send-full"
        " unix-dgram-sendto-full",
    "pipe-read":
        "pipe-read-empty pipe-read-packet pipe-splice fifo-read dup-900 thread-own-files "
        "i386-read"
        " pipe-self pipe-self-signal",
    "pipe-write": "pipe-write-full pipe-splice-full",
    "fifo-open": "fifo-open-read fifo-open-write",
    "tty-read":
        "tty-read"
        " tty-container",
    "pty-master-read": "tty-read-master",
    "tty-write": "tty-write-stopped tty-write-full",
    "stopped": "tty-stopped stopped stopped-tstp",
    "poll":
        "poll poll-million poll-timeout poll-out poll-restarted poll-100 poll-sparse "
        "poll-sparse-timeout ppoll ppoll-timeout "
        "poll-pidfd",
    "poll-sleep": "poll-sleep",
    "select": "select select-timeout pselect pselect-timeout",
    "select-sleep": "select-sleep",
    "epoll": "epoll-wait epoll-nested epoll-stale epoll-stale-anonymous epoll-pwait2-timeout",
    "eventfd-read":
        "eventfd-read thread-own-eventfd"
        " eventfd-other",
    "eventfd-write": "eventfd-write",
    "timerfd-read": "timerfd-read timerfd-read-realtime timerfd-read-unarmed",
    "signalfd-read": "signalfd-read",
    "inotify-read": "inotify-read",
    "sleep":
        "nanosleep sleep clock-nanosleep-realtime clock-nanosleep-monotonic "
        "clock-nanosleep-cpu clock-nanosleep-namespace i386-nanosleep",
    "sleep-restarted": "nanosleep-restarted",
    "pause": "pause hostile-names",
    "sigsuspend": "sigsuspend",
    "sigtimedwait": "sigwaitinfo sigtimedwait",
    "futex":
        "futex-wait futex-wait-timeout futex-restarted futex-wait-bitset pthread-mutex "
        "pthread-cond pthread-cond-timed pthread-join sem-wait pthread-barrier "
        "pthread-rwlock-read pthread-rwlock-write many-threads",
    "futex-any": "futex-waitv",
    "futex-requeue-pi": "futex-requeue-pi futex-requeued-pi",
    "futex-pi": "futex-pi",
    "wait-children": "wait-any",
    "wait-child": "waitpid waitid-pidfd waitpid-namespace",
    "wait-group": "waitpid-group waitid-group waitpid-own-group",
    "wait-process": "waitpid-traced",
    "wait-no-child": "wait-any-traced",
    "vfork": "vfork vfork-siblings",
    "zombie": "zombie",
    "zombie-leader": "zombie-leader",
    "traced": "traced-syscall traced-interrupt",
    "running": "running",
    "running-or-ready": "running",
    "runnable": "runnable",
    "throttled": "throttled",
    "runnable-quota": "throttled",
    "frozen-by": "frozen-v1 frozen-v2",
    "memory-cgroup": "memory-oom",
    "disk-direct": "disk-read disk-read-file",
    "disk-flush-page": "disk-fsync",
    "disk-page": "disk-read-cold disk-read-overlay",
    "fault-file": "disk-fault",
    "userfaultfd": "userfaultfd-fault userfaultfd-write",
    "pipe-lock": "pipe-mutex",
    "seccomp-notify": "seccomp-accept",
    "fanotify-permission": "fanotify-open",
    "flock": "flock flock-self flock-shared flock-inherited",
    "posix-lock": "posix-lock-thread posix-lock",
    "ofd-lock": "ofd-lock",
    "lease": "lease-open",
    "fuse": "fuse-open fuse-stat fuse-read fuse-write fuse-readdir fuse-fault",
    "fuse-mount": "fuse-read-page",
    "autofs": "autofs-open",
    "sysv-msg-receive": "sysv-msgrcv",
    "sysv-msg-send": "sysv-msgsnd",
    "sysv-sem": "sysv-semop",
    "mq-receive": "mq-receive",
    "mq-send": "mq-send",
    "mutex": "c11-mutex c11-mutex-recursive mutex-adaptive mutex-errorcheck mutex-namespace mutex-namespace-robust mutex-protect mutex-recursive mutex-robust mutex-self mutex-shared mutex-shared-both-inside mutex-shared-from-inside mutex-shared-recursive mutex-shared-robust mutex-shared-robust-inside mutex-shared-to-inside mutex-timed pthread-mutex",
    "mutex-memory": "c11-mutex c11-mutex-recursive mutex-adaptive mutex-errorcheck mutex-namespace mutex-namespace-robust mutex-protect mutex-recursive mutex-robust mutex-self mutex-shared mutex-shared-both-inside mutex-shared-from-inside mutex-shared-recursive mutex-shared-robust mutex-shared-robust-inside mutex-shared-to-inside mutex-timed pthread-mutex musl-errorcheck musl-normal musl-recursive musl-robust",
    "mutex-robust": "musl-inherit musl-shared-robust musl-robust mutex-inherit mutex-robust-inherit mutex-shared-inherit stdio-lock mutex-robust mutex-shared-robust mutex-shared-robust-inside mutex-namespace-robust",
    "stdio-lock-held": "stdio-lock",
    "condition": "pthread-cond pthread-cond-timed",
    "join": "pthread-join",
    "semaphore": "sem-wait",
    "barrier": "pthread-barrier",
    "rwlock-read": "pthread-rwlock-read",
    "rwlock-write": "pthread-rwlock-write rwlock-readers",
    "rwlock-memory": "pthread-rwlock-read pthread-rwlock-write rwlock-readers",
    "join-memory": "pthread-join",
    "join-witnessed": "pthread-join",
    "queued": "runnable",
    "throttled-told": "throttled",
    "kernel-lock": "inode-rwsem pipe-mutex position-mutex",
    "io-uring": "io-uring-wait",
}

# What scenes come to on other kernels (kernels.py).
ELSEWHERE = {
    "io-uring-inlined": "io-uring-wait",
}

# What only the program inside the kernel tells, or only who has but files.
OF_ONE_SOURCE = {
    "kernel-lock": "all",
    "queued": "all",
    "throttled-told": "all",
    "pipe-lock": "files",
    "runnable": "files",
    "throttled": "files",
    "runnable-quota": "files",
}
OF_ONE_SOURCE.update(dict.fromkeys(
    """mutex condition join semaphore barrier rwlock-read rwlock-write stdio-lock-held""".split(),
    "all"))
OF_ONE_SOURCE.update(dict.fromkeys(
    "rwlock-memory join-witnessed".split(), "files"))
OF_ONE_SOURCE["join-memory"] = "user"  # who may not ask for the second witness

# Runtimes of which no program is made here: tests/unit/test-explain.c has each of these rules.
BY_UNIT_TEST = """python-gil python-lock java-monitor java-wait java-park loader-lock go-idle go-note
go-lock rust-mutex rust-rwlock rust-condvar rust-once rust-park condition-mutex condition-or-mutex
once malloc-lock stdio-lock exit-lock fork-lock resolver-lock poll-resolver""".split()

# Whether it is on a CPU just then, a busy machine decides.
MOMENTARY = ("running", "running-or-ready")


def rules_of(scene):
    return " ".join(rule for table in (RULES, ELSEWHERE) for rule, scenes in table.items()
                    if scene in scenes.split())
