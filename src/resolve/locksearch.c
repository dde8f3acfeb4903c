/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fdinfo showed is kept with the fd that showed it, so that the next waiter costs one
 * reading. The search is bounded: other processes decide how many files they open.
 */
#include "resolve/locksearch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/fdscan.h"
#include "resolve/resolver.h"

/*
 * Spent on others' fds, over a whole snapshot: of CPU time, so that the search ends at the
 * same place on a busy machine, but not for ever.
 */
#define SEARCH_NS (300 * NS_PER_MS)
#define SEARCH_WALL_NS (2 * NS_PER_S)
#define HELD_MAX 65536

void lock_search_done(struct lock_search *s)
{
        free(s->held);
        *s = (struct lock_search){ .held = NULL };
}

static void held_add(struct lock_search *s, const struct held *h)
{
        if (s->n_held == s->room_held) {
                size_t room = s->room_held ? s->room_held * 2 : 64;
                struct held *grown =
                        room > HELD_MAX ? NULL : realloc(s->held, room * sizeof(*grown));

                if (!grown) {
                        s->cut = true;
                        return;
                }
                s->held = grown;
                s->room_held = room;
        }
        s->held[s->n_held++] = *h;
}

static int number_name(const char *name)
{
        char *end;
        long n = strtol(name, &end, 10);

        return *name >= '0' && *name <= '9' && !*end && n <= INT32_MAX ? (int)n : -1;
}

static bool time_is_up(struct lock_search *s)
{
        int64_t wall = clock_ns(CLOCK_MONOTONIC) - s->start_wall_ns;
        int64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - s->start_ns;

        if (s->spent_ns + cpu < SEARCH_NS && s->spent_wall_ns + wall < SEARCH_WALL_NS)
                return false;
        s->cut = true;
        return true;
}

