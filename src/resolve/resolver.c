/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of fds are kept per process, because threads share them; a kept one is used again
 * only while the fd's link still says the same.
 */
#include "resolve/resolver.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

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
#include "resolve/kinds.h"
#include "resolve/locks.h"
#include "resolve/peers.h"
#include "resolve/sockets.h"
#include "resolve/socketset.h"
#include "resolve/storage.h"
#include "resolve/syscall.h"
#include "resolve/sysvipc.h"
#include "resolve/tids.h"
#include "symbol/stacktext.h"

#define DEPTH_MAX 3 /* an epoll set may hold epoll sets */

struct kept {
        int fd;
        struct object *object;
        UT_hash_handle hh;
};

struct asked { /* of a stack; bits by enum stack_question */
        const struct stack *stack;
        unsigned known, has;
};

#define ASKED_MAX 64 /* stacks of which answers are kept, by their numbers */

struct resolver {
        struct procio *io;
        struct snapshot *snapshot;
        struct privilege privilege;
        struct socket_query **queries;
        struct storage *storage;
        struct locks *locks;
        struct tids *tids;
        struct kept *kept; /* of the process in hand */
        pid_t kept_tid;    /* a thread that has this table of fds */
        bool kept_own;     /* the thread in hand is known to have it too */
        bool no_kcmp;      /* the kernel does not compare tables */
        enum { TABLE_UNASKED, TABLE_ASSUMED, TABLE_OWN } table; /* of the thread in hand */
        struct process *process;
        struct thread *thread;
        int dir;
        int depth;
        bool net_ns_asked;
        bool refused; /* an fd of the thread in hand could not be looked at */
        bool bound;   /* members of a set were left out for its depth */
        struct asked asked[ASKED_MAX];
};

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
        privilege_read(&r->privilege, !procio_live(io));
        *ret_resolver = r;
        return 0;
}

static void kept_clear(struct resolver *r)
{
        struct kept *k, *next;

        HASH_ITER(hh, r->kept, k, next)
        {
                HASH_DEL(r->kept, k);
                free(k);
        }
}

