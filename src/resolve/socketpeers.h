/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other ends of TCP and UDP sockets, where they are on this host: over loopback, or in another
 * network namespace, as between containers.
 */
#pragma once

#include <stdint.h>

struct namespaces;
struct snapshot;
struct socket_query;

/* Sets peer_inode of the objects of all queries that were answered. */
void socketpeers_resolve(struct namespaces *ns, struct snapshot *s, struct socket_query *queries,
        int64_t deadline_ns);
