/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device on which opening a file hung is not touched again, by this worker or one that follows
 * (struct dead_devices): so one file system that is dead takes only its own files along.
 */
#include "unwind/modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "base/procmem.h"
#include "base/worker.h"
#include "symbol/debugfile.h"
#include "symbol/debuginfod.h"
#include "unwind/mapfile.h"
#include "unwind/maps.h"
#include "unwind/module-parts.h"

#define VDSO_MAX (1U << 20)
#define DEVICE_VDSO UINT64_MAX

struct modules {
        struct procio *io;
        struct watch *watch;
        struct elfserver *server;
        struct arena *arena;
        struct dead_devices *dead;
        bool without_lines;
        struct debuginfod *debuginfod; /* NULL: nobody is asked */
        struct module *table;
        struct module *all;   /* those with no key of their own, too */
        struct cfi_row *rows; /* MODULE_BATCH of them, lent to each request */
};

int modules_new(struct procio *io, struct watch *watch, struct elfserver *server,
        struct arena *arena, struct dead_devices *dead, int64_t budget_ns,
        struct modules **ret_modules)
{
        struct modules *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->io = io;
        m->watch = watch;
        m->server = server;
        m->arena = arena;
        m->dead = dead;
        m->debuginfod = debuginfod_new(watch, budget_ns);
        /* A worker before this one ended over it. */
        if (dead->opening && dead->n < DEAD_MAX)
                dead->dead[dead->n++] = dead->opening;
        dead->opening = 0;
        *ret_modules = m;
        return 0;
}

void modules_without_lines(struct modules *m)
{
        m->without_lines = true;
}

void modules_free(struct modules *m)
{
        if (!m)
                return;
        HASH_CLEAR(hh, m->table);
        debuginfod_free(m->debuginfod);
        free(m->rows);
        while (m->all) {
                struct module *next = m->all->next;

                module_free(m->all);
                m->all = next;
        }
        free(m);
}

/* Opening */

static bool device_enter(struct modules *m, uint64_t device)
{
        for (size_t i = 0; i < m->dead->n; i++)
                if (m->dead->dead[i] == device + 1)
                        return false;
        m->dead->opening = device + 1;
        /* Nobody is blamed by name: the device is, when the next worker begins. */
        return watch_enter(m->watch, 0, HANG_FILE);
}

static void device_leave(struct modules *m)
{
        watch_leave(m->watch);
        m->dead->opening = 0;
}

static struct module *module_make(struct modules *m, const struct module_key *key)
{
        struct module *module = calloc(1, sizeof(*module));

        if (!module)
                return NULL;
        module->key = *key;
        module->next = m->all;
        m->all = module;
        if (key->device || key->inode)
                HASH_ADD(hh, m->table, key, sizeof(module->key), module);
        return module;
}

/* Takes the fd. */
static void module_give(struct modules *m, struct module *module, int fd)
{
        struct elf_facts *f = calloc(1, sizeof(*f));
        int r;

        if (!f) {
                close(fd);
                module_fail(module, -ENOMEM, "there is no memory");
                return;
        }
        module->facts = f;
        r = elfserver_add(m->server, fd, &module->id, f);
        if (r < 0) {
                module_fail(module, r, r == -ENOEXEC ? NULL : elfserver_why(r));
                return;
        }
        if (f->n_build_id && f->n_build_id <= ELF_BUILD_ID_MAX) {
                char *text = arena_alloc(m->arena, 2U * f->n_build_id + 1);

                for (unsigned i = 0; text && i < f->n_build_id; i++)
                        snprintf(text + 2 * (size_t)i, 3, "%02x", f->build_id[i]);
                module->build_id = text;
        }
}

/* Its separate debug file, if there is one. */
static void module_debug(
        struct modules *m, struct module *module, int dir, pid_t pid, const struct map *map)
{
        _cleanup_close_ int root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        const struct debugfile_search search = {
                .watch = m->watch,
                .pid = pid,
                .root = root,
                .path = *map->name == '/' ? map->name : NULL,
                .debuginfod = m->debuginfod,
        };
        int r = module->error ? 0 : debugfile_attach(&search, m->server, module->id, module->facts);

        if (r < 0 && r != -ENOMEM)
                module_fail(module, r, elfserver_why(r));
}

/*
 * Lines of the C library's source are not what somebody looks for, and to unpack its separate
 * debug information, where that is installed, takes longer than everything else together.
 */
