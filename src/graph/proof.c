/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What could end a wait besides its owners, and can be seen: a signal that is pending, and a
 * timer of the process that sends one. Of setitimer(2) and alarm(2) nothing is shown: who has a
 * handler for SIGALRM is taken to have set one. Timeouts of sockets are told by a program inside
 * the kernel, where that may be used.
 */
#include "graph/proof.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "capture/bpf/filewire.h"
#include "capture/fileiter.h"
#include "graph/lookup.h"
#include "graph/waits.h"
#include "resolve/fdscan.h"
#include "resolve/kinds.h"
#include "resolve/setshare.h"

static int thread_compare(const void *a, const void *b)
{
        const struct proof_thread *x = a, *y = b;

        return (x->tid > y->tid) - (x->tid < y->tid);
}

static void thread_init(struct proof_thread *p, const struct thread *t)
{
        const struct object *o = t->wait.object;

        *p = (struct proof_thread){
                .pid = t->process->pid, .tid = t->tid, .polls = t->wait.reason == REASON_POLL
        };
        if (t->wait.reason == REASON_POLL || !o || !o->kind || o->fd < 0 ||
                (strcmp(o->kind, "unix") != 0 && strcmp(o->kind, "tcp") != 0))
                return;
        p->of_socket = true;
        p->sends = t->wait.reason == REASON_SEND || t->wait.reason == REASON_WRITE;
        p->fd = o->fd;
        p->inode = o->inode;
}

int proof_new(
        struct snapshot *s, const struct graph *g, const bool *behind, struct proof **ret_proof)
{
        struct proof *p = arena_new_one(s->arena, struct proof);
        size_t n = 0;

        for (uint32_t i = 0; i < g->n_threads; i++)
                n += behind[i];
        if (p)
                p->threads = arena_new_array(s->arena, struct proof_thread, n + 1);
        if (!p || !p->threads)
                return -ENOMEM;
        for (uint32_t i = 0; i < g->n_threads; i++)
                if (behind[i])
                        thread_init(&p->threads[p->n_threads++], g->nodes[i].thread);
        qsort(p->threads, p->n_threads, sizeof(*p->threads), thread_compare);
        *ret_proof = p;
        return 0;
}

int proof_owners(struct snapshot *s, const struct graph *g, const bool *behind,
        struct owner **ret_owners, size_t *ret_n)
{
        struct owner *owners;
        size_t n = 0;

        for (uint32_t i = 0; i < g->n_nodes; i++)
                n += behind[i];
        owners = arena_new_array(s->arena, struct owner, n + 1);
        if (!owners)
                return -ENOMEM;
        n = 0;
        for (uint32_t i = 0; i < g->n_nodes; i++)
                if (behind[i])
                        owners[n++] = (struct owner){ .pid = g->nodes[i].process->pid,
                                .tid = g->nodes[i].thread ? g->nodes[i].thread->tid : 0 };
        *ret_owners = owners;
        *ret_n = n;
        return 0;
}

#define SOCKETS_MAX 64      /* looked into for timeouts */
#define IN_FLIGHT_MAX 20000 /* sockets asked for descriptors in their queues */

#define SIGNAL(n) (UINT64_C(1) << ((n)-1))

/*
 * "ID: 0\nsignal: 14/0000000000000000\nnotify: signal/pid.4242\nClockID: 0\n" for each timer of
 * timer_create(2); whether one is running is not shown. Those that tell another thread do no harm
 * here ("signal/tid.17").
 */
static uint64_t timers_signals(const char *text, pid_t tid)
{
        uint64_t signals = 0;
        const char *at = text;

        while ((at = strstr(at, "signal: "))) {
                int number, owner = 0;
                char kind[4] = "";

                if (sscanf(at, "signal: %d/%*[^\n]\nnotify: signal/%3[a-z].%d", &number, kind,
                            &owner) == 3 &&
                        number > 0 && number <= 64 && (strcmp(kind, "pid") == 0 || owner == tid))
                        signals |= SIGNAL(number);
                at += strlen("signal: ");
        }
        return signals;
}

