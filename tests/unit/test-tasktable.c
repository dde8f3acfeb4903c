/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture/tasktable.c and taskorder.c over a kernel of our own: what taskiter.h promises is done
 * here, by a list of threads, with the slots read as the program inside the kernel reads them.
 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "capture/taskiter.h"
#include "capture/taskorder.h"
#include "capture/tasktable.h"
#include "symbol/kernelnames.h"

#define THREADS_MAX 4096

struct fake {
        pid_t pid, tid;
        uint64_t switches, start_ns;
        uint32_t flags;
        uint64_t frames[4];
        uint32_t n_frames;
};

struct taskiter {
        struct fake threads[THREADS_MAX];
        size_t n;
        struct wire_slot *slots;
        size_t n_slots;
        uint32_t pass, passes;
        int error;             /* of the next pass */
        size_t n_sent, n_same; /* in the last one */
        size_t n_asked, n_batches;
        char names[KERNELNAMES_BATCH][64];
};

/* ---- what the kernel does ---- */

static bool is_known(struct taskiter *it, const struct fake *t)
{
        for (size_t i = 0; i < WIRE_PROBES; i++) {
                struct wire_slot *s = &it->slots[((size_t)t->tid + i) & (it->n_slots - 1)];

                if (s->tid != (uint32_t)t->tid)
                        continue;
                if (s->start_ns != t->start_ns)
                        return false;
                s->pass = it->pass;
                return s->switches == t->switches && !(t->flags & (WIRE_ON_CPU | WIRE_ON_QUEUE));
        }
        return false;
}

int taskiter_pass(struct taskiter *it, const struct taskiter_scope *scope,
        int (*each)(void *arg, const struct wire_task *w), void *arg)
{
        it->pass = ++it->passes;
        it->n_sent = it->n_same = 0;
        if (it->error)
                return it->error;
        for (size_t i = 0; i < it->n; i++) {
                const struct fake *t = &it->threads[i];
                struct {
                        struct wire_task task;
                        uint64_t rest[WIRE_REGS_MAX + 4];
                } record = { 0 };
                uint64_t *end = record.rest;
                int r;

                if ((scope->pid && scope->pid != t->pid) || (scope->tid && scope->tid != t->tid))
                        continue;
                if (!scope->fresh && is_known(it, t)) {
                        it->n_same++;
                        continue;
                }
                record.task = (struct wire_task){ .pid = t->pid,
                        .tid = t->tid,
                        .flags = t->flags,
                        .switches = t->switches,
                        .start_ns = t->start_ns,
                        .n_frames = t->n_frames };
                memcpy(end, t->frames, t->n_frames * sizeof(*end));
                end += t->n_frames;
                if (t->flags & WIRE_REGS)
                        for (size_t j = 0; j < WIRE_REGS_MAX; j++)
                                *end++ = (uint64_t)t->tid * 1000 + j;
                it->n_sent++;
                r = each(arg, &record.task);
                if (r < 0)
                        return r;
        }
        return 0;
}

size_t taskiter_same(const struct taskiter *it)
{
        return it->n_same;
}

size_t taskiter_met(const struct taskiter *it)
{
        (void)it;
        return 0;
}

uint32_t taskiter_pass_number(const struct taskiter *it)
{
        return it->pass;
}

bool taskiter_is_foreign(const struct taskiter *it)
{
        return it->pass != it->passes;
}

void taskiter_forget(struct taskiter *it)
{
        memset(it->slots, 0, it->n_slots * sizeof(*it->slots));
}

static struct wire_slot *slot_probe(struct taskiter *it, pid_t tid, uint32_t content)
{
        for (size_t i = 0; i < WIRE_PROBES; i++) {
                struct wire_slot *s = &it->slots[((size_t)tid + i) & (it->n_slots - 1)];

                if (s->tid == content)
                        return s;
        }
        return NULL;
}

struct wire_slot *taskiter_slot(struct taskiter *it, pid_t tid)
{
        return slot_probe(it, tid, (uint32_t)tid);
}

