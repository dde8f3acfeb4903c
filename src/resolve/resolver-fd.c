/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of fds are kept per process, because threads share them; a kept one is used again
 * only while the fd's link still says the same.
 */
#include "resolve/resolver-parts.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/kinds.h"
#include "resolve/resolver.h"
#include "resolve/sockets.h"
#include "resolve/storage.h"

#define DEPTH_MAX 3 /* an epoll set may hold epoll sets */

struct kept {
        int fd;
        struct object *object;
        UT_hash_handle hh;
};

void resolver_fds_clear(struct resolver *r)
{
        struct kept *k, *next;

        HASH_ITER(hh, r->kept, k, next)
        {
                HASH_DEL(r->kept, k);
                free(k);
        }
}

static void ask_socket(void *arg, uint64_t inode, const char *protocol, struct object *o)
{
        struct resolver *r = arg;
        struct socket_query *q = arena_new_one(r->snapshot->arena, struct socket_query);

        if (!q)
                return;
        *q = (struct socket_query){
                .inode = inode,
                .net_ns = ns_process(r, NS_NET),
                .pid = r->process->pid,
                .protocol = protocol,
                .object = o,
                .next = *r->queries,
        };
        *r->queries = q;
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
                resolver_fds_clear(r);
        r->kept_own = r_kcmp >= 0;
        r->kept_tid = tid;
        r->table = TABLE_OWN;
}

bool resolver_fds_check(struct resolver *r, pid_t tid)
{
        int r_kcmp;

        if (r->table != TABLE_ASSUMED)
                return true;
        r->table = TABLE_OWN; /* whatever else is asked is asked of itself */
        r_kcmp = table_compare(r->kept_tid, tid);
        if (r_kcmp == 0)
                return true;
        r->no_kcmp = r_kcmp < 0;
        resolver_fds_clear(r);
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
