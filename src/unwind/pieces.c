/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process_vm_readv(2) stops at the first byte that cannot be read, and says only how many bytes
 * came: a piece that was cut short ends there, and the rest is asked for again from the next one.
 */
#include "unwind/pieces.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/large.h"
#include "base/worker.h"
#include "unwind/memory.h"

#define BATCH_MAX ((size_t)4 << 20) /* what is larger is given back one by one */
#define PIECE_ALIGN _Alignof(max_align_t)

static size_t piece_size(const struct piece_request *r)
{
        return (sizeof(struct piece) + r->len + PIECE_ALIGN - 1) & ~(PIECE_ALIGN - 1);
}

/* Memory for all of them, from which they are taken one after the other; NULL: it is too much. */
static struct batch *batch_new(const struct piece_request *requests, size_t n)
{
        size_t size = sizeof(struct batch);
        struct batch *batch;

        for (size_t i = 0; i < n; i++)
                size += piece_size(&requests[i]);
        batch = size <= BATCH_MAX ? large_new(size) : NULL;
        if (batch)
                *batch = (struct batch){ size, n };
        return batch;
}

static int pieces_make(struct piece_request *requests, size_t n)
{
        struct batch *batch = n > 1 ? batch_new(requests, n) : NULL;
        char *next = batch ? (char *)(batch + 1) : NULL;

        for (size_t i = 0; i < n; i++) {
                struct piece *p = batch ? (struct piece *)next : malloc(piece_size(&requests[i]));

                if (!p)
                        return -ENOMEM;
                *p = (struct piece){ batch, requests[i].start, requests[i].len, 0 };
                requests[i].piece = p;
                next += batch ? piece_size(&requests[i]) : 0;
        }
        return 0;
}

/* The pieces that n_bytes fill, in order; returns how many are done, one cut short among them. */
static size_t pieces_filled(struct piece_request *requests, size_t n, size_t n_bytes)
{
        for (size_t i = 0; i < n; i++) {
                struct piece *p = requests[i].piece;

                p->len = n_bytes < p->asked ? (uint32_t)n_bytes : p->asked;
                n_bytes -= p->len;
                if (p->len < p->asked)
                        return i + 1;
        }
        return n;
}

int pieces_read(struct watch *watch, pid_t pid, pid_t tid, struct piece_request *requests, size_t n)
{
        size_t most = n < IOV_MAX ? n : IOV_MAX;
        _cleanup_free_ struct iovec *local = calloc(most ? most : 1, sizeof(*local));
        _cleanup_free_ struct iovec *remote = calloc(most ? most : 1, sizeof(*remote));

        if (!local || !remote || pieces_make(requests, n) < 0)
                return -ENOMEM;
        for (size_t done = 0; done < n;) {
                size_t m = n - done < most ? n - done : most;
                ssize_t bytes;
                int error;

                for (size_t i = 0; i < m; i++) {
                        const struct piece_request *r = &requests[done + i];

                        local[i] = (struct iovec){ r->piece->bytes, r->len };
                        remote[i] = (struct iovec){ (void *)(uintptr_t)r->start, r->len };
                }
                if (!watch_enter(watch, pid, HANG_MM))
                        return -ETIMEDOUT;
                bytes = process_vm_readv(tid, local, m, remote, m, 0);
                error = errno;
                watch_leave(watch);
                if (bytes < 0 && error != EFAULT)
                        return -error;
                done += pieces_filled(&requests[done], m, bytes < 0 ? 0 : (size_t)bytes);
        }
        return 0;
}
