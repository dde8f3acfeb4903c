/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See taskorder.h. Numbers are sorted, not entries: these are large, and change their places. */
#include "capture/taskorder.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/tasktable.h"

struct taskorder {
        struct tasktable *table;
        size_t n;
        uint64_t keys[]; /* PID, and TID in the lower half */
};

static int key_compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

int taskorder_new(struct tasktable *table, struct taskorder **ret_order)
{
        size_t n = tasktable_count(table);
        struct taskorder *o = malloc(sizeof(*o) + n * sizeof(*o->keys));

        if (!o)
                return -ENOMEM;
        o->table = table;
        o->n = n;
        for (size_t i = 0; i < n; i++) {
                const struct wire_task *w = &tasktable_entry(table, i)->task;

                o->keys[i] = (uint64_t)w->pid << 32 | (uint32_t)w->tid;
        }
        qsort(o->keys, n, sizeof(*o->keys), key_compare);
        *ret_order = o;
        return 0;
}

void taskorder_free(struct taskorder *o)
{
        free(o);
}

size_t taskorder_first(const struct taskorder *o, pid_t pid)
{
        uint64_t key = (uint64_t)pid << 32;
        size_t low = 0, high = o->n;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (o->keys[middle] < key)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

struct taskentry *taskorder_entry(const struct taskorder *o, size_t i)
{
        return i < o->n ? tasktable_find(o->table, (pid_t)(uint32_t)o->keys[i]) : NULL;
}
