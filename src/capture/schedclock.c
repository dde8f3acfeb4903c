/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See schedclock.h. In a recorded tree, self/sched and stat are those of the recorder. */
#include "capture/schedclock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "base/worker.h"
#include "model.h"

#define CPUS_MAX 4096
#define VISITS_NS (200 * NS_PER_MS)    /* for all CPUs together */
#define ERROR_MINOR_NS (5 * NS_PER_MS) /* not worth a visit */

struct schedclock {
        int cpu; /* where it was made; -1: not known */
        size_t n_cpus;
        struct {
                int64_t now_ns;    /* its clock, as of the snapshot's moment */
                int64_t stolen_ns; /* interrupts and steal so far… */
                bool has_stolen;   /* …if they were told; nothing is set for CPUs there are not */
                bool known;
                bool tried; /* set before a visit: one that does not come back is the last */
        } cpus[CPUS_MAX];
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

                /* The first line, "cpu  ", is the sum. */
                if (line[3] != ' ' &&
                        sscanf(line, "cpu%u %*u %*u %*u %*u %*u %llu %llu %llu", &cpu, &irq,
                                &softirq, &steal) == 4 &&
                        cpu < CPUS_MAX) {
                        c->cpus[cpu].has_stolen = !__builtin_mul_overflow(
                                irq + softirq + steal, tick_ns, &c->cpus[cpu].stolen_ns);
                        if (cpu >= c->n_cpus)
                                c->n_cpus = cpu + 1;
                }
                end = strchr(line, '\n');
                if (!end)
                        break;
        }
}

static int own_clock(struct procio *io, int64_t *ret_ns)
{
        struct procfile_sched sched = { 0 };
        const char *text;
        ssize_t n;

        if (procio_live(io))
                sched_yield();
        n = procio_read(io, procio_root(io), "self/sched", 0, HANG_NONE, &text);
        if (n <= 0 || procfile_sched(text, (size_t)n, &sched) <= 0 || !sched.has_exec_start)
                return n < 0 ? (int)n : -ENODATA;
        *ret_ns = (int64_t)sched.exec_start_ns;
        return 0;
}

int schedclock_new(struct procio *io, struct arena *a, struct schedclock **ret_clock)
{
        struct procfile_stat stat = { .cpu = -1 };
        struct schedclock *c;
        const char *text;
        int64_t now_ns;
        int r;

        r = own_clock(io, &now_ns);
        if (r < 0)
                return r;
        c = arena_new_one(a, struct schedclock);
        if (!c)
                return -ENOMEM;
        if (procio_live(io))
                stat.cpu = sched_getcpu();
        else if (procio_read(io, procio_root(io), "self/stat", 0, HANG_NONE, &text) > 0)
                procfile_stat(text, strlen(text), &stat);
        c->cpu = stat.cpu >= 0 && stat.cpu < CPUS_MAX ? stat.cpu : -1;
        if (c->cpu < 0)
                return -ENODATA;
        c->cpus[c->cpu].now_ns = now_ns;
        c->cpus[c->cpu].known = true;
        stolen_read(io, c);
        *ret_clock = c;
        return 0;
}

int schedclock_own(struct procio *io, int64_t *ret_now_ns, int64_t *ret_ahead_ns)
{
        struct schedclock *c = calloc(1, sizeof(*c));
        int64_t ahead_ns = 0;
        int r = c ? own_clock(io, ret_now_ns) : -ENOMEM;

        if (r == 0) {
                stolen_read(io, c);
                for (size_t i = 0; i < c->n_cpus; i++)
                        if (c->cpus[i].has_stolen && c->cpus[i].stolen_ns > ahead_ns)
                                ahead_ns = c->cpus[i].stolen_ns;
                if (!c->n_cpus)
                        r = -ENODATA;
                *ret_ahead_ns = ahead_ns;
        }
        free(c);
        return r;
}

/* How far another CPU's clock may be from ours. */
static int64_t error_of(const struct schedclock *c, int cpu)
{
        if (c->cpus[cpu].known)
                return 0;
        if (!c->cpus[cpu].has_stolen || !c->cpus[c->cpu].has_stolen)
                return 0;
        return llabs(c->cpus[cpu].stolen_ns - c->cpus[c->cpu].stolen_ns);
}

