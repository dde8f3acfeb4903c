/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve/{kinds,fd-*,resolver,call,callmem}.c with capture/{stackset,schedclock}.c: small
 * recorded trees, read by the proc source as the pipeline does it, and the objects,
 * timeouts and children that come out.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procio.h"
#include "capture/schedclock.h"
#include "capture/source.h"
#include "capture/stackset.h"
#include "model.h"
#include "pwhy.h"
#include "query.h"
#include "resolve/timeout.h"
#include "resolve/kinds.h"
#include "resolve/resolver.h"
#include "resolve/syscall.h"

#include "tree.h"

#define PID 4242
#define MEM 0x7ffc0000U /* where arguments point to: i386 can, too */
#define REALTIME_NS (1700000000 * NS_PER_S)
#define MONOTONIC_NS (5000 * NS_PER_S)
#define BOOTTIME_NS (9000 * NS_PER_S)

struct fixture {
        struct tree tree;
        struct arena *arena;
        struct procio *io;
        struct snapshot s;
        struct socket_query *queries;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        tree_new(&f->tree);
        *state = f;
        return 0;
}

static void capture_free(struct fixture *f)
{
        procio_free(f->io);
        arena_free(f->arena);
        f->io = NULL;
        f->arena = NULL;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        capture_free(f);
        tree_free(&f->tree);
        free(f);
        return 0;
}

/* What the pipeline does, in this process. Of each capture only the last one's lives. */
static struct process *capture(struct fixture *f)
{
        struct target target = { .pid = PID };
        struct selection selection = { .targets = &target, .n_targets = 1 };
        struct schedclock *clock = NULL;
        struct pwhy_query *query;
        struct resolver *resolver;
        struct source *source;
        struct within within;
        size_t next = 0;

        capture_free(f);
        f->queries = NULL;
        f->arena = arena_new();
        assert_non_null(f->arena);
        assert_int_equal(procio_new(f->tree.root, NULL, &f->io), 0);
        snapshot_init(&f->s, f->arena);
        f->s.host.arch = "x86_64";
        f->s.captured_at = REALTIME_NS;
        f->s.monotonic_ns = MONOTONIC_NS;
        f->s.boottime_ns = BOOTTIME_NS;
        f->s.has_clocks = true;
        schedclock_new(f->io, f->arena, &clock);
        assert_int_equal(pwhy_query_new(&query), 0);
        assert_int_equal(resolver_new(f->io, &f->s, &f->queries, &resolver), 0);
        within = (struct within){ resolver, resolver_process, resolver_thread };
        assert_int_equal(source_proc.open(f->io, NULL, &f->s, query, NULL, &source), 0);
        assert_int_equal(source_proc.capture(source, &selection, &next, &within), 0);
        source_proc.close(source);
        resolver_finish(resolver);
        resolver_free(resolver);
        pwhy_query_free(query);
        if (clock)
                schedclock_apply(clock, &f->s);
        timeout_deadlines(&f->s);
        assert_int_equal(next, 1);
        assert_false(arena_failed(f->arena));
        assert_non_null(f->s.processes);
        return f->s.processes;
}

static struct thread *thread_find(struct process *p, pid_t tid)
{
        for_each_thread(t, p)
                if (t->tid == tid)
                        return t;
        fail_msg("no thread %d", (int)tid);
        return NULL;
}

/* A thread asleep in a call. The i386 one came in by int $0x80, which its stack tells. */
static void call_add(struct fixture *f, int tid, char state, enum abi abi, const char *name,
        const uint64_t args[static 6])
{
        long nr = syscall_number(abi, name);
        bool narrow = abi == ABI_I386;
        char path[64];

        if (nr < 0)
                fail_msg("no call %s", name);
        tree_stat(&f->tree, PID, tid, "target", state, 1);
        tree_add(&f->tree, PID, "status", "Name:\ttarget\nTgid:\t%d\nPid:\t%d\n", PID, PID);
        snprintf(path, sizeof(path), "task/%d/sched", tid);
        tree_add(&f->tree, PID, path,
                "target (%d, #threads: "
                "1)\n-------------------------------------------------------------------\nse.exec_"
                "start : 100000.000000\n"
                "nr_switches : 10\n",
                tid);
        snprintf(path, sizeof(path), "task/%d/syscall", tid);
        tree_add(&f->tree, PID, path,
                "%ld 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx\n", nr,
                (unsigned long long)args[0], (unsigned long long)args[1],
                (unsigned long long)args[2], (unsigned long long)args[3],
                (unsigned long long)args[4], (unsigned long long)args[5],
                narrow ? 0xffffd000ULL : 0x7ffd12345678ULL,
                narrow ? 0xf7fc1549ULL : 0x7f1234567890ULL);
        snprintf(path, sizeof(path), "task/%d/stack", tid);
        tree_add(&f->tree, PID, path, "[<0>] some_wait+0x1/0x2\n[<0>] %s+0x1/0x2\n",
                narrow ? "do_int80_syscall_32" : "do_syscall_64");
}

#define ARGS(...)                                                                                  \
        (const uint64_t[6])                                                                        \
        {                                                                                          \
                __VA_ARGS__                                                                        \
        }
#define CALL_IN(f, abi, name, ...) call_add(f, PID, 'S', abi, name, ARGS(__VA_ARGS__))

static void memory_add(struct fixture *f, uint64_t address, const void *bytes, size_t len)
{
        const unsigned char *p = bytes;
        char path[64], *text = malloc(len * 3 + 1);

        for (size_t i = 0; i < len; i++)
                sprintf(text + 3 * i, "%02x ", p[i]);
        text[3 * len] = 0;
        snprintf(path, sizeof(path), "%d/mem/%llx", PID, (unsigned long long)address);
        tree_text(&f->tree, path, text);
        free(text);
}

static void fd_add(struct fixture *f, int fd, const char *link, const char *mode, const char *info)
{
        char path[64];

        snprintf(path, sizeof(path), "fd/%d", fd);
        tree_link(&f->tree, PID, path, link);
        if (mode) {
                snprintf(path, sizeof(path), "fd/%d.mode", fd);
                tree_add(&f->tree, PID, path, "%s\n", mode);
        }
        snprintf(path, sizeof(path), "fdinfo/%d", fd);
        tree_add(&f->tree, PID, path, "%s", info);
}

static struct thread *main_thread(struct fixture *f)
{
        return thread_find(capture(f), PID);
}

static const struct object *fd_object(struct fixture *f, int fd)
{
        CALL_IN(f, ABI_X86_64, "read", (uint64_t)fd);
        return main_thread(f)->call.object;
}

