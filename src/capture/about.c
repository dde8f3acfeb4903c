/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts of a process. Two can hang: the command line lies in the process's memory, whose lock
 * a stuck process may hold; and stat wants exec_update_lock, which one stuck in execve(2) holds.
 */
#include "capture/about.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "model.h"
#include "query.h"

#define ARG_KEPT 4097 /* bytes of one argument: one more than is shown */

/* "State:\tD (disk sleep)", "PPid:\t1" of status, and the name from comm: none takes a lock. */
static ssize_t stat_substitute(
        struct procio *io, int dir, const char *path, pid_t pid, struct procfile_stat *ret)
{
        struct procfile_stat s = { .cpu = -1 };
        const char *text, *line;
        char name[64];
        ssize_t n;
        int ppid;

        snprintf(name, sizeof(name), "%sstatus", path);
        n = procio_read(io, dir, name, pid, HANG_NONE, &text);
        if (n < 0)
                return n;
        /* Its name is the line before; the kernel escapes newlines in it. */
        line = strstr(text, "\nState:\t");
        if (!line)
                return 0;
        s.state = line[8];
        line = strstr(line, "\nPPid:\t");
        if (line && sscanf(line + 7, "%d", &ppid) == 1)
                s.ppid = ppid;
        snprintf(name, sizeof(name), "%scomm", path);
        n = procio_read(io, dir, name, pid, HANG_NONE, &text);
        if (n < 0)
                return n;
        s.comm_len = strcspn(text, "\n");
        if (s.comm_len > COMM_MAX)
                s.comm_len = COMM_MAX;
        memcpy(s.comm, text, s.comm_len);
        *ret = s;
        return 1;
}

ssize_t stat_read(
        struct procio *io, int dir, const char *path, pid_t pid, struct procfile_stat *ret)
{
        const char *text;
        char name[64];
        ssize_t n;

        stpcpy(stpcpy(name, path), "stat"); /* path is "" or "TID/" */
        n = procio_read(io, dir, name, pid, HANG_EXEC, &text);
        if (n == -ETIMEDOUT)
                return stat_substitute(io, dir, path, pid, ret);
        return n < 0 ? n : procfile_stat(text, (size_t)n, ret);
}

/* "a\0b\0c\0" */
static void cmdline_read(struct procio *io, struct snapshot *s, struct process *p, int dir)
{
        const char *text, *end, *args[CMDLINE_MAX];
        ssize_t n;

        n = procio_read(io, dir, "cmdline", p->pid, HANG_MM, &text);
        if (n == -ETIMEDOUT)
                snapshot_gap(s, "command lines", "the process's memory is locked", NULL, false);
        if (n <= 0)
                return;
        for (end = text + n; text < end && p->n_cmdline < CMDLINE_MAX;) {
                size_t len = strnlen(text, (size_t)(end - text));

                args[p->n_cmdline++] = arena_strn(s->arena, text, len < ARG_KEPT ? len : ARG_KEPT);
                text += len + 1;
        }
        p->cmdline_truncated = text < end || n == PROCIO_TEXT_MAX;
        p->cmdline = arena_dup(s->arena, args, p->n_cmdline * sizeof(*args));
        if (!p->cmdline)
                p->n_cmdline = 0;
}

/*
 * "0::/user.slice" and "4:memory:/a": the unified hierarchy, or the first of the others where
 * everything is at the root of that. True when a filter's path is found in any of them.
 */
static bool cgroup_read(
        struct procio *io, struct snapshot *s, const char *filter, struct process *p, int dir)
{
        const char *text, *line, *next;
        const char *unified = NULL, *other = NULL;
        size_t filter_len = filter ? strlen(filter) : 0, unified_len = 0, other_len = 0;
        bool found = !filter;
        ssize_t n;

        n = procio_read(io, dir, "cgroup", p->pid, HANG_CGROUP, &text);
        if (n == -ETIMEDOUT)
                snapshot_gap(s, "cgroups", "somebody keeps the kernel's lock of all cgroups", NULL,
                        filter != NULL);
        if (n <= 0)
                return found;
        for (line = text; *line; line = next) {
                const char *path = strchr(line, ':');
                size_t len = strcspn(line, "\n");

                next = line + len + (line[len] == '\n');
                path = path ? memchr(path + 1, ':', (size_t)(line + len - path - 1)) : NULL;
                if (!path)
                        continue;
                path++;
                len = (size_t)(line + len - path);
                if (filter && len >= filter_len && strncmp(path, filter, filter_len) == 0 &&
                        (len == filter_len || path[filter_len] == '/' || filter_len == 1))
                        found = true;
                if (strncmp(line, "0::", 3) == 0) {
                        unified = path;
                        unified_len = len;
                } else if (len > 1 && !other) {
                        other = path;
                        other_len = len;
                }
        }
        if (other && unified_len <= 1)
                p->cgroup = arena_strn(s->arena, other, other_len);
        else if (unified)
                p->cgroup = arena_strn(s->arena, unified, unified_len);
        return found;
}

/* False: the process does not pass the filters. */
bool about_read(struct procio *io, struct snapshot *s, const struct pwhy_query *query,
        struct process *p, int dir)
{
        const struct filter *filter = &query->filter;
        struct procfile_status status = { 0 };
        const char *text;
        ssize_t n;

        n = procio_read(io, dir, "status", p->pid, HANG_NONE, &text);
        if (n > 0 && procfile_status(text, (size_t)n, &status) > 0) {
                p->uid = status.uid;
                p->has_uid = status.has_uid;
                p->inner_pid = status.inner_pid != p->pid ? status.inner_pid : 0;
        }
        if (filter->has_uid && (!p->has_uid || p->uid != filter->uid))
                return false;
        if ((query->raw || query->brief) && !filter->cgroup)
                return true;
        if (!cgroup_read(io, s, filter->cgroup, p, dir))
                return false;
        if (query->raw || query->brief || p->kernel)
                return true;
        cmdline_read(io, s, p, dir);
        n = procio_link_of(io, dir, "exe", p->pid, &text);
        if (n > 0)
                p->exe = arena_strn(s->arena, text, (size_t)n);
        return true;
}
