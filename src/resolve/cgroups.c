/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From /proc/PID/task/TID/cgroup and our own mounts to the control files (cgroups(7)). The
 * group that is frozen or limited may be any ancestor, so the path is walked up from the
 * thread's own; the first that holds it is named.
 */
#include "resolve/cgroups.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/resolver.h"
#include "symbol/stacktext.h"

#define PATH_LEN 1024
#define LEVELS_MAX 64

struct place {                /* of a thread in one hierarchy */
        char mount[PATH_LEN]; /* directory of the hierarchy's root */
        char path[PATH_LEN];  /* below it, "" for the root itself */
        bool unified;         /* cgroup v2 */
};

/* Is a word in a list "rw,freezer,cpu"? */
static bool list_has(const char *list, size_t len, const char *word)
{
        size_t n = strlen(word);

        for (const char *p = list; p < list + len; p += strcspn(p, ",") + 1) {
                size_t rest = (size_t)(list + len - p);

                if (rest >= n && strncmp(p, word, n) == 0 && (rest == n || p[n] == ','))
                        return true;
        }
        return false;
}

/* "4:freezer:/a/b" or "0::/a/b" */
static bool path_read(
        struct resolver *r, const struct thread *t, const char *controller, struct place *ret)
{
        char name[48];
        const char *text;

        ret->path[0] = 0;
        snprintf(name, sizeof(name), "task/%d/cgroup", (int)t->tid);
        if (procio_read(resolver_io(r), resolver_dir(r), name, t->process->pid, HANG_CGROUP,
                    &text) <= 0)
                return false;
        for (const char *line = text; *line; line += *line == '\n') {
                const char *end = line + strcspn(line, "\n");
                const char *list = memchr(line, ':', (size_t)(end - line));
                const char *path = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;

                line = end;
                if (!path || end - path >= PATH_LEN)
                        continue;
                if (*controller ? !list_has(list + 1, (size_t)(path - list - 1), controller)
                                : path != list + 1)
                        continue;
                snprintf(ret->path, PATH_LEN, "%.*s", (int)(end - path - 1), path + 1);
                if (strcmp(ret->path, "/") == 0)
                        ret->path[0] = 0;
                return true;
        }
        return false;
}

/*
 * "30 23 0:26 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer": of our own
 * mounts, the one that shows the hierarchy from its root.
 */
static bool mount_read(struct resolver *r, const char *controller, struct place *ret)
{
        struct procio *io = resolver_io(r);
        const char *text;

        if (procio_read(io, procio_root(io), "self/mountinfo", 0, HANG_FILE, &text) <= 0)
                return false;
        for (const char *line = text; *line; line += *line == '\n') {
                char root[PATH_LEN], mount[PATH_LEN], type[32], options[256];
                size_t len = strcspn(line, "\n");
                const char *dash = memmem(line, len, " - ", 3);
                bool ok = dash && len < 4096 &&
                          sscanf(line, "%*s %*s %*s %1023s %1023s", root, mount) == 2 &&
                          sscanf(dash, " - %31s %*s %255s", type, options) == 2;

                line += len;
                if (!ok || strcmp(root, "/") != 0)
                        continue;
                if (*controller ? strcmp(type, "cgroup") == 0 &&
                                          list_has(options, strlen(options), controller)
                                : strcmp(type, "cgroup2") == 0) {
                        memcpy(ret->mount, mount, sizeof(mount));
                        ret->unified = !*controller;
                        return true;
                }
        }
        return false;
}

static bool control_read(const struct place *p, const char *file, char text[static 128])
{
        _cleanup_close_ int fd = -1;
        char path[2 * PATH_LEN + 64];
        ssize_t n;

        snprintf(path, sizeof(path), "%s%s/%s", p->mount, p->path, file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, 127);
        text[n < 0 ? 0 : n] = 0;
        return n > 0;
}

static bool place_up(struct place *p)
{
        char *slash = strrchr(p->path, '/');

        if (!slash)
                return false;
        *slash = 0;
        return true;
}

static bool is_frozen(const struct place *p)
{
        char text[128];

        if (p->unified)
                return control_read(p, "cgroup.freeze", text) && text[0] == '1';
        return control_read(p, "freezer.self_freezing", text) && text[0] == '1';
}

/* cpu.max: "20000 100000" or "max 100000"; cpu.cfs_quota_us: "20000" or "-1" */
static bool has_quota(const struct place *p)
{
        char text[128];

        if (p->unified)
                return control_read(p, "cpu.max", text) && strncmp(text, "max", 3) != 0;
        return control_read(p, "cpu.cfs_quota_us", text) && atol(text) > 0;
}

static void place_note(struct resolver *r, struct thread *t, const struct place *p)
{
        struct arena *a = resolver_snapshot(r)->arena;
        struct object *o = arena_new_one(a, struct object);

        if (!o)
                return;
        o->fd = -1;
        o->kind = "cgroup";
        o->path = arena_str(a, *p->path ? p->path : "/");
        t->cgroup = o;
}

/* memory.max: "1048576" or "max"; memory.limit_in_bytes: a number near 2^63 for none */
static bool has_memory_limit(const struct place *p)
{
        char text[128];

        if (p->unified)
                return control_read(p, "memory.max", text) && strncmp(text, "max", 3) != 0;
        return control_read(p, "memory.limit_in_bytes", text) &&
               strtoull(text, NULL, 10) < UINT64_C(1) << 60;
}

static bool hierarchy_search(
        struct resolver *r, struct thread *t, const char *controller, bool unified)
{
        bool (*holds)(const struct place *) = strcmp(controller, "freezer") == 0 ? is_frozen
                                              : strcmp(controller, "cpu") == 0   ? has_quota
                                                                                 : has_memory_limit;
        const char *hierarchy = unified ? "" : controller;
        struct place place;

        if (!path_read(r, t, hierarchy, &place) || !mount_read(r, hierarchy, &place))
                return false;
        for (int i = 0; i < LEVELS_MAX; i++) {
                if (holds(&place)) {
                        place_note(r, t, &place);
                        return true;
                }
                if (!place_up(&place))
                        return false;
        }
        return false;
}

void cgroups_resolve(struct resolver *r, struct thread *t)
{
        static const char freezer[] = "__refrigerator|refrigerator|do_freezer_trap|get_signal";
        static const char memory[] = "try_to_free_mem_cgroup_pages|mem_cgroup_*|__mem_cgroup_*|"
                                     "try_charge|try_charge_memcg";
        const char *controller = NULL;

        if (!procio_live(resolver_io(r)))
                return;
        if (t->state == 'R')
                controller = "cpu";
        else if (resolver_stack_has(r, t, STACK_FREEZER, freezer) ||
                 (t->wchan && symbol_matches(t->wchan, freezer)))
                controller = "freezer";
        else if (resolver_stack_has(r, t, STACK_MEMORY, memory) ||
                 (t->wchan && symbol_matches(t->wchan, memory)))
                controller = "memory";
        /* A machine may have both: v1's own hierarchy of the controller, and the unified one. */
        if (controller && !hierarchy_search(r, t, controller, false))
                hierarchy_search(r, t, controller, true);
}