/* Every kind of fd by its link, its type where it is a path, and its fdinfo. */
static void test_kinds(void **state)
{
        static const struct {
                const char *link, *mode, *kind;
        } kinds[] = {
                { "pipe:[77]", NULL, "pipe" },
                { "socket:[88]", NULL, "socket" },
                { "/tmp/fifo", "fifo", "fifo" },
                { "/dev/pts/3", "char", "tty" },
                { "/dev/tty", "char", "tty" },
                { "/dev/tty1", "char", "tty" },
                { "/dev/ttyS0", "char", "tty" },
                { "/dev/ttyUSB12", "char", "tty" },
                { "/dev/console", "char", "tty" },
                { "/dev/ptmx", "char", "tty" },
                { "/dev/pts/ptmx", "char", "tty" },
                { "/dev/pts/3", NULL, "tty" }, /* its type could not be had */
                { "/dev/ttyprintk", "char", "chardev" },
                { "/dev/pts/", "dir", "directory" },
                { "/dev/tty1", "file", "file" }, /* somebody's idea of a file name */
                { "/dev/null", "char", "chardev" },
                { "/dev/sda", "block", "block" },
                { "/etc", "dir", "directory" },
                { "/var/log/x", "file", "file" },
                { "/gone (deleted)", "file", "file" },
                { "/not/known", NULL, NULL },
                { "anon_inode:[eventpoll]", NULL, "epoll" },
                { "anon_inode:[eventfd]", NULL, "eventfd" },
                { "anon_inode:[timerfd]", NULL, "timerfd" },
                { "anon_inode:[pidfd]", NULL, "process" },
                { "anon_inode:[signalfd]", NULL, "signalfd" },
                { "anon_inode:inotify", NULL, "inotify" },
                { "anon_inode:[inotify]", NULL, "inotify" },
                { "anon_inode:[fanotify]", NULL, "fanotify" },
                { "anon_inode:[io_uring]", NULL, "io_uring" },
                { "anon_inode:[userfaultfd]", NULL, "userfaultfd" },
                { "anon_inode:seccomp notify", NULL, "seccomp" },
                { "anon_inode:[eventfdx]", NULL, NULL },
                { "anon_inode:[eventfd]x", NULL, NULL },
                { "anon_inode:[perf_event]", NULL, NULL },
                { "anon_inode:", NULL, NULL },
                { "mqueue:[1]", NULL, NULL },
                { "net:[4026531840]", NULL, NULL },
                { "pipe", NULL, NULL },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                const struct object *o;

                tree_free(&f->tree);
                tree_new(&f->tree);
                fd_add(f, 5, kinds[i].link, kinds[i].mode,
                        "pos:\t0\nflags:\t02004002\nmnt_id:\t9\n");
                o = fd_object(f, 5);
                assert_non_null(o);
                assert_int_equal(o->fd, 5);
                assert_string_equal(o->link, kinds[i].link);
                if (!kinds[i].kind != !o->kind)
                        fail_msg("%s: %s", kinds[i].link, o->kind ? o->kind : "nothing");
                if (kinds[i].kind)
                        assert_string_equal(o->kind, kinds[i].kind);
                if (kinds[i].kind && kinds[i].link[0] == '/')
                        assert_string_equal(o->path, kinds[i].link);
        }
}

static void test_no_fd(void **state)
{
        struct fixture *f = *state;

        assert_null(fd_object(f, 9)); /* nothing recorded */
        assert_null(fd_object(f, -1));
        assert_int_equal(f->s.gaps == NULL, 1);
        tree_add(&f->tree, PID, "fd/7.errno", "EACCES\n");
        assert_null(fd_object(f, 7));
        assert_non_null(f->s.gaps);
        assert_string_equal(f->s.gaps->what, "file descriptors");
        assert_true(f->s.gaps->hides);
}

/* What requests wait for is listed by numbers; lines that do not belong there end the list. */
static void test_uring(void **state)
{
        static const char begin[] = "pos:\t0\nSqHead:\t5\nCqTail:\t2\nUserBufs:\t0\nPollList:\n";
        struct fixture *f = *state;
        char info[512];

        fd_add(f, 3, "anon_inode:[io_uring]", NULL, "pos:\t0\nSqHead:\t5\nCqTail:\t2\n");
        assert_int_equal(fd_object(f, 3)->pending, 3);
        assert_null(fd_object(f, 3)->requests);
        snprintf(info, sizeof(info), "%s%s", begin,
                "  op=22, task_works=0\n  op=13, task_works=0\n  op=49, task_works=1\n"
                "CqOverflowList:\n  user_data=1, res=0, flags=0\n  op=22, task_works=0\n");
        fd_add(f, 3, "anon_inode:[io_uring]", NULL, info);
        assert_string_equal(fd_object(f, 3)->requests, "2 read, 1 accept");
        snprintf(info, sizeof(info), "%s%s", begin,
                "  op=99999999999999999999, x\n  op=-1\n  op=\n");
        fd_add(f, 3, "anon_inode:[io_uring]", NULL, info);
        assert_null(fd_object(f, 3)->requests);
}

static void test_pipe(void **state)
{
        struct fixture *f = *state;

        fd_add(f, 3, "pipe:[123456789012]", NULL, "flags:\t00\n");
        assert_true(fd_object(f, 3)->inode == 123456789012);
        fd_add(f, 3, "pipe:[x]", NULL, "");
        assert_true(fd_object(f, 3)->inode == 0);
        fd_add(f, 3, "/run/fifo", "fifo", "pos:\t0\nino:\t4711\n");
        assert_true(fd_object(f, 3)->inode == 4711);
}

static void test_anon_facts(void **state)
{
        struct fixture *f = *state;
        const struct object *o;

        fd_add(f, 3, "anon_inode:[eventfd]", NULL,
                "pos:\t0\nflags:\t02\neventfd-count:               1f\neventfd-id: 12\n");
        o = fd_object(f, 3);
        assert_true(o->has_counter);
        assert_int_equal(o->counter, 0x1f);
        fd_add(f, 3, "anon_inode:[eventfd]", NULL, "pos:\t0\n");
        assert_false(fd_object(f, 3)->has_counter);

        fd_add(f, 4, "anon_inode:[timerfd]", NULL,
                "pos:\t0\nclockid: 1\nticks: 0\nsettime flags: 00\nit_value: (9, 912345678)\n"
                "it_interval: (5, 0)\n");
        o = fd_object(f, 4);
        assert_true(o->has_deadline);
        assert_true(o->deadline_ns == 9912345678);
        fd_add(f, 4, "anon_inode:[timerfd]", NULL, "clockid: 1\nit_value: (0, 0)\n");
        assert_false(fd_object(f, 4)->has_deadline);
        fd_add(f, 4, "anon_inode:[timerfd]", NULL,
                "clockid: 1\nit_value: (18446744073709551615, 18446744073709551615)\n");
        assert_false(fd_object(f, 4)->has_deadline);
        fd_add(f, 4, "anon_inode:[timerfd]", NULL, "clockid: 1\nit_value: (\n");
        assert_false(fd_object(f, 4)->has_deadline);

        fd_add(f, 5, "anon_inode:[pidfd]", NULL, "pos:\t0\nPid:\t77\nNSpid:\t77\n");
        assert_int_equal(fd_object(f, 5)->pid, 77);
        fd_add(f, 5, "anon_inode:[pidfd]", NULL, "pos:\t0\nPid:\t-1\n");
        assert_int_equal(fd_object(f, 5)->pid, 0);
}

