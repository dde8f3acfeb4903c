/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How to use libpwhy: a line for each thread of the processes named on the command line,
 *
 *      4242 4242 accept: waiting for a client to connect to 0.0.0.0:1337 (TCP, fd 3)
 *
 * that is, PID, TID, reason and sentence. Exit status: 0, or 1 when nothing matched, 2 when it
 * could not look. It is compiled against an installed library like this:
 *
 *      cc why.c -o why $(pkg-config --cflags --libs pwhy)
 *      cc why.c -o why -static $(pkg-config --static --cflags --libs pwhy)
 */
#include <pwhy.h>
#include <stdio.h>
#include <string.h>

static int query_make(char **targets, struct pwhy_query **ret_query)
{
        struct pwhy_query *query;
        int r = pwhy_query_new(&query);

        if (r < 0)
                return r;
        for (; *targets && r == 0; targets++)
                r = pwhy_query_add_target(query, *targets);
        if (r < 0)
                pwhy_query_free(query);
        else
                *ret_query = query;
        return r;
}

static void thread_print(const struct pwhy_thread *thread)
{
        const char *text = pwhy_thread_text(thread);

        printf("%d %d %s: %s\n", (int)pwhy_thread_pid(thread), (int)pwhy_thread_tid(thread),
                pwhy_thread_reason(thread), text ? text : "no more is known");
}

/* What is missing is no error: say it, and go on with what there is. */
static void complain(const struct pwhy_snapshot *snapshot)
{
        const char *text;

        for (size_t i = 0; (text = pwhy_snapshot_unmatched_text(snapshot, i)); i++)
                fprintf(stderr, "why: %s\n", text);
        for (size_t i = 0; (text = pwhy_snapshot_gap_text(snapshot, i)); i++)
                fprintf(stderr, "why: %s\n", text);
}

int main(int argc, char **argv)
{
        struct pwhy_snapshot *snapshot = NULL;
        const struct pwhy_thread *thread;
        struct pwhy_query *query = NULL;
        int r;

        if (argc < 2) {
                fprintf(stderr, "usage: why PID|TID|NAME...\n");
                return 2;
        }
        r = query_make(argv + 1, &query);
        if (r == 0)
                r = pwhy_snapshot_take(query, &snapshot);
        pwhy_query_free(query); /* the snapshot does not need it */
        if (r < 0) {
                fprintf(stderr, "why: cannot look at them: %s\n", strerror(-r));
                return 2;
        }
        for (size_t i = 0; (thread = pwhy_snapshot_thread(snapshot, i)); i++)
                thread_print(thread);
        complain(snapshot);
        r = pwhy_snapshot_count(snapshot) == 0;
        pwhy_snapshot_free(snapshot); /* and with it all that it lent */
        return r;
}
