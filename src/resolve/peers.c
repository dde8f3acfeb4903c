/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a wait is for, data or room, is told by the call, and of a member of a set by the events.
 * Owners of one object and direction are looked for once: a thousand readers of a pipe share them.
 */
#include "resolve/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "resolve/children.h"
#include "resolve/fdscan.h"
#include "resolve/kinds.h"
#include "resolve/resolver.h"
#include "resolve/syscall.h"

#define DEPTH_MAX 3 /* of sets in sets, as the resolver has it */

struct name { /* of a process */
        pid_t pid;
        const char *comm;
        UT_hash_handle hh;
};

struct list { /* owners of what was looked for already */
        struct {
                const struct object *object;
                uint64_t direction;
        } key;
        struct object found;        /* its owners, on_any, on_whole, note */
        struct object *with_owners; /* the object with these, for all who wait for it; NULL */
        UT_hash_handle hh;
};

static const struct peer_kind {
        const char *kind;
        void (*find)(struct peers *p, const struct thread *t, const struct object *o,
                enum direction direction, struct ends *e);
} peer_kinds[] = {
        { "pipe", peer_pipe },
        { "fifo", peer_fifo },
        { "posix-mq", peer_fifo },
        { "unix", peer_socket },
        { "tcp", peer_socket },
        { "udp", peer_socket },
        { "tty", peer_tty },
        { "eventfd", peer_eventfd },
};

static const char *name_of(struct peers *p, pid_t pid)
{
        struct name *n;

        HASH_FIND_INT(p->names, &pid, n);
        if (n)
                return n->comm;
        n = calloc(1, sizeof(*n));
        if (!n)
                return NULL;
        n->pid = pid;
        n->comm = children_comm(p->resolver, pid);
        HASH_ADD_INT(p->names, pid, n);
        return n->comm;
}

/* Processes of the snapshot have their names at hand. */
static void names_fill(struct peers *p)
{
        for_each_process(process, resolver_snapshot(p->resolver)) {
                struct name *n = calloc(1, sizeof(*n));

                if (!n)
                        return;
                n->pid = process->pid;
                n->comm = process->comm;
                HASH_ADD_INT(p->names, pid, n);
        }
}

void ends_add(struct peers *p, struct ends *e, pid_t pid, enum role role)
{
        for (size_t i = 0; i < e->n; i++)
                if (e->owners[i].pid == pid)
                        return;
        if (e->n == ENDS_MAX) {
                e->whole = false;
                return;
        }
        e->owners[e->n++] = (struct owner){ .pid = pid, .comm = name_of(p, pid), .role = role };
}

const char *peer_fdinfo(struct peers *p, const struct fd_entry *entry)
{
        struct procio *io = resolver_io(p->resolver);
        const char *text;
        char path[64];

        if (procio_live(io))
                snprintf(path, sizeof(path), "%d/task/%d/fdinfo/%d", (int)entry->pid,
                        (int)entry->tid, entry->fd);
        else
                snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)entry->pid, entry->fd);
        return procio_read(io, procio_root(io), path, entry->pid, HANG_FILE, &text) > 0 ? text
                                                                                        : NULL;
}

bool peer_is_open(struct peers *p, const struct fd_entry *entry)
{
        struct procio *io = resolver_io(p->resolver);
        struct fd_entry now;
        char path[64];
        const char *link;
        ssize_t n;

        if (!procio_live(io))
                return true;
        snprintf(path, sizeof(path), "%d/task/%d/fd/%d", (int)entry->pid, (int)entry->tid,
                (int)entry->fd);
        n = procio_link_of(io, procio_root(io), path, entry->pid, &link);
        if (n < 0)
                return n != -ENOENT && n != -ESRCH;
        return fdscan_link(link, &now) && now.class == entry->class && now.number == entry->number;
}

/* One reading says how it is open and what it is, since fdinfo has the inode (5.14). */
int peer_access(struct peers *p, const struct fd_entry *entry, const struct object *o)
{
        const char *text = peer_fdinfo(p, entry);
        uint64_t flags, inode, mount;

        if (!fdinfo_number(text, "flags", 8, &flags))
                return -1;
        if (o && o->file_inode && o->has_mount_id && fdinfo_number(text, "ino", 10, &inode) &&
                fdinfo_number(text, "mnt_id", 10, &mount)) {
                if (inode != o->file_inode || mount != (uint64_t)o->mount_id)
                        return -1;
        } else if (!peer_is_open(p, entry)) {
                return -1;
        }
        return (int)(flags & O_ACCMODE);
}

