/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deadlocks, as the model tells them. */
#pragma once

#include <stdbool.h>

struct graph;
struct snapshot;

/*
 * From the nodes that are stuck (cycle_stuck()) and those that are so or behind them: the
 * snapshot's deadlocks, and deadlocked and toward of the threads. -ENOMEM.
 */
int deadlocks_set(struct snapshot *s, const struct graph *g, const bool *stuck, const bool *behind);
