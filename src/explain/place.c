/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See place.h. */
#include "explain/place.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "explain/when.h"
#include "model.h"
#include "resolve/fstype.h"

enum wanted { WANT_REMOTE, WANT_FUSE, WANT_AUTOFS };

static enum wanted wanted_of(const struct rule *rule)
{
        if (strcmp(rule->made, "fuse") == 0)
                return WANT_FUSE;
        return strcmp(rule->made, "directory") == 0 ? WANT_AUTOFS : WANT_REMOTE;
}

static bool is_on(const struct object *o, enum wanted wanted)
{
        if (!o || !o->fs)
                return false;
        switch (fs_family(o->fs)) {
        case FS_LOCAL:
                return false;
        case FS_NFS:
        case FS_NETWORK:
                return wanted == WANT_REMOTE;
        case FS_FUSE:
                return wanted == WANT_FUSE;
        case FS_AUTOFS:
                return wanted == WANT_AUTOFS;
        }
        return false;
}

static const char *kind_of(const struct object *o, enum wanted wanted)
{
        if (wanted == WANT_FUSE)
                return "fuse";
        if (wanted == WANT_AUTOFS)
                return "directory";
        return fs_family(o->fs) == FS_NFS ? "nfs" : o->kind ? o->kind : "file";
}

struct object *place_object(struct arena *a, const struct rule *rule, const struct thread *t)
{
        enum wanted wanted = wanted_of(rule);
        const struct object *found = NULL;
        struct object *o;

        /* Memory that a call touches may be a mapping of any other file. */
        if (thread_within(t, FAULTS) != TRUE) {
                if (is_on(t->call.object, wanted))
                        found = t->call.object;
                else if (is_on(t->call.object2, wanted))
                        found = t->call.object2;
                else if (wanted == WANT_REMOTE && t->call.object && !t->call.object->fs)
                        return t->call.object;
        }
        if (!found && wanted != WANT_FUSE)
                return NULL;
        o = arena_new_one(a, struct object);
        if (!o)
                return NULL;
        if (found)
                *o = *found;
        else
                o->fd = -1;
        o->kind = found ? kind_of(found, wanted) : rule->made;
        return o;
}

static enum truth fd_is_on(const struct thread *t, enum wanted wanted)
{
        const struct object *const objects[] = { t->call.object, t->call.object2 };

        /* A path may lead elsewhere by a symbolic link; an open file is where it is. */
        for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
                if (objects[i] && objects[i]->fd >= 0 && is_on(objects[i], wanted))
                        return TRUE;
        return FALSE;
}

enum truth when_on_remote(const struct thread *t)
{
        return fd_is_on(t, WANT_REMOTE);
}

enum truth when_on_fuse(const struct thread *t)
{
        return fd_is_on(t, WANT_FUSE);
}

static void server_text(const struct object *o, char text[static PLACE_TEXT_MAX])
{
        if (o && o->fs && o->mount)
                snprintf(text, PLACE_TEXT_MAX, "%s%s%.300s (mounted on %.300s) to answer",
                        fs_server(o->fs), o->source ? " " : "", o->source ? o->source : "",
                        o->mount);
        else
                snprintf(text, PLACE_TEXT_MAX, "the server of a network file system");
}

/* "sshfs" of "fuse.sshfs", or the daemon's own name; "": neither is known */
static const char *daemon_name(const struct object *o)
{
        const char *dot = strchr(o->fs, '.');

        if (dot && dot[1])
                return dot + 1;
        return o->n_owners == 1 && o->owners->comm ? o->owners->comm : "";
}

static void daemon_text(const struct object *o, char text[static PLACE_TEXT_MAX])
{
        char who[128] = "", pid[32] = "";

        if (!o || !o->fs || !o->mount) {
                snprintf(text, PLACE_TEXT_MAX, "the daemon of a FUSE file system");
                return;
        }
        if (strcmp(o->fs, "virtiofs") == 0) {
                snprintf(text, PLACE_TEXT_MAX, "the host, which serves %.300s,", o->mount);
                return;
        }
        if (o->n_owners == 1)
                snprintf(pid, sizeof(pid), "pid %d", (int)o->owners->pid);
        if (*daemon_name(o) || *pid)
                snprintf(who, sizeof(who), " (%.64s%s%s)", daemon_name(o),
                        *daemon_name(o) && *pid ? ", " : "", pid);
        snprintf(text, PLACE_TEXT_MAX, "the daemon of the FUSE file system on %.300s%s", o->mount,
                who);
}

static void automounter_text(const struct object *o, char text[static PLACE_TEXT_MAX])
{
        char who[128] = "";

        if (!o || !o->mount) {
                snprintf(text, PLACE_TEXT_MAX, "the automounter");
                return;
        }
        if (o->n_owners == 1)
                snprintf(who, sizeof(who), " %.64s (%d)", o->owners->comm ? o->owners->comm : "",
                        (int)o->owners->pid);
        snprintf(text, PLACE_TEXT_MAX, "the automounter%s of %.300s", who, o->mount);
}

/* Of an open file only: where a path leads to is not sure. */
static void device_text(const struct object *o, char text[static PLACE_TEXT_MAX])
{
        if (!o || o->fd < 0 || !o->fs)
                return;
        if (o->device_name)
                snprintf(text, PLACE_TEXT_MAX, ", on %.64s", o->device_name);
        else if (o->source && strncmp(o->source, "/dev/", 5) == 0 &&
                 strcmp(o->source, "/dev/root") != 0)
                snprintf(text, PLACE_TEXT_MAX, ", on %.128s", o->source);
}

static void for_text(const struct object *o, char text[static PLACE_TEXT_MAX])
{
        if (!o || !o->fs || !o->path)
                return;
        if (o->fd >= 0)
                snprintf(text, PLACE_TEXT_MAX, ", for %.300s (fd %d)", o->path, o->fd);
        else
                snprintf(text, PLACE_TEXT_MAX, ", for %.300s", o->path);
}

bool place_word(
        const char *word, size_t len, const struct object *o, char ret_text[static PLACE_TEXT_MAX])
{
        static const struct {
                const char *word;
                void (*text)(const struct object *o, char text[static PLACE_TEXT_MAX]);
        } words[] = {
                { "server", server_text },
                { "daemon", daemon_text },
                { "automounter", automounter_text },
                { "device", device_text },
                { "for", for_text },
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                if (strlen(words[i].word) != len || memcmp(words[i].word, word, len) != 0)
                        continue;
                *ret_text = 0;
                words[i].text(o, ret_text);
                return true;
        }
        return false;
}

const char *place_evidence(struct arena *a, const struct object *o)
{
        if (!o || !o->fs || !o->mount)
                return NULL;
        return arena_printf(
                a, "%.300s on %.300s type %.64s", o->source ? o->source : "none", o->mount, o->fs);
}
