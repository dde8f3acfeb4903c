/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See session.h. */
#include "capture/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/privilege.h"
#include "base/procio.h"
#include "base/procmount.h"
#include "capture/enough.h"
#include "capture/schedclock.h"
#include "capture/taskiter.h"
#include "capture/tasktable.h"
#include "model.h"
#include "query.h"
#include "symbol/stacktext.h"
#include "unwind/stackcache.h"

#define BLOCKED_SLACK_NS NS_PER_S
#define CROWD ENOUGH_THREADS_MAX /* threads from which loading a program pays anyway */
#define CGROUP_MOUNT "/sys/fs/cgroup"
#define CGROUP_NS_FIRST 0xEFFFFFFBU /* include/linux/proc_ns.h, PROC_CGROUP_INIT_INO */

struct session {
        const struct pwhy_query *query;
        struct taskiter *iter;
        bool borrowed; /* that belongs to the session before */
        bool later;    /* the program is loaded when files turn out not to be enough */
        bool part;     /* the program tells stacks or registers and nothing else */
        struct tasktable *table;
        struct stackcache *stacks;
        bool forced;      /* by --source=bpf */
        bool whole;       /* the program lets through just what was asked for */
        bool filtered;    /* …and leaves out what the filters do */
        bool worth_words; /* its absence is */
        const char *why;  /* there is no program; NULL: none was wanted, up to now */
        const char *remedy;
};

static size_t file_number(const char *path, const char *format)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char text[4096];
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        unsigned long number;
        const char *at;

        if (n <= 0)
                return 0;
        text[n] = 0;
        at = *format ? strstr(text, format) : text;
        return at && sscanf(at + strlen(format), "%lu", &number) == 1 ? number : 0;
}

/* "0.20 0.18 0.12 1/80 11206": running and all threads of the machine */
static size_t threads_of_machine(void)
{
        return file_number("/proc/loadavg", "/");
}

/* A target that is a number: its threads; others are found by reading every process anyway. */
static size_t threads_of_target(const char *target)
{
        char path[64], *end;
        long pid = strtol(target, &end, 10);

        if (*end || pid <= 0)
                return 0;
        snprintf(path, sizeof(path), "/proc/%ld/status", pid);
        return file_number(path, "\nThreads:\t");
}

/* All targets are numbers: their threads. 0: some is not, or is gone. */
static size_t threads_of_numbers(const struct pwhy_query *q)
{
        size_t n = 0;

        for (size_t i = 0; i < q->n_targets && !q->all; i++) {
                size_t more = threads_of_target(q->targets[i]);

                if (!more)
                        return 0;
                n += more;
        }
        return n;
}

/* For stacks alone, of a few threads, their files are quicker than loading a program. */
static bool pays(const struct pwhy_query *q)
{
        size_t n = 0;

        if (!q->raw || query_takes_all(q) || q->has_reasons || q->blocked_for_ns)
                return true;
        if (q->main_thread)
                return q->n_targets > CROWD;
        for (size_t i = 0; i < q->n_targets; i++)
                n += threads_of_target(q->targets[i]);
        return n > CROWD;
}

/* Of a few threads it may turn out that files are enough (enough.h). */
static bool may_wait(const struct pwhy_query *q)
{
        const struct filter *f = &q->filter;

        return q->source == QUERY_SOURCE_ANY && !q->raw && !query_takes_all(q) &&
               threads_of_numbers(q) <= CROWD && !*f->states && !f->has_uid && !f->cgroup &&
               !q->blocked_for_ns;
}

/*
 * The program knows a group by its id, which is its directory's inode, and its level below the root
 * of all: of another root, as in a cgroup namespace, that is not known here.
 */
