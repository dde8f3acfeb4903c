/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments are found by the letters of the call's description, so a call that is in the table
 * needs nothing here. Only what a letter cannot say is written out: which timeouts are points
 * in time, and whom a wait is for.
 */
#include "resolve/call.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/resolver.h"
#include "resolve/syscall.h"

#define FD_SET_MAX 65536     /* fds of a select looked at, as many as callmem.c reads */
#define CHILD_THREADS_MAX 64 /* threads whose children are listed */

static struct object *object_new(struct resolver *r, const char *kind)
{
        struct object *o = arena_new_one(resolver_snapshot(r)->arena, struct object);

        if (o) {
                o->fd = -1;
                o->kind = kind;
        }
        return o;
}

static void members_set(
        struct resolver *r, struct object *o, const struct member *members, size_t n, size_t hidden)
{
        o->members = arena_dup(resolver_snapshot(r)->arena, members, n * sizeof(*members));
        o->n_members = o->members ? n : 0;
        o->n_members_hidden = hidden;
}

static bool member_make(struct resolver *r, int fd, uint32_t events, struct member *ret)
{
        struct object *o = resolver_fd(r, fd);

        if (!o) {
                o = object_new(r, NULL);
                if (!o)
                        return false;
                o->fd = fd;
        }
        *ret = (struct member){ o, events };
        return true;
}

/* struct pollfd { int fd; short events, revents; }: the same in every ABI */
static struct object *poll_set(struct resolver *r, const struct call_memory *m)
{
        struct object *o = object_new(r, "poll-set");
        struct member members[MEMBERS_MAX];
        size_t n = 0, hidden = 0;

        for (size_t i = 0; o && m->bytes && i + sizeof(struct pollfd) <= m->len;
                i += sizeof(struct pollfd)) {
                struct pollfd p;

                memcpy(&p, (const char *)m->bytes + i, sizeof(p));
                if (p.fd < 0)
                        continue;
                if (n == MEMBERS_MAX)
                        hidden++;
                else if (member_make(r, p.fd, (uint16_t)p.events, &members[n]))
                        n++;
        }
        if (o)
                members_set(r, o, members, n, hidden);
        return o;
}

static bool set_has(const struct call_memory *m, size_t fd)
{
        return m->bytes && fd / 8 < m->len && ((const uint8_t *)m->bytes)[fd / 8] >> (fd % 8) & 1;
}

/* Three sets of bits; little-endian, so that bytes can be looked at one by one. */
static struct object *select_set(struct resolver *r, const struct call *c)
{
        static const uint32_t events[] = { POLLIN, POLLOUT, POLLPRI };
        struct object *o = object_new(r, "poll-set");
        struct member members[MEMBERS_MAX];
        size_t n = 0, hidden = 0, n_fds = (uint32_t)c->args[0];

        for (size_t fd = 0; o && fd < n_fds && fd < FD_SET_MAX; fd++) {
                uint32_t wanted = 0;

                for (int i = 0; i < 3; i++) {
                        int arg = syscall_arg(c->desc, 'e', i);

                        if (arg >= 0 && set_has(&c->memory[arg], fd))
                                wanted |= events[i];
                }
                if (!wanted)
                        continue;
                if (n == MEMBERS_MAX)
                        hidden++;
                else if (member_make(r, (int)fd, wanted, &members[n]))
                        n++;
        }
        if (o)
                members_set(r, o, members, n, hidden);
        return o;
}

static struct object *futex_object(struct resolver *r, const struct call *c, int arg)
{
        struct object *o = object_new(r, "futex");

        if (!o)
                return NULL;
        o->address = c->args[arg];
        o->has_address = true;
        if (c->memory[arg].len >= sizeof(o->word)) {
                memcpy(&o->word, c->memory[arg].bytes, sizeof(o->word));
                o->has_word = true;
        }
        return o;
}

static struct object *path_object(struct resolver *r, const struct call_memory *m)
{
        struct object *o = object_new(r, NULL);

        if (o && m->bytes)
                o->path = arena_strn(
                        resolver_snapshot(r)->arena, m->bytes, strnlen(m->bytes, m->len));
        return o;
}

static void objects_resolve(struct resolver *r, struct call *c)
{
        int poll = syscall_arg(c->desc, 'L', 0), set = syscall_arg(c->desc, 'e', 0);
        int fd = syscall_arg(c->desc, 'f', 0), fd2 = syscall_arg(c->desc, 'f', 1);
        int word = syscall_arg(c->desc, 'w', 0), path = syscall_arg(c->desc, 's', 0);

        if (poll >= 0) {
                /* Without its memory the set is not known, which is not an empty set. */
                if (c->memory[poll].bytes || !(uint32_t)c->args[poll + 1])
                        c->object = poll_set(r, &c->memory[poll]);
        } else if (set >= 0) {
                if (!c->memory_refused)
                        c->object = select_set(r, c);
        } else if (word >= 0) {
                c->object = futex_object(r, c, word);
        } else if (fd >= 0) {
                c->object = resolver_fd(r, (int)c->args[fd]);
                if (fd2 >= 0)
                        c->object2 = resolver_fd(r, (int)c->args[fd2]);
        } else if (path >= 0) {
                c->object = path_object(r, &c->memory[path]);
        }
}

