/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries in, grouped by network namespace; each group is answered inside its namespace, where
 * we may enter it, or from its text tables. What is found nowhere gets the name of its
 * protocol: a TCP socket that is neither connected nor bound is in no table at all.
 *
 * A socket can belong to another namespace than its owner, when it was handed over (socket
 * activation, container engines): what a foreign group leaves open is looked for once more in
 * our own. This is safe, inode numbers of sockets are the same sequence for all namespaces.
 *
 * Entering namespaces changes the calling thread: this runs in a worker of one thread, and
 * goes back after each group.
 */
#include "resolve/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/netns.h"
#include "resolve/sockdiag.h"
#include "resolve/socketpeers.h"
#include "resolve/socketset.h"
#include "resolve/socktext.h"

#define TIME_MAX_NS (5 * NS_PER_S) /* for all: a busy machine has many tables to walk through */
#define PROCESSES_MAX 8            /* asked for their namespace, if the first are gone */

/* 1: entered; 0: it is our own; -errno. */
static int namespace_enter(const struct namespaces *ns, const struct socket_set *set)
{
        pid_t last = 0;
        int r = -ENOENT, tried = 0;

        for (size_t i = 0; i < set->n && tried < PROCESSES_MAX; i++) {
                if (set->queries[i]->pid == last && i)
                        continue;
                last = set->queries[i]->pid;
                tried++;
                r = namespaces_enter(ns, set->queries[0]->net_ns, last);
                if (r >= 0 || ns->own < 0)
                        return r;
        }
        return r;
}

static int query_compare(const void *a, const void *b)
{
        const struct socket_query *x = *(struct socket_query *const *)a;
        const struct socket_query *y = *(struct socket_query *const *)b;

        if (x->net_ns != y->net_ns)
                return x->net_ns < y->net_ns ? -1 : 1;
        if (!x->net_ns && x->pid != y->pid)
                return x->pid < y->pid ? -1 : 1;
        return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static int inode_compare(const void *a, const void *b)
{
        uint64_t x = (*(struct socket_query *const *)a)->inode;
        uint64_t y = (*(struct socket_query *const *)b)->inode;

        return x < y ? -1 : x > y;
}

/* Why the tables that something is still missing from were not read. */
static void group_gap(struct snapshot *s, const struct namespaces *ns, const struct socket_set *set,
        int entered, unsigned missed, unsigned cut, int64_t deadline_ns)
{
        const char *remedy = NULL, *why;
        bool no_text = true;

        missed = socket_set_wants(set, missed);
        if (!missed)
                return;
        for (size_t t = 0; t < SOCKET_TABLES; t++)
                if (socket_tables[t].text && (missed & SOCKET_BIT(t)))
                        no_text = false;
        if (entered == -EPERM || entered == -EACCES) {
                why = "entering another network namespace needs CAP_SYS_ADMIN";
                remedy = "run pwhy with sudo";
        } else if (clock_ns(CLOCK_MONOTONIC) >= deadline_ns) {
                why = "reading the tables of sockets took too long";
        } else if (missed & cut) {
                why = "a table below /proc/PID/net is longer than pwhy reads";
        } else if (!procio_live(ns->io)) {
                why = "the recording has no table of them";
        } else if (no_text) {
                why = "the kernel has no list of this kind of socket";
        } else {
                /* The process is gone; that is noted where it was read. */
                return;
        }
        snapshot_gap(s, "sockets", why, remedy, false);
}

/* queries: of one namespace, sorted by inode. */
static void group_resolve(struct namespaces *ns, struct snapshot *s, struct socket_query **queries,
        size_t n, int64_t deadline_ns)
{
        struct socktext_result text = { 0 };
        unsigned missed = SOCKET_ALL;
        struct socket_set set;
        int entered = -ENOENT;

        socket_set_init(&set, s->arena, queries, n);
        if (!socket_set_wants(&set, SOCKET_ALL))
                return;
        if (procio_live(ns->io))
                entered = namespace_enter(ns, &set);
        if (entered >= 0)
                missed &= ~sockdiag_run(&set, deadline_ns);
        if (entered > 0)
                namespaces_leave(ns);
        if (socket_set_wants(&set, missed))
                socktext_run(ns->io, &set, missed, deadline_ns, &text);
        group_gap(s, ns, &set, entered, missed & ~text.read, text.cut, deadline_ns);
}

/* Those of foreign namespaces that are not done, once more in our own. */
static void rest_resolve(const struct namespaces *ns, struct snapshot *s,
        struct socket_query **queries, size_t n, int64_t deadline_ns)
{
        struct socket_set set;
        size_t kept = 0;

        if (ns->own < 0 || ns->lost)
                return;
        for (size_t i = 0; i < n; i++)
                if (!queries[i]->done && queries[i]->net_ns != ns->own_inode)
                        queries[kept++] = queries[i];
        qsort(queries, kept, sizeof(queries[0]), inode_compare);
        socket_set_init(&set, s->arena, queries, kept);
        if (socket_set_wants(&set, SOCKET_ALL))
                sockdiag_run(&set, deadline_ns);
}

void sockets_resolve(struct procio *io, struct snapshot *s, struct socket_query *queries)
{
        int64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + TIME_MAX_NS;
        _cleanup_free_ struct socket_query **sorted = NULL;
        struct namespaces ns;
        size_t n = 0;

        for (struct socket_query *q = queries; q; q = q->next)
                n += !q->done;
        if (!n)
                return;
        sorted = calloc(n, sizeof(sorted[0]));
        if (!sorted) {
                snapshot_gap(s, "sockets", "out of memory", NULL, false);
                return;
        }
        namespaces_init(&ns, io);
        n = 0;
        for (struct socket_query *q = queries; q; q = q->next) {
                if (q->done)
                        continue;
                sorted[n++] = q;
                if (ns.own >= 0 && !q->net_ns && q->pid > 0) {
                        int fd = namespaces_open(io, q->pid, &q->net_ns);

                        if (fd >= 0)
                                close(fd);
                }
        }
        qsort(sorted, n, sizeof(sorted[0]), query_compare);
        for (size_t i = 0, end; i < n; i = end) {
                for (end = i + 1; end < n && sorted[end]->net_ns == sorted[i]->net_ns; end++)
                        if (!sorted[i]->net_ns && sorted[end]->pid != sorted[i]->pid)
                                break;
                group_resolve(&ns, s, sorted + i, end - i, deadline_ns);
        }
        rest_resolve(&ns, s, sorted, n, deadline_ns);
        socketpeers_resolve(&ns, s, queries, deadline_ns);
        namespaces_done(&ns);
        for (struct socket_query *q = queries; q; q = q->next)
                if (!q->done)
                        socket_query_guess(s->arena, q);
}
