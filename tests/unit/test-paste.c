/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture/paste*.c: prefixes, heads of tasks of each generation, frames, registers, mixed logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/paste-parts.h"
#include "capture/paste.h"
#include "explain/explain.h"
#include "model.h"
#include "pwhy.h"
#include "resolve/syscall.h"

struct reading {
        struct arena *arena;
        struct snapshot s;
};

static int reading_setup(void **state)
{
        struct reading *r = calloc(1, sizeof(*r));

        assert_non_null(r);
        r->arena = arena_new();
        assert_non_null(r->arena);
        *state = r;
        return 0;
}

static int reading_teardown(void **state)
{
        struct reading *r = *state;

        arena_free(r->arena);
        free(r);
        return 0;
}

/* From a heap buffer of the exact length, so that a sanitizer sees any look beyond it. */
static struct snapshot *text_read(struct reading *r, const char *text)
{
        size_t len = strlen(text);
        _cleanup_free_ char *exact = malloc(len ? len : 1);

        assert_non_null(exact);
        memcpy(exact, text, len);
        snapshot_init(&r->s, r->arena);
        assert_int_equal(paste_read(&r->s, exact, len), 0);
        assert_int_equal(explain_snapshot(&r->s), 0);
        return &r->s;
}

static struct thread *thread_find(struct snapshot *s, pid_t tid)
{
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (t->tid == tid)
                                return t;
        return NULL;
}

static struct span span_of(const char *text)
{
        return (struct span){ text, text + strlen(text) };
}

static void span_check(struct span s, const char *text)
{
        if (span_len(s) != strlen(text) || (*text && memcmp(s.p, text, span_len(s)) != 0))
                fail_msg("\"%.*s\" instead of \"%s\"", (int)span_len(s), s.p, text);
}

static void test_prefixes(void **state)
{
        static const struct {
                const char *line, *text;
                uint64_t caller;
                const char *host;
                int64_t seconds;
        } rows[] = {
                { "[12345.678901] message", "message", 0, "", 0 },
                { "[    0.000001 <    0.000002>] message", "message", 0, "", 0 },
                { "[Mon Nov 23 04:50:00 2026] message", "message", 0, "", 0 },
                { "<4>[ 12.3] message", "message", 0, "", 0 },
                { "<4>message", "message", 0, "", 0 },
                { "kern  :err   : [ 12.3] message", "message", 0, "", 0 },
                { "[  244.878944][   T74] message", "message", (uint64_t)'T' << 32 | 74, "", 0 },
                { "[  244.878944] [    C3] message", "message", (uint64_t)'C' << 32 | 3, "", 0 },
                { "Nov 23 04:50:00 db1 kernel: [ 12.3] message", "message", 0, "db1", 0 },
                { "Nov  3 04:50:00 db1 kernel:  message", "message", 0, "db1", 0 },
                { "Nov 23 04:50:00 kernel: message", "message", 0, "", 0 },
                { "Nov 23 04:50:00.123456 db1 kernel: message", "message", 0, "db1", 0 },
                { "[   12.345678] db1 kernel: message", "message", 0, "db1", 0 },
                { "1970-01-02T00:00:01.5+00:00 db1 kernel: [1.0] message", "message", 0, "db1",
                        86401 },
                { "1970-01-02T01:00:01+0100 db1 kernel: message", "message", 0, "db1", 86401 },
                { "1970-01-02T00:00:01,123456Z message", "message", 0, "", 86401 },
                { "1970-01-02T00:00:01 db1 kernel: message", "message", 0, "db1", 0 },
                { "> [12.3] message\r", "message", 0, "", 0 },
                { "message", "message", 0, "", 0 },
                { "[<0>] f+0x1/0x2", "[<0>] f+0x1/0x2", 0, "", 0 },
                { "[<ffffffff81234567>] f", "[<ffffffff81234567>] f", 0, "", 0 },
                { "<TASK>", "<TASK>", 0, "", 0 },
                { "[12345] message", "[12345] message", 0, "", 0 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct paste_line l;

                paste_line_read(span_of(rows[i].line), &l);
                span_check(l.text, rows[i].text);
                assert_true(l.caller == rows[i].caller);
                assert_false(l.foreign);
                span_check(l.host, rows[i].host);
                assert_int_equal(l.realtime_ns / NS_PER_S, rows[i].seconds);
        }
}

static void test_foreign_lines(void **state)
{
        static const char *const lines[] = {
                "Nov 23 04:50:00 db1 sshd[12]: Accepted publickey",
                "Nov 23 04:50:00 db1 systemd[1]: [<0>] f+0x1/0x2",
                "2026-11-23T04:50:00+00:00 db1 cron[7]: f+0x1/0x2",
        };
        struct paste_line l;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                paste_line_read(span_of(lines[i]), &l);
                assert_true(l.foreign);
        }
        paste_line_read(span_of("/proc/12/task/34/stack:[<0>] f+0x1/0x2"), &l);
        assert_int_equal(l.pid, 12);
        assert_int_equal(l.tid, 34);
        span_check(l.text, "[<0>] f+0x1/0x2");
}

