/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How chains, roots, deadlocks and the graph are shown; hostile names in all of them. */
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
#include "graph/behind.h"
#include "graph/chain.h"
#include "graph/forest.h"
#include "graph/proof.h"
#include "model.h"
#include "render/render.h"

struct fixture {
        struct arena *arena;
        struct snapshot s;
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

static struct process *process_make(struct fixture *f, pid_t pid, const char *comm)
{
        struct process *p = arena_new_one(f->arena, struct process);

        p->pid = pid;
        p->comm = comm;
        snapshot_add_process(&f->s, p);
        return p;
}

static struct thread *thread_make(
        struct fixture *f, struct process *p, pid_t tid, enum reason reason, const char *text)
{
        struct thread *t = arena_new_one(f->arena, struct thread);

        t->tid = tid;
        t->comm = p->comm;
        t->state = 'S';
        t->cpu = -1;
        t->matched = true;
        t->has_for = true;
        t->for_ns = 252 * NS_PER_S;
        t->has_switches = true;
        t->call.state = CALL_OUTSIDE;
        t->wait.reason = reason;
        t->wait.confidence = CONFIDENCE_CERTAIN;
        t->wait.text = text;
        p->n_alive++;
        process_add_thread(&f->s, p, t);
        f->s.n_matched++;
        return t;
}

static struct thread *actor(
        struct fixture *f, pid_t pid, const char *comm, enum reason reason, const char *text)
{
        return thread_make(f, process_make(f, pid, comm), pid, reason, text);
}

static void waits_for(struct fixture *f, struct thread *t, const struct thread *owner)
{
        struct owner *on = arena_new_array(f->arena, struct owner, t->wait.n_on + 1);

        if (t->wait.n_on)
                memcpy(on, t->wait.on, t->wait.n_on * sizeof(*on));
        on[t->wait.n_on++] =
                (struct owner){ owner->process->pid, owner->tid, owner->comm, ROLE_HOLDER };
        t->wait.on = on;
        t->wait.on_whole = true;
}

/* A second look that sees what the first did is enough here: proofs are for test-graph.c. */
static int look_again(void *arg, struct snapshot *again, const struct owner *owners, size_t n,
        struct proof *proof)
{
        const struct fixture *f = arg;

        (void)owners;
        (void)n;
        *again = f->s;
        for (size_t i = 0; i < proof->n_threads; i++)
                proof->threads[i].known = proof->threads[i].calm = true;
        return 0;
}

static void chains(struct fixture *f, bool prove)
{
        const struct looker looker = { f, look_again, NS_PER_S };

        assert_int_equal(chain_finish(&f->s, prove ? &looker : NULL), 0);
}

enum view { TEXT, GRAPH, ROOTS, DEADLOCKS, DOT };

static char *view(const struct fixture *f, enum view what, unsigned columns)
{
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        int r = what == TEXT        ? render_text(out, &f->s, NULL, false, columns)
                : what == GRAPH     ? render_graph(out, &f->s, false, columns)
                : what == ROOTS     ? render_roots(out, &f->s, false, columns)
                : what == DEADLOCKS ? render_deadlocks(out, &f->s, false, columns)
                                    : render_dot(out, &f->s);

        assert_int_equal(r, 0);
        fclose(out);
        return text;
}

static void view_equals(const struct fixture *f, enum view what, const char *expected)
{
        _cleanup_free_ char *text = view(f, what, 0);

        assert_string_equal(text, expected);
}

static void view_has(const struct fixture *f, enum view what, const char *part, bool there)
{
        _cleanup_free_ char *text = view(f, what, 0);

        if (!strstr(text, part) == there)
                fail_msg("\"%s\" is %s in:\n%s", part, there ? "not" : "there", text);
}

static struct thread *story(struct fixture *f)
{
        struct thread *flock =
                actor(f, 93, "flock", REASON_LOCK, "waiting for the lock of sh (92)");
        struct thread *sh = actor(f, 92, "sh", REASON_LOCK, "waiting for the lock of backup (91)");
        struct thread *backup = actor(f, 91, "backup", REASON_DISK, "writing to /dev/sdb");

