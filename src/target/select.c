/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selection reads the process list only when a name or everything was asked for. */
#include "target/select.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/procio.h"
#include "base/procfile.h"
#include "capture/about.h"
#include "model.h"
#include "query.h"

#define NAME_MAX_LEN 256
#define NEAR_MAX 3      /* near misses named */
#define NEAR_DISTANCE 2 /* letters that may differ */
#define ARGS_MAX 3      /* looked at, for the script of an interpreter */

struct candidate {
        uint64_t start_time;
        char comm[COMM_MAX + 1];
        char exe[NAME_MAX_LEN];
        char args[ARGS_MAX][NAME_MAX_LEN]; /* file names of the first arguments */
};

struct near {
        char names[NEAR_MAX][NAME_MAX_LEN];
        size_t n;
};

struct choice { /* a selection that grows, on the heap */
        struct target *targets;
        size_t n, size;
};

static int choice_add(struct choice *c, pid_t pid, pid_t tid, uint64_t start_time)
{
        if (c->n == c->size) {
                size_t size = c->size ? c->size * 2 : 64;
                struct target *t = reallocarray(c->targets, size, sizeof(*t));

                if (!t)
                        return -ENOMEM;
                c->targets = t;
                c->size = size;
        }
        c->targets[c->n++] = (struct target){ pid, tid, start_time };
        return 0;
}

static void copy_base(char to[static NAME_MAX_LEN], const char *path, size_t len)
{
        const char *slash = memrchr(path, '/', len);

        if (slash && slash + 1 < path + len) {
                len -= (size_t)(slash + 1 - path);
                path = slash + 1;
        }
        if (len >= NAME_MAX_LEN)
                len = NAME_MAX_LEN - 1;
        memcpy(to, path, len);
        to[len] = 0;
}

static bool candidate_read(struct procio *io, pid_t pid, struct candidate *ret)
{
        _cleanup_close_ int dir = procio_open_process(io, pid);
        struct procfile_stat stat;
        const char *text, *title;
        ssize_t n;

        memset(ret, 0, sizeof(*ret));
        if (dir < 0)
                return false;
        if (stat_read(io, dir, "", pid, &stat) <= 0)
                return false;
        memcpy(ret->comm, stat.comm, sizeof(ret->comm));
        ret->start_time = stat.start_time;
        if (stat.flags & 0x00200000) /* PF_KTHREAD */
                return true;
        n = procio_link_of(io, dir, "exe", pid, &text);
        if (n > 0) {
                static const char deleted[] = " (deleted)";
                size_t len = (size_t)n;

                if (len > strlen(deleted) && !strcmp(text + len - strlen(deleted), deleted))
                        len -= strlen(deleted);
                copy_base(ret->exe, text, len);
        }
        n = procio_read(io, dir, "cmdline", pid, HANG_MM, &text);
        for (size_t i = 0; n > 0 && i < ARGS_MAX; i++) {
                size_t len = strnlen(text, (size_t)n);

                /* "myd: worker /x/y": a title in place of the arguments */
                title = i == 0 ? memmem(text, len, ": ", 2) : NULL;
                copy_base(ret->args[i], text, title ? (size_t)(title - text) : len);
                if (text[0] == '-')
                        ret->args[i][0] = i ? '-' : ret->args[i][0];
                if (len >= (size_t)n)
                        break;
                text += len + 1;
                n -= (ssize_t)len + 1;
        }
        return true;
}

static bool runs_scripts(const char *exe)
{
        static const char *const interpreters[] = { "python", "perl", "ruby", "node", "bash",
                "dash", "sh", "zsh", "lua", "php" };

        for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++) {
                size_t len = strlen(interpreters[i]);

                /* "python3.11", "sh", but not "shutdown" */
                if (strncmp(exe, interpreters[i], len) == 0 && !isalpha((unsigned char)exe[len]))
                        return true;
        }
        return false;
}

static bool candidate_matches(const struct candidate *c, const char *name)
{
        const char *argv0 = c->args[0];

        if (strchr(name, '/')) {
                char base[NAME_MAX_LEN];

                copy_base(base, name, strlen(name));
                return strcmp(c->exe, base) == 0 || strcmp(argv0, base) == 0;
        }
        if (strcmp(c->comm, name) == 0 || strcmp(c->exe, name) == 0)
                return true;
        /* "-bash": a login shell */
        if (strcmp(argv0[0] == '-' ? argv0 + 1 : argv0, name) == 0)
                return true;
        if (!runs_scripts(c->exe))
                return false;
        for (size_t i = 1; i < ARGS_MAX && c->args[i][0]; i++)
                if (c->args[i][0] != '-')
                        return strcmp(c->args[i], name) == 0;
        return false;
}

/* Edits (insert, delete, replace) between two short names, counted up to a bound. */
static unsigned distance(const char *a, const char *b)
{
        size_t la = strlen(a), lb = strlen(b);
        unsigned row[33];

        if (la > 32 || lb > 32)
                return 33;
        for (unsigned j = 0; j <= lb; j++)
                row[j] = j;
        for (unsigned i = 1; i <= la; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (unsigned j = 1; j <= lb; j++) {
                        unsigned above = row[j];
                        unsigned best = diagonal + (a[i - 1] != b[j - 1]);

                        if (above + 1 < best)
                                best = above + 1;
                        if (row[j - 1] + 1 < best)
                                best = row[j - 1] + 1;
                        row[j] = best;
                        diagonal = above;
                }
        }
        return row[lb];
}

