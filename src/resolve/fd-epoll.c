/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoll sets and their members, from fdinfo. A member is named by the number that its fd had
 * when it was added; by now that number may be another file, and then nothing is said of it.
 */
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/*
 * Is the file that has the number now the one that was added? The kernel compares the two
 * (kcmp(2), since 4.13) where it is built so and we may ask. Otherwise by inode, which all
 * anonymous files share: of these it is not known.
 */
static bool member_is(const struct fd_view *v, const struct object *o, int fd, uint64_t inode)
{
        struct kcmp_epoll_slot slot = { .efd = (uint32_t)v->ref.fd, .tfd = (uint32_t)fd };
        uint64_t now = o->file_inode ? o->file_inode : o->inode;
        long r = -1;

        if (procio_live(v->io)) {
                r = syscall(SYS_kcmp, v->ref.tid, v->ref.tid, KCMP_EPOLL_TFD, fd, &slot);
                if (r >= 0)
                        return r == 0;
                if (o->link && strncmp(o->link, "anon_inode:", 11) == 0)
                        return false;
        }
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
                if (!member || !member_is(v, member, fd, inode)) {
                        member = arena_new_one(v->arena, struct object);
                        if (!member)
                                return;
                        member->fd = fd;
                }
                members[n++] = (struct member){ member, events };
        }
        /* A text cut at the bound has more members than were counted. */
        o->partial = v->info && strlen(v->info) >= PROCIO_TEXT_MAX;
        o->members = arena_dup(v->arena, members, n * sizeof(*members));
        o->n_members = o->members ? n : 0;
}

const struct fd_kind fd_kind_epoll = { "epoll", epoll_match, epoll_parse };
