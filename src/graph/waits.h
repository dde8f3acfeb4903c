/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who waits for whom, as a graph: an edge leads from a waiter to who can end its wait.
 *
 * Nodes are threads, and processes with several threads where it is not known which of them has
 * to act: such a process is an OR over its threads. A thread's edges are an OR where any one of
 * its owners is enough (a pipe has writers), an AND where each has to act (a lock has readers).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

#define NODE_NONE UINT32_MAX

struct edge {
        uint32_t to;
        enum role role; /* of a process's edges to its threads: ROLE_THREAD */
};

struct node {
        struct thread *thread;   /* NULL: a process */
        struct process *process; /* that, or the thread's */
        uint32_t first, n;       /* its edges */
        bool any;                /* OR */
        bool whole;              /* its edges are all that there are */
        bool held;               /* nothing but its edges can end the wait, as far as can be seen */
        bool cut;                /* an owner is not in the snapshot */
        bool left;               /* it was not seen to stay in that wait (proof.h) */
};

struct graph {
        struct node *nodes; /* threads first */
        uint32_t n_threads, n_nodes;
        struct edge *edges;
        uint32_t n_edges;
        uint32_t *back,
                *back_first; /* edges turned round: back[back_first[n] … back_first[n + 1]) */
};

/* From the waits of a snapshot. Heap; free with graph_free(). -ENOMEM. */
int graph_new(const struct snapshot *s, struct graph **ret_graph);
void graph_free(struct graph *g); /* NULL-safe */

/* Could this thread wait for ever: for its owners and nothing else? */
bool wait_is_held(const struct thread *t);

/* Are all its threads that have not exited in the snapshot? */
bool process_is_whole(const struct process *p);

#define for_each_edge(e, g, n)                                                                     \
        for (const struct edge *e = (g)->edges + (g)->nodes[n].first,                              \
                               *e##_end = e + (g)->nodes[n].n;                                     \
                e < e##_end; e++)
#define for_each_back(from, g, n)                                                                  \
        for (uint32_t from##_at = (g)->back_first[n], from;                                        \
                from##_at < (g)->back_first[(n) + 1] && (from = (g)->back[from##_at], true);       \
                from##_at++)
