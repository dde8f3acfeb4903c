/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resolver: from a captured thread to what its system call works on. It is called by the
 * source for each process and thread while they are held still (capture/source.h, struct
 * within), and once at the end for what is asked for all at once.
 */
#pragma once

#include "capture/source.h"
#include "model.h"

struct procio;
struct resolver;
struct socket_query;

/* queries: head of the list of sockets still to be asked for, in the arena. -ENOMEM. */
int resolver_new(struct procio *io, struct snapshot *s, struct socket_query **queries,
        struct resolver **ret_resolver);
void resolver_free(struct resolver *r);

/* What the source calls. Valid as long as the resolver. */
struct within resolver_within(struct resolver *r);

/* After all threads: the sockets. */
void resolver_finish(struct resolver *r);

/* For call.c: the object of an fd of the thread in hand. NULL: no such fd, or refused. */
struct object *resolver_fd(struct resolver *r, int fd);
/* Its files. */
struct procio *resolver_io(struct resolver *r);
struct snapshot *resolver_snapshot(struct resolver *r);
