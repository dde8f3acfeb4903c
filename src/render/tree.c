/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The graph for people: trees, each root with whoever waits for it, those who wait for these
 * further in. A machine may have a hundred thousand waiters: how wide and how deep it gets is
 * bounded, and what is left out is counted.
 */
#include "render/render.h"

#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "graph/forest.h"
#include "model.h"
#include "render/chains.h"
#include "render/details.h"
#include "render/page.h"

#define DEPTH_MAX 24
#define BRANCHES_SHOWN 16 /* of one thread */
#define NUMBERS_SHOWN 4
#define ROOTS_SHOWN 1000

/* "app (pid 7)"; "12 threads of app (pid 7)"; "3 processes worker (pid 7, 8, 9)". */
static const char *branch_label(struct page *p, const struct branch *b)
{
        const struct thread *t = b->threads[0];
        const char *name = page_safe(p, t->process->comm, ESCAPE_NAME_MAX), *numbers = "";
        size_t n_processes = 1;
        pid_t pid = t->process->pid;

        if (b->n == 1)
                return thread_label(p, t);
        for (size_t i = 0; i < b->n; i++) {
                if (b->threads[i]->process->pid == pid && i > 0)
                        continue;
                n_processes += i > 0;
                pid = b->threads[i]->process->pid;
                if (n_processes <= NUMBERS_SHOWN)
                        numbers = page_join(
                                p, numbers, i > 0 ? ", " : "", page_number(p, (uint64_t)pid), NULL);
        }
        if (n_processes == 1)
                return page_join(p, page_number(p, b->n), " threads of ", name, " (pid ", numbers,
                        ")", NULL);
        if (n_processes == b->n)
                return page_join(p, page_number(p, b->n), " processes ", name, " (pid ", numbers,
                        n_processes > NUMBERS_SHOWN ? ", …" : "", ")", NULL);
        return page_join(p, page_number(p, b->n), " threads of ", page_number(p, n_processes),
                " processes ", name, " (pid ", numbers, n_processes > NUMBERS_SHOWN ? ", …" : "",
                ")", NULL);
}

static enum style thread_style(const struct thread *t)
{
        return t->deadlocked ? STYLE_ALARM : STYLE_PLAIN;
}

/* trunk: the lines that lead down to what follows below. */
static void branch_write(
        struct page *p, const char *trunk, bool last, const struct branch *b, const char *extra)
{
        page_begin(p, ' ', 0, 0);
        page_cut(p, STYLE_DIM, page_join(p, trunk, last ? "└─ " : "├─ ", NULL));
        p->hanging = p->column + 2;
        page_flow(p, thread_style(b->threads[0]), branch_label(p, b));
        page_flow(p, STYLE_PLAIN, thread_clause(p, b->threads, b->n));
        page_flow(p, STYLE_DIM, extra);
        page_end(p);
}

/* Of a deadlock's members the others stand beside, not above. */
static bool is_beside(const struct thread *t, const struct branch *b)
{
        const struct deadlock *d = t->deadlock;

        for (size_t i = 0; d && i < d->n_members; i++)
                if (d->members[i] == b->threads[0])
                        return true;
        return false;
}

static void left_out_write(struct page *p, const char *trunk, size_t n_threads)
{
        page_begin(p, ' ', 0, 0);
        page_cut(p, STYLE_DIM,
                page_join(p, trunk, "└─ … and ", page_number(p, n_threads), " more",
                        n_threads == 1 ? " thread" : " threads", NULL));
        page_end(p);
}

static void above_write(struct page *p, const struct forest *f, const struct thread *t,
        const char *trunk, unsigned depth)
{
        size_t n, n_shown = 0, n_wanted = 0, n_left = 0;
        const struct branch *b = forest_above(f, t, &n);

        for (size_t i = 0; i < n; i++)
                n_wanted += !is_beside(t, &b[i]);
        for (size_t i = 0; i < n; i++) {
                bool last, deep = b[i].bears && depth + 1 >= DEPTH_MAX;

                if (is_beside(t, &b[i]))
                        continue;
                if (n_shown == BRANCHES_SHOWN) {
                        n_left += b[i].n;
                        continue;
                }
                last = ++n_shown == n_wanted;
                branch_write(p, trunk, last, &b[i], deep ? "; others wait for it" : "");
                if (b[i].bears && !deep && page_block(p))
                        above_write(p, f, b[i].threads[0],
                                page_join(p, trunk, last ? "   " : "│  ", NULL), depth + 1);
        }
        if (n_left > 0)
                left_out_write(p, trunk, n_left);
}