static bool cgroup_find(const char *path, struct taskiter_filter *f)
{
        char full[4096];
        struct stat st;

        if (stat("/proc/self/ns/cgroup", &st) < 0 || st.st_ino != CGROUP_NS_FIRST ||
                access(CGROUP_MOUNT "/cgroup.controllers", F_OK) < 0 ||
                snprintf(full, sizeof(full), CGROUP_MOUNT "%s", path) >= (int)sizeof(full) ||
                stat(full, &st) < 0)
                return false;
        f->cgroup = st.st_ino;
        for (const char *p = path; (p = strchr(p, '/')); p++)
                f->cgroup_level += p[1] && p[1] != '/';
        return true;
}

/* kind: WIRE_KIND_… */
static int program_load(struct session *s, unsigned kind)
{
        const struct pwhy_query *q = s->query;
        struct taskiter_filter filter = {
                .states = q->filter.states,
                .has_euid = q->filter.has_uid,
                .euid = q->filter.uid,
                .timed = q->blocked_for_ns > 0,
        };
        size_t n = threads_of_numbers(q);
        bool placed;
        int r;

        placed = !q->filter.cgroup || cgroup_find(q->filter.cgroup, &filter);
        /* To find a number nothing is read that may hang. */
        s->whole = kind == WIRE_KIND_STACKS && (q->all || n) && placed;
        /* A few are read again as quickly as they are remembered, which is paid for at the start.
         */
        if (!n)
                n = threads_of_machine();
        r = taskiter_new(n > CROWD ? n * 2 : 0,
                kind == WIRE_KIND_STACKS ? STACK_ENTRIES_MAX : WIRE_FRAMES_MAX, kind, &filter,
                &s->iter, &s->why, &s->remedy);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        s->filtered = *filter.states || filter.has_euid || filter.cgroup || filter.timed;
        s->part = kind != WIRE_KIND_WHOLE;
        s->why = NULL;
        r = tasktable_new(s->iter, false, &s->table);
        return r < 0 ? r : tasktable_expect(s->table, n);
}

static unsigned kind_of(const struct pwhy_query *q)
{
        bool stacks = q->raw && !q->has_reasons && !q->blocked_for_ns && !q->deadlocked;

        return stacks ? WIRE_KIND_STACKS : WIRE_KIND_WHOLE;
}

static int program_try(struct session *s, unsigned kind)
{
        struct privilege privilege;

        privilege_read(&privilege, false);
        s->worth_words = s->forced || privilege.sys_admin || s->query->all;
        if (procmount_is_ours())
                return program_load(s, kind);
        /* What the program tells would be of other processes than what files do. */
        if (s->forced) {
                s->why = "/proc shows another PID namespace than pwhy's own";
                s->remedy = "mount a proc file system of this namespace";
        }
        return 0;
}

static int session_make(const struct pwhy_query *query, struct session **ret_session)
{
        struct session *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        if (stackcache_new(&s->stacks) < 0) {
                free(s);
                return -ENOMEM;
        }
        s->query = query;
        s->forced = query->source == QUERY_SOURCE_BPF;
        *ret_session = s;
        return 0;
}

int session_new(const struct pwhy_query *query, bool once, struct session **ret_session)
{
        struct session *s;
        int r = session_make(query, &s);

        if (r < 0)
                return r;
        if (query->proc)
                s->why = s->forced ? "a recorded tree is no kernel" : NULL;
        else if (once && may_wait(query))
                s->later = true;
        else if (query->source != QUERY_SOURCE_PROC && (s->forced || pays(query)))
                r = program_try(s, kind_of(query));
        if (r < 0) {
                session_free(s);
                return r;
        }
        *ret_session = s;
        return 0;
}

int session_new_beside(struct session *first, const struct pwhy_query *query, bool later,
        struct session **ret_session)
{
        struct session *s;
        int r;

        if (!first->table || first->filtered || first->part)
                return session_new(query, later, ret_session);
        r = session_make(query, &s);
        if (r < 0)
                return r;
        s->iter = first->iter;
        s->borrowed = true;
        s->forced = first->forced;
        r = tasktable_new(s->iter, true, &s->table);
        if (r < 0) {
                session_free(s);
                return r;
        }
        *ret_session = s;
        return 0;
}