/* Is this timeout a point in time, and of which clock? From the calls' man pages. */
static bool timeout_absolute(const struct call *c, int *ret_clock)
{
        uint64_t op;
        int arg;

        if (call_is(c, "clock_nanosleep|clock_nanosleep_time64")) {
                *ret_clock = (int)c->args[0];
                return c->args[1] & TIMER_ABSTIME;
        }
        if (call_is(c, "mq_timedsend|mq_timedreceive|mq_timedsend_time64|mq_timedreceive_time64")) {
                *ret_clock = CLOCK_REALTIME;
                return true;
        }
        if (call_is(c, "futex_waitv|futex_wait")) {
                arg = syscall_arg(c->desc, 'c', 0);
                *ret_clock = arg >= 0 ? (int)c->args[arg] : CLOCK_MONOTONIC;
                return true;
        }
        arg = syscall_arg(c->desc, 'O', 0);
        if (arg < 0)
                return false;
        op = c->args[arg];
        *ret_clock = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        switch (op & FUTEX_CMD_MASK) {
        case FUTEX_LOCK_PI:
                *ret_clock = CLOCK_REALTIME; /* always, kernel/futex/syscalls.c */
                return true;
        case FUTEX_WAIT_BITSET:
        case FUTEX_WAIT_REQUEUE_PI:
        case 13: /* FUTEX_LOCK_PI2 */
                return true;
        default:
                return false;
        }
}

/* Only these operations of futex(2) wait; for others the argument is something else. */
static bool timeout_means_time(const struct call *c)
{
        int arg = syscall_arg(c->desc, 'O', 0);

        if (arg < 0)
                return true;
        switch (c->args[arg] & FUTEX_CMD_MASK) {
        case FUTEX_WAIT:
        case FUTEX_LOCK_PI:
        case FUTEX_WAIT_BITSET:
        case FUTEX_WAIT_REQUEUE_PI:
        case 13: /* FUTEX_LOCK_PI2 */
                return true;
        default:
                return false;
        }
}

/* { seconds, nanoseconds or microseconds } in words of 8 or 4 bytes. */
static bool time_parse(const struct call_memory *m, bool microseconds, int64_t *ret_ns)
{
        int64_t seconds, fraction;

        if (m->len == 16) {
                memcpy(&seconds, m->bytes, 8);
                memcpy(&fraction, (const char *)m->bytes + 8, 8);
        } else if (m->len == 8) {
                int32_t narrow[2];

                memcpy(narrow, m->bytes, 8);
                seconds = narrow[0];
                fraction = narrow[1];
        } else {
                return false;
        }
        /* The kernel caps at KTIME_MAX what is longer. */
        if (seconds < 0 || fraction < 0 || fraction >= (microseconds ? 1000000 : NS_PER_S))
                return false;
        if (seconds >= INT64_MAX / NS_PER_S)
                *ret_ns = INT64_MAX;
        else
                *ret_ns = seconds * NS_PER_S + fraction * (microseconds ? 1000 : 1);
        return true;
}

/*
 * In a time namespace (time_namespaces(7)) the monotonic and boottime clocks are shifted:
 * turn the point in time into one of our clocks. "monotonic  100000  0", seconds and ns.
 */
static void namespace_clock(struct resolver *r, struct call *c)
{
        const char *name = c->timeout_clock == CLOCK_MONOTONIC ? "monotonic" : "boottime";
        char ours[64] = "", theirs[64] = "", next[64] = "";
        const char *text, *line;
        long long seconds;
        long ns;

        if (c->timeout_clock != CLOCK_MONOTONIC && c->timeout_clock != CLOCK_BOOTTIME &&
                c->timeout_clock != CLOCK_BOOTTIME_ALARM)
                return;
        if (!resolver_link(r, "ns/time", theirs) || !resolver_own_link(r, "ns/time", ours) ||
                strcmp(ours, theirs) == 0)
                return;
        /* The offsets are those of the namespace that its children get. */
        if (!resolver_link(r, "ns/time_for_children", next) || strcmp(theirs, next) != 0 ||
                !(text = resolver_file(r, "timens_offsets")) || !(line = strstr(text, name)) ||
                sscanf(line + strlen(name), "%lld %ld", &seconds, &ns) != 2) {
                c->timeout_clock = -1; /* a clock that we cannot read */
                return;
        }
        if (llabs(seconds) < INT64_MAX / NS_PER_S / 4 && c->timeout_ns < INT64_MAX / 2)
                c->timeout_ns -= seconds * NS_PER_S + ns;
}

