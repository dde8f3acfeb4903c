/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads whose mounts differ without telling so (no permission to read the links) get tables
 * of their own, which are dropped with the next process.
 */
#include "resolve/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/call.h"
#include "resolve/children.h"
#include "resolve/fstype.h"
#include "resolve/kinds.h"
#include "resolve/mounts.h"
#include "resolve/resolver.h"
#include "resolve/ns.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

#define VIEWS_MAX 64
#define KEY_MAX 512

/* Functions in which a thread waits for a file system's program or server without state D. */
#define WAITS                                                                                      \
        "fuse_*|__fuse_*|request_wait_answer|autofs_*|autofs4_*|nfs_*|nfs4_*|rpc_*|__rpc_*|"       \
        "cifs_*|smb2_*|SMB2_*|wait_for_response|ceph_*|p9_client*|v9fs_*|afs_*"

struct view {
        char key[KEY_MAX]; /* "mnt:[4026531841] /root" */
        struct mounts *mounts;
};

struct storage {
        struct view views[VIEWS_MAX];
        size_t n_views;
        const struct process *process; /* whose view is the last one asked for */
        const struct mounts *mounts;   /* NULL: could not be had */
};

int storage_new(struct storage **ret_storage)
{
        struct storage *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        *ret_storage = s;
        return 0;
}

static void views_clear(struct storage *s)
{
        for (size_t i = 0; i < s->n_views; i++)
                mounts_free(s->views[i].mounts);
        s->n_views = 0;
        s->process = NULL;
        s->mounts = NULL;
}

void storage_free(struct storage *s)
{
        if (!s)
                return;
        views_clear(s);
        free(s);
}

static bool view_key(struct resolver *r, char key[static KEY_MAX])
{
        uint64_t space = ns_process(r, NS_MNT);
        const char *root;
        int n;

        if (!space || resolver_path(r, "root", &root) <= 0)
                n = snprintf(key, KEY_MAX, "pid %d", (int)resolver_process_of(r)->pid);
        else
                n = snprintf(key, KEY_MAX, "%" PRIu64 " %s", space, root);
        return n < KEY_MAX;
}

/* The mounts as the process in hand sees them; NULL. */
static const struct mounts *mounts_seen(struct storage *s, struct resolver *r)
{
        const struct process *p = resolver_process_of(r);
        char key[KEY_MAX];
        const char *text;
        struct view *v;
        ssize_t n;

        if (s->process == p)
                return s->mounts;
        s->process = p;
        s->mounts = NULL;
        if (!view_key(r, key))
                return NULL;
        for (size_t i = 0; i < s->n_views; i++)
                if (strcmp(s->views[i].key, key) == 0)
                        return s->mounts = s->views[i].mounts;
        n = procio_read(resolver_io(r), resolver_dir(r), "mountinfo", p->pid, HANG_FILE, &text);
        if (n <= 0)
                return NULL;
        if (s->n_views == VIEWS_MAX) {
                views_clear(s);
                s->process = p;
        }
        v = &s->views[s->n_views];
        if (mounts_parse(text, (size_t)n, (size_t)n >= PROCIO_TEXT_MAX, &v->mounts) < 0)
                return NULL;
        memcpy(v->key, key, sizeof(key));
        s->n_views++;
        return s->mounts = v->mounts;
}

static bool waits_in_fs(struct resolver *r, const struct thread *t)
{
        if (t->state == 'D')
                return true;
        if (t->kernel_stack && t->kernel_stack->n_frames)
                return resolver_stack_has(r, t, STACK_FILES, WAITS);
        return t->wchan && symbol_matches(t->wchan, WAITS);
}

int storage_mode(struct storage *s, struct resolver *r, const struct thread *t, const char *fdinfo)
{
        const struct mounts *mounts;
        const struct mount *m;
        uint64_t id, flags = 0;

        /* A recorded type is a file beside; it hangs on nobody. */
        if (!procio_live(resolver_io(r)) || !fdinfo_number(fdinfo, "mnt_id", 10, &id) ||
                id > INT_MAX || !(mounts = mounts_seen(s, r)))
                return -1;
        m = mounts_find(mounts, (int)id);
        if (!m || fs_family(m->type) == FS_LOCAL)
                return -1;
        /* What waits for a server or daemon is a file or directory: a FIFO's reader does not. */
        if (waits_in_fs(r, t)) {
                bool lists = t->call.state == CALL_INSIDE && t->call.desc &&
                             call_is(&t->call, "getdents|getdents64");

                fdinfo_number(fdinfo, "flags", 8, &flags);
                return lists || flags & O_DIRECTORY ? S_IFDIR : S_IFREG;
        }
        return fs_stat_is_quiet(m->type) ? -1 : 0;
}

/* "8:1" → "../../devices/…/block/sda/sda1" → "sda1" */
static const char *device_name(struct resolver *r, const char *device)
{
        char path[64], link[PATH_MAX];
        const char *name;
        ssize_t n;

        if (!procio_live(resolver_io(r)))
                return NULL;
        snprintf(path, sizeof(path), "/sys/dev/block/%s", device);
        n = readlink(path, link, sizeof(link) - 1);
        if (n <= 0)
                return NULL;
        link[n] = 0;
        name = strrchr(link, '/');
        return name ? arena_str(resolver_snapshot(r)->arena, name + 1) : NULL;
}

