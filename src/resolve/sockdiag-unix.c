/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unix sockets by sock_diag(7). They can be looked up by inode, each look-up a walk through the
 * namespace's sockets: done for a few, beyond that one dump is cheaper.
 *
 * The other end is told as an inode only; its name takes a second question. A client that was
 * not accepted yet is connected to a socket that nobody has (inode 0); then the listener whose
 * backlog it is in is the other end: who has that can accept it.
 */
#include "resolve/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "model.h"
#include "resolve/sockets.h"

#define EXACT_MAX 32 /* look-ups by inode; more: a dump */

#define STATE_ESTABLISHED 1
#define STATE_LISTEN 10

struct unix_end {       /* of a socket in the set, the other one */
        uint64_t inode; /* to look for: the peer's; of one that waits in a backlog its own */
        struct object *object;
};

struct unix_ends {
        struct unix_end *peers, *waiting; /* sorted by inode before they are looked for */
        size_t n_peers, n_waiting;
        size_t n_left; /* of those in hand */
};

static struct unix_diag_req unix_request(uint32_t inode, uint32_t states, uint32_t show)
{
        return (struct unix_diag_req){
                .sdiag_family = AF_UNIX,
                .udiag_states = states,
                .udiag_ino = inode,
                .udiag_show = show,
                .udiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
        };
}

/* udiag_state is sk_state, with the numbers of TCP. */
static const char *unix_state(unsigned state)
{
        return state == STATE_ESTABLISHED || state == STATE_LISTEN || state == 7
                       ? socket_tcp_state(state)
                       : NULL;
}

static bool message_head(const void *message, size_t len, struct unix_diag_msg *ret)
{
        if (len < sizeof(*ret))
                return false;
        memcpy(ret, message, sizeof(*ret));
        return ret->udiag_family == AF_UNIX;
}

static const char *message_name(
        char buffer[static SOCKET_UNIX_MAX], const void *message, size_t len)
{
        size_t n = 0;
        const void *name =
                diag_attribute(message, len, sizeof(struct unix_diag_msg), UNIX_DIAG_NAME, &n);

        return name ? socket_unix_format(buffer, name, n) : NULL;
}

static bool socket_take(struct diag *d, const void *message, size_t len, void *arg)
{
        struct unix_ends *ends = arg;
        char name[SOCKET_UNIX_MAX];
        struct unix_diag_rqlen queues;
        struct unix_diag_msg m;
        struct socket_facts f = { 0 };
        const void *bytes;
        uint32_t peer = 0;
        ptrdiff_t i;
        size_t n = 0;

        if (!message_head(message, len, &m))
                return true;
        i = socket_set_find(d->set, m.udiag_ino, SOCKET_UNIX);
        if (i < 0)
                return true;
        f.type = socket_type_name(m.udiag_type);
        f.state = unix_state(m.udiag_state);
        f.local = message_name(name, message, len);
        bytes = diag_attribute(message, len, sizeof(m), UNIX_DIAG_RQLEN, &n);
        if (bytes && n >= sizeof(queues)) {
                memcpy(&queues, bytes, sizeof(queues));
                f.has_queues = true;
                f.receive_queue = queues.udiag_rqueue;
                f.send_queue = queues.udiag_wqueue;
        }
        bytes = diag_attribute(message, len, sizeof(m), UNIX_DIAG_PEER, &n);
        if (bytes && n >= sizeof(peer)) {
                memcpy(&peer, bytes, sizeof(peer));
                f.peer_inode = peer;
        }
        /* Those that are filled below, which are as many as there is room for. */
        for (; (size_t)i < d->set->n && d->set->queries[i]->inode == m.udiag_ino; i++) {
                struct object *o = d->set->queries[i]->object;

                if (!socket_query_wants(d->set->queries[i], SOCKET_UNIX))
                        continue;
                if (peer)
                        ends->peers[ends->n_peers++] = (struct unix_end){ peer, o };
                else if (bytes && m.udiag_state == STATE_ESTABLISHED)
                        ends->waiting[ends->n_waiting++] = (struct unix_end){ m.udiag_ino, o };
        }
        socket_set_give(d->set, m.udiag_ino, SOCKET_UNIX, &f);
        return d->set->left[SOCKET_UNIX] > 0;
}

