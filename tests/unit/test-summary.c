/* SPDX-License-Identifier: GPL-2.0-or-later */
/* render/summary.c: a machine at a glance. Nothing may be counted twice, and nobody left out. */
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
#include "model.h"
#include "render/render.h"
#include "render/summary.h"

static const struct stack stack_a = { .text = "", .id = 1 }, stack_b = { .text = "", .id = 2 };

static int setup(void **state)
{
        struct arena *a = arena_new();
        struct snapshot *s = a ? arena_new_one(a, struct snapshot) : NULL;

        if (!s)
                return -1;
        snapshot_init(s, a);
        s->all = true;
        *state = s;
        return 0;
}

static int teardown(void **state)
{
        struct snapshot *s = *state;

        arena_free(s->arena);
        return 0;
}

static struct process *process_add(struct snapshot *s, pid_t pid, const char *comm)
{
        struct process *p = arena_new_one(s->arena, struct process);

        assert_non_null(p);
        p->pid = pid;
        p->comm = comm;
        p->threads_tail = &p->threads;
        snapshot_add_process(s, p);
        return p;
}

static struct thread *thread_add(struct snapshot *s, struct process *p, pid_t tid,
        enum reason reason, const struct stack *stack, int64_t for_s)
{
        struct thread *t = arena_new_one(s->arena, struct thread);

        assert_non_null(t);
        t->process = p;
        t->tid = tid;
        t->comm = p->comm;
        t->state = reason == REASON_RUNNING ? 'R' : 'S';
        t->kernel_stack = stack;
        t->matched = true;
        t->has_for = true;
        t->for_ns = for_s * NS_PER_S;
        t->wait = (struct wait){ .reason = reason,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for something",
                .rule = stack == &stack_a ? "rule-a" : "rule-b" };
        process_add_thread(s, p, t);
        s->n_matched++;
        return t;
}

/* A process with one thread. */
static struct thread *single(struct snapshot *s, pid_t pid, const char *comm, enum reason reason,
        const struct stack *stack, int64_t for_s)
{
        return thread_add(s, process_add(s, pid, comm), pid, reason, stack, for_s);
}

/* Every thread that matches is in a block, once; the longest wait is first. */
static void summary_is_right(const struct snapshot *s, const struct summary *sum)
{
        size_t n = 0;

        for (size_t i = 0; i < sum->n_blocks; i++) {
                const struct block *b = &sum->blocks[i];

                if (b->group.n_threads > 1) {
                        n += b->group.n_threads;
                        for (size_t j = 0; j < b->group.n_threads; j++)
                                for (size_t k = 0; k < j; k++)
                                        assert_ptr_not_equal(
                                                b->group.threads[j], b->group.threads[k]);
                        continue;
                }
                for_each_thread(t, b->process)
                        n += t->matched;
                for (size_t k = 0; k < i; k++)
                        assert_ptr_not_equal(b->process, sum->blocks[k].process);
        }
        assert_int_equal(n, s->n_matched);
}

static char *text_of(const struct snapshot *s)
{
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        assert_int_equal(render_text(out, s, NULL, false, 0), 0);
        fclose(out);
        return text;
}

static void due(void **state)
{
        struct snapshot *s = *state;

        for (pid_t pid = 1; pid <= 23; pid++)
                single(s, pid, "x", REASON_SLEEP, &stack_a, 1);
        assert_false(summary_is_due(s));
        single(s, 24, "x", REASON_SLEEP, &stack_a, 1);
        assert_true(summary_is_due(s));
        s->all = false;
        assert_false(summary_is_due(s));
}

static void counts(void **state)
{
        static const char head[] =
                "31 threads of 29 processes\n"
                "      20  sleep        the longest for 20 s: old (pid 20)\n"
                "      10  lock         the longest for 1 min 19 s: lock (pid 21)\n"
                "       1  running\n\n";
        struct snapshot *s = *state;
        _cleanup_free_ char *text = NULL;
        struct process *p;

        for (pid_t pid = 1; pid <= 20; pid++)
                single(s, pid, "old", REASON_SLEEP, &stack_a, pid);
        for (pid_t pid = 21; pid <= 27; pid++)
                single(s, pid, "lock", REASON_LOCK, &stack_b, 100 - pid);
        single(s, 30, "runs", REASON_RUNNING, &stack_b, 5000);
        /* What did not match is neither counted nor the longest. */
        single(s, 31, "idle", REASON_LOCK, &stack_b, 9000)->matched = false;
        s->n_matched--;
        p = process_add(s, 40, "many");
        for (pid_t tid = 40; tid < 43; tid++)
                thread_add(s, p, tid, REASON_LOCK, &stack_b, 7)->comm = "worker";

        text = text_of(s);
        assert_null(strstr(text, "idle"));
        assert_true(strlen(text) > strlen(head));
        text[strlen(head)] = 0;
        assert_string_equal(text, head);
}

