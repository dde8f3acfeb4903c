/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks live in the snapshot's arena; the table that finds them is the worker's own. */
#include "capture/stackset.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "model.h"
#include "symbol/stacktext.h"

struct entry {
        struct stack *stack;
        UT_hash_handle hh;
};

struct stackset {
        struct arena *arena;
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
