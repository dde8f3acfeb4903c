/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enters: the verdicts, with who can end each wait. Leaves: nodes and edges, in arrays, built in
 * time linear in both. Can go missing: owners that are not in the snapshot; their waiters are
 * marked as cut.
 *
 * An owner known by its TID is that thread. One known as a process is that process's thread, if
 * it has only one; otherwise any of its threads could act, for all that is known.
 */
#include "graph/waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "graph/lookup.h"
#include "resolve/syscall.h"

static bool thread_is_dead(const struct thread *t)
{
        return t->state == 'Z' || t->state == 'X';
}

bool process_is_whole(const struct process *p)
{
        return p->n_alive > 0 && p->n_threads >= p->n_alive;
}

/*
 * Are its ends all that can make it ready? Others can open a FIFO, or send to an address; the
 * kernel itself signals eventfds. Of any kind that is not known to be closed: no.
 */
static bool object_is_closed(const struct object *o)
{
        const char *kind = o && o->kind ? o->kind : "";

        if (o && o->state && strcmp(o->state, "LISTEN") == 0)
                return false;
        if (strcmp(kind, "unix") == 0)
                return o->type &&
                       (strcmp(o->type, "stream") == 0 || strcmp(o->type, "seqpacket") == 0);
        return strcmp(kind, "pipe") == 0 || strcmp(kind, "tcp") == 0;
}

static bool set_is_closed(const struct object *o)
{
        if (!o || !o->n_members || o->n_members_hidden || o->partial)
                return false;
        for (size_t i = 0; i < o->n_members; i++)
                if (!member_is_disabled(&o->members[i]) && !object_is_closed(o->members[i].object))
                        return false;
        return true;
}

/* Is it known that the call has no timeout? */
static bool call_has_no_end(const struct call *c)
{
        if (c->state == CALL_OUTSIDE)
                return true;
        if (c->state != CALL_INSIDE || !c->desc || c->timeout_set)
                return false;
        /* What was restarted may have had one; an argument that could not be read, too. */
        if (strcmp(c->desc->name, "restart_syscall") == 0)
                return false;
        return c->has_timeout || !strpbrk(c->desc->args, "t6vm");
}

/* Can only the owners end a wait like this one? */
static bool wait_is_closed(const struct thread *t)
{
        const struct wait *w = &t->wait;

        switch (w->reason) {
        case REASON_READ:
        case REASON_WRITE:
        case REASON_RECEIVE:
        case REASON_SEND:
                return object_is_closed(w->object);
        case REASON_POLL:
                return set_is_closed(w->object);
        case REASON_CHILD:
                /* Other threads of its process may make more children. */
                return !w->on_any || t->process->n_alive == 1;
        case REASON_LOCK:
        case REASON_JOIN:
        case REASON_REPLY:
                return true;
        default: /* stopped, frozen, running, … : something else lets them go on */
                return false;
        }
}

/*
 * What a lock is, is read from memory or known from the call alone, and so likely at best; who
 * holds it was read from the lock itself. A ring of such waits, each of whose holders is the next,
 * and none of which changes, is no coincidence.
 */
static bool wait_is_sure(const struct wait *w)
{
        return w->confidence == CONFIDENCE_CERTAIN ||
               (w->confidence == CONFIDENCE_LIKELY && w->reason == REASON_LOCK);
}

bool wait_is_held(const struct thread *t)
{
        const struct wait *w = &t->wait;

        if ((t->state != 'S' && t->state != 'D') || t->moved || !t->has_switches)
                return false;
        if (!w->n_on || !wait_is_sure(w) || (w->on_any && !w->on_whole))
                return false;
        return call_has_no_end(&t->call) && wait_is_closed(t);
}

struct builder {
        struct graph *g;
        struct lookup *lookup;
        uint32_t *process_nodes; /* by place; NODE_NONE: not made */
};

static void edge_add(struct graph *g, struct node *n, uint32_t to, enum role role)
{
        g->edges[g->n_edges++] = (struct edge){ to, role };
        n->n++;
}

/* The only one of its threads that could act, if there is only one; of the dead the first. */
static struct thread *process_single(const struct process *p)
{
        struct thread *single = NULL;
        size_t n_alive = 0;

        for_each_thread(t, p) {
                bool alive = !thread_is_dead(t);

                if (!single || (alive && n_alive == 0))
                        single = t;
                n_alive += alive;
        }
        if (n_alive > 1 || !single)
                return NULL;
        /* A log names one task, and does not say how many threads its process has. */
        return process_is_whole(p) || (p->n_alive == 0 && single->tid == p->pid) ? single : NULL;
}

static uint32_t process_node(struct builder *b, struct process *p)
{
        const struct thread *t = process_single(p);
        uint32_t place;

        if (t && lookup_thread(b->lookup, t->tid, &place))
                return place;
        b->g->nodes[b->g->n_nodes] =
                (struct node){ .process = p, .any = true, .whole = process_is_whole(p) };
        return b->g->n_nodes++;
}

