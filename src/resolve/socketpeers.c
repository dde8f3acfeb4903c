/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection has the same two addresses at both ends, swapped. Within one namespace that is
 * exact. Between two, the same addresses may be in use twice on a host, by containers that do not
 * see each other: only what fits once is taken. An end that nobody has yet waits in the backlog of
 * a listener, which then is the other end: who has that can accept it.
 *
 * What goes through address translation (a published port of a container) fits nowhere.
 */
#include "resolve/socketpeers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/netns.h"
#include "resolve/sockdiag.h"
#include "resolve/sockets.h"
#include "resolve/ns.h"

#define SPACES_MAX 64    /* network namespaces looked into */
#define SPACE_PIDS_MAX 4 /* processes by which one is entered */

enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, CLOSE_WAIT = 8, LISTEN = 10 };

struct space {
        uint64_t inode;
        pid_t pids[SPACE_PIDS_MAX]; /* processes in it */
        size_t n_pids;
        bool more;    /* there are others */
        bool read[2]; /* TCP, UDP */
};

struct finder {
        struct namespaces *ns;
        int64_t deadline_ns;
        struct space spaces[SPACES_MAX];
        size_t n_spaces;
        bool all_spaces; /* those of all processes are known */
        bool cut;
        struct socket_ends ends;
        bool sorted;
        struct place *places; /* sorted by inode */
        size_t n_places;
};

struct place { /* of an end that somebody has, in ends.all */
        uint32_t inode, at;
};

static const int protocols[2] = { IPPROTO_TCP, IPPROTO_UDP };

static int end_compare(const void *a, const void *b)
{
        const struct socket_end *x = a, *y = b;
        int r = memcmp(x->local, y->local, sizeof(x->local));

        if (x->protocol != y->protocol)
                return x->protocol < y->protocol ? -1 : 1;
        if (x->local_port != y->local_port)
                return x->local_port < y->local_port ? -1 : 1;
        if (r)
                return r;
        if (x->remote_port != y->remote_port)
                return x->remote_port < y->remote_port ? -1 : 1;
        return memcmp(x->remote, y->remote, sizeof(x->remote));
}

static void space_add(struct finder *f, uint64_t inode, pid_t pid)
{
        struct space *s = f->spaces, *end = s + f->n_spaces;

        while (s < end && s->inode != inode)
                s++;
        if (s == end && f->n_spaces == SPACES_MAX) {
                f->cut = true;
                return;
        }
        if (s == end)
                f->spaces[f->n_spaces++] = (struct space){ .inode = inode };
        if (s->n_pids < SPACE_PIDS_MAX)
                s->pids[s->n_pids++] = pid;
        else
                s->more = true;
}

/* 1: entered; 0: it is our own; -ENOENT: all that were in it have left or ended; -errno. */
static int space_enter(const struct finder *f, const struct space *s)
{
        int r = -ENOENT;

        for (size_t i = 0; i < s->n_pids; i++) {
                r = namespaces_enter(f->ns, s->inode, s->pids[i]);
                if (r != -ENOENT && r != -ESRCH)
                        return r;
        }
        return s->more ? -ESTALE : -ENOENT;
}

static int place_compare(const void *a, const void *b)
{
        uint32_t x = ((const struct place *)a)->inode, y = ((const struct place *)b)->inode;

        return x < y ? -1 : x > y;
}

static void ends_sort(struct finder *f)
{
        f->sorted = true;
        f->n_places = 0;
        free(f->places);
        f->places = calloc(f->ends.n ? f->ends.n : 1, sizeof(*f->places));
        if (!f->ends.n || !f->places)
                return;
        qsort(f->ends.all, f->ends.n, sizeof(*f->ends.all), end_compare);
        for (size_t i = 0; i < f->ends.n; i++)
                if (f->ends.all[i].inode)
                        f->places[f->n_places++] =
                                (struct place){ f->ends.all[i].inode, (uint32_t)i };
        qsort(f->places, f->n_places, sizeof(*f->places), place_compare);
}

static void spaces_read(struct finder *f, int protocol)
{
        for (size_t i = 0; i < f->n_spaces; i++) {
                struct space *s = &f->spaces[i];
                int entered;

                if (s->read[protocol])
                        continue;
                s->read[protocol] = true;
                entered = space_enter(f, s);
                if (entered < 0) {
                        f->cut |= entered != -ENOENT;
                        continue;
                }
                if (sockdiag_ends(&f->ends, protocols[protocol], (uint16_t)i, f->deadline_ns) < 0)
                        f->cut = true;
                f->sorted = false;
                if (entered > 0)
                        namespaces_leave(f->ns);
        }
        if (!f->sorted)
                ends_sort(f);
}

