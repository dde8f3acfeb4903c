/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot to text. Only threads with matched set are shown. Every string of a target is
 * escaped on its way (base/escape.h). Writers return 0 or a negative errno (of the stream).
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct snapshot;

/*
 * For people. columns: width of the terminal, 0: do not wrap. previous: an earlier snapshot
 * of the same query, to mark what changed; NULL: none.
 */
int render_text(FILE *out, const struct snapshot *s, const struct snapshot *previous, bool colour,
        unsigned columns);

/* Trees of who waits for whom; the roots alone, the most waited for first; deadlocks alone. */
int render_graph(FILE *out, const struct snapshot *s, bool colour, unsigned columns);
int render_roots(FILE *out, const struct snapshot *s, bool colour, unsigned columns);
int render_deadlocks(FILE *out, const struct snapshot *s, bool colour, unsigned columns);

/* The graph as Graphviz reads it. */
int render_dot(FILE *out, const struct snapshot *s);

/* The contract's document. */
int render_json(FILE *out, const struct snapshot *s);

/* Kernel stacks exactly as the kernel prints them; a line "==> PID TID COMM <==" before each
 * when there are several. */
int render_raw(FILE *out, const struct snapshot *s);
