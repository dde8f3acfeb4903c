/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cycles of the wait graph, and which of them nothing gets out of. All of it in time linear in
 * nodes and edges, without recursion: a machine has a hundred thousand threads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct graph;

/*
 * Strongly connected components of the nodes with in[n]: component[n], counted in an order in
 * which a component comes after those that its edges lead to; NODE_NONE for other nodes.
 * -ENOMEM.
 */
int cycle_components(
        const struct graph *g, const bool *in, uint32_t *component, uint32_t *ret_n_components);

/*
 * The nodes that can never go on, if the graph is true: the largest set in which each node waits
 * for its edges alone, and all of them (OR) or one of them (AND) lead into the set. A ring of
 * ANDs is the simplest, a knot of ORs the other one; what waits behind these belongs to it too.
 * Fills stuck[n]. Returns how many, or -ENOMEM.
 */
int64_t cycle_stuck(const struct graph *g, bool *stuck);

/*
 * Add what waits behind the stuck ones, though it may give up: it has a timeout, or a signal may
 * end its wait. Until then whoever it waits for is stuck. Returns how many were added; -ENOMEM.
 */
int64_t cycle_behind(const struct graph *g, bool *stuck);

/*
 * Of the stuck ones those that hold each other up: component[n] tells which of them belong
 * together, NODE_NONE that a node only waits behind them. -ENOMEM.
 */
int cycle_members(
        const struct graph *g, const bool *stuck, uint32_t *component, uint32_t *ret_n_components);
