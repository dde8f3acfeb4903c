/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is opened is what the mapping holds: map_files/ leads to it whatever became of its path,
 * and wants CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. Without these the path below the process's
 * root is tried, and must have the inode that maps tells.
 *
 * To open a file may hang on a dead file system, and would not be harmless with devices: so it
 * is opened as a place first (O_PATH, which touches nothing but directories), and for reading if
 * it is a regular file. A device on which this hung is not touched again (struct dead_devices).
 */
#include "unwind/modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "base/worker.h"
#include "symbol/debugfile.h"
#include "symbol/debuginfod.h"
#include "unwind/maps.h"

#define VDSO_MAX (1U << 20)
#define DEVICE_VDSO UINT64_MAX
#define BATCH 256U /* addresses in one request */

struct module_key {
        uint64_t device, inode, size, changed_ns;
};

struct name {
        uint64_t address;
        struct elf_name name;
        UT_hash_handle hh;
};

struct addresses {
        uint64_t *list;
        size_t n, size;
};

struct module {
        struct module_key key;
        unsigned id;
        int error; /* 0: usable; see elfserver_why() */
        const char *why;
        struct elf_facts *facts;
        const char *build_id;
        bool c_library;
        struct cfi_row **rows; /* ascending by start, without overlap */
        size_t n_rows, rows_size;
        struct name *names;
        struct addresses wanted, unnamed;
        struct module *next;
        UT_hash_handle hh;
};

struct modules {
        struct procio *io;
        struct watch *watch;
        struct elfserver *server;
        struct arena *arena;
        struct dead_devices *dead;
        struct debuginfod *debuginfod; /* NULL: nobody is asked */
        struct module *table;
        struct module *all; /* those with no key of their own, too */
};

int modules_new(struct procio *io, struct watch *watch, struct elfserver *server,
        struct arena *arena, struct dead_devices *dead, int64_t budget_ns,
        struct modules **ret_modules)
{
        struct modules *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        *m = (struct modules){ io, watch, server, arena, dead, NULL, NULL, NULL };
        m->debuginfod = debuginfod_new(watch, budget_ns);
        /* A worker before this one ended over it. */
        if (dead->opening && dead->n < DEAD_MAX)
                dead->dead[dead->n++] = dead->opening;
        dead->opening = 0;
        *ret_modules = m;
        return 0;
}

static void module_free(struct module *m)
{
        struct name *name, *next;

        HASH_ITER(hh, m->names, name, next)
        {
                HASH_DEL(m->names, name);
                free(name);
        }
        for (size_t i = 0; i < m->n_rows; i++)
                free(m->rows[i]);
        free(m->rows);
        free(m->wanted.list);
        free(m->unnamed.list);
        free(m->facts);
        free(m);
}

void modules_free(struct modules *m)
{
        if (!m)
                return;
        HASH_CLEAR(hh, m->table);
        debuginfod_free(m->debuginfod);
        while (m->all) {
                struct module *next = m->all->next;

                module_free(m->all);
                m->all = next;
        }
        free(m);
}

