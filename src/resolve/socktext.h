/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets from the text tables /proc/PID/net, which anybody may read for any network
 * namespace, and which can be recorded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "resolve/socketset.h"

struct procio;

/* One table; text is len bytes. cut: it ends before the table does. A unix socket that is
 * claimed more than once, or is in a cut table, is left as it is (see unix_parse()). */
void socktext_parse(
        struct socket_set *set, enum socket_table table, const char *text, size_t len, bool cut);

struct socktext_result {
        unsigned read; /* tables that were read whole, or that the kernel does not have */
        unsigned cut;  /* tables that were longer than procio reads */
};

/*
 * Read those of the tables that could still answer something, as one of the set's processes
 * sees them, until deadline_ns (CLOCK_MONOTONIC).
 */
void socktext_run(struct procio *io, struct socket_set *set, unsigned tables, int64_t deadline_ns,
        struct socktext_result *ret);
