/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners that a snapshot lacks, to whom its wait chains lead. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

#define CONTEXT_OWNERS_MAX 256

struct context {                                /* what was asked for so far */
        struct owner tried[CONTEXT_OWNERS_MAX]; /* not again: they have ended, or may not be seen */
        size_t n_tried;
        bool bound; /* there were more */
};

/*
 * Owners of the threads of that process, and those that follow it in the snapshot, that are to be
 * captured too: those from *ret_first on in c->tried, *ret_n of them. -ENOMEM.
 */
int context_missing(struct context *c, const struct snapshot *s, const struct process *from,
        size_t *ret_first, size_t *ret_n);

/* Does anybody in there wait for somebody? */
bool context_has_owners(const struct snapshot *s);
