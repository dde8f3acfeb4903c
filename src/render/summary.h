/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine at a glance: how many threads wait for what, and everything in the order of how long.
 * Processes of the same name whose only thread waits in the same place become one block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "graph/fold.h"

struct page;
struct process;
struct snapshot;

struct block {
        const struct process *process; /* the first, of several */
        struct group group;            /* one thread of each; n_threads 1: a process alone */
};

struct summary {
        struct block *blocks; /* the longest wait first */
        size_t n_blocks;
        const struct thread **threads; /* of all groups */
};

/* Worth it: all processes were asked for, and they do not fit on a screen anyway. */
bool summary_is_due(const struct snapshot *s);

int summary_init(struct summary *sum, const struct snapshot *s); /* -ENOMEM */
void summary_done(struct summary *sum);

/* The head: counts by reason, the most first, each with its longest wait. */
void summary_write(struct page *p, const struct snapshot *s);
