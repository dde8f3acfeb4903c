/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains, roots and deadlocks of made-up snapshots. Who waits for whom is written as it is meant:
 * waits_for(f, a, AND, b, c). A second look, as a proof needs it, is a copy that a test may spoil.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "graph/chain.h"
#include "graph/context.h"
#include "graph/proof.h"
#include "graph/waits.h"
#include "model.h"
#include "resolve/syscall.h"

enum how { AND, OR };

struct fixture {
        struct arena *arena;
        struct snapshot s;
        /* What the second look sees otherwise than the first; NULL: nothing. */
        void (*spoil)(struct fixture *f, struct snapshot *again, struct proof *proof);
        unsigned n_looks;
        struct thread *t[8]; /* the cast: processes of one thread, PID 100 … 107 */
};

static const struct syscall_desc flock_call = { "flock", "fi" };
static const struct syscall_desc poll_call = { "poll", "Lum" };

static struct process *process_make(struct snapshot *s, pid_t pid)
{
        struct process *p = arena_new_one(s->arena, struct process);

        p->pid = pid;
        p->comm = "cast";
        p->start_time = 7;
        snapshot_add_process(s, p);
        return p;
}

static struct thread *thread_make(struct snapshot *s, struct process *p, pid_t tid)
{
        struct thread *t = arena_new_one(s->arena, struct thread);

        t->tid = tid;
        t->state = 'S';
        t->start_time = 7;
        t->has_switches = true;
        t->switches = (uint64_t)tid * 3;
        t->call.state = CALL_INSIDE;
        t->call.desc = &flock_call;
        t->wait.reason = REASON_SLEEP;
        t->wait.confidence = CONFIDENCE_CERTAIN;
        t->matched = true;
        process_add_thread(s, p, t);
        p->n_alive++;
        return t;
}

static void cast_make(struct fixture *f)
{
        snapshot_init(&f->s, f->arena);
        for (int i = 0; i < 8; i++)
                f->t[i] = thread_make(&f->s, process_make(&f->s, 100 + i), 100 + i);
}

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        f->arena = arena_new();
        if (!f->arena)
                return -1;
        cast_make(f);
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

static void owner_add(struct fixture *f, struct thread *t, pid_t pid, pid_t tid)
{
        struct wait *w = &t->wait;
        struct owner *on = arena_new_array(f->arena, struct owner, w->n_on + 1);

        if (w->n_on)
                memcpy(on, w->on, w->n_on * sizeof(*on));
        on[w->n_on] = (struct owner){ .pid = pid, .tid = tid, .role = ROLE_HOLDER };
        w->on = on;
        w->n_on++;
}

static void waits_for_list(
        struct fixture *f, struct thread *t, enum how how, struct thread **owners)
{
        t->wait.reason = REASON_LOCK;
        t->wait.on_any = how == OR;
        t->wait.on_whole = true;
        for (; *owners; owners++)
                owner_add(f, t, (*owners)->process->pid, (*owners)->tid);
}
#define waits_for(f, t, how, ...)                                                                  \
        waits_for_list((f), (t), (how), (struct thread *[]){ __VA_ARGS__, NULL })

static void waits_for_process(struct fixture *f, struct thread *t, enum how how, pid_t pid)
{
        t->wait.reason = REASON_LOCK;
        t->wait.on_any = how == OR;
        t->wait.on_whole = true;
        owner_add(f, t, pid, 0);
}

/* The same once more: all threads and waits, into the snapshot of the second look. */
static int look_again(void *arg, struct snapshot *again, const struct owner *owners, size_t n,
        struct proof *proof)
{
        struct fixture *f = arg;

        (void)owners;
        (void)n;
        f->n_looks++;
        assert_non_null(proof);
        for_each_process(p, &f->s) {
                struct process *q = process_make(again, p->pid);

                for_each_thread(t, p) {
                        struct thread *u = thread_make(again, q, t->tid), copy = *t;

                        copy.next = NULL;
                        copy.process = q;
                        *u = copy;
                }
                q->n_alive = p->n_alive;
        }
        for (size_t i = 0; i < proof->n_threads; i++) {
                proof->threads[i].known = proof->threads[i].calm = true;
                proof->threads[i].switches = (uint64_t)proof->threads[i].tid * 3;
        }
        if (f->spoil)
                f->spoil(f, again, proof);
        return 0;
}