struct wire_slot *taskiter_slot_make(struct taskiter *it, pid_t tid)
{
        struct wire_slot *s = slot_probe(it, tid, (uint32_t)tid);

        return s ? s : slot_probe(it, tid, 0);
}

int taskiter_names(
        struct taskiter *it, const uint64_t *addresses, size_t n, const char *ret_texts[])
{
        if (it->error)
                return it->error;
        assert_in_range(n, 1, KERNELNAMES_BATCH);
        it->n_asked += n;
        it->n_batches++;
        for (size_t i = 0; i < n; i++) {
                snprintf(it->names[i], sizeof(it->names[i]), "f%llx+0x1/0x2",
                        (unsigned long long)addresses[i]);
                ret_texts[i] = it->names[i];
        }
        return 0;
}

/* ---- the tests ---- */

struct ground {
        struct taskiter kernel;
        struct tasktable *table;
};

static int ground_setup(void **state)
{
        struct ground *g = calloc(1, sizeof(*g));

        if (!g)
                return -1;
        g->kernel.n_slots = 16384;
        g->kernel.slots = calloc(g->kernel.n_slots, sizeof(*g->kernel.slots));
        *state = g;
        return g->kernel.slots ? tasktable_new(&g->kernel, false, &g->table) : -1;
}

static int ground_teardown(void **state)
{
        struct ground *g = *state;

        tasktable_free(g->table);
        free(g->kernel.slots);
        free(g);
        return 0;
}

/* A thread of that number, asleep in a function of the same. */
static struct fake *thread_add(struct ground *g, pid_t pid, pid_t tid)
{
        struct fake *t = &g->kernel.threads[g->kernel.n++];

        *t = (struct fake){ .pid = pid,
                .tid = tid,
                .switches = 1,
                .start_ns = (uint64_t)tid * 7,
                .frames = { 0x1000 + (uint64_t)tid % 5, 0x2000 },
                .n_frames = 2 };
        return t;
}

static void thread_end(struct ground *g, size_t i)
{
        g->kernel.threads[i] = g->kernel.threads[--g->kernel.n];
}

static size_t sample(struct ground *g)
{
        static const struct taskiter_scope all;
        size_t changed = SIZE_MAX;

        assert_int_equal(tasktable_sample(g->table, &all, &changed), 0);
        return changed;
}

static const char *text_of(struct ground *g, pid_t tid)
{
        struct taskentry *e = tasktable_find(g->table, tid);
        size_t len;

        assert_non_null(e);
        return tasktable_stack_text(g->table, e->stack, &len);
}

/* Whatever the table says is what the kernel has, thread by thread, and nothing else. */
static void table_is_right(struct ground *g)
{
        assert_int_equal(tasktable_count(g->table), g->kernel.n);
        for (size_t i = 0; i < g->kernel.n; i++) {
                const struct fake *t = &g->kernel.threads[i];
                const struct taskentry *e = tasktable_find(g->table, t->tid);

                assert_non_null(e);
                assert_int_equal(e->task.pid, t->pid);
                assert_true(e->task.start_ns == t->start_ns && e->task.switches == t->switches);
                assert_int_equal(e->stack->n_frames, t->n_frames);
                assert_memory_equal(e->stack->frames, t->frames, t->n_frames * sizeof(*t->frames));
                if (t->flags & WIRE_REGS)
                        assert_true(tasktable_regs(g->table, e)[1] == (uint64_t)t->tid * 1000 + 1);
                else
                        assert_null(tasktable_regs(g->table, e));
        }
}

static void new_changed_and_unchanged(void **state)
{
        struct ground *g = *state;
        struct fake *runs = thread_add(g, 10, 10);

        thread_add(g, 10, 11);
        assert_int_equal(sample(g), 2);
        assert_int_equal(sample(g), 0);
        assert_int_equal(g->kernel.n_sent, 0);
        table_is_right(g);
        /* It ran, and sleeps somewhere else; or at the same place again. */
        runs->switches++;
        runs->frames[0] = 0x3000;
        thread_add(g, 12, 12);
        assert_int_equal(sample(g), 2);
        table_is_right(g);
        assert_string_equal(text_of(g, 10), "[<0>] f3000+0x1/0x2\n[<0>] f2000+0x1/0x2\n");
        runs->switches++;
        assert_int_equal(sample(g), 1);
        assert_int_equal(tasktable_find(g->table, 10)->sample, 4);
        assert_int_equal(tasktable_find(g->table, 11)->sample, 1);
        table_is_right(g);
}

