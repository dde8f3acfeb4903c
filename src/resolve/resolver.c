/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which a thread's call, memory, locks and objects are looked at, and what the files
 * of this folder need to know of the thread in hand.
 */
#include "resolve/resolver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/privilege.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/call.h"
#include "resolve/children.h"
#include "resolve/callmem.h"
#include "resolve/cgroups.h"
#include "resolve/fdscan.h"
#include "resolve/fuse.h"
#include "resolve/futexlock.h"
#include "resolve/locks.h"
#include "resolve/pagecache.h"
#include "resolve/peers.h"
#include "resolve/resolver-parts.h"
#include "resolve/sockets.h"
#include "resolve/socketset.h"
#include "resolve/storage.h"
#include "resolve/syscall.h"
#include "resolve/sysvipc.h"
#include "resolve/tids.h"
#include "symbol/stacktext.h"

int resolver_new(struct procio *io, struct snapshot *s, struct socket_query **queries,
        struct resolver **ret_resolver)
{
        struct resolver *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->io = io;
        r->snapshot = s;
        r->queries = queries;
        if (storage_new(&r->storage) < 0) {
                free(r);
                return -ENOMEM;
        }
        r->futexes = pagecache_new();
        privilege_read(&r->privilege, !procio_live(io));
        *ret_resolver = r;
        return 0;
}

void resolver_free(struct resolver *r)
{
        if (!r)
                return;
        resolver_fds_clear(r);
        storage_free(r->storage);
        locks_free(r->locks);
        tids_free(r->tids);
        pagecache_free(r->futexes);
        free(r);
}

struct procio *resolver_io(struct resolver *r)
{
        return r->io;
}

int resolver_dir(const struct resolver *r)
{
        return r->dir;
}

struct locks **resolver_locks(struct resolver *r)
{
        return &r->locks;
}

struct tids **resolver_tids(struct resolver *r)
{
        return &r->tids;
}

const struct fdscan *resolver_fdscan(struct resolver *r)
{
        if (!r->snapshot->fd_scan)
                fdscan_new(r->io, r->snapshot, FDSCAN_PATIENCE, &r->snapshot->fd_scan);
        return r->snapshot->fd_scan;
}

struct process *resolver_process_of(struct resolver *r)
{
        return r->process;
}

const char *resolver_file(struct resolver *r, const char *path)
{
        const char *text;

        return procio_read(r->io, r->dir, path, r->process->pid, HANG_NONE, &text) > 0 ? text
                                                                                       : NULL;
}

ssize_t resolver_path(struct resolver *r, const char *path, const char **ret_text)
{
        return procio_link_of(r->io, r->dir, path, r->process->pid, ret_text);
}

ssize_t resolver_futex(struct resolver *r, uint64_t address, void *buffer, size_t len)
{
        return pagecache_read(r->futexes, r->io, r->dir, r->process->pid, address, buffer, len);
}

struct snapshot *resolver_snapshot(struct resolver *r)
{
        return r->snapshot;
}

bool resolver_stack_has(
        struct resolver *r, const struct thread *t, enum stack_question question, const char *list)
{
        const struct stack *stack = t->kernel_stack;
        unsigned bit = 1U << question;
        struct asked *a;

        if (!stack)
                return false;
        a = &r->asked[stack->id % ASKED_MAX];
        if (a->stack != stack)
                *a = (struct asked){ .stack = stack };
        if (!(a->known & bit)) {
                a->known |= bit;
                a->has |= stack_has(stack, list) ? bit : 0;
        }
        return a->has & bit;
}

/*
 * connect(2) and sendto(2) name whom they want to reach. A name is known again if it is abstract
 * or a path from the root.
 */
