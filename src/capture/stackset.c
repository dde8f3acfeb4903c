/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks live in the snapshot's arena; the table that finds them is the worker's own. */
#include "capture/stackset.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "model.h"
#include "symbol/stacktext.h"

struct entry {
        struct stack *stack;
        UT_hash_handle hh;
};

#define RECALLED 256 /* a power of two */

struct recalled {
        const void *from;
        const struct stack *stack;
};

struct stackset {
        struct arena *arena;
        struct recalled recalled[RECALLED];
        struct entry *entries;
        unsigned n;
};

int stackset_new(struct arena *a, struct stackset **ret_set)
{
        struct stackset *set = calloc(1, sizeof(*set));

        if (!set)
                return -ENOMEM;
        set->arena = a;
        *ret_set = set;
        return 0;
}

void stackset_free(struct stackset *set)
{
        struct entry *e, *next;

        if (!set)
                return;
        HASH_ITER(hh, set->entries, e, next)
        {
                HASH_DEL(set->entries, e);
                free(e);
        }
        free(set);
}

const struct stack *stackset_add(struct stackset *set, const char *text, size_t len)
{
        struct entry *e;
        unsigned hash;

        HASH_VALUE(text, len, hash);
        HASH_FIND_BYHASHVALUE(hh, set->entries, text, len, hash, e);
        if (e)
                return e->stack;
        e = calloc(1, sizeof(*e));
        if (!e)
                return NULL;
        e->stack = arena_new_one(set->arena, struct stack);
        if (!e->stack || stacktext_parse(set->arena, text, len, e->stack) < 0) {
                free(e);
                return NULL;
        }
        e->stack->text = arena_strn(set->arena, text, len);
        e->stack->text_len = len;
        e->stack->id = set->n++;
        if (!e->stack->text) {
                free(e);
                return NULL;
        }
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, set->entries, e->stack->text, len, hash, e);
        return e->stack;
}

static size_t recalled_at(const void *from)
{
        return (size_t)((uintptr_t)from / 16 * 2654435761U) >> 8 & (RECALLED - 1);
}

void stackset_remember(struct stackset *set, const void *from, const struct stack *stack)
{
        set->recalled[recalled_at(from)] = (struct recalled){ from, stack };
}

const struct stack *stackset_recall(const struct stackset *set, const void *from)
{
        const struct recalled *r = &set->recalled[recalled_at(from)];

        return r->from == from ? r->stack : NULL;
}

void stackset_forget(struct stackset *set)
{
        memset(set->recalled, 0, sizeof(set->recalled));
}