static void test_fdinfo_number(void **state)
{
        uint64_t n = 7;

        (void)state;
        assert_true(fdinfo_number("pos:\t12\nflags:\t02\n", "pos", 10, &n));
        assert_int_equal(n, 12);
        assert_true(fdinfo_number("pos:\t12\nflags:\t017\n", "flags", 8, &n));
        assert_int_equal(n, 15);
        n = 7;
        assert_false(fdinfo_number("pos:\t12", "po", 10, &n));
        assert_false(fdinfo_number("xpos:\t12", "pos", 10, &n));
        assert_false(fdinfo_number("pos:\tx\npos:\t3\n", "pos", 10, &n));
        assert_false(fdinfo_number("", "pos", 10, &n));
        assert_false(fdinfo_number("\n\n", "pos", 10, &n));
        assert_false(fdinfo_number(NULL, "pos", 10, &n));
        assert_int_equal(n, 7);
}

static const struct object *epoll_object(struct fixture *f, int fd)
{
        CALL_IN(f, ABI_X86_64, "epoll_wait", (uint64_t)fd, MEM, 8, UINT64_MAX);
        return main_thread(f)->call.object;
}

static void test_epoll(void **state)
{
        struct fixture *f = *state;
        const struct object *o;

        fd_add(f, 5, "pipe:[1022]", NULL, "");
        fd_add(f, 6, "pipe:[99]", NULL, "");
        fd_add(f, 8, "anon_inode:[eventfd]", NULL, "pos:\t0\nino:\t13\neventfd-count: 0\n");
        fd_add(f, 4, "anon_inode:[eventpoll]", NULL,
                "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t1057\n"
                "tfd:        5 events:       19 data:                5  pos:0 ino:3fe sdev:e\n"
                "tfd:        6 events:       1d data: ffffffffffffffff  pos:0 ino:3fe sdev:e\n"
                "tfd:        7 events:        4 data:                7\n"
                "tfd:        8 events: 40000001 data:                8  pos:0 ino:d sdev:f\n"
                "tfd:        8 events: 40000000 data:                8  pos:0 ino:d sdev:f\n"
                "tfd: junk\n");
        o = epoll_object(f, 4);
        assert_string_equal(o->kind, "epoll");
        assert_int_equal(o->n_members, 5);
        assert_int_equal(o->n_members_hidden, 0);
        assert_string_equal(o->members[0].object->kind, "pipe");
        assert_int_equal(o->members[0].events, 0x19);
        /* fd 6 is another file by now: what was added is not known. */
        assert_int_equal(o->members[1].object->fd, 6);
        assert_null(o->members[1].object->kind);
        assert_int_equal(o->members[1].events, 0x1d);
        /* No such fd any more. */
        assert_int_equal(o->members[2].object->fd, 7);
        assert_null(o->members[2].object->kind);
        assert_string_equal(o->members[3].object->kind, "eventfd");
        /* Armed for one event; after that one. */
        assert_false(member_is_disabled(&o->members[0]));
        assert_false(member_is_disabled(&o->members[3]));
        assert_true(member_is_disabled(&o->members[4]));
}

static void test_epoll_many(void **state)
{
        struct fixture *f = *state;
        char info[8000] = "pos:\t0\n";
        const struct object *o;
        size_t len = strlen(info);

        for (int i = 0; i < 100; i++)
                len += (size_t)snprintf(info + len, sizeof(info) - len,
                        "tfd: %8d events: %8x data: %16x\n", 100 + i, 1, i);
        fd_add(f, 4, "anon_inode:[eventpoll]", NULL, info);
        o = epoll_object(f, 4);
        assert_int_equal(o->n_members, MEMBERS_MAX);
        assert_int_equal(o->n_members_hidden, 100 - MEMBERS_MAX);
        assert_int_equal(o->members[MEMBERS_MAX - 1].object->fd, 100 + MEMBERS_MAX - 1);
}

/* Sets in sets, as deep as they are followed; and sets that hold themselves. */
static void test_epoll_nested(void **state)
{
        struct fixture *f = *state;
        const struct object *o;

        for (int fd = 10; fd < 16; fd++) {
                char info[128];

                snprintf(info, sizeof(info), "pos:\t0\ntfd: %8d events: 1 data: 0\n", fd + 1);
                fd_add(f, fd, "anon_inode:[eventpoll]", NULL, info);
        }
        fd_add(f, 16, "pipe:[1]", NULL, "");
        o = epoll_object(f, 10);
        for (int depth = 0; depth < 3; depth++) {
                assert_string_equal(o->kind, "epoll");
                assert_int_equal(o->n_members, 1);
                o = o->members[0].object;
                assert_int_equal(o->fd, 11 + depth);
        }
        assert_null(o->kind); /* the bound */

        fd_add(f, 20, "anon_inode:[eventpoll]", NULL,
                "tfd: 20 events: 1 data: 0\ntfd: 21 events: 1 data: 0\n");
        fd_add(f, 21, "anon_inode:[eventpoll]", NULL,
                "tfd: 20 events: 1 data: 0\ntfd: 21 events: 1 data: 0\n");
        o = epoll_object(f, 20);
        assert_int_equal(o->n_members, 2);
}

/* A set that was seen at the bound of another one is whole when it is asked for itself. */
static void test_epoll_bound_kept(void **state)
{
        struct fixture *f = *state;
        const struct object *o;
        struct process *p;

        for (int fd = 10; fd < 13; fd++) {
                char info[128];

                snprintf(info, sizeof(info), "pos:\t0\ntfd: %8d events: 1 data: 0\n", fd + 1);
                fd_add(f, fd, "anon_inode:[eventpoll]", NULL, info);
        }
        fd_add(f, 13, "pipe:[1]", NULL, "");
        for (int i = 0; i < 2; i++) { /* in whatever order the threads come */
                call_add(f, PID, 'S', ABI_X86_64, "epoll_wait", ARGS(i ? 12 : 10, MEM, 8, 100));
                call_add(f, PID + 1, 'S', ABI_X86_64, "epoll_wait", ARGS(i ? 10 : 12, MEM, 8, 100));
                p = capture(f);
                o = thread_find(p, i ? PID : PID + 1)->call.object;
                assert_int_equal(o->n_members, 1);
                assert_non_null(o->members[0].object->kind);
                assert_string_equal(o->members[0].object->kind, "pipe");
        }
}

