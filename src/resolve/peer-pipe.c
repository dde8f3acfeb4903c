/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pipes and FIFOs: a reader waits for whoever has it open for writing, a writer for the readers.
 *
 * The process itself may be among them, as where a reader forgot to close its copy of the writing
 * end. If it handles signals, its handler may be what writes there (the "self-pipe"), and then
 * they are not all. A FIFO can be opened by anybody at any time, and so can a POSIX message queue,
 * which is found in the same way.
 */
#include "resolve/peers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/procio.h"
#include "resolve/fdscan.h"
#include "resolve/kinds.h"
#include "resolve/resolver.h"

/* "SigCgt:\t0000000180000000": signals 32 and 33 are the C library's own (nptl). */
#define SIGNALS_INTERNAL 0x180000000ULL

static bool process_catches(struct peers *p, pid_t pid)
{
        struct procio *io = resolver_io(p->resolver);
        const char *text, *line;
        char path[32];

        snprintf(path, sizeof(path), "%d/status", (int)pid);
        if (procio_read(io, procio_root(io), path, pid, HANG_NONE, &text) <= 0)
                return true;
        line = strstr(text, "\nSigCgt:");
        return !line || (strtoull(line + 8, NULL, 16) & ~SIGNALS_INTERNAL);
}

static bool is_wanted(int access, enum direction direction)
{
        return access == O_RDWR || access == (direction == WANT_DATA ? O_WRONLY : O_RDONLY);
}

static void entry_add(struct peers *p, const struct thread *t, const struct fd_entry *entry,
        int access, enum direction direction, struct ends *e)
{
        /* What was closed meanwhile may have been handed to somebody else before. */
        if (access < 0)
                e->whole = false;
        if (!is_wanted(access, direction))
                return;
        if (entry->pid == t->process->pid) {
                e->note = direction == WANT_DATA ? "the process has it open for writing itself"
                                                 : "the process has it open for reading itself";
                e->whole &= !process_catches(p, entry->pid);
        }
        ends_add(p, e, entry->pid, ROLE_PEER);
}

/* The fd that it waits with: that was looked at already. */
static bool is_itself(const struct thread *t, const struct object *o, const struct fd_entry *entry)
{
        return o->has_access && entry->pid == t->process->pid && entry->fd == o->fd &&
               (entry->tid == t->tid || t->process->n_alive == 1);
}

void peer_pipe(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e)
{
        size_t n;
        const struct fd_entry *entries = fdscan_find(p->scan, FD_PIPE, o->inode, &n);

        for (size_t i = 0; o->inode && i < n; i++)
                entry_add(p, t, &entries[i],
                        is_itself(t, o, &entries[i]) ? o->access : peer_access(p, &entries[i], o),
                        direction, e);
}

/* By the name, and then the inode that fdinfo tells (since 5.14): paths differ by mount namespace.
 */
void peer_fifo(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e)
{
        uint32_t name = o->path ? fdscan_name(o->path) : 0;
        size_t n;
        const struct fd_entry *entries = fdscan_class(p->scan, FD_PATH, &n);

        e->whole = false;
        for (size_t i = 0; o->inode && o->fd >= 0 && i < n; i++) {
                uint64_t inode;

                if (entries[i].name == name &&
                        fdinfo_number(peer_fdinfo(p, &entries[i]), "ino", 10, &inode) &&
                        inode == o->inode)
                        entry_add(
                                p, t, &entries[i], peer_access(p, &entries[i], NULL), direction, e);
        }
}