/* Add the CPUs of a list "1-3,7" in a file of sysfs. */
static void cpu_list_add(const char *path, cpu_set_t *set, size_t size)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char text[1024], *p = text;
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (n <= 0)
                return;
        text[n] = 0;
        while (*p >= '0' && *p <= '9') {
                unsigned long first = strtoul(p, &p, 10), last = first;

                if (*p == '-')
                        last = strtoul(p + 1, &p, 10);
                for (; first <= last && first < CPUS_MAX; first++)
                        CPU_SET_S(first, size, set);
                p += *p == ',';
        }
}

/* Run there, and read the clock. */
static void visit(struct schedclock *c, struct procio *io, const struct snapshot *s, int cpu,
        cpu_set_t *set, size_t size)
{
        int64_t now_ns;

        c->cpus[cpu].tried = true;
        CPU_ZERO_S(size, set);
        CPU_SET_S(cpu, size, set);
        if (sched_setaffinity(0, size, set) < 0)
                return; /* offline, or not in our cpuset */
        if (own_clock(io, &now_ns) < 0 || sched_getcpu() != cpu)
                return;
        c->cpus[cpu].now_ns = now_ns - (clock_ns(CLOCK_MONOTONIC) - s->monotonic_ns);
        c->cpus[cpu].known = true;
}

void schedclock_visit(
        struct schedclock *c, struct procio *io, struct watch *watch, const struct snapshot *s)
{
        int64_t end = clock_ns(CLOCK_MONOTONIC) + VISITS_NS;
        size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
        cpu_set_t *set, *quiet, *before;

        if (!procio_live(io))
                return;
        set = CPU_ALLOC(CPUS_MAX);
        quiet = CPU_ALLOC(CPUS_MAX);
        before = CPU_ALLOC(CPUS_MAX);
        if (set && quiet && before && sched_getaffinity(0, size, before) == 0) {
                bool moved = false;

                /* Who isolates a CPU does not want to be disturbed there. */
                CPU_ZERO_S(size, quiet);
                cpu_list_add("/sys/devices/system/cpu/isolated", quiet, size);
                cpu_list_add("/sys/devices/system/cpu/nohz_full", quiet, size);
                for_each_process(p, s) {
                        for_each_thread(t, p) {
                                if (t->cpu < 0 || t->cpu >= CPUS_MAX || !t->sleep_start_ns ||
                                        c->cpus[t->cpu].known || c->cpus[t->cpu].tried ||
                                        error_of(c, t->cpu) < ERROR_MINOR_NS ||
                                        CPU_ISSET_S(t->cpu, size, quiet) ||
                                        clock_ns(CLOCK_MONOTONIC) > end)
                                        continue;
                                watch_enter(watch, 0, HANG_NONE);
                                visit(c, io, s, t->cpu, set, size);
                                moved = true;
                        }
                }
                if (moved)
                        sched_setaffinity(0, size, before);
        }
        CPU_FREE(set);
        CPU_FREE(quiet);
        CPU_FREE(before);
}

static void thread_apply(const struct schedclock *c, struct thread *t)
{
        int cpu = t->cpu >= 0 && t->cpu < CPUS_MAX ? t->cpu : c->cpu;

        if (t->has_ready_for && !t->moved) {
                t->for_ns = t->ready_for_ns;
                t->has_for = true;
                return;
        }
        if (!t->sleep_start_ns || t->moved)
                return;
        t->for_error_ns = error_of(c, cpu);
        t->for_ns = (int64_t)((uint64_t)c->cpus[c->cpus[cpu].known ? cpu : c->cpu].now_ns -
                              t->sleep_start_ns);
        /* It went to sleep after the snapshot's moment, or the clocks are apart by that. */
        if (t->for_ns < 0)
                t->for_ns = 0;
        t->has_for = true;
}

void schedclock_apply(const struct schedclock *c, struct snapshot *s)
{
        for_each_process(p, s)
                for_each_thread(t, p)
                        thread_apply(c, t);
}
