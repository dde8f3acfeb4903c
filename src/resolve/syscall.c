/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of system calls, and looking things up in it.
 *
 * A program that runs for a fraction of a millisecond feels what the loader does before
 * main(). A table of pointers to names would cost a position-independent program a
 * thousand relocations, and private copies of the pages they touch. So descriptors are
 * arrays of characters, a call is found through an index of 16-bit row numbers, and all
 * of it is read-only data that is paged in where it is used.
 *
 * The preprocessor builds the index. A call's row is its line in its file, which needs no
 * counting and no generator. A number that an ABI lacks (-1) goes to an element of its own
 * behind the numbers, so that no element is set twice: two calls with one number in one
 * ABI are then a compiler's warning about an overridden initializer.
 */
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "resolve/syscall.h"

#define NR_END 512    /* numbers that an index covers */
#define I386_ROWS 448 /* row of line 0 of syscalls-i386.def: beyond the other file's lines */
#define X32_BIT 0x40000000L
#define X32_FIRST 512 /* numbers of their own, of the x32 calls that pass pointers in memory */

#define ROW (__LINE__)
#define ROW32 (I386_ROWS + __LINE__)
#define SLOTS (NR_END + I386_ROWS)
#define SLOT(nr, row) ((nr) < 0 ? NR_END + (row) : (nr))

static const struct syscall_desc table[] = {
#define CALL(name, x86_64, i386, arm64, args) [ROW] = { #name, args },
#define CALL32(name, i386, args) [ROW32] = { #name, args },
#include "syscalls.def"
#undef CALL
#undef CALL32
};

/* What does not fit with its NUL must not compile. */
#define FITS(call, letters)                                                                        \
        _Static_assert(sizeof(#call) <= sizeof(table[0].name) &&                                   \
                               sizeof(letters) <= sizeof(table[0].args),                           \
                #call);

#define CALL(name, x86_64, i386, arm64, args) FITS(name, args)
#define CALL32(name, i386, args) FITS(name, args)
#include "syscalls.def"
#undef CALL
#undef CALL32

static const uint16_t index_x86_64[SLOTS] = {
#define CALL(name, x86_64, i386, arm64, args) [SLOT(x86_64, ROW)] = ROW,
#define CALL32(name, i386, args)
#include "syscalls.def"
#undef CALL
#undef CALL32
};

static const uint16_t index_i386[SLOTS] = {
#define CALL(name, x86_64, i386, arm64, args) [SLOT(i386, ROW)] = ROW,
#define CALL32(name, i386, args) [i386] = ROW32,
#include "syscalls.def"
#undef CALL
#undef CALL32
};

static const uint16_t index_arm64[SLOTS] = {
#define CALL(name, x86_64, i386, arm64, args) [SLOT(arm64, ROW)] = ROW,
#define CALL32(name, i386, args)
#include "syscalls.def"
#undef CALL
#undef CALL32
};

/* x32's own numbers, from 512 on, as the numbers of the same calls of x86-64. */
static const uint16_t x32_numbers[] = {
        13, 15, 16, 19, 20, 45, 46, 47, 59, 101, 127, 128,          /* rt_sigaction … */
        129, 131, 222, 244, 246, 247, 273, 274, 278, 279, 295, 296, /* rt_sigqueueinfo … */
        297, 299, 307, 310, 311, 54, 55, 206, 209, 322, 327, 328,   /* rt_tgsigqueueinfo … */
};

static const uint16_t *abi_index(enum abi abi)
{
        switch (abi) {
        case ABI_X86_64:
                return index_x86_64;
        case ABI_I386:
                return index_i386;
        case ABI_ARM64:
                return index_arm64;
        case ABI_UNKNOWN:
                break;
        }
        return NULL;
}

const struct syscall_desc *syscall_find(enum abi abi, long nr)
{
        const uint16_t *index = abi_index(abi);

        if (!index || nr < 0)
                return NULL;
        if (abi == ABI_X86_64) {
                nr &= ~X32_BIT;
                if (nr >= X32_FIRST && nr - X32_FIRST < (long)ARRAY_SIZE(x32_numbers))
                        nr = x32_numbers[nr - X32_FIRST];
        }
        if (nr >= NR_END || !index[nr])
                return NULL;
        return &table[index[nr]];
}

long syscall_number(enum abi abi, const char *name)
{
        const uint16_t *index = abi_index(abi);

        for (long nr = 0; index && nr < NR_END; nr++)
                if (index[nr] && strcmp(table[index[nr]].name, name) == 0)
                        return nr;
        return -1;
}

int syscall_arg(const struct syscall_desc *desc, char letter, int n)
{
        if (!desc)
                return -1;
        for (int i = 0; desc->args[i]; i++)
                if (desc->args[i] == letter && n-- == 0)
                        return i;
        return -1;
}

bool call_is(const struct call *call, const char *names)
{
        if (!call->desc)
                return false;

        size_t len = strlen(call->desc->name);

        for (const char *at = names;; at++) {
                size_t n = strcspn(at, "|");

                if (n == len && memcmp(at, call->desc->name, n) == 0)
                        return true;
                at += n;
                if (!*at)
                        return false;
        }
}

enum abi abi_from_machine(const char *machine)
{
        if (machine && strcmp(machine, "x86_64") == 0)
                return ABI_X86_64;
        if (machine && strcmp(machine, "aarch64") == 0)
                return ABI_ARM64;
        return ABI_UNKNOWN;
}