static void test_heads(void **state)
{
        static const struct {
                const char *line;
                enum paste_head_kind kind;
                const char *comm;
                pid_t pid, tid, ppid;
                char state;
                bool kernel;
        } rows[] = {
                { "bash          S 0000000000000000     0  1234   1233 0x00000080", HEAD_TASK,
                        "bash", 1234, 1234, 1233, 'S', false },
                { "nfsd            D ffff88013fc127c0     0  3780      2 0x00000000", HEAD_TASK,
                        "nfsd", 3780, 3780, 2, 'D', true },
                { "kinteractiveup  D 00000000     0    64      2 0x00100000", HEAD_TASK,
                        "kinteractiveup", 64, 64, 2, 'D', true },
                { "bash            S    0  1234   1233 0x00000080", HEAD_TASK, "bash", 1234, 1234,
                        1233, 'S', false },
                { "FwgThread OpFor D    0 15341  15184 0x000040a0", HEAD_TASK, "FwgThread OpFor",
                        15341, 15341, 15184, 'D', false },
                { "systemd-tmpfile D11968  5135      1 0x00040000", HEAD_TASK, "systemd-tmpfile",
                        5135, 5135, 1, 'D', false },
                { "bash            R  running task        0  2210   2205 0x00000000", HEAD_TASK,
                        "bash", 2210, 2210, 2205, 'R', false },
                { "task:bash            state:S stack:    0 pid: 1234 ppid:  1233 "
                  "flags:0x00004000",
                        HEAD_TASK, "bash", 1234, 1234, 1233, 'S', false },
                { "task:x state:D       state:R  running task     stack:0     pid:7     tgid:6     "
                  "ppid:1      task_flags:0x400100 flags:0x00004000",
                        HEAD_TASK, "x state:D", 6, 7, 1, 'R', false },
                { "task:kworker/u8:3    state:I stack:0     pid:55    tgid:55    ppid:2      "
                  "task_flags:0x4208060 flags:0x00004000",
                        HEAD_TASK, "kworker/u8:3", 55, 55, 2, 'I', true },
                { "INFO: task kworker/1:2:10762 blocked for more than 120 seconds.", HEAD_REPORT,
                        "kworker/1:2", 10762, 10762, -1, 'D', false },
                { "INFO: task a b:7 blocked in I/O wait for more than 120 seconds.", HEAD_REPORT,
                        "a b", 7, 7, -1, 'D', false },
                { "CPU: 4 UID: 0 PID: 2971 Comm: nfsd Not tainted 6.12.0 #1", HEAD_CPU, "nfsd",
                        2971, 2971, -1, 'R', false },
                { "Pid: 99, comm: my app Tainted: G        W   2.6.32 #1", HEAD_CPU, "my app", 99,
                        99, -1, 'R', false },
                { "==> /proc/12/task/34/stack <==", HEAD_FILE, "", 12, 34, -1, 0, false },
                { "==> 12 34 a <== b <==", HEAD_FILE, "a <== b", 12, 34, -1, 0, false },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct paste_head h;

                if (paste_head_read(span_of(rows[i].line), &h) != rows[i].kind)
                        fail_msg("not understood: %s", rows[i].line);
                span_check(h.comm, rows[i].comm);
                assert_int_equal(h.pid, rows[i].pid);
                assert_int_equal(h.tid, rows[i].tid);
                assert_int_equal(h.ppid, rows[i].ppid);
                assert_int_equal(h.state, rows[i].state);
                assert_int_equal(h.kernel, rows[i].kernel);
        }
}

