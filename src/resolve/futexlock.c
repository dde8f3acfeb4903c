/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asked while the thread holds still, so that it waits on this word at this time. The lock's
 * holder may run: its TID stands in the lock from after it was taken until before it is given up,
 * so whoever is read there held it at that moment.
 */
#include "resolve/futexlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "base/procmem.h"
#include "model.h"
#include "resolve/locklayout.h"
#include "resolve/resolver.h"
#include "resolve/robust.h"
#include "resolve/syscall.h"
#include "resolve/tids.h"

#define PAGE 4096U
#define NAMED_MAX 4
#define NOTE_LEN 320
#define FUTEX_LOCK_PI2_NR 13 /* since 5.14 */

/* The particular before the general. */
static bool (*const layouts[])(const struct lock_view *v, struct lock_seen *ret) = {
        lock_glibc_join,
        lock_glibc_mutex,
        lock_glibc_stdio,
        lock_glibc_rwlock,
        lock_musl_mutex,
};

bool lock_word(const struct lock_view *v, int offset, uint32_t *ret)
{
        int64_t at = (int64_t)v->before + offset;

        if (at < 0 || (size_t)at + sizeof(*ret) > v->before + v->behind)
                return false;
        memcpy(ret, v->bytes + at, sizeof(*ret));
        return true;
}

bool lock_long(const struct lock_view *v, int offset, uint64_t *ret)
{
        int64_t at = (int64_t)v->before + offset;

        if (at < 0 || (size_t)at + sizeof(*ret) > v->before + v->behind)
                return false;
        memcpy(ret, v->bytes + at, sizeof(*ret));
        return true;
}

bool lock_zero(const struct lock_view *v, int offset, size_t len)
{
        int64_t at = (int64_t)v->before + offset;

        if (at < 0 || (size_t)at + len > v->before + v->behind)
                return false;
        for (size_t i = 0; i < len; i++)
                if (v->bytes[(size_t)at + i])
                        return false;
        return true;
}

static bool view_read(void *arg, uint64_t address, void *buffer, size_t len)
{
        struct resolver *r = arg;

        return resolver_futex(r, address, buffer, len) == (ssize_t)len;
}

/* One read, so that all of the lock is of one moment, as far as memory has such. */
static bool view_make(struct resolver *r, const struct thread *t, struct lock_view *v)
{
        const struct call *c = &t->call;
        int word = syscall_arg(c->desc, 'w', 0), op = syscall_arg(c->desc, 'O', 0);
        unsigned command;
        ssize_t n;

        if (word != 0 || op != 1 || !call_is(c, "futex|futex_time64"))
                return false;
        command = (unsigned)c->args[op] & FUTEX_CMD_MASK;
        if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI &&
                command != FUTEX_LOCK_PI2_NR)
                return false;
        v->abi = c->abi;
        v->address = c->args[word];
        v->waited = (uint32_t)c->args[2];
        v->private = c->args[op] & FUTEX_PRIVATE_FLAG;
        v->pi = command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2_NR;
        v->read = view_read;
        v->arg = r;
        v->before = v->address % PAGE < LOCK_BEFORE ? v->address % PAGE : LOCK_BEFORE;
        n = resolver_futex(r, v->address - v->before, v->bytes, v->before + LOCK_BEHIND);
        if (n < (ssize_t)(v->before + sizeof(uint32_t)))
                return false;
        v->behind = (size_t)n - v->before;
        return true;
}

/* A TID that the kernel itself keeps: nothing is known of the memory around it. */
static bool kernel_pi(const struct lock_view *v, struct lock_seen *ret)
{
        uint32_t word;

        if (!v->pi || !lock_word(v, 0, &word) || !(word & FUTEX_TID_MASK))
                return false;
        *ret = (struct lock_seen){
                .base = v->address,
                .owner = (pid_t)(word & FUTEX_TID_MASK),
                .shared = !v->private,
        };
        return true;
}

/*
 * The thread that has the lock; and whether the kernel has been told the same. False: nobody has
 * that TID, or what the kernel was told contradicts.
 */
static bool owner_find(struct resolver *r, const struct lock_view *v, const struct lock_seen *seen,
        struct tid_found *ret, bool *ret_witnessed)
{
        uint64_t word = v->address;

        *ret_witnessed = false;
        if (seen->shared && tids_sharing(r, v->address, seen->owner, ret))
                word = ret->address;
        else if (!tids_within(r, seen->owner, ret))
                return false;
        if (seen->robust) {
                int holds = robust_holds(r, ret->pid, ret->tid, v->abi, word);

                *ret_witnessed = holds > 0;
                return holds != 0;
        }
        if (seen->list) {
                uint64_t head = v->abi == ABI_I386 ? 0 : robust_head(r, ret->tid);

                *ret_witnessed = head && head == seen->list;
                return !head || head == seen->list;
        }
        return true;
}

/*
 * Has the thread that took the lock ended since, still having it? Or was it never in this process,
 * but in the one that this is a copy of (fork(2))? Then the lock still records it after it was
 * found to be missing. Without a PID namespace in between, a TID is what it says.
 */
static bool owner_lost(struct resolver *r, const struct lock_view *v, const struct lock_seen *seen)
{
        struct lock_seen again = { 0 };
        struct lock_view now = *v;
        bool known = false;
        char path[48];

        if (seen->shared || seen->list || strcmp(seen->kind, "mutex") != 0 ||
                !procio_live(resolver_io(r)) || resolver_process_of(r)->inner_pid)
                return false;
        snprintf(path, sizeof(path), "task/%d", (int)seen->owner);
        if (faccessat(resolver_dir(r), path, F_OK, 0) == 0 || errno != ENOENT ||
                procio_memory(resolver_io(r), resolver_dir(r), resolver_process_of(r)->pid,
                        v->address - v->before, now.bytes,
                        v->before + v->behind) != (ssize_t)(v->before + v->behind))
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(layouts) && !known; i++)
                known = layouts[i](&now, &again);
        return known && again.owner == seen->owner && again.base == seen->base;
}

