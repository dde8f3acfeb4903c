/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets as people name them (PID, TID, process name, everything) to processes and threads.
 * A name is compared as pidof(1) does: with the comm, the executable's file name, the name in
 * argv[0], and the script that an interpreter runs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct procio;
struct pwhy_query;
struct snapshot;

struct target {
        pid_t pid;
        pid_t tid;           /* 0: every thread */
        uint64_t start_time; /* of the process that had the name; 0: chosen by number */
};

struct selection {              /* lives in the arena */
        struct target *targets; /* in order of PID, TID; without duplicates */
        size_t n_targets;
        struct target *named; /* where all are taken, those that were asked for; NULL: all were */
        size_t n_named;
        const char **unmatched; /* a sentence for each target that matched nothing */
        size_t n_unmatched;
};

/*
 * self[2] are pwhy's own processes, left out of names and --all.
 * Fills ret; -errno when the process list cannot be read, -ENOMEM.
 */
int select_targets(struct procio *io, struct arena *a, const struct pwhy_query *query,
        const pid_t self[2], struct selection *ret);

/* Where all were taken: thread.asked of those that were named. */
void selection_ask(const struct selection *selection, struct snapshot *s);
