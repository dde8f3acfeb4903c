/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-alikes: what folds, what must not, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "graph/fold.h"
#include "model.h"

struct fixture {
        struct arena *arena;
        struct snapshot s;
        struct process *p;
        struct stack *stack;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        if (!f)
                return -1;
        f->arena = arena_new();
        if (!f->arena)
                return -1;
        snapshot_init(&f->s, f->arena);
        f->p = arena_new_one(f->arena, struct process);
        f->p->pid = 100;
        f->p->comm = "pool";
        snapshot_add_process(&f->s, f->p);
        f->stack = arena_new_one(f->arena, struct stack);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        arena_free(f->arena);
        free(f);
        return 0;
}

static struct thread *add(struct fixture *f, pid_t tid, const char *text)
{
        struct thread *t = arena_new_one(f->arena, struct thread);
        t->tid = tid;
        t->state = 'S';
        t->matched = true;
        t->kernel_stack = f->stack;
        t->wait.reason = REASON_FUTEX;
        t->wait.confidence = CONFIDENCE_CERTAIN;
        /* A copy: equal texts need not be the same one. */
        t->wait.text = arena_str(f->arena, text);
        t->root = t;
        process_add_thread(&f->s, f->p, t);
        return t;
}

static size_t count(struct fixture *f)
{
        struct fold fold;
        assert_int_equal(fold_process(f->p, &fold), 0);
        size_t n = fold.n_groups;
        fold_done(&fold);
        return n;
}

static void test_empty(void **state)
{
        struct fixture *f = *state;
        struct fold fold;

        assert_int_equal(fold_process(f->p, &fold), 0);
        assert_int_equal(fold.n_groups, 0);
        fold_done(&fold);
        add(f, 100, "x")->matched = false;
        assert_int_equal(count(f), 0);
}

static void test_order(void **state)
{
        struct fixture *f = *state;
        struct fold fold;

        add(f, 109, "b");
        add(f, 103, "a");
        add(f, 100, "b");
        add(f, 105, "c")->matched = false;
        add(f, 101, "a");
        add(f, 102, "c");
        assert_int_equal(fold_process(f->p, &fold), 0);
        assert_int_equal(fold.n_groups, 3);
        assert_int_equal(fold.groups[0].n_threads, 2);
        assert_int_equal(fold.groups[0].threads[0]->tid, 100);
        assert_int_equal(fold.groups[0].threads[1]->tid, 109);
        assert_int_equal(fold.groups[1].n_threads, 2);
        assert_int_equal(fold.groups[1].threads[0]->tid, 101);
        assert_int_equal(fold.groups[1].threads[1]->tid, 103);
        assert_int_equal(fold.groups[2].n_threads, 1);
        assert_int_equal(fold.groups[2].threads[0]->tid, 102);
        fold_done(&fold);
        assert_null(fold.groups);
        fold_done(&fold); /* twice is fine */
}

/* Times, names and buffers may differ. */
static void test_alike(void **state)
{
        struct fixture *f = *state;
        struct thread *a = add(f, 100, "x"), *b = add(f, 101, "x");

        a->has_for = true;
        a->for_ns = 5;
        b->comm = "worker";
        b->cpu = 3;
        a->call = b->call = (struct call){ .state = CALL_INSIDE, .nr = 232 };
        b->call.args[1] = 0x7fff0000;
        b->switches = 12;
        assert_int_equal(count(f), 1);
}

static void test_different(void **state)
{
        struct fixture *f = *state;
        struct thread *a = add(f, 100, "x"), *b = add(f, 101, "x");
        const struct thread same = *b;
        struct owner on[2] = { { .pid = 7, .tid = 8 }, { .pid = 7, .tid = 9 } };
        struct object file = { .kind = "pipe", .fd = 3 }, other = { .kind = "pipe", .fd = 4 };
        struct member members[2] = { { &file, 1 }, { &other, 1 } };
        struct user_stack user = { .hash = 1 };
        struct object set = {
                .kind = "poll-set", .fd = -1, .members = &members[0], .n_members = 1
        };
        struct object set2 = {
                .kind = "poll-set", .fd = -1, .members = &members[1], .n_members = 1
        };

        assert_int_equal(count(f), 1);

#define DIFFERS(change)                                                                            \
        do {                                                                                       \
                change;                                                                            \
                assert_int_equal(count(f), 2);                                                     \
                *b = same;                                                                         \
                b->next = NULL;                                                                    \
        } while (0)
        DIFFERS(b->state = 'D');
        DIFFERS(b->wait.reason = REASON_LOCK);
        DIFFERS(b->wait.confidence = CONFIDENCE_LIKELY);
        DIFFERS(b->wait.text = "y");
        DIFFERS(b->wait.text = NULL);
        DIFFERS(b->kernel_stack = NULL);
        DIFFERS(b->user_stack = &user);
        DIFFERS(b->call.state = CALL_INSIDE);
        DIFFERS(b->moved = true);
        DIFFERS(b->deadlocked = true);
        DIFFERS(b->root = a);
        DIFFERS(b->wait.on = on; b->wait.n_on = 1);
        DIFFERS(b->wait.object = &file);

        /* The sentence may only count what the lists name. */
        a->wait.on = &on[0];
        a->wait.n_on = 1;
        DIFFERS(b->wait.on = &on[1]; b->wait.n_on = 1);
        a->wait.n_on = 0;
        a->wait.object = &set;
        DIFFERS(b->wait.object = &set2);
        members[1] = members[0];
        b->wait.object = &set2;
        assert_int_equal(count(f), 1);
}

static void test_many(void **state)
{
        struct fixture *f = *state;
        struct fold fold;
        size_t total = 0;

        for (int i = 0; i < 20000; i++) {
                char text[32];
                snprintf(text, sizeof(text), "sentence %d", i % 5000);
                add(f, 100 + i, text);
        }
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        assert_int_equal(fold_process(f->p, &fold), 0);
        /* Generous: it takes milliseconds, but quadratic work would take minutes. */
        assert_true(clock_ns(CLOCK_MONOTONIC) - start < 5 * NS_PER_S);
        assert_int_equal(fold.n_groups, 5000);
        for (size_t i = 0; i < fold.n_groups; i++) {
                assert_int_equal(fold.groups[i].threads[0]->tid, 100 + (int)i);
                total += fold.groups[i].n_threads;
        }
        assert_int_equal(total, 20000);
        fold_done(&fold);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_alike, setup, teardown),
                cmocka_unit_test_setup_teardown(test_different, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