/* Of one that waits for somebody: why it is the end of chains all the same. */
static const char *why_root(struct page *p, const struct thread *t)
{
        return t->root ? chain_branch(p, t) : "whom it waits for could not be looked at";
}

static void root_write(struct page *p, const struct forest *f, const struct thread *t)
{
        page_begin(p, ' ', 0, 2);
        page_flow(p, STYLE_BOLD, thread_label(p, t));
        page_flow(p, STYLE_PLAIN, thread_clause(p, &t, 1));
        if (t->circular)
                page_flow(p, STYLE_BLOCKED,
                        "; its chain leads back to it: possibly a deadlock, which could not be "
                        "proven");
        else if (t->wait.n_on > 0)
                page_flow(p, STYLE_DIM, page_join(p, "; ", why_root(p, t), NULL));
        page_end(p);
        above_write(p, f, t, "", 0);
}

static void deadlock_tree(struct page *p, const struct forest *f, const struct deadlock *d)
{
        deadlock_write(p, d);
        for (size_t i = 0; i < d->n_members && page_block(p); i++) {
                const struct thread *t = d->members[i];
                size_t n, n_behind = 0;
                const struct branch *b = forest_above(f, t, &n);

                for (size_t j = 0; j < n; j++)
                        n_behind += !is_beside(t, &b[j]);
                if (n_behind == 0)
                        continue;
                page_begin(p, ' ', 2, 4);
                page_flow(p, STYLE_DIM, page_join(p, "behind ", thread_label(p, t), ":", NULL));
                page_end(p);
                above_write(p, f, t, "  ", 0);
        }
}

static void line_write(struct page *p, enum style style, const char *text)
{
        page_begin(p, ' ', 0, 2);
        page_flow(p, style, text);
        page_end(p);
}

/* The chains of those that were asked for are followed to their ends, not to their beginnings. */
static void some_write(struct page *p, const struct snapshot *s)
{
        if (s->some)
                line_write(p, STYLE_DIM,
                        "who else waits for these was not looked for: name no target "
                        "for that");
}

/* What could not be had limits what can be said of who waits for whom. */
static void gaps_write(struct page *p, const struct snapshot *s, bool first)
{
        if (s->gaps && !first)
                page_end(p);
        for (const struct gap *g = s->gaps; g && page_block(p); g = g->next)
                gap_write(p, g);
}

/* Of those that were asked for, who waits for any of several and keeps nobody waiting. */
static bool is_alone(const struct forest *f, const struct thread *t)
{
        size_t n;

        if (!t->asked || !t->matched || !t->wait.n_on || t->toward || t->deadlocked)
                return false;
        forest_above(f, t, &n);
        return n == 0;
}

static bool alone_write(
        struct page *p, const struct forest *f, const struct snapshot *s, bool first)
{
        size_t n = 0;

        for_each_process(process, s) {
                for_each_thread(t, process) {
                        if (!is_alone(f, t) || n++ >= BRANCHES_SHOWN || !page_block(p))
                                continue;
                        if (n == 1 && !first)
                                page_end(p);
                        root_write(p, f, t);
                }
        }
        if (n > BRANCHES_SHOWN)
                left_out_write(p, "", n - BRANCHES_SHOWN);
        return first && !n;
}

/* Whose chain leads elsewhere stands there. */
static bool is_beside_asked(const struct thread *t)
{
        return t->matched && t->behind == BESIDE_ASKED && !t->toward;
}

/*
 * They are in no tree: where any of several can act, no chain leads to one of these. Of each it is
 * said how else it could go on.
 */
static bool beside_write(struct page *p, const struct snapshot *s, bool first)
{
        size_t n = 0, n_shown = 0;

        for_each_process(process, s)
                for_each_thread(t, process)
                        n += is_beside_asked(t);
        if (n == 0)
                return first;
        if (!first)
                page_end(p);
        line_write(p, STYLE_DIM, "these could be helped by them, or by somebody else:");
        for_each_process(process, s) {
                for_each_thread(t, process) {
                        const struct branch b = { (const struct thread *[]){ t }, 1, false };

                        if (!is_beside_asked(t))
                                continue;
                        if (n_shown < BRANCHES_SHOWN && page_block(p))
                                branch_write(p, "", ++n_shown == n, &b,
                                        t->root == t ? page_join(p, "; ", chain_branch(p, t), NULL)
                                                     : "");
                }
        }
        if (n > n_shown)
                left_out_write(p, "", n - n_shown);
        return false;
}

