/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folding: one pass over a process's threads with a hash table of the groups so far.
 *
 * The key is all that a reader would see of a thread but its name and its times. A group is
 * shown through its first thread, so whatever is shown must be equal in all of them: owners
 * and poll sets too, which the sentence only counts. Stacks are shared within a snapshot and
 * compare as pointers; system calls by number, since buffers differ from thread to thread.
 */
#include "graph/fold.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model.h"

/* A failed insertion must reach the caller, not end the program. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->dropped = true)
#include <uthash.h>

/* Names are hostile and may collide on purpose: after so many, fold less, not slower. */
#define COLLISIONS_MAX 16

struct slot { /* a group in the making */
        uint64_t hash;
        const struct thread *first;
        size_t index; /* of the group */
        struct slot *same_hash;
        bool dropped;
        UT_hash_handle hh;
};

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 32;
}

static uint64_t hash_text(uint64_t hash, const char *s)
{
        if (!s)
                return hash_word(hash, UINT64_MAX);

        size_t len = strlen(s);
        hash = hash_word(hash, len);
        while (len >= sizeof(uint64_t)) {
                uint64_t word;
                memcpy(&word, s, sizeof(word));
                hash = hash_word(hash, word);
                s += sizeof(word);
                len -= sizeof(word);
        }
        uint64_t rest = 0;
        memcpy(&rest, s, len);
        return hash_word(hash, rest);
}