static void look_alikes(void **state)
{
        struct snapshot *s = *state;
        struct summary sum;
        struct process *p;
        size_t n = 0;

        for (pid_t pid = 1; pid <= 9; pid++)
                single(s, pid, "same", REASON_SLEEP, &stack_a, pid);
        single(s, 10, "same", REASON_SLEEP, &stack_b, 3); /* elsewhere */
        single(s, 11, "other", REASON_SLEEP, &stack_a, 3);
        single(s, 12, "same", REASON_SLEEP, &stack_a, 3)->state = 'D';
        single(s, 13, "same", REASON_SLEEP, &stack_a, 3)->deadlocked = true;
        single(s, 14, "same", REASON_SLEEP, &stack_a, 3)->deadlocked = true;
        single(s, 15, "same", REASON_SLEEP, &stack_a, 3)->wait.n_on = 1;
        p = process_add(s, 20, "same"); /* has two threads */
        thread_add(s, p, 20, REASON_SLEEP, &stack_a, 1000);
        thread_add(s, p, 21, REASON_SLEEP, &stack_a, 1);
        single(s, 30, "same", REASON_SLEEP, &stack_a, 5)->matched = false;
        s->n_matched--;

        assert_int_equal(summary_init(&sum, s), 0);
        summary_is_right(s, &sum);
        for (size_t i = 0; i < sum.n_blocks; i++)
                if (sum.blocks[i].group.n_threads > 1) {
                        assert_int_equal(sum.blocks[i].group.n_threads, 9);
                        n++;
                }
        assert_int_equal(n, 1);
        assert_int_equal(sum.n_blocks, 8);
        /* The longest first: of a process its longest thread, of look-alikes their longest. */
        assert_int_equal(sum.blocks[0].process->pid, 20);
        assert_int_equal(sum.blocks[1].group.n_threads, 9);
        /* Of the same time, the lower number first. */
        assert_int_equal(sum.blocks[2].process->pid, 10);
        summary_done(&sum);
}

/* Any mixture: nothing is lost, and blocks are in order. */
static void nothing_is_lost(void **state)
{
        struct snapshot *s = *state;
        static const char *const names[] = { "a", "b", "c" };
        static const enum reason reasons[] = { REASON_SLEEP, REASON_LOCK, REASON_POLL };
        uint32_t random = 1;
        struct summary sum;
        pid_t number = 1;

        for (int i = 0; i < 2000; i++) {
                struct process *p;

                random = random * 1664525 + 1013904223;
                p = process_add(s, number, names[(random >> 8) % 3]);
                for (uint32_t j = 0; j < 1 + (random >> 12) % 2; j++) {
                        struct thread *t = thread_add(s, p, number++, reasons[(random >> 16) % 3],
                                random & 1 << 20 ? &stack_a : &stack_b, random >> 24);

                        if (random >> 28 == 3) {
                                t->matched = false;
                                s->n_matched--;
                        }
                        t->has_for = random >> 27 & 1;
                }
        }
        assert_int_equal(summary_init(&sum, s), 0);
        summary_is_right(s, &sum);
        summary_done(&sum);
        free(text_of(s));
}

static void nobody(void **state)
{
        struct snapshot *s = *state;
        struct summary sum;

        process_add(s, 1, "empty");
        assert_int_equal(summary_init(&sum, s), 0);
        assert_int_equal(sum.n_blocks, 0);
        summary_done(&sum);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(due, setup, teardown),
                cmocka_unit_test_setup_teardown(counts, setup, teardown),
                cmocka_unit_test_setup_teardown(look_alikes, setup, teardown),
                cmocka_unit_test_setup_teardown(nothing_is_lost, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
