/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets: "socket:[12345]". Which kind of socket is found out later (sockets.h). */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "model.h"
#include "resolve/kinds.h"

static bool socket_match(const struct fd_view *v)
{
        return strncmp(v->link, "socket:[", 8) == 0;
}

static void socket_parse(const struct fd_view *v, struct object *o)
{
        const char *protocol;
        unsigned long long inode;
        ssize_t n;

        if (sscanf(v->link, "socket:[%llu]", &inode) != 1)
                return;
        o->inode = inode;
        n = procio_fd_protocol(v->io, &v->ref, &protocol);
        v->ask_socket(v->arg, inode, n > 0 ? arena_str(v->arena, protocol) : NULL, o);
}

const struct fd_kind fd_kind_socket = { "socket", socket_match, socket_parse };
