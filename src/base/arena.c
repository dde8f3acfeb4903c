/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena is one anonymous shared mapping, made before the worker process is forked.
 *
 * Its header lies at the region's start, inside the shared memory: parent and child see the
 * same fill mark, and what a child allocated before it had to be abandoned stays valid. Much
 * address space is reserved and little is touched: fresh pages are zero already, so nothing
 * is cleared and nothing is ever given back before the whole region goes.
 *
 * Only one process allocates at a time; the fill mark needs no lock.
 *
 * A fault for each page of shared memory costs as much as what is written to it. Where much is
 * allocated, in small parts, the kernel is asked for the next pages in one go.
 */
#include "base/arena.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_ALIGN ((size_t)16)
#if SIZE_MAX > UINT32_MAX
#define ARENA_MAX ((size_t)4 << 30)
#else
#define ARENA_MAX ((size_t)512 << 20)
#endif
#define ARENA_MIN ((size_t)16 << 20)
#define AHEAD_FROM ((size_t)128 << 10) /* a snapshot of a process or two is smaller */
#define AHEAD ((size_t)256 << 10)

struct arena {
        size_t size; /* of the region, this header included */
        size_t used; /* the fill mark, from the region's start */
        size_t here; /* so far pages were asked for */
        bool failed;
};

static size_t align_up(size_t n)
{
        return (n + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
}

struct arena *arena_new(void)
{
        /* RLIMIT_AS or a small machine may refuse the big reservation: ask for less. */
        for (size_t size = ARENA_MAX; size >= ARENA_MIN; size /= 2) {
                void *region = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                if (region == MAP_FAILED)
                        continue;

                struct arena *a = region;
                a->size = size;
                a->used = align_up(sizeof(*a));
                return a;
        }
        return NULL;
}

void arena_free(struct arena *a)
{
        if (a)
                munmap(a, a->size);
}

bool arena_failed(const struct arena *a)
{
        return a->failed;
}

size_t arena_used(const struct arena *a)
{
        return a->used;
}

/* It is no failure if that cannot be had: pages come one by one then. */
static void pages_ask(struct arena *a)
{
        size_t from = a->used & ~(AHEAD - 1);

        if (a->used < AHEAD_FROM || a->used < a->here || from + AHEAD > a->size)
                return;
#ifdef MADV_POPULATE_WRITE
        madvise((char *)a + from, AHEAD, MADV_POPULATE_WRITE);
#endif
        a->here = from + AHEAD;
}

void *arena_alloc(struct arena *a, size_t size)
{
        size_t left = a->size - a->used;

        /* An empty allocation gets an address of its own, so that NULL means failure only. */
        if (size == 0)
                size = 1;
        /* left is a multiple of the alignment, so that rounding up cannot pass it. */
        if (a->failed || size > left) {
                a->failed = true;
                return NULL;
        }

        void *p = (char *)a + a->used;
        a->used += align_up(size);
        if (size < AHEAD)
                pages_ask(a);
        return p;
}

void *arena_dup(struct arena *a, const void *bytes, size_t len)
{
        void *p = arena_alloc(a, len);
        if (p && len > 0)
                memcpy(p, bytes, len);
        return p;
}

char *arena_str(struct arena *a, const char *s)
{
        return s ? arena_strn(a, s, strlen(s)) : NULL;
}

char *arena_strn(struct arena *a, const char *s, size_t len)
{
        if (!s)
                return NULL;
        if (len == SIZE_MAX) {
                a->failed = true;
                return NULL;
        }

        char *p = arena_alloc(a, len + 1);
        if (p && len > 0)
                memcpy(p, s, len);
        return p;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        char *p = arena_vprintf(a, format, ap);
        va_end(ap);
        return p;
}

char *arena_vprintf(struct arena *a, const char *format, va_list ap)
{
        /* Formatted where it will be kept; what does not fit fails, and then nobody follows. */
        char *p = (char *)a + a->used;
        size_t left = a->size - a->used;
        int len = a->failed ? -1 : vsnprintf(p, left < INT_MAX ? left : INT_MAX, format, ap);

        if (len < 0) {
                a->failed = true;
                return NULL;
        }
        return arena_alloc(a, (size_t)len + 1);
}
