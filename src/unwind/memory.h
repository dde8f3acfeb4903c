/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of one thread's stack: a few pieces, each as it was at one moment. Where there is none
 * yet, the walk says so and somebody reads another one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch { /* pieces that were read at once, in memory of their own */
        size_t size, n_left;
};

struct piece {
        struct batch *batch; /* NULL: it is the heap's, by itself */
        uint64_t start;
        uint32_t asked; /* bytes asked for… */
        uint32_t len;   /* …and had: behind these nothing can be read */
        unsigned char bytes[];
};

void piece_free(struct piece *p);

#define PIECES_MAX 4

struct memory {
        struct piece *pieces[PIECES_MAX];
        unsigned n, next; /* the oldest makes room */
        size_t total;     /* bytes that were ever added */
};

/* Takes the piece over. */
void memory_add(struct memory *m, struct piece *p);
void memory_done(struct memory *m);

/* 0; -EAGAIN: not here; -EFAULT: the process has no memory there. size: at most 8. */
int memory_read(const struct memory *m, uint64_t address, unsigned size, uint64_t *ret_value);
