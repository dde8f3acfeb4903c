/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdebuginfod brings libcurl and all below it: it is loaded when there is something to ask.
 * The connection and the cache are the user's own (debuginfod-find(1)); what comes back is parsed
 * by the ELF server as any other file.
 */
#include "symbol/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/worker.h"

struct client; /* debuginfod_client of elfutils/debuginfod.h */

struct debuginfod {
        struct watch *watch;
        pid_t pid;
        int64_t left_ns;  /* for downloads */
        int64_t until_ns; /* of the one in hand */
        void *library;
        struct client *client;
        int (*find)(struct client *c, const unsigned char *id, int n, char **path);
        void (*set_progress)(struct client *c, int (*progress)(struct client *c, long a, long b));
        void (*set_data)(struct client *c, void *data);
        void (*end)(struct client *c);
};

static bool library_load(struct debuginfod *d)
{
        struct client *(*begin)(void);

        d->library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_GLOBAL);
        if (!d->library)
                return false;
        *(void **)&begin = dlsym(d->library, "debuginfod_begin");
        *(void **)&d->find = dlsym(d->library, "debuginfod_find_debuginfo");
        *(void **)&d->set_progress = dlsym(d->library, "debuginfod_set_progressfn");
        *(void **)&d->set_data = dlsym(d->library, "debuginfod_set_user_data");
        *(void **)&d->end = dlsym(d->library, "debuginfod_end");
        if (!begin || !d->find || !d->set_progress || !d->set_data || !d->end)
                return false;
        d->client = begin();
        return d->client != NULL;
}

struct debuginfod *debuginfod_new(struct watch *watch, int64_t budget_ns)
{
        const char *urls = secure_getenv("DEBUGINFOD_URLS");
        struct debuginfod *d = urls && *urls ? calloc(1, sizeof(*d)) : NULL;

        if (!d)
                return NULL;
        d->watch = watch;
        d->left_ns = budget_ns;
        if (!library_load(d)) {
                debuginfod_free(d);
                return NULL;
        }
        return d;
}

void debuginfod_free(struct debuginfod *d)
{
        if (!d)
                return;
        if (d->client)
                d->end(d->client);
        /* libcurl may have left threads and handlers behind: the library stays where it is. */
        free(d);
}

/*
 * Called a few times a second; anything but 0 ends the download. It is given the client only, and
 * what that carries is asked for by a function of the library, which is why this is global.
 */
static int download_progress(struct client *c, long a, long b)
{
        void *(*get_data)(struct client * c);
        struct debuginfod *d;

        (void)a;
        (void)b;
        *(void **)&get_data = dlsym(RTLD_DEFAULT, "debuginfod_get_user_data");
        d = get_data ? get_data(c) : NULL;
        if (!d || clock_ns(CLOCK_MONOTONIC) > d->until_ns)
                return 1;
        return !watch_enter(d->watch, d->pid, HANG_FILE);
}

int debuginfod_open(struct debuginfod *d, pid_t pid, const uint8_t *build_id, unsigned n)
{
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        int fd;

        if (!d || n == 0)
                return -ENOENT;
        if (d->left_ns <= 0 || !watch_enter(d->watch, pid, HANG_FILE))
                return -ETIMEDOUT;
        d->pid = pid;
        d->until_ns = start + d->left_ns;
        d->set_data(d->client, d);
        d->set_progress(d->client, download_progress);
        fd = d->find(d->client, build_id, (int)n, NULL);
        watch_leave(d->watch);
        d->left_ns -= clock_ns(CLOCK_MONOTONIC) - start;
        return fd;
}
