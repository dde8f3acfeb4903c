/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each page has one place where it can be: no search, no list, and a bound. A page is copied by one
 * call, so that what is in it is of one moment, as far as memory has such.
 */
#include "resolve/pagecache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/procio.h"
#include "base/procmem.h"

#define PAGE 4096U
#define PLACES 64U

struct pagecache {
        uint64_t number[PLACES]; /* of the page; 0, which nobody has: none */
        unsigned char bytes[PLACES][PAGE];
};

struct pagecache *pagecache_new(void)
{
        return calloc(1, sizeof(struct pagecache));
}

void pagecache_free(struct pagecache *c)
{
        free(c);
}

void pagecache_clear(struct pagecache *c)
{
        if (c)
                memset(c->number, 0, sizeof(c->number));
}

static ssize_t page_find(struct pagecache *c, struct procio *io, int process_dir, pid_t pid,
        uint64_t number, const unsigned char **ret_bytes)
{
        size_t place = number % PLACES;
        ssize_t n;

        if (c->number[place] != number) {
                c->number[place] = 0;
                n = procio_memory(io, process_dir, pid, number * PAGE, c->bytes[place], PAGE);
                if (n < 0)
                        return n;
                if (n != PAGE)
                        return -EFAULT;
                c->number[place] = number;
        }
        *ret_bytes = c->bytes[place];
        return PAGE;
}

ssize_t pagecache_read(struct pagecache *c, struct procio *io, int process_dir, pid_t pid,
        uint64_t address, void *buffer, size_t len)
{
        size_t done = 0;

        if (!c || !procio_live(io) || address < PAGE || address > UINT64_MAX - len)
                return procio_memory(io, process_dir, pid, address, buffer, len);
        while (done < len) {
                uint64_t at = address + done;
                size_t offset = at % PAGE, n = PAGE - offset;
                const unsigned char *bytes;
                ssize_t r = page_find(c, io, process_dir, pid, at / PAGE, &bytes);

                if (r < 0)
                        return done ? (ssize_t)done : r;
                if (n > len - done)
                        n = len - done;
                memcpy((unsigned char *)buffer + done, bytes + offset, n);
                done += n;
        }
        return (ssize_t)done;
}