static void chains(struct fixture *f)
{
        const struct looker looker = { f, look_again, NS_PER_S };

        f->n_looks = 0;
        assert_int_equal(chain_finish(&f->s, &looker), 0);
        assert_true(f->s.has_deadlocks);
}

static size_t count_deadlocks(const struct fixture *f)
{
        size_t n = 0;

        for (const struct deadlock *d = f->s.deadlocks; d; d = d->next)
                n++;
        return n;
}

static void deadlock_is_list(
        const struct deadlock *d, size_t n_behind, struct thread *const *members)
{
        size_t n = 0;

        assert_non_null(d);
        for (; members[n]; n++) {
                assert_true(n < d->n_members);
                assert_ptr_equal(d->members[n], members[n]);
                assert_true(members[n]->deadlocked);
                assert_null(members[n]->root);
                assert_non_null(members[n]->toward);
                assert_ptr_equal(members[n]->deadlock, d);
        }
        assert_int_equal(d->n_members, n);
        assert_int_equal(d->n_behind, n_behind);
}
#define deadlock_is(d, n_behind, ...)                                                              \
        deadlock_is_list((d), (n_behind), (struct thread *[]){ __VA_ARGS__, NULL })

static void no_deadlock(struct fixture *f)
{
        assert_null(f->s.deadlocks);
        for_each_process(p, &f->s)
                for_each_thread(t, p)
                        assert_false(t->deadlocked);
}

static void test_nobody_waits(void **state)
{
        struct fixture *f = *state;

        chains(f);
        no_deadlock(f);
        assert_int_equal(f->n_looks, 0);
        for (int i = 0; i < 8; i++)
                assert_ptr_equal(f->t[i]->root, f->t[i]);
}

static void test_chain(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[0], AND, f->t[1]);
        waits_for(f, f->t[1], AND, f->t[2]);
        waits_for(f, f->t[5], AND, f->t[1]);
        chains(f);
        no_deadlock(f);
        assert_int_equal(f->n_looks, 0); /* nothing to prove */
        assert_ptr_equal(f->t[0]->root, f->t[2]);
        assert_ptr_equal(f->t[0]->toward, f->t[1]);
        assert_ptr_equal(f->t[1]->toward, f->t[2]);
        assert_ptr_equal(f->t[5]->root, f->t[2]);
        assert_ptr_equal(f->t[2]->root, f->t[2]);
        assert_null(f->t[2]->toward);
        assert_int_equal(f->t[2]->n_behind, 3);
        assert_int_equal(f->t[1]->n_behind, 0);
}

/* A chain that is only likely is followed; one that is a guess is not. */
static void test_confidence(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[0], AND, f->t[1]);
        f->t[0]->wait.confidence = CONFIDENCE_LIKELY;
        waits_for(f, f->t[2], AND, f->t[1]);
        f->t[2]->wait.confidence = CONFIDENCE_GUESS;
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[1]);
        assert_ptr_equal(f->t[2]->root, f->t[2]);
}

static void test_branches(void **state)
{
        struct fixture *f = *state;

        /* Two ways, one end. */
        waits_for(f, f->t[0], OR, f->t[1], f->t[2]);
        waits_for(f, f->t[1], AND, f->t[3]);
        waits_for(f, f->t[2], AND, f->t[3]);
        /* Two ends: the chain ends where it branches. */
        waits_for(f, f->t[4], AND, f->t[5]);
        waits_for(f, f->t[5], OR, f->t[6], f->t[7]);
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[3]);
        assert_ptr_equal(f->t[4]->root, f->t[5]);
        assert_ptr_equal(f->t[5]->root, f->t[5]);
        assert_null(f->t[5]->toward);

        /* Somebody out of sight could act as well. */
        f->t[0]->wait.on_whole = false;
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[0]);
}

