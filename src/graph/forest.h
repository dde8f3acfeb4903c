/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wait chains of a snapshot as trees: at the root who makes others wait, above it who waits
 * for whom. Waiters for whom nobody waits, and who look alike, are one branch. A deadlock is a
 * tree whose trunk goes round.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

struct branch {
        const struct thread **threads; /* look-alikes; one, where others wait for it */
        size_t n;
        bool bears; /* others wait for it */
};

struct forest {
        const struct thread **threads; /* those that wait, or are waited for */
        size_t n_threads;
        struct branch *branches; /* all, in order of whom they wait for */
        size_t n_branches;
        const struct thread **roots; /* with waiters: the most first */
        size_t n_roots;
};

/* Of matched threads and whom their chains lead to. Heap; free with forest_done(). -ENOMEM. */
int forest_init(struct forest *f, const struct snapshot *s);
void forest_done(struct forest *f);

/* Who waits for that thread: *ret_n branches, those that bear others first. */
const struct branch *forest_above(const struct forest *f, const struct thread *t, size_t *ret_n);
