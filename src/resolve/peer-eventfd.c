/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eventfds: whoever has the same one open can write to it, or read it. fdinfo tells which one it
 * is ("eventfd-id: 7", fs/eventfd.c, since 5.2). The kernel may signal it as well (KVM, AIO,
 * io_uring, cgroups), of which nothing is told: they are never all.
 */
#include "resolve/peers.h"

#include <stdlib.h>

#include "resolve/fdscan.h"
#include "resolve/kinds.h"

#define EVENTFDS_MAX 32768

struct eventfd {
        uint64_t id;
        pid_t pid;
};

struct eventfds {
        struct eventfd *all; /* sorted by id */
        size_t n;
};

static int eventfd_compare(const void *a, const void *b)
{
        const struct eventfd *x = a, *y = b;

        if (x->id != y->id)
                return x->id < y->id ? -1 : 1;
        return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void eventfds_fill(struct peers *p)
{
        size_t n;
        const struct fd_entry *entries = fdscan_class(p->scan, FD_EVENTFD, &n);
        struct eventfds *all = calloc(1, sizeof(*all));

        if (n > EVENTFDS_MAX)
                n = EVENTFDS_MAX;
        p->eventfds = all;
        if (!all)
                return;
        all->all = calloc(n ? n : 1, sizeof(*all->all));
        for (size_t i = 0; all->all && i < n; i++) {
                uint64_t id;

                if (fdinfo_number(peer_fdinfo(p, &entries[i]), "eventfd-id", 10, &id))
                        all->all[all->n++] = (struct eventfd){ id, entries[i].pid };
        }
        if (all->all && all->n)
                qsort(all->all, all->n, sizeof(*all->all), eventfd_compare);
}

void peer_eventfd_done(struct peers *p)
{
        if (p->eventfds)
                free(p->eventfds->all);
        free(p->eventfds);
        p->eventfds = NULL;
}

void peer_eventfd(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e)
{
        const struct fd_entry self = { .pid = t->process->pid, .tid = t->tid, .fd = o->fd };
        uint64_t id;

        (void)direction;
        e->whole = false;
        if (!fdinfo_number(peer_fdinfo(p, &self), "eventfd-id", 10, &id))
                return;
        if (!p->eventfds)
                eventfds_fill(p);
        for (size_t i = 0; p->eventfds && i < p->eventfds->n; i++)
                if (p->eventfds->all[i].id == id)
                        ends_add(p, e, p->eventfds->all[i].pid, ROLE_PEER);
}