static bool nothing_take(struct diag *d, const void *message, size_t len, void *arg)
{
        (void)d;
        (void)message;
        (void)len;
        (void)arg;
        return true;
}

/* No such socket and no such handler are the same error; a dump of nothing tells them apart. */
static int unix_probe(struct diag *d)
{
        const struct unix_diag_req r = unix_request(0, 0, 0);

        return diag_ask(d, &r, sizeof(r), NLM_F_DUMP, nothing_take, NULL);
}

static int sockets_ask(struct diag *d, struct unix_ends *ends)
{
        const uint32_t show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
        bool probed = false;
        int r = 0;

        if (d->set->left[SOCKET_UNIX] > EXACT_MAX) {
                const struct unix_diag_req all = unix_request(0, ~0U, show);

                r = diag_ask(d, &all, sizeof(all), NLM_F_DUMP, socket_take, ends);
                if (r == -EINTR)
                        r = diag_ask(d, &all, sizeof(all), NLM_F_DUMP, socket_take, ends);
                return r;
        }
        for (size_t i = 0; i < d->set->n && r >= 0; i++) {
                const struct socket_query *q = d->set->queries[i];
                struct unix_diag_req one;

                if (!q->inode || q->inode > UINT32_MAX ||
                        socket_set_find(d->set, q->inode, SOCKET_UNIX) != (ptrdiff_t)i)
                        continue;
                one = unix_request((uint32_t)q->inode, 0, show);
                r = diag_ask(d, &one, sizeof(one), 0, socket_take, ends);
                if (r == -ENOENT && (probed || (r = unix_probe(d)) >= 0)) {
                        probed = true;
                        r = 0;
                }
        }
        return r;
}

static int end_compare(const void *a, const void *b)
{
        uint64_t x = ((const struct unix_end *)a)->inode, y = ((const struct unix_end *)b)->inode;

        return x < y ? -1 : x > y;
}

/* The first of that inode; n: none. */
static size_t end_find(const struct unix_end *ends, size_t n, uint64_t inode)
{
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (ends[middle].inode < inode)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < n && ends[low].inode == inode ? low : n;
}

static bool peer_take(struct diag *d, const void *message, size_t len, void *arg)
{
        struct unix_ends *ends = arg;
        char name[SOCKET_UNIX_MAX];
        struct unix_diag_msg m;
        const char *copy;
        size_t i;

        if (!message_head(message, len, &m))
                return true;
        i = end_find(ends->peers, ends->n_peers, m.udiag_ino);
        if (i == ends->n_peers)
                return true;
        copy = arena_str(d->set->arena, message_name(name, message, len));
        for (; i < ends->n_peers && ends->peers[i].inode == m.udiag_ino; i++) {
                ends->peers[i].object->remote = copy;
                ends->n_left--;
        }
        return ends->n_left > 0;
}

static void peers_ask(struct diag *d, struct unix_ends *ends)
{
        size_t n = ends->n_peers;

        qsort(ends->peers, n, sizeof(*ends->peers), end_compare);
        ends->n_left = n;
        if (n > EXACT_MAX) {
                const struct unix_diag_req all = unix_request(0, ~0U, UDIAG_SHOW_NAME);

                diag_ask(d, &all, sizeof(all), NLM_F_DUMP, peer_take, ends);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                struct unix_diag_req one;

                if (i && ends->peers[i].inode == ends->peers[i - 1].inode)
                        continue;
                one = unix_request((uint32_t)ends->peers[i].inode, 0, UDIAG_SHOW_NAME);
                diag_ask(d, &one, sizeof(one), 0, peer_take, ends);
        }
}

static bool listener_take(struct diag *d, const void *message, size_t len, void *arg)
{
        struct unix_ends *ends = arg;
        char buffer[SOCKET_UNIX_MAX];
        const char *icons, *name = NULL;
        struct unix_diag_msg m;
        size_t n = 0;

        if (!message_head(message, len, &m) || m.udiag_state != STATE_LISTEN)
                return true;
        icons = diag_attribute(message, len, sizeof(m), UNIX_DIAG_ICONS, &n);
        for (; icons && n >= sizeof(uint32_t); icons += sizeof(uint32_t), n -= sizeof(uint32_t)) {
                uint32_t client;
                size_t i;

                memcpy(&client, icons, sizeof(client));
                i = end_find(ends->waiting, ends->n_waiting, client);
                for (; i < ends->n_waiting && ends->waiting[i].inode == client; i++) {
                        struct object *o = ends->waiting[i].object;

                        if (o->peer_inode)
                                continue;
                        if (!name)
                                name = arena_str(d->set->arena, message_name(buffer, message, len));
                        o->remote = name;
                        o->peer_inode = m.udiag_ino;
                        ends->n_left--;
                }
        }
        return ends->n_left > 0;
}

