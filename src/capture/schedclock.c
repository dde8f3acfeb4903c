/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See schedclock.h. In a recorded tree, self/sched and stat are those of the recorder. */
#include "capture/schedclock.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/procio.h"
#include "base/procfile.h"
#include "model.h"

#define CPUS_MAX 4096

struct schedclock {
        uint64_t now_ns;
        int cpu; /* ours */
        size_t n_cpus;
        int64_t stolen_ns[CPUS_MAX]; /* interrupts and steal of each CPU, so far; -1: none */
};

/* "cpu3 user nice system idle iowait irq softirq steal guest guest_nice", ticks */
static void stolen_read(struct procio *io, struct schedclock *c)
{
        int64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);
        const char *text, *line, *end;

        if (procio_read(io, procio_root(io), "stat", 0, HANG_NONE, &text) <= 0)
                return;
        for (line = text; strncmp(line, "cpu", 3) == 0; line = end + 1) {
                unsigned long long irq, softirq, steal;
                unsigned cpu;

                /* The first line, "cpu  ", is the sum and does not match. */
                if (sscanf(line, "cpu%u %*u %*u %*u %*u %*u %llu %llu %llu", &cpu, &irq, &softirq,
                            &steal) == 4 &&
                        line[3] != ' ' && cpu < CPUS_MAX) {
                        c->stolen_ns[cpu] = (int64_t)(irq + softirq + steal) * tick_ns;
                        if (cpu >= c->n_cpus)
                                c->n_cpus = cpu + 1;
                }
                end = strchr(line, '\n');
                if (!end)
                        break;
        }
}

int schedclock_new(struct procio *io, struct arena *a, struct schedclock **ret_clock)
{
        struct procfile_sched sched = { 0 };
        struct procfile_stat stat = { .cpu = -1 };
        struct schedclock *c;
        const char *text;
        ssize_t n;

        if (procio_live(io))
                sched_yield();
        n = procio_read(io, procio_root(io), "self/sched", 0, HANG_NONE, &text);
        if (n <= 0 || procfile_sched(text, (size_t)n, &sched) <= 0 || !sched.has_exec_start)
                return n < 0 ? (int)n : -ENODATA;
        c = arena_new_one(a, struct schedclock);
        if (!c)
                return -ENOMEM;
        memset(c->stolen_ns, 0xff, sizeof(c->stolen_ns));
        c->now_ns = sched.exec_start_ns;
        n = procio_read(io, procio_root(io), "self/stat", 0, HANG_NONE, &text);
        if (n > 0)
                procfile_stat(text, (size_t)n, &stat);
        c->cpu = stat.cpu;
        stolen_read(io, c);
        *ret_clock = c;
        return 0;
}

void schedclock_apply(const struct schedclock *c, struct thread *t)
{
        if (!t->sleep_start_ns || t->moved)
                return;
        t->for_ns = (int64_t)(c->now_ns - t->sleep_start_ns);
        if (t->for_ns < 0)
                t->for_ns = 0; /* went to sleep after the clock was read, or another CPU's clock */
        t->has_for = true;
        if (t->cpu == c->cpu || t->cpu < 0 || c->cpu < 0)
                return;
        if ((size_t)t->cpu >= c->n_cpus || (size_t)c->cpu >= c->n_cpus ||
                c->stolen_ns[t->cpu] < 0 || c->stolen_ns[c->cpu] < 0)
                return;
        t->for_error_ns = llabs(c->stolen_ns[t->cpu] - c->stolen_ns[c->cpu]);
}
