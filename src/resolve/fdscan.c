/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads of a process share one table as a rule; one that called unshare(CLONE_FILES) does not,
 * and a main thread that has exited has none. Whether two share, kcmp(2) tells; where it does not,
 * the main thread's table is taken for all, and the scan is not whole.
 */
#include "resolve/fdscan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/bpf/filewire.h"
#include "capture/fileiter.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procio.h"
#include "model.h"

#define LINKS_MAX 500000 /* about a second */
#define TIME_MAX_NS (5 * NS_PER_S)
#define TABLES_MAX 16 /* of one process */

struct pass {
        struct procio *io;
        struct fdscan *scan;
        int64_t end_ns;
        size_t cost,
                patience; /* links read, threads compared; how many before the kernel is asked */
        pid_t self;       /* pwhy, which nobody waits for; 0: not here */
        bool init_seen;   /* process 1 and its table */
        struct fileiter *files; /* the kernel's own word; NULL: not asked, or not to be had */
        bool files_tried;
        pid_t refused; /* the last one that may not be looked into */
        pid_t *met;    /* processes that the kernel has told of */
        size_t n_met, room_met;
        bool no_memory;
};

static void entry_add(struct pass *p, const struct fd_entry *e)
{
        struct fdscan *s = p->scan;

        if (s->n == s->room) {
                size_t room = s->room ? s->room * 2 : 4096;
                struct fd_entry *grown = realloc(s->entries, room * sizeof(*grown));

                if (!grown) {
                        p->no_memory = true;
                        return;
                }
                s->entries = grown;
                s->room = room;
        }
        s->entries[s->n++] = *e;
}

static DIR *directory_open(int dir, const char *path)
{
        int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d && fd >= 0)
                close(fd);
        return d;
}

/* Those of processes that end meanwhile have nothing open any more. */
static bool is_gone(int error)
{
        return error == ENOENT || error == ESRCH;
}

static bool is_enough(struct pass *p)
{
        if (!p->no_memory && p->scan->n_links < LINKS_MAX &&
                (p->scan->n_links % 256 || clock_ns(CLOCK_MONOTONIC) < p->end_ns))
                return false;
        p->scan->cut = true;
        return true;
}

/* False: it cannot be said without its link. */
static bool file_entry(const struct wire_file *f, struct fd_entry *ret, bool *ret_wanted)
{
        char link[sizeof("anon_inode:") + WIRE_FILE_NAME];

        *ret = (struct fd_entry){ .pid = f->pid, .tid = f->tid, .fd = f->fd };
        *ret_wanted = true;
        switch (f->kind) {
        case WIRE_FILE_PIPE:
        case WIRE_FILE_SOCKET:
                ret->class = f->kind == WIRE_FILE_PIPE ? FD_PIPE : FD_SOCKET;
                ret->number = f->inode;
                return true;
        case WIRE_FILE_ANON:
                snprintf(link, sizeof(link), "anon_inode:%.*s", WIRE_FILE_NAME - 1, f->name);
                *ret_wanted = fdscan_link(link, ret);
                return true;
        case WIRE_FILE_NAMED:
                ret->class = FD_PATH;
                ret->name = fdscan_name(f->name);
                return true;
        default:
                return false;
        }
}

/* Of a process whose links may not be read. */
static int file_add(void *arg, const struct wire_file *f)
{
        struct fd_entry entry;
        bool wanted;

        if (file_entry(f, &entry, &wanted) && wanted)
                entry_add(arg, &entry);
        return 0;
}

static bool files_open(struct pass *p)
{
        if (!p->files_tried && procio_outermost(p->io))
                fileiter_new(&p->files);
        p->files_tried = true;
        return p->files;
}

/*
 * A process that may not be looked into: what of its files matters most, the kernel itself may
 * tell. The numbers there are those of the first PID namespace.
 */
static void process_refused(struct pass *p, pid_t pid)
{
        char path[32];
        int r = -ENOSYS;

        p->refused = pid;
        if (files_open(p))
                r = fileiter_files(p->files, pid, file_add, p);
        /* What has ended meanwhile has nothing open any more. */
        snprintf(path, sizeof(path), "%d", (int)pid);
        if (r == 0)
                p->scan->half_refused = true;
        else if (faccessat(procio_root(p->io), path, F_OK, 0) == 0)
                p->scan->refused = true;
}