/* Objects are shared by the threads of a process, as long as the fd is the same file. */
static void test_shared_objects(void **state)
{
        struct fixture *f = *state;
        struct process *p;

        fd_add(f, 3, "pipe:[1]", NULL, "");
        CALL_IN(f, ABI_X86_64, "read", 3);
        call_add(f, PID + 1, 'S', ABI_X86_64, "read", ARGS(3));
        p = capture(f);
        assert_ptr_equal(thread_find(p, PID)->call.object, thread_find(p, PID + 1)->call.object);
        /* So are stacks. */
        assert_ptr_equal(thread_find(p, PID)->kernel_stack, thread_find(p, PID + 1)->kernel_stack);
}

static void test_poll(void **state)
{
        struct fixture *f = *state;
        const struct pollfd three[] = { { 3, POLLIN, 0 }, { -1, POLLIN, 0 },
                { 4, POLLOUT | POLLIN, 0 }, { 99, POLLPRI, 0 } };
        struct pollfd many[200];
        const struct object *o;

        fd_add(f, 3, "pipe:[1]", NULL, "");
        fd_add(f, 4, "socket:[2]", NULL, "");
        memory_add(f, MEM, three, sizeof(three));
        CALL_IN(f, ABI_X86_64, "poll", MEM, 4, UINT64_MAX);
        o = main_thread(f)->call.object;
        assert_string_equal(o->kind, "poll-set");
        assert_int_equal(o->n_members, 3);
        assert_string_equal(o->members[0].object->kind, "pipe");
        assert_int_equal(o->members[0].events, POLLIN);
        assert_string_equal(o->members[1].object->kind, "socket");
        assert_int_equal(o->members[1].events, POLLIN | POLLOUT);
        assert_int_equal(o->members[2].object->fd, 99);
        assert_null(o->members[2].object->kind);

        for (int i = 0; i < 200; i++)
                many[i] = (struct pollfd){ 3, POLLIN, 0 };
        memory_add(f, MEM, many, sizeof(many));
        CALL_IN(f, ABI_X86_64, "ppoll", MEM, 200, 0, 0, 8);
        o = main_thread(f)->call.object;
        assert_int_equal(o->n_members, MEMBERS_MAX);
        assert_int_equal(o->n_members_hidden, 200 - MEMBERS_MAX);

        /* Nothing to look at is an empty set; not having looked is no set at all. */
        CALL_IN(f, ABI_X86_64, "poll", 0, 0, 100);
        o = main_thread(f)->call.object;
        assert_string_equal(o->kind, "poll-set");
        assert_int_equal(o->n_members, 0);
        CALL_IN(f, ABI_X86_64, "poll", 0x666000, 1, 100);
        assert_null(main_thread(f)->call.object);
        /* A count that nobody can mean, and less memory than that. */
        memory_add(f, MEM, three, 13);
        CALL_IN(f, ABI_X86_64, "poll", MEM, 0xffffffff, 100);
        assert_int_equal(main_thread(f)->call.object->n_members, 1);
}

static void test_select(void **state)
{
        struct fixture *f = *state;
        uint8_t in[128] = { [0] = 1 << 3 | 1 << 5, [7] = 1 << 7, [8] = 1 };
        uint8_t out[128] = { [0] = 1 << 5 };
        uint8_t except[128] = { [0] = 1 << 6 };
        const struct object *o;

        fd_add(f, 3, "pipe:[1]", NULL, "");
        memory_add(f, MEM, in, 8);
        memory_add(f, MEM + 0x100, out, 8);
        memory_add(f, MEM + 0x200, except, 8);
        CALL_IN(f, ABI_X86_64, "select", 64, MEM, MEM + 0x100, MEM + 0x200, 0);
        o = main_thread(f)->call.object;
        assert_string_equal(o->kind, "poll-set");
        assert_int_equal(o->n_members, 4);
        assert_int_equal(o->members[0].object->fd, 3);
        assert_string_equal(o->members[0].object->kind, "pipe");
        assert_int_equal(o->members[0].events, POLLIN);
        assert_int_equal(o->members[1].object->fd, 5);
        assert_int_equal(o->members[1].events, POLLIN | POLLOUT);
        assert_int_equal(o->members[2].object->fd, 6);
        assert_int_equal(o->members[2].events, POLLPRI);
        assert_int_equal(o->members[3].object->fd, 63);
        /* The first argument bounds the set. */
        CALL_IN(f, ABI_X86_64, "pselect6", 5, MEM, 0, 0, 0, 0);
        assert_int_equal(main_thread(f)->call.object->n_members, 1);
        CALL_IN(f, ABI_X86_64, "select", 0, 0, 0, 0, 0);
        assert_int_equal(main_thread(f)->call.object->n_members, 0);
        /* All of them, and a bound beyond any set. */
        memset(in, 0xff, sizeof(in));
        memory_add(f, MEM, in, sizeof(in));
        CALL_IN(f, ABI_X86_64, "select", 0x7fffffff, MEM, 0, 0, 0);
        o = main_thread(f)->call.object;
        assert_int_equal(o->n_members, MEMBERS_MAX);
        assert_int_equal(o->n_members_hidden, 1024 - MEMBERS_MAX);
        CALL_IN(f, ABI_I386, "_newselect", 64, MEM, MEM + 0x100, 0, 0);
        assert_int_equal(main_thread(f)->call.object->n_members, 64);
}

/* A timespec or timeval as the ABI has it. */
static void time_add(struct fixture *f, uint64_t address, int64_t seconds, int64_t rest, int width)
{
        int64_t wide[2] = { seconds, rest };
        int32_t narrow[2] = { (int32_t)seconds, (int32_t)rest };

        memory_add(f, address, width == 8 ? (void *)wide : (void *)narrow, (size_t)width * 2);
}

static const struct call *timed_call(
        struct fixture *f, enum abi abi, const char *name, const uint64_t args[static 6])
{
        call_add(f, PID, 'S', abi, name, args);
        return &main_thread(f)->call;
}