/* An owner that could not be captured: the end of the chain is not known. */
static void test_lost(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[0], AND, f->t[1]);
        waits_for_process(f, f->t[1], AND, 4711);
        chains(f);
        assert_null(f->t[0]->root);
        assert_null(f->t[1]->root);
        assert_ptr_equal(f->t[0]->toward, f->t[1]);
        assert_null(f->t[1]->toward);
        no_deadlock(f);
}

/* A thread of a server whose own owner is out of sight is no likelier than the others of it. */
static void test_lost_among_others(void **state)
{
        struct fixture *f = *state;
        struct thread *second = thread_make(&f->s, f->t[1]->process, 1011);

        waits_for_process(f, f->t[0], AND, 101);
        waits_for_process(f, f->t[1], AND, 4711);
        waits_for(f, f->t[2], OR, f->t[1], f->t[3]);
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[0]);
        assert_null(f->t[0]->toward);
        assert_ptr_equal(f->t[2]->root, f->t[2]);
        assert_null(f->t[1]->root);
        assert_ptr_equal(second->root, second);
        /* Where each has to act, what is lost counts. */
        waits_for(f, f->t[4], AND, f->t[1], f->t[3]);
        chains(f);
        assert_null(f->t[4]->root);
        no_deadlock(f);
}

/*
 * A server whose main thread polls a pipe of its own (so that its process can wake it), and whose
 * other threads wait for something unknown: it is any of them that its client waits for.
 */
static void test_server_with_own_pipe(void **state)
{
        struct fixture *f = *state;
        struct thread *second = thread_make(&f->s, f->t[1]->process, 1011);

        waits_for_process(f, f->t[0], AND, 101);
        waits_for_process(f, f->t[1], OR, 101);
        f->t[1]->wait.on_whole = false;
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[0]);
        assert_null(f->t[0]->toward);
        assert_ptr_equal(f->t[1]->root, f->t[1]);
        /* Nobody else can write to that pipe. */
        f->t[1]->wait.on_whole = true;
        chains(f);
        assert_ptr_equal(f->t[0]->root, second);
        thread_make(&f->s, f->t[1]->process, 1012);
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[0]);
        assert_ptr_equal(f->t[1]->root, f->t[1]);
        no_deadlock(f);
}

/* A process with one thread is that thread; with several, any of them. */
static void test_processes(void **state)
{
        struct fixture *f = *state;
        struct process *p = f->t[1]->process;
        struct thread *second;

        waits_for_process(f, f->t[0], OR, 101);
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[1]);

        second = thread_make(&f->s, p, 1011);
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[0]);

        /* Both lead to the same end. */
        waits_for(f, f->t[1], AND, f->t[2]);
        waits_for(f, second, AND, f->t[2]);
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[2]);
        assert_ptr_equal(f->t[0]->toward->process, p);

        /* One of its threads was not captured. */
        p->n_alive = 3;
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[0]);

        /* The main thread has exited; what is left is one. */
        p->n_alive = 2;
        f->t[1]->state = 'Z';
        f->t[1]->wait = (struct wait){ .reason = REASON_ZOMBIE };
        chains(f);
        assert_ptr_equal(f->t[0]->root, f->t[2]);
        assert_ptr_equal(f->t[0]->toward, second);
}

static void test_ring(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[2], AND, f->t[0]);
        waits_for(f, f->t[0], AND, f->t[1]);
        waits_for(f, f->t[1], AND, f->t[2]);
        waits_for(f, f->t[5], AND, f->t[6]);
        waits_for(f, f->t[6], AND, f->t[1]);
        chains(f);
        assert_int_equal(f->n_looks, 1);
        assert_int_equal(count_deadlocks(f), 1);
        deadlock_is(f->s.deadlocks, 2, f->t[0], f->t[1], f->t[2]);
        assert_true(f->t[5]->deadlocked);
        assert_null(f->t[5]->root);
        assert_ptr_equal(f->t[5]->toward, f->t[6]);
        assert_ptr_equal(f->t[6]->toward, f->t[1]);
        assert_false(f->t[7]->deadlocked);
        assert_ptr_equal(f->t[7]->root, f->t[7]);
}

static void test_self(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[3], AND, f->t[3]);
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);
        deadlock_is(f->s.deadlocks, 0, f->t[3]);
}

