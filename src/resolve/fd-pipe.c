/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pipes "pipe:[12345]", and FIFOs, which are pipes with a path. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "model.h"
#include "resolve/kinds.h"

static bool pipe_match(const struct fd_view *v)
{
        return strncmp(v->link, "pipe:[", 6) == 0;
}

static void pipe_parse(const struct fd_view *v, struct object *o)
{
        unsigned long long inode;

        if (sscanf(v->link, "pipe:[%llu]", &inode) == 1)
                o->inode = inode;
}

static bool fifo_match(const struct fd_view *v)
{
        return v->mode == S_IFIFO;
}

static void fifo_parse(const struct fd_view *v, struct object *o)
{
        o->path = arena_str(v->arena, v->link);
        o->inode = o->file_inode;
}

const struct fd_kind fd_kind_pipe = { "pipe", pipe_match, pipe_parse };
const struct fd_kind fd_kind_fifo = { "fifo", fifo_match, fifo_parse };