static void test_no_heads(void **state)
{
        static const char *const lines[] = {
                "",
                "task:",
                "task:bash            state:S",
                "task:bash            state:S stack:0     pid:",
                "task:                state:S stack:0     pid:1 ppid:1 flags:0x0",
                "INFO: task blocked for more than 120 seconds.",
                "INFO: task x: blocked for more than 120 seconds.",
                "INFO: task x:99999999999999999999 blocked for more than 120 seconds.",
                "bash            S    0  1234   1233 00000080",
                "bash            Q    0  1234   1233 0x00000080",
                "  task                        PC stack   pid father",
                "CPU: 4 PID: x Comm: y",
                "ffff880139dd70c0 0000000000000046 0000000000000000 ffffffff8160d020",
                "==> /proc/self/stack <==",
                "==> /etc/passwd <==",
        };
        struct paste_head h;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                if (paste_head_read(span_of(lines[i]), &h) != HEAD_NONE)
                        fail_msg("taken for a head: %s", lines[i]);
}

static void test_blockers(void **state)
{
        static const struct {
                const char *line, *kind;
                pid_t waiter, owner;
                const char *comm;
        } rows[] = {
                { "INFO: task cat:812 is blocked on a mutex likely owned by task cat:811.",
                        "kernel-mutex", 812, 811, "cat" },
                { "INFO: task a:1:12 <writer> blocked on an rw-semaphore likely owned by task "
                  "foo bar:77 <reader>",
                        "kernel-rwsem", 12, 77, "foo bar" },
                { "INFO: task a:12 blocked on a semaphore likely last held by task b:77",
                        "kernel-semaphore", 12, 77, "b" },
        };
        struct paste_blocker b;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_true(paste_blocker_read(span_of(rows[i].line), &b));
                assert_string_equal(b.kind, rows[i].kind);
                assert_int_equal(b.waiter, rows[i].waiter);
                assert_int_equal(b.owner, rows[i].owner);
                span_check(b.owner_comm, rows[i].comm);
        }
        assert_false(paste_blocker_read(
                span_of("INFO: task a:1 is blocked on a mutex, but the owner is not found."), &b));
}

static void test_releases(void **state)
{
        static const struct {
                const char *line, *release;
        } rows[] = {
                { "      Not tainted 6.1.0-18-amd64 #1 Debian 6.1.76-1", "6.1.0-18-amd64" },
                { "      Tainted: G        W   E     4.19.0-6-amd64 #1 Debian", "4.19.0-6-amd64" },
                { "CPU: 1 PID: 2 Comm: x Tainted: [W]=WARN 6.12.0-rc6+ #3", "6.12.0-rc6+" },
                { "Linux version 3.2.0-4-amd64 (debian-kernel@x) (gcc)", "3.2.0-4-amd64" },
        };
        struct span release;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_true(paste_release_read(span_of(rows[i].line), &release));
                span_check(release, rows[i].release);
        }
        assert_false(paste_release_read(span_of("Not tainted"), &release));
}