/* A message queue is a file like any other, but for the calls that use it. */
static bool is_queue_call(const struct call *c)
{
        return call_is(
                c, "mq_timedreceive|mq_timedreceive_time64|mq_timedsend|mq_timedsend_time64");
}

static const struct peer_kind *kind_of(const struct thread *t, const struct object *o)
{
        const char *kind = o ? o->kind : NULL;

        if (o && o == t->call.object && is_queue_call(&t->call))
                kind = "posix-mq";
        for (size_t i = 0; kind && i < ARRAY_SIZE(peer_kinds); i++)
                if (strcmp(kind, peer_kinds[i].kind) == 0)
                        return &peer_kinds[i];
        return NULL;
}

/* Where its ends are found; FD_PATH: in more than one place. */
static enum fd_class class_of(const struct peer_kind *kind)
{
        if (kind->find == peer_socket)
                return FD_SOCKET;
        return kind->find == peer_pipe ? FD_PIPE : FD_PATH;
}

/*
 * A thread that is alone in its process cannot help itself. It stays only where it is the only one
 * that could: then nobody can.
 */
static void self_drop(const struct thread *t, struct ends *e)
{
        if (t->process->n_alive != 1 || (e->n == 1 && e->whole))
                return;
        for (size_t i = 0; i < e->n; i++) {
                if (e->owners[i].pid != t->process->pid)
                        continue;
                memmove(e->owners + i, e->owners + i + 1, (--e->n - i) * sizeof(*e->owners));
                return;
        }
}

static void found_set(struct peers *p, const struct thread *t, struct object *o, struct ends *e)
{
        self_drop(t, e);
        o->owners = arena_dup(
                resolver_snapshot(p->resolver)->arena, e->owners, e->n * sizeof(*e->owners));
        o->n_owners = o->owners ? e->n : 0;
        o->on_any = true;
        o->on_whole = o->n_owners && e->whole;
        if (e->note)
                o->note = e->note;
}

/* Owners of one object that is no set; NULL: it is of no kind that has any. */
static struct list *plain_find(
        struct peers *p, const struct thread *t, const struct object *o, enum direction direction)
{
        const struct peer_kind *kind = kind_of(t, o);
        struct list *l, probe;
        struct ends *e;

        if (!kind)
                return NULL;
        memset(&probe.key, 0, sizeof(probe.key));
        probe.key.object = o;
        probe.key.direction = direction;
        HASH_FIND(hh, p->lists, &probe.key, sizeof(probe.key), l);
        if (l)
                return l;
        if (!p->scan)
                p->scan = resolver_fdscan(p->resolver);
        l = calloc(1, sizeof(*l));
        e = calloc(1, sizeof(*e));
        if (l && e && p->scan) {
                e->whole = fdscan_whole_of(p->scan, class_of(kind));
                kind->find(p, t, o, direction, e);
                l->key = probe.key;
                found_set(p, t, &l->found, e);
                HASH_ADD(hh, p->lists, key, sizeof(l->key), l);
        } else {
                free(l);
                l = NULL;
        }
        free(e);
        return l;
}

static bool is_set(const struct object *o)
{
        return o && o->kind && (strcmp(o->kind, "poll-set") == 0 || strcmp(o->kind, "epoll") == 0);
}

static void set_add(
        struct peers *p, const struct thread *t, const struct object *o, struct ends *e, int depth);

/*
 * A pidfd: who ends it is the process itself. That needs no look at what others have open.
 */
static void process_add(
        struct peers *p, const struct thread *t, const struct object *o, struct ends *e)
{
        struct procfile_stat stat;
        const char *text;
        char path[32];
        ssize_t n;

        if (o->pid <= 0) {
                e->whole = false;
                return;
        }
        snprintf(path, sizeof(path), "%d/stat", (int)o->pid);
        n = procio_read(resolver_io(p->resolver), procio_root(resolver_io(p->resolver)), path,
                o->pid, HANG_EXEC, &text);
        if (n <= 0 || procfile_stat(text, (size_t)n, &stat) <= 0) {
                e->whole = false;
                return;
        }
        ends_add(p, e, o->pid, stat.ppid == t->process->pid ? ROLE_CHILD : ROLE_PEER);
}

static void member_add(struct peers *p, const struct thread *t, const struct member *m,
        enum direction direction, struct ends *e)
{
        const struct list *l = plain_find(p, t, m->object, direction);
        const struct object *found = l ? &l->found : NULL;

