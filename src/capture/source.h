/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capture sources: whatever can fill the model with threads. A new source is one file with
 * one struct source_ops, and one line in sources[] (pipeline.c).
 *
 * A source runs in a worker that may be killed and started again (base/worker.h), so it keeps
 * its position in *next, and links a process into the snapshot only when it is whole.
 */
#pragma once

#include <stddef.h>

#include "model.h"
#include "target/select.h"

struct procio;
struct pwhy_query;
struct session;
struct source;
struct watch;

/*
 * What must happen while a thread is held still, between the two readings of its switch
 * count: the resolver's reads of its memory and fds. dir is the process's directory fd. stacks
 * copies the first bytes of user stacks, of one thread, or better of many of one
 * process at once; it may be NULL.
 */
struct within {
        void *arg;
        void (*process)(void *arg, struct process *p, int dir);
        void (*thread)(void *arg, struct thread *t, int dir);
        void (*stacks)(void *arg, struct thread *const *threads, size_t n);
};

struct source_ops {
        const char *name; /* "proc" */

        /* 0, or a negative errno where this source cannot work on this machine. */
        int (*open)(struct procio *io, struct watch *watch, struct snapshot *s,
                const struct pwhy_query *query, struct session *session,
                struct source **ret_source);

        /* Targets from *next on; *next
         * grows as processes are added to the snapshot. within is NULL for a raw query. 0 or
         * -ENOMEM; everything else is a gap. */
        int (*capture)(struct source *source, const struct selection *selection, size_t *next,
                const struct within *within);

        void (*close)(struct source *source); /* NULL-safe */
};

extern const struct source_ops source_bpf;
extern const struct source_ops source_proc;
