/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A deadlock is told if a thread that was asked for is in it or waits behind it: a chain may
 * lead to a process that has another one, which is nobody's business here.
 */
#include "graph/deadlocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "graph/cycle.h"
#include "graph/waits.h"

static int thread_compare(const void *a, const void *b)
{
        const struct thread *x = *(struct thread *const *)a, *y = *(struct thread *const *)b;

        if (x->process->pid != y->process->pid)
                return x->process->pid < y->process->pid ? -1 : 1;
        return (x->tid > y->tid) - (x->tid < y->tid);
}

static int deadlock_compare(const void *a, const void *b)
{
        const struct deadlock *x = *(struct deadlock *const *)a, *y = *(struct deadlock *const *)b;

        return thread_compare(&x->members[0], &y->members[0]);
}

/* Who waits for whom: round the cycle, and from behind towards it by a shortest way. */
static void ways_find(const struct graph *g, const bool *behind, uint32_t *component,
        uint32_t *next, uint32_t *queue)
{
        uint32_t n_queued = 0;

        for (uint32_t n = 0; n < g->n_nodes; n++) {
                next[n] = NODE_NONE;
                if (component[n] == NODE_NONE)
                        continue;
                queue[n_queued++] = n;
                for_each_edge(e, g, n) if (component[e->to] == component[n] && next[n] == NODE_NONE)
                        next[n] = e->to;
        }
        for (uint32_t i = 0; i < n_queued; i++) {
                for_each_back(from, g, queue[i])
                {
                        if (!behind[from] || component[from] != NODE_NONE)
                                continue;
                        component[from] = component[queue[i]];
                        next[from] = queue[i];
                        queue[n_queued++] = from;
                }
        }
}

static void threads_fill(const struct graph *g, const bool *behind, const uint32_t *next,
        const uint32_t *component, struct deadlock *d)
{
        for (uint32_t n = 0; n < g->n_threads; n++) {
                uint32_t to = next[n];

                if (!behind[n])
                        continue;
                g->nodes[n].thread->deadlocked = true;
                g->nodes[n].thread->deadlock = component[n] == NODE_NONE ? NULL : &d[component[n]];
                g->nodes[n].thread->root = NULL;
                /* Behind a process is one of its threads. */
                if (to != NODE_NONE && !g->nodes[to].thread)
                        to = next[to];
                g->nodes[n].thread->toward = to == NODE_NONE ? NULL : g->nodes[to].thread;
        }
}

/* Deadlocks by component, with room for their members; NULL without memory. */
static struct deadlock *deadlocks_alloc(struct arena *a, const struct graph *g, const bool *member,
        const bool *behind, const uint32_t *component, uint32_t n)
{
        struct deadlock *d = arena_new_array(a, struct deadlock, n + 1);

        for (uint32_t i = 0; d && i < g->n_threads; i++) {
                if (!behind[i] || component[i] == NODE_NONE)
                        continue;
                if (member[i])
                        d[component[i]].n_members++;
                else
                        d[component[i]].n_behind++;
        }
        for (uint32_t i = 0; d && i < n; i++) {
                d[i].members = arena_new_array(a, struct thread *, d[i].n_members + 1);
                if (!d[i].members)
                        return NULL;
                d[i].n_members = 0;
        }
        for (uint32_t i = 0; d && i < g->n_threads; i++)
                if (member[i])
                        d[component[i]].members[d[component[i]].n_members++] = g->nodes[i].thread;
        return d;
}

/* Those that were asked for, in order, as the snapshot's list. */
static int deadlocks_list(struct snapshot *s, const struct graph *g, const bool *behind,
        const uint32_t *component, struct deadlock *d, uint32_t n)
{
        _cleanup_free_ struct deadlock **sorted = calloc((size_t)n + 1, sizeof(*sorted));
        _cleanup_free_ bool *asked = calloc((size_t)n + 1, sizeof(*asked));
        struct deadlock **tail = &s->deadlocks;
        uint32_t n_sorted = 0;

        if (!sorted || !asked)
                return -ENOMEM;
        for (uint32_t i = 0; i < g->n_threads; i++)
                if (behind[i] && component[i] != NODE_NONE && g->nodes[i].thread->matched)
                        asked[component[i]] = true;
        for (uint32_t i = 0; i < n; i++) {
                qsort(d[i].members, d[i].n_members, sizeof(*d[i].members), thread_compare);
                if (asked[i])
                        sorted[n_sorted++] = &d[i];
        }
        qsort(sorted, n_sorted, sizeof(struct deadlock *), deadlock_compare);
        for (uint32_t i = 0; i < n_sorted; i++) {
                *tail = sorted[i];
                tail = &sorted[i]->next;
        }
        *tail = NULL;
        return 0;
}

int deadlocks_set(struct snapshot *s, const struct graph *g, const bool *stuck, const bool *behind)
{
        size_t n = g->n_nodes;
        _cleanup_free_ uint32_t *memory = calloc(n + 1, 3 * sizeof(*memory));
        _cleanup_free_ bool *member = calloc(n + 1, sizeof(*member));
        uint32_t *component = memory, n_components;
        struct deadlock *d;
        int r;

        if (!memory || !member)
                return -ENOMEM;
        r = cycle_members(g, stuck, component, &n_components);
        if (r < 0 || n_components == 0)
                return r;
        for (size_t i = 0; i < n; i++)
                member[i] = component[i] != NODE_NONE;
        ways_find(g, behind, component, memory + n, memory + 2 * n);
        d = deadlocks_alloc(s->arena, g, member, behind, component, n_components);
        if (!d)
                return -ENOMEM;
        threads_fill(g, behind, memory + n, component, d);
        return deadlocks_list(s, g, behind, component, d, n_components);
}
