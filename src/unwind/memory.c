/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/large.h"

void piece_free(struct piece *p)
{
        struct batch *batch = p ? p->batch : NULL;

        if (!batch)
                free(p);
        else if (--batch->n_left == 0)
                large_free(batch, batch->size);
}

void memory_add(struct memory *m, struct piece *p)
{
        piece_free(m->pieces[m->next]);
        m->pieces[m->next] = p;
        m->next = (m->next + 1) % PIECES_MAX;
        if (m->n < PIECES_MAX)
                m->n++;
        m->total += p->len;
}

void memory_done(struct memory *m)
{
        for (unsigned i = 0; i < PIECES_MAX; i++)
                piece_free(m->pieces[i]);
        *m = (struct memory){ 0 };
}

int memory_read(const struct memory *m, uint64_t address, unsigned size, uint64_t *ret_value)
{
        for (unsigned i = 0; i < m->n; i++) {
                const struct piece *p = m->pieces[i];
                uint64_t at = address - p->start, value = 0;

                if (address < p->start || at >= p->asked)
                        continue;
                if (at + size <= p->len) {
                        memcpy(&value, p->bytes + at, size);
                        *ret_value = value;
                        return 0;
                }
                /* The last bytes of a piece may go on in the next one. */
                if (at >= p->len || p->len < p->asked)
                        return -EFAULT;
        }
        return -EAGAIN;
}
