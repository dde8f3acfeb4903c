/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-repeat PID N: makes N captures of a process as --watch does, with what is kept from look to
 * look, and N without user stacks, in turn. Prints what user stacks cost in the first look
 * and in the others, and what a whole look takes then: nanoseconds of CPU time, of all processes
 * together, the least of each, which others on the machine disturb least.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "pwhy.h"

#define AGAIN 4 /* looks after the first */

struct cost {
        long long first, again;
};

static long long cpu_ns(int who)
{
        struct rusage u;

        getrusage(who, &u);
        return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL +
               (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

static void keep_least(long long *least, long long value)
{
        if (!*least || value < *least)
                *least = value;
}

/* One look, its memory given back; -1: it failed. */
static long long look(struct pwhy_capture *capture)
{
        struct pwhy_snapshot *snapshot;
        long long before = cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN);

        if (pwhy_capture_take(capture, &snapshot) < 0)
                return -1;
        pwhy_snapshot_free(snapshot);
        return cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN) - before;
}

static int measure(const char *pid, bool user, struct cost *least)
{
        struct pwhy_query *query;
        struct pwhy_capture *capture;
        long long cost;

        if (pwhy_query_new(&query) < 0)
                return -1;
        pwhy_query_set_stacks(query, true, user);
        if (pwhy_query_add_target(query, pid) < 0 || pwhy_capture_new(query, &capture) < 0)
                return -1;
        cost = look(capture);
        keep_least(&least->first, cost);
        for (int i = 0; i < AGAIN && cost >= 0; i++) {
                cost = look(capture);
                keep_least(&least->again, cost);
        }
        pwhy_capture_free(capture);
        pwhy_query_free(query);
        return cost < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
        long n = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
        struct cost with = { 0 }, without = { 0 };

        if (n < 1) {
                fprintf(stderr, "usage: bench-repeat PID N\n");
                return 2;
        }
        for (long i = 0; i < n; i++)
                if (measure(argv[1], true, &with) < 0 || measure(argv[1], false, &without) < 0)
                        return 1;
        printf("%lld %lld %lld\n", with.first - without.first, with.again - without.again,
                with.again);
        return 0;
}