static void what_runs_or_moved_is_read_each_time(void **state)
{
        struct ground *g = *state;

        thread_add(g, 1, 1)->flags = WIRE_ON_CPU;
        thread_add(g, 2, 2)->flags = WIRE_MOVED;
        thread_add(g, 3, 3);
        thread_add(g, 4, 4);
        for (int i = 0; i < 3; i++)
                assert_int_equal(sample(g), i == 0 ? 4 : 2);
        /* Woken, and waits for a CPU: its count is the same, but it does not sleep. */
        g->kernel.threads[3].flags = WIRE_ON_QUEUE;
        assert_int_equal(sample(g), 3);
        assert_int_equal(tasktable_find(g->table, 4)->task.flags, WIRE_ON_QUEUE);
        g->kernel.threads[3].flags = 0;
        g->kernel.threads[3].switches++;
        assert_int_equal(sample(g), 3);
        g->kernel.threads[0].flags = g->kernel.threads[1].flags = 0;
        /* Once more, at rest; the one that was on a CPU has been switched off it meanwhile. */
        g->kernel.threads[0].switches++;
        assert_int_equal(sample(g), 2);
        assert_int_equal(sample(g), 0);
        table_is_right(g);
}

/* Whether as many come as were expected, or more. */
static void room_grows(void **state)
{
        struct ground *g = *state;

        assert_int_equal(tasktable_expect(g->table, 300), 0);
        assert_int_equal(tasktable_expect(g->table, 10), 0);
        for (pid_t tid = 1; tid <= THREADS_MAX; tid++)
                thread_add(g, 1, tid)->flags = tid % 2 ? WIRE_REGS : 0;
        assert_int_equal(sample(g), THREADS_MAX);
        table_is_right(g);
        assert_int_equal(tasktable_expect(g->table, 5000), 0);
        table_is_right(g);
        assert_int_equal(sample(g), 0);
}

static void ended_threads_are_dropped(void **state)
{
        struct ground *g = *state;

        for (pid_t tid = 1; tid <= 600; tid++)
                thread_add(g, 1, tid)->flags = tid % 3 ? WIRE_REGS : 0;
        assert_int_equal(sample(g), 600);
        table_is_right(g);
        for (size_t i = 0; i < 300; i++)
                thread_end(g, i);
        assert_int_equal(sample(g), 0);
        table_is_right(g);
        assert_null(tasktable_find(g->table, 1));
        while (g->kernel.n)
                thread_end(g, 0);
        sample(g);
        assert_int_equal(tasktable_count(g->table), 0);
        assert_null(tasktable_entry(g->table, 0));
}

/* The same number, another thread: with the count of the one before by chance. */
static void numbers_are_used_again(void **state)
{
        struct ground *g = *state;
        struct fake *t = thread_add(g, 5, 5);

        sample(g);
        t->start_ns += 100;
        t->pid = 6;
        t->frames[0] = 0x4000;
        assert_int_equal(sample(g), 1);
        table_is_right(g);
        assert_int_equal(sample(g), 0);
}

/* Where there is no slot left, threads are sent each time, and dropped when they have ended. */
static void slots_run_out(void **state)
{
        struct ground *g = *state;

        g->kernel.n_slots = 64;
        for (pid_t tid = 1; tid <= 200; tid++)
                thread_add(g, 1, tid);
        assert_int_equal(sample(g), 200);
        table_is_right(g);
        assert_int_equal(sample(g), 200 - 64);
        table_is_right(g);
        for (size_t i = 0; i < 150; i++)
                thread_end(g, 0);
        sample(g);
        table_is_right(g);
        g->kernel.threads[0].switches++;
        sample(g);
        table_is_right(g);
}