/* Two of them, told in order; one that nobody asked for is not told. */
static void test_several(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[4], AND, f->t[5]);
        waits_for(f, f->t[5], AND, f->t[4]);
        waits_for(f, f->t[0], AND, f->t[1]);
        waits_for(f, f->t[1], AND, f->t[0]);
        waits_for(f, f->t[7], AND, f->t[7]);
        f->t[7]->matched = false;
        chains(f);
        assert_int_equal(count_deadlocks(f), 2);
        deadlock_is(f->s.deadlocks, 0, f->t[0], f->t[1]);
        deadlock_is(f->s.deadlocks->next, 0, f->t[4], f->t[5]);
}

/* A ring of ORs is one as long as each has only that way; with a way out it is none. */
static void test_knot(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[0], OR, f->t[1], f->t[2]);
        waits_for(f, f->t[1], OR, f->t[0]);
        waits_for(f, f->t[2], OR, f->t[0], f->t[1]);
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);
        deadlock_is(f->s.deadlocks, 0, f->t[0], f->t[1], f->t[2]);

        owner_add(f, f->t[2], 103, 103);
        chains(f);
        no_deadlock(f);
        /* Who can make them move is the one outside. */
        assert_ptr_equal(f->t[0]->root, f->t[3]);
        assert_ptr_equal(f->t[1]->root, f->t[3]);
        assert_ptr_equal(f->t[2]->root, f->t[3]);

        /* A way out that leads nowhere either. */
        waits_for(f, f->t[3], AND, f->t[3]);
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);
        deadlock_is(f->s.deadlocks, 3, f->t[3]);
        assert_true(f->t[0]->deadlocked);

        /* Not all alternatives are known. */
        f->t[3]->wait = (struct wait){ .reason = REASON_SLEEP };
        f->t[2]->wait.n_on = 2;
        f->t[1]->wait.on_whole = false;
        chains(f);
        no_deadlock(f);
}

/* An AND that also waits for somebody outside is stuck all the same. */
static void test_and_with_more(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[0], AND, f->t[1], f->t[5]);
        waits_for(f, f->t[1], AND, f->t[0], f->t[6]);
        chains(f);
        deadlock_is(f->s.deadlocks, 0, f->t[0], f->t[1]);
        assert_int_equal(count_deadlocks(f), 1);
}

/* A smaller deadlock inside of a component that is larger. */
static void test_inner(void **state)
{
        struct fixture *f = *state;

        waits_for(f, f->t[0], AND, f->t[1], f->t[2]);
        waits_for(f, f->t[1], AND, f->t[0]);
        waits_for(f, f->t[2], OR, f->t[0], f->t[4]);
        waits_for(f, f->t[4], AND, f->t[4]);
        chains(f);
        assert_int_equal(count_deadlocks(f), 2);
        deadlock_is(f->s.deadlocks, 1, f->t[0], f->t[1]);
        deadlock_is(f->s.deadlocks->next, 0, f->t[4]);
        assert_true(f->t[2]->deadlocked);
}

/* Of a process with several threads all have to be stuck. */
static void test_process_in_ring(void **state)
{
        struct fixture *f = *state;
        struct thread *second = thread_make(&f->s, f->t[1]->process, 1011);

        waits_for_process(f, f->t[0], OR, 101);
        waits_for(f, f->t[1], AND, second);
        waits_for(f, second, AND, f->t[0]);
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);
        deadlock_is(f->s.deadlocks, 0, f->t[0], f->t[1], second);

        f->t[1]->wait = (struct wait){ .reason = REASON_SLEEP };
        chains(f);
        no_deadlock(f);
}

static void is_free(struct fixture *f)
{
        chains(f);
        assert_null(f->s.deadlocks);
}

static void ring_of_two(struct fixture *f)
{
        cast_make(f);
        waits_for(f, f->t[0], AND, f->t[1]);
        waits_for(f, f->t[1], AND, f->t[0]);
}

