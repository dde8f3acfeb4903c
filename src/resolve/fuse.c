/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon has "/dev/fuse" open. Which connection that is, fdinfo tells since Linux 6.16:
 * "fuse_connection:\t39" is the device number of the file system (fs/fuse/dev.c). Before, it can
 * be told only where there is one daemon and one file system.
 *
 * All fds of all processes are looked at, once and within bounds, and only if a thread waits.
 */
#include "resolve/fuse.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/fstype.h"
#include "resolve/kinds.h"

#define LINKS_MAX 500000 /* about a second */
#define HOLDERS_MAX 256
#define OWNERS_MAX 4 /* of a connection: forked children may have it too */

struct holder {
        pid_t pid;
        uint64_t connection; /* 0: not told */
};

struct search {
        struct procio *io;
        struct snapshot *snapshot;
        struct holder holders[HOLDERS_MAX];
        size_t n_holders;
        size_t n_links;
        bool incomplete; /* somebody may have been missed */
};

static bool is_awaited(const struct object *o)
{
        /* Of virtiofs the host is the daemon. */
        return o && o->fs && fs_family(o->fs) == FS_FUSE && strcmp(o->fs, "virtiofs") != 0 &&
               !o->n_owners;
}

static DIR *directory_open(int dir, const char *path)
{
        int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d && fd >= 0)
                close(fd);
        return d;
}

static void holder_add(struct search *f, pid_t pid, const char *number)
{
        struct holder h = { .pid = pid };
        const char *text;
        char path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "%d/fdinfo/%.10s", (int)pid, number);
        n = procio_read(f->io, procio_root(f->io), path, pid, HANG_NONE, &text);
        if (n > 0)
                fdinfo_number(text, "fuse_connection", 10, &h.connection);
        for (size_t i = 0; i < f->n_holders; i++)
                if (f->holders[i].pid == pid && f->holders[i].connection == h.connection)
                        return;
        if (f->n_holders == HOLDERS_MAX)
                f->incomplete = true;
        else
                f->holders[f->n_holders++] = h;
}

static void process_search(struct search *f, const char *pid)
{
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        const char *link;
        char path[32];

        snprintf(path, sizeof(path), "%.10s/fd", pid);
        d = directory_open(procio_root(f->io), path);
        if (!d) {
                f->incomplete |= errno != ENOENT && errno != ESRCH;
                return;
        }
        while ((e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                if (!isdigit((unsigned char)e->d_name[0]))
                        continue;
                if (f->n_links++ >= LINKS_MAX) {
                        f->incomplete = true;
                        return;
                }
                if (procio_link(f->io, dirfd(d), e->d_name, &link) > 0 &&
                        strcmp(link, "/dev/fuse") == 0)
                        holder_add(f, (pid_t)strtol(pid, NULL, 10), e->d_name);
        }
}

static void all_search(struct search *f)
{
        _cleanup_closedir_ DIR *d = directory_open(procio_root(f->io), ".");
        struct dirent *e;

        if (!d) {
                f->incomplete = true;
                return;
        }
        while (f->n_links < LINKS_MAX && (e = readdir(d))) /* NOLINT(concurrency-mt-unsafe) */
                if (isdigit((unsigned char)e->d_name[0]))
                        process_search(f, e->d_name);
}

/*
 * Does this kernel tell of connections? One that does, and has nobody for this one, says that
 * the daemon is out of sight; and a holder without a number has just not mounted yet.
 */
static bool kernel_tells(const struct search *f)
{
        const char *release = f->snapshot->host.kernel;
        unsigned major, minor;

        for (size_t i = 0; i < f->n_holders; i++)
                if (f->holders[i].connection)
                        return true;
        return !release || sscanf(release, "%u.%u", &major, &minor) != 2 || major > 6 ||
               (major == 6 && minor >= 16);
}

static const char *comm_read(struct search *f, pid_t pid)
{
        const char *text;
        char path[32];
        ssize_t n;

        snprintf(path, sizeof(path), "%d/comm", (int)pid);
        n = procio_read(f->io, procio_root(f->io), path, pid, HANG_NONE, &text);
        if (n <= 0)
                return NULL;
        return arena_strn(f->snapshot->arena, text, (size_t)n - (text[n - 1] == '\n'));
}

static void owners_set(struct search *f, struct object *o)
{
        struct owner owners[OWNERS_MAX];
        bool tells = kernel_tells(f);
        size_t n = 0;

        if (!tells && (f->incomplete || f->n_holders != 1 || !o->fs_alone))
                return;
        for (size_t i = 0; i < f->n_holders && n < OWNERS_MAX; i++) {
                if (tells && (!o->fs_number || f->holders[i].connection != o->fs_number))
                        continue;
                owners[n++] = (struct owner){ .pid = f->holders[i].pid,
                        .comm = comm_read(f, f->holders[i].pid),
                        .role = ROLE_SERVER };
        }
        if (!n)
                return;
        o->owners = arena_dup(f->snapshot->arena, owners, n * sizeof(*owners));
        o->n_owners = o->owners ? n : 0;
}

void fuse_resolve(struct procio *io, struct snapshot *s)
{
        _cleanup_free_ struct search *f = NULL;

        for_each_process(p, s) {
                for_each_thread(t, p) {
                        struct object *const objects[] = { t->call.object, t->call.object2 };

                        for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
                                if (!is_awaited(objects[i]))
                                        continue;
                                if (!f) {
                                        f = calloc(1, sizeof(*f));
                                        if (!f)
                                                return;
                                        f->io = io;
                                        f->snapshot = s;
                                        all_search(f);
                                }
                                owners_set(f, objects[i]);
                        }
                }
        }
}
