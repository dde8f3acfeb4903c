/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces of threads' stacks that were copied while they held still, until they are walked. */
#pragma once

struct copy;
struct piece;
struct thread;

struct copies {
        struct copy *table;
};

/* Takes the piece, in place of one from before; NULL or without bytes: none. */
void copies_keep(struct copies *c, const struct thread *t, struct piece *piece);

/* The piece is the caller's from here on; NULL: there is none. */
struct piece *copies_take(struct copies *c, const struct thread *t);

void copies_done(struct copies *c);
