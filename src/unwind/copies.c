/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Found by the place of the thread in the model. A source may use that for another thread if it
 * does not want the first one after all, so the TID has to be the same, too.
 */
#include "unwind/copies.h"

#include <stdlib.h>
#include <sys/types.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "model.h"
#include "unwind/memory.h"

struct copy {
        const struct thread *thread;
        pid_t tid;
        struct piece *piece;
        UT_hash_handle hh;
};

static struct copy *copy_find(const struct copies *c, const struct thread *t)
{
        struct copy *copy = NULL;

        HASH_FIND_PTR(c->table, &t, copy);
        return copy;
}

static void copy_free(struct copies *c, struct copy *copy)
{
        HASH_DEL(c->table, copy);
        piece_free(copy->piece);
        free(copy);
}

void copies_keep(struct copies *c, const struct thread *t, struct piece *piece)
{
        struct copy *copy = copy_find(c, t);

        if (copy)
                copy_free(c, copy);
        copy = piece && piece->len ? malloc(sizeof(*copy)) : NULL;
        if (!copy) {
                piece_free(piece);
                return;
        }
        *copy = (struct copy){ .thread = t, .tid = t->tid, .piece = piece };
        HASH_ADD_PTR(c->table, thread, copy);
}

struct piece *copies_take(struct copies *c, const struct thread *t)
{
        struct copy *copy = copy_find(c, t);
        struct piece *piece = NULL;

        if (!copy)
                return NULL;
        if (copy->tid == t->tid) {
                piece = copy->piece;
                copy->piece = NULL;
        }
        copy_free(c, copy);
        return piece;
}

void copies_done(struct copies *c)
{
        struct copy *copy, *next;

        HASH_ITER(hh, c->table, copy, next)
        {
                copy_free(c, copy);
        }
}