static void near_consider(struct near *near, const char *name, const char *other)
{
        if (!*other || near->n == NEAR_MAX)
                return;
        if (strlen(name) < 3 || (!strcasestr(other, name) && distance(name, other) > NEAR_DISTANCE))
                return;
        for (size_t i = 0; i < near->n; i++)
                if (strcmp(near->names[i], other) == 0)
                        return;
        snprintf(near->names[near->n++], NAME_MAX_LEN, "%s", other);
}

/* Numbers of the directories of the process list, in order. */
static int list_processes(struct procio *io, pid_t **ret_pids, size_t *ret_n)
{
        _cleanup_closedir_ DIR *d = NULL;
        pid_t *pids = NULL;
        size_t n = 0, size = 0;
        struct dirent *e;
        int fd;

        fd = openat(procio_root(io), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d) {
                close(fd);
                return -ENOMEM;
        }
        while ((e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
                char *end;
                long pid = strtol(e->d_name, &end, 10);

                if (*end || pid <= 0 || pid > INT32_MAX)
                        continue;
                if (n == size) {
                        pid_t *p = reallocarray(pids, size ? size * 2 : 1024, sizeof(*p));

                        if (!p) {
                                free(pids);
                                return -ENOMEM;
                        }
                        pids = p;
                        size = size ? size * 2 : 1024;
                }
                pids[n++] = (pid_t)pid;
        }
        *ret_pids = pids;
        *ret_n = n;
        return 0;
}

static int compare_pids(const void *a, const void *b)
{
        return (*(const pid_t *)a > *(const pid_t *)b) - (*(const pid_t *)a < *(const pid_t *)b);
}

/* 1: found, 0: there is no such process, *ret_hidden: there is one, but /proc does not show it. */
static int find_number(struct procio *io, pid_t number, struct target *ret, bool *ret_hidden)
{
        struct procfile_status status = { 0 };
        _cleanup_close_ int dir = -1;
        const char *text;
        ssize_t n;

        *ret_hidden = false;
        dir = procio_open_process(io, number);
        n = dir < 0 ? dir : procio_read(io, dir, "status", number, HANG_NONE, &text);
        if (n > 0 && procfile_status(text, (size_t)n, &status) > 0 && status.tgid > 0) {
                *ret = (struct target){ .pid = status.tgid,
                        .tid = status.tgid == number ? 0 : number };
                return 1;
        }
        /* A recorded tree holds a thread only below its process. */
        if (!procio_live(io)) {
                _cleanup_free_ pid_t *pids = NULL;
                size_t n_pids = 0;

                if (list_processes(io, &pids, &n_pids) < 0)
                        return 0;
                for (size_t i = 0; i < n_pids; i++) {
                        char path[48];

                        snprintf(path, sizeof(path), "%d/task/%d", (int)pids[i], (int)number);
                        if (faccessat(procio_root(io), path, F_OK, 0) == 0) {
                                *ret = (struct target){ .pid = pids[i],
                                        .tid = pids[i] == number ? 0 : number };
                                return 1;
                        }
                }
                return 0;
        }
        /* With hidepid there is no directory, but the number is taken. */
        n = syscall(SYS_pidfd_open, number, 0);
        if (n >= 0)
                close((int)n);
        *ret_hidden = n >= 0 || errno == EINVAL;
        return 0;
}

static int select_name(struct procio *io, const char *name, const pid_t *pids, size_t n_pids,
        const pid_t self[2], struct choice *choice, struct near *near)
{
        size_t before = choice->n;

        near->n = 0;
        for (size_t i = 0; i < n_pids; i++) {
                struct candidate c;
                int r;

                if (pids[i] == self[0] || pids[i] == self[1] || !candidate_read(io, pids[i], &c))
                        continue;
                if (candidate_matches(&c, name)) {
                        r = choice_add(choice, pids[i], 0, c.start_time);
                        if (r < 0)
                                return r;
                }
                near_consider(near, name, c.comm);
                near_consider(near, name, c.args[0]);
        }
        return choice->n > before;
}

static const char *unmatched_name(struct arena *a, const char *name, const struct near *near)
{
        char list[NEAR_MAX * (NAME_MAX_LEN + 4)] = "";

        for (size_t i = 0; i < near->n; i++) {
                if (i)
                        strcat(list, ", ");
                strcat(list, near->names[i]);
        }
        return arena_printf(a, "no process is called \"%s\"%s%s%s",
                escape_text(a, name, strlen(name), ESCAPE_NAME_MAX),
                near->n ? "; there is " : "; ps -e shows what there is",
                near->n ? escape_text(a, list, strlen(list), sizeof(list)) : "", "");
}

static bool is_number(const char *text, pid_t *ret_number)
{
        char *end;
        long n;

        if (!isdigit((unsigned char)*text))
                return false;
        errno = 0;
        n = strtol(text, &end, 10);
        if (*end || errno || n <= 0 || n > INT32_MAX)
                return false;
        *ret_number = (pid_t)n;
        return true;
}

static int select_one(struct procio *io, struct arena *a, const struct pwhy_query *query,
        const char *text, const pid_t *pids, size_t n_pids, const pid_t self[2],
        struct choice *choice, const char **ret_unmatched)
{
        struct near near;
        struct target t;
        bool hidden = false;
        pid_t number = 0;
        int r;

        *ret_unmatched = NULL;
        if (is_number(text, &number) && find_number(io, number, &t, &hidden) > 0)
                return choice_add(choice, t.pid, query->main_thread && !t.tid ? t.pid : t.tid, 0);
        if (!number || !hidden) {
                size_t first = choice->n;

                r = select_name(io, text, pids, n_pids, self, choice, &near);
                if (r < 0)
                        return r;
                for (size_t i = first; query->main_thread && i < choice->n; i++)
                        choice->targets[i].tid = choice->targets[i].pid;
                if (r > 0)
                        return 0;
        }
        if (hidden)
                *ret_unmatched = arena_printf(a,
                        "process %d exists, but /proc is mounted with hidepid and does not show "
                        "it; run pwhy with sudo",
                        (int)number);
        else if (number)
                *ret_unmatched = arena_printf(a, "there is no process or thread %d", (int)number);
        else
                *ret_unmatched = unmatched_name(a, text, &near);
        return 0;
}

static int compare_targets(const void *a, const void *b)
{
        const struct target *x = a, *y = b;

        if (x->pid != y->pid)
                return (x->pid > y->pid) - (x->pid < y->pid);
        return (x->tid > y->tid) - (x->tid < y->tid);
}

/*
 * In order, without what is there already: the same target, or a thread of a process that is
 * chosen whole (its TID 0 sorts first).
 */
static void choice_unique(struct choice *c)
{
        size_t n = 0;

        if (c->n)
                qsort(c->targets, c->n, sizeof(*c->targets), compare_targets);
        for (size_t i = 0; i < c->n; i++) {
                const struct target *last = n ? &c->targets[n - 1] : NULL;

                if (last && last->pid == c->targets[i].pid &&
                        (last->tid == 0 || last->tid == c->targets[i].tid))
                        continue;
                c->targets[n++] = c->targets[i];
        }
        c->n = n;
}

int select_targets(struct procio *io, struct arena *a, const struct pwhy_query *query,
        const pid_t self[2], struct selection *ret)
{
        _cleanup_free_ pid_t *pids = NULL;
        _cleanup_free_ struct target *targets = NULL;
        struct choice choice = { 0 };
        struct selection s = { 0 };
        bool names = query_takes_all(query);
        size_t n_pids = 0;
        pid_t number;
        int r;

        for (size_t i = 0; i < query->n_targets; i++)
                names |= !is_number(query->targets[i], &number);
        if (names) {
                r = list_processes(io, &pids, &n_pids);
                if (r < 0)
                        return r;
                if (n_pids)
                        qsort(pids, n_pids, sizeof(*pids), compare_pids);
        }
        s.unmatched = arena_new_array(a, const char *, query->n_targets + 1);
        if (!s.unmatched)
                return -ENOMEM;
        for (size_t i = 0; i < query->n_targets; i++) {
                const char *sentence;

                r = select_one(
                        io, a, query, query->targets[i], pids, n_pids, self, &choice, &sentence);
                targets = choice.targets;
                if (r < 0)
                        return r;
                if (sentence)
                        s.unmatched[s.n_unmatched++] = sentence;
        }
        choice_unique(&choice);
        if (query_takes_all(query) && !query->all) {
                s.n_named = choice.n;
                s.named = arena_new_array(a, struct target, choice.n + 1); /* also for none */
                if (!s.named)
                        return -ENOMEM;
                for (size_t i = 0; i < choice.n; i++)
                        s.named[i] = choice.targets[i];
        }
        if (query_takes_all(query)) {
                choice.n = 0;
                for (size_t i = 0; i < n_pids; i++) {
                        if (pids[i] == self[0] || pids[i] == self[1])
                                continue;
                        r = choice_add(&choice, pids[i], query->main_thread ? pids[i] : 0, 0);
                        targets = choice.targets;
                        if (r < 0)
                                return r;
                }
        }
        s.n_targets = choice.n;
        s.targets = arena_dup(a, choice.targets, choice.n * sizeof(*choice.targets));
        if (choice.n && !s.targets)
                return -ENOMEM;
        *ret = s;
        return 0;
}

/* Both are in the order of PIDs. */
void selection_ask(const struct selection *selection, struct snapshot *s)
{
        const struct target *t = selection->named, *end = t + selection->n_named;

        for_each_process(p, s) {
                while (!p->context && t < end && t->pid < p->pid)
                        t++;
                for (const struct target *u = t; !p->context && u < end && u->pid == p->pid; u++)
                        for_each_thread(thread, p)
                                thread->asked |= !u->tid || u->tid == thread->tid;
        }
}
