/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/elfcheck.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "elf/wire.h"

void elfcheck_facts(struct elf_facts *f)
{
        if (f->n_build_id > ELF_BUILD_ID_MAX)
                f->n_build_id = 0;
        if (f->n_alt_id > ELF_BUILD_ID_MAX)
                f->n_alt_id = 0;
        if (f->n_segments > ELF_SEGMENTS_MAX)
                f->n_segments = ELF_SEGMENTS_MAX;
        f->link[ELF_LINK_MAX - 1] = 0;
        f->alt[ELF_LINK_MAX - 1] = 0;
}

static bool bytes_inside(const struct cfi_row *row, const struct cfi_rule *rule)
{
        return rule->offset >= 0 && (uint32_t)rule->offset + rule->length <= row->n_bytes;
}

static bool rule_ok(const struct cfi_row *row, const struct cfi_rule *rule)
{
        if (rule->reg >= CFI_RULES_MAX)
                return false;
        switch (rule->how) {
        case CFI_SAME:
        case CFI_AT_CFA:
        case CFI_CFA:
                return true;
        case CFI_REGISTER:
                return rule->offset >= 0 && rule->offset < CFI_RULES_MAX;
        case CFI_AT_EXPRESSION:
        case CFI_EXPRESSION:
                return bytes_inside(row, rule);
        default:
                return false;
        }
}

static bool row_ok(const struct cfi_row *row, uint64_t address)
{
        const struct cfi_rule *cfa = &row->cfa;

        if (row->start > address || row->end <= address || row->status > CFI_BAD)
                return false;
        if (row->status != CFI_ROW)
                return true;
        if (row->ra >= CFI_RULES_MAX || row->n_rules > CFI_RULES_MAX ||
                row->n_bytes > CFI_BYTES_MAX || cfa->reg >= CFI_RULES_MAX)
                return false;
        if (cfa->how == CFI_EXPRESSION ? !bytes_inside(row, cfa) : cfa->how != CFI_REGISTER_OFFSET)
                return false;
        for (unsigned i = 0; i < row->n_rules; i++)
                if (!rule_ok(row, &row->rules[i]) ||
                        (i && row->rules[i].reg <= row->rules[i - 1].reg))
                        return false;
        return true;
}

void elfcheck_row(struct cfi_row *row, uint64_t address)
{
        if (!row_ok(row, address))
                *row = (struct cfi_row){ .start = address, .end = address + 1, .status = CFI_BAD };
}

struct packed {
        struct wire_names header;
        const struct wire_name *names;
        const struct wire_inlined *inlined;
        const char *strings;
};

static bool packed_open(const void *bytes, size_t size, size_t n, struct packed *ret)
{
        uint64_t wanted = sizeof(ret->header);

        if (size < wanted)
                return false;
        memcpy(&ret->header, bytes, sizeof(ret->header));
        wanted += (uint64_t)ret->header.n * sizeof(*ret->names) +
                  (uint64_t)ret->header.n_inlined * sizeof(*ret->inlined) + ret->header.n_bytes;
        if (ret->header.n != n || wanted != size)
                return false;
        ret->names = (const void *)((const char *)bytes + sizeof(ret->header));
        ret->inlined = (const void *)(ret->names + n);
        ret->strings = (const char *)(ret->inlined + ret->header.n_inlined);
        return ret->header.n_bytes == 0 || ret->strings[ret->header.n_bytes - 1] == 0;
}

static const char *string_at(const struct packed *p, const char *strings, uint32_t at)
{
        return at < p->header.n_bytes && strings[at] ? strings + at : NULL;
}

int elfcheck_names(
        const void *bytes, size_t size, size_t n, struct arena *arena, struct elf_name *ret_names)
{
        struct elf_inlined *inlined;
        struct packed p;
        char *strings;

        if (!packed_open(bytes, size, n, &p))
                return -EPROTO;
        strings = arena_dup(arena, p.strings, p.header.n_bytes);
        inlined = arena_new_array(arena, struct elf_inlined, p.header.n_inlined);
        if ((p.header.n_bytes && !strings) || (p.header.n_inlined && !inlined))
                return -ENOMEM;
        for (size_t i = 0; i < p.header.n_inlined; i++)
                inlined[i] = (struct elf_inlined){ string_at(&p, strings, p.inlined[i].function),
                        string_at(&p, strings, p.inlined[i].file), p.inlined[i].line };
        for (size_t i = 0; i < n; i++) {
                const struct wire_name *w = &p.names[i];
                bool inside = w->inlined <= p.header.n_inlined &&
                              w->n_inlined <= p.header.n_inlined - w->inlined &&
                              w->n_inlined <= ELF_INLINED_MAX;

                ret_names[i] = (struct elf_name){
                        .function = string_at(&p, strings, w->function),
                        .symbol = string_at(&p, strings, w->symbol),
                        .exported = string_at(&p, strings, w->exported),
                        .file = string_at(&p, strings, w->file),
                        .offset = w->offset,
                        .size = w->size,
                        .line = w->line,
                        .inlined = inside && w->n_inlined ? inlined + w->inlined : NULL,
                        .n_inlined = inside ? w->n_inlined : 0,
                };
        }
        return 0;
}