static int address_add(struct addresses *a, uint64_t address)
{
        if (a->n == a->size) {
                size_t size = a->size ? a->size * 2 : 16;
                uint64_t *more = reallocarray(a->list, size, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                a->list = more;
                a->size = size;
        }
        a->list[a->n++] = address;
        return 0;
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

/* A path as the process sees it: no link leads out of its root. */
static int open_below_root(int dir, const char *path)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd;

        if (root < 0)
                return -errno;
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how)); /* since 5.6 */
        if (fd < 0 && errno == ENOSYS)
                fd = openat(root, path + strspn(path, "/"), O_PATH | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

/* O_PATH fd of what is mapped. */
static int open_place(int dir, const struct map *map, struct stat *ret)
{
        char path[64];
        int fd, error;

        snprintf(path, sizeof(path), "map_files/%llx-%llx", (unsigned long long)map->start,
                (unsigned long long)map->end);
        fd = openat(dir, path, O_PATH | O_CLOEXEC);
        if (fd >= 0)
                return fstat(fd, ret) < 0 ? (error = errno, close(fd), -error) : fd;
        error = errno;
        for (int i = 0; i < 2; i++) {
                fd = i == 0 ? open_below_root(dir, map->name)
                            : openat(dir, "exe", O_PATH | O_CLOEXEC);
                if (fd < 0)
                        continue;
                if (fstat(fd, ret) == 0 && ret->st_ino == map->inode)
                        return fd;
                close(fd);
                error = ESTALE;
        }
        return -error;
}

/* For reading. The time of last access is left alone where the kernel lets us. */
static int open_again(int place)
{
        const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
        char path[40];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
        fd = open(path, flags | O_NOATIME);
        if (fd < 0 && errno == EPERM)
                fd = open(path, flags);
        return fd < 0 ? -errno : fd;
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

static void module_fail(struct module *module, int error, const char *why)
{
        module->error = error;
        module->why = why;
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

        HASH_FIND(hh, m->table, key, sizeof(*key), module);
        return module;
}

static struct module *open_file(struct modules *m, int dir, const struct map *map, bool *ret_made)
{
        struct module_key key = { 0 };
        struct module *module;
        struct stat st;
        _cleanup_close_ int place = open_place(dir, map, &st);
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
        module->c_library = is_c_library(map->name);
        if (place < 0) {
                module_fail(module, -EBADF,
                        place == -ESTALE
                                ? "its file was replaced, and only root can open the old one"
                                : "its file cannot be opened");
        } else if (!S_ISREG(st.st_mode)) {
                module_fail(module, -ENOEXEC, NULL);
        } else {
                fd = open_again(place);
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
        if (made)
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

/* Facts */

const char *module_why(const struct module *m)
{
        return m->error ? m->why : NULL;
}

bool module_is_elf(const struct module *m)
{
        return m->error != -ENOEXEC;
}

uint16_t module_machine(const struct module *m)
{
        return m->facts && !m->error ? m->facts->machine : 0;
}

const char *module_build_id(const struct module *m)
{
        return m->build_id;
}

unsigned module_id(const struct module *m)
{
        return m->id;
}

bool module_address(const struct module *m, uint64_t offset, uint64_t *ret_address)
{
        const struct elf_facts *f = m->facts;

        for (uint32_t i = 0; f && i < f->n_segments && i < ELF_SEGMENTS_MAX; i++) {
                const struct elf_segment *s = &f->segments[i];

                /* Pages are mapped whole: what is asked about is code, and in the file. */
                if (!(s->flags & PF_X) || offset < s->offset || offset - s->offset >= s->file_size)
                        continue;
                *ret_address = s->address + (offset - s->offset);
                return true;
        }
        return false;
}

/* Rows */

const struct cfi_row *module_row(struct module *m, uint64_t address)
{
        size_t low = 0, high = m->n_rows;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct cfi_row *row = m->rows[middle];

                if (address < row->start)
                        high = middle;
                else if (address >= row->end)
                        low = middle + 1;
                else
                        return row;
        }
        address_add(&m->wanted, address);
        return NULL;
}

/* Put a row where it belongs; it holds for its address at least, and for no other row's. */
static int row_add(struct module *m, uint64_t address, const struct cfi_row *from)
{
        struct cfi_row *row;
        size_t at = 0;

        while (at < m->n_rows && m->rows[at]->end <= address)
                at++;
        if (at < m->n_rows && m->rows[at]->start <= address)
                return 0; /* asked for twice */
        if (m->n_rows == m->rows_size) {
                size_t size = m->rows_size ? m->rows_size * 2 : 16;
                struct cfi_row **more = reallocarray(m->rows, size, sizeof(struct cfi_row *));

                if (!more)
                        return -ENOMEM;
                m->rows = more;
                m->rows_size = size;
        }
        row = malloc(sizeof(*row));
        if (!row)
                return -ENOMEM;
        *row = *from;
        if (row->status != CFI_ROW || row->start > address || row->end <= address) {
                row->start = address;
                row->end = address + 1;
        }
        if (at && row->start < m->rows[at - 1]->end)
                row->start = m->rows[at - 1]->end;
        if (at < m->n_rows && row->end > m->rows[at]->start)
                row->end = m->rows[at]->start;
        memmove(&m->rows[at + 1], &m->rows[at], (m->n_rows - at) * sizeof(*m->rows));
        m->rows[at] = row;
        m->n_rows++;
        return 0;
}

static int compare_addresses(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static void addresses_sort(struct addresses *a)
{
        size_t n = 0;

        qsort(a->list, a->n, sizeof(*a->list), compare_addresses);
        for (size_t i = 0; i < a->n; i++)
                if (!n || a->list[n - 1] != a->list[i])
                        a->list[n++] = a->list[i];
        a->n = n;
}

/* -ENOMEM, or what is the matter with the module. */
static int rows_fetch(struct modules *m, struct module *module, struct cfi_row *rows)
{
        struct addresses *a = &module->wanted;
        int r = 0;

        addresses_sort(a);
        for (size_t done = 0; done < a->n && r == 0; done += BATCH) {
                size_t n = a->n - done < BATCH ? a->n - done : BATCH;

                r = elfserver_rows(m->server, module->id, a->list + done, n, rows);
                for (size_t i = 0; i < n && r == 0; i++)
                        r = row_add(module, a->list[done + i], &rows[i]);
        }
        a->n = 0;
        return r;
}

int modules_fetch(struct modules *m)
{
        _cleanup_free_ struct cfi_row *rows = malloc(BATCH * sizeof(*rows));

        if (!rows)
                return -ENOMEM;
        for (struct module *module = m->all; module; module = module->next) {
                int r = module->wanted.n && !module->error ? rows_fetch(m, module, rows) : 0;

                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        module_fail(module, r, elfserver_why(r));
        }
        return 0;
}

/* Names */

const struct elf_name *module_name(struct module *m, uint64_t address)
{
        static const struct elf_name unknown = { 0 };
        struct name *name = NULL;

        HASH_FIND(hh, m->names, &address, sizeof(address), name);
        if (name)
                return &name->name;
        if (m->error)
                return &unknown;
        address_add(&m->unnamed, address);
        return NULL;
}

static int name_add(struct module *m, uint64_t address, const struct elf_name *from)
{
        struct name *name = malloc(sizeof(*name));

        if (!name)
                return -ENOMEM;
        *name = (struct name){ .address = address, .name = *from };
        HASH_ADD(hh, m->names, address, sizeof(name->address), name);
        return 0;
}

static int names_fetch(struct modules *m, struct module *module, struct elf_name *names)
{
        static const struct elf_name unknown = { 0 };
        enum elf_names what = module->c_library ? ELF_NAMES_SYMBOLS : ELF_NAMES_LINES;
        struct addresses *a = &module->unnamed;
        int r = 0;

        addresses_sort(a);
        for (size_t done = 0; done < a->n && r == 0; done += BATCH) {
                size_t n = a->n - done < BATCH ? a->n - done : BATCH;
                int error = elfserver_names(
                        m->server, module->id, what, a->list + done, n, m->arena, names);

                if (error == -ENOMEM)
                        return error;
                /* The frames were found all the same: without names then. */
                for (size_t i = 0; i < n && r == 0; i++)
                        r = name_add(module, a->list[done + i], error < 0 ? &unknown : &names[i]);
        }
        a->n = 0;
        return r;
}

int modules_fetch_names(struct modules *m)
{
        _cleanup_free_ struct elf_name *names = malloc(BATCH * sizeof(*names));

        if (!names)
                return -ENOMEM;
        for (struct module *module = m->all; module; module = module->next) {
                int r = module->unnamed.n ? names_fetch(m, module, names) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}
