/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an ELF file, through all that the ELF server does with one. Crashes here may be of
 * the libraries below (libelf, libdw, liblzma, libiberty), which the server's confinement is for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "elf/cfi.h"
#include "elf/module.h"
#include "elf/names.h"

#define PLACES 24 /* addresses asked about, of each executable segment */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void row_check(struct module *m, uint64_t address)
{
        struct cfi_row row;

        cfi_row(m, address, &row);
        require(row.status == CFI_NONE || row.status == CFI_BAD || row.status == CFI_ROW);
        if (row.status != CFI_ROW)
                return;
        require(row.start <= address && address < row.end);
        require(row.n_rules <= CFI_RULES_MAX && row.n_bytes <= CFI_BYTES_MAX);
        for (unsigned i = 0; i < row.n_rules; i++)
                require(row.rules[i].length == 0 ||
                        row.rules[i].offset + row.rules[i].length <= row.n_bytes);
}

static void names_check(struct module *m, const uint64_t *addresses, size_t n)
{
        struct wire_names header;
        struct answer a;

        if (names_answer(m, ELF_NAMES_LINES, addresses, n, &a) < 0)
                return;
        require(a.n >= sizeof(header));
        memcpy(&header, a.bytes, sizeof(header));
        require(header.n == n && a.n == sizeof(header) + n * sizeof(struct wire_name) +
                                                 header.n_inlined * sizeof(struct wire_inlined) +
                                                 header.n_bytes);
        free(a.bytes);
}

static void segment_check(struct module *m, const struct elf_segment *s)
{
        uint64_t addresses[PLACES];

        for (size_t i = 0; i < PLACES; i++) {
                addresses[i] = s->address + s->file_size / PLACES * i + i % 3;
                row_check(m, addresses[i]);
        }
        names_check(m, addresses, PLACES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *copy = malloc(size ? size : 1); /* libelf wants to write to it */
        struct module m;

        if (!copy)
                return 0;
        if (size)
                memcpy(copy, data, size);
        if (module_open_memory(&m, copy, size) == 0) {
                m.until_ns = clock_ns(CLOCK_MONOTONIC) + 500 * NS_PER_MS;
                for (unsigned i = 0; i < m.facts.n_segments; i++)
                        if (m.facts.segments[i].flags & 1)
                                segment_check(&m, &m.facts.segments[i]);
                module_close(&m);
        }
        free(copy);
        return 0;
}