static bool text_equal(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

/* Members of a poll set are no poll sets: one level is all there is to look at. */
static uint64_t hash_object(uint64_t hash, const struct object *o, bool deep)
{
        if (!o)
                return hash_word(hash, 0);
        hash = hash_text(hash, o->kind);
        hash = hash_word(hash, (uint64_t)o->fd);
        hash = hash_word(hash, o->inode);
        hash = hash_word(hash, o->has_address ? o->address : 0);
        hash = hash_text(hash, o->path);
        hash = hash_text(hash, o->local);
        hash = hash_text(hash, o->remote);
        hash = hash_word(hash, o->n_members);
        for (size_t i = 0; deep && i < o->n_members; i++) {
                hash = hash_word(hash, o->members[i].events);
                hash = hash_object(hash, o->members[i].object, false);
        }
        return hash;
}

static bool object_equal(const struct object *a, const struct object *b, bool deep)
{
        if (a == b)
                return true;
        if (!a || !b || a->fd != b->fd || a->inode != b->inode ||
                a->has_address != b->has_address || (a->has_address && a->address != b->address) ||
                a->n_members != b->n_members || a->n_members_hidden != b->n_members_hidden ||
                !text_equal(a->kind, b->kind) || !text_equal(a->path, b->path) ||
                !text_equal(a->local, b->local) || !text_equal(a->remote, b->remote) ||
                !text_equal(a->protocol, b->protocol) || !text_equal(a->link, b->link))
                return false;
        for (size_t i = 0; deep && i < a->n_members; i++)
                if (a->members[i].events != b->members[i].events ||
                        !object_equal(a->members[i].object, b->members[i].object, false))
                        return false;
        return true;
}

/* Where the chain ends, unless that is the thread itself, as it is without a chain. */
static const struct thread *chain_end(const struct thread *t)
{
        return t->root == t ? NULL : t->root;
}

static uint64_t hash_thread(const struct thread *t)
{
        const struct wait *w = &t->wait;
        uint64_t hash = hash_word(0, (unsigned char)t->state);

        hash = hash_word(hash, (uint64_t)w->reason << 32 | (uint64_t)w->confidence);
        hash = hash_text(hash, w->text);
        hash = hash_word(hash, (uintptr_t)t->kernel_stack);
        hash = hash_word(hash, t->user_stack ? t->user_stack->hash : 0);
        hash = hash_word(hash, (uintptr_t)chain_end(t));
        hash = hash_word(hash, (uint64_t)t->call.state);
        hash = hash_word(hash, (uint64_t)t->call.nr);
        hash = hash_object(hash, w->object, true);
        for (size_t i = 0; i < w->n_on; i++)
                hash = hash_word(
                        hash, (uint64_t)(uint32_t)w->on[i].pid << 32 | (uint32_t)w->on[i].tid);
        if (w->confidence != CONFIDENCE_CERTAIN)
                for (size_t i = 0; i < w->n_evidence; i++)
                        hash = hash_text(hash, w->evidence[i]);
        return hash;
}

static bool call_equal(const struct call *a, const struct call *b)
{
        return a->state == b->state &&
               (a->state != CALL_INSIDE || (a->nr == b->nr && a->abi == b->abi));
}

static bool wait_equal(const struct wait *a, const struct wait *b)
{
        if (a->reason != b->reason || a->confidence != b->confidence || a->n_on != b->n_on ||
                !text_equal(a->text, b->text) || !object_equal(a->object, b->object, true))
                return false;
        for (size_t i = 0; i < a->n_on; i++)
                if (a->on[i].pid != b->on[i].pid || a->on[i].tid != b->on[i].tid ||
                        a->on[i].role != b->on[i].role)
                        return false;
        if (a->confidence == CONFIDENCE_CERTAIN)
                return true; /* its evidence is not shown */
        if (a->n_evidence != b->n_evidence)
                return false;
        for (size_t i = 0; i < a->n_evidence; i++)
                if (!text_equal(a->evidence[i], b->evidence[i]))
                        return false;
        return true;
}

/* One that was kept from the look before, and one that was made now, may be the same. */
static bool user_stack_equal(const struct user_stack *a, const struct user_stack *b)
{
        if (a == b)
                return true;
        if (!a || !b || a->hash != b->hash || a->n_frames != b->n_frames ||
                a->n_hidden != b->n_hidden || !text_equal(a->gap, b->gap))
                return false;
        for (size_t i = 0; i < a->n_frames; i++)
                if (a->frames[i].address != b->frames[i].address ||
                        a->frames[i].inlined != b->frames[i].inlined)
                        return false;
        return true;
}

static bool thread_alike(const struct thread *a, const struct thread *b)
{
        return a->state == b->state && a->on_cpu == b->on_cpu && a->has_on_cpu == b->has_on_cpu &&
               a->moved == b->moved && a->deadlocked == b->deadlocked &&
               a->kernel_stack == b->kernel_stack &&
               user_stack_equal(a->user_stack, b->user_stack) &&
               a->kernel_stack_error == b->kernel_stack_error && chain_end(a) == chain_end(b) &&
               (a->kernel_stack || text_equal(a->wchan, b->wchan)) &&
               call_equal(&a->call, &b->call) && wait_equal(&a->wait, &b->wait);
}

static int thread_compare(const void *a, const void *b)
{
        const struct thread *x = *(const struct thread *const *)a;
        const struct thread *y = *(const struct thread *const *)b;

        return (x->tid > y->tid) - (x->tid < y->tid);
}

/* The threads that match, in order of TID. */
static size_t threads_collect(const struct process *p, const struct thread **threads)
{
        size_t n = 0;
        bool sorted = true;

        for_each_thread(t, p) {
                if (!t->matched || n == p->n_threads)
                        continue;
                sorted = sorted && (n == 0 || threads[n - 1]->tid <= t->tid);
                threads[n++] = t;
        }
        if (!sorted)
                qsort(threads, n, sizeof(*threads), thread_compare);
        return n;
}

/* The group of a thread, made when there is none; slots has room for one more. */
static int slot_find(struct slot **table, struct slot *slots, size_t *n_slots,
        const struct thread *t, size_t *ret_index)
{
        struct slot *head = NULL, *slot = &slots[*n_slots];
        uint64_t hash = hash_thread(t);
        unsigned collisions = 0;

        HASH_FIND(hh, *table, &hash, sizeof(hash), head);
        for (struct slot *s = head; s && collisions < COLLISIONS_MAX; s = s->same_hash) {
                if (thread_alike(s->first, t)) {
                        *ret_index = s->index;
                        return 0;
                }
                collisions++;
        }

        *slot = (struct slot){ .hash = hash, .first = t, .index = *n_slots };
        if (head) {
                slot->same_hash = head->same_hash;
                head->same_hash = slot;
        } else {
                HASH_ADD(hh, *table, hash, sizeof(slot->hash), slot);
                if (slot->dropped)
                        return -ENOMEM;
        }
        *ret_index = (*n_slots)++;
        return 0;
}

/* Deal the threads out to their groups: each group is a slice of one array. */
static int groups_fill(const struct thread **threads, const size_t *index, size_t n_threads,
        size_t n_groups, struct fold *ret)
{
        struct group *groups = calloc(n_groups, sizeof(*groups));
        const struct thread **dealt = malloc(n_threads * sizeof(*dealt));
        if (!groups || !dealt) {
                free(groups);
                free(dealt);
                return -ENOMEM;
        }

        for (size_t i = 0; i < n_threads; i++)
                groups[index[i]].n_threads++;
        const struct thread **slice = dealt;
        for (size_t i = 0; i < n_groups; i++) {
                groups[i].threads = slice;
                slice += groups[i].n_threads;
                groups[i].n_threads = 0;
        }
        for (size_t i = 0; i < n_threads; i++) {
                struct group *g = &groups[index[i]];
                g->threads[g->n_threads++] = threads[i];
        }
        *ret = (struct fold){ .groups = groups, .n_groups = n_groups };
        return 0;
}

int fold_process(const struct process *p, struct fold *ret)
{
        _cleanup_free_ const struct thread **threads = NULL;
        _cleanup_free_ struct slot *slots = NULL;
        _cleanup_free_ size_t *index = NULL;
        struct slot *table = NULL;
        size_t n_slots = 0;
        int r = 0;

        size_t most = p->n_threads > 0 ? p->n_threads : 1;
        threads = calloc(most, sizeof(*threads));
        slots = calloc(most, sizeof(*slots));
        index = calloc(most, sizeof(*index));
        if (!threads || !slots || !index)
                return -ENOMEM;

        size_t n = threads_collect(p, threads);
        if (n == 0) {
                *ret = (struct fold){ 0 };
                return 0;
        }
        if (n == 1)
                n_slots = 1; /* the usual case costs no table */
        for (size_t i = 0; n > 1 && i < n && r == 0; i++)
                r = slot_find(&table, slots, &n_slots, threads[i], &index[i]);
        HASH_CLEAR(hh, table);
        return r < 0 ? r : groups_fill(threads, index, n, n_slots, ret);
}

void fold_done(struct fold *f)
{
        /* The first group's slice is where the array begins. */
        if (f->n_groups > 0)
                free(f->groups[0].threads);
        free(f->groups);
        *f = (struct fold){ 0 };
}