/* What lets a thread go on by itself: no deadlock, and where only one can, that is the root. */
static void test_ways_out(void **state)
{
        struct fixture *f = *state;

        ring_of_two(f);
        f->t[1]->call.timeout_set = true;
        is_free(f);
        assert_ptr_equal(f->t[0]->root, f->t[1]);
        assert_ptr_equal(f->t[1]->root, f->t[1]);
        assert_true(f->t[1]->yields);
        assert_false(f->t[0]->yields);

        ring_of_two(f);
        f->t[1]->call.desc = &poll_call; /* its timeout could not be read */
        is_free(f);
        ring_of_two(f);
        f->t[1]->call.state = CALL_UNKNOWN;
        is_free(f);
        ring_of_two(f);
        f->t[1]->state = 'T';
        f->t[1]->wait.reason = REASON_STOPPED;
        is_free(f);
        assert_ptr_equal(f->t[0]->root, f->t[1]);
        ring_of_two(f);
        f->t[1]->moved = true;
        is_free(f);
        ring_of_two(f);
        f->t[1]->has_switches = false;
        is_free(f);
        ring_of_two(f);
        f->t[1]->wait.confidence = CONFIDENCE_GUESS;
        is_free(f);
        ring_of_two(f);
        f->t[1]->wait.confidence = CONFIDENCE_LIKELY;
        chains(f);
        assert_int_equal(count_deadlocks(f), 1); /* of a lock, whose holder is in it */
        f->t[1]->wait.reason = REASON_JOIN;
        is_free(f);
        ring_of_two(f);
        f->t[1]->wait.reason = REASON_ZOMBIE;
        is_free(f);
        ring_of_two(f);
        f->t[1]->wait.reason = REASON_READ;
        is_free(f);
        f->t[1]->wait.object = &(struct object){ .kind = "fifo", .fd = -1 };
        is_free(f);
        f->t[1]->wait.object = &(struct object){ .kind = "eventfd", .fd = -1 };
        is_free(f);
        f->t[1]->wait.object = &(struct object){ .kind = "unix", .type = "dgram", .fd = -1 };
        is_free(f);
        f->t[1]->wait.object = &(struct object){ .kind = "tcp", .state = "LISTEN", .fd = -1 };
        is_free(f);
        f->t[1]->wait.object = &(struct object){ .kind = "pipe", .fd = -1 };
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);

        /* Nothing of that: then it is one. */
        ring_of_two(f);
        f->t[1]->call.desc = &poll_call;
        f->t[1]->call.has_timeout = true;
        f->t[1]->wait.object = &(struct object){ .kind = "unix", .type = "stream", .fd = -1 };
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);
}

static void test_poll_sets(void **state)
{
        struct fixture *f = *state;
        struct object pipe = { .kind = "pipe", .fd = 3 }, timer = { .kind = "timerfd", .fd = 4 };
        struct member members[] = { { &pipe, 1 }, { &pipe, 1 } };
        struct object set = { .kind = "poll-set", .fd = -1, .members = members, .n_members = 2 };

        ring_of_two(f);
        f->t[1]->wait.reason = REASON_POLL;
        f->t[1]->wait.on_any = true;
        f->t[1]->wait.object = &set;
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);

        members[1].object = &timer;
        is_free(f);
        members[1].object = &pipe;
        set.n_members_hidden = 1;
        is_free(f);
}

/* wait(2) for any child, while another thread may make more of them. */
static void test_children(void **state)
{
        struct fixture *f = *state;

        ring_of_two(f);
        f->t[0]->wait.reason = REASON_CHILD;
        f->t[0]->wait.on_any = true;
        chains(f);
        assert_int_equal(count_deadlocks(f), 1);
        thread_make(&f->s, f->t[0]->process, 1001);
        is_free(f);
}

/* Who only waits behind a deadlock, and may give up, is behind it all the same. */
static void test_behind_with_timeout(void **state)
{
        struct fixture *f = *state;

        ring_of_two(f);
        waits_for(f, f->t[2], AND, f->t[0]);
        f->t[2]->call.timeout_set = true;
        waits_for(f, f->t[3], AND, f->t[2]);
        waits_for(f, f->t[4], OR, f->t[0], f->t[7]);
        chains(f);
        deadlock_is(f->s.deadlocks, 2, f->t[0], f->t[1]);
        assert_true(f->t[2]->deadlocked);
        assert_true(f->t[3]->deadlocked);
        /* The one who can still act is the root. */
        assert_false(f->t[4]->deadlocked);
        assert_ptr_equal(f->t[4]->root, f->t[7]);
}

