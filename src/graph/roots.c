/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Components of the graph are taken in the order in which each comes after those that it leads
 * to, so that the ends of all its ways are known by then. In a cycle that something gets out of
 * (a timeout, an alternative) the way out is what counts.
 */
#include "graph/roots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "graph/cycle.h"
#include "graph/waits.h"

/* What is known of the end of a chain, besides a node. */
enum { END_NONE = -1, END_BRANCHES = -2, END_LOST = -3 };

struct ends {
        const struct graph *g;
        const bool *live;
        uint32_t *component;
        int64_t *end;    /* of each node */
        bool *start;     /* where ways end though there is no end: one of each closed cycle */
        uint32_t *nodes; /* sorted by component */
        uint32_t *first; /* of each component in nodes */
        uint32_t n_components;
};

void roots_begin(struct snapshot *s)
{
        for_each_process(p, s) {
                for_each_thread(t, p) {
                        t->root = t->wait.n_on ? NULL : t;
                        t->toward = NULL;
                        t->deadlocked = false;
                        t->deadlock = NULL;
                        t->circular = t->yields = false;
                        t->n_behind = 0;
                }
        }
}

static int64_t end_merge(int64_t a, int64_t b)
{
        if (a == END_NONE || a == b)
                return b;
        if (b == END_NONE)
                return a;
        return a == END_LOST || b == END_LOST ? END_LOST : END_BRANCHES;
}

/* Where any will do, a way that is lost is one of several, and not the one that counts. */
static int64_t end_merge_any(int64_t a, int64_t b)
{
        return a != b && a != END_NONE && b != END_NONE ? END_BRANCHES : end_merge(a, b);
}

/* The end of all ways that lead out of the component; of an OR those to the stuck are none. */
static int64_t node_end(const struct ends *w, uint32_t n)
{
        const struct node *node = &w->g->nodes[n];
        int64_t (*merge)(int64_t, int64_t) = node->any ? end_merge_any : end_merge;
        int64_t end = END_NONE;

        for_each_edge(e, w->g, n) if (w->live[e->to] && w->component[e->to] != w->component[n])
                end = merge(end, w->end[e->to]);
        if (node->cut)
                end = merge(end, END_LOST);
        else if (node->any && !node->whole && node->n > 0)
                end = end_merge(end, END_BRANCHES);
        return end;
}

static bool has_edge_to_itself(const struct graph *g, uint32_t n)
{
        for_each_edge(e, g, n) if (e->to == n) return true;
        return false;
}

/* A node that is in no cycle. */
static void single_end(struct ends *w, uint32_t n)
{
        int64_t end = node_end(w, n);

        if (w->g->nodes[n].thread && (end == END_NONE || end == END_BRANCHES))
                end = n;
        w->end[n] = end;
}

/*
 * The only thread of a cycle of which that is true; END_NONE, or END_BRANCHES: there are more, or
 * it is true of a process, which may go on by any of its threads.
 */
static int64_t cycle_only(const struct ends *w, const uint32_t *nodes, uint32_t n,
        bool (*is)(const struct ends *w, uint32_t n))
{
        int64_t only = END_NONE;

        for (uint32_t i = 0; i < n; i++)
                if (is(w, nodes[i]))
                        only = end_merge(only,
                                w->g->nodes[nodes[i]].thread ? (int64_t)nodes[i] : END_BRANCHES);
        return only;
}

/* While a cycle is looked at, the end of each of its nodes is that of its ways out. */
static bool leads_out(const struct ends *w, uint32_t n)
{
        return w->end[n] != END_NONE;
}

static bool is_free(const struct ends *w, uint32_t n)
{
        return w->g->nodes[n].thread && !w->g->nodes[n].held && !w->g->nodes[n].left;
}

/* Does its own chain branch: at it, or at a process that it waits for? */
static bool branches_here(const struct ends *w, uint32_t n)
{
        if (w->end[n] == END_BRANCHES)
                return true;
        for_each_edge(e, w->g, n) if (!w->g->nodes[e->to].thread && w->live[e->to] &&
                                      w->component[e->to] == w->component[n] &&
                                      leads_out(w, e->to)) return true;
        return false;
}