static void growth(void **state)
{
        struct ground *g = *state;

        for (pid_t tid = 1; g->kernel.n < 3000; tid++)
                thread_add(g, tid / 10 + 1, tid * 3)->flags = tid % 2 ? WIRE_REGS : 0;
        assert_int_equal(sample(g), 3000);
        table_is_right(g);
        while (g->kernel.n < THREADS_MAX)
                thread_add(g, 1, 20000 + (pid_t)g->kernel.n);
        assert_int_equal(sample(g), THREADS_MAX - 3000);
        table_is_right(g);
}

/* A sample in which nothing new is met. */
static void steady_state_allocates_nothing(void **state)
{
        struct ground *g = *state;
        size_t before;

        for (pid_t tid = 1; tid <= 1000; tid++)
                thread_add(g, 1, tid);
        sample(g);
        before = mallinfo2().uordblks;
        for (size_t i = 0; i < 100; i++) {
                g->kernel.threads[i * 3].switches++;
                assert_int_equal(sample(g), 1);
        }
        assert_int_equal(mallinfo2().uordblks, before);
}

/* Who looks for days meets ever more stacks. */
static void stacks_are_not_kept_for_ever(void **state)
{
        struct ground *g = *state;
        struct fake *t = thread_add(g, 1, 1);
        size_t before;

        thread_add(g, 1, 2);
        sample(g);
        text_of(g, 2);
        before = mallinfo2().uordblks;
        for (uint64_t i = 0; i < 30000; i++) {
                t->switches++;
                t->frames[0] = 0x100000 + i;
                assert_int_equal(sample(g), 1);
        }
        table_is_right(g);
        assert_non_null(text_of(g, 2));
        assert_in_range(mallinfo2().uordblks - before, 0, 2 << 20);
}

/* One process is sampled; what is known of others stands, and is still known to the kernel. */
static void scopes(void **state)
{
        struct ground *g = *state;
        size_t changed;

        thread_add(g, 1, 1);
        thread_add(g, 2, 2)->switches = 5;
        thread_add(g, 2, 3);
        sample(g);
        g->kernel.threads[0].switches++;
        g->kernel.threads[1].switches++;
        thread_end(g, 2);
        assert_int_equal(
                tasktable_sample(g->table, &(struct taskiter_scope){ .pid = 2 }, &changed), 0);
        assert_int_equal(changed, 1);
        assert_int_equal(tasktable_count(g->table), 2);
        assert_true(tasktable_find(g->table, 1)->task.switches == 1);
        assert_true(tasktable_find(g->table, 2)->task.switches == 6);
        assert_int_equal(sample(g), 1);
        table_is_right(g);
}

/* Whom the filters left out is remembered from each sample of all to the next, and has no entry. */
static void what_filters_leave_out(void **state)
{
        struct ground *g = *state;

        thread_add(g, 1, 1);
        for (pid_t pid = 2; pid < 1000; pid += 2)
                thread_add(g, pid, pid)->flags = WIRE_LEFT_OUT;
        sample(g);
        assert_int_equal(tasktable_count(g->table), 1);
        for (pid_t pid = 0; pid < 1002; pid++)
                assert_int_equal(
                        tasktable_left_out(g->table, pid), pid > 1 && pid < 1000 && pid % 2 == 0);
        assert_int_equal(tasktable_sample(g->table, &(struct taskiter_scope){ .pid = 4 }, NULL), 0);
        assert_true(tasktable_left_out(g->table, 2));
        g->kernel.threads[1].flags = 0; /* passes now */
        sample(g);
        assert_int_equal(tasktable_count(g->table), 2);
        assert_false(tasktable_left_out(g->table, 2));
        assert_true(tasktable_left_out(g->table, 4));
}

