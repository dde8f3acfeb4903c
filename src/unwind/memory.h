/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of one thread's stack: a few pieces, each as it was at one moment. Where there is none
 * yet, the walk says so and somebody reads another one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
        uint64_t start;
        uint32_t asked; /* bytes asked for… */
        uint32_t len;   /* …and had: behind these nothing can be read */
        unsigned char bytes[];
};

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
