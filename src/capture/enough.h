/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Do files tell of some threads all that there is to tell, so that no program has to be loaded? */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct procio;
struct target;

/* From more threads than that on, loading one pays anyway. */
#define ENOUGH_THREADS_MAX 64U

/*
 * True: each of them sleeps where a signal may wake it, in a wait that is no lock of the kernel's;
 * or is stopped, or has ended. For these /proc tells the same, but for registers of user space.
 */
bool files_are_enough(struct procio *io, const struct target *targets, size_t n);
