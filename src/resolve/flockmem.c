/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layouts of struct flock: the 64-bit one; for 32-bit callers the old one with 32-bit offsets
 * (F_GETLK … F_SETLKW), and flock64, which i386 does not pad (fs/fcntl.c, compat.h).
 */
#include "resolve/flockmem.h"

#include <fcntl.h>
#include <string.h>

#include "model.h"
#include "resolve/syscall.h"

/* The numbers are the same on all three machines; libc's names may stand for others. */
enum { GETLK = 5, SETLKW = 7, GETLK64 = 12, SETLKW64 = 14, OFD_GETLK = 36, OFD_SETLKW = 38 };

#define FLOCK_ARG 2

static bool is_fcntl(const struct call *c)
{
        return call_is(c, "fcntl|fcntl64");
}

size_t flock_size(const struct call *c)
{
        uint32_t command = (uint32_t)c->args[1];

        if (!is_fcntl(c))
                return 0;
        if (command >= GETLK && command <= SETLKW)
                return c->abi == ABI_I386 ? 16 : 32;
        if (command >= GETLK64 && command <= SETLKW64)
                return c->abi == ABI_I386 ? 24 : 0;
        if (command >= OFD_GETLK && command <= OFD_SETLKW)
                return c->abi == ABI_I386 ? 24 : 32;
        return 0;
}

bool flock_command_waits(const struct call *c)
{
        uint32_t command = (uint32_t)c->args[1];

        return flock_size(c) && (command == SETLKW || command == SETLKW64 || command == OFD_SETLKW);
}

bool flock_words_read(const struct call *c, struct flock_words *ret)
{
        const struct call_memory *m = &c->memory[FLOCK_ARG];
        const char *p = m->bytes;
        size_t size = flock_size(c);
        int32_t narrow[2];
        int16_t words[2];

        if (!size || !p || m->len < size)
                return false;
        memcpy(words, p, sizeof(words));
        ret->type = words[0];
        ret->whence = words[1];
        if (size == 16) {
                memcpy(narrow, p + 4, sizeof(narrow));
                ret->start = narrow[0];
                ret->len = narrow[1];
        } else {
                size_t at = size == 24 ? 4 : 8;

                memcpy(&ret->start, p + at, 8);
                memcpy(&ret->len, p + at + 8, 8);
        }
        return true;
}

/* As flock_to_posix_lock() does it: a length of 0 is all that follows, a negative one goes back. */
bool flock_wanted(const struct call *c, uint64_t position, struct flock_wanted *ret)
{
        struct flock_words w;
        int64_t start;

        if (!flock_words_read(c, &w))
                return false;
        *ret = (struct flock_wanted){ .write = w.type == F_WRLCK };
        if (w.whence == SEEK_SET)
                start = w.start;
        else if (w.whence != SEEK_CUR || position > INT64_MAX ||
                 __builtin_add_overflow((int64_t)position, w.start, &start))
                return true;
        if (start < 0)
                return true;
        ret->start = start;
        if (w.len > 0) {
                if (__builtin_add_overflow(start, w.len - 1, &ret->end))
                        return true;
        } else if (w.len < 0) {
                ret->end = start - 1;
                if (__builtin_add_overflow(start, w.len, &ret->start) || ret->start < 0)
                        return true;
        } else {
                ret->end = INT64_MAX;
        }
        ret->has_range = true;
        return true;
}
