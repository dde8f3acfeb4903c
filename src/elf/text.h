/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strings of an answer: one after the other, each once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_STRING_MAX 4096

struct text {
        char *bytes;
        size_t n, max;
        uint32_t *table; /* of positions, by hash of the string */
        size_t n_table, n_strings;
        bool failed;
};

void text_done(struct text *t);

/* Its position; a longer string is cut. NULL: WIRE_NONE. */
uint32_t text_add(struct text *t, const char *s, size_t n);