/* The proof: whatever differs in the second look, or after it, is no deadlock. */

static struct thread *again_thread(struct snapshot *again, pid_t tid)
{
        for_each_process(p, again)
                for_each_thread(t, p)
                        if (t->tid == tid)
                                return t;
        fail();
        return NULL;
}

static void spoil_switches(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)proof;
        again_thread(again, 101)->switches++;
}

static void spoil_owner(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        struct owner *other = arena_new_one(f->arena, struct owner);

        (void)proof;
        *other = (struct owner){ .pid = 105, .tid = 105, .role = ROLE_HOLDER };
        again_thread(again, 101)->wait.on = other;
}

static void spoil_start(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)proof;
        again_thread(again, 101)->start_time++;
}

static void spoil_process(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)proof;
        again_thread(again, 101)->process->start_time++;
}

static void spoil_object(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        struct object *o = arena_new_one(f->arena, struct object);

        (void)proof;
        o->kind = "mutex";
        o->has_address = true;
        o->address = 4711;
        again_thread(again, 101)->wait.object = o;
}

static void spoil_gone(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)proof;
        again_thread(again, 101)->tid = 4711;
}

static struct proof_thread *last_thread(struct proof *proof, pid_t tid)
{
        for (size_t i = 0; i < proof->n_threads; i++)
                if (proof->threads[i].tid == tid)
                        return &proof->threads[i];
        fail();
        return NULL;
}

static void spoil_last_switches(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)again;
        last_thread(proof, 101)->switches++;
}

static void spoil_last_known(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)again;
        last_thread(proof, 101)->known = false;
}

static void spoil_signal(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)again;
        last_thread(proof, 101)->calm = false;
}

static void test_proof(void **state)
{
        struct fixture *f = *state;
        static void (*const spoilers[])(struct fixture *, struct snapshot *, struct proof *) = {
                spoil_switches,
                spoil_owner,
                spoil_start,
                spoil_process,
                spoil_object,
                spoil_gone,
                spoil_last_switches,
                spoil_last_known,
                spoil_signal,
        };

        for (size_t i = 0; i < sizeof(spoilers) / sizeof(*spoilers); i++) {
                ring_of_two(f);
                waits_for(f, f->t[2], AND, f->t[0]);
                f->spoil = spoilers[i];
                chains(f);
                assert_int_equal(f->n_looks, 1);
                no_deadlock(f);
        }
}

/* The other source captured it: that does not tell when a thread began. */
static void other_source(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)proof;
        again_thread(again, 101)->start_time = 0;
}

static void test_proof_across_sources(void **state)
{
        struct fixture *f = *state;

        ring_of_two(f);
        f->spoil = other_source;
        chains(f);
        deadlock_is(f->s.deadlocks, 0, f->t[0], f->t[1]);
}

/* One waiter behind it was given its lock meanwhile: the others are stuck still. */
static void spoil_behind(struct fixture *f, struct snapshot *again, struct proof *proof)
{
        (void)f;
        (void)proof;
        again_thread(again, 102)->switches++;
}

static void test_proof_behind(void **state)
{
        struct fixture *f = *state;

        ring_of_two(f);
        waits_for(f, f->t[2], AND, f->t[0]);
        waits_for(f, f->t[3], AND, f->t[2]);
        f->spoil = spoil_behind;
        chains(f);
        deadlock_is(f->s.deadlocks, 0, f->t[0], f->t[1]);
        assert_false(f->t[2]->deadlocked);
        assert_false(f->t[3]->deadlocked);
}

/* What cannot be looked at again is not told as a deadlock, and has no root either. */
static void test_without_looker(void **state)
{
        struct fixture *f = *state;

        ring_of_two(f);
        assert_int_equal(chain_finish(&f->s, NULL), 0);
        assert_false(f->s.has_deadlocks);
        no_deadlock(f);
        assert_null(f->t[0]->root);
        assert_true(f->t[0]->circular);
        assert_null(f->t[0]->toward);
        assert_ptr_equal(f->t[1]->toward, f->t[0]);
}

