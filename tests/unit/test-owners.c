/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve/{peers,peer-*,futexlock,tids}.c: who can end a wait, in small recorded trees. One process
 * is captured, as the pipeline does it; the others are only there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "capture/source.h"
#include "model.h"
#include "pwhy.h"
#include "query.h"
#include "resolve/resolver.h"
#include "resolve/syscall.h"

#include "tree.h"

#define PID 4242
#define MEM 0x7ffc0000U
#define LOCK 0x7ffd0100U /* of a futex; what is before it is read, too */

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

static struct thread *capture(struct fixture *f)
{
        struct target target = { .pid = PID };
        struct selection selection = { .targets = &target, .n_targets = 1 };
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
        assert_int_equal(pwhy_query_new(&query), 0);
        assert_int_equal(resolver_new(f->io, &f->s, &f->queries, &resolver), 0);
        within = (struct within){ resolver, resolver_process, resolver_thread };
        assert_int_equal(source_proc.open(f->io, NULL, &f->s, query, NULL, &source), 0);
        assert_int_equal(source_proc.capture(source, &selection, &next, &within), 0);
        source_proc.close(source);
        resolver_finish(resolver);
        resolver_free(resolver);
        pwhy_query_free(query);
        assert_false(arena_failed(f->arena));
        assert_non_null(f->s.processes);
        for_each_thread(t, f->s.processes)
                if (t->tid == PID)
                        return t;
        fail_msg("no main thread");
        return NULL;
}

static void call_add(struct fixture *f, int tid, const char *name, const uint64_t args[static 6])
{
        char path[64];

        tree_stat(&f->tree, PID, tid, "target", 'S', 1);
        tree_add(&f->tree, PID, "status", "Name:\ttarget\nTgid:\t%d\nPid:\t%d\n", PID, PID);
        snprintf(path, sizeof(path), "task/%d/status", tid);
        tree_add(&f->tree, PID, path, "Name:\tthread-%d\nTgid:\t%d\nPid:\t%d\n", tid, PID, tid);
        snprintf(path, sizeof(path), "task/%d/sched", tid);
        tree_add(&f->tree, PID, path, "target (%d, #threads: 1)\n---\nnr_switches : 10\n", tid);
        snprintf(path, sizeof(path), "task/%d/syscall", tid);
        tree_add(&f->tree, PID, path,
                "%ld 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x7ffd12345678 0x7f1234567890\n",
                syscall_number(ABI_X86_64, name), (unsigned long long)args[0],
                (unsigned long long)args[1], (unsigned long long)args[2],
                (unsigned long long)args[3], (unsigned long long)args[4],
                (unsigned long long)args[5]);
        snprintf(path, sizeof(path), "task/%d/stack", tid);
        tree_add(&f->tree, PID, path, "[<0>] some_wait+0x1/0x2\n[<0>] do_syscall_64+0x1/0x2\n");
}

#define CALL(f, name, ...) call_add(f, PID, name, (const uint64_t[6]){ __VA_ARGS__ })

static void memory_add(struct fixture *f, uint64_t address, const void *bytes, size_t len)
{
        const unsigned char *p = bytes;
        char path[64], text[4096];

        assert_true(len * 3 < sizeof(text));
        for (size_t i = 0; i < len; i++)
                sprintf(text + 3 * i, "%02x ", p[i]);
        text[3 * len] = 0;
        snprintf(path, sizeof(path), "%d/mem/%llx", PID, (unsigned long long)address);
        tree_text(&f->tree, path, text);
}

static void fd_add(struct fixture *f, int pid, int fd, const char *link, const char *info)
{
        char path[64];

        snprintf(path, sizeof(path), "fd/%d", fd);
        tree_link(&f->tree, pid, path, link);
        snprintf(path, sizeof(path), "fdinfo/%d", fd);
        tree_add(&f->tree, pid, path, "%s", info);
        if (pid != PID)
                tree_stat(&f->tree, pid, pid, pid == 7 ? "seven" : "other", 'S', 1);
}

static void owners_check(const struct object *o, size_t n, const pid_t *pids)
{
        assert_non_null(o);
        assert_int_equal(o->n_owners, n);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(o->owners[i].pid, pids[i]);
                assert_int_equal(o->owners[i].role, ROLE_PEER);
                assert_non_null(o->owners[i].comm);
        }
        /* Not all processes of the machine are in a recording. */
        assert_false(o->on_whole);
}