/* Relative ones, of every call that has one, in the sizes of its ABI. */
static void test_relative(void **state)
{
        static const struct {
                enum abi abi;
                const char *name;
                int arg, width;
                bool microseconds;
        } calls[] = {
                { ABI_X86_64, "nanosleep", 0, 8, false },
                { ABI_X86_64, "clock_nanosleep", 2, 8, false },
                { ABI_X86_64, "ppoll", 2, 8, false },
                { ABI_X86_64, "select", 4, 8, true },
                { ABI_X86_64, "pselect6", 4, 8, false },
                { ABI_X86_64, "futex", 3, 8, false },
                { ABI_X86_64, "semtimedop", 3, 8, false },
                { ABI_X86_64, "rt_sigtimedwait", 2, 8, false },
                { ABI_X86_64, "recvmmsg", 4, 8, false },
                { ABI_X86_64, "io_getevents", 4, 8, false },
                { ABI_X86_64, "epoll_pwait2", 3, 8, false },
                { ABI_I386, "nanosleep", 0, 4, false },
                { ABI_I386, "clock_nanosleep", 2, 4, false },
                { ABI_I386, "ppoll", 2, 4, false },
                { ABI_I386, "_newselect", 4, 4, true },
                { ABI_I386, "pselect6", 4, 4, false },
                { ABI_I386, "futex", 3, 4, false },
                { ABI_I386, "rt_sigtimedwait", 2, 4, false },
                { ABI_I386, "recvmmsg", 4, 4, false },
                { ABI_I386, "clock_nanosleep_time64", 2, 8, false },
                { ABI_I386, "ppoll_time64", 2, 8, false },
                { ABI_I386, "pselect6_time64", 4, 8, false },
                { ABI_I386, "futex_time64", 3, 8, false },
                { ABI_I386, "semtimedop_time64", 3, 8, false },
                { ABI_I386, "rt_sigtimedwait_time64", 2, 8, false },
                { ABI_I386, "recvmmsg_time64", 4, 8, false },
                { ABI_I386, "io_pgetevents_time64", 4, 8, false },
                { ABI_I386, "epoll_pwait2", 3, 8, false },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                uint64_t args[6] = { 0 };
                const struct call *c;

                args[calls[i].arg] = MEM;
                time_add(f, MEM, 30, calls[i].microseconds ? 500000 : 500000000, calls[i].width);
                c = timed_call(f, calls[i].abi, calls[i].name, args);
                if (!c->has_timeout || !c->timeout_set || c->timeout_absolute ||
                        c->timeout_ns != 30500 * NS_PER_MS)
                        fail_msg("%s: %d %d %d %lld", calls[i].name, c->has_timeout, c->timeout_set,
                                c->timeout_absolute, (long long)c->timeout_ns);
                assert_false(c->has_deadline); /* since when is not known */
                args[calls[i].arg] = 0;
                c = timed_call(f, calls[i].abi, calls[i].name, args);
                assert_true(c->has_timeout);
                assert_false(c->timeout_set);
                args[calls[i].arg] = 0x666000; /* memory that is not there */
                c = timed_call(f, calls[i].abi, calls[i].name, args);
                assert_false(c->has_timeout);
                assert_false(c->timeout_set);
        }
}

static void test_milliseconds(void **state)
{
        struct fixture *f = *state;
        const struct call *c;

        c = timed_call(f, ABI_X86_64, "poll", ARGS(0, 0, 1500));
        assert_true(c->has_timeout && c->timeout_set);
        assert_true(c->timeout_ns == 1500 * NS_PER_MS);
        c = timed_call(f, ABI_X86_64, "poll", ARGS(0, 0, UINT64_MAX));
        assert_true(c->has_timeout && !c->timeout_set);
        c = timed_call(f, ABI_X86_64, "poll", ARGS(0, 0, 0xffffffff)); /* an int */
        assert_true(c->has_timeout && !c->timeout_set);
        c = timed_call(f, ABI_X86_64, "epoll_wait", ARGS(4, MEM, 8, 0x7fffffff));
        assert_true(c->timeout_set);
        assert_true(c->timeout_ns == 0x7fffffff * NS_PER_MS);
        c = timed_call(f, ABI_X86_64, "epoll_pwait", ARGS(4, MEM, 8, 0));
        assert_true(c->timeout_set);
        assert_true(c->timeout_ns == 0);
        c = timed_call(f, ABI_X86_64, "read", ARGS(0, 0, 1500));
        assert_false(c->has_timeout);
}

static void test_absolute(void **state)
{
        const struct {
                enum abi abi;
                const char *name;
                uint64_t args[6];
                int clock, width;
        } calls[] = {
                { ABI_X86_64, "clock_nanosleep", { CLOCK_REALTIME, TIMER_ABSTIME, MEM },
                        CLOCK_REALTIME, 8 },
                { ABI_X86_64, "clock_nanosleep", { CLOCK_MONOTONIC, TIMER_ABSTIME, MEM },
                        CLOCK_MONOTONIC, 8 },
                { ABI_X86_64, "clock_nanosleep", { CLOCK_BOOTTIME, TIMER_ABSTIME, MEM },
                        CLOCK_BOOTTIME, 8 },
                { ABI_I386, "clock_nanosleep", { CLOCK_MONOTONIC, TIMER_ABSTIME, MEM },
                        CLOCK_MONOTONIC, 4 },
                { ABI_I386, "clock_nanosleep_time64", { CLOCK_REALTIME, TIMER_ABSTIME, MEM },
                        CLOCK_REALTIME, 8 },
                { ABI_X86_64, "futex", { 8, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, MEM },
                        CLOCK_MONOTONIC, 8 },
                { ABI_X86_64, "futex", { 8, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, MEM },
                        CLOCK_REALTIME, 8 },
                { ABI_X86_64, "futex", { 8, FUTEX_LOCK_PI, 0, MEM }, CLOCK_REALTIME, 8 },
                { ABI_X86_64, "futex", { 8, 13 /* LOCK_PI2 */, 0, MEM }, CLOCK_MONOTONIC, 8 },
                { ABI_X86_64, "futex", { 8, FUTEX_WAIT_REQUEUE_PI, 0, MEM }, CLOCK_MONOTONIC, 8 },
                { ABI_I386, "futex", { 8, FUTEX_WAIT_BITSET, 0, MEM }, CLOCK_MONOTONIC, 4 },
                { ABI_I386, "futex_time64", { 8, FUTEX_LOCK_PI, 0, MEM }, CLOCK_REALTIME, 8 },
                { ABI_X86_64, "mq_timedreceive", { 3, 8, 8, 8, MEM }, CLOCK_REALTIME, 8 },
                { ABI_X86_64, "mq_timedsend", { 3, 8, 8, 8, MEM }, CLOCK_REALTIME, 8 },
                { ABI_I386, "mq_timedreceive_time64", { 3, 8, 8, 8, MEM }, CLOCK_REALTIME, 8 },
                { ABI_X86_64, "futex_waitv", { 8, 1, 0, MEM, CLOCK_MONOTONIC }, CLOCK_MONOTONIC,
                        8 },
                { ABI_X86_64, "futex_waitv", { 8, 1, 0, MEM, CLOCK_REALTIME }, CLOCK_REALTIME, 8 },
                { ABI_X86_64, "futex_wait", { 8, 1, 0, 0, MEM, CLOCK_REALTIME }, CLOCK_REALTIME,
                        8 },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                int64_t now = calls[i].clock == CLOCK_REALTIME    ? REALTIME_NS
                              : calls[i].clock == CLOCK_MONOTONIC ? MONOTONIC_NS
                                                                  : BOOTTIME_NS;
                const struct call *c;

                time_add(f, MEM, now / NS_PER_S + 7, 250, calls[i].width);
                c = timed_call(f, calls[i].abi, calls[i].name, calls[i].args);
                if (!c->timeout_set || !c->timeout_absolute || c->timeout_clock != calls[i].clock ||
                        !c->has_deadline || c->deadline_ns != 7 * NS_PER_S + 250)
                        fail_msg("%zu %s: set %d absolute %d clock %d left %lld", i, calls[i].name,
                                c->timeout_set, c->timeout_absolute, c->timeout_clock,
                                (long long)c->deadline_ns);
                /* Long over. */
                time_add(f, MEM, 1, 0, calls[i].width);
                c = timed_call(f, calls[i].abi, calls[i].name, calls[i].args);
                assert_true(c->has_deadline);
                assert_true(c->deadline_ns == NS_PER_S - now);
        }
        /* A plain FUTEX_WAIT is relative, whatever the clock; a wake has no timeout. */
        time_add(f, MEM, 7, 0, 8);
        assert_false(timed_call(
                f, ABI_X86_64, "futex", ARGS(8, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, MEM))
                             ->timeout_absolute);
        assert_false(timed_call(f, ABI_X86_64, "futex", ARGS(8, FUTEX_CMP_REQUEUE, 0, MEM))
                             ->has_timeout);
        /* A clock that stands still while the thread sleeps tells no time left. */
        assert_false(timed_call(f, ABI_X86_64, "clock_nanosleep",
                ARGS(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, MEM))
                             ->has_deadline);
}

