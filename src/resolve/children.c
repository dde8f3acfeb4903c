/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN). A process in a PID namespace of its own
 * passes numbers of that namespace, which are looked for among its children.
 */
#include "resolve/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/call.h"
#include "resolve/resolver.h"
#include "resolve/ns.h"
#include "resolve/syscall.h"

#define CHILD_THREADS_MAX 64 /* threads whose children are listed */

const char *children_comm(struct resolver *r, pid_t pid)
{
        struct procio *io = resolver_io(r);
        struct procfile_stat stat;
        const char *text;
        char path[32];
        ssize_t n;

        /* There is no comm file before 2.6.33. */
        snprintf(path, sizeof(path), "%d/stat", (int)pid);
        n = procio_read(io, procio_root(io), path, pid, HANG_NONE, &text);
        if (n > 0 && procfile_stat(text, (size_t)n, &stat) > 0)
                return arena_str(resolver_snapshot(r)->arena, stat.comm);
        snprintf(path, sizeof(path), "%d/comm", (int)pid);
        n = procio_read(io, procio_root(io), path, pid, HANG_NONE, &text);
        if (n <= 0)
                return NULL;
        return arena_strn(
                resolver_snapshot(r)->arena, text, (size_t)(text[n - 1] == '\n' ? n - 1 : n));
}

static void child_add(struct process *p, struct owner children[static CHILDREN_MAX], pid_t pid)
{
        if (p->n_children == CHILDREN_MAX)
                p->n_children_hidden++;
        else
                children[p->n_children++] = (struct owner){ .pid = pid, .role = ROLE_CHILD };
}

