/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See running.h. With HZ=100 a tick is 10 ms; a tickless CPU may take longer to tell. */
#include "capture/running.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/procio.h"
#include "model.h"

#define RUNNING_WINDOW_NS (12 * NS_PER_MS)
#define RUNNING_STEP_NS (NS_PER_MS / 2)

/* "RUNTIME WAITTIME SLICES", ns (fs/proc/base.c, proc_pid_schedstat()) */
static bool schedstat_read(struct procio *io, int fd, uint64_t *ret_runtime, uint64_t *ret_slices)
{
        unsigned long long runtime, slices;
        const char *text;

        if (procio_reread(io, fd, &text) <= 0 ||
                sscanf(text, "%llu %*u %llu", &runtime, &slices) != 2)
                return false;
        *ret_runtime = runtime;
        *ret_slices = slices;
        return true;
}

void running_add(struct running *r, struct procio *io, struct thread *t, int dir)
{
        struct suspect *s = &r->suspects[r->n];
        char path[48];

        if (r->n == RUNNING_MAX || !procio_live(io))
                return;
        snprintf(path, sizeof(path), "task/%d/schedstat", (int)t->tid);
        s->fd = procio_open(io, dir, path);
        if (s->fd < 0)
                return;
        if (!schedstat_read(io, s->fd, &s->runtime, &s->slices)) {
                close(s->fd);
                return;
        }
        s->thread = t;
        r->n++;
}

/* All of them in one window; the CPU time of a thread that runs grows with each tick. */
void running_watch(struct running *r, struct procio *io)
{
        int64_t end = clock_ns(CLOCK_MONOTONIC) + RUNNING_WINDOW_NS;

        while (r->n) {
                struct timespec step = { 0, RUNNING_STEP_NS };
                bool last = clock_ns(CLOCK_MONOTONIC) >= end;

                for (size_t i = 0; i < r->n;) {
                        struct suspect *s = &r->suspects[i];
                        uint64_t runtime = s->runtime, slices = s->slices;
                        bool gone = !schedstat_read(io, s->fd, &runtime, &slices);
                        bool ran = runtime != s->runtime;

                        if (!ran && !gone && !last) {
                                i++;
                                continue;
                        }
                        /* Given the CPU since: whether it had it before is not known. */
                        s->thread->on_cpu = ran;
                        s->thread->has_on_cpu = !gone && s->slices && slices == s->slices;
                        close(s->fd);
                        *s = r->suspects[--r->n];
                }
                if (r->n)
                        nanosleep(&step, NULL);
        }
}

void running_done(struct running *r)
{
        for (size_t i = 0; i < r->n; i++)
                close(r->suspects[i].fd);
}
