/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/locks says who waits for which lock, but not surely who holds it (lockholders.h). So
 * the list gives the file and the bytes, and all locks that stand against the request.
 */
#include "resolve/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/flockmem.h"
#include "resolve/kinds.h"
#include "resolve/lockholders.h"
#include "resolve/locksearch.h"
#include "resolve/locktext.h"
#include "resolve/resolver.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

#define FRESH_NS (10 * NS_PER_MS) /* a list of this age is not read again for its holders */
#define CHEAP_NS NS_PER_MS        /* what took no longer to read is, for a waiter */
#define TEXT_MAX (8U << 20)
#define LINES_MAX 65536

struct locks {
        struct lock_line *lines; /* of /proc/locks */
        size_t n_lines;
        int64_t read_at; /* 0: not yet */
        int64_t cost_ns; /* of reading it */
        bool outermost;  /* it leaves out nobody's locks */
        struct lock_search search;
};

struct request { /* what the thread asks for, as far as its call tells */
        struct lock_line line;
        pid_t pid;
        bool has_mode, has_range;
        uint64_t inode; /* 0: not known */
        uint64_t mount; /* 0: not known */
        bool has_device;
        uint32_t major, minor;
};

void locks_free(struct locks *l)
{
        if (!l)
                return;
        free(l->lines);
        lock_search_done(&l->search);
        free(l);
}

/*
 * To its very end: a record of this file is a lock with all its waiters, so that a piece of
 * it may be small although more follows.
 */