static void test_odd_times(void **state)
{
        static const struct {
                int64_t seconds, ns, expected; /* -1: none */
        } times[] = {
                { 0, 0, 0 },
                { 0, 1, 1 },
                { 1, NS_PER_S - 1, 2 * NS_PER_S - 1 },
                { 0, NS_PER_S, -1 },
                { -1, 0, -1 },
                { 0, -1, -1 },
                { INT64_MIN, 0, -1 },
                { INT64_MAX, 0, INT64_MAX },
                { INT64_MAX / NS_PER_S, 999999999, INT64_MAX },
                { INT64_MAX / NS_PER_S - 1, 0, (INT64_MAX / NS_PER_S - 1) * NS_PER_S },
                { 0, INT64_MAX, -1 },
                { INT64_MAX, INT64_MAX, -1 },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                const struct call *c;

                time_add(f, MEM, times[i].seconds, times[i].ns, 8);
                c = timed_call(f, ABI_X86_64, "nanosleep", ARGS(MEM, 0));
                assert_int_equal(c->timeout_set, times[i].expected >= 0);
                if (c->timeout_set)
                        assert_true(c->timeout_ns == times[i].expected);
                timed_call(f, ABI_X86_64, "futex", ARGS(8, FUTEX_LOCK_PI, 0, MEM));
                time_add(f, MEM, times[i].seconds, times[i].ns, 8);
                timed_call(f, ABI_X86_64, "select", ARGS(0, 0, 0, 0, MEM));
        }
        /* Half of one. */
        memory_add(f, MEM, "1234567", 8);
        assert_false(timed_call(f, ABI_X86_64, "nanosleep", ARGS(MEM, 0))->timeout_set &&
                     timed_call(f, ABI_X86_64, "nanosleep", ARGS(MEM, 0))->timeout_ns < 0);
        memory_add(f, MEM, "123", 3);
        assert_false(timed_call(f, ABI_X86_64, "nanosleep", ARGS(MEM, 0))->timeout_set);
}

/* The upper half of an i386 program's 64-bit tv_nsec is padding, which the kernel ignores. */
static void test_padding(void **state)
{
        struct fixture *f = *state;
        const uint32_t padded[4] = { 30, 0, 500, 0xdeadbeef };
        const struct call *c;

        memory_add(f, MEM, padded, sizeof(padded));
        c = timed_call(f, ABI_I386, "clock_nanosleep_time64", ARGS(CLOCK_MONOTONIC, 0, MEM, 0));
        assert_true(c->timeout_set);
        assert_true(c->timeout_ns == 30 * NS_PER_S + 500);
}

static void clock_add(struct fixture *f, int cpu, const char *stat)
{
        tree_text(&f->tree, "self/sched",
                "pwhy (1, #threads: "
                "1)\n-------------------------------------------------------------------\nse.exec_"
                "start : 112000.500000\nnr_switches : 1\n");
        tree_stat(&f->tree, 9999, 9999, "pwhy", 'R', 1);
        {
                char text[512];

                snprintf(text, sizeof(text),
                        "9999 (pwhy) R 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 0 0 0 0 0 0 0 "
                        "0 0 0 0 0 17 %d 0 0 0 0 0\n",
                        cpu);
                tree_text(&f->tree, "self/stat", text);
        }
        tree_text(&f->tree, "stat", stat);
}

/* Off the CPU for so long, and a relative timeout's time left from it. */
static void test_blocked_for(void **state)
{
        struct fixture *f = *state;
        struct thread *t;

        /* The recorded thread was on CPU 1. */
        clock_add(f, 1,
                "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n"
                "cpu1 0 0 0 0 0 0 0 0 0 0\nintr 1\n");
        time_add(f, MEM, 30, 0, 8);
        CALL_IN(f, ABI_X86_64, "nanosleep", MEM);
        t = main_thread(f);
        assert_true(t->has_for);
        assert_true(t->for_ns == 12000500000);
        assert_true(t->for_error_ns == 0);
        assert_true(t->call.has_deadline);
        assert_true(t->call.deadline_ns == 30 * NS_PER_S - 12000500000);
        assert_true(t->has_switches);
        assert_int_equal(t->switches, 10);

        /* Another CPU's clock: wrong by what it was interrupted more. */
        clock_add(f, 0,
                "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 0 0 0 0 0 1 2 3 0 0\n"
                "cpu1 0 0 0 0 0 10 20 30 0 0\n");
        t = main_thread(f);
        assert_true(t->for_error_ns == 54 * NS_PER_S / sysconf(_SC_CLK_TCK));

        /* Went to sleep after the clock was read. */
        clock_add(f, 1, "");
        tree_text(&f->tree, "self/sched",
                "pwhy (1, #threads: "
                "1)\n-------------------------------------------------------------------\nse.exec_"
                "start : 1.000000\nnr_switches : 1\n");
        t = main_thread(f);
        assert_true(t->for_ns == 0);

        /* Text that means nothing, and numbers that nothing holds. */
        clock_add(f, 0,
                "cpu0 0 0 0 0 0 18446744073709551615 1 1 0\n"
                "cpu1 0 0 0 0 0 4611686018427387904 0 0\ncpu99999 0 0 0 0 0 1 1 1\n"
                "cpu-1 0 0 0\ncpu");
        main_thread(f);
        clock_add(f, 4294967, "");
        main_thread(f);
        tree_text(&f->tree, "self/sched", "se.exec_start : 99999999999999999999999.999999\n");
        main_thread(f);
        clock_add(f, 1, "");
        tree_text(&f->tree, "self/sched",
                "pwhy (1, #threads: 1)\n"
                "-------------------------------------------------------------------\n"
                "se.exec_start : 9300000000000.000000\nnr_switches : 1\n");
        tree_text(&f->tree, "4242/task/4242/sched",
                "x (1, #threads: 1)\n"
                "-------------------------------------------------------------------\n"
                "se.exec_start : 9000000000000.000000\nnr_switches : 1\n");
        assert_true(main_thread(f)->for_ns >= 0);
        tree_text(&f->tree, "self/sched", "");
        assert_false(main_thread(f)->has_for);
}

