/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners, to which wait chains lead, as targets to capture. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct arena;
struct owner;
struct procio;
struct selection;

#define FOLLOW_THREADS_MAX 512 /* of a process that a chain leads to */

/*
 * Owners with a TID become that thread, others their whole process, if it has not more threads
 * than the bound (0: none). What has ended is left out, and so are pwhy's own processes, self (0:
 * none): who waits for these waits for the answer. *ret_too_large: processes left out for their
 * size. -ENOMEM.
 */
int follow_targets(struct procio *io, struct arena *a, const struct owner *owners, size_t n,
        size_t threads_max, const pid_t self[2], struct selection *ret, size_t *ret_too_large);
