/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of one file: facts, rows, names. See modules.h. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/modules.h"
#include "unwind/module-parts.h"

void module_free(struct module *m)
{
        struct name *name, *next;

        HASH_ITER(hh, m->names, name, next)
        {
                HASH_DEL(m->names, name);
                free(name);
        }
        for (size_t i = 0; i < m->n_rows; i++)
                free(m->rows[i]);
        free(m->rows);
        free(m->wanted.list);
        free(m->unnamed.list);
        free(m->facts);
        free(m);
}

static int address_add(struct addresses *a, uint64_t address)
{
        if (a->n == a->size) {
                size_t size = a->size ? a->size * 2 : 16;
                uint64_t *more = reallocarray(a->list, size, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                a->list = more;
                a->size = size;
        }
        a->list[a->n++] = address;
        return 0;
}

void module_fail(struct module *module, int error, const char *why)
{
        module->error = error;
        module->why = why;
}

/* Facts */

const char *module_why(const struct module *m)
{
        return m->error ? m->why : NULL;
}

bool module_is_elf(const struct module *m)
{
        return m->error != -ENOEXEC;
}

uint16_t module_machine(const struct module *m)
{
        return m->facts && !m->error ? m->facts->machine : 0;
}

const char *module_build_id(const struct module *m)
{
        return m->build_id;
}

unsigned module_id(const struct module *m)
{
        return m->id;
}

bool module_address(const struct module *m, uint64_t offset, uint64_t *ret_address)
{
        const struct elf_facts *f = m->facts;

        for (uint32_t i = 0; f && i < f->n_segments && i < ELF_SEGMENTS_MAX; i++) {
                const struct elf_segment *s = &f->segments[i];

                /* Pages are mapped whole: what is asked about is code, and in the file. */
                if (!(s->flags & PF_X) || offset < s->offset || offset - s->offset >= s->file_size)
                        continue;
                *ret_address = s->address + (offset - s->offset);
                return true;
        }
        return false;
}

/* Rows */

const struct cfi_row *module_row(struct module *m, uint64_t address)
{
        size_t low = 0, high = m->n_rows;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct cfi_row *row = m->rows[middle];

                if (address < row->start)
                        high = middle;
                else if (address >= row->end)
                        low = middle + 1;
                else
                        return row;
        }
        address_add(&m->wanted, address);
        return NULL;
}

/* Put a row where it belongs; it holds for its address at least, and for no other row's. */
static int row_add(struct module *m, uint64_t address, const struct cfi_row *from)
{
        struct cfi_row *row;
        size_t at = 0;

        while (at < m->n_rows && m->rows[at]->end <= address)
                at++;
        if (at < m->n_rows && m->rows[at]->start <= address)
                return 0; /* asked for twice */
        if (m->n_rows == m->rows_size) {
                size_t size = m->rows_size ? m->rows_size * 2 : 16;
                struct cfi_row **more = reallocarray(m->rows, size, sizeof(struct cfi_row *));

                if (!more)
                        return -ENOMEM;
                m->rows = more;
                m->rows_size = size;
        }
        row = malloc(sizeof(*row));
        if (!row)
                return -ENOMEM;
        *row = *from;
        if (row->status != CFI_ROW || row->start > address || row->end <= address) {
                row->start = address;
                row->end = address + 1;
        }
        if (at && row->start < m->rows[at - 1]->end)
                row->start = m->rows[at - 1]->end;
        if (at < m->n_rows && row->end > m->rows[at]->start)
                row->end = m->rows[at]->start;
        memmove(&m->rows[at + 1], &m->rows[at], (m->n_rows - at) * sizeof(*m->rows));
        m->rows[at] = row;
        m->n_rows++;
        return 0;
}

static int compare_addresses(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static void addresses_sort(struct addresses *a)
{
        size_t n = 0;

        qsort(a->list, a->n, sizeof(*a->list), compare_addresses);
        for (size_t i = 0; i < a->n; i++)
                if (!n || a->list[n - 1] != a->list[i])
                        a->list[n++] = a->list[i];
        a->n = n;
}

int module_fetch_rows(struct module *module, struct elfserver *server, struct cfi_row *rows)
{
        struct addresses *a = &module->wanted;
        int r = 0;

        addresses_sort(a);
        for (size_t done = 0; done < a->n && r == 0; done += MODULE_BATCH) {
                size_t n = a->n - done < MODULE_BATCH ? a->n - done : MODULE_BATCH;

                r = elfserver_rows(server, module->id, a->list + done, n, rows);
                for (size_t i = 0; i < n && r == 0; i++)
                        r = row_add(module, a->list[done + i], &rows[i]);
        }
        a->n = 0;
        return r;
}

/* Names */

const struct elf_name *module_name(struct module *m, uint64_t address)
{
        static const struct elf_name unknown = { 0 };
        struct name *name = NULL;

        HASH_FIND(hh, m->names, &address, sizeof(address), name);
        if (name)
                return &name->name;
        if (m->error)
                return &unknown;
        address_add(&m->unnamed, address);
        return NULL;
}

static int name_add(struct module *m, uint64_t address, const struct elf_name *from)
{
        struct name *name = malloc(sizeof(*name));

        if (!name)
                return -ENOMEM;
        *name = (struct name){ .address = address, .name = *from };
        HASH_ADD(hh, m->names, address, sizeof(name->address), name);
        return 0;
}

int module_fetch_names(struct module *module, struct elfserver *server, struct arena *arena,
        struct elf_name *names)
{
        static const struct elf_name unknown = { 0 };
        enum elf_names what = module->without_lines ? ELF_NAMES_SYMBOLS : ELF_NAMES_LINES;
        struct addresses *a = &module->unnamed;
        int r = 0;

        addresses_sort(a);
        for (size_t done = 0; done < a->n && r == 0; done += MODULE_BATCH) {
                size_t n = a->n - done < MODULE_BATCH ? a->n - done : MODULE_BATCH;
                int error =
                        elfserver_names(server, module->id, what, a->list + done, n, arena, names);

                if (error == -ENOMEM)
                        return error;
                /* The frames were found all the same: without names then. */
                for (size_t i = 0; i < n && r == 0; i++)
                        r = name_add(module, a->list[done + i], error < 0 ? &unknown : &names[i]);
        }
        a->n = 0;
        return r;
}