static void timeout_resolve(struct resolver *r, struct call *c)
{
        static const char letters[] = "t6vm";

        for (const char *letter = letters; *letter; letter++) {
                int arg = syscall_arg(c->desc, *letter, 0);

                if (arg < 0 || !timeout_means_time(c))
                        continue;
                if (*letter == 'm') {
                        c->has_timeout = true;
                        c->timeout_set = (int32_t)c->args[arg] >= 0;
                        c->timeout_ns = (int32_t)c->args[arg] * NS_PER_MS;
                        c->timeout_clock = CLOCK_MONOTONIC;
                } else if (!c->args[arg]) {
                        c->has_timeout = true;
                } else if (time_parse(&c->memory[arg], *letter == 'v', &c->timeout_ns)) {
                        c->has_timeout = c->timeout_set = true;
                        c->timeout_clock = CLOCK_MONOTONIC;
                        c->timeout_absolute = timeout_absolute(c, &c->timeout_clock);
                        if (c->timeout_absolute)
                                namespace_clock(r, c);
                }
                return;
        }
}

const char *call_comm(struct resolver *r, pid_t pid)
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
static void children_read(struct resolver *r, struct process *p)
{
        struct procio *io = resolver_io(r);
        struct owner children[CHILDREN_MAX];
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        char path[48];
        int fd, n = 0;

        if (p->has_children || p->n_children)
                return;
        snprintf(path, sizeof(path), "%d/task", (int)p->pid);
        fd = openat(procio_root(io), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        /* Any thread's child will do for wait(2). */
        while (n < CHILD_THREADS_MAX && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                const char *text;
                char name[48], *end;

                if (e->d_name[0] == '.' || strlen(e->d_name) > 10)
                        continue;
                n++;
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
                children[i].comm = call_comm(r, children[i].pid);
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
        char ours[64] = "", theirs[64] = "", childs[64];

        if (!resolver_link(r, "ns/pid", theirs) || !resolver_own_link(r, "ns/pid", ours))
                return p->inner_pid ? 0 : number;
        if (strcmp(ours, theirs) == 0)
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
                snprintf(path, sizeof(path), "%d/ns/pid", (int)p->children[i].pid);
                n = procio_link(io, procio_root(io), path, &text);
                snprintf(childs, sizeof(childs), "%s", n > 0 ? text : "");
                if (strcmp(childs, theirs) == 0)
                        return p->children[i].pid;
        }
        return 0;
}

/* The process that a wait is for; NULL where any child will do. */
static struct object *child_object(struct resolver *r, const struct call *c)
{
        int64_t pid = (int32_t)c->args[0];
        struct object *o;

        if (call_is(c, "waitid")) {
                if (c->args[0] == 3 /* P_PIDFD */) {
                        o = resolver_fd(r, (int)c->args[1]);
                        if (o && o->pid && !o->comm)
                                o->comm = call_comm(r, o->pid);
                        return o;
                }
                pid = c->args[0] == 1 /* P_PID */ ? (int32_t)c->args[1] : 0;
        }
        if (pid > 0)
                pid = child_seen(r, (pid_t)pid);
        if (pid <= 0)
                return NULL;
        o = object_new(r, "process");
        if (o) {
                o->pid = (pid_t)pid;
                o->comm = call_comm(r, o->pid);
        }
        return o;
}

void call_resolve(struct resolver *r, struct thread *t)
{
        struct call *c = &t->call;

        if (c->state != CALL_INSIDE || !c->desc)
                return;
        if (call_is(c, "wait4|waitpid|waitid")) {
                children_read(r, t->process);
                c->object = child_object(r, c);
                return;
        }
        if (t->state == 'D' && call_is(c, "vfork|clone|clone3"))
                children_read(r, t->process);
        objects_resolve(r, c);
        timeout_resolve(r, c);
}

/* Do all processes see this clock run, whatever they do? */
static bool clock_is_of_day(int clock)
{
        return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
               clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM || clock == CLOCK_TAI;
}

static void deadline_set(const struct snapshot *s, struct thread *t)
{
        struct call *c = &t->call;
        int64_t now;

        if (!c->timeout_set)
                return;
        if (!c->timeout_absolute) {
                /* CPU clocks stand still while the thread sleeps. */
                if (!clock_is_of_day(c->timeout_clock))
                        return;
                c->has_deadline = t->has_for;
                c->deadline_ns = c->timeout_ns - (t->has_for ? t->for_ns : 0);
                return;
        }
        if (!s->has_clocks)
                return;
        switch (c->timeout_clock) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_ALARM:
                now = s->captured_at;
                break;
        case CLOCK_MONOTONIC:
                now = s->monotonic_ns;
                break;
        case CLOCK_BOOTTIME:
        case CLOCK_BOOTTIME_ALARM:
                now = s->boottime_ns;
                break;
        default:
                return;
        }
        c->has_deadline = true;
        c->deadline_ns = c->timeout_ns - now;
}

void call_deadlines(struct snapshot *s)
{
        for_each_process(p, s)
                for_each_thread(t, p)
                        deadline_set(s, t);
}