#define OWNERS(o, ...)                                                                             \
        owners_check(o, sizeof((pid_t[]){ __VA_ARGS__ }) / sizeof(pid_t), (pid_t[]){ __VA_ARGS__ })

static void test_pipe(void **state)
{
        struct fixture *f = *state;
        const struct object *o;

        fd_add(f, PID, 3, "pipe:[55]", "pos:\t0\nflags:\t00\n");
        fd_add(f, 7, 1, "pipe:[55]", "pos:\t0\nflags:\t01\n");
        fd_add(f, 7, 2, "pipe:[55]", "pos:\t0\nflags:\t01\n");
        fd_add(f, 8, 0, "pipe:[55]", "pos:\t0\nflags:\t02000000\n"); /* another reader */
        fd_add(f, 9, 5, "pipe:[55]", "pos:\t0\nflags:\t02000002\n"); /* opened for both */
        fd_add(f, 10, 5, "pipe:[56]", "pos:\t0\nflags:\t01\n");
        CALL(f, "read", 3);
        o = capture(f)->call.object;
        OWNERS(o, 7, 9);
        assert_string_equal(o->owners[0].comm, "seven");
        assert_true(o->on_any);
        assert_int_equal(f->s.n_fd_scans, 1);
        /* The other way round. */
        fd_add(f, PID, 3, "pipe:[55]", "pos:\t0\nflags:\t01\n");
        CALL(f, "write", 3);
        OWNERS(capture(f)->call.object, 8, 9);
        /* Nobody but a reader. */
        fd_add(f, PID, 3, "pipe:[57]", "pos:\t0\nflags:\t00\n");
        CALL(f, "read", 3);
        o = capture(f)->call.object;
        assert_int_equal(o->n_owners, 0);
        assert_false(o->on_whole);
}

/* Paths differ by mount namespace; name and inode do not. */
static void test_fifo(void **state)
{
        struct fixture *f = *state;

        fd_add(f, PID, 3, "/run/fifo", "pos:\t0\nflags:\t00\nino:\t99\n");
        tree_add(&f->tree, PID, "fd/3.mode", "fifo\n");
        fd_add(f, 7, 4, "/container/run/fifo", "pos:\t0\nflags:\t01\nino:\t99\n");
        fd_add(f, 8, 4, "/run/fifo", "pos:\t0\nflags:\t01\nino:\t98\n"); /* another file */
        fd_add(f, 9, 4, "/run/other", "pos:\t0\nflags:\t01\nino:\t99\n");
        CALL(f, "read", 3);
        OWNERS(capture(f)->call.object, 7);
}

static void test_eventfd(void **state)
{
        struct fixture *f = *state;

        fd_add(f, PID, 3, "anon_inode:[eventfd]", "eventfd-count: 0\neventfd-id: 12\n");
        fd_add(f, 7, 9, "anon_inode:[eventfd]", "eventfd-count: 0\neventfd-id: 12\n");
        fd_add(f, 8, 9, "anon_inode:[eventfd]", "eventfd-count: 0\neventfd-id: 13\n");
        CALL(f, "read", 3);
        OWNERS(capture(f)->call.object, 7);
}

static void test_tty(void **state)
{
        struct fixture *f = *state;
        static const char mounts[] = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 0:24 / /dev/pts "
                                     "rw - devpts devpts rw\n";
        static const char container[] = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 30 0:55 / "
                                        "/dev/pts rw - devpts devpts rw\n";

        fd_add(f, PID, 0, "/dev/pts/3", "flags:\t02\nmnt_id:\t21\n");
        fd_add(f, 7, 4, "/dev/ptmx", "flags:\t02\nmnt_id:\t20\ntty-index:\t3\n");
        fd_add(f, 8, 4, "/dev/pts/ptmx", "flags:\t02\nmnt_id:\t31\ntty-index:\t3\n");
        fd_add(f, 9, 4, "/dev/pts/ptmx", "flags:\t02\nmnt_id:\t21\ntty-index:\t4\n");
        tree_add(&f->tree, PID, "mountinfo", "%s", mounts);
        tree_add(&f->tree, 7, "mountinfo", "%s", mounts);
        tree_add(&f->tree, 8, "mountinfo", "%s", container);
        tree_add(&f->tree, 9, "mountinfo", "%s", mounts);
        CALL(f, "read", 0);
        OWNERS(capture(f)->call.object, 7);
        /* And from the other end: whoever has that terminal, of that devpts. */
        fd_add(f, PID, 0, "/dev/pts/ptmx", "flags:\t02\nmnt_id:\t21\ntty-index:\t5\n");
        fd_add(f, 7, 1, "/dev/pts/5", "flags:\t02\nmnt_id:\t21\n");
        fd_add(f, 8, 1, "/dev/pts/5", "flags:\t02\nmnt_id:\t31\n");
        CALL(f, "read", 0);
        OWNERS(capture(f)->call.object, 7);
}

