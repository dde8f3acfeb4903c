/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The function's name comes from the symbol tables, which have the names that everybody else
 * shows, and from DWARF only where no symbol covers the address. File, line and what was inlined
 * come from DWARF.
 */
#include "elf/names.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/demangle.h"
#include "elf/module.h"
#include "elf/symbols.h"
#include "elf/symtab.h"
#include "elf/text.h"
#include "elf/units.h"

#define CHILDREN_MAX 100000 /* of one function, looked through for inlined ones */

struct names {
        struct module *m;
        struct text text;
        struct wire_name *list;
        struct wire_inlined *inlined;
        size_t n_inlined, max_inlined;
};

static uint32_t add_string(struct names *n, const char *s)
{
        return text_add(&n->text, s, SIZE_MAX);
}

/* As people write it. */
static uint32_t add_function(struct names *n, const char *symbol)
{
        _cleanup_free_ char *name = symbol ? name_demangle(symbol) : NULL;

        return add_string(n, name ? name : symbol);
}

static void name_symbols(struct names *n, uint64_t address, struct wire_name *name)
{
        const struct symtab *symbols = module_symbols(n->m), *exported = module_exported(n->m);
        struct symbol s;

        if (symbols && symtab_find(symbols, address, false, &s)) {
                char plain[TEXT_STRING_MAX + 1];
                size_t length = strcspn(s.name, "@"); /* "write@@GLIBC_2.2.5" */

                if (length == 0 || length > TEXT_STRING_MAX)
                        length = strnlen(s.name, TEXT_STRING_MAX);
                memcpy(plain, s.name, length);
                plain[length] = 0;
                name->symbol = add_string(n, plain);
                name->function = add_function(n, plain);
                name->offset = address - s.address;
                name->size = s.size;
        }
        if (exported && symtab_find(exported, address, true, &s) && s.size)
                name->exported = add_string(n, s.name);
}

/* Of a function's DIE, or of what it is an instance of. */
static const char *die_symbol(Dwarf_Die *die)
{
        Dwarf_Attribute attribute;
        const char *s = NULL;

        if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
                dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
                s = dwarf_formstring(&attribute);
        if (!s && dwarf_attr_integrate(die, DW_AT_name, &attribute))
                s = dwarf_formstring(&attribute);
        return s;
}

static bool inlined_push(struct names *n, const struct wire_inlined *inlined)
{
        if (n->n_inlined == n->max_inlined) {
                size_t max = n->max_inlined ? n->max_inlined * 2 : 64;
                struct wire_inlined *p = realloc(n->inlined, max * sizeof(*p));

                if (!p)
                        return false;
                n->inlined = p;
                n->max_inlined = max;
        }
        n->inlined[n->n_inlined++] = *inlined;
        return true;
}

/*
 * The child that covers the address: an inlined function or a block. A block without addresses of
 * its own is not looked into: what is in it has been left out.
 */
static bool child_find(struct module *m, Dwarf_Die *parent, uint64_t address, Dwarf_Die *ret_child)
{
        unsigned seen = 0;

        if (dwarf_child(parent, ret_child) != 0)
                return false;
        do {
                switch (dwarf_tag(ret_child)) {
                case DW_TAG_inlined_subroutine:
                case DW_TAG_lexical_block:
                case DW_TAG_try_block:
                case DW_TAG_catch_block:
                case DW_TAG_with_stmt:
                        if (dwarf_haspc(ret_child, address) == 1)
                                return true;
                        break;
                default:
                        break;
                }
                if (++seen > CHILDREN_MAX || (seen % 256 == 0 && module_late(m)))
                        return false;
        } while (dwarf_siblingof(ret_child, ret_child) == 0);
        return false;
}

struct place {
        const char *file;
        int line;
};

/* Where the inlined function was called, from the one around it. */
static struct place die_call(Dwarf_Die *die, Dwarf_Files *files)
{
        struct place p = { NULL, 0 };
        Dwarf_Attribute attribute;
        Dwarf_Word value;

        if (files && dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &value) == 0)
                p.file = dwarf_filesrc(files, value, NULL, NULL);
        if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &value) == 0 &&
                value <= INT32_MAX)
                p.line = (int)value;
        return p;
}

/*
 * Inlined functions from the outermost to the innermost. chain[0] is in the function itself;
 * each one's call is the place of the one around it.
 */