/* Who was asked for once, as an owner, and is not asked for any more, is not kept for ever. */
static void what_nobody_asks_for_is_forgotten(void **state)
{
        struct ground *g = *state;

        thread_add(g, 1, 1);
        thread_add(g, 2, 2);
        sample(g);
        for (int i = 0; i < 300; i++)
                tasktable_sample(g->table, &(struct taskiter_scope){ .pid = 1 }, NULL);
        assert_int_equal(tasktable_count(g->table), 1);
        assert_int_equal(sample(g), 1);
        table_is_right(g);
}

/* A worker that was forked samples with the same slots and keeps what it learns to itself. */
static void a_fork_has_sampled(void **state)
{
        struct ground *g = *state;
        struct taskiter *k = &g->kernel;

        thread_add(g, 1, 1);
        thread_add(g, 2, 2);
        sample(g);
        /* One runs, one ends, one is new; the worker sees that, and writes slots. */
        k->threads[0].switches = 2;
        k->threads[0].frames[0] = 0x5000;
        k->threads[1] = (struct fake){ .pid = 3, .tid = 3, .switches = 1, .start_ns = 9 };
        k->passes++;
        k->slots[1] = (struct wire_slot){ 1, k->passes, 2, k->threads[0].start_ns };
        k->slots[2].pass = k->passes;
        k->slots[3] = (struct wire_slot){ 3, k->passes, 1, 9 };
        assert_int_equal(sample(g), 2);
        table_is_right(g);
        assert_int_equal(sample(g), 0);
}

static void failures(void **state)
{
        struct ground *g = *state;
        struct taskentry *e;
        size_t len;

        thread_add(g, 1, 1);
        g->kernel.error = -EIO;
        assert_int_equal(tasktable_sample(g->table, &(struct taskiter_scope){ 0 }, NULL), -EIO);
        g->kernel.error = 0;
        sample(g);
        table_is_right(g);
        g->kernel.error = -EPERM;
        e = tasktable_find(g->table, 1);
        assert_null(tasktable_stack_text(g->table, e->stack, &len));
        g->kernel.error = 0;
        assert_non_null(tasktable_stack_text(g->table, e->stack, &len));
}

/* A table beside another is sent everything, and leaves the slots to that one. */
static void beside(void **state)
{
        struct ground *g = *state;
        static const struct taskiter_scope all;
        struct tasktable *second;
        size_t changed;

        for (pid_t tid = 1; tid <= 10; tid++)
                thread_add(g, 1, tid);
        sample(g);
        assert_int_equal(tasktable_new(&g->kernel, true, &second), 0);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(tasktable_sample(second, &all, &changed), 0);
                assert_int_equal(changed, 10 - (size_t)i);
                assert_int_equal(tasktable_count(second), 10 - (size_t)i);
                if (i == 0)
                        thread_end(g, 3);
        }
        assert_int_equal(sample(g), 0);
        table_is_right(g);
        tasktable_free(second);
}

/* Few processes are gone through one by one, one that has ended among them. */
static void of_some_processes(void **state)
{
        struct ground *g = *state;

        for (pid_t pid = 1; pid <= 20; pid++)
                thread_add(g, pid, pid);
        sample(g);
        for (size_t i = 0; i < 20; i++)
                g->kernel.threads[i].switches++;
        thread_end(g, 4); /* process 5 */
        assert_int_equal(tasktable_sample_processes(g->table, (pid_t[]){ 3, 5, 7 }, 3), 0);
        assert_int_equal(tasktable_count(g->table), 19);
        for (pid_t pid = 1; pid <= 20; pid++)
                if (pid != 5)
                        assert_int_equal(tasktable_find(g->table, pid)->task.switches,
                                pid == 3 || pid == 7 ? 2 : 1);
        assert_int_equal(
                tasktable_sample_processes(g->table, (pid_t[]){ 1, 2, 3, 4, 6, 7, 8, 9, 10 }, 9),
                0);
        table_is_right(g);
}

/* Equal stacks are one, and each address is asked for once, many at a time. */
static void stacks_and_names(void **state)
{
        struct ground *g = *state;

        for (pid_t tid = 1; tid <= 100; tid++)
                thread_add(g, 1, tid);
        thread_add(g, 1, 101)->n_frames = 0;
        sample(g);
        assert_ptr_equal(tasktable_find(g->table, 1)->stack, tasktable_find(g->table, 6)->stack);
        for (pid_t tid = 1; tid <= 100; tid++)
                assert_non_null(text_of(g, tid));
        assert_int_equal(g->kernel.n_asked, 6);
        assert_int_equal(g->kernel.n_batches, 5);
        assert_string_equal(text_of(g, 101), "");
}

