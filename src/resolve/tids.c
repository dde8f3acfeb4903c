/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "NSpid:\t12110\t7" in status (since 4.1): the numbers of a thread from the namespace of this
 * /proc inwards. Most processes have one only, and their threads are found by number.
 */
#include "resolve/tids.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/resolver.h"

#define THREADS_MAX 65536 /* of other PID namespaces */

struct inner { /* a thread, by its own number */
        pid_t number;
        pid_t pid, tid;
        const char *comm;
        bool absent; /* looked for, and not there */
        UT_hash_handle hh;
};

struct foreign { /* a thread of another PID namespace */
        pid_t number, pid, tid;
};

struct tids {
        struct inner *inners;          /* of one process, */
        const struct process *process; /* this */
        bool numbered_inside;          /* which is in a PID namespace of its own */
        struct foreign *foreigns;
        size_t n_foreigns, room_foreigns;
        bool foreigns_read;
        bool foreigns_cut;
};

struct mapping {
        uint64_t start, offset, length;
        unsigned major, minor;
        unsigned long long inode;
};

static void inners_clear(struct tids *t)
{
        struct inner *i, *next;

        HASH_ITER(hh, t->inners, i, next)
        {
                HASH_DEL(t->inners, i);
                free(i);
        }
}

void tids_free(struct tids *t)
{
        if (!t)
                return;
        inners_clear(t);
        free(t->foreigns);
        free(t);
}

/* Numbers of a line "NSpid:\t12110\t7"; how many. */
static int numbers_inward(const char *status, pid_t *ret_last)
{
        const char *at = strstr(status, "\nNSpid:");
        char *end;
        int n = 0;

        if (!at)
                return 0;
        for (at += 7; *at == '\t' || *at == ' '; at = end, n++) {
                long number = strtol(at, &end, 10);

                if (end == at || number <= 0 || number > INT32_MAX)
                        break;
                *ret_last = (pid_t)number;
        }
        return n;
}

static const char *status_of(struct resolver *r, pid_t pid, pid_t tid)
{
        struct procio *io = resolver_io(r);
        const char *text;
        char path[64];

        if (tid)
                snprintf(path, sizeof(path), "%d/task/%d/status", (int)pid, (int)tid);
        else
                snprintf(path, sizeof(path), "%d/status", (int)pid);
        return procio_read(io, procio_root(io), path, pid, HANG_NONE, &text) > 0 ? text : NULL;
}

/* "Name:\tflusher\n": the first line of status. The kernel escapes newlines in it. */
static const char *comm_of(struct resolver *r, const char *status)
{
        if (strncmp(status, "Name:\t", 6) != 0)
                return NULL;
        return arena_strn(resolver_snapshot(r)->arena, status + 6, strcspn(status + 6, "\n"));
}

static DIR *tasks_open(struct resolver *r, pid_t pid)
{
        char path[32];
        int fd;
        DIR *d;

        snprintf(path, sizeof(path), "%d/task", (int)pid);
        fd = openat(procio_root(resolver_io(r)), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d && fd >= 0)
                close(fd);
        return d;
}

static struct inner *inner_add(struct tids *t, pid_t number)
{
        struct inner *i = calloc(1, sizeof(*i));

        if (!i)
                return NULL;
        i->number = number;
        HASH_ADD_INT(t->inners, number, i);
        return i;
}

/* All threads of a process in a PID namespace of its own. */
static void inners_read(struct resolver *r, struct tids *t)
{
        pid_t pid = t->process->pid;
        _cleanup_closedir_ DIR *d = tasks_open(r, pid);
        struct dirent *e;

        while (d && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                pid_t tid = (pid_t)strtol(e->d_name, NULL, 10), number;
                const char *status = tid > 0 ? status_of(r, pid, tid) : NULL;
                struct inner *i;

                if (!status || numbers_inward(status, &number) < 2)
                        continue;
                HASH_FIND_INT(t->inners, &number, i);
                if (!i)
                        i = inner_add(t, number);
                if (!i)
                        return;
                i->pid = pid;
                i->tid = tid;
                i->absent = false;
                i->comm = comm_of(r, status);
        }
}

static struct tids *tids_of(struct resolver *r)
{
        struct tids **slot = resolver_tids(r);
        const struct process *p = resolver_process_of(r);
        const char *status;
        pid_t last;

        if (!*slot)
                *slot = calloc(1, sizeof(**slot));
        if (!*slot || !p)
                return NULL;
        if ((*slot)->process == p)
                return *slot;
        inners_clear(*slot);
        (*slot)->process = p;
        status = status_of(r, p->pid, 0);
        (*slot)->numbered_inside = status ? numbers_inward(status, &last) > 1 : p->inner_pid != 0;
        return *slot;
}

bool tids_within(struct resolver *r, pid_t inner, struct tid_found *ret)
{
        struct tids *t = tids_of(r);
        struct inner *i;

        if (!t)
                return false;
        HASH_FIND_INT(t->inners, &inner, i);
        if (!i && t->numbered_inside) {
                inners_read(r, t);
                HASH_FIND_INT(t->inners, &inner, i);
        }
        if (!i) {
                const char *status =
                        t->numbered_inside ? NULL : status_of(r, t->process->pid, inner);

                i = inner_add(t, inner);
                if (!i)
                        return false;
                i->absent = !status;
                i->pid = t->process->pid;
                i->tid = inner;
                i->comm = status ? comm_of(r, status) : NULL;
        }
        if (i->absent)
                return false;
        *ret = (struct tid_found){ .pid = i->pid, .tid = i->tid, .comm = i->comm };
        return true;
}

