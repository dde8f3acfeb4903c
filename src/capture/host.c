/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of a recorded tree, everything comes from its files: nothing of this machine is mixed in. */
#include "capture/host.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/procio.h"
#include "model.h"

/* First line of a file of the tree, for facts about the host. */
static const char *fact_read(struct procio *io, struct arena *a, const char *path)
{
        const char *text;

        if (procio_read(io, procio_root(io), path, 0, HANG_NONE, &text) <= 0)
                return NULL;
        return arena_strn(a, text, strcspn(text, "\n"));
}

void host_read(struct procio *io, struct snapshot *s, bool raw)
{
        struct utsname u;

        if (procio_live(io) && uname(&u) == 0) {
                s->host.name = arena_str(s->arena, u.nodename);
                s->host.kernel = arena_str(s->arena, u.release);
                s->host.arch = arena_str(s->arena, u.machine);
        } else {
                s->host.name = fact_read(io, s->arena, "sys/kernel/hostname");
                s->host.kernel = fact_read(io, s->arena, "sys/kernel/osrelease");
                s->host.arch = fact_read(io, s->arena, "sys/kernel/arch");
        }
        if (!raw)
                s->host.boot_id = fact_read(io, s->arena, "sys/kernel/random/boot_id");
}

/* A recorded tree has its clocks in "captured": realtime, monotonic, boottime, in ns. */
void host_clocks(struct procio *io, struct snapshot *s)
{
        const char *text;
        long long realtime, monotonic, boottime;

        if (procio_live(io)) {
                s->captured_at = clock_ns(CLOCK_REALTIME);
                s->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
                s->boottime_ns = clock_ns(CLOCK_BOOTTIME);
                s->has_clocks = true;
                return;
        }
        if (procio_read(io, procio_root(io), "captured", 0, HANG_NONE, &text) <= 0 ||
                sscanf(text, "%lld %lld %lld", &realtime, &monotonic, &boottime) != 3)
                return;
        s->captured_at = realtime;
        s->monotonic_ns = monotonic;
        s->boottime_ns = boottime;
        s->has_clocks = true;
}