static size_t chain_find(
        struct module *m, Dwarf_Die *function, uint64_t address, Dwarf_Die chain[ELF_INLINED_MAX])
{
        Dwarf_Die die = *function, child;
        size_t n = 0;

        for (unsigned depth = 0; depth < 4 * ELF_INLINED_MAX; depth++) {
                if (!child_find(m, &die, address, &child))
                        break;
                if (dwarf_tag(&child) == DW_TAG_inlined_subroutine) {
                        if (n == ELF_INLINED_MAX)
                                break;
                        chain[n++] = child;
                }
                die = child;
        }
        return n;
}

static struct place unit_place(Dwarf_Die *unit, uint64_t address)
{
        struct place p = { NULL, 0 };
        Dwarf_Line *line = dwarf_getsrc_die(unit, address);

        if (line) {
                p.file = dwarf_linesrc(line, NULL, NULL);
                dwarf_lineno(line, &p.line);
        }
        return p;
}

static void name_inlined(struct names *n, Dwarf_Die *unit, Dwarf_Die *function, uint64_t address,
        struct place *place, struct wire_name *name)
{
        Dwarf_Die chain[ELF_INLINED_MAX];
        size_t count = chain_find(n->m, function, address, chain);
        Dwarf_Files *files = NULL;
        size_t n_files;

        if (count && dwarf_getsrcfiles(unit, &files, &n_files) != 0)
                files = NULL;
        name->inlined = (uint32_t)n->n_inlined;
        for (size_t i = count; i > 0; i--) {
                const struct wire_inlined inlined = {
                        .function = add_function(n, die_symbol(&chain[i - 1])),
                        .file = add_string(n, place->file),
                        .line = place->line > 0 ? (uint32_t)place->line : 0,
                };

                if (!inlined_push(n, &inlined))
                        break;
                name->n_inlined++;
                *place = die_call(&chain[i - 1], files);
        }
}

static void name_lines(struct names *n, uint64_t address, struct wire_name *name)
{
        Dwarf_Die unit, function;
        struct place place;

        if (!unit_find(n->m, address, &unit))
                return;
        place = unit_place(&unit, address);
        if (function_find(n->m, &unit, address, &function)) {
                name_inlined(n, &unit, &function, address, &place, name);
                if (name->function == WIRE_NONE) {
                        Dwarf_Addr low;
                        const char *symbol = die_symbol(&function);

                        name->symbol = add_string(n, symbol);
                        name->function = add_function(n, symbol);
                        if (dwarf_entrypc(&function, &low) == 0 && low <= address)
                                name->offset = address - low;
                }
        }
        name->file = add_string(n, place.file);
        name->line = place.file && place.line > 0 ? (uint32_t)place.line : 0;
}

static int names_pack(const struct names *n, size_t count, struct answer *ret_answer)
{
        const struct wire_names header = { (uint32_t)count, (uint32_t)n->n_inlined,
                (uint32_t)n->text.n, 0 };
        size_t list = count * sizeof(*n->list), inlined = n->n_inlined * sizeof(*n->inlined);
        size_t size = sizeof(header) + list + inlined + n->text.n;
        char *p;

        if (n->text.failed || size > WIRE_ANSWER_MAX)
                return -E2BIG;
        p = malloc(size);
        if (!p)
                return -ENOMEM;
        *ret_answer = (struct answer){ p, size };
        p = mempcpy(p, &header, sizeof(header));
        p = mempcpy(p, n->list, list);
        if (inlined)
                p = mempcpy(p, n->inlined, inlined);
        if (n->text.n)
                memcpy(p, n->text.bytes, n->text.n);
        return 0;
}

int names_answer(struct module *m, enum elf_names what, const uint64_t *addresses, size_t n,
        struct answer *ret_answer)
{
        struct names names = { .m = m, .list = calloc(n ? n : 1, sizeof(struct wire_name)) };
        int r = names.list ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && r == 0; i++) {
                struct wire_name *name = &names.list[i];

                *name = (struct wire_name){ .function = WIRE_NONE,
                        .symbol = WIRE_NONE,
                        .exported = WIRE_NONE,
                        .file = WIRE_NONE };
                name_symbols(&names, addresses[i], name);
                if (what == ELF_NAMES_LINES)
                        name_lines(&names, addresses[i], name);
        }
        if (r == 0)
                r = names_pack(&names, n, ret_answer);
        free(names.list);
        free(names.inlined);
        text_done(&names.text);
        return r;
}
