/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line that call_format() builds, shared by the files that add to it.
 *
 * A buffer of fixed size, filled piece by piece; a piece that does not fit is left out with
 * all that follow, and the line ends with "…".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

#define LINE_LEN_MAX 4096

struct line {
        struct arena *arena;
        const struct call *call;
        bool full;
        size_t len;
        char text[LINE_LEN_MAX];
};

void line_add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A signal's name without "SIG"; n is 1 to 64. */
void line_add_signal(struct line *l, unsigned n);

/*
 * What the i-th argument, a pointer described by that letter, points to. False when that
 * was not read, or too little of it; nothing was added then.
 */
bool line_add_memory(struct line *l, char letter, size_t i);
