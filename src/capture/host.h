/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of the machine as a whole. */
#pragma once

#include <stdbool.h>

struct procio;
struct snapshot;

/* Its names; raw: without what the raw form does not need. */
void host_read(struct procio *io, struct snapshot *s, bool raw);

/* The clocks, now or as a recorded tree has them. */
void host_clocks(struct procio *io, struct snapshot *s);
