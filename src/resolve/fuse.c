/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon has "/dev/fuse" open. Which connection that is, fdinfo tells since Linux 6.16:
 * "fuse_connection:\t39" is the device number of the file system (fs/fuse/dev.c). Before, it can
 * be told only where there is one daemon and one file system.
 *
 * Looked for only if a thread waits.
 */
#include "resolve/fuse.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/fdscan.h"
#include "resolve/fstype.h"
#include "resolve/kinds.h"
#include "resolve/resolver.h"

#define HOLDERS_MAX 256
#define WANTED_MAX 64
#define OWNERS_MAX 4 /* of a connection: forked children may have it too */

struct holder {
        pid_t pid;
        uint64_t connection; /* 0: not told */
};

struct search {
        struct procio *io;
        struct snapshot *snapshot;
        struct holder holders[HOLDERS_MAX];
        uint64_t wanted[WANTED_MAX]; /* connections */
        size_t n_wanted;
        size_t n_holders;
        bool incomplete; /* somebody may have been missed */
        bool blind;      /* there may be processes that are not shown at all */
};

static bool is_awaited(const struct object *o)
{
        /* Of virtiofs the host is the daemon. */
        return o && o->fs && fs_family(o->fs) == FS_FUSE && strcmp(o->fs, "virtiofs") != 0 &&
               !o->n_owners;
}

static void holder_add(struct search *f, const struct fd_entry *e)
{
        struct holder h = { .pid = e->pid };
        const char *text;
        char path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)e->pid, e->fd);
        n = procio_read(f->io, procio_root(f->io), path, e->pid, HANG_NONE, &text);
        if (n > 0)
                fdinfo_number(text, "fuse_connection", 10, &h.connection);
        for (size_t i = 0; i < f->n_holders; i++)
                if (f->holders[i].pid == h.pid && f->holders[i].connection == h.connection)
                        return;
        if (f->n_holders == HOLDERS_MAX)
                f->incomplete = true;
        else
                f->holders[f->n_holders++] = h;
}

/*
 * Does this kernel tell of connections? One that does, and has nobody for this one, says that
 * the daemon is out of sight; and a holder without a number has just not mounted yet.
 */
static bool kernel_tells(const struct search *f)
{
        const char *release = f->snapshot->host.kernel;
        unsigned major, minor;

        for (size_t i = 0; i < f->n_holders; i++)
                if (f->holders[i].connection)
                        return true;
        return !release || sscanf(release, "%u.%u", &major, &minor) != 2 || major > 6 ||
               (major == 6 && minor >= 16);
}

static const char *comm_read(struct search *f, pid_t pid)
{
        const char *text;
        char path[32];
        ssize_t n;

        snprintf(path, sizeof(path), "%d/comm", (int)pid);
        n = procio_read(f->io, procio_root(f->io), path, pid, HANG_NONE, &text);
        if (n <= 0)
                return NULL;
        return arena_strn(f->snapshot->arena, text, (size_t)n - (text[n - 1] == '\n'));
}

static void owners_set(struct search *f, struct object *o)
{
        struct owner owners[OWNERS_MAX];
        bool tells = kernel_tells(f);
        size_t n = 0;

        if (!tells && (f->incomplete || f->n_holders != 1 || !o->fs_alone))
                return;
        for (size_t i = 0; i < f->n_holders && n < OWNERS_MAX; i++) {
                if (tells && (!o->fs_number || f->holders[i].connection != o->fs_number))
                        continue;
                owners[n++] = (struct owner){ .pid = f->holders[i].pid,
                        .comm = comm_read(f, f->holders[i].pid),
                        .role = ROLE_SERVER };
        }
        if (!n)
                return;
        o->owners = arena_dup(f->snapshot->arena, owners, n * sizeof(*owners));
        o->n_owners = o->owners ? n : 0;
        o->on_any = true;
        o->on_whole = o->n_owners && tells && !f->incomplete && !f->blind;
}

static void wanted_add(struct search *f, struct object *o)
{
        for (size_t i = 0; i < f->n_wanted; i++)
                if (f->wanted[i] == o->fs_number)
                        return;
        if (f->n_wanted < WANTED_MAX)
                f->wanted[f->n_wanted++] = o->fs_number;
}

static void objects_visit(struct search *f, void (*visit)(struct search *f, struct object *o))
{
        for_each_process(p, f->snapshot) {
                for_each_thread(t, p) {
                        if (is_awaited(t->call.object))
                                visit(f, t->call.object);
                        if (is_awaited(t->call.object2))
                                visit(f, t->call.object2);
                }
        }
}

void fuse_resolve(struct resolver *r)
{
        _cleanup_free_ struct search *f = calloc(1, sizeof(*f));
        const struct fd_entry *entries;
        const struct fdscan *scan;
        size_t n;

        if (!f)
                return;
        f->io = resolver_io(r);
        f->snapshot = resolver_snapshot(r);
        objects_visit(f, wanted_add);
        scan = f->n_wanted ? resolver_fdscan(r) : NULL;
        if (!scan)
                return;
        entries = fdscan_class(scan, FD_FUSE, &n);
        for (size_t i = 0; i < n; i++)
                holder_add(f, &entries[i]);
        f->incomplete |= scan->cut || scan->refused;
        f->blind = scan->blind;
        objects_visit(f, owners_set);
}