/* "net:[4026531840]" of every process. */
static void spaces_find(struct finder *f)
{
        struct procio *io = f->ns->io;
        int fd = openat(procio_root(io), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *e;

        f->all_spaces = true;
        if (!d && fd >= 0)
                close(fd);
        while (d && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
                uint64_t inode = pid > 0 ? ns_of_pid(io, pid, NS_NET) : 0;

                if (inode)
                        space_add(f, inode, pid);
        }
}

static const struct socket_end *end_of_inode(const struct finder *f, uint64_t inode)
{
        const struct place like = { .inode = (uint32_t)inode }, *found;

        found = f->n_places && inode && inode <= UINT32_MAX
                        ? bsearch(&like, f->places, f->n_places, sizeof(like), place_compare)
                        : NULL;
        return found ? &f->ends.all[found->at] : NULL;
}

/* The first that is not before it in order. */
static size_t end_bound(const struct finder *f, const struct socket_end *like)
{
        size_t low = 0, high = f->ends.n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (end_compare(&f->ends.all[middle], like) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The only end with these addresses, in one namespace or (-1) in any; NULL. */
static const struct socket_end *end_find(
        const struct finder *f, const struct socket_end *like, int space)
{
        const struct socket_end *found = NULL;

        for (size_t i = end_bound(f, like);
                i < f->ends.n && end_compare(&f->ends.all[i], like) == 0; i++) {
                if (space >= 0 && f->ends.all[i].space != space)
                        continue;
                if (found)
                        return NULL;
                found = &f->ends.all[i];
        }
        return found;
}

static bool is_loopback(const uint8_t address[static 16])
{
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        static const uint8_t one[16] = { [15] = 1 };

        return memcmp(address, mapped, 12) == 0 ? address[12] == 127
                                                : memcmp(address, one, 16) == 0;
}

/* Who is bound to that address and port of that namespace, to it alone or to any. */
static const struct socket_end *bound_find(const struct finder *f, uint8_t protocol, uint8_t state,
        uint16_t space, const uint8_t address[static 16], uint16_t port)
{
        static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff }, any6[16];
        const uint8_t *const addresses[] = { address, any4, any6 };
        bool mapped = memcmp(address, any4, 12) == 0;

        for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
                struct socket_end like = { .protocol = protocol, .local_port = port };
                const struct socket_end *found = NULL;
                size_t n = 0;

                if (i == 1 && !mapped)
                        continue;
                memcpy(like.local, addresses[i], sizeof(like.local));
                for (size_t k = end_bound(f, &like); k < f->ends.n; k++) {
                        const struct socket_end *e = &f->ends.all[k];

                        if (e->protocol != protocol || e->local_port != port || e->remote_port ||
                                memcmp(e->local, like.local, sizeof(like.local)) != 0)
                                break;
                        if (e->space != space || e->state != state || !e->inode)
                                continue;
                        found = e;
                        n++;
                }
                /* Of several with SO_REUSEPORT, the kernel has chosen one. */
                if (n)
                        return n == 1 ? found : NULL;
        }
        return NULL;
}

static const struct socket_end *peer_of(struct finder *f, const struct socket_end *e, int protocol)
{
        struct socket_end swapped = {
                .protocol = e->protocol, .local_port = e->remote_port, .remote_port = e->local_port
        };
        bool inside = is_loopback(e->remote) || memcmp(e->local, e->remote, 16) == 0;
        const struct socket_end *peer, self = *e;

        memcpy(swapped.local, self.remote, sizeof(swapped.local));
        memcpy(swapped.remote, self.local, sizeof(swapped.remote));
        if (!self.remote_port)
                return NULL;
        if (protocol == 0 && self.state == SYN_SENT)
                return inside ? bound_find(f, self.protocol, LISTEN, self.space, self.remote,
                                        self.remote_port)
                              : NULL;
        peer = end_find(f, &swapped, self.space);
        if (!peer && protocol == 1 && inside) /* bound, and not connected: TCP_CLOSE */
                return bound_find(f, self.protocol, 7, self.space, self.remote, self.remote_port);
        if (!peer && !inside) {
                if (!f->all_spaces)
                        spaces_find(f);
                spaces_read(f, protocol);
                peer = f->cut ? NULL : end_find(f, &swapped, -1);
        }
        if (!peer || peer->inode || protocol != 0)
                return peer;
        if (peer->state != ESTABLISHED && peer->state != SYN_RECV && peer->state != CLOSE_WAIT)
                return NULL;
        return bound_find(f, peer->protocol, LISTEN, peer->space, peer->local, peer->local_port);
}

static int protocol_of(const struct object *o)
{
        if (!o->kind || !o->remote || (o->state && strcmp(o->state, "LISTEN") == 0))
                return -1;
        return strcmp(o->kind, "tcp") == 0 ? 0 : strcmp(o->kind, "udp") == 0 ? 1 : -1;
}

void socketpeers_resolve(struct namespaces *ns, struct snapshot *s, struct socket_query *queries,
        int64_t deadline_ns)
{
        _cleanup_free_ struct finder *f = NULL;
        size_t n = 0;

        (void)s;
        for (struct socket_query *q = queries; q; q = q->next)
                n += protocol_of(q->object) >= 0;
        if (!n || ns->own < 0 || ns->lost)
                return;
        f = calloc(1, sizeof(*f));
        if (!f)
                return;
        f->ns = ns;
        f->deadline_ns = deadline_ns;
        space_add(f, ns->own_inode, 0);
        for (struct socket_query *q = queries; q; q = q->next)
                if (protocol_of(q->object) >= 0 && q->net_ns)
                        space_add(f, q->net_ns, q->pid);
        for (struct socket_query *q = queries; q; q = q->next) {
                int protocol = protocol_of(q->object);
                const struct socket_end *self, *peer;

                if (protocol < 0)
                        continue;
                spaces_read(f, protocol);
                self = end_of_inode(f, q->inode);
                peer = self ? peer_of(f, self, protocol) : NULL;
                if (!peer || !peer->inode || peer->inode == q->inode)
                        continue;
                q->object->peer_inode = peer->inode;
                q->object->peer_sends = peer->unsent != 0 && peer->state != LISTEN;
        }
        free(f->ends.all);
        free(f->places);
}
