/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot's lists, and the contract's names for the enums of the model.
 *
 * The process that fills a snapshot may be killed between any two instructions, and its
 * parent goes on with what is there. So a link is stored last, after all it leads to, and a
 * tail pointer is only a hint: whoever appends walks on from it to the real end.
 */
#include "model.h"

#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"

static const char *const reason_names[REASON_MAX] = {
        [REASON_UNKNOWN] = "unknown",
        [REASON_RUNNING] = "running",
        [REASON_RUNNABLE] = "runnable",
        [REASON_THROTTLED] = "throttled",
        [REASON_STOPPED] = "stopped",
        [REASON_TRACED] = "traced",
        [REASON_FROZEN] = "frozen",
        [REASON_ZOMBIE] = "zombie",
        [REASON_SLEEP] = "sleep",
        [REASON_SIGNAL] = "signal",
        [REASON_ACCEPT] = "accept",
        [REASON_CONNECT] = "connect",
        [REASON_RECEIVE] = "receive",
        [REASON_SEND] = "send",
        [REASON_OPEN] = "open",
        [REASON_READ] = "read",
        [REASON_WRITE] = "write",
        [REASON_POLL] = "poll",
        [REASON_DISK] = "disk",
        [REASON_REMOTE_FS] = "remote-fs",
        [REASON_LOCK] = "lock",
        [REASON_CONDITION] = "condition",
        [REASON_SEMAPHORE] = "semaphore",
        [REASON_BARRIER] = "barrier",
        [REASON_JOIN] = "join",
        [REASON_FUTEX] = "futex",
        [REASON_CHILD] = "child",
        [REASON_REPLY] = "reply",
        [REASON_MEMORY] = "memory",
        [REASON_KERNEL] = "kernel",
        [REASON_IDLE] = "idle",
};

static const char *const confidence_names[] = {
        [CONFIDENCE_GUESS] = "guess",
        [CONFIDENCE_LIKELY] = "likely",
        [CONFIDENCE_CERTAIN] = "certain",
};

static const char *const role_names[] = {
        [ROLE_HOLDER] = "holder",
        [ROLE_PEER] = "peer",
        [ROLE_CHILD] = "child",
        [ROLE_THREAD] = "thread",
        [ROLE_TRACER] = "tracer",
        [ROLE_SERVER] = "server",
        [ROLE_PARENT] = "parent",
};

void snapshot_init(struct snapshot *s, struct arena *arena)
{
        *s = (struct snapshot){ .arena = arena };
        s->processes_tail = &s->processes;
        s->gaps_tail = &s->gaps;
}

/* Append node to the list that begins at head; *tail is at or before its last link. */
#define LIST_APPEND(head, tail, node)                                                              \
        do {                                                                                       \
                (node)->next = NULL;                                                               \
                if (!(tail))                                                                       \
                        (tail) = &(head);                                                          \
                while (*(tail))                                                                    \
                        (tail) = &(*(tail))->next;                                                 \
                __atomic_store_n((tail), (node), __ATOMIC_RELEASE);                                \
                (tail) = &(node)->next;                                                            \
        } while (0)

void snapshot_add_process(struct snapshot *s, struct process *p)
{
        LIST_APPEND(s->processes, s->processes_tail, p);
        s->n_processes++;
}

void process_add_thread(struct snapshot *s, struct process *p, struct thread *t)
{
        t->process = p;
        LIST_APPEND(p->threads, p->threads_tail, t);
        p->n_threads++;
        s->n_threads++;
}

static struct gap *gap_find(const struct snapshot *s, const char *what, const char *why)
{
        for (struct gap *g = s->gaps; g; g = g->next)
                if (strcmp(g->what, what) == 0 && strcmp(g->why, why) == 0)
                        return g;
        return NULL;
}

void snapshot_gap(
        struct snapshot *s, const char *what, const char *why, const char *remedy, bool hides)
{
        struct gap *g;

        /* Of whom nobody asked for, it only matters how far a chain can be followed. */
        if (s->context) {
                if (!hides)
                        return;
                what = "wait chains";
                hides = false;
        }
        g = gap_find(s, what, why);
        if (g) {
                g->count++;
                g->hides |= hides;
                return;
        }

        /* Without memory the arena's sticky failure tells it. */
        g = arena_new_one(s->arena, struct gap);
        char *what_copy = arena_str(s->arena, what);
        char *why_copy = arena_str(s->arena, why);
        char *remedy_copy = arena_str(s->arena, remedy);
        if (arena_failed(s->arena))
                return;
        *g = (struct gap){
                .what = what_copy,
                .why = why_copy,
                .remedy = remedy_copy,
                .count = 1,
                .hides = hides,
        };
        LIST_APPEND(s->gaps, s->gaps_tail, g);
}

const char *reason_name(enum reason reason)
{
        return (size_t)reason < REASON_MAX ? reason_names[reason] : reason_names[REASON_UNKNOWN];
}

bool reason_from_name(const char *name, enum reason *ret_reason)
{
        for (size_t i = 0; i < REASON_MAX; i++) {
                if (strcmp(reason_names[i], name) == 0) {
                        *ret_reason = (enum reason)i;
                        return true;
                }
        }
        return false;
}

const char *confidence_name(enum confidence confidence)
{
        return (size_t)confidence < ARRAY_SIZE(confidence_names)
                       ? confidence_names[confidence]
                       : confidence_names[CONFIDENCE_GUESS];
}

const char *role_name(enum role role)
{
        return (size_t)role < ARRAY_SIZE(role_names) ? role_names[role] : role_names[ROLE_HOLDER];
}