static void time_start(struct lock_search *s)
{
        s->start_wall_ns = clock_ns(CLOCK_MONOTONIC);
        s->start_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void time_stop(struct lock_search *s)
{
        s->spent_wall_ns += clock_ns(CLOCK_MONOTONIC) - s->start_wall_ns;
        s->spent_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - s->start_ns;
}

/*
 * Locks are on what has a path. Of epoll sets and their like, fdinfo takes locks of theirs that
 * somebody stuck may hold, and so it may of these devices.
 */
static bool fd_may_have_lock(struct procio *io, const struct fd_ref *ref)
{
        const char *link;

        return procio_fd_link(io, ref, &link) > 0 && link[0] == '/' &&
               strncmp(link, "/dev/fuse", 9) != 0 && strncmp(link, "/dev/dri/", 9) != 0;
}

/* All locks of one table of fds; how many fds it has. A recorded tree has one a process. */
static size_t table_read(struct lock_search *s, struct procio *io, int dir, pid_t pid, pid_t tid)
{
        struct held h = { .pid = pid, .tid = tid };
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        char path[48];
        size_t n = 0;
        int fd;

        snprintf(path, sizeof(path), "task/%d/fdinfo", (int)tid);
        fd = openat(dir, procio_live(io) ? path : "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                s->refused |= errno == EACCES || errno == EPERM;
                if (fd >= 0)
                        close(fd);
                return 0;
        }
        while (!time_is_up(s) && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                struct fd_ref ref = { dir, pid, tid, number_name(e->d_name) };
                const char *text;
                ssize_t r;

                n += ref.fd >= 0;
                if (ref.fd < 0 || !fd_may_have_lock(io, &ref))
                        continue;
                r = procio_fd_info(io, &ref, &text);
                s->refused |= r == -EACCES || r == -EPERM;
                if (r <= 0)
                        continue;
                h.fd = ref.fd;
                while (lock_info_next(&text, &h.line))
                        held_add(s, &h);
        }
        return n;
}

/* The main thread's table is that of all, unless it has exited before the others. */
static void process_read(struct lock_search *s, struct procio *io, pid_t pid)
{
        _cleanup_close_ int dir = procio_open_process(io, pid);
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        int fd;

        if (dir < 0 || table_read(s, io, dir, pid, pid) || !procio_live(io))
                return;
        fd = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        while (!time_is_up(s) && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                int tid = number_name(e->d_name);

                if (tid > 0 && tid != pid && table_read(s, io, dir, pid, tid))
                        return;
        }
}

/* Locks that the fdinfo of one fd shows. */
static void entry_read(struct lock_search *s, struct procio *io, int dir, const struct fd_entry *e)
{
        struct held h = { .pid = e->pid, .tid = e->tid, .fd = e->fd };
        struct fd_ref ref = { dir, e->pid, e->tid, e->fd };
        const char *text;
        ssize_t r;

        if (!fd_may_have_lock(io, &ref))
                return;
        r = procio_fd_info(io, &ref, &text);
        s->refused |= r == -EACCES || r == -EPERM;
        while (r > 0 && lock_info_next(&text, &h.line))
                held_add(s, &h);
}

static void all_read(struct lock_search *s, struct procio *io, const struct fdscan *scan)
{
        static const enum fd_class classes[] = { FD_PTS, FD_PATH };
        int dir = -1;
        pid_t pid = 0;

        for (size_t c = 0; c < ARRAY_SIZE(classes); c++) {
                size_t n;
                const struct fd_entry *e = fdscan_class(scan, classes[c], &n);

                for (size_t i = 0; i < n && !time_is_up(s); i++) {
                        if (e[i].pid != pid) {
                                if (dir >= 0)
                                        close(dir);
                                pid = e[i].pid;
                                dir = procio_open_process(io, pid);
                        }
                        if (dir >= 0)
                                entry_read(s, io, dir, &e[i]);
                }
        }
        if (dir >= 0)
                close(dir);
        s->cut |= scan->cut;
        s->refused |= scan->refused;
        s->blind = scan->blind;
}

void lock_search_process(struct lock_search *s, struct resolver *r, pid_t pid)
{
        time_start(s);
        process_read(s, resolver_io(r), pid);
        time_stop(s);
}

/* A file that is the same has the same name. */
void lock_search_sharers(struct lock_search *s, struct resolver *r, size_t at)
{
        struct procio *io = resolver_io(r);
        /* By its own bounds, not by those of this search. */
        const struct fdscan *scan = resolver_fdscan(r);
        const struct held h = s->held[at];
        _cleanup_close_ int dir = procio_open_process(io, h.pid);
        struct fd_ref ref = { dir, h.pid, h.tid, h.fd };
        const struct fd_entry *e;
        const char *link;
        uint32_t name;
        size_t n;

        s->held[at].spread = true;
        if (!scan || dir < 0 || procio_fd_link(io, &ref, &link) <= 0)
                return;
        time_start(s);
        name = fdscan_name(link);
        e = fdscan_class(scan, FD_PATH, &n);
        for (size_t i = 0; i < n && !time_is_up(s); i++) {
                _cleanup_close_ int other = -1;

                if (e[i].name != name || e[i].pid == h.pid)
                        continue;
                other = procio_open_process(io, e[i].pid);
                if (other >= 0)
                        entry_read(s, io, other, &e[i]);
        }
        time_stop(s);
        s->refused |= scan->refused;
        s->cut |= scan->cut;
        s->blind = scan->blind;
}

bool lock_search_all(struct lock_search *s, struct resolver *r)
{
        struct snapshot *snapshot = resolver_snapshot(r);
        const struct fdscan *scan;

        if (s->searched || snapshot->locks_searched) {
                s->cut |= !s->searched;
                return false;
        }
        scan = resolver_fdscan(r);
        s->searched = snapshot->locks_searched = true;
        s->n_held = 0;
        time_start(s);
        if (scan)
                all_read(s, resolver_io(r), scan);
        time_stop(s);
        return true;
}

bool held_still(struct procio *io, const struct held *h)
{
        _cleanup_close_ int dir = procio_open_process(io, h->pid);
        struct fd_ref ref = { dir, h->pid, h->tid, h->fd };
        struct lock_line line;
        const char *text;

        if (dir < 0 || procio_fd_info(io, &ref, &text) <= 0)
                return false;
        while (lock_info_next(&text, &line))
                if (line.type == h->line.type && lock_same_file(&line, &h->line) &&
                        line.write == h->line.write && line.start == h->line.start &&
                        line.end == h->line.end)
                        return true;
        return false;
}
