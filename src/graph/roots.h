/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ends of the wait chains: thread.root, thread.toward, thread.n_behind.
 *
 * A chain is followed while it is known where it leads: from a waiter to its only owner, or to
 * all of them where they lead to the same end. Where they lead to several, or an owner is out of
 * sight that could act instead, the chain branches, and that waiter is its end. A chain that leads
 * out of what was captured has no end: root is NULL.
 */
#pragma once

#include <stdbool.h>

struct graph;
struct snapshot;

/* Before there is a graph: each thread that waits for nobody is the end of its own chain. */
void roots_begin(struct snapshot *s);

/* Of the threads that are not stuck (NULL: none is). -ENOMEM. */
int roots_set(const struct graph *g, const bool *stuck);
