/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A system call as text, much as strace(1) writes it, but only what can be told: numbers,
 * the few constants that say what a call waits for, and what pointers point to where it
 * was read (syscall-memory.c). Argument registers hold whatever the target put there.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "resolve/flockmem.h"
#include "resolve/syscall.h"
#include "resolve/syscall-line.h"

/* As the kernel has them on all three architectures; libc's may be another's. */
#define TARGET_AT_FDCWD (-100)
#define TARGET_O_CREAT 0x40
#define TARGET_O_TMPFILE 0x400000
#define FUTEX_COMMAND 0x7f
#define FUTEX_PRIVATE 0x80
#define FUTEX_REALTIME 0x100

void line_add(struct line *l, const char *format, ...)
{
        size_t room = sizeof(l->text) - l->len - sizeof("…"); /* room for the end is kept */
        va_list ap;
        int n;

        if (l->full)
                return;
        va_start(ap, format);
        n = vsnprintf(l->text + l->len, room, format, ap);
        va_end(ap);
        if (n < 0 || (size_t)n >= room)
                l->full = true;
        else
                l->len += (size_t)n;
}

void line_add_signal(struct line *l, unsigned n)
{
        static const char names[][7] = { "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE",
                "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT",
                "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
                "IO", "PWR", "SYS" };

        if (n <= ARRAY_SIZE(names))
                line_add(l, "%s", names[n - 1]);
        else
                line_add(l, "RT_%u", n - 32); /* as strace counts: from the kernel's first */
}

static uint64_t call_arg(const struct call *call, size_t i)
{
        return call->abi == ABI_I386 ? (uint32_t)call->args[i] : call->args[i];
}

struct futex_command {
        char name[16];
        uint8_t args;   /* that mean something to it */
        bool has_count; /* in the place of the timeout */
};

static const struct futex_command futex_commands[] = {
        { "WAIT", 4, false },
        { "WAKE", 3, false },
        { "FD", 3, false },
        { "REQUEUE", 5, true },
        { "CMP_REQUEUE", 6, true },
        { "WAKE_OP", 6, true },
        { "LOCK_PI", 4, false },
        { "UNLOCK_PI", 2, false },
        { "TRYLOCK_PI", 2, false },
        { "WAIT_BITSET", 6, false },
        { "WAKE_BITSET", 6, false },
        { "WAIT_REQUEUE_PI", 5, false },
        { "CMP_REQUEUE_PI", 6, true },
        { "LOCK_PI2", 4, false },
};

static const struct futex_command *futex_command(uint64_t op)
{
        op &= FUTEX_COMMAND;
        return op < ARRAY_SIZE(futex_commands) ? &futex_commands[op] : NULL;
}

static void add_futex_op(struct line *l, uint32_t op)
{
        const struct futex_command *command = futex_command(op);
        uint32_t rest = op & ~(uint32_t)(FUTEX_COMMAND | FUTEX_PRIVATE | FUTEX_REALTIME);

        if (!command || rest) {
                line_add(l, "0x%x", op);
                return;
        }
        line_add(l, "FUTEX_%s%s%s", command->name, op & FUTEX_PRIVATE ? "_PRIVATE" : "",
                op & FUTEX_REALTIME ? "|FUTEX_CLOCK_REALTIME" : "");
}

static void add_clock(struct line *l, int32_t clock)
{
        static const char names[][19] = { "REALTIME", "MONOTONIC", "PROCESS_CPUTIME_ID",
                "THREAD_CPUTIME_ID", "MONOTONIC_RAW", "REALTIME_COARSE", "MONOTONIC_COARSE",
                "BOOTTIME", "REALTIME_ALARM", "BOOTTIME_ALARM", "SGI_CYCLE", "TAI" };

        if (clock >= 0 && clock < (int32_t)ARRAY_SIZE(names))
                line_add(l, "CLOCK_%s", names[clock]);
        else
                line_add(l, "%d", clock);
}

