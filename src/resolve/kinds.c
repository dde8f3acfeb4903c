/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry of fd kinds, asked from the top. */
#include "resolve/kinds.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model.h"

static const struct fd_kind *const fd_kinds[] = {
        &fd_kind_socket,
        &fd_kind_pipe,
        &fd_kind_epoll,
        &fd_kind_eventfd,
        &fd_kind_timerfd,
        &fd_kind_uring,
        &fd_kind_pidfd,
        &fd_kind_anon,
        &fd_kind_tty,
        &fd_kind_fifo,
        &fd_kind_directory,
        &fd_kind_block,
        &fd_kind_chardev,
        &fd_kind_file,
};

bool fdinfo_number(const char *info, const char *name, int base, uint64_t *ret_number)
{
        size_t len = strlen(name);

        for (const char *line = info; line; line = strchr(line, '\n')) {
                char *end;
                uint64_t n;

                line += *line == '\n';
                if (strncmp(line, name, len) != 0 || line[len] != ':')
                        continue;
                n = strtoull(line + len + 1, &end, base);
                if (end == line + len + 1)
                        return false;
                *ret_number = n;
                return true;
        }
        return false;
}

void fd_kind_apply(const struct fd_view *v, struct object *o)
{
        uint64_t n;

        fdinfo_number(v->info, "ino", 10, &o->file_inode);              /* since 5.14 */
        if (fdinfo_number(v->info, "mnt_id", 10, &n) && n <= INT_MAX) { /* since 3.15 */
                o->mount_id = (int)n;
                o->has_mount_id = true;
        }
        if (fdinfo_number(v->info, "flags", 8, &n)) {
                o->access = (int)(n & O_ACCMODE);
                o->has_access = true;
        }
        for (size_t i = 0; i < ARRAY_SIZE(fd_kinds); i++) {
                if (!fd_kinds[i]->match(v))
                        continue;
                o->kind = fd_kinds[i]->kind;
                if (fd_kinds[i]->parse)
                        fd_kinds[i]->parse(v, o);
                return;
        }
}