/* One table of fds. False: it could not be read. */
static bool table_scan(struct pass *p, const char *path, pid_t pid, pid_t tid)
{
        _cleanup_closedir_ DIR *d = directory_open(procio_root(p->io), path);
        bool refused = false;
        struct dirent *e;

        if (!d) {
                if (!is_gone(errno))
                        process_refused(p, pid);
                return false;
        }
        while (!refused && !is_enough(p) && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                struct fd_entry entry = { .pid = pid, .tid = tid };
                const char *link;
                ssize_t n;

                /* A recording has "3.mode" and the like beside its links. */
                if (!isdigit((unsigned char)e->d_name[0]) || strchr(e->d_name, '.'))
                        continue;
                p->scan->n_links++;
                p->cost++;
                n = procio_link_of(p->io, dirfd(d), e->d_name, pid, &link);
                if (n == -ETIMEDOUT) { /* in the middle of execve(2), perhaps for ever */
                        process_refused(p, pid);
                        return false;
                }
                if (n < 0) {
                        refused = !is_gone((int)-n);
                        continue;
                }
                entry.fd = (int)strtol(e->d_name, NULL, 10);
                if (fdscan_link(link, &entry))
                        entry_add(p, &entry);
        }
        if (refused)
                process_refused(p, pid);
        return true;
}

/* The tables of threads that have another one than those before them. */
static void threads_scan(struct pass *p, pid_t pid)
{
        pid_t tables[TABLES_MAX] = { pid };
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        size_t n = 1;
        char path[48];

        snprintf(path, sizeof(path), "%d/task", (int)pid);
        d = directory_open(procio_root(p->io), path);
        while (d && !is_enough(p) && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
                bool shared = tid <= 0 || tid == pid;

                for (size_t i = 0; i < n && !shared; i++) {
                        long r = syscall(SYS_kcmp, tables[i], tid, KCMP_FILES, 0, 0);

                        if (r < 0 && errno != ESRCH) {
                                process_refused(p, pid);
                                return;
                        }
                        shared = r <= 0;
                }
                if (shared)
                        continue;
                if (n == TABLES_MAX) {
                        p->scan->cut = true;
                        return;
                }
                tables[n++] = tid;
                snprintf(path, sizeof(path), "%d/task/%d/fd", (int)pid, (int)tid);
                table_scan(p, path, pid, tid);
        }
}

static void process_scan(struct pass *p, pid_t pid)
{
        struct stat st;
        char path[48];

        snprintf(path, sizeof(path), "%d/fd", (int)pid);
        if (table_scan(p, path, pid, pid) && pid == 1)
                p->init_seen = true;
        if (!procio_live(p->io))
                return;
        /* A directory has a link for itself, one for its name, and one for each in it. */
        snprintf(path, sizeof(path), "%d/task", (int)pid);
        if (p->refused == pid || fstatat(procio_root(p->io), path, &st, 0) < 0 || st.st_nlink <= 3)
                return;
        p->cost += st.st_nlink;
        if (p->cost < p->patience)
                threads_scan(p, pid);
}

/* Threads come in the order of their numbers: those of a process mostly together. */
static bool met_add(struct pass *p, pid_t pid)
{
        if (p->n_met && p->met[p->n_met - 1] == pid)
                return true;
        if (p->n_met == p->room_met) {
                size_t room = p->room_met ? p->room_met * 2 : 1024;
                pid_t *grown = realloc(p->met, room * sizeof(*grown));

                if (!grown)
                        return false;
                p->met = grown;
                p->room_met = room;
        }
        p->met[p->n_met++] = pid;
        return true;
}

static int pid_compare(const void *a, const void *b)
{
        pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

        return (x > y) - (x < y);
}

static int machine_add(void *arg, const struct wire_file *f)
{
        struct pass *p = arg;
        struct fd_entry entry;
        const char *link;
        bool wanted = true;
        char path[64];
        ssize_t n;

        if (f->pid == p->self)
                return 0;
        if (is_enough(p))
                return -E2BIG;
        if (!met_add(p, f->pid))
                return -ENOMEM;
        p->scan->n_links++;
        if (!file_entry(f, &entry, &wanted)) {
                snprintf(path, sizeof(path), "%d/task/%d/fd/%d", (int)f->pid, (int)f->tid,
                        (int)f->fd);
                n = procio_link_of(p->io, procio_root(p->io), path, f->pid, &link);
                if (n < 0 && !is_gone((int)-n))
                        p->scan->half_refused = true;
                wanted = n > 0 && fdscan_link(link, &entry);
        }
        if (wanted)
                entry_add(p, &entry);
        return 0;
}

static void scan_clear(struct pass *p)
{
        free(p->scan->entries);
        *p->scan = (struct fdscan){ 0 };
        p->n_met = 0;
        p->init_seen = false;
        p->refused = 0;
}