static void listeners_ask(struct diag *d, struct unix_ends *ends)
{
        const struct unix_diag_req all =
                unix_request(0, 1U << STATE_LISTEN, UDIAG_SHOW_NAME | UDIAG_SHOW_ICONS);

        qsort(ends->waiting, ends->n_waiting, sizeof(*ends->waiting), end_compare);
        ends->n_left = ends->n_waiting;
        diag_ask(d, &all, sizeof(all), NLM_F_DUMP, listener_take, ends);
}

/* Sockets whose call is to reach another one by its name, to which they are not connected. */
struct unix_targets {
        struct socket_query **queries; /* sorted by target */
        uint64_t *inodes;              /* of whom each is to reach */
        bool *many;                    /* several have that name */
        size_t n;
};

static int target_compare(const void *a, const void *b)
{
        return strcmp((*(struct socket_query *const *)a)->target,
                (*(struct socket_query *const *)b)->target);
}

static bool target_take(struct diag *d, const void *message, size_t len, void *arg)
{
        struct unix_targets *t = arg;
        char buffer[SOCKET_UNIX_MAX];
        const char *name, *type;
        struct unix_diag_msg m;
        size_t low = 0, high = t->n;

        (void)d;
        if (!message_head(message, len, &m))
                return true;
        name = message_name(buffer, message, len);
        type = socket_type_name(m.udiag_type);
        if (!name || !type || (m.udiag_type != SOCK_DGRAM && m.udiag_state != STATE_LISTEN))
                return true;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(t->queries[middle]->target, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < t->n && strcmp(t->queries[low]->target, name) == 0; low++) {
                const char *own = t->queries[low]->object->type;

                if (!own || strcmp(own, type) != 0)
                        continue;
                t->many[low] = t->inodes[low] != 0;
                t->inodes[low] = m.udiag_ino;
        }
        return true;
}

/* Only where one socket has the name: the same path may be another file, seen from elsewhere. */
static void targets_ask(struct diag *d)
{
        const struct unix_diag_req all = unix_request(0, ~0U, UDIAG_SHOW_NAME);
        struct unix_targets t = { 0 };
        size_t n = d->set->n;

        t.queries = calloc(n, sizeof(struct socket_query *));
        t.inodes = calloc(n, sizeof(*t.inodes));
        t.many = calloc(n, sizeof(*t.many));
        for (size_t i = 0; t.queries && t.inodes && t.many && i < n; i++) {
                struct socket_query *q = d->set->queries[i];
                const struct object *o = q->object;

                if (q->target && !o->peer_inode && o->kind && strcmp(o->kind, "unix") == 0)
                        t.queries[t.n++] = q;
        }
        if (t.n) {
                qsort(t.queries, t.n, sizeof(struct socket_query *), target_compare);
                if (diag_ask(d, &all, sizeof(all), NLM_F_DUMP, target_take, &t) < 0)
                        t.n = 0;
        }
        for (size_t i = 0; i < t.n; i++) {
                t.queries[i]->object->remote = t.queries[i]->target;
                if (!t.many[i])
                        t.queries[i]->object->peer_inode = t.inodes[i];
        }
        free(t.queries);
        free(t.inodes);
        free(t.many);
}

int diag_unix(struct diag *d)
{
        size_t most = d->set->left[SOCKET_UNIX];
        struct unix_ends ends = { 0 };
        int r = -ENOMEM;

        ends.peers = calloc(most, sizeof(*ends.peers));
        ends.waiting = calloc(most, sizeof(*ends.waiting));
        if (ends.peers && ends.waiting)
                r = sockets_ask(d, &ends);
        if (ends.n_peers)
                peers_ask(d, &ends);
        if (ends.n_waiting)
                listeners_ask(d, &ends);
        targets_ask(d);
        free(ends.peers);
        free(ends.waiting);
        return r;
}
