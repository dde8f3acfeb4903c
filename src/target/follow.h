/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners, to which wait chains lead, as targets to capture. */
#pragma once

#include <stddef.h>

struct arena;
struct owner;
struct procio;
struct selection;

#define FOLLOW_THREADS_MAX 512 /* of a process that a chain leads to */

/*
 * Owners with a TID become that thread, others their whole process, if it has not more threads
 * than the bound (0: none). What has ended is left out. *ret_too_large: processes left out for
 * their size. -ENOMEM.
 */
int follow_targets(struct procio *io, struct arena *a, const struct owner *owners, size_t n,
        size_t threads_max, struct selection *ret, size_t *ret_too_large);