/* The node that stands for an owner; NODE_NONE: it is not in the snapshot. */
static uint32_t owner_node(struct builder *b, const struct owner *o)
{
        struct process *p;
        uint32_t place;

        if (o->tid > 0)
                return lookup_thread(b->lookup, o->tid, &place) ? place : NODE_NONE;
        p = o->pid > 0 ? lookup_process(b->lookup, o->pid, &place) : NULL;
        if (!p)
                return NODE_NONE;
        if (b->process_nodes[place] == NODE_NONE)
                b->process_nodes[place] = process_node(b, p);
        return b->process_nodes[place];
}

static void thread_edges(struct builder *b, uint32_t at)
{
        struct node *n = &b->g->nodes[at];
        const struct wait *w = &n->thread->wait;

        n->first = b->g->n_edges;
        /* A guess leads nowhere. */
        if (w->confidence == CONFIDENCE_GUESS)
                return;
        n->any = w->on_any;
        n->whole = w->on_whole;
        n->held = wait_is_held(n->thread);
        for (size_t i = 0; i < w->n_on; i++) {
                uint32_t to = owner_node(b, &w->on[i]);

                if (to == NODE_NONE)
                        n->cut = true;
                else
                        edge_add(b->g, n, to, w->on[i].role);
        }
        /* One that is out of sight could act, where any will do. */
        if (n->cut && n->any)
                n->held = false;
}

static void process_edges(struct builder *b, uint32_t at)
{
        struct node *n = &b->g->nodes[at];
        uint32_t place;

        n->first = b->g->n_edges;
        for_each_thread(t, n->process)
                if (!thread_is_dead(t) && lookup_thread(b->lookup, t->tid, &place))
                        edge_add(b->g, n, place, ROLE_THREAD);
        n->held = n->whole && n->n > 0;
}

/* Edges turned round, by counting. */
static int back_build(struct graph *g)
{
        g->back = calloc((size_t)g->n_edges + 1, sizeof(*g->back));
        g->back_first = calloc((size_t)g->n_nodes + 2, sizeof(*g->back_first));
        if (!g->back || !g->back_first)
                return -ENOMEM;
        for (uint32_t i = 0; i < g->n_edges; i++)
                g->back_first[g->edges[i].to + 2]++;
        for (uint32_t n = 2; n < g->n_nodes + 2; n++)
                g->back_first[n] += g->back_first[n - 1];
        for (uint32_t n = 0; n < g->n_nodes; n++)
                for_each_edge(e, g, n) g->back[g->back_first[e->to + 1]++] = n;
        return 0;
}

static int graph_alloc(struct builder *b, const struct snapshot *s)
{
        uint32_t n_threads = lookup_n_threads(b->lookup);
        uint32_t n_processes = lookup_n_processes(b->lookup);
        size_t n_edges = 1;

        for_each_process(p, s)
                for_each_thread(t, p)
                        n_edges += t->wait.n_on + 1;
        if (n_edges > UINT32_MAX / 2 || n_threads > UINT32_MAX / 4)
                return -ENOMEM;
        b->g->n_threads = b->g->n_nodes = n_threads;
        b->g->nodes = calloc((size_t)n_threads + n_processes + 1, sizeof(*b->g->nodes));
        b->g->edges = calloc(n_edges, sizeof(*b->g->edges));
        b->process_nodes = malloc(((size_t)n_processes + 1) * sizeof(*b->process_nodes));
        if (!b->g->nodes || !b->g->edges || !b->process_nodes)
                return -ENOMEM;
        memset(b->process_nodes, 0xff, ((size_t)n_processes + 1) * sizeof(*b->process_nodes));
        for (uint32_t i = 0; i < n_threads; i++) {
                struct thread *t = lookup_thread_at(b->lookup, i);

                b->g->nodes[i] = (struct node){ .thread = t, .process = t->process };
        }
        return 0;
}

int graph_new(const struct snapshot *s, struct graph **ret_graph)
{
        struct builder b = { .g = calloc(1, sizeof(*b.g)) };
        int r = b.g ? lookup_new(s, &b.lookup) : -ENOMEM;

        if (r == 0)
                r = graph_alloc(&b, s);
        for (uint32_t i = 0; r == 0 && i < b.g->n_threads; i++)
                thread_edges(&b, i);
        for (uint32_t i = r == 0 ? b.g->n_threads : UINT32_MAX; r == 0 && i < b.g->n_nodes; i++)
                process_edges(&b, i);
        if (r == 0)
                r = back_build(b.g);
        lookup_free(b.lookup);
        free(b.process_nodes);
        if (r < 0) {
                graph_free(b.g);
                return r;
        }
        *ret_graph = b.g;
        return 0;
}

void graph_free(struct graph *g)
{
        if (!g)
                return;
        free(g->nodes);
        free(g->edges);
        free(g->back);
        free(g->back_first);
        free(g);
}