        e->whole &= found && found->on_whole;
        for (size_t i = 0; found && i < found->n_owners; i++)
                ends_add(p, e, found->owners[i].pid, found->owners[i].role);
}

/* Any member's owner can end a wait for the set; a member of which nothing is known may, too. */
static void set_add(
        struct peers *p, const struct thread *t, const struct object *o, struct ends *e, int depth)
{
        if (depth == DEPTH_MAX) {
                e->whole = false;
                return;
        }
        e->whole &= !o->partial && !o->n_members_hidden && o->n_members;
        for (size_t i = 0; i < o->n_members; i++) {
                const struct member *m = &o->members[i];
                bool out = m->events & (POLLOUT | POLLWRNORM), in = m->events & ~POLLOUT || !out;

                if (member_is_disabled(m))
                        continue;
                if (is_set(m->object)) {
                        set_add(p, t, m->object, e, depth + 1);
                        continue;
                }
                if (m->object && m->object->kind && strcmp(m->object->kind, "process") == 0) {
                        process_add(p, t, m->object, e);
                        continue;
                }
                if (in)
                        member_add(p, t, m, WANT_DATA, e);
                if (out)
                        member_add(p, t, m, WANT_ROOM, e);
        }
}

static void set_resolve(struct peers *p, struct thread *t, struct object *o)
{
        struct ends *e = calloc(1, sizeof(*e));

        if (!e)
                return;
        e->whole = true;
        set_add(p, t, o, e, 0);
        /* Another thread may add what is ready to an epoll set (epoll_ctl(2)). */
        if (strcmp(o->kind, "epoll") == 0 && t->process->n_alive != 1)
                e->whole = false;
        found_set(p, t, o, e);
        free(e);
}

/* The object of the call with its owners: a copy, as others may wait for its other direction. */
static struct object *object_resolve(
        struct peers *p, struct thread *t, struct object *o, enum direction direction)
{
        struct list *l = o && !o->n_owners ? plain_find(p, t, o, direction) : NULL;
        const struct object *found = l ? &l->found : NULL;
        struct object *copy;

        if (!found || (!found->n_owners && !found->note))
                return o;
        if (l->with_owners)
                return l->with_owners;
        copy = arena_dup(resolver_snapshot(p->resolver)->arena, o, sizeof(*o));
        if (!copy)
                return o;
        l->with_owners = copy;
        copy->owners = found->owners;
        copy->n_owners = found->n_owners;
        copy->on_any = found->on_any;
        copy->on_whole = found->on_whole;
        if (found->note)
                copy->note = found->note;
        return copy;
}

static void thread_resolve(struct peers *p, struct thread *t)
{
        struct call *c = &t->call;

        if (c->state != CALL_INSIDE || !c->desc || !c->object || !strchr("SD", t->state))
                return;
        if (is_set(c->object)) {
                set_resolve(p, t, c->object);
        } else if (call_is(c, "splice|tee")) {
                c->object = object_resolve(p, t, c->object, WANT_DATA);
                c->object2 = object_resolve(p, t, c->object2, WANT_ROOM);
        } else if (call_is(c, "sendfile|sendfile64")) {
                c->object = object_resolve(p, t, c->object, WANT_ROOM);
                c->object2 = object_resolve(p, t, c->object2, WANT_DATA);
        } else if (call_is(c, "read|readv|pread64|preadv|preadv2|recvfrom|recvmsg|recvmmsg|"
                              "recvmmsg_time64|recv|mq_timedreceive|mq_timedreceive_time64")) {
                c->object = object_resolve(p, t, c->object, WANT_DATA);
        } else if (call_is(c, "write|writev|pwrite64|pwritev|pwritev2|sendto|sendmsg|sendmmsg|"
                              "send|vmsplice|connect|mq_timedsend|mq_timedsend_time64")) {
                c->object = object_resolve(p, t, c->object, WANT_ROOM);
        }
}

void peers_resolve(struct resolver *r)
{
        struct peers p = { .resolver = r };
        struct name *name, *next_name;
        struct list *list, *next_list;

        names_fill(&p);
        for_each_process(process, resolver_snapshot(r)) {
                for_each_thread(t, process) {
                        thread_resolve(&p, t);
                        peer_reply(&p, t);
                }
        }
        HASH_ITER(hh, p.names, name, next_name)
        {
                HASH_DEL(p.names, name);
                free(name);
        }
        HASH_ITER(hh, p.lists, list, next_list)
        {
                HASH_DEL(p.lists, list);
                free(list);
        }
        peer_tty_done(&p);
        peer_eventfd_done(&p);
        peer_userfault_done(&p);
}
