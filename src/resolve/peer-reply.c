/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers a page fault by userfaultfd, a system call by seccomp's notifications, an access by
 * fanotify. The kernel does not tell which file a thread waits for. But where all fds were seen
 * and only one file can be it, it is that. Where some were out of sight, the only one in sight is
 * it if it is where such files are: with the process itself, and a seccomp listener also with an
 * ancestor, who made it. Otherwise those that can be are a note, not owners.
 *
 * A userfaultfd serves the memory of who made it, and mostly stays with it: that of the process
 * itself comes before those of others, which have faults of their own. That is a way out only where
 * the kernel cannot be asked (peer-userfault.c).
 */
#include "resolve/peers.h"

#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "resolve/fdscan.h"
#include "resolve/kinds.h"
#include "resolve/resolver.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

#define CANDIDATES_MAX 64
#define NAMED_MAX 4
#define NOTE_LEN 400
#define ANCESTORS_MAX 64

/* FAN_OPEN_PERM, FAN_ACCESS_PERM, FAN_OPEN_EXEC_PERM, FAN_PRE_ACCESS (linux/fanotify.h) */
#define FANOTIFY_ASKS 0x170000

/* "pending:\t0\ntotal:\t1\n…": faults that were not read, and that wait (fs/userfaultfd.c) */
static bool userfault_waits(const char *info)
{
        uint64_t total;

        return fdinfo_number(info, "total", 10, &total) && total;
}

/* "fanotify ino:3f sdev:8 mflags:0 mask:10000 ignored_mask:0 …" (fs/notify/fdinfo.c) */
static bool fanotify_asks(const char *info)
{
        for (const char *at = info; at && (at = strstr(at, " mask:")); at += 6)
                if (strtoull(at + 6, NULL, 16) & FANOTIFY_ASKS)
                        return true;
        return false;
}

static const struct reply {
        const char *kind, *functions, *files;
        enum fd_class class;
        bool (*may_be)(const char *info); /* NULL: any */
} replies[] = {
        { "userfaultfd", "handle_userfault", "userfaultfds with faults waiting", FD_USERFAULT,
                userfault_waits },
        { "seccomp", "seccomp_do_user_notification", "seccomp listeners", FD_SECCOMP, NULL },
        /* Debian's 6.1 has the former compiled into the latter. */
        { "seccomp", "__seccomp_filter", "seccomp listeners", FD_SECCOMP, NULL },
        { "fanotify", "fanotify_handle_event|fanotify_get_response*",
                "fanotify listeners that permit", FD_FANOTIFY, fanotify_asks },
};

static bool is_in(const struct thread *t, const char *functions)
{
        if (t->kernel_stack && t->kernel_stack->n_frames)
                return stack_has(t->kernel_stack, functions);
        return t->wchan && symbol_matches(t->wchan, functions);
}

static bool is_same_file(const struct fd_entry *a, const struct fd_entry *b)
{
        return a == b || syscall(SYS_kcmp, a->pid, b->pid, KCMP_FILE, a->fd, b->fd) == 0;
}

static pid_t parent_of(struct peers *p, pid_t pid)
{
        struct procio *io = resolver_io(p->resolver);
        struct procfile_stat stat;
        const char *text;
        char path[32];
        ssize_t n;

        snprintf(path, sizeof(path), "%d/stat", (int)pid);
        n = procio_read(io, procio_root(io), path, pid, HANG_NONE, &text);
        return n > 0 && procfile_stat(text, (size_t)n, &stat) > 0 ? stat.ppid : 0;
}

/*
 * Is it its own memory that a thread is in a fault of? Not in process_vm_readv(2), ptrace(2) and
 * the files of another process in /proc (mm/memory.c, mm/process_vm_access.c).
 */
static bool fault_is_own(const struct thread *t)
{
        const char *path = t->call.object ? t->call.object->path : NULL;

        if (t->kernel_stack && t->kernel_stack->n_frames)
                return !stack_has(t->kernel_stack,
                        "*access_remote_vm|process_vm_rw*|access_process_vm|mem_rw*|*_pages_remote|"
                        "ptrace_*|proc_pid_*|get_cmdline|environ_read|uprobe_*");
        return !call_is(&t->call, "process_vm_readv|process_vm_writev|ptrace") &&
               !(path && strncmp(path, "/proc/", strlen("/proc/")) == 0);
}