static void target_read(struct resolver *r, const struct call *c)
{
        int arg = syscall_arg(c->desc, 'S', 0);
        const struct call_memory *m = arg < 0 ? NULL : &c->memory[arg];
        char name[SOCKET_UNIX_MAX];
        const char *path, *text;
        uint16_t family;
        size_t len;

        if (!m || !m->bytes || m->len <= sizeof(family) || !call_is(c, "connect|sendto"))
                return;
        memcpy(&family, m->bytes, sizeof(family));
        path = (const char *)m->bytes + sizeof(family);
        len = m->len - sizeof(family);
        if (family != AF_UNIX || (*path && *path != '/'))
                return;
        text = socket_unix_format(name, path, *path ? strnlen(path, len) : len);
        for (struct socket_query *q = *r->queries; q && text; q = q->next) {
                if (q->object != c->object)
                        continue;
                q->target = arena_str(r->snapshot->arena, text);
                return;
        }
}

void resolver_process(void *arg, struct process *p, int dir)
{
        struct resolver *r = arg;

        resolver_fds_clear(r);
        pagecache_clear(r->futexes);
        r->kept_tid = 0;
        r->no_kcmp = false;
        r->process = p;
        r->dir = dir;
        r->thread = NULL;
        ns_clear(&r->ns);
}

/* Who traces it: only asked for a thread that is stopped. */
static void tracer_read(struct resolver *r, struct thread *t)
{
        struct procfile_status status = { 0 };
        char path[48];
        const char *text;
        ssize_t n;

        snprintf(path, sizeof(path), "task/%d/status", (int)t->tid);
        n = procio_read(r->io, r->dir, path, r->process->pid, HANG_NONE, &text);
        if (n <= 0 || procfile_status(text, (size_t)n, &status) <= 0 || status.tracer <= 0)
                return;
        t->tracer = status.tracer;
        t->tracer_comm = children_comm(r, status.tracer);
}

void resolver_thread(void *arg, struct thread *t, int dir)
{
        struct resolver *r = arg;
        int error;

        r->thread = t;
        r->dir = dir;
        r->refused = false;
        r->table = TABLE_UNASKED;
        if (t->state == 't' || t->state == 'T')
                tracer_read(r, t);
        if (t->state == 'Z' && t->process->ppid > 0 && !t->process->parent_comm)
                t->process->parent_comm = children_comm(r, t->process->ppid);
        cgroups_resolve(r, t);
        /*
         * All threads of a sample held still from then on, or will be read again, one by one. Of
         * files each thread's time begins when it is read.
         */
        if (t->from_files || t->moved)
                pagecache_clear(r->futexes);
        error = callmem_read(r->io, r->snapshot->arena, r->futexes, t, dir);
        call_resolve(r, t);
        if (!resolver_fds_check(r, t->tid)) {
                r->refused = false;
                call_resolve(r, t);
        }
        if (t->call.state == CALL_INSIDE && t->call.desc && t->call.object)
                target_read(r, &t->call);
        if (t->call.state == CALL_INSIDE && t->call.desc)
                locks_resolve(r, t);
        sysvipc_resolve(r, t);
        if (t->call.state == CALL_INSIDE && t->call.desc)
                futexlock_resolve(r, t);
        storage_thread(r->storage, r, t);
        if (error == -EPERM || error == -EACCES || error == -ENOSYS) {
                struct refusal why =
                        error == -ENOSYS
                                ? (struct refusal){ "this kernel has no process_vm_readv", NULL }
                                : privilege_refusal_ptrace(&r->privilege, -error);

                snapshot_gap(r->snapshot, "what arguments point to", why.why, why.remedy, false);
        } else if (error == -ETIMEDOUT) {
                snapshot_gap(r->snapshot, "what arguments point to",
                        "the process's memory is locked", NULL, false);
        }
        if (r->refused) {
                struct refusal why = privilege_refusal_ptrace(&r->privilege, EACCES);

                snapshot_gap(r->snapshot, "file descriptors", why.why, why.remedy, true);
        }
}

void resolver_finish(struct resolver *r)
{
        if (*r->queries)
                sockets_resolve(r->io, r->snapshot, *r->queries);
        fuse_resolve(r);
        peers_resolve(r);
        futexlock_waiters(r->snapshot);
}
