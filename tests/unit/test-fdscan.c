/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve/fdscan.c: what links are, recorded trees, and this machine: children with pipes, threads
 * with tables of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/fdscan.h"

#include "tree.h"

static void test_links(void **state)
{
        static const struct {
                const char *link;
                enum fd_class class;
                uint64_t number;
        } known[] = {
                { "pipe:[123]", FD_PIPE, 123 },
                { "socket:[18446744073709551615]", FD_SOCKET, UINT64_MAX },
                { "/dev/pts/17", FD_PTS, 17 },
                { "/dev/pts/ptmx", FD_PTMX, 0 },
                { "/dev/ptmx", FD_PTMX, 0 },
                { "/dev/fuse", FD_FUSE, 0 },
                { "anon_inode:[eventfd]", FD_EVENTFD, 0 },
                { "anon_inode:[userfaultfd]", FD_USERFAULT, 0 },
                { "anon_inode:seccomp notify", FD_SECCOMP, 0 },
                { "/dev/pts/17x", FD_PATH, 0 },
                { "/dev/pts/", FD_PATH, 0 },
                { "/tmp/pipe:[1]", FD_PATH, 0 },
                { "/", FD_PATH, 0 },
        };
        static const char *const unknown[] = { "", "pipe:[]", "pipe:[1", "pipe:[1]x", "pipe:[-1]",
                "anon_inode:[timerfd]", "net:[4026531840]", "relative/path" };
        struct fd_entry e;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                assert_true(fdscan_link(known[i].link, &e));
                assert_int_equal(e.class, known[i].class);
                assert_true(e.number == known[i].number);
        }
        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
                assert_false(fdscan_link(unknown[i], &e));
        assert_int_equal(fdscan_name("/a/b/fifo"), fdscan_name("/other/fifo"));
        assert_int_not_equal(fdscan_name("/a/b/fifo"), fdscan_name("/a/b/fif"));
}

static void test_recorded(void **state)
{
        struct tree tree;
        struct procio *io;
        struct snapshot s;
        struct arena *a = arena_new();
        const struct fdscan *scan;
        const struct fd_entry *e;
        size_t n;

        (void)state;
        tree_new(&tree);
        tree_link(&tree, 10, "fd/0", "pipe:[7]");
        tree_link(&tree, 10, "fd/3", "pipe:[8]");
        tree_add(&tree, 10, "fd/3.mode", "fifo\n");
        tree_link(&tree, 9, "fd/5", "pipe:[7]");
        tree_link(&tree, 9, "fd/1", "pipe:[7]");
        tree_link(&tree, 11, "fd/1", "socket:[7]");
        tree_link(&tree, 11, "fd/2", "/var/lock/x");
        snapshot_init(&s, a);
        assert_int_equal(procio_new(tree.root, NULL, &io), 0);
        assert_int_equal(fdscan_new(io, &s, 0, &scan), 0);
        assert_false(scan->by_kernel);
        assert_int_equal(s.n_fd_scans, 1);
        assert_int_equal(scan->n_links, 6);
        e = fdscan_find(scan, FD_PIPE, 7, &n);
        assert_int_equal(n, 3);
        assert_int_equal(e[0].pid, 9);
        assert_int_equal(e[0].fd, 1);
        assert_int_equal(e[1].fd, 5);
        assert_int_equal(e[2].pid, 10);
        e = fdscan_find(scan, FD_SOCKET, 7, &n);
        assert_int_equal(n, 1);
        assert_int_equal(e->pid, 11);
        fdscan_find(scan, FD_PIPE, 9, &n);
        assert_int_equal(n, 0);
        fdscan_class(scan, FD_PIPE, &n);
        assert_int_equal(n, 4);
        fdscan_class(scan, FD_FUSE, &n);
        assert_int_equal(n, 0);
        e = fdscan_class(scan, FD_PATH, &n);
        assert_int_equal(n, 1);
        assert_int_equal(e->name, fdscan_name("x"));
        /* A recording has some processes of a machine, never all. */
        assert_false(fdscan_whole(scan));
        procio_free(io);
        arena_free(a);
        tree_free(&tree);
}

struct child {
        pid_t pid;
        int ready[2];
        pid_t tid;               /* of its thread with a table of its own */
        unsigned long pipe, own; /* inodes: in the process's table, in the thread's */
};