static void test_futex(void **state)
{
        struct fixture *f = *state;
        const uint32_t word = 0x80001234;
        const struct object *o;

        memory_add(f, MEM, &word, sizeof(word));
        CALL_IN(f, ABI_X86_64, "futex", MEM, FUTEX_WAIT, word);
        o = main_thread(f)->call.object;
        assert_string_equal(o->kind, "futex");
        assert_int_equal(o->fd, -1);
        assert_true(o->has_address);
        assert_true(o->address == MEM);
        assert_true(o->has_word);
        assert_int_equal(o->word, word);
        CALL_IN(f, ABI_X86_64, "futex", 0x666000, FUTEX_WAIT, 1);
        o = main_thread(f)->call.object;
        assert_true(o->has_address);
        assert_false(o->has_word);
}

static void test_two_fds(void **state)
{
        struct fixture *f = *state;
        const struct call *c;

        fd_add(f, 3, "/data", "file", "");
        fd_add(f, 4, "pipe:[9]", NULL, "");
        CALL_IN(f, ABI_X86_64, "splice", 4, 0, 3, 0, 100, 0);
        c = &main_thread(f)->call;
        assert_string_equal(c->object->kind, "pipe");
        assert_string_equal(c->object2->kind, "file");
        CALL_IN(f, ABI_X86_64, "sendfile", 4, 3, 0, 100);
        c = &main_thread(f)->call;
        assert_string_equal(c->object->kind, "pipe");
        assert_string_equal(c->object2->kind, "file");
}

static void test_path(void **state)
{
        struct fixture *f = *state;
        char longest[300];
        const struct call *c;

        memory_add(f, MEM, "/run/fifo\0junk", 14);
        CALL_IN(f, ABI_X86_64, "open", MEM, 0, 0);
        c = &main_thread(f)->call;
        assert_string_equal(c->object->path, "/run/fifo");
        assert_null(c->object->kind);
        CALL_IN(f, ABI_X86_64, "openat", UINT64_MAX - 99, MEM, 0, 0);
        assert_string_equal(main_thread(f)->call.object->path, "/run/fifo");
        /* No end in sight. */
        memset(longest, 'p', sizeof(longest));
        memory_add(f, MEM, longest, sizeof(longest));
        CALL_IN(f, ABI_X86_64, "open", MEM, 0, 0);
        assert_int_equal(strlen(main_thread(f)->call.object->path), 256);
        /* The string crosses into the next page. */
        memory_add(f, MEM + 4092, "/abc", 4);
        memory_add(f, MEM + 4096, "def\0", 4);
        CALL_IN(f, ABI_X86_64, "open", MEM + 4092, 0, 0);
        assert_string_equal(main_thread(f)->call.object->path, "/abcdef");
        /* … which is missing. */
        memory_add(f, MEM + 8188, "/abc", 4);
        CALL_IN(f, ABI_X86_64, "open", MEM + 8188, 0, 0);
        assert_string_equal(main_thread(f)->call.object->path, "/abc");
}

/* i386's socketcall(call, args) is shown as the call inside. */
static void test_socketcall(void **state)
{
        static const struct {
                unsigned call;
                const char *name;
        } calls[] = { { 3, "connect" }, { 5, "accept4" }, { 9, "sendto" }, { 10, "recvfrom" },
                { 11, "sendto" }, { 12, "recvfrom" }, { 16, "sendmsg" }, { 17, "recvmsg" },
                { 18, "accept4" }, { 19, "recvmmsg" }, { 20, "sendmmsg" } };
        struct fixture *f = *state;
        const uint32_t args[6] = { 3, 0x11, 0x22, 0x33, 0, 0x55 };
        const struct call *c;

        fd_add(f, 3, "socket:[7]", NULL, "");
        fd_add(f, 5, "pipe:[1]", NULL, ""); /* what its first argument is not */
        memory_add(f, MEM, args, sizeof(args));
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                CALL_IN(f, ABI_I386, "socketcall", calls[i].call, MEM);
                c = &main_thread(f)->call;
                assert_string_equal(c->desc->name, calls[i].name);
                assert_int_equal(c->abi, ABI_I386);
                assert_int_equal(c->args[0], 3);
                assert_non_null(c->object);
                assert_string_equal(c->object->kind, "socket");
        }
        CALL_IN(f, ABI_I386, "socketcall", 5, 0x666000);
        c = &main_thread(f)->call;
        assert_string_equal(c->desc->name, "socketcall");
        assert_null(c->object);
        assert_true(c->memory_refused);
        for (uint64_t odd = 0; odd <= UINT32_MAX; odd += UINT32_MAX) {
                CALL_IN(f, ABI_I386, "socketcall", odd, MEM);
                assert_string_equal(main_thread(f)->call.desc->name, "socketcall");
        }
}

static void test_wait(void **state)
{
        struct fixture *f = *state;
        struct process *p;
        const struct call *c;

        tree_add(&f->tree, 50, "comm", "first\n");
        tree_add(&f->tree, 51, "comm", "second child\n");
        tree_add(&f->tree, PID, "task/4242/children", "50 51 52 ");
        tree_add(&f->tree, PID, "task/4243/children", "60");
        CALL_IN(f, ABI_X86_64, "wait4", UINT64_MAX, MEM, 0, 0);
        call_add(f, PID + 1, 'S', ABI_X86_64, "read", ARGS(0));
        p = capture(f);
        assert_null(thread_find(p, PID)->call.object);
        assert_true(p->has_children);
        assert_int_equal(p->n_children, 4); /* of both threads */
        assert_int_equal(p->n_children_hidden, 0);
        for (size_t i = 0; i < p->n_children; i++) {
                assert_int_equal(p->children[i].role, ROLE_CHILD);
                if (p->children[i].pid == 50)
                        assert_string_equal(p->children[i].comm, "first");
                else if (p->children[i].pid == 51)
                        assert_string_equal(p->children[i].comm, "second child");
                else
                        assert_null(p->children[i].comm);
        }
        /* One of them. */
        CALL_IN(f, ABI_X86_64, "wait4", 51, MEM, 0, 0);
        c = &main_thread(f)->call;
        assert_string_equal(c->object->kind, "process");
        assert_int_equal(c->object->pid, 51);
        assert_string_equal(c->object->comm, "second child");
        CALL_IN(f, ABI_X86_64, "waitid", 1 /* P_PID */, 50, MEM, 4);
        assert_int_equal(main_thread(f)->call.object->pid, 50);
        CALL_IN(f, ABI_X86_64, "waitid", 0 /* P_ALL */, 50, MEM, 4);
        assert_null(main_thread(f)->call.object);
        CALL_IN(f, ABI_X86_64, "waitid", 2 /* P_PGID */, 50, MEM, 4);
        assert_int_equal(main_thread(f)->call.object->group, 50);
        CALL_IN(f, ABI_X86_64, "wait4", (uint64_t)-50, MEM, 0, 0); /* a group */
        assert_int_equal(main_thread(f)->call.object->group, 50);
        assert_int_equal(main_thread(f)->call.object->pid, 0);
        /* By a pidfd. */
        fd_add(f, 9, "anon_inode:[pidfd]", NULL, "pos:\t0\nPid:\t51\n");
        CALL_IN(f, ABI_X86_64, "waitid", 3 /* P_PIDFD */, 9, MEM, 4);
        c = &main_thread(f)->call;
        assert_string_equal(c->object->kind, "process");
        assert_int_equal(c->object->pid, 51);
        assert_string_equal(c->object->comm, "second child");
        CALL_IN(f, ABI_I386, "waitpid", 51, MEM, 0);
        assert_int_equal(main_thread(f)->call.object->pid, 51);
}

