/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/taskorder.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/tasktable.h"

struct taskorder {
        struct tasktable *table;
        size_t n;
        uint32_t numbers[]; /* of entries */
};

static int entry_compare(const void *a, const void *b, void *table)
{
        const struct wire_task *x = &tasktable_entry(table, *(const uint32_t *)a)->task;
        const struct wire_task *y = &tasktable_entry(table, *(const uint32_t *)b)->task;

        if (x->pid != y->pid)
                return x->pid < y->pid ? -1 : 1;
        return (x->tid > y->tid) - (x->tid < y->tid);
}

int taskorder_new(struct tasktable *tt, struct taskorder **ret_order)
{
        size_t n = tasktable_count(tt);
        struct taskorder *o = malloc(sizeof(*o) + n * sizeof(*o->numbers));

        if (!o)
                return -ENOMEM;
        o->table = tt;
        o->n = n;
        for (size_t i = 0; i < n; i++)
                o->numbers[i] = (uint32_t)i;
        qsort_r(o->numbers, n, sizeof(*o->numbers), entry_compare, tt);
        *ret_order = o;
        return 0;
}

void taskorder_free(struct taskorder *o)
{
        free(o);
}

struct taskentry *taskorder_entry(const struct taskorder *o, size_t i)
{
        return i < o->n ? tasktable_entry(o->table, o->numbers[i]) : NULL;
}

size_t taskorder_first(const struct taskorder *o, pid_t pid)
{
        size_t low = 0, high = o->n;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (taskorder_entry(o, middle)->task.pid < pid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}