static unsigned long inode_of(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void *thread_main(void *arg)
{
        struct child *c = arg;
        int fds[2];

        if (unshare(CLONE_FILES) < 0 || pipe(fds) < 0)
                _exit(1);
        c->tid = gettid();
        c->own = inode_of(fds[0]);
        if (write(c->ready[1], c, sizeof(*c)) != sizeof(*c))
                _exit(1);
        for (;;)
                pause();
}

static void child_start(struct child *c)
{
        assert_int_equal(pipe(c->ready), 0);
        c->pid = fork();
        assert_true(c->pid >= 0);
        if (c->pid == 0) {
                pthread_t thread;
                int fds[2];

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (pipe(fds) < 0)
                        _exit(1);
                c->pid = getpid();
                c->pipe = inode_of(fds[0]);
                if (pthread_create(&thread, NULL, thread_main, c) != 0)
                        _exit(1);
                for (;;)
                        pause();
        }
        assert_int_equal(read(c->ready[0], c, sizeof(*c)), sizeof(*c));
}

static void live_check(size_t patience)
{
        struct child c = { 0 };
        struct procio *io;
        struct snapshot s;
        struct arena *a = arena_new();
        const struct fdscan *scan;
        const struct fd_entry *e;
        size_t n;

        child_start(&c);
        snapshot_init(&s, a);
        assert_int_equal(procio_new(NULL, NULL, &io), 0);
        assert_int_equal(fdscan_new(io, &s, patience, &scan), 0);
        e = fdscan_find(scan, FD_PIPE, c.pipe, &n);
        /* The thread has copies of its own of what was open before. */
        assert_true(n >= 2);
        assert_int_equal(e[0].pid, c.pid);
        assert_int_equal(e[0].tid, c.pid);
        e = fdscan_find(scan, FD_PIPE, c.own, &n);
        assert_int_equal(n, 2);
        assert_int_equal(e[0].pid, c.pid);
        assert_int_equal(e[0].tid, c.tid);
        /* Of one's own table nothing is told: the worker is no part of what it looks at. */
        for (size_t i = 0; i < scan->n; i++)
                assert_int_not_equal(scan->entries[i].pid, getpid());
        procio_free(io);
        arena_free(a);
        kill(c.pid, SIGKILL);
        waitpid(c.pid, NULL, 0);
        close(c.ready[0]);
        close(c.ready[1]);
}

static void test_live(void **state)
{
        (void)state;
        live_check(SIZE_MAX);
        live_check(0);
}

#define NAME_LONG "a-name-that-is-longer-than-the-room-that-records-of-the-kernel-have-for-one"

/* Of each kind that a link tells by, and some that are told by nothing else. */
static void many_open(const char *folder)
{
        const struct itimerspec never = { 0 };
        int fds[2], fd;
        sigset_t set;

        if (chdir(folder) < 0 || mkfifo("fifo", 0600) < 0 || open("fifo", O_RDWR) < 0 ||
                open("plain", O_RDWR | O_CREAT, 0600) < 0 || open(".", O_RDONLY) < 0 ||
                open("/", O_RDONLY) < 0 || open(NAME_LONG, O_RDWR | O_CREAT, 0600) < 0 ||
                open("gone", O_RDWR | O_CREAT, 0600) < 0 || unlink("gone") < 0 ||
                open("fifo", O_PATH) < 0 || open("/dev/null", O_RDWR) < 0 ||
                open("/proc/self/status", O_RDONLY) < 0 ||
                open("/proc/self/ns/net", O_RDONLY) < 0 || pipe(fds) < 0 ||
                socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || socket(AF_INET, SOCK_DGRAM, 0) < 0)
                _exit(1);
        sigemptyset(&set);
        fd = timerfd_create(CLOCK_MONOTONIC, 0);
        if (eventfd(0, 0) < 0 || epoll_create1(0) < 0 || fd < 0 ||
                timerfd_settime(fd, 0, &never, NULL) < 0 || signalfd(-1, &set, 0) < 0 ||
                inotify_init() < 0 || memfd_create("memory", 0) < 0)
                _exit(1);
        /* Not everywhere: */
        fd = posix_openpt(O_RDWR | O_NOCTTY);
        if (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0)
                open(ptsname(fd), O_RDWR | O_NOCTTY); /* NOLINT(concurrency-mt-unsafe) */
        open("/dev/fuse", O_RDWR);
}

static bool entry_equal(const struct fd_entry *a, const struct fd_entry *b)
{
        return a->class == b->class && a->number == b->number && a->name == b->name &&
               a->pid == b->pid && a->tid == b->tid && a->fd == b->fd;
}

/* All that one scan has of a process is in the other one. */
static size_t entries_within(const struct fdscan *a, const struct fdscan *b, pid_t pid)
{
        size_t n_seen = 0;

        for (size_t i = 0; i < a->n; i++) {
                bool found = false;

                if (a->entries[i].pid != pid)
                        continue;
                for (size_t j = 0; j < b->n && !found; j++)
                        found = entry_equal(&a->entries[i], &b->entries[j]);
                if (!found)
                        print_error(
                                "fd %d: class %d\n", a->entries[i].fd, (int)a->entries[i].class);
                assert_true(found);
                n_seen++;
        }
        return n_seen;
}

/* What the kernel tells is what the links say. */
static void test_same(void **state)
{
        char folder[] = "/tmp/pwhy-fdscan-XXXXXX", byte;
        const struct fdscan *links, *told;
        struct arena *a = arena_new();
        struct procio *io;
        struct snapshot s;
        int ready[2];
        pid_t pid;

        (void)state;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                many_open(folder);
                if (write(ready[1], "", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        snapshot_init(&s, a);
        assert_int_equal(procio_new(NULL, NULL, &io), 0);
        assert_int_equal(fdscan_new(io, &s, SIZE_MAX, &links), 0);
        assert_int_equal(fdscan_new(io, &s, 0, &told), 0);
        assert_false(links->by_kernel);
        if (told->by_kernel) {
                size_t n = entries_within(links, told, pid);

                assert_true(n >= 12);
                assert_int_equal(entries_within(told, links, pid), n);
                assert_int_equal(fdscan_whole(links), fdscan_whole(told));
        }
        procio_free(io);
        arena_free(a);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(ready[0]);
        if (chdir(folder) == 0)
                (void)(unlink("fifo") + unlink("plain") + unlink(NAME_LONG));
        assert_int_equal(chdir("/"), 0);
        assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_links),
                cmocka_unit_test(test_recorded),
                cmocka_unit_test(test_live),
                cmocka_unit_test(test_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