int render_graph(FILE *out, const struct snapshot *s, bool colour, unsigned columns)
{
        struct forest f;
        struct page p;
        bool first = true;
        int r = forest_init(&f, s);

        if (r < 0)
                return r;
        r = page_init(&p, out, colour, columns, false);
        if (r < 0) {
                forest_done(&f);
                return r;
        }
        for (const struct deadlock *d = s->deadlocks; d && page_block(&p); d = d->next) {
                if (!first)
                        page_end(&p);
                deadlock_tree(&p, &f, d);
                first = false;
        }
        for (size_t i = 0; i < f.n_roots && i < ROOTS_SHOWN && page_block(&p); i++) {
                if (!first)
                        page_end(&p);
                root_write(&p, &f, f.roots[i]);
                first = false;
        }
        if (f.n_roots > ROOTS_SHOWN)
                line_write(&p, STYLE_DIM,
                        page_join(&p, "… and ", page_number(&p, f.n_roots - ROOTS_SHOWN),
                                " more roots", NULL));
        first = alone_write(&p, &f, s, first);
        first = beside_write(&p, s, first);
        if (first)
                line_write(&p, STYLE_PLAIN, "nobody is seen to wait for anybody");
        some_write(&p, s);
        gaps_write(&p, s, false);
        forest_done(&f);
        return page_done(&p);
}

/* A table: how many wait behind it, and what it does. */
static void row_write(struct page *p, size_t n, enum style style, const char *who, const char *what)
{
        const char *number = page_number(p, n);
        unsigned width = (unsigned)strlen(number);

        page_begin(p, ' ', width < 8 ? 8 - width : 0, 10);
        page_flow(p, STYLE_PLAIN, number);
        page_flow(p, style, page_join(p, "  ", who, NULL));
        page_flow(p, STYLE_PLAIN, what);
        page_end(p);
}

static void roots_write(struct page *p, const struct snapshot *s, const struct forest *f)
{
        bool head = false;

        for (const struct deadlock *d = s->deadlocks; d && page_block(p); d = d->next) {
                if (!head)
                        line_write(p, STYLE_DIM, " behind  root cause");
                head = true;
                row_write(p, d->n_behind, STYLE_ALARM,
                        "deadlock: ", page_join(p, deadlock_members(p, d), NULL));
        }
        for (size_t i = 0; i < f->n_roots && page_block(p); i++) {
                const struct thread *t = f->roots[i];

                if (!t->n_behind)
                        continue;
                if (!head)
                        line_write(p, STYLE_DIM, " behind  root cause");
                head = true;
                const char *what = thread_clause(p, &t, 1);

                if (t->wait.n_on > 0)
                        what = page_join(p, what, "; ", why_root(p, t), NULL);
                row_write(p, t->n_behind, STYLE_BOLD, thread_label(p, t), what);
        }
        if (!head)
                line_write(p, STYLE_PLAIN, "nobody is seen to wait for anybody");
}

int render_roots(FILE *out, const struct snapshot *s, bool colour, unsigned columns)
{
        struct forest f;
        struct page p;
        int r = forest_init(&f, s);

        if (r < 0)
                return r;
        r = page_init(&p, out, colour, columns, false);
        if (r == 0) {
                roots_write(&p, s, &f);
                some_write(&p, s);
                gaps_write(&p, s, false);
                r = page_done(&p);
        }
        forest_done(&f);
        return r;
}

int render_deadlocks(FILE *out, const struct snapshot *s, bool colour, unsigned columns)
{
        struct page p;
        int r = page_init(&p, out, colour, columns, false);

        if (r < 0)
                return r;
        for (const struct deadlock *d = s->deadlocks; d && page_block(&p); d = d->next) {
                deadlock_write(&p, d);
                if (d->next)
                        page_end(&p);
        }
        if (!s->has_deadlocks)
                line_write(&p, STYLE_PLAIN,
                        "not looked for: what was recorded cannot be looked at a second time");
        else if (!s->deadlocks)
                line_write(&p, STYLE_PLAIN, "no deadlock is seen");
        gaps_write(&p, s, false);
        return page_done(&p);
}
