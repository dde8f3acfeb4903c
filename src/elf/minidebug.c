/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stream does not tell its size in a way that may be believed: the output grows as needed. */
#include "elf/minidebug.h"

#include <errno.h>
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST (1U << 20)
#define DECODER_MAX (64U << 20) /* the dictionary of xz -9 */

static int minidebug_grow(uint8_t **memory, size_t *size)
{
        size_t more = *size ? *size * 2 : FIRST;
        uint8_t *p;

        if (*size >= MINIDEBUG_MAX)
                return -E2BIG;
        p = realloc(*memory, more);
        if (!p)
                return -ENOMEM;
        *memory = p;
        *size = more;
        return 0;
}

int minidebug_read(const Elf_Data *data, void **ret_memory, size_t *ret_size)
{
        lzma_stream stream = LZMA_STREAM_INIT;
        uint8_t *memory = NULL;
        lzma_ret status = LZMA_OK;
        size_t size = 0;
        int r = 0;

        if (!data || !data->d_buf ||
                lzma_stream_decoder(&stream, DECODER_MAX + FIRST, 0) != LZMA_OK)
                return -ENOEXEC;
        stream.next_in = data->d_buf;
        stream.avail_in = data->d_size;
        while (r == 0 && status == LZMA_OK) {
                if (stream.avail_out == 0) {
                        r = minidebug_grow(&memory, &size);
                        if (r < 0)
                                break;
                        stream.next_out = memory + stream.total_out;
                        stream.avail_out = size - stream.total_out;
                }
                status = lzma_code(&stream, LZMA_FINISH);
        }
        if (r == 0 && status != LZMA_STREAM_END)
                r = -ENOEXEC;
        *ret_size = stream.total_out;
        lzma_end(&stream);
        if (r < 0)
                free(memory);
        else
                *ret_memory = memory;
        return r;
}
