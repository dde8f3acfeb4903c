/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoll sets and their members, from fdinfo. A member is named by the number that its fd had
 * when it was added; by now that number may be another file. The line tells the inode, which
 * is compared where the kernel has it (4.13) and the object too.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "model.h"
#include "resolve/kinds.h"

static bool epoll_match(const struct fd_view *v)
{
        return strcmp(v->link, "anon_inode:[eventpoll]") == 0;
}

/* "tfd:        5 events:       19 data:                5  pos:0 ino:3fe sdev:8" */
static bool member_parse(const char *line, int *ret_fd, uint32_t *ret_events, uint64_t *ret_inode)
{
        const char *ino;
        unsigned events;
        unsigned long long inode = 0;
        int fd;

        if (sscanf(line, "tfd: %d events: %x", &fd, &events) != 2)
                return false;
        ino = strstr(line, " ino:");
        if (ino && ino < line + strcspn(line, "\n"))
                sscanf(ino, " ino:%llx", &inode);
        *ret_fd = fd;
        *ret_events = events;
        *ret_inode = inode;
        return true;
}

/* Is the file that has the number now the one that was added? */
static bool member_is(const struct object *o, uint64_t inode)
{
        uint64_t now = o->file_inode ? o->file_inode : o->inode;

        return !inode || !now || inode == now;
}

static void epoll_parse(const struct fd_view *v, struct object *o)
{
        struct member members[MEMBERS_MAX];
        size_t n = 0;

        for (const char *line = v->info; line; line = strchr(line, '\n')) {
                struct object *member;
                uint32_t events;
                uint64_t inode;
                int fd;

                line += *line == '\n';
                if (!member_parse(line, &fd, &events, &inode))
                        continue;
                if (n == MEMBERS_MAX) {
                        o->n_members_hidden++;
                        continue;
                }
                member = v->resolve(v->arg, fd);
                if (!member || !member_is(member, inode)) {
                        member = arena_new_one(v->arena, struct object);
                        if (!member)
                                return;
                        member->fd = fd;
                }
                members[n++] = (struct member){ member, events };
        }
        o->members = arena_dup(v->arena, members, n * sizeof(*members));
        o->n_members = o->members ? n : 0;
}

const struct fd_kind fd_kind_epoll = { "epoll", epoll_match, epoll_parse };