/* "fd=6,pgrp=123,timeout=300,…": the process group whose leader mounts (fs/autofs/inode.c). */
static void automounter_note(struct resolver *r, struct object *o, const struct mount *m)
{
        size_t len;
        const char *value = mount_option(m, "pgrp", &len);
        long pid = value ? strtol(value, NULL, 10) : 0;
        const char *comm;

        if (pid <= 0 || pid > INT_MAX || !(comm = children_comm(r, (pid_t)pid)))
                return;
        o->owners = arena_new_one(resolver_snapshot(r)->arena, struct owner);
        if (!o->owners)
                return;
        *o->owners = (struct owner){ .pid = (pid_t)pid, .comm = comm, .role = ROLE_SERVER };
        o->n_owners = 1;
}

/* Are all mounts of its family of this one file system? */
static bool is_alone(const struct mounts *mounts, const struct mount *m)
{
        if (mounts->cut)
                return false;
        for (size_t i = 0; i < mounts->n; i++) {
                const struct mount *other = &mounts->all[i];

                if (fs_family(other->type) == fs_family(m->type) &&
                        (other->device_major != m->device_major ||
                                other->device_minor != m->device_minor))
                        return false;
        }
        return true;
}

static void mount_note(
        struct resolver *r, struct object *o, const struct mounts *mounts, const struct mount *m)
{
        struct arena *a = resolver_snapshot(r)->arena;

        o->fs = arena_str(a, m->type);
        o->mount = arena_str(a, m->point);
        if (*m->source && strcmp(m->source, "none") != 0)
                o->source = arena_str(a, m->source);
        /* MKDEV() of the kernel's own dev_t, which is how FUSE prints its connections. */
        o->fs_number = (uint64_t)m->device_major << 20 | m->device_minor;
        o->fs_alone = is_alone(mounts, m);
        if (m->device_major) {
                o->device = arena_printf(a, "%u:%u", m->device_major, m->device_minor);
                o->device_name = o->device ? device_name(r, o->device) : NULL;
        }
        if (fs_family(m->type) == FS_AUTOFS)
                automounter_note(r, o, m);
}

/* A device file is not about the file system that it is on. */
static void device_note(struct resolver *r, const struct thread *t, struct object *o)
{
        struct fd_ref ref = { resolver_dir(r), t->process->pid, t->tid, o->fd };
        char device[DEVICE_TEXT_MAX];

        if (procio_fd_device(resolver_io(r), &ref, device) < 0)
                return;
        o->device = arena_str(resolver_snapshot(r)->arena, device);
        o->device_name = device_name(r, device);
}

static void fd_note(
        struct resolver *r, const struct mounts *mounts, const struct thread *t, struct object *o)
{
        const struct mount *m = NULL;
        const char *root;

        if (!o->link || *o->link != '/')
                return;
        if (o->kind && strcmp(o->kind, "block") == 0) {
                device_note(r, t, o);
                return;
        }
        if (o->kind && strcmp(o->kind, "file") != 0 && strcmp(o->kind, "directory") != 0)
                return;
        /* Before fdinfo told, the path it has from our root must do, if that is its own, too. */
        if (o->has_mount_id)
                m = mounts_find(mounts, o->mount_id);
        else if (resolver_path(r, "root", &root) > 0 && strcmp(root, "/") == 0)
                m = mounts_of_path(mounts, o->link);
        if (m)
                mount_note(r, o, mounts, m);
}

/* A path argument, below the fd or the current directory when it is relative. */
static void path_note(
        struct resolver *r, const struct mounts *mounts, const struct call *c, struct object *o)
{
        int at = syscall_arg(c->desc, 'F', 0), path = syscall_arg(c->desc, 's', 0);
        char name[32] = "cwd", full[PATH_MAX];
        const struct mount *m;
        const char *base;

        if (*o->path == '/') {
                m = mounts_of_path(mounts, o->path);
        } else {
                if (at >= 0 && at < path && (int)c->args[at] != AT_FDCWD)
                        snprintf(name, sizeof(name), "fd/%d", (int)c->args[at]);
                if (resolver_path(r, name, &base) <= 0 ||
                        snprintf(full, sizeof(full), "%s/%s", base, o->path) >= PATH_MAX)
                        return;
                m = mounts_of_path(mounts, full);
        }
        /* What is local to its path may be elsewhere, by a symbolic link: say nothing. */
        if (m && fs_family(m->type) != FS_LOCAL)
                mount_note(r, o, mounts, m);
}

static void object_note(struct storage *s, struct resolver *r, struct thread *t, struct object *o)
{
        const struct mounts *mounts;

        if (!o || o->fs || o->device || (o->fd < 0 && !o->path))
                return;
        mounts = mounts_seen(s, r);
        if (!mounts)
                return;
        if (o->fd >= 0)
                fd_note(r, mounts, t, o);
        else if (!o->kind)
                path_note(r, mounts, &t->call, o);
}

void storage_thread(struct storage *s, struct resolver *r, struct thread *t)
{
        if (t->call.state != CALL_INSIDE || !t->call.desc || !waits_in_fs(r, t))
                return;
        object_note(s, r, t, t->call.object);
        object_note(s, r, t, t->call.object2);
}