        sh->matched = backup->matched = false;
        sh->process->context = backup->process->context = true;
        waits_for(f, flock, sh);
        waits_for(f, sh, backup);
        backup->for_ns = 14 * 60 * NS_PER_S;
        f->s.n_matched = 1;
        return flock;
}

static void test_chain(void **state)
{
        struct fixture *f = *state;

        story(f);
        chains(f, false);
        view_equals(f, TEXT,
                "flock (93)  sleeping for 4 min 12 s\n"
                "  waiting for the lock of sh (92)\n"
                "  by       holder sh (pid 92)\n"
                "  chain    sh (pid 92) has been waiting for the lock of backup (91) for 4 min 12 "
                "s\n"
                "  root cause: backup (pid 91) has been writing to /dev/sdb for 14 min\n");
        view_equals(f, GRAPH,
                "backup (pid 91) has been writing to /dev/sdb for 14 min\n"
                "└─ sh (pid 92) has been waiting for the lock of backup (91) for 4 min 12 s\n"
                "   └─ flock (pid 93) has been waiting for the lock of sh (92) for 4 min 12 s\n");
        view_equals(f, ROOTS,
                " behind  root cause\n"
                "       2  backup (pid 91) has been writing to /dev/sdb for 14 min\n");
        view_equals(f, DEADLOCKS,
                "not looked for: what was recorded cannot be looked at a second time\n");
        f->s.some = true;
        view_has(f, GRAPH, "\nwho else waits for these was not looked for", true);
        view_has(f, ROOTS, "\nwho else waits for these was not looked for", true);
}

/* Of a whole machine, its roots say how many wait for them. */
static void test_behind(void **state)
{
        struct fixture *f = *state;

        story(f)->process->next->next->threads->matched = true;
        chains(f, false);
        view_has(f, TEXT, "behind", false);
        f->s.all = true;
        view_has(f, TEXT, "\n  behind   2 threads wait for it, directly or not\n", true);
}

/* Who waits for one that was asked for: in the trees, or, where others could act too, below. */
static void test_asked(void **state)
{
        struct fixture *f = *state;
        struct thread *flock = story(f), *sh = flock->process->next->threads, *poller;
        struct thread *other = actor(f, 200, "other", REASON_SLEEP, "sleeping");

        poller = actor(f, 201, "poller", REASON_POLL, "waiting for any of 2 file descriptors");
        waits_for(f, poller, sh);
        waits_for(f, poller, other);
        poller->wait.on_any = true;
        sh->asked = sh->matched = true;
        sh->process->context = flock->matched = other->matched = poller->matched = false;
        chains(f, false);
        assert_int_equal(behind_find(&f->s), 0);
        assert_int_equal(flock->behind, BEHIND_ASKED);
        assert_int_equal(other->behind, BEHIND_NOBODY);
        assert_int_equal(sh->toward->behind, BEHIND_NOBODY);
        assert_int_equal(poller->behind, BESIDE_ASKED);
        flock->matched = poller->matched = true;
        view_equals(f, GRAPH,
                "backup (pid 91) has been writing to /dev/sdb for 14 min\n"
                "└─ sh (pid 92) has been waiting for the lock of backup (91) for 4 min 12 s\n"
                "   └─ flock (pid 93) has been waiting for the lock of sh (92) for 4 min 12 s\n"
                "\n"
                "these could be helped by them, or by somebody else:\n"
                "└─ poller (pid 201) has been waiting for any of 2 file descriptors for 4 min 12 "
                "s; "
                "any of several can end this wait\n");
        /* And of the poller itself, whom it waits for. */
        sh->asked = sh->matched = flock->matched = false;
        poller->asked = true;
        for_each_process(p, &f->s)
                for_each_thread(t, p)
                        t->behind = BEHIND_UNKNOWN;
        assert_int_equal(behind_find(&f->s), 0);
        view_equals(f, GRAPH,
                "poller (pid 201) has been waiting for any of 2 file descriptors for 4 min 12 s; "
                "any "
                "of several can end this wait\n");
}

/* A ring is walked once, and answers for all of it. */
static void test_asked_in_a_ring(void **state)
{
        struct fixture *f = *state;
        struct thread *t[4];

        for (int i = 0; i < 4; i++)
                t[i] = actor(f, 10 + i, "link", REASON_LOCK, "waiting");
        for (int i = 0; i < 4; i++)
                waits_for(f, t[i], t[i == 3 ? 1 : i + 1]);
        chains(f, true);
        assert_true(t[0]->deadlocked);
        assert_int_equal(behind_find(&f->s), 0);
        for (int i = 0; i < 4; i++) {
                assert_int_equal(t[i]->behind, BEHIND_NOBODY);
                t[i]->behind = BEHIND_UNKNOWN;
        }
        t[3]->asked = true;
        assert_int_equal(behind_find(&f->s), 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(t[i]->behind, BEHIND_ASKED);
}

static void test_clauses(void **state)
{
        struct fixture *f = *state;
        struct thread *root = story(f)->process->next->next->threads;
        static const struct {
                enum reason reason;
                const char *text, *clause;
        } rows[] = {
                { REASON_SLEEP, "sleeping for another 9 s", "is sleeping for another 9 s" },
                { REASON_RUNNING, "running on CPU 3", "is running on CPU 3" },
                { REASON_STOPPED, "stopped by a signal; SIGCONT continues it",
                        "is stopped by a signal, for 14 min; SIGCONT continues it" },
                { REASON_ZOMBIE, "has exited; waiting for its parent",
                        "has exited; waiting for its parent" },
                { REASON_UNKNOWN, "blocked in read; what for is not known",
                        "is blocked in read, for 14 min; what for is not known" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                root->wait.reason = rows[i].reason;
                root->wait.text = rows[i].text;
                chains(f, false);
                view_has(f, TEXT,
                        arena_printf(f->arena, "root cause: backup (pid 91) %s\n", rows[i].clause),
                        true);
        }
        root->wait.reason = REASON_DISK;
        root->wait.text = "page fault: waiting for a disk";
        root->wait.confidence = CONFIDENCE_LIKELY;
        chains(f, false);
        view_has(f, TEXT,
                "root cause: backup (pid 91): page fault: waiting for a disk, for 14 min "
                "(likely)\n",
                true);
}

/* A chain that is long is cut in its middle; what was left out is counted. */
static void test_long_chain(void **state)
{
        struct fixture *f = *state;
        struct thread *before = NULL, *t;

        for (int i = 0; i < 40; i++) {
                t = actor(f, 100 + i, "link", REASON_LOCK, "waiting");
                t->matched = i == 0;
                if (before)
                        waits_for(f, before, t);
                before = t;
        }
        before->wait.text = "sleeping";
        chains(f, false);
        view_has(f, TEXT, "… 30 more\n", true);
        view_has(f, TEXT, "link (pid 106) has", true);
        view_has(f, TEXT, "link (pid 107) has", false);
        view_has(f, TEXT, "link (pid 138) has", true);
        view_has(f, TEXT, "root cause: link (pid 139) has been sleeping for 4 min 12 s\n", true);
        /* The tree is bounded in depth. */
        view_has(f, GRAPH, "; others wait for it\n", true);
}

static void test_ends(void **state)
{
        struct fixture *f = *state;
        struct thread *t = actor(f, 10, "a", REASON_LOCK, "waiting for b");
        struct thread *b = actor(f, 11, "b", REASON_CHILD, "waiting for any of its 2 children");
        struct thread *c = actor(f, 12, "c", REASON_SLEEP, "sleeping");
        struct thread *d = actor(f, 13, "d", REASON_SLEEP, "sleeping");

        b->matched = c->matched = d->matched = false;
        waits_for(f, t, b);
        waits_for(f, b, c);
        waits_for(f, b, d);
        b->wait.on_any = true;
        chains(f, false);
        view_has(f, TEXT,
                "chain ends at b (pid 11), which has been waiting for any of its 2 children for "
                "4 min 12 s: any of several can end this wait\n",
                true);
        b->wait.on_any = false;
        chains(f, false);
        view_has(f, TEXT, "each of several must act\n", true);

        /* Somebody who could not be looked at. */
        b->wait.on[0].tid = b->wait.on[0].pid = 4711;
        chains(f, false);
        view_has(f, TEXT, "chain is cut: whom the last one waits for could not be looked at", true);
        view_has(f, GRAPH, "; whom it waits for could not be looked at\n", true);

        /* A process with more than one thread. */
        b->wait.n_on = 1;
        b->wait.on_any = true;
        b->wait.on[0] = (struct owner){ .pid = 12, .comm = "c", .role = ROLE_CHILD };
        thread_make(f, c->process, 120, REASON_SLEEP, "sleeping")->matched = false;
        chains(f, false);
        view_has(f, TEXT, "any thread of c (pid 12) can end this wait\n", true);
        view_has(f, ROOTS, "; any thread of c (pid 12) can end this wait\n", true);
        view_has(f, DOT, "p12 [label=\"any thread of c (pid 12)\", style=rounded];\n", true);
        view_has(f, DOT, "t11 -> p12 [label=\"child\"];\n", true);
}

static struct thread *ring(struct fixture *f)
{
        struct thread *a = actor(f, 10, "a", REASON_LOCK, "waiting for the lock of b (11)");
        struct thread *b = actor(f, 11, "b", REASON_LOCK, "waiting for the lock of a (10)");
        struct thread *c = actor(f, 12, "c", REASON_LOCK, "waiting for the lock of a (10)");

        waits_for(f, a, b);
        waits_for(f, b, a);
        waits_for(f, c, a);
        return a;
}

static void test_deadlock(void **state)
{
        struct fixture *f = *state;
        struct thread *a = ring(f);
        static const char block[] =
                "deadlock: 2 threads wait for each other in a ring; 1 more waits behind them\n"
                "  a (pid 10) has been waiting for the lock of b (11) for 4 min 12 s\n"
                "  b (pid 11) has been waiting for the lock of a (10) for 4 min 12 s\n";

        chains(f, true);
        view_equals(f, DEADLOCKS, block);
        view_has(f, TEXT, block, true);
        view_has(f, TEXT, "a (10)  sleeping for 4 min 12 s  deadlocked\n", true);
        view_has(f, TEXT, "  in a deadlock: of a (pid 10) and b (pid 11)\n", true);
        view_has(f, TEXT, "  behind a deadlock: of a (pid 10) and b (pid 11)\n", true);
        view_has(f, GRAPH,
                "  behind a (pid 10):\n"
                "  └─ c (pid 12) has been waiting for the lock of a (10) for 4 min 12 s\n",
                true);
        view_equals(f, ROOTS,
                " behind  root cause\n"
                "       1  deadlock: a (pid 10) and b (pid 11)\n");
        view_has(f, DOT, "t10 -> t11 [label=\"holder\", color=red];\n", true);
        view_has(f, DOT, "until a socket", false);

        a->wait.object = &(struct object){ .kind = "unix", .fd = 3 };
        view_has(f, DEADLOCKS, "(until a socket's own timeout, if one has any)\n", true);

        /* Not proven: said as what it is. */
        chains(f, false);
        view_has(f, TEXT, "possibly a deadlock: the chain leads back", true);
        view_has(f, GRAPH, "possibly a deadlock", true);
        view_has(f, TEXT, "deadlocked", false);
}

static void test_self(void **state)
{
        struct fixture *f = *state;
        struct thread *a = actor(f, 10, "a", REASON_LOCK, "waiting for its own mutex");

        waits_for(f, a, a);
        chains(f, true);
        view_has(f, TEXT, "  in a deadlock: it waits for itself\n", true);
        view_has(f, DEADLOCKS, "deadlock: a thread waits for itself\n", true);
}

/* Where it is not known whom one of them waits for, they are shown in the order of their numbers.
 */
static void test_no_ring(void **state)
{
        struct fixture *f = *state;
        struct thread *a = ring(f);

        chains(f, true);
        a->toward = NULL;
        view_has(f, DEADLOCKS, "deadlock: 2 threads wait for each other; 1 more", true);
        view_has(f, DEADLOCKS, "\n  a (pid 10)", true);
        view_has(f, DEADLOCKS, "\n  b (pid 11)", true);
}

static void test_nothing(void **state)
{
        struct fixture *f = *state;

        actor(f, 10, "a", REASON_SLEEP, "sleeping");
        chains(f, true);
        view_equals(f, DEADLOCKS, "no deadlock is seen\n");
        view_equals(f, ROOTS, "nobody is seen to wait for anybody\n");
        view_equals(f, GRAPH, "nobody is seen to wait for anybody\n");
}

/* Waiters that look alike are one line; many that do not are counted. */
static void test_fan_in(void **state)
{
        struct fixture *f = *state;
        struct thread *root = actor(f, 9, "root", REASON_SLEEP, "sleeping");
        struct process *app = process_make(f, 20, "app");
        struct thread *t;

        for (int i = 0; i < 1000; i++)
                waits_for(f, thread_make(f, app, 20 + i, REASON_LOCK, "waiting for a mutex"), root);
        for (int i = 0; i < 6; i++)
                waits_for(f, actor(f, 5000 + i, "cron", REASON_LOCK, "waiting for a file"), root);
        chains(f, true);
        view_equals(f, GRAPH,
                "root (pid 9) is sleeping\n"
                "├─ 1000 threads of app (pid 20) have been waiting for a mutex for up to 4 min 12 "
                "s\n"
                "└─ 6 processes cron (pid 5000, 5001, 5002, 5003, …) have been "
                "waiting for a file for up to 4 min 12 s\n");
        view_equals(f, ROOTS,
                " behind  root cause\n"
                "    1006  root (pid 9) is sleeping\n");
        view_has(f, DOT, "1000 threads, such as", true);

        /* The same lock, by whatever fd. */
        for (int i = 0; i < 3; i++) {
                t = actor(f, 5500 + i, "apt", REASON_LOCK,
                        arena_printf(f->arena, "waiting for a lock on /x (fd %d) (flock)", i + 3));
                t->wait.object = arena_new_one(f->arena, struct object);
                t->wait.object->kind = "flock";
                t->wait.object->inode = 4711;
                t->wait.object->fd = i + 3;
                waits_for(f, t, root);
        }
        chains(f, true);
        view_has(f, GRAPH,
                "3 processes apt (pid 5500, 5501, 5502) have been waiting for a lock "
                "on /x (flock) for up to",
                true);

        for (int i = 0; i < 30; i++) {
                t = actor(f, 6000 + i, arena_printf(f->arena, "n%02d", i), REASON_LOCK, "waiting");
                waits_for(f, t, root);
        }
        chains(f, true);
        view_has(f, GRAPH, "└─ … and 17 more threads\n", true);
}

/* Nothing of a name reaches the terminal, or ends a string of DOT. */
static void test_hostile(void **state)
{
        struct fixture *f = *state;
        static const char evil[] = "\033[31m\"];evil -> x;\n\\N\\";
        struct thread *a = actor(f, 10, evil, REASON_LOCK, "waiting for \033]0;x\007 \"b\" \\n");
        struct thread *b = actor(f, 11, evil, REASON_SLEEP, evil);

        waits_for(f, a, b);
        chains(f, true);
        for (enum view v = TEXT; v <= DOT; v++) {
                _cleanup_free_ char *text = view(f, v, 0);

                for (const char *p = text; *p; p++)
                        assert_true((unsigned char)*p >= ' ' || *p == '\n');
        }
        {
                /* Every line of DOT has its quotes in pairs, when those behind a backslash do not
                 * count. */
                _cleanup_free_ char *dot = view(f, DOT, 0);
                bool inside = false;

                for (const char *p = dot; *p; p++) {
                        if (*p == '\\' && inside)
                                assert_true(*++p != '\0' && *p != '\n');
                        else if (*p == '"')
                                inside = !inside;
                        else if (*p == '\n')
                                assert_false(inside);
                }
                assert_false(inside);
                assert_null(strstr(dot, "\n  evil"));
                assert_non_null(strstr(dot, "\\\\e[31m\\\"];evil"));
        }
}

/* Narrow terminals: nothing is wider, whatever its depth. */
static void test_width(void **state)
{
        struct fixture *f = *state;
        struct thread *before = NULL, *t;

        for (int i = 0; i < 60; i++) {
                t = actor(f, 100 + i, "link", REASON_LOCK,
                        "waiting for the lock of somebody or other");
                if (before)
                        waits_for(f, before, t);
                before = t;
        }
        chains(f, true);
        for (enum view v = TEXT; v <= ROOTS; v++) {
                _cleanup_free_ char *text = view(f, v, 80);
                size_t width = 0;

                for (const char *p = text; *p; p++) {
                        width = *p == '\n' ? 0 : width + (((unsigned char)*p & 0xc0) != 0x80);
                        assert_true(width <= 80);
                }
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_chain),
                TEST(test_behind),
                TEST(test_asked),
                TEST(test_asked_in_a_ring),
                TEST(test_clauses),
                TEST(test_long_chain),
                TEST(test_ends),
                TEST(test_deadlock),
                TEST(test_self),
                TEST(test_no_ring),
                TEST(test_nothing),
                TEST(test_fan_in),
                TEST(test_hostile),
                TEST(test_width),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