static void test_frames(void **state)
{
        static const struct {
                const char *line, *text;
        } rows[] = {
                { "f+0x1/0x2", "[<0>] f+0x1/0x2\n" },
                { "? f.isra.0+0x1/0x2", "[<0>] ? f.isra.0+0x1/0x2\n" },
                { "[<ffffffff81234567>] f+0x1/0x2 [nfs]",
                        "[<ffffffff81234567>] f+0x1/0x2 [nfs]\n" },
                { "[<ffffffff81234567>] ? f+0x1/0x2", "[<ffffffff81234567>] ? f+0x1/0x2\n" },
                { "f+0x1/0x2 [xfs 0123abcd]", "[<0>] f+0x1/0x2 [xfs]\n" },
                { "f+0x1/0x2 [nvidia(PO)]", "[<0>] f+0x1/0x2 [nvidia]\n" },
                { "f+0x1/0x2 (P)", "[<0>] f+0x1/0x2\n" },
                { "f+0x1/0x2 [nfs] (PT)", "[<0>] f+0x1/0x2 [nfs]\n" },
                { "<IRQ> f+0x1/0x2", "[<0>] f+0x1/0x2\n" },
                { "<EOI>  [<ffffffff81234567>] f+0x1/0x2", "[<ffffffff81234567>] f+0x1/0x2\n" },
                { "[<c0997424>] (__schedule) from [<c0997a94>] (schedule+0x50/0xa8)",
                        "[<c0997424>] __schedule\n[<c0997a94>] schedule+0x50/0xa8\n" },
                { "[<7f4ba618>] (fuse_writepages [fuse]) from [<8022e284>] (f+0x30/0x8c [m])",
                        "[<7f4ba618>] fuse_writepages [fuse]\n[<8022e284>] f+0x30/0x8c [m]\n" },
                { "__schedule from schedule+0x5c/0xe8",
                        "[<0>] __schedule\n[<0>] schedule+0x5c/0xe8\n" },
                { "[c000001b9ab07730] [c000000000b31f24] f+0x384/0xa20",
                        "[<c000000000b31f24>] f+0x384/0xa20\n" },
                { "[<ffffffffa0365000>] ? 0xffffffffa0364fff",
                        "[<ffffffffa0365000>] ? 0xffffffffa0364fff\n" },
                { "[<(____ptrval____)>] f+0x1/0x2", "[<0>] f+0x1/0x2\n" },
        };
        static const char *const junk[] = { "", "f", "f+0x1", "f+0x1/", "f+0x1/0x2 g+0x1/0x2", "? ",
                "<TASK>", "</TASK>", "[<", "[<0>]", "[<0>] ", "+0x1/0x2", "0xffffffff",
                "Code: 12 34", "f+0x1/0x2 [", "f+0x1/0x2 (", "f+0x1/0x2 [a", "1f+0x1/0x2",
                "ffff88011bd53e08 0000000000000086", "sched[1043267.444164] serial8250: too much" };
        struct paste_frame f;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                if (!paste_frame_read(span_of(rows[i].line), &f))
                        fail_msg("no frame: %s", rows[i].line);
                assert_int_equal(f.len, strlen(rows[i].text));
                assert_memory_equal(f.text, rows[i].text, f.len);
        }
        for (size_t i = 0; i < ARRAY_SIZE(junk); i++)
                if (paste_frame_read(span_of(junk[i]), &f))
                        fail_msg("taken for a frame: %s", junk[i]);
        assert_true(paste_frame_is_cut(span_of("rpc_wait_bit_kil")));
        assert_true(paste_frame_is_cut(span_of("? f+0x1")));
        assert_false(paste_frame_is_cut(span_of("Code:")));
        assert_false(paste_frame_is_cut(span_of("disabled")));
}

#define HEAD(comm, letter, pid)                                                                    \
        "task:" comm "            state:" letter " stack:0     pid:" pid "  ppid:1   "             \
        "flags:0x00000002\n"
#define ENTRY "do_syscall_64+0x5b/0xc0\nentry_SYSCALL_64_after_hwframe+0x64/0xce\n"
#define REGISTERS(nr)                                                                              \
        "RIP: 0033:0x7f1372d2400c\n"                                                               \
        "RSP: 002b:00007f1353c2dd10 EFLAGS: 00000246 ORIG_RAX: " nr "\n"                           \
        "RAX: ffffffffffffffda RBX: 00007f1353c2dd70 RCX: 00007f1372d2400c\n"                      \
        "RDX: 0000000000008000 RSI: 0000290e15c61000 RDI: 0000000000000007\n"                      \
        "RBP: 00007f1353c2ddf0 R08: 0000000000000008 R09: 0000000000000009\n"                      \
        "R10: 000000000000000a R11: 0000000000000246 R12: 00007f1353c2de90\n"