/* Any of the members will do; of a thousand waits the tables are read once. */
static void test_set(void **state)
{
        struct fixture *f = *state;
        const struct pollfd set[3] = { { 3, POLLIN, 0 }, { 4, POLLOUT, 0 }, { 5, POLLIN, 0 } };
        const struct object *o;

        fd_add(f, PID, 3, "pipe:[55]", "flags:\t00\n");
        fd_add(f, PID, 4, "pipe:[56]", "flags:\t01\n");
        fd_add(f, PID, 5, "anon_inode:[timerfd]", "flags:\t02\n");
        fd_add(f, 7, 1, "pipe:[55]", "flags:\t01\n");
        fd_add(f, 8, 1, "pipe:[56]", "flags:\t01\n");
        fd_add(f, 9, 1, "pipe:[56]", "flags:\t00\n");
        fd_add(f, 9, 2, "pipe:[55]", "flags:\t01\n");
        memory_add(f, MEM, set, sizeof(set));
        CALL(f, "poll", MEM, 3, (uint64_t)-1);
        o = capture(f)->call.object;
        assert_string_equal(o->kind, "poll-set");
        OWNERS(o, 7, 9);
        assert_true(o->on_any);
        assert_int_equal(f->s.n_fd_scans, 1);
        /* Without anything to look for they are not read at all. */
        CALL(f, "futex", LOCK, FUTEX_WAIT_PRIVATE, 0);
        capture(f);
        assert_int_equal(f->s.n_fd_scans, 0);
}

static void lock_add(struct fixture *f, const uint32_t *words, size_t n)
{
        uint32_t memory[16 + 16] = { 0 };

        assert_true(n <= 16);
        memcpy(memory + 16, words, n * sizeof(*words));
        memory_add(f, LOCK - 64, memory, sizeof(memory));
        memory_add(f, LOCK, memory + 16, 64);
}

static void test_mutex(void **state)
{
        struct fixture *f = *state;
        /* lock, count, owner, nusers, kind */
        uint32_t m[10] = { 2, 0, 4250, 1, 0 };
        const struct object *o;

        call_add(f, 4250, "pause", (const uint64_t[6]){ 0 });
        CALL(f, "futex", LOCK, FUTEX_WAIT_PRIVATE, 2);
        lock_add(f, m, 10);
        o = capture(f)->call.object;
        assert_string_equal(o->lock_kind, "mutex");
        assert_true(o->lock_address == LOCK);
        assert_false(o->lock_witnessed);
        assert_int_equal(o->n_owners, 1);
        assert_int_equal(o->owners->pid, PID);
        assert_int_equal(o->owners->tid, 4250);
        assert_int_equal(o->owners->role, ROLE_HOLDER);
        assert_string_equal(o->owners->comm, "thread-4250");
        assert_true(o->on_whole);
        assert_non_null(strstr(o->note, "glibc mutex (normal), owner 4250"));
        /* It holds it itself. */
        m[2] = PID;
        lock_add(f, m, 10);
        assert_int_equal(capture(f)->call.object->owners->tid, PID);
        /* Nobody has that TID: then who knows what this is. */
        m[2] = 4999;
        lock_add(f, m, 10);
        o = capture(f)->call.object;
        assert_null(o->lock_kind);
        assert_int_equal(o->n_owners, 0);
        /* Not a lock, by the value that it waits for. */
        m[2] = 4250;
        lock_add(f, m, 10);
        CALL(f, "futex", LOCK, FUTEX_WAIT_PRIVATE, 0);
        assert_null(capture(f)->call.object->lock_kind);
}

