/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sorted arrays and binary search: the earlier snapshot lives in another arena, and
 * neither may be written to.
 *
 * "Ended" is said only of a thread that the later snapshot does not hold at all. One that is
 * there but passes the filters no more has merely gone on.
 */
#include "render/marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model.h"

static int thread_compare(const void *a, const void *b)
{
        const struct thread *x = *(const struct thread *const *)a;
        const struct thread *y = *(const struct thread *const *)b;

        if (x->tid != y->tid)
                return x->tid < y->tid ? -1 : 1;
        if (x->process->pid != y->process->pid)
                return x->process->pid < y->process->pid ? -1 : 1;
        if (x->process->start_time != y->process->start_time)
                return x->process->start_time < y->process->start_time ? -1 : 1;
        return 0;
}

/* The snapshot's threads, or only those that it shows, in order. */
static int threads_sort(
        const struct snapshot *s, bool all, const struct thread ***ret_threads, size_t *ret_n)
{
        size_t n = 0, most = s->n_threads > 0 ? s->n_threads : 1;
        const struct thread **threads = calloc(most, sizeof(*threads));
        if (!threads)
                return -ENOMEM;

        for_each_process(p, s)
                for_each_thread(t, p)
                        if ((all || t->matched) && n < most)
                                threads[n++] = t;
        qsort(threads, n, sizeof(*threads), thread_compare);
        *ret_threads = threads;
        *ret_n = n;
        return 0;
}

static const struct thread *thread_find(
        const struct thread **threads, size_t n, const struct thread *t)
{
        const struct thread **found = bsearch(&t, threads, n, sizeof(*threads), thread_compare);
        return found ? *found : NULL;
}

int marks_init(struct marks *m, const struct snapshot *s, const struct snapshot *previous)
{
        _cleanup_free_ const struct thread **now = NULL;
        size_t n_now = 0;

        *m = (struct marks){ 0 };
        if (!previous)
                return 0;

        int r = threads_sort(previous, false, &m->before, &m->n_before);
        if (r >= 0)
                r = threads_sort(s, true, &now, &n_now);
        if (r >= 0) {
                m->ended = calloc(m->n_before > 0 ? m->n_before : 1, sizeof(*m->ended));
                r = m->ended ? 0 : -ENOMEM;
        }
        if (r < 0) {
                marks_done(m);
                return r;
        }
        for (size_t i = 0; i < m->n_before; i++) {
                const struct thread *after = thread_find(now, n_now, m->before[i]);
                if (!after)
                        m->ended[m->n_ended++] = m->before[i];
        }
        return 0;
}

void marks_done(struct marks *m)
{
        free(m->before);
        free(m->ended);
        *m = (struct marks){ 0 };
}

static bool text_equal(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

enum mark marks_thread(const struct marks *m, const struct thread *t)
{
        if (!m->before)
                return MARK_NONE;

        const struct thread *old = thread_find(m->before, m->n_before, t);
        if (!old)
                return MARK_NEW;
        if (old->state != t->state || old->wait.reason != t->wait.reason ||
                !text_equal(old->wait.text, t->wait.text) || old->deadlocked != t->deadlocked ||
                (old->has_switches && t->has_switches && old->switches != t->switches))
                return MARK_CHANGED;
        return MARK_NONE;
}