static void add_idtype(struct line *l, int32_t type)
{
        static const char names[][8] = { "P_ALL", "P_PID", "P_PGID", "P_PIDFD" };

        if (type >= 0 && type < (int32_t)ARRAY_SIZE(names))
                line_add(l, "%s", names[type]);
        else
                line_add(l, "%d", type);
}

static void add_pointer(struct line *l, uint64_t value)
{
        if (value)
                line_add(l, "0x%llx", (unsigned long long)value);
        else
                line_add(l, "NULL");
}

static void add_arg(struct line *l, char letter, size_t i)
{
        uint64_t value = call_arg(l->call, i);
        int32_t narrow = (int32_t)value;

        switch (letter) {
        case 'F':
                if (narrow == TARGET_AT_FDCWD) {
                        line_add(l, "AT_FDCWD");
                        break;
                }
                /* fall through */
        case 'f':
        case 'i':
        case 'm':
        case 'P':
                line_add(l, "%d", narrow);
                break;
        case 'u':
                line_add(l, "%llu", (unsigned long long)value);
                break;
        case 'l':
                line_add(
                        l, "%lld", l->call->abi == ABI_I386 ? (long long)narrow : (long long)value);
                break;
        case 'x':
                line_add(l, "0x%llx", (unsigned long long)value);
                break;
        case 'o':
                line_add(l, "%#o", (uint32_t)value);
                break;
        case 'n':
                if (narrow >= 1 && narrow <= 64) {
                        line_add(l, "SIG");
                        line_add_signal(l, (unsigned)narrow);
                } else {
                        line_add(l, "%d", narrow);
                }
                break;
        case 'O':
                add_futex_op(l, (uint32_t)value);
                break;
        case 'c':
                add_clock(l, narrow);
                break;
        case 'W':
                add_idtype(l, narrow);
                break;
        default: /* the pointers */
                if (!value || !line_add_memory(l, letter, i))
                        add_pointer(l, value);
        }
}

/*
 * Arguments that mean something in this call. What lies beyond in the registers is left
 * over from elsewhere: a mode where nothing is created, a timeout where a futex is woken.
 */
static size_t count_args(const struct call *call)
{
        size_t n = strlen(call->desc->args);
        int op = syscall_arg(call->desc, 'O', 0);

        if (op >= 0) {
                const struct futex_command *command = futex_command(call->args[op]);

                return command && command->args < n ? command->args : n;
        }
        if (call_is(call, "open|openat|mq_open")) {
                int flags = syscall_arg(call->desc, 'x', 0);

                if (flags >= 0 && !(call->args[flags] & (TARGET_O_CREAT | TARGET_O_TMPFILE)))
                        return (size_t)flags + 1;
        }
        return n;
}

static char arg_letter(const struct call *call, size_t i)
{
        char letter = call->desc->args[i];
        int op = syscall_arg(call->desc, 'O', 0);

        if (op >= 0 && (letter == 't' || letter == '6')) {
                const struct futex_command *command = futex_command(call->args[op]);

                if (command && command->has_count)
                        return 'u';
        }
        if (letter == 'K' && !flock_size(call))
                return 'x';
        return letter;
}

const char *call_format(struct arena *a, const struct call *call)
{
        struct line l;
        size_t n = 6;

        if (call->state != CALL_INSIDE)
                return NULL;
        l.arena = a;
        l.call = call;
        l.full = false;
        l.len = 0;
        if (call->desc) {
                n = count_args(call);
                line_add(&l, "%s(", call->desc->name);
        } else {
                line_add(&l, "syscall %ld(", call->nr);
        }
        for (size_t i = 0; i < n; i++) {
                if (i)
                        line_add(&l, ", ");
                if (call->desc)
                        add_arg(&l, arg_letter(call, i), i);
                else
                        line_add(&l, "0x%llx", (unsigned long long)call_arg(call, i));
        }
        line_add(&l, ")");
        if (l.full)
                memcpy(l.text + l.len, "…", sizeof("…"));
        return arena_share(a, l.text);
}
