/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread is known by its process's start, its TID and its count of switches: as long as the
 * count stands still it has neither run nor called execve, and nobody else has its number.
 */
#include "unwind/stackcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "model.h"

#define CROWD 2048

struct kept_stack {
        const struct user_stack *original; /* while a snapshot is gone through */
        const struct user_stack *stack;    /* in the cache's arena */
        const struct user_stack *copy;     /* in that of the worker's snapshot */
        struct kept_stack *next;
        UT_hash_handle hh;
};

struct thread_key {
        uint64_t start_time, switches;
        int64_t tid;
};

struct kept_thread {
        struct thread_key key;
        struct kept_stack *stack;
        UT_hash_handle hh;
};

struct stackcache {
        struct arena *arena;
        struct kept_thread *threads; /* table; its entries are in the arena, too */
        /* Those of the last rebuild, as the snapshot had them: the next has mostly the same. */
        struct kept_thread *list;
        size_t n_list, size, next; /* next: who is looked for next, if so */
        /* Not in the arena, which is shared: what a worker writes here is its own. */
        struct kept_stack *all, *by_original;
};

int stackcache_new(struct stackcache **ret_cache)
{
        struct stackcache *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        *ret_cache = c;
        return 0;
}

static void stackcache_clear(struct stackcache *c)
{
        HASH_CLEAR(hh, c->threads);
        HASH_CLEAR(hh, c->by_original);
        while (c->all) {
                struct kept_stack *next = c->all->next;

                free(c->all);
                c->all = next;
        }
        if (c->arena)
                arena_free(c->arena);
        c->arena = NULL;
        c->list = NULL;
        c->n_list = c->size = c->next = 0;
}

void stackcache_free(struct stackcache *c)
{
        if (!c)
                return;
        stackcache_clear(c);
        free(c);
}

/* A string, or the copy of the one before if it is the same. */
static const char *text_copy(
        struct arena *a, const char *text, const char *last, const char *last_copy)
{
        return text && text == last ? last_copy : arena_str(a, text);
}

static const struct user_stack *stack_copy(struct arena *a, const struct user_stack *from)
{
        struct user_stack *to = arena_dup(a, from, sizeof(*from));

        if (!to)
                return NULL;
        to->frames = arena_dup(a, from->frames, from->n_frames * sizeof(*from->frames));
        if (!to->frames)
                return NULL;
        to->gap = arena_str(a, from->gap);
        for (size_t i = 0; i < to->n_frames; i++) {
                static const struct user_frame none;
                const struct user_frame *f = &from->frames[i];
                const struct user_frame *last = i ? f - 1 : &none;
                struct user_frame *copy = &to->frames[i];
                const struct user_frame *last_copy = i ? copy - 1 : &none;

                copy->symbol = text_copy(a, f->symbol, last->symbol, last_copy->symbol);
                copy->exported = text_copy(a, f->exported, last->exported, last_copy->exported);
                copy->module = text_copy(a, f->module, last->module, last_copy->module);
                copy->build_id = text_copy(a, f->build_id, last->build_id, last_copy->build_id);
                copy->source = text_copy(a, f->source, last->source, last_copy->source);
        }
        return arena_failed(a) ? NULL : to;
}

static struct kept_stack *stack_keep(struct stackcache *c, const struct user_stack *stack)
{
        struct kept_stack *kept = NULL;

        HASH_FIND_PTR(c->by_original, &stack, kept);
        if (kept)
                return kept;
        kept = calloc(1, sizeof(*kept));
        if (!kept)
                return NULL;
        kept->next = c->all;
        c->all = kept;
        kept->original = stack;
        kept->stack = stack_copy(c->arena, stack);
        if (!kept->stack)
                return NULL;
        HASH_ADD_PTR(c->by_original, original, kept);
        return kept;
}

static struct thread_key key_of(const struct thread *t)
{
        struct thread_key key;

        memset(&key, 0, sizeof(key));
        key.start_time = t->process->start_time;
        key.switches = t->switches;
        key.tid = t->tid;
        return key;
}

static bool is_kept(const struct thread *t)
{
        return t->user_stack && t->has_switches && !t->moved;
}

static struct kept_thread *thread_find(struct stackcache *c, const struct thread *t)
{
        const struct thread_key key = key_of(t);
        struct kept_thread *kept = NULL;

        if (!c->arena || !t->has_switches)
                return NULL;
        if (c->next == c->n_list)
                c->next = 0;
        if (c->next < c->n_list && memcmp(&c->list[c->next].key, &key, sizeof(key)) == 0)
                return &c->list[c->next++];
        HASH_FIND(hh, c->threads, &key, sizeof(key), kept);
        if (kept && kept >= c->list && kept < c->list + c->n_list)
                c->next = (size_t)(kept - c->list) + 1;
        return kept;
}

static bool thread_keep(struct stackcache *c, const struct thread *t)
{
        bool listed = c->n_list < c->size;
        struct kept_thread *kept =
                listed ? &c->list[c->n_list] : arena_new_one(c->arena, struct kept_thread);

        if (!kept)
                return false;
        kept->key = key_of(t);
        kept->stack = stack_keep(c, t->user_stack);
        if (!kept->stack)
                return false;
        c->n_list += listed;
        HASH_ADD(hh, c->threads, key, sizeof(kept->key), kept);
        return true;
}

/* Add those that are new; false: so few of what was kept is of use that all is better made anew. */
static bool cache_extend(struct stackcache *c, const struct snapshot *s)
{
        size_t n_kept = HASH_COUNT(c->threads), n_met = 0, n_new = 0;

        if (!c->arena)
                return false;
        for_each_process(p, s) {
                for_each_thread(t, p) {
                        if (!is_kept(t))
                                continue;
                        if (thread_find(c, t))
                                n_met++;
                        else
                                n_new++;
                }
        }
        if (n_met < n_kept - n_kept / 4)
                return false;
        c->size = c->n_list; /* the order is that of the rebuild */
        if (!n_new)
                return true;
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (is_kept(t) && !thread_find(c, t) && !thread_keep(c, t))
                                return true;
        return true;
}

static void cache_rebuild(struct stackcache *c, const struct snapshot *s)
{
        size_t n = 0;

        stackcache_clear(c);
        c->arena = arena_new();
        if (!c->arena)
                return;
        for_each_process(p, s)
                for_each_thread(t, p)
                        n += is_kept(t);
        /* Of a crowd in large pages: each worker goes through all, and writes nothing there. */
        c->list = n >= CROWD ? arena_alloc_own(c->arena, n * sizeof(*c->list))
                             : arena_new_array(c->arena, struct kept_thread, n);
        c->size = c->list ? n : 0;
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (is_kept(t) && !thread_keep(c, t))
                                return;
}

void stackcache_keep(struct stackcache *c, const struct snapshot *s)
{
        if (!cache_extend(c, s))
                cache_rebuild(c, s);
        c->next = 0;
        for (struct kept_stack *stack = c->all; stack; stack = stack->next)
                stack->copy = NULL;
        /* Found by what is gone soon: only the threads lead to them from now on. */
        HASH_CLEAR(hh, c->by_original);
}

bool stackcache_has(struct stackcache *c, const struct thread *t)
{
        return thread_find(c, t);
}

const struct user_stack *stackcache_find(
        struct stackcache *c, struct arena *arena, const struct thread *t)
{
        struct kept_thread *kept = thread_find(c, t);

        if (!kept)
                return NULL;
        if (!kept->stack->copy)
                kept->stack->copy = stack_copy(arena, kept->stack->stack);
        return kept->stack->copy;
}