static void test_registers(void **state)
{
        struct thread *t = thread_find(
                text_read(*state, HEAD("cat", "S", "12") "Call Trace:\npipe_read+0x1/0x2\n"
                                                         "__x64_sys_read+0x1/0x2\n" ENTRY REGISTERS(
                                                                 "0000000000000000")),
                12);

        assert_non_null(t);
        assert_int_equal(t->call.state, CALL_INSIDE);
        assert_int_equal(t->call.nr, 0);
        assert_int_equal(t->call.args[0], 7);
        assert_int_equal(t->call.args[3], 10);
        assert_true(t->call.sp == 0x7f1353c2dd10 && t->call.pc == 0x7f1372d2400c);
        assert_non_null(t->call.object);
        assert_int_equal(t->call.object->fd, 7);
        assert_string_equal(t->wait.text, "waiting for data in a pipe (fd 7)");
        assert_int_equal(t->wait.confidence, CONFIDENCE_LIKELY);
}

/* What the stack contradicts, or what came after a fault, is no system call's number. */
static void test_registers_refused(void **state)
{
        struct thread *t = thread_find(
                text_read(*state, HEAD("cat", "S", "12") "Call Trace:\npipe_read+0x1/0x2\n"
                                                         "__x64_sys_read+0x1/0x2\n" ENTRY REGISTERS(
                                                                 "0000000000000001")),
                12);

        assert_int_equal(t->call.state, CALL_UNKNOWN);
        assert_string_equal(t->call.desc->name, "read");
        t = thread_find(
                text_read(*state, HEAD("cat", "D", "13") "Call Trace:\nfilemap_fault+0x1/0x2\n"
                                                         "asm_exc_page_fault+0x1/0x2\n" REGISTERS(
                                                                 "0000000000000014")),
                13);
        assert_int_equal(t->call.state, CALL_OUTSIDE);
}

/* The same lines, of two CPUs, with and without the name of the writer. */
static void test_interleaved(void **state)
{
        struct snapshot *s =
                text_read(*state, "[1.0][ T1] " HEAD("a", "D", "11") "[1.1][ T2] " HEAD("b", "S",
                                          "12") "[1.2][ T1] Call Trace:\n[1.3][ T2] Call Trace:\n"
                                                "[1.4][ T2]  inet_csk_accept+0x1/0x2\n[1.5][ T1]  "
                                                "rpc_wait_bit_killable+0x1/0x2\n"
                                                "[1.6][ T1]  __x64_sys_sync+0x1/0x2\n[1.7][ T2]  "
                                                "__x64_sys_accept+0x1/0x2\n");

        assert_int_equal(thread_find(s, 11)->wait.reason, REASON_REMOTE_FS);
        assert_int_equal(thread_find(s, 12)->wait.reason, REASON_ACCEPT);

        s = text_read(*state, "[1.0] " HEAD("a", "D", "11") "[1.1] " HEAD(
                                      "b", "S", "12") "[1.2] Call Trace:\n[1.3] Call Trace:\n"
                                                      "[1.4]  inet_csk_accept+0x1/0x2\n[1.5]  "
                                                      "rpc_wait_bit_killable+0x1/0x2\n");
        for (pid_t tid = 11; tid <= 12; tid++) {
                assert_null(thread_find(s, tid)->kernel_stack);
                assert_int_equal(thread_find(s, tid)->wait.reason, REASON_UNKNOWN);
        }
        assert_non_null(s->gaps);

        /* One begins while the other's outer functions are still to come. */
        static const char *const mixtures[] = {
                "[1.4]  vfs_read+0x1/0x2\n[1.5]  __schedule+0x1/0x2\n",
                "[1.4]  __schedule+0x1/0x2\n[1.5]  inet_csk_accept+0x1/0x2\n"
                "[1.6]  __schedule+0x1/0x2\n",
                "[1.4]  __schedule+0x1/0x2\n[1.5]  pipe_read+0x1/0x2\n"
                "[1.6]  entry_SYSCALL_64_after_hwframe+0x1/0x2\n"
                "[1.7]  inet_csk_accept+0x1/0x2\n",
                "[1.4]  __schedule+0x1/0x2\n[1.5]  pipe_read+0x1/0x2\n"
                "[1.6]  entry_SYSCALL_64_after_hwframe+0x1/0x2\n"
                "[1.7]  entry_SYSCALL_64_after_hwframe+0x1/0x2\n",
        };

        for (size_t i = 0; i < ARRAY_SIZE(mixtures); i++) {
                _cleanup_free_ char *text = NULL;

                assert_true(asprintf(&text,
                                    "[1.0] %s[1.1] Call Trace:\n[1.2]  __schedule+0x1/0x2\n"
                                    "[1.2]  rpc_wait_bit_killable+0x1/0x2\n"
                                    "[1.3] %s[1.3] Call Trace:\n%s",
                                    HEAD("a", "D", "11"), HEAD("b", "S", "12"), mixtures[i]) > 0);
                s = text_read(*state, text);
                assert_int_equal(thread_find(s, 11)->wait.reason, REASON_REMOTE_FS);
                assert_null(thread_find(s, 12)->kernel_stack);
        }
}

