/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lock belongs to an open file (flock, OFD, lease) or to a process (POSIX). Whoever has the file
 * open can give its lock up; of several locks each has to be given up. So what was found is sorted
 * by lock first. Every time it is read again: a holder is named for now, not for a moment ago.
 */
#include "resolve/lockholders.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/procio.h"
#include "resolve/children.h"
#include "resolve/locksearch.h"
#include "resolve/locktext.h"
#include "resolve/resolver.h"

#define FOUND_MAX 64

struct found {
        size_t held[FOUND_MAX]; /* places in the search */
        size_t lock[FOUND_MAX]; /* the first of these that shows the same lock */
        size_t n;
        bool more;
};

static bool lock_same_bytes(const struct lock_line *a, const struct lock_line *b)
{
        return a->type == b->type && a->write == b->write && a->start == b->start &&
               a->end == b->end;
}

/*
 * Of two processes, or fds: is it one lock? Who took it tells them apart. Where nothing does, they
 * are taken for one, of which any holder is enough: that builds no deadlock that is none.
 */
static bool held_same(struct procio *io, const struct held *a, const struct held *b)
{
        if (a->line.type != b->line.type)
                return false;
        if (a->line.pid > 0 && b->line.pid > 0 && a->line.pid != b->line.pid)
                return false;
        if (a->line.type == LOCK_POSIX)
                return a->pid == b->pid || a->line.pid > 0;
        if (!procio_live(io))
                return true;
        return syscall(SYS_kcmp, a->tid, b->tid, KCMP_FILE, a->fd, b->fd) <= 0;
}

static bool stands_against(struct resolver *r, const struct held *h, const struct lock_line *wanted)
{
        if (!lock_same_file(&h->line, wanted) || !lock_conflicts(&h->line, wanted))
                return false;
        if (h->line.type == LOCK_LEASE && !h->line.breaking)
                return false;
        /* Against itself a process's POSIX locks never stand. */
        return h->line.type != LOCK_POSIX || wanted->type != LOCK_POSIX ||
               h->pid != resolver_process_of(r)->pid;
}

static void found_collect(const struct lock_search *s, struct resolver *r,
        const struct lock_line *wanted, struct found *ret)
{
        struct procio *io = resolver_io(r);

        ret->n = 0;
        ret->more = false;
        for (size_t i = 0; i < s->n_held && !ret->more; i++) {
                const struct held *h = &s->held[i];
                size_t lock = ret->n;

                if (!stands_against(r, h, wanted) || !held_still(io, h))
                        continue;
                if (ret->n == FOUND_MAX) {
                        ret->more = true;
                        return;
                }
                for (size_t k = 0; k < ret->n && lock == ret->n; k++)
                        if (ret->lock[k] == k && held_same(io, &s->held[ret->held[k]], h))
                                lock = k;
                ret->held[ret->n] = i;
                ret->lock[ret->n++] = lock;
        }
}

/* Does the list's line stand in the way of what is wanted? */
static bool line_counts(
        struct resolver *r, const struct lock_line *line, const struct lock_line *wanted)
{
        const struct held as_held = { .pid = line->pid, .line = *line };

        return !line->blocked && stands_against(r, &as_held, wanted);
}

/* A lock is seen once for each fd that has it. */
static bool is_first_of_lock(const struct lock_search *s, const struct found *f, size_t at)
{
        for (size_t i = 0; i < at; i++)
                if (f->lock[i] == f->lock[at] &&
                        lock_same_bytes(&s->held[f->held[i]].line, &s->held[f->held[at]].line))
                        return false;
        return true;
}

/* Lines of OFD locks may be equal: then there have to be as many locks. */
static bool line_is_found(const struct lock_search *s, const struct locks_held *locks,
        const struct found *f, size_t at)
{
        const struct lock_line *line = &locks->lines[at];
        size_t n_lines = 0, n_found = 0;

        for (size_t i = 0; i <= at; i++)
                n_lines += !locks->lines[i].blocked && locks->lines[i].pid == line->pid &&
                           lock_same_file(&locks->lines[i], line) &&
                           lock_same_bytes(&locks->lines[i], line);
        for (size_t i = 0; i < f->n; i++) {
                const struct lock_line *held = &s->held[f->held[i]].line;

                n_found += held->pid == line->pid && lock_same_bytes(held, line) &&
                           is_first_of_lock(s, f, i);
        }
        return n_found >= n_lines;
}

/* Who took them, as far as the list tells. True: some were looked at. */
static bool takers_search(struct lock_search *s, struct resolver *r, const struct locks_held *locks,
        const struct lock_line *wanted, const struct found *f)
{
        bool looked = false;

        for (size_t i = 0; i < locks->n; i++) {
                if (locks->lines[i].pid <= 0 || !line_counts(r, &locks->lines[i], wanted) ||
                        line_is_found(s, locks, f, i))
                        continue;
                lock_search_process(s, r, locks->lines[i].pid);
                looked = true;
        }
        return looked;
}

static bool sharers_search(struct lock_search *s, struct resolver *r, const struct found *f)
{
        bool looked = false;

        for (size_t i = 0; i < f->n; i++) {
                const struct held *h = &s->held[f->held[i]];

                if (h->spread || h->line.type == LOCK_POSIX)
                        continue;
                lock_search_sharers(s, r, f->held[i]);
                looked = true;
        }
        return looked;
}

static bool some_missed(const struct lock_search *s, struct resolver *r,
        const struct locks_held *locks, const struct lock_line *wanted, const struct found *f)
{
        if (f->more)
                return true;
        for (size_t i = 0; i < locks->n; i++)
                if (line_counts(r, &locks->lines[i], wanted) && !line_is_found(s, locks, f, i))
                        return true;
        return false;
}

static void holder_add(struct resolver *r, struct holders *to, pid_t pid)
{
        if (pid == resolver_process_of(r)->pid) {
                to->self = true;
                return;
        }
        for (size_t i = 0; i < to->n; i++)
                if (to->owners[i].pid == pid)
                        return;
        if (to->n < HOLDERS_MAX)
                to->owners[to->n++] = (struct owner){
                        .pid = pid, .comm = children_comm(r, pid), .role = ROLE_HOLDER
                };
}

void lock_holders(struct lock_search *s, struct resolver *r, const struct locks_held *locks,
        const struct lock_line *wanted, struct holders *ret)
{
        struct found f;

        *ret = (struct holders){ .n = 0 };
        found_collect(s, r, wanted, &f);
        if (!s->searched && takers_search(s, r, locks, wanted, &f))
                found_collect(s, r, wanted, &f);
        if (!s->searched && sharers_search(s, r, &f))
                found_collect(s, r, wanted, &f);
        if ((locks->some_hidden || some_missed(s, r, locks, wanted, &f)) && lock_search_all(s, r))
                found_collect(s, r, wanted, &f);
        for (size_t i = 0; i < f.n; i++) {
                pid_t pid = s->held[f.held[i]].pid;

                holder_add(r, ret, pid);
                ret->shared |= pid != s->held[f.held[f.lock[i]]].pid;
        }
        ret->missed = locks->some_hidden || some_missed(s, r, locks, wanted, &f);
}
