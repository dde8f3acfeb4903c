/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmap(2) aligns to large pages by itself since Linux 6.7 only: what it gives is cut to fit. */
#include "base/large.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_FROM ((size_t)512 << 10) /* as many small pages cost more than a large one */
#define LARGE_PAGE ((size_t)2 << 20)

static size_t round_up(size_t size)
{
        return (size + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
}

void *large_new(size_t size)
{
        const size_t whole = round_up(size);
        char *region;
        size_t before;

        if (size < LARGE_FROM)
                return calloc(1, size ? size : 1);
        if (whole < size || whole + LARGE_PAGE < whole)
                return NULL;
        region = mmap(NULL, whole + LARGE_PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (region == MAP_FAILED)
                return NULL;
        before = -(uintptr_t)region & (LARGE_PAGE - 1);
        if (before)
                munmap(region, before);
        munmap(region + before + whole, LARGE_PAGE - before);
        madvise(region + before, whole, MADV_HUGEPAGE); /* or small ones, if it must be */
        return region + before;
}

void large_free(void *p, size_t size)
{
        if (!p)
                return;
        if (size < LARGE_FROM)
                free(p);
        else
                munmap(p, round_up(size));
}