void resolver_free(struct resolver *r)
{
        if (!r)
                return;
        kept_clear(r);
        storage_free(r->storage);
        locks_free(r->locks);
        tids_free(r->tids);
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

static bool link_copy(struct procio *io, int dir, const char *path, pid_t pid, char ret[static 64])
{
        const char *link;

        if (procio_link_of(io, dir, path, pid, &link) <= 0)
                return false;
        snprintf(ret, 64, "%.63s", link);
        return true;
}

ssize_t resolver_path(struct resolver *r, const char *path, const char **ret_text)
{
        return procio_link_of(r->io, r->dir, path, r->process->pid, ret_text);
}

bool resolver_link(struct resolver *r, const char *path, char ret[static 64])
{
        return link_copy(r->io, r->dir, path, r->process->pid, ret);
}

bool resolver_own_link(struct resolver *r, const char *path, char ret[static 64])
{
        char own[80];

        snprintf(own, sizeof(own), "self/%s", path);
        return link_copy(r->io, procio_root(r->io), own, 0, ret);
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

/* "net:[4026531840]" */
static void net_ns_read(struct resolver *r)
{
        unsigned long long inode;
        const char *link;

        if (r->net_ns_asked)
                return;
        r->net_ns_asked = true;
        if (procio_link_of(r->io, r->dir, "ns/net", r->process->pid, &link) > 0 &&
                sscanf(link, "net:[%llu]", &inode) == 1)
                r->process->net_ns = inode;
}

static void ask_socket(void *arg, uint64_t inode, const char *protocol, struct object *o)
{
        struct resolver *r = arg;
        struct socket_query *q = arena_new_one(r->snapshot->arena, struct socket_query);

        if (!q)
                return;
        net_ns_read(r);
        *q = (struct socket_query){
                .inode = inode,
                .net_ns = r->process->net_ns,
                .pid = r->process->pid,
                .protocol = protocol,
                .object = o,
                .next = *r->queries,
        };
        *r->queries = q;
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

static struct object *view_fd(void *arg, int fd)
{
        struct resolver *r = arg;

        if (r->depth < DEPTH_MAX)
                return resolver_fd(r, fd);
        r->bound = true;
        return NULL;
}

static struct object *fd_look(struct resolver *r, const struct fd_ref *ref, const char *link)
{
        struct object *o = arena_new_one(r->snapshot->arena, struct object);
        struct fd_view view = {
                .io = r->io,
                .arena = r->snapshot->arena,
                .ref = *ref,
                .link = link,
                .resolve = view_fd,
                .ask_socket = ask_socket,
                .arg = r,
        };
        char *info = NULL;
        const char *text;

        if (!o)
                return NULL;
        o->fd = ref->fd;
        o->link = link;
        if (procio_fd_info(r->io, ref, &text) > 0)
                info = strdup(text);
        view.info = info;
        if (link[0] == '/') {
                int mode = storage_mode(r->storage, r, r->thread, info);

                if (mode < 0)
                        mode = procio_fd_mode(r->io, ref);
                if (mode == -ETIMEDOUT)
                        snapshot_gap(r->snapshot, "file types",
                                "the file system behind an fd does not answer", NULL, false);
                view.mode = mode > 0 ? mode : 0;
        }
        r->depth++;
        fd_kind_apply(&view, o);
        r->depth--;
        free(info);
        return o;
}

/*
 * Threads may have fd tables of their own (unshare(CLONE_FILES)). Where the kernel does not
 * say whether two share one (kcmp(2)), a link with an inode is still enough to know an object
 * again, and "anon_inode:[eventfd]" is not.
 */
static int table_compare(pid_t a, pid_t b)
{
        return a == b ? 0 : (int)syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0);
}

/*
 * Nearly all threads have the main thread's table, whose links are read by a shorter path, and
 * from names that the kernel has made already. That is taken for granted first, and checked
 * when all have been read: a main thread that left the table meanwhile cannot come back to it.
 */
static void table_choose(struct resolver *r, pid_t tid)
{
        int r_kcmp = 0;

        if (r->table != TABLE_UNASKED)
                return;
        if (procio_live(r->io) && r->kept_tid == r->process->pid && tid != r->kept_tid &&
                !r->no_kcmp) {
                r->table = TABLE_ASSUMED;
                r->kept_own = true;
                return;
        }
        if (procio_live(r->io) && r->kept_tid && tid != r->kept_tid)
                r_kcmp = table_compare(r->kept_tid, tid);
        if (r_kcmp > 0)
                kept_clear(r);
        r->kept_own = r_kcmp >= 0;
        r->kept_tid = tid;
        r->table = TABLE_OWN;
}

/* False: the assumption was wrong. What was found is not the thread's, and is looked for anew. */
static bool table_check(struct resolver *r, pid_t tid)
{
        int r_kcmp;

        if (r->table != TABLE_ASSUMED)
                return true;
        r->table = TABLE_OWN; /* whatever else is asked is asked of itself */
        r_kcmp = table_compare(r->kept_tid, tid);
        if (r_kcmp == 0)
                return true;
        r->no_kcmp = r_kcmp < 0;
        kept_clear(r);
        r->kept_own = true;
        r->kept_tid = tid;
        return false;
}

static ssize_t table_link(struct resolver *r, const struct fd_ref *ref, const char **ret_link)
{
        char path[16] = "fd/";

        if (r->table != TABLE_ASSUMED)
                return procio_fd_link(r->io, ref, ret_link);
        path_put_number(path + 3, ref->fd);
        return procio_link_of(r->io, ref->process_dir, path, ref->pid, ret_link);
}

/* Keep it for the other threads of the process; without memory it is made again. */
static void kept_add(struct resolver *r, struct kept *k, int fd, struct object *o)
{
        if (k) {
                k->object = o;
                return;
        }
        k = calloc(1, sizeof(*k));
        if (!k)
                return;
        k->fd = fd;
        k->object = o;
        HASH_ADD_INT(r->kept, fd, k);
}

struct object *resolver_fd(struct resolver *r, int fd)
{
        struct fd_ref ref = { r->dir, r->process->pid, r->thread->tid, fd };
        bool bound = r->bound;
        struct object *o;
        struct kept *k;
        const char *link;
        ssize_t n;

        if (fd < 0)
                return NULL;
        table_choose(r, r->thread->tid);
        n = table_link(r, &ref, &link);
        if (n < 0) {
                if (n == -EACCES || n == -EPERM)
                        r->refused = true;
                return NULL;
        }
        HASH_FIND_INT(r->kept, &fd, k);
        if (k && strcmp(k->object->link, link) == 0 &&
                (r->kept_own || strncmp(link, "anon_inode:", 11) != 0))
                return k->object;
        link = arena_strn(r->snapshot->arena, link, (size_t)n);
        if (!link)
                return NULL;
        r->bound = false;
        o = fd_look(r, &ref, link);
        /* A set seen inside of others, less deep than by itself, is looked at again then. */
        if (o && (!r->bound || r->depth == 0)) {
                HASH_FIND_INT(r->kept, &fd, k); /* a set that holds itself was kept meanwhile */
                kept_add(r, k, fd, o);
        }
        r->bound |= bound;
        return o;
}

void resolver_process(void *arg, struct process *p, int dir)
{
        struct resolver *r = arg;

        kept_clear(r);
        r->kept_tid = 0;
        r->no_kcmp = false;
        r->process = p;
        r->dir = dir;
        r->net_ns_asked = false;
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
        error = callmem_read(r->io, r->snapshot->arena, t, dir);
        call_resolve(r, t);
        if (!table_check(r, t->tid)) {
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