/* A stack that is whole takes no more; frames without a head in a log are nobody's. */
static void test_orphans(void **state)
{
        struct snapshot *s = text_read(*state,
                "[1.0]  inet_csk_accept+0x1/0x2\n"
                "[1.1] " HEAD("a", "S",
                        "11") "[1.2] Call Trace:\n"
                              "[1.3]  do_nanosleep+0x1/0x2\n[1.4]  __x64_sys_nanosleep+0x1/0x2\n"
                              "[1.5]  entry_SYSCALL_64_after_hwframe+0x1/0x2\n"
                              "[1.6]  inet_csk_accept+0x1/0x2\n");

        assert_int_equal(s->n_threads, 1);
        assert_int_equal(thread_find(s, 11)->kernel_stack->n_frames, 3);
        assert_int_equal(thread_find(s, 11)->wait.reason, REASON_SLEEP);
}

static void test_cut_line(void **state)
{
        struct thread *t = thread_find(
                text_read(*state, HEAD("a", "D", "11") "Call Trace:\nschedule+0x1/0x2\n"
                                                       "rpc_wait_bit_kil\n"
                                                       "jbd2_log_wait_commit+0x1/0x2\n"),
                11);

        assert_int_equal(t->wait.reason, REASON_UNKNOWN);
        assert_int_equal(t->kernel_stack->n_frames, 3);
}

static void test_reports(void **state)
{
        struct snapshot *s = text_read(*state,
                "INFO: task java:12 blocked for more than 120 seconds.\n"
                "      Not tainted 6.1.0 #1\n" HEAD("java", "D",
                        "12") "Call Trace:\nrpc_wait_bit_killable+0x1/0x2\n"
                              "INFO: task java:12 blocked for more than 241 seconds.\n" HEAD("java",
                                      "D",
                                      "12") "Call "
                                            "Trace:\nrequest_wait_answer+0x1/0x2\n__mutex_lock+0x1/"
                                            "0x2\n"
                                            "INFO: task java:12 is blocked on a mutex likely owned "
                                            "by task foo:77.\n"
                                            "------------[ cut here ]------------\nWARNING: CPU: 1 "
                                            "PID: 5 at a.c:1\n"
                                            "CPU: 1 PID: 5 Comm: oops Not tainted 6.1.0 #1\nCall "
                                            "Trace:\nf+0x1/0x2\n"
                                            "---[ end trace 0 ]---\n"
                                            "watchdog: BUG: soft lockup - CPU#3 stuck for 26s! "
                                            "[stress:4711]\n"
                                            "CPU: 3 PID: 4711 Comm: stress Not tainted 6.1.0 #1\n"
                                            "RIP: 0010:spin+0x1/0x2\nCall Trace:\nf+0x1/0x2\n");
        struct thread *t = thread_find(s, 12);

        assert_int_equal(s->n_threads, 2);
        assert_int_equal(t->for_ns / NS_PER_S, 241);
        assert_true(t->for_at_least);
        assert_int_equal(t->kernel_stack->n_frames, 2);
        assert_string_equal(t->blocker->kind, "kernel-mutex");
        assert_int_equal(t->blocker->owners[0].pid, 77);
        assert_string_equal(s->host.kernel, "6.1.0");
        t = thread_find(s, 4711);
        assert_int_equal(t->wait.reason, REASON_RUNNING);
        assert_int_equal(t->cpu, 3);
        assert_string_equal(t->kernel_stack->frames[0].symbol, "spin");
}