static char *list_read(struct procio *io, size_t *ret_len)
{
        _cleanup_close_ int fd = procio_open(io, procio_root(io), "locks");
        size_t len = 0, room = 65536;
        char *text = fd < 0 ? NULL : malloc(room);
        ssize_t n;

        while (text && len < TEXT_MAX) {
                if (len == room) {
                        char *grown = realloc(text, room *= 2);

                        if (!grown)
                                break;
                        text = grown;
                }
                n = read(fd, text + len, room - len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                len += (size_t)n;
        }
        *ret_len = len;
        return text;
}

/*
 * Who has just begun to wait is in no list that is older, not even by a moment: only where it is
 * long does it have to be good for several threads.
 */
static bool list_refresh(struct locks *l, struct procio *io, bool for_waiter)
{
        _cleanup_free_ char *text = NULL;
        struct lock_line *lines;
        size_t len, n;
        int64_t now = clock_ns(CLOCK_MONOTONIC);

        if (l->read_at && now - l->read_at < FRESH_NS && !(for_waiter && l->cost_ns < CHEAP_NS))
                return false;
        if (!l->read_at)
                l->outermost = procio_outermost(io) || !procio_live(io);
        text = list_read(io, &len);
        if (!text || lock_lines_parse(text, len, LINES_MAX, &lines, &n) < 0)
                return false;
        free(l->lines);
        l->lines = lines;
        l->n_lines = n;
        l->read_at = now;
        l->cost_ns = clock_ns(CLOCK_MONOTONIC) - now;
        return true;
}

/* A lease's waiter has no file in its line, but the lease above it has. */
static const struct lock_line *line_file(const struct locks *l, const struct lock_line *line)
{
        return line->type == LOCK_LEASE ? &l->lines[line->root] : line;
}

static bool waiter_is(const struct locks *l, const struct lock_line *line, const struct request *q)
{
        const struct lock_line *file = line_file(l, line);

        if (!line->blocked || line->type != q->line.type || file->type != q->line.type)
                return false;
        /* An OFD lock belongs to nobody: its file and bytes must say it all. */
        if (q->line.type == LOCK_OFD ? !q->inode || !q->has_range : line->pid != q->pid)
                return false;
        if (!file->has_file || (q->inode && file->inode != q->inode))
                return false;
        if (q->has_device && (file->major != q->major || file->minor != q->minor))
                return false;
        if (q->has_mode && line->write != q->line.write)
                return false;
        return !q->has_range || (line->start == q->line.start && line->end == q->line.end);
}

/* The thread's own line; NULL: none, or several that differ. */
static const struct lock_line *waiter_find(const struct locks *l, const struct request *q)
{
        const struct lock_line *found = NULL;

        for (size_t i = 0; i < l->n_lines; i++) {
                const struct lock_line *line = &l->lines[i];

                if (!waiter_is(l, line, q))
                        continue;
                if (!found)
                        found = line;
                else if (!lock_same_file(line_file(l, found), line_file(l, line)) ||
                         found->write != line->write || found->start != line->start ||
                         found->end != line->end)
                        return NULL;
        }
        return found;
}

/* "36 35 98:0 /mnt1 /mnt2 rw …": the device that belongs to the fd's "mnt_id:". */
static void device_read(struct resolver *r, struct request *q)
{
        struct procio *io = resolver_io(r);
        const char *text;
        char path[32];

        snprintf(path, sizeof(path), "%d/mountinfo", (int)q->pid);
        if (procio_read(io, procio_root(io), path, q->pid, HANG_FILE, &text) <= 0)
                return;
        for (const char *line = text; *line; line += *line == '\n') {
                unsigned long long id;
                unsigned major, minor;

                if (sscanf(line, "%llu %*d %u:%u", &id, &major, &minor) == 3 && id == q->mount) {
                        q->has_device = true;
                        q->major = major;
                        q->minor = minor;
                        return;
                }
                line += strcspn(line, "\n");
        }
}

/* What the call says about the lock; false: it does not wait for one. */
static bool request_make(struct resolver *r, const struct thread *t, struct request *q)
{
        static const char leases[] = "__break_lease|break_lease";
        const struct call *c = &t->call;
        uint64_t position = 0;
        struct flock_wanted wanted;
        const char *info = NULL;
        struct fd_ref ref;

        *q = (struct request){ .pid = t->process->pid, .line = { .end = LOCK_EOF } };
        if (call_is(c, "flock")) {
                q->line.type = LOCK_FLOCK;
                q->line.write = c->args[1] & LOCK_EX;
                q->has_mode = c->args[1] & (LOCK_EX | LOCK_SH);
        } else if (flock_command_waits(c)) {
                q->line.type = (int)c->args[1] == F_OFD_SETLKW ? LOCK_OFD : LOCK_POSIX;
        } else if (t->kernel_stack ? stack_has(t->kernel_stack, leases)
                                   : t->wchan && symbol_matches(t->wchan, leases)) {
                q->line.type = LOCK_LEASE;
                return true;
        } else {
                return false;
        }
        ref = (struct fd_ref){ resolver_dir(r), q->pid, t->tid, (int)c->args[0] };
        if (procio_fd_info(resolver_io(r), &ref, &info) <= 0)
                info = NULL;
        fdinfo_number(info, "ino", 10, &q->inode);
        fdinfo_number(info, "mnt_id", 10, &q->mount);
        fdinfo_number(info, "pos", 10, &position);
        if (flock_wanted(c, position, &wanted)) {
                q->has_mode = true;
                q->line.write = wanted.write;
                q->has_range = wanted.has_range;
                if (wanted.has_range) {
                        q->line.start = wanted.start;
                        q->line.end = wanted.end;
                }
        }
        if (q->line.type == LOCK_OFD && q->mount)
                device_read(r, q);
        return true;
}

/* The call's object for this thread alone: others wait for other bytes of the same fd. */
static struct object *object_make(
        struct resolver *r, const struct call *c, const struct request *q, bool found)
{
        struct object *o = arena_new_one(resolver_snapshot(r)->arena, struct object);

        if (!o)
                return NULL;
        if (c->object)
                *o = *c->object;
        else
                o->fd = -1;
        if (found)
                o->inode = q->line.inode;
        if ((q->line.type == LOCK_POSIX || q->line.type == LOCK_OFD) && (found || q->has_range)) {
                o->has_range = true;
                o->range_start = q->line.start;
                o->range_end = q->line.end;
        }
        return o;
}

static void gap_note(struct resolver *r, const struct locks *l)
{
        static const char what[] = "holders of file locks";
        struct snapshot *s = resolver_snapshot(r);

        if (l->search.cut)
                snapshot_gap(s, what, "there are too many open files to look through all of them",
                        NULL, false);
        else if (l->search.refused)
                snapshot_gap(s, what, "open files of other users' processes are not shown",
                        "run pwhy with sudo", false);
        else if (l->read_at && !l->outermost)
                snapshot_gap(s, what, "processes outside of this PID namespace are not shown",
                        "run pwhy on the host", false);
}

/* Where the list has no line of it: is all of it known from its call? */
static bool request_is_whole(const struct request *q)
{
        return q->inode && q->has_device && q->has_mode && q->line.type != LOCK_LEASE &&
               (q->line.type == LOCK_FLOCK || q->has_range);
}

/* From the line of the waiter: the file and bytes that its call did not tell. */
static void request_complete(
        struct request *q, const struct lock_line *line, const struct lock_line *file)
{
        q->line = *line;
        q->line.has_file = true;
        q->line.major = file->major;
        q->line.minor = file->minor;
        q->line.inode = file->inode;
}

/*
 * Inside of a PID namespace the list has no locks of those who took them outside, or took them and
 * ended, and none of their waiters. But what is asked for, the call tells, too.
 */
static bool request_complete_alone(struct resolver *r, const struct locks *l, struct request *q)
{
        if (!l->read_at || l->outermost)
                return false;
        if (!q->has_device && q->mount)
                device_read(r, q);
        if (!request_is_whole(q))
                return false;
        q->line.has_file = true;
        q->line.major = q->major;
        q->line.minor = q->minor;
        q->line.inode = q->inode;
        return true;
}

/* False: nothing is known of the lock that it wants. */
static bool holders_find(
        struct locks *l, struct resolver *r, struct request *q, struct holders *ret)
{
        const struct request asked = *q;

        for (bool again = false;; again = true) {
                const struct lock_line *line = waiter_find(l, &asked);
                bool known = line;

                *q = asked;
                *ret = (struct holders){ .n = 0 };
                if (line)
                        request_complete(q, line, line_file(l, line));
                else if (again)
                        known = request_complete_alone(r, l, q);
                if (known) {
                        const struct locks_held held = { l->lines, l->n_lines, !l->outermost };

                        lock_holders(&l->search, r, &held, &q->line, ret);
                }
                /* Since the list was read, others may have got the lock. */
                if (again || (line && (ret->n || ret->self) && !ret->missed))
                        return known;
                if (!list_refresh(l, resolver_io(r), !line) && line)
                        return known;
        }
}

void locks_resolve(struct resolver *r, struct thread *t)
{
        struct locks **slot = resolver_locks(r), *l = *slot;
        struct holders holders;
        struct object *o;
        struct request q;
        bool known;

        if (!strchr("SD", t->state) || !request_make(r, t, &q))
                return;
        if (!l)
                l = *slot = calloc(1, sizeof(*l));
        if (!l)
                return;
        known = holders_find(l, r, &q, &holders);
        /* Its own process cannot help it while another one can. */
        if (!holders.n && holders.self)
                holders.owners[holders.n++] = (struct owner){
                        .pid = q.pid, .comm = resolver_process_of(r)->comm, .role = ROLE_HOLDER
                };
        if (!holders.n)
                gap_note(r, l);
        o = object_make(r, &t->call, &q, known);
        if (!o)
                return;
        o->owners = arena_dup(
                resolver_snapshot(r)->arena, holders.owners, holders.n * sizeof(*holders.owners));
        o->n_owners = o->owners ? holders.n : 0;
        o->on_any = holders.shared;
        /* A lease is broken by force in the end (fs.lease-break-time). */
        o->on_whole = holders.n && holders.n < HOLDERS_MAX && q.line.type != LOCK_LEASE &&
                      !holders.missed && !l->search.cut && !l->search.refused && !l->search.blind;
        t->call.object = o;
}