/* All tables anew, in one pass of the kernel; none, if it does not tell. */
static void machine_scan(struct pass *p)
{
        scan_clear(p);
        if (!files_open(p))
                return;
        if (fileiter_files(p->files, 0, machine_add, p) < 0 && !p->scan->cut) {
                scan_clear(p);
                return;
        }
        p->scan->by_kernel = true;
        if (p->n_met)
                qsort(p->met, p->n_met, sizeof(*p->met), pid_compare);
}

static bool is_met(const struct pass *p, pid_t pid)
{
        return p->n_met && bsearch(&pid, p->met, p->n_met, sizeof(pid), pid_compare);
}

static int entry_compare(const void *a, const void *b)
{
        const struct fd_entry *x = a, *y = b;

        if (x->class != y->class)
                return x->class < y->class ? -1 : 1;
        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        if (x->pid != y->pid)
                return x->pid < y->pid ? -1 : 1;
        if (x->tid != y->tid)
                return x->tid < y->tid ? -1 : 1;
        return x->fd < y->fd ? -1 : x->fd > y->fd;
}

static int scan_keep(struct fdscan *scan, struct arena *a, const struct fdscan **ret_scan)
{
        struct fd_entry *entries = arena_dup(a, scan->entries, scan->n * sizeof(*entries));
        struct fdscan *kept;

        free(scan->entries);
        scan->entries = entries;
        kept = arena_dup(a, scan, sizeof(*scan));
        if (!entries || !kept)
                return -ENOMEM;
        *ret_scan = kept;
        return 0;
}

int fdscan_new(
        struct procio *io, struct snapshot *s, size_t patience, const struct fdscan **ret_scan)
{
        struct pass p = { .io = io,
                .end_ns = clock_ns(CLOCK_MONOTONIC) + TIME_MAX_NS,
                .patience = procio_live(io) ? patience : SIZE_MAX };
        _cleanup_closedir_ DIR *d = directory_open(procio_root(io), ".");
        struct fdscan scan = { 0 };
        struct dirent *e;

        p.self = procio_live(io) ? getpid() : 0;
        p.scan = &scan;
        s->n_fd_scans++;
        while (d && !is_enough(&p) && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                pid_t pid = isdigit((unsigned char)e->d_name[0])
                                    ? (pid_t)strtol(e->d_name, NULL, 10)
                                    : 0;

                /* Whom the kernel did not tell of has nothing open, is younger, or was hidden. */
                if (pid > 0 && pid != p.self && !is_met(&p, pid))
                        process_scan(&p, pid);
                if (p.cost >= p.patience) {
                        p.patience = SIZE_MAX;
                        machine_scan(&p);
                        p.init_seen = is_met(&p, 1);
                        rewinddir(d);
                }
        }
        free(p.met);
        fileiter_free(p.files);
        scan.blind = !d || !p.init_seen || !procio_outermost(io);
        scan.at_ns = p.end_ns - TIME_MAX_NS;
        if (scan.n)
                qsort(scan.entries, scan.n, sizeof(*scan.entries), entry_compare);
        return scan_keep(&scan, s->arena, ret_scan);
}

bool fdscan_whole_of(const struct fdscan *scan, enum fd_class class)
{
        bool told = class <= FD_ANON_LAST || !scan->half_refused;

        return told && !scan->cut && !scan->refused && !scan->blind;
}

bool fdscan_whole(const struct fdscan *scan)
{
        return fdscan_whole_of(scan, FD_PATH);
}

/* The first entry that is not before that class and number. */
static size_t entry_bound(const struct fdscan *scan, enum fd_class class, uint64_t number)
{
        size_t low = 0, high = scan->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct fd_entry *e = &scan->entries[middle];

                if (e->class < class || (e->class == class && e->number < number))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

const struct fd_entry *fdscan_find(
        const struct fdscan *scan, enum fd_class class, uint64_t number, size_t *ret_n)
{
        size_t first = entry_bound(scan, class, number), end = first;

        while (end < scan->n && scan->entries[end].class == class &&
                scan->entries[end].number == number)
                end++;
        *ret_n = end - first;
        return *ret_n ? scan->entries + first : NULL;
}

const struct fd_entry *fdscan_class(const struct fdscan *scan, enum fd_class class, size_t *ret_n)
{
        size_t first = entry_bound(scan, class, 0);
        size_t end = entry_bound(scan, (enum fd_class)(class + 1), 0);

        *ret_n = end - first;
        return *ret_n ? scan->entries + first : NULL;
}
