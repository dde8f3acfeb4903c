/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hash tables. The same process may be in a snapshot twice: one of its threads was asked
 * for, and a chain led to the process as a whole later.
 */
#include "graph/lookup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/large.h"
#include "model.h"

/* A failed insertion must reach the caller, not end the program. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->dropped = true)
#include <uthash.h>

struct entry {
        pid_t number;
        uint32_t place;
        struct thread *thread;
        struct process *process;
        bool ambiguous; /* several of one snapshot, as a log has after a reboot */
        bool dropped;
        UT_hash_handle hh;
};

struct lookup {
        struct entry *threads, *processes; /* the tables */
        struct entry *entries;             /* their memory: threads, in order of place, first */
        size_t size;                       /* bytes of it */
        uint32_t n_threads, n_processes;
};

static struct entry *entry_find(struct entry *table, pid_t number)
{
        struct entry *e = NULL;

        HASH_FIND_INT(table, &number, e);
        return e;
}

/* -ENOMEM */
static int thread_add(struct lookup *l, struct thread *t)
{
        struct entry *e = entry_find(l->threads, t->tid);

        if (e) {
                /* Whatever was captured as context is a second look at the same thread. */
                e->ambiguous |= !t->process->context;
                return 0;
        }
        e = &l->entries[l->n_threads];
        *e = (struct entry){ .number = t->tid, .place = l->n_threads++, .thread = t };
        HASH_ADD_INT(l->threads, number, e);
        return e->dropped ? -ENOMEM : 0;
}

static size_t threads_count(const struct process *p)
{
        size_t n = 0;

        for_each_thread(t, p)
                n++;
        return n;
}

static int process_add(struct lookup *l, struct entry *memory, struct process *p)
{
        struct entry *e = entry_find(l->processes, p->pid);

        if (e) {
                e->ambiguous |= !p->context;
                if (threads_count(p) > threads_count(e->process))
                        e->process = p;
                return 0;
        }
        e = &memory[l->n_processes];
        *e = (struct entry){ .number = p->pid, .place = l->n_processes++, .process = p };
        HASH_ADD_INT(l->processes, number, e);
        return e->dropped ? -ENOMEM : 0;
}

int lookup_new(const struct snapshot *s, struct lookup **ret_lookup)
{
        struct lookup *l = calloc(1, sizeof(*l));
        size_t n_threads = 0, n_processes = 0;
        int r = 0;

        if (!l)
                return -ENOMEM;
        for_each_process(p, s) {
                n_processes++;
                n_threads += threads_count(p);
        }
        l->size = (n_threads + n_processes + 1) * sizeof(*l->entries);
        l->entries = large_new(l->size);
        if (!l->entries || n_threads + n_processes >= UINT32_MAX) {
                lookup_free(l);
                return -ENOMEM;
        }
        for_each_process(p, s) {
                for_each_thread(t, p)
                        if (r == 0 && t->tid > 0)
                                r = thread_add(l, t);
                if (r == 0 && p->pid > 0)
                        r = process_add(l, l->entries + n_threads, p);
        }
        if (r < 0) {
                lookup_free(l);
                return r;
        }
        *ret_lookup = l;
        return 0;
}

void lookup_free(struct lookup *l)
{
        if (!l)
                return;
        HASH_CLEAR(hh, l->threads);
        HASH_CLEAR(hh, l->processes);
        large_free(l->entries, l->size);
        free(l);
}

struct thread *lookup_thread(const struct lookup *l, pid_t tid, uint32_t *ret_place)
{
        const struct entry *e = entry_find(l->threads, tid);

        if (!e || e->ambiguous)
                return NULL;
        *ret_place = e->place;
        return e->thread;
}

struct process *lookup_process(const struct lookup *l, pid_t pid, uint32_t *ret_place)
{
        const struct entry *e = entry_find(l->processes, pid);

        if (!e || e->ambiguous)
                return NULL;
        *ret_place = e->place;
        return e->process;
}

uint32_t lookup_n_threads(const struct lookup *l)
{
        return l->n_threads;
}

uint32_t lookup_n_processes(const struct lookup *l)
{
        return l->n_processes;
}

struct thread *lookup_thread_at(const struct lookup *l, uint32_t place)
{
        return place < l->n_threads ? l->entries[place].thread : NULL;
}
