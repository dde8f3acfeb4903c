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
 * allocated, in small parts, the kernel is asked for the next pages in one go. What no worker
 * writes may be in a second mapping, which is private, and therefore of large pages.
 */
#include "base/arena.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/large.h"

#define ARENA_ALIGN ((size_t)16)
#if SIZE_MAX > UINT32_MAX
#define ARENA_MAX ((size_t)4 << 30)
#else
#define ARENA_MAX ((size_t)512 << 20)
#endif
#define ARENA_MIN ((size_t)16 << 20)
#define AHEAD_FROM ((size_t)128 << 10) /* a snapshot of a process or two is smaller */
#define AHEAD ((size_t)256 << 10)

#define SHARED_TEXTS 64U
#define SHARED_LEN 1024U /* of one that is formatted; longer ones are not shared */

#define OWN_MAX ((size_t)1 << 30)

struct zone {
        size_t size; /* of the region */
        size_t used; /* the fill mark, from the region's start */
        size_t here; /* so far pages were asked for */
};

struct arena {
        struct zone shared; /* this header included */
        struct zone own;
        char *own_base; /* NULL: not asked for so far */
        bool failed;
        const char *shared_texts[SHARED_TEXTS]; /* that were given lately, by hash; NULL: none */
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
                a->shared.size = size;
                a->shared.used = align_up(sizeof(*a));
                return a;
        }
        return NULL;
}

void arena_free(struct arena *a)
{
        if (!a)
                return;
        large_free(a->own_base, OWN_MAX);
        munmap(a, a->shared.size);
}

bool arena_failed(const struct arena *a)
{
        return a->failed;
}

size_t arena_used(const struct arena *a)
{
        return a->shared.used;
}

/* It is no failure if that cannot be had: pages come one by one then. */
static void pages_ask(char *base, struct zone *z)
{
        size_t from = z->used & ~(AHEAD - 1);

        if (z->used < AHEAD_FROM || z->used < z->here || from + AHEAD > z->size)
                return;
#ifdef MADV_POPULATE_WRITE
        madvise(base + from, AHEAD, MADV_POPULATE_WRITE);
#endif
        z->here = from + AHEAD;
}

/* NULL: it does not fit. */
static void *zone_alloc(char *base, struct zone *z, size_t size)
{
        void *p = base + z->used;

        /* An empty allocation gets an address of its own, so that NULL means failure only. */
        if (size == 0)
                size = 1;
        /* What is left is a multiple of the alignment, so that rounding up cannot pass it. */
        if (size > z->size - z->used)
                return NULL;
        z->used += align_up(size);
        if (size < AHEAD)
                pages_ask(base, z);
        return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
        void *p = a->failed ? NULL : zone_alloc((char *)a, &a->shared, size);

        if (!p)
                a->failed = true;
        return p;
}

static void own_make(struct arena *a)
{
        a->own_base = large_new(OWN_MAX);
        a->own.size = a->own_base ? OWN_MAX : 0;
}

void *arena_alloc_own(struct arena *a, size_t size)
{
        void *p = NULL;

        if (!a->own_base)
                own_make(a);
        if (a->own_base && !a->failed)
                p = zone_alloc(a->own_base, &a->own, size);
        return p ? p : arena_alloc(a, size);
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

/* Where a text may be found, if it was given lately. */
static const char **share_slot(struct arena *a, const char *s, size_t *ret_len)
{
        uint32_t hash = 2166136261U; /* FNV-1a */
        size_t len = 0;

        for (; s[len]; len++)
                hash = (hash ^ (unsigned char)s[len]) * 16777619U;
        *ret_len = len;
        return &a->shared_texts[(hash ^ hash >> 16) % SHARED_TEXTS];
}

const char *arena_share(struct arena *a, const char *s)
{
        const char **slot;
        size_t len;

        if (!s)
                return NULL;
        slot = share_slot(a, s, &len);
        if (!*slot || strcmp(*slot, s) != 0)
                *slot = arena_strn(a, s, len);
        return *slot;
}

const char *arena_share_printf(struct arena *a, const char *format, ...)
{
        char text[SHARED_LEN];
        va_list ap;
        int len;

        va_start(ap, format);
        len = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (len >= 0 && (size_t)len < sizeof(text))
                return arena_share(a, text);
        va_start(ap, format);
        char *p = arena_vprintf(a, format, ap);
        va_end(ap);
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
        char *p = (char *)a + a->shared.used;
        size_t left = a->shared.size - a->shared.used;
        int len = a->failed ? -1 : vsnprintf(p, left < INT_MAX ? left : INT_MAX, format, ap);

        if (len < 0) {
                a->failed = true;
                return NULL;
        }
        return arena_alloc(a, (size_t)len + 1);
}