static void cycle_end(struct ends *w, const uint32_t *nodes, uint32_t n)
{
        int64_t end = END_NONE;
        bool out, still = true;

        for (uint32_t i = 0; i < n; i++) {
                w->end[nodes[i]] = node_end(w, nodes[i]);
                end = end_merge(end, w->end[nodes[i]]);
                still &= !w->g->nodes[nodes[i]].left; /* else it was one for a moment at most */
        }
        out = end != END_NONE;
        /* Nobody outside: the one that can go on by itself, if only one can. */
        if (end == END_NONE)
                end = cycle_only(w, nodes, n, is_free);
        else if (end == END_BRANCHES)
                end = cycle_only(w, nodes, n, leads_out);
        if (!out && end >= 0)
                w->g->nodes[end].thread->yields = true;
        for (uint32_t i = 0; i < n; i++) {
                bool is_thread = w->g->nodes[nodes[i]].thread;

                /* Each of several that can get out is where its chain branches. Threads come first,
                 * and see the processes as they were. */
                if (end == END_BRANCHES && !is_thread)
                        w->end[nodes[i]] = leads_out(w, nodes[i]) ? END_BRANCHES : END_LOST;
                else if (end == END_BRANCHES && branches_here(w, nodes[i]))
                        w->end[nodes[i]] = nodes[i];
                else
                        w->end[nodes[i]] = end < 0 ? END_LOST : end;
                if (!out && still && end < 0 && is_thread)
                        w->g->nodes[nodes[i]].thread->circular = true;
        }
        /* Sorted: threads come before processes. */
        w->start[nodes[0]] = !out && end < 0;
}

/* Nodes in order of their component, by counting. */
static void components_sort(struct ends *w)
{
        for (uint32_t n = 0; n < w->g->n_nodes; n++)
                if (w->live[n])
                        w->first[w->component[n] + 2]++;
        for (uint32_t c = 2; c < w->n_components + 2; c++)
                w->first[c] += w->first[c - 1];
        for (uint32_t n = 0; n < w->g->n_nodes; n++)
                if (w->live[n])
                        w->nodes[w->first[w->component[n] + 1]++] = n;
}

static void ends_find(struct ends *w)
{
        for (uint32_t c = 0; c < w->n_components; c++) {
                const uint32_t *nodes = w->nodes + w->first[c];
                uint32_t n = w->first[c + 1] - w->first[c];

                if (n == 1 && !has_edge_to_itself(w->g, nodes[0]))
                        single_end(w, nodes[0]);
                else
                        cycle_end(w, nodes, n);
        }
}

/*
 * The next thread on the way: from the ends backwards, so that each way is a shortest one and
 * none goes round in a circle. Ways that are lost end where the owner is out of sight.
 */
static void ways_find(const struct ends *w, uint32_t *queue, uint32_t *next)
{
        const struct graph *g = w->g;
        uint32_t n_queued = 0;

        for (uint32_t n = 0; n < g->n_nodes; n++) {
                next[n] = NODE_NONE;
                if (w->live[n] && (w->end[n] == n || w->start[n] ||
                                          (w->end[n] == END_LOST && g->nodes[n].cut))) {
                        next[n] = n;
                        queue[n_queued++] = n;
                }
        }
        for (uint32_t i = 0; i < n_queued; i++) {
                uint32_t to = queue[i];

                for_each_back(from, g, to)
                {
                        if (!w->live[from] || next[from] != NODE_NONE || w->end[from] != w->end[to])
                                continue;
                        /* Behind a process: the thread of it that was found first. */
                        next[from] = g->nodes[to].thread ? to : next[to];
                        queue[n_queued++] = from;
                }
        }
}

static void threads_fill(const struct ends *w, const uint32_t *next)
{
        const struct graph *g = w->g;

        for (uint32_t n = 0; n < g->n_threads; n++) {
                struct thread *t = g->nodes[n].thread;

                if (!w->live[n])
                        continue;
                t->root = w->end[n] >= 0 ? g->nodes[w->end[n]].thread : NULL;
                t->toward = next[n] == NODE_NONE || next[n] == n ? NULL : g->nodes[next[n]].thread;
                if (t->root && t->root != t)
                        t->root->n_behind++;
        }
}

int roots_set(const struct graph *g, const bool *stuck)
{
        size_t n = g->n_nodes;
        _cleanup_free_ bool *live = malloc(n + 1), *start = calloc(n + 1, sizeof(*start));
        _cleanup_free_ int64_t *end = malloc((n + 1) * sizeof(*end));
        _cleanup_free_ uint32_t *memory = calloc(n + 3, 3 * sizeof(*memory));
        struct ends w = { .g = g, .live = live, .end = end, .start = start };
        int r;

        if (!live || !start || !end || !memory)
                return -ENOMEM;
        w.component = memory;
        w.nodes = memory + n;
        w.first = memory + 2 * n;
        for (size_t i = 0; i < n; i++) {
                live[i] = !stuck || !stuck[i];
                end[i] = END_NONE;
        }
        r = cycle_components(g, live, w.component, &w.n_components);
        if (r < 0)
                return r;
        components_sort(&w);
        ends_find(&w);
        /* Components and their order have served their purpose. */
        ways_find(&w, w.nodes, w.component);
        threads_fill(&w, w.component);
        return 0;
}