static bool is_c_library(const char *path)
{
        static const char *const names[] = { "libc.so.", "libc-2.", "ld-linux", "ld-2.",
                "libpthread", "ld-musl-", "ld64.so." };
        const char *slash = strrchr(path, '/');

        for (size_t i = 0; slash && i < ARRAY_SIZE(names); i++)
                if (strncmp(slash + 1, names[i], strlen(names[i])) == 0)
                        return true;
        return false;
}

static struct module *module_find(struct modules *m, const struct module_key *key)
{
        struct module *module = NULL;

        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): no padding in a key */
        HASH_FIND(hh, m->table, key, sizeof(*key), module);
        return module;
}

static struct module *open_file(struct modules *m, int dir, const struct map *map, bool *ret_made)
{
        struct module_key key = { 0 };
        struct module *module;
        struct stat st;
        _cleanup_close_ int place = mapfile_place(dir, map, procio_live(m->io), &st);
        int fd;

        if (place >= 0)
                key = (struct module_key){ st.st_dev, st.st_ino, (uint64_t)st.st_size,
                        (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec };
        module = place >= 0 ? module_find(m, &key) : NULL;
        if (module)
                return module;
        module = module_make(m, &key);
        if (!module)
                return NULL;
        *ret_made = true;
        module->without_lines = m->without_lines || is_c_library(map->name);
        if (place < 0) {
                module_fail(module, -EBADF,
                        place == -ESTALE
                                ? "its file was replaced, and only root can open the old one"
                                : "its file cannot be opened");
        } else if (!S_ISREG(st.st_mode)) {
                module_fail(module, -ENOEXEC, NULL);
        } else {
                fd = mapfile_open(place);
                if (fd < 0)
                        module_fail(module, -EBADF, "its file cannot be read");
                else
                        module_give(m, module, fd);
        }
        return module;
}

static struct module *file_module(struct modules *m, int dir, pid_t pid, const struct map *map)
{
        static const struct module_key none = { 0 };
        struct module *module;
        bool made = false;

        if (!device_enter(m, makedev(map->device_major, map->device_minor))) {
                module = module_make(m, &none);
                if (module)
                        module_fail(module, -EBADF, "the file system it is on does not answer");
                return module;
        }
        module = open_file(m, dir, map, &made);
        device_leave(m);
        if (made && procio_live(m->io))
                module_debug(m, module, dir, pid, map);
        return module;
}

/* The kernel gives every process of a kind the same image, and it is in memory only. */
static struct module *vdso_module(struct modules *m, int dir, pid_t pid, const struct map *map)
{
        size_t size = map->end - map->start;
        const struct module_key key = { DEVICE_VDSO, map->start >> 32 != 0, size, 0 };
        struct module *module = module_find(m, &key);
        _cleanup_free_ char *image = NULL;
        int fd;

        if (module || size > VDSO_MAX)
                return module;
        image = malloc(size);
        module = image ? module_make(m, &key) : NULL;
        if (!module)
                return NULL;
        if (procio_memory(m->io, dir, pid, map->start, image, size) != (ssize_t)size) {
                module_fail(module, -EBADF, "its memory cannot be read");
                return module;
        }
        fd = memfd_create("vdso", MFD_CLOEXEC);
        if (fd < 0 || write(fd, image, size) != (ssize_t)size) {
                module_fail(module, -EBADF, "there is no memory");
                if (fd >= 0)
                        close(fd);
                return module;
        }
        module_give(m, module, fd);
        return module;
}

struct module *modules_open(struct modules *m, int dir, pid_t pid, const struct map *map)
{
        if (strcmp(map->name, "[vdso]") == 0)
                return vdso_module(m, dir, pid, map);
        /* Shared anonymous memory has an inode, too, and is asked what it is like a file. */
        return map->inode ? file_module(m, dir, pid, map) : NULL;
}

int modules_fetch(struct modules *m)
{
        if (!m->rows)
                m->rows = malloc(MODULE_BATCH * sizeof(*m->rows));
        if (!m->rows)
                return -ENOMEM;
        for (struct module *module = m->all; module; module = module->next) {
                int r = module->wanted.n && !module->error
                                ? module_fetch_rows(module, m->server, m->rows)
                                : 0;

                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        module_fail(module, r, elfserver_why(r));
        }
        return 0;
}

int modules_fetch_names(struct modules *m)
{
        _cleanup_free_ struct elf_name *names = malloc(MODULE_BATCH * sizeof(*names));

        if (!names)
                return -ENOMEM;
        for (struct module *module = m->all; module; module = module->next) {
                int r = module->unnamed.n ? module_fetch_names(module, m->server, m->arena, names)
                                          : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}
