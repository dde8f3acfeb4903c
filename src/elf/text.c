/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf/text.h"

#include <stdlib.h>
#include <string.h>

#include "elf/wire.h"

#define TABLE_FIRST 256

void text_done(struct text *t)
{
        free(t->bytes);
        free(t->table);
        *t = (struct text){ 0 };
}

/* FNV-1a; what comes from a file is bounded by the number of strings, not by the hash. */
static uint32_t text_hash(const char *s, size_t n)
{
        uint32_t hash = 2166136261U;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ (uint8_t)s[i]) * 16777619U;
        return hash;
}

static bool text_grow(struct text *t, size_t more)
{
        size_t max = t->max ? t->max : 4096;
        char *p;

        while (max < t->n + more)
                max *= 2;
        if (max > WIRE_ANSWER_MAX / 2)
                return false;
        if (max == t->max)
                return true;
        p = realloc(t->bytes, max);
        if (!p)
                return false;
        t->bytes = p;
        t->max = max;
        return true;
}

static bool table_grow(struct text *t)
{
        size_t n = t->n_table ? t->n_table * 2 : TABLE_FIRST;
        uint32_t *table = malloc(n * sizeof(*table));

        if (!table)
                return false;
        memset(table, 0xff, n * sizeof(*table));
        for (size_t i = 0; i < t->n_table; i++) {
                const char *s = t->table[i] == WIRE_NONE ? NULL : t->bytes + t->table[i];
                size_t at;

                if (!s)
                        continue;
                at = text_hash(s, strlen(s)) & (n - 1);
                while (table[at] != WIRE_NONE)
                        at = (at + 1) & (n - 1);
                table[at] = t->table[i];
        }
        free(t->table);
        t->table = table;
        t->n_table = n;
        return true;
}

uint32_t text_add(struct text *t, const char *s, size_t n)
{
        size_t at;

        if (!s)
                return WIRE_NONE;
        if (n > TEXT_STRING_MAX)
                n = TEXT_STRING_MAX;
        n = strnlen(s, n);
        if (t->failed || (t->n_strings * 2 >= t->n_table && !table_grow(t)) ||
                !text_grow(t, n + 1)) {
                t->failed = true;
                return WIRE_NONE;
        }
        at = text_hash(s, n) & (t->n_table - 1);
        while (t->table[at] != WIRE_NONE) {
                const char *have = t->bytes + t->table[at];

                if (strncmp(have, s, n) == 0 && have[n] == 0)
                        return t->table[at];
                at = (at + 1) & (t->n_table - 1);
        }
        t->table[at] = (uint32_t)t->n;
        t->n_strings++;
        memcpy(t->bytes + t->n, s, n);
        t->bytes[t->n + n] = 0;
        t->n += n + 1;
        return t->table[at];
}