/* A look that fails for its time leaves a gap; one without memory is a stop. */
static int look_late(void *arg, struct snapshot *again, const struct owner *owners, size_t n,
        struct proof *proof)
{
        (void)again;
        (void)owners;
        (void)n;
        (void)proof;
        return *(int *)arg;
}

static void test_look_fails(void **state)
{
        struct fixture *f = *state;
        int r = -ETIMEDOUT;
        const struct looker looker = { &r, look_late, NS_PER_S };

        ring_of_two(f);
        assert_int_equal(chain_finish(&f->s, &looker), 0);
        no_deadlock(f);
        assert_non_null(f->s.gaps);
        assert_string_equal(f->s.gaps->what, "deadlocks");
        assert_true(f->s.gaps->hides);
        r = -ENOMEM;
        assert_int_equal(chain_finish(&f->s, &looker), -ENOMEM);
}

/* Large ones */

static int64_t time_chain(struct fixture *f, pid_t n, bool closed)
{
        struct thread **t = calloc((size_t)n, sizeof(struct thread *));
        int64_t start;

        arena_free(f->arena);
        f->arena = arena_new();
        snapshot_init(&f->s, f->arena);
        for (pid_t i = 0; i < n; i++)
                t[i] = thread_make(&f->s, process_make(&f->s, i + 1), i + 1);
        for (pid_t i = 0; i + 1 < n || (closed && i < n); i++)
                waits_for(f, t[i], AND, t[(i + 1) % n]);
        start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        chains(f);
        start = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
        if (closed) {
                assert_int_equal(count_deadlocks(f), 1);
                assert_int_equal(f->s.deadlocks->n_members, n);
        } else {
                no_deadlock(f);
                assert_ptr_equal(t[0]->root, t[n - 1]);
                assert_int_equal(t[n - 1]->n_behind, n - 1);
        }
        free(t);
        return start;
}

static void test_long_chain(void **state)
{
        struct fixture *f = *state;
        int64_t small = time_chain(f, 25000, false), large = time_chain(f, 100000, false);

        /* Four times as many: quadratic work would take sixteen times as long. */
        print_message("chain of 25,000: %lld ms, 100,000: %lld ms\n",
                (long long)(small / NS_PER_MS), (long long)(large / NS_PER_MS));
        assert_true(large < 12 * small + 50 * NS_PER_MS);
        time_chain(f, 100000, true);
}

static void test_fan_in(void **state)
{
        struct fixture *f = *state;

        for (pid_t i = 0; i < 1000; i++)
                waits_for(f, thread_make(&f->s, process_make(&f->s, 2000 + i), 2000 + i), AND,
                        f->t[0]);
        waits_for(f, f->t[0], AND, f->t[1]);
        chains(f);
        assert_int_equal(f->t[1]->n_behind, 1001);
        assert_int_equal(f->t[0]->n_behind, 0);

        waits_for(f, f->t[1], AND, f->t[0]);
        chains(f);
        deadlock_is(f->s.deadlocks, 1000, f->t[0], f->t[1]);
}

/* Every thread of a large process waits for that process: one list of its threads, not one each. */
static void test_large_process(void **state)
{
        struct fixture *f = *state;
        struct process *p = process_make(&f->s, 9000);
        int64_t start;

        for (pid_t i = 0; i < 20000; i++)
                waits_for_process(f, thread_make(&f->s, p, 9000 + i), OR, 9000);
        start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        chains(f);
        assert_true(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 5 * NS_PER_S);
        assert_int_equal(count_deadlocks(f), 1);
        assert_int_equal(f->s.deadlocks->n_members, 20000);
}

/*
 * Against a definition that needs no cleverness: a set of threads is stuck if taking away again
 * and again what could go on leaves it. All small graphs of a seed, with ANDs and ORs.
 */
