/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "net:[4026531840]": the text of a link is the whole answer. */
#include "resolve/ns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/procio.h"
#include "model.h"
#include "resolve/resolver-parts.h"
#include "resolve/resolver.h"

static const char *const names[NS_MAX] = {
        [NS_NET] = "ns/net",
        [NS_MNT] = "ns/mnt",
        [NS_UTS] = "ns/uts",
        [NS_TIME] = "ns/time",
        [NS_IPC] = "ns/ipc",
        [NS_CGROUP] = "ns/cgroup",
        [NS_PID] = "ns/pid",
        [NS_USER] = "ns/user",
};

static uint64_t link_read(struct procio *io, int dir, const char *path, pid_t pid)
{
        const char *link, *number;

        if (procio_link_of(io, dir, path, pid, &link) <= 0)
                return 0;
        number = strchr(link, '[');
        return number ? strtoull(number + 1, NULL, 10) : 0;
}

void ns_clear(struct ns_links *links)
{
        links->process_asked = 0;
}

uint64_t ns_process(struct resolver *r, enum ns which)
{
        struct ns_links *links = &r->ns;
        const struct process *p = r->process;
        const struct thread *t = r->thread && r->thread->tid == p->pid ? r->thread : p->threads;

        if (t && t->tid == p->pid && t->ns[which])
                return t->ns[which];
        if (!(links->process_asked & 1U << which)) {
                links->process_asked |= 1U << which;
                links->process[which] = link_read(r->io, r->dir, names[which], p->pid);
        }
        return links->process[which];
}

uint64_t ns_thread(struct resolver *r, enum ns which)
{
        return r->thread && r->thread->ns[which] ? r->thread->ns[which] : ns_process(r, which);
}

uint64_t ns_own(struct resolver *r, enum ns which)
{
        struct ns_links *links = &r->ns;
        char path[32];

        if (!(links->own_asked & 1U << which)) {
                links->own_asked |= 1U << which;
                snprintf(path, sizeof(path), "self/%s", names[which]);
                links->own[which] = link_read(r->io, procio_root(r->io), path, 0);
        }
        return links->own[which];
}

uint64_t ns_time_of_children(struct resolver *r)
{
        return link_read(r->io, r->dir, "ns/time_for_children", r->process->pid);
}

uint64_t ns_of_pid(struct procio *io, pid_t pid, enum ns which)
{
        char path[32];

        snprintf(path, sizeof(path), "%d/%s", (int)pid, names[which]);
        return link_read(io, procio_root(io), path, pid);
}