static void test_children_lists(void **state)
{
        static const struct {
                const char *text;
                size_t n;
        } lists[] = {
                { "", 0 },
                { "\n", 0 },
                { "50", 1 },
                { "50 51", 2 },
                { "50 x 51", 1 },
                { "-5 0 50", 1 },
                { "99999999999999999999 50", 1 },
                { "garbage", 0 },
        };
        struct fixture *f = *state;
        struct process *p;
        char many[4000];
        size_t len = 0;

        CALL_IN(f, ABI_X86_64, "wait4", UINT64_MAX, MEM, 0, 0);
        p = capture(f);
        assert_false(p->has_children); /* the kernel does not tell */
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                tree_add(&f->tree, PID, "task/4242/children", "%s", lists[i].text);
                p = capture(f);
                assert_true(p->has_children);
                assert_int_equal(p->n_children, lists[i].n);
        }
        for (int i = 0; i < 500; i++)
                len += (size_t)snprintf(many + len, sizeof(many) - len, "%d ", 10000 + i);
        tree_add(&f->tree, PID, "task/4242/children", "%s", many);
        p = capture(f);
        assert_int_equal(p->n_children, CHILDREN_MAX);
        assert_int_equal(p->n_children_hidden, 500 - CHILDREN_MAX);
}

/* A set that could not be read is not an empty one. */
static void test_missing_memory(void **state)
{
        struct fixture *f = *state;
        const struct call *c;

        CALL_IN(f, ABI_X86_64, "select", 64, 0x666000, 0, 0, 0);
        assert_null(main_thread(f)->call.object);
        tree_add(&f->tree, PID, "mem/666000.errno", "EPERM\n");
        c = &main_thread(f)->call;
        assert_null(c->object);
        assert_true(c->memory_refused);
        assert_non_null(f->s.gaps);
        assert_string_equal(f->s.gaps->what, "what arguments point to");
        assert_non_null(f->s.gaps->why);
        CALL_IN(f, ABI_X86_64, "futex", 0x666000, FUTEX_WAIT, 1, 0);
        c = &main_thread(f)->call;
        assert_non_null(c->object);
        assert_false(c->object->has_word);
        assert_true(c->memory_refused);
}

static void test_traced(void **state)
{
        struct fixture *f = *state;
        struct thread *t;

        call_add(f, PID, 't', ABI_X86_64, "read", ARGS(0));
        tree_add(&f->tree, PID, "task/4242/status", "Name:\tx\nTgid:\t4242\nTracerPid:\t70\n");
        tree_add(&f->tree, 70, "comm", "gdb\n");
        t = main_thread(f);
        assert_int_equal(t->tracer, 70);
        assert_string_equal(t->tracer_comm, "gdb");
}

static void test_zombie_parent(void **state)
{
        struct fixture *f = *state;
        struct process *p;

        call_add(f, PID, 'Z', ABI_X86_64, "read", ARGS(0));
        tree_add(&f->tree, 1, "comm", "init\n");
        p = capture(f);
        assert_int_equal(p->ppid, 1);
        assert_string_equal(p->parent_comm, "init");
}

static void test_stackset(void **state)
{
        static const char text[] = "[<0>] one+0x1/0x2\n[<0>] two+0x1/0x2\n";
        struct arena *a = arena_new();
        const struct stack *first, *second;
        struct stackset *set;

        (void)state;
        assert_int_equal(stackset_new(a, &set), 0);
        first = stackset_add(set, text, strlen(text));
        second = stackset_add(set, text, strlen(text) - 1);
        assert_non_null(first);
        assert_non_null(second);
        assert_ptr_not_equal(first, second);
        assert_int_not_equal(first->id, second->id);
        assert_int_equal(first->n_frames, 2);
        assert_string_equal(first->text, text);
        assert_int_equal(first->text_len, strlen(text));
        assert_ptr_equal(stackset_add(set, text, strlen(text)), first);
        assert_int_equal(stackset_add(set, "", 0)->n_frames, 0);
        assert_ptr_equal(stackset_add(set, "", 0), stackset_add(set, "x", 0));
        for (int i = 0; i < 2000; i++) {
                char one[64];
                int len = snprintf(one, sizeof(one), "[<0>] f%d+0x1/0x2\n", i % 1000);
                const struct stack *s = stackset_add(set, one, (size_t)len);

                assert_non_null(s);
                assert_int_equal(s->id, 3 + i % 1000);
        }
        assert_null(stackset_recall(set, text));
        stackset_remember(set, text, first);
        assert_ptr_equal(stackset_recall(set, text), first);
        assert_null(stackset_recall(set, text + 16));
        stackset_forget(set);
        assert_null(stackset_recall(set, text));
        stackset_free(set);
        stackset_free(NULL);
        assert_string_equal(first->text, text); /* stacks outlive their table */
        arena_free(a);
}

int main(void)
{
#define RECORDED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                RECORDED(test_kinds),
                RECORDED(test_no_fd),
                RECORDED(test_pipe),
                RECORDED(test_uring),
                RECORDED(test_anon_facts),
                cmocka_unit_test(test_fdinfo_number),
                RECORDED(test_epoll),
                RECORDED(test_epoll_many),
                RECORDED(test_epoll_nested),
                RECORDED(test_epoll_bound_kept),
                RECORDED(test_shared_objects),
                RECORDED(test_poll),
                RECORDED(test_select),
                RECORDED(test_relative),
                RECORDED(test_milliseconds),
                RECORDED(test_absolute),
                RECORDED(test_odd_times),
                RECORDED(test_padding),
                RECORDED(test_blocked_for),
                RECORDED(test_futex),
                RECORDED(test_two_fds),
                RECORDED(test_path),
                RECORDED(test_socketcall),
                RECORDED(test_wait),
                RECORDED(test_children_lists),
                RECORDED(test_missing_memory),
                RECORDED(test_traced),
                RECORDED(test_zombie_parent),
                cmocka_unit_test(test_stackset),
        };

        return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