static uint32_t dice(uint32_t *seed)
{
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

static void test_random(void **state)
{
        struct fixture *f = *state;
        uint32_t seed = 4711;
        size_t n_deadlocked = 0;

        for (int round = 0; round < 3000; round++) {
                bool edge[8][8] = { { false } }, stuck[8], changed = true;

                if (round % 64 == 0) {
                        arena_free(f->arena);
                        f->arena = arena_new();
                }
                cast_make(f);
                for (int i = 0; i < 8; i++) {
                        for (int j = 0; j < 8; j++)
                                edge[i][j] = dice(&seed) % 8 == 0;
                        for (int j = 0; j < 8; j++)
                                if (edge[i][j])
                                        waits_for(f, f->t[i], AND, f->t[j]);
                        f->t[i]->wait.on_any = dice(&seed) % 2;
                        stuck[i] = f->t[i]->wait.n_on > 0;
                }
                while (changed) {
                        changed = false;
                        for (int i = 0; i < 8; i++) {
                                bool some = false, all = true;

                                for (int j = 0; j < 8; j++) {
                                        some |= edge[i][j] && stuck[j];
                                        all &= !edge[i][j] || stuck[j];
                                }
                                if (stuck[i] && !(f->t[i]->wait.on_any ? all : some)) {
                                        stuck[i] = false;
                                        changed = true;
                                }
                        }
                }
                chains(f);
                for (int i = 0; i < 8; i++) {
                        assert_int_equal(f->t[i]->deadlocked, stuck[i]);
                        n_deadlocked += stuck[i];
                        /* Each way ends: at the root, or in a deadlock. */
                        const struct thread *t = f->t[i];
                        for (int step = 0; step < 9 && t->toward; step++)
                                t = t->toward;
                        if (stuck[i])
                                assert_non_null(t->toward);
                        else if (f->t[i]->root)
                                assert_ptr_equal(t, f->t[i]->root);
                }
        }
        assert_true(n_deadlocked > 1000);
}

/* Who is to be captured besides */

static void test_context(void **state)
{
        struct fixture *f = *state;
        struct context *c = calloc(1, sizeof(*c));
        size_t first, n;

        assert_false(context_has_owners(&f->s));
        waits_for(f, f->t[0], AND, f->t[1]);
        waits_for_process(f, f->t[1], OR, 500);
        waits_for_process(f, f->t[2], OR, 500);
        waits_for_process(f, f->t[3], OR, 103);
        waits_for_process(f, f->t[4], OR, 105);
        f->t[5]->process->n_alive = 2; /* one thread of it was not asked for */
        assert_true(context_has_owners(&f->s));
        assert_int_equal(context_missing(c, &f->s, f->s.processes, &first, &n), 0);
        assert_int_equal(first, 0);
        assert_int_equal(n, 2);
        assert_int_equal(c->tried[0].pid, 500);
        assert_int_equal(c->tried[1].pid, 105);
        /* Asked for once. */
        assert_int_equal(context_missing(c, &f->s, f->s.processes, &first, &n), 0);
        assert_int_equal(n, 0);

        for (pid_t i = 0; i < CONTEXT_OWNERS_MAX; i++)
                owner_add(f, f->t[6], 10000 + i, 0);
        f->t[6]->wait.reason = REASON_LOCK;
        assert_int_equal(context_missing(c, &f->s, f->s.processes, &first, &n), 0);
        assert_int_equal(n, CONTEXT_OWNERS_MAX - 2);
        assert_true(c->bound);
        free(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_nobody_waits),
                TEST(test_chain),
                TEST(test_confidence),
                TEST(test_branches),
                TEST(test_lost),
                TEST(test_lost_among_others),
                TEST(test_server_with_own_pipe),
                TEST(test_processes),
                TEST(test_ring),
                TEST(test_self),
                TEST(test_several),
                TEST(test_knot),
                TEST(test_and_with_more),
                TEST(test_inner),
                TEST(test_process_in_ring),
                TEST(test_ways_out),
                TEST(test_poll_sets),
                TEST(test_children),
                TEST(test_behind_with_timeout),
                TEST(test_proof),
                TEST(test_proof_across_sources),
                TEST(test_proof_behind),
                TEST(test_without_looker),
                TEST(test_look_fails),
                TEST(test_long_chain),
                TEST(test_fan_in),
                TEST(test_large_process),
                TEST(test_random),
                TEST(test_context),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