static void note_make(struct resolver *r, struct object *o, const struct lock_seen *seen)
{
        char note[NOTE_LEN], owner[64] = "";

        if (o->n_owners && o->owners->tid != seen->owner)
                snprintf(owner, sizeof(owner), ", owner %d, which is thread %d here",
                        (int)seen->owner, (int)o->owners->tid);
        else if (seen->owner)
                snprintf(owner, sizeof(owner), ", owner %d", (int)seen->owner);
        else if (seen->readers)
                snprintf(owner, sizeof(owner), ", held by %u reader%s, who %s not recorded",
                        seen->readers, seen->readers > 1 ? "s" : "",
                        seen->readers > 1 ? "are" : "is");
        else
                snprintf(owner, sizeof(owner), ", which does not record its holder");
        snprintf(note, sizeof(note), "memory at 0x%llx is that of a %s%s%s%s%s",
                (unsigned long long)seen->base, seen->layout, seen->type ? " (" : "",
                seen->type ? seen->type : "", seen->type ? ")" : "", owner);
        if (o->lock_witnessed && (seen->robust || seen->list))
                snprintf(note + strlen(note), sizeof(note) - strlen(note),
                        "; what that thread has told the kernel agrees");
        o->note = arena_str(resolver_snapshot(r)->arena, note);
}

void futexlock_resolve(struct resolver *r, struct thread *t)
{
        struct object *o = t->call.object;
        struct lock_view *v = NULL;
        _cleanup_free_ void *memory = NULL;
        struct lock_seen seen = { 0 };
        struct tid_found found = { 0 };
        bool known = false, witnessed = false;

        if (t->state != 'S' || !o || !o->kind || strcmp(o->kind, "futex") != 0)
                return;
        memory = v = calloc(1, sizeof(*v));
        if (!v || !view_make(r, t, v))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(layouts) && !known; i++)
                known = layouts[i](v, &seen);
        if (!known && !kernel_pi(v, &seen))
                return;
        if (seen.owner && !owner_find(r, v, &seen, &found, &witnessed)) {
                /* Memory that looks like a lock of nobody is no lock, as far as we know. */
                if (known && owner_lost(r, v, &seen))
                        o->lost_owner = seen.owner;
                return;
        }
        if (seen.owner) {
                o->owners = arena_new_one(resolver_snapshot(r)->arena, struct owner);
                if (!o->owners)
                        return;
                *o->owners = (struct owner){ found.pid, found.tid, found.comm,
                        known && strcmp(seen.kind, "thread") == 0 ? ROLE_THREAD : ROLE_HOLDER };
                o->n_owners = 1;
                o->on_whole = true;
        }
        if (!known)
                return;
        o->lock_kind = seen.kind;
        o->lock_layout = seen.layout;
        o->lock_address = seen.base;
        o->lock_witnessed = witnessed || v->pi;
        o->readers = seen.readers;
        o->type = seen.type;
        note_make(r, o, &seen);
}

struct group { /* threads of a process that wait on one word */
        struct {
                const struct process *process;
                uint64_t address;
        } key;
        const struct thread *first[NAMED_MAX];
        size_t n;
        const char *text;
        UT_hash_handle hh;
};

static struct group *group_of(struct group **groups, const struct thread *t, bool make)
{
        const struct object *o = t->call.object;
        struct group *g, probe;

        if (t->call.state != CALL_INSIDE || t->state != 'S' || !o || !o->kind ||
                strcmp(o->kind, "futex") != 0 || !o->has_address)
                return NULL;
        memset(&probe.key, 0, sizeof(probe.key));
        probe.key.process = t->process;
        probe.key.address = o->lock_layout ? o->lock_address : o->address;
        HASH_FIND(hh, *groups, &probe.key, sizeof(probe.key), g);
        if (g || !make)
                return g;
        g = calloc(1, sizeof(*g));
        if (!g)
                return NULL;
        g->key = probe.key;
        HASH_ADD(hh, *groups, key, sizeof(g->key), g);
        return g;
}

/* "5 threads wait there: 812, 813, 814, 815 and 1 more" */
static const char *group_text(struct snapshot *s, const struct group *g)
{
        char text[NOTE_LEN];
        int n = snprintf(text, sizeof(text), "%zu threads wait there:", g->n);

        for (size_t i = 0; i < g->n && i < NAMED_MAX; i++)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "%s %d", i ? "," : "",
                        (int)g->first[i]->tid);
        if (g->n > NAMED_MAX)
                snprintf(text + n, sizeof(text) - (size_t)n, " and %zu more", g->n - NAMED_MAX);
        return arena_str(s->arena, text);
}

void futexlock_waiters(struct snapshot *s)
{
        struct group *groups = NULL, *g, *next;

        for_each_process(p, s) {
                for_each_thread(t, p) {
                        g = group_of(&groups, t, true);
                        if (!g)
                                continue;
                        if (g->n < NAMED_MAX)
                                g->first[g->n] = t;
                        g->n++;
                }
        }
        for_each_process(p, s) {
                for_each_thread(t, p) {
                        g = group_of(&groups, t, false);
                        if (!g || g->n < 2)
                                continue;
                        if (!g->text)
                                g->text = group_text(s, g);
                        t->call.object->waiters = g->text;
                }
        }
        HASH_ITER(hh, groups, g, next)
        {
                HASH_DEL(groups, g);
                free(g);
        }
}
