/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unwind/stackcache.c: whose stack is known from the look before, in any order, and whose is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "model.h"
#include "unwind/stackcache.h"

#define THREADS 100

struct look {
        struct arena *arena;
        struct snapshot snapshot;
        struct thread *threads[THREADS * 2];
};

static const struct user_stack *stack_make(struct arena *a, const char *name)
{
        struct user_stack *stack = arena_new_one(a, struct user_stack);

        stack->n_frames = 1;
        stack->frames = arena_new_one(a, struct user_frame);
        stack->frames->symbol = arena_str(a, name);
        return stack;
}

/* n threads from TID 1 on, two of which share a stack; none has one yet if the cache has to tell.
 */
static void look_init(struct look *l, size_t n, bool with_stacks)
{
        const struct user_stack *stack = NULL;
        struct process *p;

        l->arena = arena_new();
        snapshot_init(&l->snapshot, l->arena);
        p = arena_new_one(l->arena, struct process);
        p->threads_tail = &p->threads;
        p->pid = 1;
        p->start_time = 77;
        snapshot_add_process(&l->snapshot, p);
        for (size_t i = 0; i < n; i++) {
                struct thread *t = arena_new_one(l->arena, struct thread);
                char name[24];

                snprintf(name, sizeof(name), "f%zu", i / 2);
                if (i % 2 == 0)
                        stack = stack_make(l->arena, name);
                t->process = p;
                t->tid = (pid_t)i + 1;
                t->has_switches = true;
                t->switches = 1000 + i;
                t->user_stack = with_stacks ? stack : NULL;
                process_add_thread(&l->snapshot, p, t);
                l->threads[i] = t;
        }
}

/* What is found is in the second look's memory, and the first one's is gone. */
static void assert_found(struct stackcache *c, struct look *l, size_t i)
{
        const struct user_stack *stack = stackcache_find(c, l->arena, l->threads[i]);
        char name[24];

        snprintf(name, sizeof(name), "f%zu", i / 2);
        assert_non_null(stack);
        assert_string_equal(stack->frames->symbol, name);
        assert_true(stackcache_has(c, l->threads[i]));
        l->threads[i]->user_stack = stack;
}

static void first_look(struct stackcache **ret_cache, size_t n)
{
        struct look l;

        assert_int_equal(stackcache_new(ret_cache), 0);
        look_init(&l, n, true);
        l.threads[5]->moved = true;
        l.threads[6]->has_switches = false;
        l.threads[7]->user_stack = NULL;
        stackcache_keep(*ret_cache, &l.snapshot);
        arena_free(l.arena);
}

static void test_any_order(void **state)
{
        struct stackcache *c;
        struct look l;

        (void)state;
        first_look(&c, THREADS);
        look_init(&l, THREADS, false);
        for (size_t i = 0; i < THREADS; i++)
                if (i < 5 || i > 7)
                        assert_found(c, &l, i);
        for (size_t i = THREADS; i-- > 8;)
                assert_found(c, &l, i);
        for (size_t i = 0; i < THREADS; i++)
                assert_found(c, &l, i * 37 % (THREADS - 8) + 8);
        assert_ptr_equal(stackcache_find(c, l.arena, l.threads[10]),
                stackcache_find(c, l.arena, l.threads[11]));
        stackcache_free(c);
        arena_free(l.arena);
}

static void test_others(void **state)
{
        struct stackcache *c;
        struct look l;

        (void)state;
        first_look(&c, THREADS);
        look_init(&l, THREADS, false);
        assert_null(stackcache_find(c, l.arena, l.threads[5])); /* moved */
        assert_null(stackcache_find(c, l.arena, l.threads[6])); /* no count */
        assert_null(stackcache_find(c, l.arena, l.threads[7])); /* no stack */
        l.threads[20]->switches++;
        assert_null(stackcache_find(c, l.arena, l.threads[20]));
        assert_false(stackcache_has(c, l.threads[20]));
        l.threads[20]->switches--;
        l.threads[20]->tid = 5000;
        assert_null(stackcache_find(c, l.arena, l.threads[20]));
        l.threads[20]->tid = 21;
        l.threads[20]->has_switches = false;
        assert_null(stackcache_find(c, l.arena, l.threads[20]));
        l.threads[20]->has_switches = true;
        assert_found(c, &l, 20);
        l.threads[20]->process->start_time++; /* another process with this number */
        for (size_t i = 0; i < THREADS; i++)
                assert_null(stackcache_find(c, l.arena, l.threads[i]));
        stackcache_free(c);
        arena_free(l.arena);
}

/* Look after look some run, some end, some are new: each time those of the last look are there. */
static void test_many_looks(void **state)
{
        uint64_t switches[THREADS * 2];
        struct stackcache *c;

        (void)state;
        assert_int_equal(stackcache_new(&c), 0);
        for (size_t i = 0; i < THREADS * 2; i++)
                switches[i] = i;
        for (unsigned look = 0; look < 60; look++) {
                size_t n = THREADS + look % 7 * 10, n_ran = look % 20 == 19 ? n : look % 5;
                struct look l;

                for (size_t i = 0; i < n_ran; i++)
                        switches[(i * 13 + look) % n] += 1000;
                look_init(&l, n, false);
                for (size_t i = 0; i < n; i++) {
                        bool ran = false;

                        l.threads[i]->switches = switches[i];
                        for (size_t j = 0; j < n_ran; j++)
                                ran |= (j * 13 + look) % n == i;
                        /* In every look but the first, that it was in, it is known. */
                        if (ran)
                                assert_false(stackcache_has(c, l.threads[i]));
                        else if (look > 0 && i < THREADS)
                                assert_found(c, &l, i);
                        if (!l.threads[i]->user_stack) {
                                char name[24];

                                snprintf(name, sizeof(name), "f%zu", i / 2);
                                l.threads[i]->user_stack = stack_make(l.arena, name);
                        }
                }
                stackcache_keep(c, &l.snapshot);
                arena_free(l.arena);
        }
        stackcache_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_any_order),
                cmocka_unit_test(test_others),
                cmocka_unit_test(test_many_looks),
        };

        return cmocka_run_group_tests_name("stackcache", tests, NULL, NULL);
}
