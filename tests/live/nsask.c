/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsask: which namespaces the program inside the kernel tells of every thread. A line for each:
 * PID, TID, then inodes by enum wire_ns, 0 for what it does not tell. Exit status 77: it cannot be
 * had.
 */
#include <stdio.h>

#include "capture/taskiter.h"

static int print(void *arg, const struct wire_task *w)
{
        (void)arg;
        printf("%d %d", (int)w->pid, (int)w->tid);
        for (int i = 0; i < WIRE_NS_MAX; i++)
                printf(" %u", w->ns[i]);
        putchar('\n');
        return 0;
}

int main(void)
{
        const struct taskiter_scope all = { .fresh = true };
        const char *why, *remedy;
        struct taskiter *it;
        int r = taskiter_new(64, 1, WIRE_KIND_WHOLE, NULL, &it, &why, &remedy);

        if (r < 0) {
                fprintf(stderr, "nsask: %s\n", why);
                return 77;
        }
        r = taskiter_pass(it, &all, print, NULL);
        taskiter_free(it);
        return r < 0 || fclose(stdout) != 0;
}