static void order(void **state)
{
        struct ground *g = *state;
        struct taskorder *o;

        thread_add(g, 9, 9);
        thread_add(g, 3, 40);
        thread_add(g, 9, 12);
        thread_add(g, 3, 3);
        sample(g);
        assert_int_equal(taskorder_new(g->table, &o), 0);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(taskorder_entry(o, i)->task.tid, ((pid_t[]){ 3, 40, 9, 12 })[i]);
        assert_null(taskorder_entry(o, 4));
        assert_int_equal(taskorder_first(o, 3), 0);
        assert_int_equal(taskorder_first(o, 4), 2);
        assert_int_equal(taskorder_first(o, 9), 2);
        assert_int_equal(taskorder_first(o, 10), 4);
        thread_end(g, 0); /* TID 9 */
        sample(g);
        assert_null(taskorder_entry(o, 2));
        taskorder_free(o);
}

/*
 * Every combination of the bits that the kernel can show (include/linux/sched.h, 6.18), against
 * its own arithmetic: __task_state_index() and "RSDTtXZPI".
 */
static char letter_of_kernel(uint32_t state)
{
        const uint32_t report = 0x7f, idle = 0x402, rtlock = 0x1000, frozen = 0x8000;
        uint32_t shown = state & report, index = 0;

        if ((state & idle) == idle)
                shown = report + 1;
        if (state & (rtlock | frozen))
                shown = 0x2;
        for (; shown; shown >>= 1) /* fls() */
                index++;
        return "RSDTtXZPI"[index];
}

static void state_letters(void **state)
{
        (void)state;
        for (uint32_t bits = 0; bits < 1U << 18; bits++)
                assert_int_equal(task_state_letter(bits), letter_of_kernel(bits));
        assert_int_equal(task_state_letter(0x0), 'R');
        assert_int_equal(task_state_letter(0x1), 'S');
        assert_int_equal(task_state_letter(0x2), 'D');
        assert_int_equal(task_state_letter(0x102), 'D'); /* TASK_KILLABLE */
        assert_int_equal(task_state_letter(0x402), 'I');
        assert_int_equal(task_state_letter(0x4), 'T');
        assert_int_equal(task_state_letter(0x8), 't');
        assert_int_equal(task_state_letter(0x10), 'X');
        assert_int_equal(task_state_letter(0x20), 'Z');
        assert_int_equal(task_state_letter(0x40), 'P');
        assert_int_equal(task_state_letter(0x8000), 'D'); /* TASK_FROZEN */
        assert_int_equal(task_state_letter(0x2001), 'S'); /* TASK_FREEZABLE */
}

int main(void)
{
#define ON_GROUND(f) cmocka_unit_test_setup_teardown(f, ground_setup, ground_teardown)
        const struct CMUnitTest tests[] = {
                ON_GROUND(new_changed_and_unchanged),
                ON_GROUND(what_runs_or_moved_is_read_each_time),
                ON_GROUND(room_grows),
                ON_GROUND(ended_threads_are_dropped),
                ON_GROUND(numbers_are_used_again),
                ON_GROUND(slots_run_out),
                ON_GROUND(growth),
                ON_GROUND(steady_state_allocates_nothing),
                ON_GROUND(stacks_are_not_kept_for_ever),
                ON_GROUND(scopes),
                ON_GROUND(what_nobody_asks_for_is_forgotten),
                ON_GROUND(a_fork_has_sampled),
                ON_GROUND(failures),
                ON_GROUND(beside),
                ON_GROUND(of_some_processes),
                ON_GROUND(stacks_and_names),
                ON_GROUND(order),
                ON_GROUND(what_filters_leave_out),
                cmocka_unit_test(state_letters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
