/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted arrays, and binary search in them: no lists in the model for what only two views need. */
#include "graph/forest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A failed insertion must reach the caller, not end the program. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->dropped = true)
#include <uthash.h>

static bool text_equal(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

static int text_compare(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) : !a - !b;
}

static int number_compare(const struct thread *x, const struct thread *y)
{
        if (x->process->pid != y->process->pid)
                return x->process->pid < y->process->pid ? -1 : 1;
        return (x->tid > y->tid) - (x->tid < y->tid);
}

/* By whom they wait for, as a number: only equal ones have to come together. */
static int toward_compare(const void *a, const void *b)
{
        const struct thread *x = *(const struct thread *const *)a;
        const struct thread *y = *(const struct thread *const *)b;

        if (x->toward != y->toward)
                return (uintptr_t)x->toward < (uintptr_t)y->toward ? -1 : 1;
        return number_compare(x, y);
}

/* What it waits on, without the number of the fd, which is each waiter's own. */
static int object_compare(const struct thread *t, const struct thread *u)
{
        const struct object *a = t->wait.object, *b = u->wait.object;
        int order;

        if (!a || !b || !a->kind || !b->kind)
                return text_compare(t->wait.text, u->wait.text);
        order = strcmp(a->kind, b->kind);
        if (order == 0 && (a->inode || b->inode) && a->inode != b->inode)
                order = a->inode < b->inode ? -1 : 1;
        if (order == 0 && a->has_address && b->has_address && a->address != b->address)
                order = a->address < b->address ? -1 : 1;
        /* Nothing says that it is the same one. */
        if (order == 0 && !a->inode && !(a->has_address && b->has_address))
                order = text_compare(t->wait.text, u->wait.text);
        return order;
}

struct twig { /* to be sorted: a thread, with what it is sorted by */
        const struct thread *thread;
        bool bears;
};

/* Those that bear others first; then look-alikes together. */
static int twig_compare(const void *a, const void *b)
{
        const struct twig *x = a, *y = b;
        const struct thread *t = x->thread, *u = y->thread;
        int order = 0;

        if (t->toward != u->toward)
                return (uintptr_t)t->toward < (uintptr_t)u->toward ? -1 : 1;
        if (x->bears != y->bears)
                return x->bears ? -1 : 1;
        if (!x->bears)
                order = text_compare(t->process->comm, u->process->comm);
        if (!x->bears && order == 0)
                order = (t->wait.reason > u->wait.reason) - (t->wait.reason < u->wait.reason);
        if (!x->bears && order == 0)
                order = object_compare(t, u);
        return order ? order : number_compare(t, u);
}

static bool twig_alike(const struct twig *x, const struct twig *y)
{
        const struct thread *t = x->thread, *u = y->thread;

        return !x->bears && !y->bears && t->toward == u->toward &&
               t->wait.reason == u->wait.reason && text_equal(t->process->comm, u->process->comm) &&
               object_compare(t, u) == 0;
}

static bool is_waited_for(const struct forest *f, const struct thread *t)
{
        size_t low = 0, high = f->n_threads;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if ((uintptr_t)f->threads[middle]->toward < (uintptr_t)t)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < f->n_threads && f->threads[low]->toward == t;
}

struct seen { /* a thread that was not asked for, and is there already */
        const struct thread *thread;
        bool dropped;
        UT_hash_handle hh;
};

/* Matched threads and those on their ways. */
static int threads_collect(struct forest *f, const struct snapshot *s)
{
        _cleanup_free_ struct seen *memory = NULL;
        struct seen *table = NULL, *seen;
        size_t n_all = 1, n_seen = 0;
        int r = 0;

        for_each_process(p, s)
                for_each_thread(t, p)
                        n_all++;
        f->threads = calloc(n_all, sizeof(*f->threads));
        memory = calloc(n_all, sizeof(*memory));
        if (!f->threads || !memory)
                return -ENOMEM;
        f->n_threads = 0;
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (t->matched)
                                f->threads[f->n_threads++] = t;
        for (size_t i = 0; r == 0 && i < f->n_threads; i++) {
                const struct thread *to = f->threads[i]->toward;

                if (!to || to->matched)
                        continue;
                HASH_FIND_PTR(table, &to, seen);
                if (seen)
                        continue;
                seen = &memory[n_seen++];
                seen->thread = to;
                HASH_ADD_PTR(table, thread, seen);
                r = seen->dropped ? -ENOMEM : 0;
                f->threads[f->n_threads++] = to;
        }
        HASH_CLEAR(hh, table);
        qsort(f->threads, f->n_threads, sizeof(*f->threads), toward_compare);
        return r;
}

static int branches_make(struct forest *f)
{
        _cleanup_free_ struct twig *twigs = calloc(f->n_threads + 1, sizeof(*twigs));
        size_t n = 0;

        f->branches = calloc(f->n_threads + 1, sizeof(*f->branches));
        if (!twigs || !f->branches)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_threads; i++)
                twigs[i] = (struct twig){ f->threads[i], is_waited_for(f, f->threads[i]) };
        qsort(twigs, f->n_threads, sizeof(*twigs), twig_compare);
        /* Only now: above, they had to be in another order. */
        for (size_t i = 0; i < f->n_threads; i++) {
                f->threads[i] = twigs[i].thread;
                if (i > 0 && twig_alike(&twigs[i - 1], &twigs[i]))
                        f->branches[n - 1].n++;
                else
                        f->branches[n++] = (struct branch){ &f->threads[i], 1, twigs[i].bears };
        }
        f->n_branches = n;
        return 0;
}

static int root_compare(const void *a, const void *b)
{
        const struct thread *x = *(const struct thread *const *)a;
        const struct thread *y = *(const struct thread *const *)b;

        if (x->n_behind != y->n_behind)
                return x->n_behind > y->n_behind ? -1 : 1;
        return number_compare(x, y);
}

/* Those that wait for nobody, as far as it can be followed, and are waited for. */
static int roots_make(struct forest *f)
{
        f->roots = calloc(f->n_threads + 1, sizeof(*f->roots));
        if (!f->roots)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_branches; i++) {
                const struct branch *b = &f->branches[i];

                if (b->bears && !b->threads[0]->toward)
                        f->roots[f->n_roots++] = b->threads[0];
        }
        qsort(f->roots, f->n_roots, sizeof(*f->roots), root_compare);
        return 0;
}

int forest_init(struct forest *f, const struct snapshot *s)
{
        int r;

        *f = (struct forest){ 0 };
        r = threads_collect(f, s);
        if (r == 0)
                r = branches_make(f);
        if (r == 0)
                r = roots_make(f);
        if (r < 0)
                forest_done(f);
        return r;
}

void forest_done(struct forest *f)
{
        free(f->threads);
        free(f->branches);
        free(f->roots);
        *f = (struct forest){ 0 };
}

const struct branch *forest_above(const struct forest *f, const struct thread *t, size_t *ret_n)
{
        size_t low = 0, high = f->n_branches, end;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if ((uintptr_t)f->branches[middle].threads[0]->toward < (uintptr_t)t)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (end = low; end < f->n_branches && f->branches[end].threads[0]->toward == t; end++)
                ;
        *ret_n = end - low;
        return f->branches + low;
}
