/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files without a path of their own: "anon_inode:[eventfd]" and its family. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "model.h"
#include "resolve/kinds.h"

static bool is_anon(const struct fd_view *v, const char *name)
{
        static const char prefix[] = "anon_inode:";
        const char *link = v->link;
        size_t len = strlen(name);

        if (strncmp(link, prefix, strlen(prefix)) != 0)
                return false;
        link += strlen(prefix);
        /* inotify has no brackets; the others have. */
        link += *link == '[';
        return strncmp(link, name, len) == 0 && (!link[len] || strcmp(link + len, "]") == 0);
}

static bool eventfd_match(const struct fd_view *v)
{
        return is_anon(v, "eventfd");
}

/* "eventfd-count:                1f" (hexadecimal) */
static void eventfd_parse(const struct fd_view *v, struct object *o)
{
        o->has_counter = fdinfo_number(v->info, "eventfd-count", 16, &o->counter);
}

static bool timerfd_match(const struct fd_view *v)
{
        return is_anon(v, "timerfd");
}

/* "it_value: (9, 912345678)": what is left; all zero when the timer is not set */
static void timerfd_parse(const struct fd_view *v, struct object *o)
{
        const char *line = v->info ? strstr(v->info, "\nit_value:") : NULL;
        unsigned long long seconds, ns;
        uint64_t ticks;

        if (!line || sscanf(line, "\nit_value: (%llu, %llu)", &seconds, &ns) != 2)
                return;
        if (!seconds && !ns) {
                /* One that expires just now has nothing left, either, but an interval or ticks. */
                o->disarmed = strstr(v->info, "\nit_interval: (0, 0)") &&
                              fdinfo_number(v->info, "ticks", 10, &ticks) && !ticks;
                return;
        }
        if (seconds > INT64_MAX / NS_PER_S - 1)
                return;
        o->has_deadline = true;
        o->deadline_ns = (int64_t)seconds * NS_PER_S + (int64_t)ns;
}

static bool pidfd_match(const struct fd_view *v)
{
        return is_anon(v, "pidfd");
}

/* "Pid:\t4242" as seen from here; -1 once it has ended, 0 in a namespace out of our sight */
static void pidfd_parse(const struct fd_view *v, struct object *o)
{
        const char *text;
        char path[32];
        uint64_t pid;
        ssize_t n;

        if (!fdinfo_number(v->info, "Pid", 10, &pid) || !pid || pid > INT32_MAX)
                return;
        o->pid = (pid_t)pid;
        snprintf(path, sizeof(path), "%d/comm", (int)pid);
        n = procio_read(v->io, procio_root(v->io), path, o->pid, HANG_NONE, &text);
        if (n > 0)
                o->comm = arena_strn(v->arena, text, (size_t)(text[n - 1] == '\n' ? n - 1 : n));
}

/* Those of which nothing more is told here than their kind. */
static const char *anon_kind(const struct fd_view *v)
{
        static const struct {
                const char *name, *kind;
        } anon[] = {
                { "signalfd", "signalfd" },
                { "inotify", "inotify" },
                { "fanotify", "fanotify" },
                { "userfaultfd", "userfaultfd" },
                { "seccomp notify", "seccomp" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(anon); i++)
                if (is_anon(v, anon[i].name))
                        return anon[i].kind;
        return NULL;
}

static bool anon_match(const struct fd_view *v)
{
        return strncmp(v->link, "anon_inode:", 11) == 0;
}

static void anon_parse(const struct fd_view *v, struct object *o)
{
        o->kind = anon_kind(v);
}

const struct fd_kind fd_kind_eventfd = { "eventfd", eventfd_match, eventfd_parse };
const struct fd_kind fd_kind_timerfd = { "timerfd", timerfd_match, timerfd_parse };
const struct fd_kind fd_kind_pidfd = { "process", pidfd_match, pidfd_parse };
const struct fd_kind fd_kind_anon = { NULL, anon_match, anon_parse };
