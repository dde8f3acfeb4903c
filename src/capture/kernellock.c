/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mutex and a writer's rwsem name the task that has them. Of readers the kernel keeps the last
 * one that came, who may have left; of a semaphore the last one that took it. These are told, but
 * not as holders.
 */
#include "capture/kernellock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "capture/bpf/wire.h"
#include "model.h"

/* kernel.kptr_restrict: 2 hides addresses from everybody (Documentation/admin-guide/sysctl). */
static bool addresses_are_hidden(void)
{
        _cleanup_close_ int fd = open("/proc/sys/kernel/kptr_restrict", O_RDONLY | O_CLOEXEC);
        char text = '0';

        return fd >= 0 && read(fd, &text, 1) == 1 && text == '2';
}

static const char *kind_of(uint32_t lock)
{
        switch (lock) {
        case WIRE_LOCK_MUTEX:
                return "kernel-mutex";
        case WIRE_LOCK_SEMAPHORE:
                return "kernel-semaphore";
        case WIRE_LOCK_RWSEM_READ:
        case WIRE_LOCK_RWSEM_WRITE:
                return "kernel-rwsem";
        default:
                return NULL; /* a PI futex's, or of PREEMPT_RT: the call or the stack says which */
        }
}

static void holder_note(struct arena *a, struct object *o, const struct wire_task *w)
{
        char comm[WIRE_COMM + 1] = "";

        memcpy(comm, w->owner_comm, WIRE_COMM);
        if (!(w->lock_flags & WIRE_OWNER_KNOWN) || w->owner_pid <= 0)
                return;
        if (w->lock_flags & (WIRE_OWNER_READER | WIRE_OWNER_LAST)) {
                o->note = arena_printf(a, "last taken%s by %s (%d, thread %d)",
                        w->lock_flags & WIRE_OWNER_READER ? " for reading" : "", comm,
                        (int)w->owner_pid, (int)w->owner_tid);
                return;
        }
        o->owners = arena_new_one(a, struct owner);
        if (!o->owners)
                return;
        *o->owners = (struct owner){
                .pid = w->owner_pid,
                .tid = w->owner_tid,
                .comm = arena_str(a, comm),
                .role = ROLE_HOLDER,
        };
        o->n_owners = 1;
}

struct object *kernellock_object(struct snapshot *s, const struct wire_task *w)
{
        const char *kind = kind_of(w->lock);
        struct object *o;

        if (!w->lock_address || !kind)
                return NULL;
        o = arena_new_one(s->arena, struct object);
        if (!o)
                return NULL;
        o->kind = kind;
        o->fd = -1;
        o->has_address = !addresses_are_hidden();
        if (o->has_address)
                o->address = w->lock_address;
        else
                snapshot_gap(s, "addresses of kernel locks", "kernel.kptr_restrict hides them",
                        "set kernel.kptr_restrict to 1", false);
        holder_note(s->arena, o, w);
        return o;
}
