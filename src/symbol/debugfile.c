/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Candidates are tried in the order that gdb has, until the server takes one: it compares build
 * ID or CRC, so that a file that is only named right does no harm.
 *
 * What a target's root holds is the target's: openat2(RESOLVE_IN_ROOT) keeps its links inside,
 * and a path is looked at (O_PATH) before it is opened, since opening a device may do something.
 */
#include "symbol/debugfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/worker.h"
#include "symbol/debuginfod.h"
#include "symbol/elfserver.h"

#define DEBUG_DIR "/usr/lib/debug"

struct finder {
        const struct debugfile_search *search;
        struct elfserver *server;
        unsigned id;
        int error; /* the module turned out to be bad */
};

/* A regular file below root, or -1. Kernels before 5.6 have no openat2: then only our own root. */
static int file_open(int root, const char *path)
{
        struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
        _cleanup_close_ int at = -1;
        char again[32];
        struct stat st;

        if (root < 0)
                at = open(path, O_PATH | O_CLOEXEC);
        else
                at = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode))
                return -1;
        snprintf(again, sizeof(again), "/proc/self/fd/%d", at);
        return open(again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* 1: taken; 0: not there or not it; negative: the module is bad. */
__attribute__((format(printf, 5, 6))) static int finder_try(struct finder *f, int root,
        enum elf_debug kind, struct elf_facts *ret_facts, const char *format, ...)
{
        char path[PATH_MAX];
        va_list ap;
        int fd, n, r;

        va_start(ap, format);
        n = vsnprintf(path, sizeof(path), format, ap);
        va_end(ap);
        if (n < 0 || n >= (int)sizeof(path))
                return 0;
        if (!watch_enter(f->search->watch, f->search->pid, HANG_FILE))
                return 0;
        fd = file_open(root, path);
        watch_leave(f->search->watch);
        if (fd < 0)
                return 0;
        r = elfserver_debug(f->server, f->id, kind, fd, ret_facts);
        if (r == 0)
                return 1;
        return r == -ESTALE || r == -ENOEXEC || r == -ENOMEM ? 0 : r;
}

/* ".build-id/ab/cdef….debug" of a build ID; false: it is too short for that. */
#define ID_PATH_MAX (sizeof(".build-id/") + 2 * ELF_BUILD_ID_MAX + sizeof("/.debug"))
static bool id_path(char path[static ID_PATH_MAX], const uint8_t *id, unsigned n)
{
        char *p = path;

        if (n < 2 || n > ELF_BUILD_ID_MAX)
                return false;
        p += sprintf(p, ".build-id/%02x/", id[0]);
        for (unsigned i = 1; i < n; i++)
                p += sprintf(p, "%02x", id[i]);
        strcpy(p, ".debug");
        return true;
}

/* In the target's root, then in ours, if these are two. */
static int finder_by_id(struct finder *f, enum elf_debug kind, const uint8_t *id, unsigned n,
        struct elf_facts *ret_facts)
{
        char path[ID_PATH_MAX];
        int r = 0;

        if (!id_path(path, id, n))
                return 0;
        if (f->search->root >= 0)
                r = finder_try(f, f->search->root, kind, ret_facts, DEBUG_DIR "/%s", path);
        if (r == 0)
                r = finder_try(f, -1, kind, ret_facts, DEBUG_DIR "/%s", path);
        return r;
}

/* Beside the module, in .debug/ there, and at its place below /usr/lib/debug. */
static int finder_by_link(struct finder *f, const struct elf_facts *facts, struct elf_facts *ret)
{
        const char *path = f->search->path;
        const char *slash = path ? strrchr(path, '/') : NULL;
        int root = f->search->root, length, r;

        /* A name, not a path: it leads nowhere else. */
        if (!facts->link[0] || !slash || strchr(facts->link, '/'))
                return 0;
        length = (int)(slash - path);
        /* A file may name itself: it has no debug information, that is known already. */
        r = strcmp(slash + 1, facts->link) == 0
                    ? 0
                    : finder_try(f, root, ELF_DEBUG, ret, "%.*s/%s", length, path, facts->link);
        if (r == 0)
                r = finder_try(
                        f, root, ELF_DEBUG, ret, "%.*s/.debug/%s", length, path, facts->link);
        if (r == 0)
                r = finder_try(
                        f, root, ELF_DEBUG, ret, DEBUG_DIR "%.*s/%s", length, path, facts->link);
        if (r == 0 && root >= 0)
                r = finder_try(
                        f, -1, ELF_DEBUG, ret, DEBUG_DIR "%.*s/%s", length, path, facts->link);
        return r;
}

/* Not by the path that the link has: it is often relative to a file whose place is not known. */
static int finder_alt(struct finder *f, const struct elf_facts *facts)
{
        struct elf_facts unused;
        const char *name = strrchr(facts->alt, '/');
        int r;

        if (!facts->alt[0] || !facts->n_alt_id)
                return 0;
        r = finder_by_id(f, ELF_DEBUG_ALT, facts->alt_id, facts->n_alt_id, &unused);
        if (r == 0 && f->search->root >= 0 && name)
                r = finder_try(
                        f, f->search->root, ELF_DEBUG_ALT, &unused, DEBUG_DIR "/.dwz/%s", name + 1);
        if (r == 0 && facts->alt[0] == '/')
                r = finder_try(f, f->search->root, ELF_DEBUG_ALT, &unused, "%s", facts->alt);
        return r;
}

static int finder_by_server(struct finder *f, const struct elf_facts *facts, struct elf_facts *ret)
{
        int fd = debuginfod_open(
                f->search->debuginfod, f->search->pid, facts->build_id, facts->n_build_id);
        int r;

        if (fd < 0)
                return 0;
        r = elfserver_debug(f->server, f->id, ELF_DEBUG, fd, ret);
        return r == 0 ? 1 : r == -ESTALE || r == -ENOEXEC ? 0 : r;
}

int debugfile_attach(const struct debugfile_search *search, struct elfserver *s, unsigned id,
        const struct elf_facts *facts)
{
        struct finder f = { .search = search, .server = s, .id = id };
        struct elf_facts debug;
        int r, alt;

        if (facts->has_debug)
                return finder_alt(&f, facts);
        r = finder_by_id(&f, ELF_DEBUG, facts->build_id, facts->n_build_id, &debug);
        if (r == 0)
                r = finder_by_link(&f, facts, &debug);
        if (r == 0)
                r = finder_by_server(&f, facts, &debug);
        if (r <= 0)
                return r;
        alt = finder_alt(&f, &debug);
        return alt < 0 ? alt : r;
}