static void program_drop(struct session *s)
{
        tasktable_free(s->table);
        if (!s->borrowed)
                taskiter_free(s->iter);
        s->table = NULL;
        s->iter = NULL;
}

void session_free(struct session *s)
{
        if (!s)
                return;
        program_drop(s);
        stackcache_free(s->stacks);
        free(s);
}

/* One process alone is quicker to go through than the machine. */
static struct taskiter_scope scope_of(const struct pwhy_query *q)
{
        struct taskiter_scope scope = { 0 };
        char *end;
        long pid;

        if (q->n_targets != 1 || query_takes_all(q))
                return scope;
        pid = strtol(q->targets[0], &end, 10);
        /* Of a TID that is no PID the whole process is not found so. */
        if (!*end && pid > 0 && pid <= INT32_MAX && threads_of_target(q->targets[0])) {
                char path[64];

                snprintf(path, sizeof(path), "/proc/%ld/status", pid);
                if (file_number(path, "\nTgid:\t") == (size_t)pid)
                        scope.pid = (pid_t)pid;
        }
        return scope;
}

/* 1; 0 when there is nothing to look with any more. */
static int sampled(struct session *s, int r)
{
        if (r == 0)
                return 1;
        if (r == -ENOMEM)
                return r;
        s->why = "the kernel's pass over the threads failed";
        s->remedy = NULL;
        program_drop(s);
        return 0;
}

/*
 * What has certainly not been blocked for so long need not be captured; what has, its times say
 * later, and exactly.
 */
static void until_set(struct session *s)
{
        struct procio *io = NULL;
        int64_t now_ns, ahead_ns, until_ns = 0;

        if (!s->query->blocked_for_ns || procio_new(NULL, NULL, &io) < 0)
                return;
        if (schedclock_own(io, &now_ns, &ahead_ns) == 0)
                until_ns = now_ns + ahead_ns + BLOCKED_SLACK_NS - s->query->blocked_for_ns;
        taskiter_set_until(s->iter, until_ns > 0 ? (uint64_t)until_ns : 0);
        procio_free(io);
}

int session_sample(struct session *s)
{
        struct taskiter_scope scope;

        if (!s->table)
                return 0;
        until_set(s);
        scope = scope_of(s->query);
        return sampled(s, tasktable_sample(s->table, &scope, NULL));
}

int session_sample_processes(struct session *s, const pid_t *pids, size_t n)
{
        const struct taskiter_scope all = { 0 };

        if (!s->table)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (pids[i] <= 0)
                        return sampled(s, tasktable_sample(s->table, &all, NULL));
        return sampled(s, tasktable_sample_processes(s->table, pids, n));
}

bool session_is_later(const struct session *s)
{
        return s && s->later;
}

int session_wake(struct session *s, const pid_t *pids, size_t n, bool registers)
{
        int r;

        s->later = false;
        r = program_try(s, registers ? WIRE_KIND_REGISTERS : WIRE_KIND_WHOLE);
        return r < 0 ? r : session_sample_processes(s, pids, n);
}

struct tasktable *session_table(struct session *s)
{
        return s ? s->table : NULL;
}

struct taskiter *session_iter(struct session *s)
{
        return s ? s->iter : NULL;
}

struct stackcache *session_stacks(struct session *s)
{
        return s->stacks;
}

bool session_is_whole(const struct session *s)
{
        return s && s->table && s->whole;
}

bool session_is_filtered(const struct session *s)
{
        return s && s->filtered;
}

bool session_is_forced(const struct session *s)
{
        return s && s->forced;
}

void session_gaps(const struct session *s, struct snapshot *snapshot)
{
        if (s && s->why && s->worth_words)
                snapshot_gap(snapshot, "capture inside the kernel", s->why, s->remedy, s->forced);
}
