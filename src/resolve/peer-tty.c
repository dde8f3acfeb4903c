/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pseudo-terminals: who is at the slave waits for whoever has the master, and the other way round.
 *
 * Of a master, fdinfo tells the number ("tty-index:\t3", drivers/tty/pty.c, since 4.14). Numbers
 * are those of one devpts, and a container has its own: where several masters have the number,
 * those on the same device count, as mountinfo tells it.
 */
#include "resolve/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/procio.h"
#include "resolve/fdscan.h"
#include "resolve/kinds.h"
#include "resolve/mounts.h"
#include "resolve/resolver.h"

#define MASTERS_MAX 4096

struct master {
        const struct fd_entry *entry;
        uint64_t index;
};

struct devpts {
        struct master *all;
        size_t n;
        bool cut;
        bool tty_open; /* somebody has /dev/tty open, which may be any slave */
};

static void devpts_fill(struct peers *p)
{
        size_t n, n_paths;
        const struct fd_entry *entries = fdscan_class(p->scan, FD_PTMX, &n);
        const struct fd_entry *paths = fdscan_class(p->scan, FD_PATH, &n_paths);
        struct devpts *d = calloc(1, sizeof(*d));

        p->devpts = d;
        if (!d)
                return;
        d->all = calloc(n ? n : 1, sizeof(*d->all));
        d->cut = n > MASTERS_MAX || !d->all;
        for (size_t i = 0; d->all && i < n && i < MASTERS_MAX; i++) {
                uint64_t index;

                if (fdinfo_number(peer_fdinfo(p, &entries[i]), "tty-index", 10, &index))
                        d->all[d->n++] = (struct master){ &entries[i], index };
                else
                        d->cut = true;
        }
        for (size_t i = 0; i < n_paths && !d->tty_open; i++)
                d->tty_open = paths[i].name == fdscan_name("/dev/tty");
}

void peer_tty_done(struct peers *p)
{
        if (p->devpts)
                free(p->devpts->all);
        free(p->devpts);
        p->devpts = NULL;
}

/* The devpts that an fd of a terminal belongs to, as a device number; 0: not known. */
static uint64_t devpts_of(struct peers *p, const struct fd_entry *entry)
{
        struct procio *io = resolver_io(p->resolver);
        const struct mount *m = NULL;
        struct mounts *mounts;
        uint64_t id, device = 0;
        const char *text;
        char path[32];
        ssize_t n;

        if (!fdinfo_number(peer_fdinfo(p, entry), "mnt_id", 10, &id) || id > INT32_MAX)
                return 0;
        snprintf(path, sizeof(path), "%d/mountinfo", (int)entry->pid);
        n = procio_read(io, procio_root(io), path, entry->pid, HANG_FILE, &text);
        if (n <= 0 || mounts_parse(text, (size_t)n, n >= PROCIO_TEXT_MAX, &mounts) < 0)
                return 0;
        m = mounts_find(mounts, (int)id);
        /* "/dev/ptmx" may be a node of its own, which stands for the devpts beside it. */
        if (m && strcmp(m->type, "devpts") != 0)
                m = mounts_of_path(mounts, "/dev/pts/0");
        if (m && strcmp(m->type, "devpts") == 0)
                device = (uint64_t)m->device_major << 32 | m->device_minor;
        mounts_free(mounts);
        return device;
}

/* Is that number one terminal's only, as far as all masters are known? */
static bool index_alone(const struct peers *p, uint64_t index)
{
        pid_t pid = 0;

        if (!fdscan_whole(p->scan) || p->devpts->cut)
                return false;
        for (size_t i = 0; i < p->devpts->n; i++) {
                const struct master *m = &p->devpts->all[i];

                if (m->index != index)
                        continue;
                if (pid && m->entry->pid != pid)
                        return false;
                pid = m->entry->pid;
        }
        return true;
}

static void masters_add(
        struct peers *p, const struct fd_entry *self, uint64_t index, struct ends *e)
{
        bool alone = index_alone(p, index);
        uint64_t device = alone ? 0 : devpts_of(p, self);

        e->whole &= !p->devpts->cut;
        for (size_t i = 0; i < p->devpts->n; i++) {
                const struct master *m = &p->devpts->all[i];
                uint64_t other;

                if (m->index != index)
                        continue;
                other = alone ? 0 : devpts_of(p, m->entry);
                if (alone || (device && other == device))
                        ends_add(p, e, m->entry->pid, ROLE_PEER);
                else if (!device || !other)
                        e->whole = false;
        }
}

static void slaves_add(struct peers *p, const struct fd_entry *self, uint64_t index, struct ends *e)
{
        bool alone = index_alone(p, index);
        uint64_t device = alone ? 0 : devpts_of(p, self);
        size_t n;
        const struct fd_entry *entries = fdscan_find(p->scan, FD_PTS, index, &n);

        e->whole &= !p->devpts->tty_open;
        for (size_t i = 0; i < n; i++) {
                uint64_t other = alone ? 0 : devpts_of(p, &entries[i]);

                if (alone || (device && other == device))
                        ends_add(p, e, entries[i].pid, ROLE_PEER);
                else if (!device || !other)
                        e->whole = false;
        }
}

void peer_tty(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e)
{
        const struct fd_entry self = { .pid = t->process->pid, .tid = t->tid, .fd = o->fd };
        struct fd_entry what;
        uint64_t index;

        (void)direction;
        if (o->fd < 0 || !o->link || !fdscan_link(o->link, &what))
                return;
        if (!p->devpts)
                devpts_fill(p);
        if (!p->devpts)
                return;
        if (what.class == FD_PTS)
                masters_add(p, &self, what.number, e);
        else if (what.class == FD_PTMX &&
                 fdinfo_number(peer_fdinfo(p, &self), "tty-index", 10, &index))
                slaves_add(p, &self, index, e);
}