/* Without a state no verdict is certain; two stacks are two without a line between them. */
static void test_files(void **state)
{
        struct snapshot *s =
                text_read(*state, "[<0>] pipe_read+0x1/0x2\n[<0>] __x64_sys_read+0x1/0x2\n"
                                  "[<0>] entry_SYSCALL_64_after_hwframe+0x1/0x2\n"
                                  "[<0>] kthreadd+0x1/0x2\r\n[<0>] ret_from_fork+0x1/0x2\r\n"
                                  "[<0>] ret_from_fork_asm+0x1/0x2\r\n"
                                  "[<ffffffff81234567>] futex_wait+0x1/0x2\n"
                                  "[<ffffffffffffffff>] 0xffffffffffffffff\n\n");
        const struct process *p = s->processes;

        assert_int_equal(s->n_processes, 3);
        assert_int_equal(p->pid, 0);
        assert_int_equal(p->threads->line, 1);
        assert_string_equal(p->threads->wait.text, "waiting for data in a pipe");
        assert_int_equal(p->threads->wait.confidence, CONFIDENCE_LIKELY);
        p = p->next;
        assert_int_equal(p->threads->line, 4);
        assert_int_equal(p->threads->wait.reason, REASON_IDLE);
        p = p->next;
        assert_int_equal(p->threads->line, 7);
        assert_string_equal(
                p->threads->wait.text, "waiting on a futex until another thread wakes it");
}

static void test_reboot(void **state)
{
        struct snapshot *s = text_read(*state,
                "[9.0] " HEAD("a", "D", "11") "[0.0] Linux version 6.1.0 (x) (gcc) #1\n"
                                              "[1.0] " HEAD("b", "S", "11"));

        assert_int_equal(s->n_processes, 2);
}

static void test_public(void **state)
{
        static const char text[] = HEAD("a", "D", "11") HEAD("b", "S", "12");
        struct pwhy_query *query;
        struct pwhy_snapshot *s;

        (void)state;
        assert_int_equal(pwhy_query_new(&query), 0);
        assert_int_equal(pwhy_explain_text(query, NULL, 0, &s), 0);
        assert_int_equal(pwhy_snapshot_count(s), 0);
        assert_non_null(strstr(pwhy_snapshot_unmatched_text(s, 0), "understood"));
        pwhy_snapshot_free(s);
        assert_int_equal(pwhy_explain_text(query, text, strlen(text), &s), 0);
        assert_int_equal(pwhy_snapshot_count(s), 2);
        pwhy_snapshot_free(s);
        assert_int_equal(pwhy_query_set_states(query, "D"), 0);
        assert_int_equal(pwhy_explain_text(query, text, strlen(text), &s), 0);
        assert_int_equal(pwhy_snapshot_count(s), 1);
        pwhy_snapshot_free(s);
        assert_int_equal(pwhy_query_add_target(query, "11"), 0);
        assert_int_equal(pwhy_query_add_target(query, "nobody"), 0);
        assert_int_equal(pwhy_explain_text(query, text, strlen(text), &s), 0);
        assert_int_equal(pwhy_snapshot_count(s), 1);
        assert_int_equal(pwhy_snapshot_unmatched(s), 1);
        pwhy_snapshot_free(s);
        pwhy_query_free(query);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_foreign_lines),
                cmocka_unit_test(test_heads),
                cmocka_unit_test(test_no_heads),
                cmocka_unit_test(test_blockers),
                cmocka_unit_test(test_releases),
                cmocka_unit_test(test_frames),
                cmocka_unit_test_setup_teardown(test_registers, reading_setup, reading_teardown),
                cmocka_unit_test_setup_teardown(
                        test_registers_refused, reading_setup, reading_teardown),
                cmocka_unit_test_setup_teardown(test_interleaved, reading_setup, reading_teardown),
                cmocka_unit_test_setup_teardown(test_orphans, reading_setup, reading_teardown),
                cmocka_unit_test_setup_teardown(test_cut_line, reading_setup, reading_teardown),
                cmocka_unit_test_setup_teardown(test_reports, reading_setup, reading_teardown),
                cmocka_unit_test_setup_teardown(test_files, reading_setup, reading_teardown),
                cmocka_unit_test_setup_teardown(test_reboot, reading_setup, reading_teardown),
                cmocka_unit_test(test_public),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