static void thread_read(struct procio *io, struct proof_thread *t)
{
        struct procfile_status status = { 0 };
        _cleanup_close_ int dir = procio_open_process(io, t->pid);
        uint64_t soon = SIGNAL(SIGALRM), timers;
        const char *text;
        char path[48];
        ssize_t n;

        if (dir < 0)
                return;
        /* Where the kernel has no such file, it has these timers all the same: say nothing. */
        n = procio_read(io, dir, "timers", t->pid, HANG_NONE, &text);
        timers = n < 0 ? ~UINT64_C(0) : timers_signals(text, t->tid);
        snprintf(path, sizeof(path), "task/%d/status", (int)t->tid);
        n = procio_read(io, dir, path, t->pid, HANG_NONE, &text);
        if (n <= 0 || procfile_status(text, (size_t)n, &status) <= 0 || !status.has_switches ||
                !status.has_signals)
                return;
        t->known = true;
        t->switches = status.switches;
        t->calm = !(status.sig_pending & ~status.sig_blocked & ~status.sig_ignored) &&
                  !((soon | timers) & status.sig_caught & ~status.sig_blocked);
}

/* A socket may have a timeout of its own (SO_RCVTIMEO), which only the kernel can tell. */
static int socket_see(void *arg, const struct wire_file *f)
{
        struct proof_thread *t = arg;
        unsigned ends = t->sends ? f->send_ends : f->receive_ends;

        if (f->kind != WIRE_FILE_SOCKET || f->fd != t->fd || f->inode != t->inode)
                return 0;
        t->endless |= ends == WIRE_TIMEOUT_NONE;
        t->calm &= ends != WIRE_TIMEOUT_SET;
        return 0;
}

/*
 * A descriptor in the message of a unix socket (SCM_RIGHTS) is in nobody's table, and may be
 * another end of the very pipe that somebody waits for: whoever receives it can write to it. fdinfo
 * of a socket counts those in its queue ("scm_fds: 1", since 5.12).
 */
static bool descriptors_in_flight(struct procio *io, const struct fdscan *scan)
{
        size_t n;
        const struct fd_entry *e = fdscan_class(scan, FD_SOCKET, &n);

        for (size_t i = 0, asked = 0; i < n && asked < IN_FLIGHT_MAX; i++) {
                const char *text;
                uint64_t count;
                char path[64];

                if (i > 0 && e[i].number == e[i - 1].number)
                        continue;
                asked++;
                snprintf(path, sizeof(path), "%d/task/%d/fdinfo/%d", (int)e[i].pid, (int)e[i].tid,
                        e[i].fd);
                if (procio_read(io, procio_root(io), path, e[i].pid, HANG_FILE, &text) > 0 &&
                        fdinfo_number(text, "scm_fds", 10, &count) && count)
                        return true;
        }
        return false;
}

/* Whoever polls may wait in an epoll set, or for one. */
static void shares_find(struct procio *io, struct snapshot *s, struct proof *p)
{
        pid_t last = 0;
        bool shares = false;

        for (size_t i = 0; i < p->n_threads; i++) {
                struct proof_thread *t = &p->threads[i];

                if (!t->polls)
                        continue;
                if (!s->fd_scan && fdscan_new(io, s, FDSCAN_PATIENCE, &s->fd_scan) < 0) {
                        t->shares = true;
                        continue;
                }
                if (t->pid != last)
                        shares = epoll_may_be_shared(io, s->fd_scan, t->pid);
                last = t->pid;
                t->shares = shares;
        }
}

