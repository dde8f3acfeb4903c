/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has a path and is nothing more special: files, directories, devices. */
#include <sys/stat.h>

#include "base/arena.h"
#include "model.h"
#include "resolve/kinds.h"

static bool file_match(const struct fd_view *v)
{
        return v->mode == S_IFREG;
}

static bool directory_match(const struct fd_view *v)
{
        return v->mode == S_IFDIR;
}

static bool block_match(const struct fd_view *v)
{
        return v->mode == S_IFBLK;
}

static bool chardev_match(const struct fd_view *v)
{
        return v->mode == S_IFCHR;
}

static void path_parse(const struct fd_view *v, struct object *o)
{
        o->path = arena_str(v->arena, v->link);
        o->inode = o->file_inode;
}

const struct fd_kind fd_kind_file = { "file", file_match, path_parse };
const struct fd_kind fd_kind_directory = { "directory", directory_match, path_parse };
const struct fd_kind fd_kind_block = { "block", block_match, path_parse };
const struct fd_kind fd_kind_chardev = { "chardev", chardev_match, path_parse };
