/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All epoll sets have one inode. Whether two descriptors are one file, kcmp(2) tells; of a process
 * that may not be looked into, a program inside the kernel. Where neither does, what they have for
 * members does in most cases: that of one file is the same.
 */
#include "resolve/setshare.h"

#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procio.h"
#include "capture/bpf/filewire.h"
#include "capture/fileiter.h"
#include "resolve/fdscan.h"

#define COMPARED_MAX 100000 /* about a tenth of a second */
#define TOLD_MAX 200        /* each goes through all that a process has open */

/* The caller frees; NULL: it cannot be read. */
static char *info_read(struct procio *io, const struct fd_entry *e)
{
        const char *text;
        char path[64];

        snprintf(path, sizeof(path), "%d/task/%d/fdinfo/%d", (int)e->pid, (int)e->tid, e->fd);
        if (procio_read(io, procio_root(io), path, e->pid, HANG_FILE, &text) < 0)
                return NULL;
        return strdup(text);
}

static bool members_equal(struct procio *io, const struct fd_entry *a, const struct fd_entry *b)
{
        _cleanup_free_ char *one = info_read(io, a), *other = info_read(io, b);

        return !one || !other || strcmp(one, other) == 0;
}

struct comparison {
        struct procio *io;
        struct fileiter *files; /* the kernel's own word; NULL: not asked, or not to be had */
        bool files_tried;
        size_t n_compared, n_told;
};

struct telling {
        const struct fd_entry *entry;
        uint64_t file;
};

static int file_see(void *arg, const struct wire_file *f)
{
        struct telling *t = arg;

        if (f->fd == t->entry->fd && f->tid == t->entry->tid)
                t->file = f->file;
        return 0;
}

/* Which open file it is; 0: the kernel does not tell. */
static uint64_t file_tell(struct comparison *c, const struct fd_entry *e)
{
        struct telling t = { .entry = e };

        if (!c->files_tried && procio_outermost(c->io))
                fileiter_new(&c->files);
        c->files_tried = true;
        if (!c->files || ++c->n_told > TOLD_MAX ||
                fileiter_files(c->files, e->pid, file_see, &t) < 0)
                return 0;
        return t.file;
}

static bool may_be_one(struct comparison *c, const struct fd_entry *a, const struct fd_entry *b)
{
        long r = procio_live(c->io) ? syscall(SYS_kcmp, a->tid, b->tid, KCMP_FILE, a->fd, b->fd)
                                    : -1;
        uint64_t x, y;

        if (r >= 0)
                return r == 0;
        x = file_tell(c, a);
        y = x ? file_tell(c, b) : 0;
        if (x && y)
                return x == y;
        return members_equal(c->io, a, b);
}

bool epoll_may_be_shared(struct procio *io, const struct fdscan *scan, pid_t pid)
{
        struct comparison c = { .io = io };
        const struct fd_entry *e;
        bool shared = !fdscan_whole_of(scan, FD_EPOLL);
        size_t n;

        e = fdscan_class(scan, FD_EPOLL, &n);
        for (size_t i = 0; i < n && !shared; i++) {
                if (e[i].pid != pid)
                        continue;
                for (size_t k = 0; k < n && !shared; k++)
                        if (e[k].pid != pid)
                                shared = ++c.n_compared > COMPARED_MAX ||
                                         may_be_one(&c, &e[i], &e[k]);
        }
        fileiter_free(c.files);
        return shared;
}
