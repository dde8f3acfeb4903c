/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mutexes of musl (1.1.20 to 1.2.5), from src/internal/pthread_impl.h. Offsets are from the futex
 * word, the mutex's second:
 *
 *   type -4, lock 0, waiters 4, two unused 8 and 12, count 16
 *
 * Of a normal one the lock is EBUSY, and nobody is recorded; of all others it is the TID.
 */
#include "resolve/locklayout.h"

#include <errno.h>
#include <linux/futex.h>

#define TYPE_RECURSIVE 1U
#define TYPE_ROBUST 4U
#define TYPE_PI 8U
#define TYPE_SHARED 128U
#define TYPE_ALL (3U | TYPE_ROBUST | TYPE_PI | TYPE_SHARED)

#define WAITERS_MAX (1U << 22)

bool lock_musl_mutex(const struct lock_view *v, struct lock_seen *ret)
{
        static const char *const types[] = { "normal", "recursive", "error-checking" };
        uint32_t type, lock, waiters;
        bool normal;

        if (v->abi == ABI_I386 || !lock_word(v, -4, &type) || !lock_word(v, 0, &lock) ||
                !lock_word(v, 4, &waiters) || !lock_zero(v, 8, 8))
                return false;
        if (type & ~TYPE_ALL || (type & 3) > 2 || v->pi != !!(type & TYPE_PI) ||
                v->private != !(type & TYPE_SHARED))
                return false;
        /* With priority inheritance the kernel counts, and the value is not looked at. */
        if (!v->pi &&
                (!(lock & FUTEX_WAITERS) || v->waited != lock || !waiters || waiters > WAITERS_MAX))
                return false;
        normal = !(type & (3U | TYPE_ROBUST | TYPE_PI));
        if (normal ? (lock & FUTEX_TID_MASK) != EBUSY : !(lock & FUTEX_TID_MASK))
                return false;
        *ret = (struct lock_seen){
                .kind = "mutex",
                .layout = "musl mutex",
                .type = types[type & 3],
                .base = v->address - 4,
                .owner = normal ? 0 : (pid_t)(lock & FUTEX_TID_MASK),
                .robust = type & TYPE_SHARED && !normal,
                .shared = type & TYPE_SHARED,
        };
        return true;
}
