/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which threads have run since their slots were written (bpf/walk.bpf.c): for taskiter.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "capture/bpf/wire.h"

struct taskwalk;

/* n_slots: a power of two. -errno: not on this kernel. */
int taskwalk_new(size_t n_slots, struct taskwalk **ret_walk);
void taskwalk_free(struct taskwalk *w);

/* Its own slots, which are the ones to be written from now on. */
struct wire_slot *taskwalk_slots(struct taskwalk *w);

/* What a child needs to go on with it. */
int taskwalk_fd(const struct taskwalk *w);

/*
 * Go through all threads of the first PID namespace. *ret_tids are those to be read, for as long as
 * w is not used again; the others, *ret_same, have slots of this pass. -E2BIG: too many.
 */
int taskwalk_run(struct taskwalk *w, uint32_t pass, size_t *ret_same, const int32_t **ret_tids,
        size_t *ret_n);