/* /proc/PID/task/TID/children: "12 13 ", CONFIG_PROC_CHILDREN */
void children_read(struct resolver *r, struct process *p)
{
        struct procio *io = resolver_io(r);
        struct owner children[CHILDREN_MAX];
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        char path[48];
        int fd, n = 0;

        /* Again each time: a thread that ran meanwhile may have others. */
        p->has_children = false;
        p->n_children = p->n_children_hidden = 0;
        snprintf(path, sizeof(path), "%d/task", (int)p->pid);
        fd = openat(procio_root(io), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        /* Any thread's child will do for wait(2). */
        while ((e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                const char *text;
                char name[48], *end;

                if (e->d_name[0] == '.' || strlen(e->d_name) > 10)
                        continue;
                if (++n > CHILD_THREADS_MAX) {
                        p->n_children_hidden++; /* at least: the others are not looked at */
                        break;
                }
                snprintf(name, sizeof(name), "%.10s/children", e->d_name);
                if (procio_read(io, fd, name, p->pid, HANG_NONE, &text) < 0)
                        continue;
                p->has_children = true;
                for (long pid = strtol(text, &end, 10); end != text; pid = strtol(text, &end, 10)) {
                        text = end;
                        if (pid > 0 && pid <= INT32_MAX)
                                child_add(p, children, (pid_t)pid);
                }
        }
        for (size_t i = 0; i < p->n_children; i++)
                children[i].comm = children_comm(r, children[i].pid);
        p->children =
                arena_dup(resolver_snapshot(r)->arena, children, p->n_children * sizeof(*children));
        if (!p->children)
                p->n_children = 0;
}

/*
 * The child of a process that itself calls it number: the same number, unless the process is in
 * a PID namespace of its own. 0: not known.
 */
static pid_t child_seen(struct resolver *r, pid_t number)
{
        struct process *p = resolver_process_of(r);
        struct procio *io = resolver_io(r);
        uint64_t theirs = ns_thread(r, NS_PID), ours = ns_own(r, NS_PID);

        if (!theirs || !ours)
                return p->inner_pid ? 0 : number;
        if (theirs == ours)
                return number;
        for (size_t i = 0; i < p->n_children; i++) {
                struct procfile_status status = { 0 };
                char path[48];
                const char *text;
                ssize_t n;

                snprintf(path, sizeof(path), "%d/status", (int)p->children[i].pid);
                n = procio_read(io, procio_root(io), path, 0, HANG_NONE, &text);
                if (n <= 0 || procfile_status(text, (size_t)n, &status) <= 0 ||
                        status.inner_pid != number)
                        continue;
                if (ns_of_pid(io, p->children[i].pid, NS_PID) == theirs)
                        return p->children[i].pid;
        }
        return 0;
}

static bool stat_of(struct resolver *r, pid_t pid, struct procfile_stat *ret)
{
        struct procio *io = resolver_io(r);
        const char *text;
        char path[32];
        ssize_t n;

        snprintf(path, sizeof(path), "%d/stat", (int)pid);
        n = procio_read(io, procio_root(io), path, pid, HANG_NONE, &text);
        return n > 0 && procfile_stat(text, (size_t)n, ret) > 0;
}

/* Children in a process group; group 0: the caller's own. */
static struct object *group_object(struct resolver *r, pid_t group)
{
        struct process *p = resolver_process_of(r);
        struct object *o = call_object_new(r, "process");
        struct owner owners[CHILDREN_MAX];
        struct procfile_stat stat;

        if (!o)
                return NULL;
        if (group == 0 && stat_of(r, p->pid, &stat))
                group = stat.group;
        else if (p->inner_pid)
                return NULL; /* a number of its own PID namespace */
        if (group <= 0)
                return NULL;
        o->group = group;
        for (size_t i = 0; i < p->n_children; i++)
                if (stat_of(r, p->children[i].pid, &stat) && stat.group == group)
                        owners[o->n_owners++] = p->children[i];
        o->owners = arena_dup(resolver_snapshot(r)->arena, owners, o->n_owners * sizeof(*owners));
        if (!o->owners)
                o->n_owners = 0;
        o->on_any = true;
        o->on_whole = o->n_owners && !p->n_children_hidden;
        return o;
}

/* In pause(2) and sigsuspend(2) a thread's mask is the one that it waits with. */
static bool awaits_sigchld(struct resolver *r, const struct thread *t)
{
        const uint64_t bit = UINT64_C(1) << (SIGCHLD - 1);
        const struct call_memory *m = &t->call.memory[0];
        struct procfile_status status = { 0 };
        const char *text;
        uint64_t set = 0;
        char path[48];

        if (call_is(&t->call, "rt_sigtimedwait|rt_sigtimedwait_time64")) {
                if (m->len >= sizeof(set))
                        memcpy(&set, m->bytes, sizeof(set));
                return set & bit;
        }
        snprintf(path, sizeof(path), "task/%d/status", (int)t->tid);
        text = resolver_file(r, path);
        return text && procfile_status(text, strlen(text), &status) > 0 && status.has_signals &&
               (status.sig_caught & ~status.sig_blocked & bit);
}

struct object *children_signalling(struct resolver *r, const struct thread *t)
{
        struct process *p = t->process;
        struct owner owners[CHILDREN_MAX];
        struct procfile_stat stat;
        struct object *o;
        size_t n = 0;

        if (!awaits_sigchld(r, t))
                return NULL;
        children_read(r, p);
        /* Those that have ended have sent theirs; a child of clone(2) may send another, or none. */
        for (size_t i = 0; i < p->n_children; i++)
                if (stat_of(r, p->children[i].pid, &stat) && stat.exit_signal == SIGCHLD &&
                        !strchr("ZX", stat.state))
                        owners[n++] = p->children[i];
        o = n ? call_object_new(r, "process") : NULL;
        if (!o)
                return NULL;
        o->owners = arena_dup(resolver_snapshot(r)->arena, owners, n * sizeof(*owners));
        o->n_owners = o->owners ? n : 0;
        o->on_any = true; /* of many: whoever may send it a signal */
        return o;
}

/* The child of a thread in vfork(2): its newest, for it has made none since. */
struct object *children_vforked(struct resolver *r, const struct thread *t)
{
        long newest = 0, pid;
        struct object *o;
        const char *text;
        char path[48], *end;

        snprintf(path, sizeof(path), "task/%d/children", (int)t->tid);
        text = resolver_file(r, path);
        for (; text && (pid = strtol(text, &end, 10), end != text); text = end)
                newest = pid;
        if (newest <= 0 || newest > INT32_MAX)
                return NULL;
        o = call_object_new(r, "process");
        if (o) {
                o->pid = (pid_t)newest;
                o->comm = children_comm(r, o->pid);
        }
        return o;
}

/* The process that a wait is for; NULL where any child will do. */
struct object *children_object(struct resolver *r, const struct call *c)
{
        int64_t pid = (int32_t)c->args[0];
        struct object *o;

        if (call_is(c, "waitid")) {
                int64_t id = (int32_t)c->args[1];

                if (c->args[0] == 3 /* P_PIDFD */) {
                        o = resolver_fd(r, (int)c->args[1]);
                        if (o && o->pid && !o->comm)
                                o->comm = children_comm(r, o->pid);
                        return o;
                }
                pid = c->args[0] == 1 /* P_PID */ ? id : c->args[0] == 2 /* P_PGID */ ? -id : -1;
                if (c->args[0] == 2 && id == 0)
                        pid = 0;
        }
        if (pid == 0 || pid < -1)
                return group_object(r, (pid_t)-pid);
        if (pid > 0)
                pid = child_seen(r, (pid_t)pid);
        if (pid <= 0)
                return NULL;
        o = call_object_new(r, "process");
        if (o) {
                o->pid = (pid_t)pid;
                o->comm = children_comm(r, o->pid);
        }
        return o;
}