static bool is_near(struct peers *p, const struct thread *t, const struct reply *r, pid_t pid)
{
        pid_t at = t->process->pid;

        /* Whose marks ask for a permission is root, and not with the process. */
        if (r->class == FD_FANOTIFY)
                return true;
        for (int i = 0; i < ANCESTORS_MAX && at > 0; i++) {
                if (at == pid)
                        return r->class != FD_USERFAULT || fault_is_own(t);
                at = r->class == FD_SECCOMP ? parent_of(p, at) : 0;
        }
        return false;
}

/* "seccomp listeners: runc (12), crun (34) and 2 more have one" */
static const char *note_make(struct peers *p, const struct reply *r, const struct ends *e)
{
        char note[NOTE_LEN];
        int n = snprintf(note, sizeof(note), "%s:", r->files);

        for (size_t i = 0; i < e->n && i < NAMED_MAX && n < NOTE_LEN; i++)
                n += snprintf(note + n, sizeof(note) - (size_t)n, "%s %.64s (%d)", i ? "," : "",
                        e->owners[i].comm ? e->owners[i].comm : "process", (int)e->owners[i].pid);
        if (e->n > NAMED_MAX && n < NOTE_LEN)
                snprintf(note + n, sizeof(note) - (size_t)n, " and %zu more", e->n - NAMED_MAX);
        return arena_str(resolver_snapshot(p->resolver)->arena, note);
}

/* Those that can be it, of all files of that class; whether they are one file. */
static bool servers_find(
        struct peers *p, const struct thread *t, const struct reply *r, struct ends *e)
{
        const struct fd_entry *first = NULL;
        bool one = !p->scan->cut, own_only = false;
        size_t n, n_left_out = 0;
        const struct fd_entry *entries = fdscan_class(p->scan, r->class, &n);

        for (size_t i = 0;
                r->class == FD_USERFAULT && fault_is_own(t) && i < n && i < CANDIDATES_MAX; i++)
                own_only |=
                        entries[i].pid == t->process->pid && r->may_be(peer_fdinfo(p, &entries[i]));
        one &= n <= CANDIDATES_MAX;
        for (size_t i = 0; i < n && i < CANDIDATES_MAX; i++) {
                const char *info = peer_fdinfo(p, &entries[i]);

                one &= info != NULL;
                if (r->may_be && !r->may_be(info))
                        continue;
                if (own_only && entries[i].pid != t->process->pid) {
                        n_left_out++;
                        continue;
                }
                first = first ? first : &entries[i];
                one = one && is_same_file(first, &entries[i]);
                ends_add(p, e, entries[i].pid, ROLE_SERVER);
        }
        e->whole = fdscan_whole(p->scan) && n_left_out == 0;
        return one && first && (fdscan_whole(p->scan) || is_near(p, t, r, first->pid));
}

static struct object *server_make(struct peers *p, const struct thread *t, const struct reply *r)
{
        struct arena *a = resolver_snapshot(p->resolver)->arena;
        struct object *o = arena_new_one(a, struct object);
        _cleanup_free_ struct ends *e = calloc(1, sizeof(*e));
        bool one;

        if (!o || !e)
                return NULL;
        one = (r->class == FD_USERFAULT && fault_is_own(t) && peer_userfault(p, t, e)) ||
              servers_find(p, t, r, e);
        o->fd = -1;
        o->kind = r->kind;
        o->note = e->n && !one ? note_make(p, r, e) : NULL;
        if (one && e->n)
                o->owners = arena_dup(a, e->owners, e->n * sizeof(*e->owners));
        o->n_owners = o->owners ? e->n : 0;
        o->on_any = true;
        o->on_whole = o->n_owners && e->n < ENDS_MAX && e->whole;
        return o;
}

void peer_reply(struct peers *p, struct thread *t)
{
        if (t->process->kernel || !strchr("SD", t->state))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(replies) && !t->server; i++) {
                if (!is_in(t, replies[i].functions))
                        continue;
                if (!p->scan)
                        p->scan = resolver_fdscan(p->resolver);
                if (p->scan)
                        t->server = server_make(p, t, &replies[i]);
                return;
        }
}