static void foreign_add(struct tids *t, pid_t number, pid_t pid, pid_t tid)
{
        if (t->n_foreigns == t->room_foreigns) {
                size_t room = t->room_foreigns ? t->room_foreigns * 2 : 256;
                struct foreign *grown = room > THREADS_MAX
                                                ? NULL
                                                : realloc(t->foreigns, room * sizeof(*t->foreigns));

                if (!grown) {
                        t->foreigns_cut = true;
                        return;
                }
                t->foreigns = grown;
                t->room_foreigns = room;
        }
        t->foreigns[t->n_foreigns++] = (struct foreign){ number, pid, tid };
}

static void foreigns_of(struct resolver *r, struct tids *t, pid_t pid)
{
        _cleanup_closedir_ DIR *d = tasks_open(r, pid);
        struct dirent *e;

        while (d && !t->foreigns_cut && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                pid_t tid = (pid_t)strtol(e->d_name, NULL, 10), number;
                const char *status = tid > 0 ? status_of(r, pid, tid) : NULL;

                if (status && numbers_inward(status, &number) > 1)
                        foreign_add(t, number, pid, tid);
        }
}

/* Threads of all processes that are in a PID namespace of their own: once a snapshot. */
static void foreigns_read(struct resolver *r, struct tids *t)
{
        int fd = openat(procio_root(resolver_io(r)), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *e;

        t->foreigns_read = true;
        if (!d && fd >= 0)
                close(fd);
        while (d && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
                pid_t pid = isdigit((unsigned char)e->d_name[0])
                                    ? (pid_t)strtol(e->d_name, NULL, 10)
                                    : 0;
                const char *status = pid > 0 ? status_of(r, pid, 0) : NULL;
                pid_t number;

                if (status && numbers_inward(status, &number) > 1)
                        foreigns_of(r, t, pid);
        }
}

/* "7f50c000-7f50d000 rw-s 00001000 00:01 1047 /dev/zero (deleted)": what is shared only */
static bool mapping_parse(const char *line, struct mapping *ret)
{
        unsigned long long start, end, offset;
        char mode[5];

        if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu", &start, &end, mode, &offset, &ret->major,
                    &ret->minor, &ret->inode) != 7 ||
                mode[3] != 's' || end <= start || !ret->inode)
                return false;
        ret->start = start;
        ret->offset = offset;
        ret->length = end - start;
        return true;
}

static const char *maps_of(struct resolver *r, pid_t pid)
{
        struct procio *io = resolver_io(r);
        const char *text;
        char path[32];

        snprintf(path, sizeof(path), "%d/maps", (int)pid);
        return procio_read(io, procio_root(io), path, pid, HANG_MM, &text) > 0 ? text : NULL;
}

static const char *line_next(const char *line)
{
        line += strcspn(line, "\n");
        return *line ? line + 1 : line;
}

static bool mapping_at(struct resolver *r, pid_t pid, uint64_t address, struct mapping *ret)
{
        const char *line = maps_of(r, pid);

        for (; line && *line; line = line_next(line))
                if (mapping_parse(line, ret) && address >= ret->start &&
                        address - ret->start < ret->length)
                        return true;
        return false;
}

/* Where a process has that byte of that file mapped, shared. */
static bool mapping_of(struct resolver *r, pid_t pid, const struct mapping *file, uint64_t offset,
        uint64_t *ret_address)
{
        const char *line = maps_of(r, pid);
        struct mapping m;

        for (; line && *line; line = line_next(line)) {
                if (!mapping_parse(line, &m) || m.inode != file->inode || m.major != file->major ||
                        m.minor != file->minor || offset < m.offset ||
                        offset - m.offset >= m.length)
                        continue;
                *ret_address = m.start + (offset - m.offset);
                return true;
        }
        return false;
}

static bool candidate_take(struct resolver *r, pid_t pid, pid_t tid, const struct mapping *file,
        uint64_t offset, struct tid_found *found, unsigned *n)
{
        const char *status;
        uint64_t address;

        if (!mapping_of(r, pid, file, offset, &address))
                return false;
        status = status_of(r, pid, tid);
        if (!status)
                return false;
        *found = (struct tid_found){ pid, tid, comm_of(r, status), address };
        ++*n;
        return true;
}

/* The process of a thread with that number here: "Tgid:\t4242". 0: none, or it is numbered inside.
 */
static pid_t process_here(struct resolver *r, pid_t tid)
{
        const char *status = status_of(r, tid, 0), *tgid;
        pid_t last;

        if (!status || numbers_inward(status, &last) > 1)
                return 0;
        tgid = strstr(status, "\nTgid:");
        return tgid ? (pid_t)strtol(tgid + 6, NULL, 10) : 0;
}

bool tids_sharing(struct resolver *r, uint64_t address, pid_t inner, struct tid_found *ret)
{
        struct tids *t = tids_of(r);
        struct tid_found found;
        struct mapping file;
        uint64_t offset;
        unsigned n = 0;
        pid_t pid;

        if (!t || !mapping_at(r, t->process->pid, address, &file))
                return false;
        offset = file.offset + (address - file.start);
        if (!t->foreigns_read)
                foreigns_read(r, t);
        pid = process_here(r, inner);
        if (pid > 0)
                candidate_take(r, pid, inner, &file, offset, &found, &n);
        for (size_t i = 0; i < t->n_foreigns; i++)
                if (t->foreigns[i].number == inner)
                        candidate_take(r, t->foreigns[i].pid, t->foreigns[i].tid, &file, offset,
                                &found, &n);
        if (n != 1 || t->foreigns_cut)
                return false;
        *ret = found;
        return true;
}
