/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The distinct kernel stacks of a snapshot: ten thousand threads wait in a few places. */
#pragma once

#include <stddef.h>

struct arena;
struct stack;
struct stackset;

int stackset_new(struct arena *a, struct stackset **ret_set);
void stackset_free(struct stackset *set);

/* The stack with exactly this text, parsed once. NULL: no memory. */
const struct stack *stackset_add(struct stackset *set, const char *text, size_t len);