void proof_read(struct procio *io, struct snapshot *s, struct proof *p)
{
        struct fileiter *files = NULL;
        size_t n_sockets = 0;

        for (size_t i = 0; i < p->n_threads; i++) {
                struct proof_thread *t = &p->threads[i];

                thread_read(io, t);
                if (!t->of_socket || n_sockets == SOCKETS_MAX)
                        continue;
                if (n_sockets++ == 0)
                        fileiter_new(&files);
                if (files)
                        fileiter_files(files, t->pid, socket_see, t);
        }
        fileiter_free(files);
        shares_find(io, s, p);
        p->in_flight = s->fd_scan && descriptors_in_flight(io, s->fd_scan);
}

static bool text_equal(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

static bool object_equal(const struct object *a, const struct object *b)
{
        if (!a || !b)
                return a == b;
        return text_equal(a->kind, b->kind) && a->fd == b->fd && a->inode == b->inode &&
               a->has_address == b->has_address && (!a->has_address || a->address == b->address);
}

/* The same owners, in whatever order. */
static bool owners_equal(const struct wait *a, const struct wait *b)
{
        if (a->n_on != b->n_on || a->on_any != b->on_any || a->on_whole != b->on_whole)
                return false;
        for (size_t i = 0; i < a->n_on; i++) {
                bool found = false;

                for (size_t j = 0; j < b->n_on && !found; j++)
                        found = a->on[i].pid == b->on[j].pid && a->on[i].tid == b->on[j].tid &&
                                a->on[i].role == b->on[j].role;
                if (!found)
                        return false;
        }
        return true;
}

/* When it began is told by files alone: the two looks may have been from different sources. */
static bool start_equal(const struct thread *a, const struct thread *b)
{
        return !a->start_time || !b->start_time || a->start_time == b->start_time;
}

static bool thread_equal(const struct thread *a, const struct thread *b)
{
        const struct wait *v = &a->wait, *w = &b->wait;

        return a->process->pid == b->process->pid &&
               a->process->start_time == b->process->start_time && start_equal(a, b) &&
               a->state == b->state && !b->moved && a->has_switches && b->has_switches &&
               a->switches == b->switches && a->call.state == b->call.state &&
               a->call.nr == b->call.nr &&
               memcmp(a->call.args, b->call.args, sizeof(a->call.args)) == 0 &&
               v->reason == w->reason && v->confidence == w->confidence &&
               object_equal(v->object, w->object) && owners_equal(v, w);
}

static const struct proof_thread *proof_find(const struct proof *p, pid_t tid)
{
        const struct proof_thread key = { .tid = tid };

        return bsearch(&key, p->threads, p->n_threads, sizeof(key), thread_compare);
}

int proof_apply(
        const struct proof *p, struct graph *g, const bool *behind, const struct snapshot *again)
{
        struct lookup *l;
        uint32_t place;
        int r = lookup_new(again, &l);

        if (r < 0)
                return r;
        for (uint32_t i = 0; i < g->n_nodes; i++) {
                struct node *node = &g->nodes[i];
                const struct proof_thread *last;
                const struct thread *t;

                if (!behind[i])
                        continue;
                if (!node->thread) {
                        const struct process *second =
                                lookup_process(l, node->process->pid, &place);

                        node->held &= second && process_is_whole(second) &&
                                      second->start_time == node->process->start_time &&
                                      second->n_alive == node->process->n_alive;
                        continue;
                }
                t = lookup_thread(l, node->thread->tid, &place);
                last = proof_find(p, node->thread->tid);
                if (!t || !last || !last->known || last->switches != node->thread->switches ||
                        !thread_equal(node->thread, t))
                        node->left = true;
                node->held &= !node->left && last->calm;
                node->thread->endless = last && last->endless;
                if ((last && last->shares) || (p->in_flight && node->thread->wait.on_any &&
                                                      node->thread->wait.reason != REASON_CHILD)) {
                        node->thread->wait.on_whole = node->whole = false;
                        node->held = false;
                }
        }
        lookup_free(l);
        return 0;
}