/* In a PID namespace of its own a thread has another number in its locks. */
static void test_mutex_namespace(void **state)
{
        struct fixture *f = *state;
        const uint32_t m[10] = { 2, 0, 2, 1, 0 };
        const struct object *o;

        call_add(f, 4250, "pause", (const uint64_t[6]){ 0 });
        CALL(f, "futex", LOCK, FUTEX_WAIT_PRIVATE, 2);
        tree_add(&f->tree, PID, "status", "Name:\ttarget\nTgid:\t%d\nNSpid:\t%d\t1\n", PID, PID);
        tree_add(&f->tree, PID, "task/4242/status", "Name:\tmain\nNSpid:\t4242\t1\n");
        tree_add(&f->tree, PID, "task/4250/status", "Name:\tinner\nNSpid:\t4250\t2\n");
        /* Whoever has the number here is somebody else. */
        tree_stat(&f->tree, 2, 2, "kthreadd", 'S', 0);
        tree_add(&f->tree, 2, "status", "Name:\tkthreadd\nTgid:\t2\nNSpid:\t2\n");
        lock_add(f, m, 10);
        o = capture(f)->call.object;
        assert_int_equal(o->n_owners, 1);
        assert_int_equal(o->owners->pid, PID);
        assert_int_equal(o->owners->tid, 4250);
        assert_string_equal(o->owners->comm, "inner");
        assert_non_null(strstr(o->note, "owner 2, which is thread 4250 here"));
}

/* Between processes, the owner is who has the number and the memory, wherever it is mapped. */
static void test_mutex_shared(void **state)
{
        struct fixture *f = *state;
        const uint32_t m[10] = { 2, 0, 77, 1, 128 };
        const struct object *o;

        CALL(f, "futex", LOCK, FUTEX_WAIT, 2);
        lock_add(f, m, 10);
        tree_add(&f->tree, PID, "maps", "7ffd0000-7ffd1000 rw-s 00003000 00:01 1047 /memfd:x\n");
        /* One with the number, and other memory; one with both, in another namespace. */
        tree_stat(&f->tree, 77, 77, "decoy", 'S', 1);
        tree_add(&f->tree, 77, "status", "Name:\tdecoy\nTgid:\t77\nNSpid:\t77\n");
        tree_add(&f->tree, 77, "task/77/status", "Name:\tdecoy\nTgid:\t77\nNSpid:\t77\n");
        tree_add(&f->tree, 77, "maps", "50000000-50001000 rw-s 00003000 00:01 1048 /memfd:y\n");
        tree_stat(&f->tree, 900, 900, "holder", 'S', 1);
        tree_add(&f->tree, 900, "status", "Name:\tholder\nTgid:\t900\nNSpid:\t900\t77\n");
        tree_add(&f->tree, 900, "task/900/status", "Name:\tholder\nTgid:\t900\nNSpid:\t900\t77\n");
        tree_add(&f->tree, 900, "maps", "50000000-50008000 rw-s 00000000 00:01 1047 /memfd:x\n");
        o = capture(f)->call.object;
        assert_int_equal(o->n_owners, 1);
        assert_int_equal(o->owners->pid, 900);
        assert_string_equal(o->owners->comm, "holder");
        /* Two that both may be it: neither is named, nor is it said to be a lock. */
        tree_add(&f->tree, 77, "maps", "50000000-50001000 rw-s 00003000 00:01 1047 /memfd:x\n");
        assert_int_equal(capture(f)->call.object->n_owners, 0);
}

static void test_waiters(void **state)
{
        struct fixture *f = *state;
        struct thread *t;

        for (int i = 0; i < 6; i++)
                call_add(f, PID + i, "futex",
                        (const uint64_t[6]){ i == 5 ? MEM : LOCK, FUTEX_WAIT_PRIVATE });
        t = capture(f);
        assert_string_equal(
                t->call.object->waiters, "5 threads wait there: 4242, 4243, 4244, 4245 and 1 more");
        for_each_thread(other, t->process)
                if (other->tid == PID + 5)
                        assert_null(other->call.object->waiters);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_pipe, setup, teardown),
                cmocka_unit_test_setup_teardown(test_fifo, setup, teardown),
                cmocka_unit_test_setup_teardown(test_eventfd, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tty, setup, teardown),
                cmocka_unit_test_setup_teardown(test_set, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mutex, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mutex_namespace, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mutex_shared, setup, teardown),
                cmocka_unit_test_setup_teardown(test_waiters, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
