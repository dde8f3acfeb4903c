/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wait chains, from verdicts to roots and deadlocks. What graph needs to see besides the snapshot,
 * it asks of its caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner;
struct proof;
struct snapshot;

struct looker {
        void *arg;
        /*
         * Capture and explain these, and add them to s; then fill proof, if not NULL. 0, or a
         * negative errno: -ENOMEM is a stop, others mean that the rest is missing.
         */
        int (*look)(void *arg, struct snapshot *s, const struct owner *owners, size_t n,
                struct proof *proof);
        int64_t patience_ns; /* for all that does not answer */
};

/*
 * Add to an explained snapshot the owners that it lacks, theirs, and so on, as context. Of a
 * snapshot in which nobody is known to wait for anybody this costs one pass. -ENOMEM.
 */
int chain_follow(struct snapshot *s, const struct looker *l);

/*
 * Set the roots; look for deadlocks and prove them, unless l is NULL: what cannot be looked at a
 * second time cannot be proven. Wants thread.matched. -ENOMEM.
 */
int chain_finish(struct snapshot *s, const struct looker *l);
