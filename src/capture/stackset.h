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

/* Where the text is from is found sooner than the text: a few of these are remembered. NULL: not.
 */
void stackset_remember(struct stackset *set, const void *from, const struct stack *stack);
const struct stack *stackset_recall(const struct stackset *set, const void *from);
/* What lies where they were may be something else by now. */
void stackset_forget(struct stackset *set);
