/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timeout is relative, or a point in time of a clock, which may be one of a time namespace.
 * Where the clock is not one that we can read, nothing is said of what is left.
 */
#include "resolve/timeout.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "model.h"
#include "resolve/resolver.h"
#include "resolve/ns.h"
#include "resolve/syscall.h"

/* Is this timeout a point in time, and of which clock? From the calls' man pages. */
static bool timeout_absolute(const struct call *c, int *ret_clock)
{
        uint64_t op;
        int arg;

        if (call_is(c, "clock_nanosleep|clock_nanosleep_time64")) {
                *ret_clock = (int)c->args[0];
                return c->args[1] & TIMER_ABSTIME;
        }
        if (call_is(c, "mq_timedsend|mq_timedreceive|mq_timedsend_time64|mq_timedreceive_time64")) {
                *ret_clock = CLOCK_REALTIME;
                return true;
        }
        if (call_is(c, "futex_waitv|futex_wait")) {
                arg = syscall_arg(c->desc, 'c', 0);
                *ret_clock = arg >= 0 ? (int)c->args[arg] : CLOCK_MONOTONIC;
                return true;
        }
        arg = syscall_arg(c->desc, 'O', 0);
        if (arg < 0)
                return false;
        op = c->args[arg];
        *ret_clock = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        switch (op & FUTEX_CMD_MASK) {
        case FUTEX_LOCK_PI:
                *ret_clock = CLOCK_REALTIME; /* always, kernel/futex/syscalls.c */
                return true;
        case FUTEX_WAIT_BITSET:
        case FUTEX_WAIT_REQUEUE_PI:
        case 13: /* FUTEX_LOCK_PI2 */
                return true;
        default:
                return false;
        }
}

/* Only these operations of futex(2) wait; for others the argument is something else. */
static bool timeout_means_time(const struct call *c)
{
        int arg = syscall_arg(c->desc, 'O', 0);

        if (arg < 0)
                return true;
        switch (c->args[arg] & FUTEX_CMD_MASK) {
        case FUTEX_WAIT:
        case FUTEX_LOCK_PI:
        case FUTEX_WAIT_BITSET:
        case FUTEX_WAIT_REQUEUE_PI:
        case 13: /* FUTEX_LOCK_PI2 */
                return true;
        default:
                return false;
        }
}

/* { seconds, nanoseconds or microseconds } in words of 8 or 4 bytes. */
static bool time_parse(const struct call_memory *m, bool microseconds, int64_t *ret_ns)
{
        int64_t seconds, fraction;

        if (m->len == 16) {
                memcpy(&seconds, m->bytes, 8);
                memcpy(&fraction, (const char *)m->bytes + 8, 8);
        } else if (m->len == 8) {
                int32_t narrow[2];

                memcpy(narrow, m->bytes, 8);
                seconds = narrow[0];
                fraction = narrow[1];
        } else {
                return false;
        }
        /* The kernel caps at KTIME_MAX what is longer. */
        if (seconds < 0 || fraction < 0 || fraction >= (microseconds ? 1000000 : NS_PER_S))
                return false;
        if (seconds >= INT64_MAX / NS_PER_S)
                *ret_ns = INT64_MAX;
        else
                *ret_ns = seconds * NS_PER_S + fraction * (microseconds ? 1000 : 1);
        return true;
}

/*
 * In a time namespace (time_namespaces(7)) the monotonic and boottime clocks are shifted:
 * turn the point in time into one of our clocks. "monotonic  100000  0", seconds and ns.
 */
static void namespace_clock(struct resolver *r, struct call *c)
{
        const char *name = c->timeout_clock == CLOCK_MONOTONIC ? "monotonic" : "boottime";
        uint64_t theirs, ours;
        const char *text, *line;
        long long seconds;
        long ns;

        if (c->timeout_clock != CLOCK_MONOTONIC && c->timeout_clock != CLOCK_BOOTTIME &&
                c->timeout_clock != CLOCK_BOOTTIME_ALARM)
                return;
        theirs = ns_thread(r, NS_TIME);
        ours = ns_own(r, NS_TIME);
        if (!theirs || !ours || theirs == ours)
                return;
        /* The offsets are those of the namespace that its children get. */
        if (ns_time_of_children(r) != theirs || !(text = resolver_file(r, "timens_offsets")) ||
                !(line = strstr(text, name)) ||
                sscanf(line + strlen(name), "%lld %ld", &seconds, &ns) != 2) {
                c->timeout_clock = -1; /* a clock that we cannot read */
                return;
        }
        if (llabs(seconds) < INT64_MAX / NS_PER_S / 4 && c->timeout_ns < INT64_MAX / 2)
                c->timeout_ns -= seconds * NS_PER_S + ns;
}

void timeout_resolve(struct resolver *r, struct call *c)
{
        static const char letters[] = "t6vm";

        for (const char *letter = letters; *letter; letter++) {
                int arg = syscall_arg(c->desc, *letter, 0);

                if (arg < 0 || !timeout_means_time(c))
                        continue;
                if (*letter == 'm') {
                        c->has_timeout = true;
                        c->timeout_set = (int32_t)c->args[arg] >= 0;
                        c->timeout_ns = (int32_t)c->args[arg] * NS_PER_MS;
                        c->timeout_clock = CLOCK_MONOTONIC;
                } else if (!c->args[arg]) {
                        c->has_timeout = true;
                } else if (time_parse(&c->memory[arg], *letter == 'v', &c->timeout_ns)) {
                        c->has_timeout = c->timeout_set = true;
                        c->timeout_clock = CLOCK_MONOTONIC;
                        c->timeout_absolute = timeout_absolute(c, &c->timeout_clock);
                        if (c->timeout_absolute)
                                namespace_clock(r, c);
                }
                return;
        }
}

/* Do all processes see this clock run, whatever they do? */
static bool clock_is_of_day(int clock)
{
        return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
               clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM || clock == CLOCK_TAI;
}

static void deadline_set(const struct snapshot *s, struct thread *t)
{
        struct call *c = &t->call;
        int64_t now;

        if (!c->timeout_set)
                return;
        if (!c->timeout_absolute) {
                /* CPU clocks stand still while the thread sleeps. */
                if (!clock_is_of_day(c->timeout_clock))
                        return;
                c->has_deadline = t->has_for;
                c->deadline_ns = c->timeout_ns - (t->has_for ? t->for_ns : 0);
                return;
        }
        if (!s->has_clocks)
                return;
        switch (c->timeout_clock) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_ALARM:
                now = s->captured_at;
                break;
        case CLOCK_MONOTONIC:
                now = s->monotonic_ns;
                break;
        case CLOCK_BOOTTIME:
        case CLOCK_BOOTTIME_ALARM:
                now = s->boottime_ns;
                break;
        default:
                return;
        }
        c->has_deadline = true;
        c->deadline_ns = c->timeout_ns - now;
}

void timeout_deadlines(struct snapshot *s)
{
        for_each_process(p, s)
                for_each_thread(t, p)
                        deadline_set(s, t);
}
