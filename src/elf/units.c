/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .debug_aranges lists the units' addresses. Not all compilers write it (clang does not), so
 * an address that it does not have is looked up in the ranges of all units, which are read
 * once: their first DIE each, not what is below.
 *
 * Of a unit that is asked about, the addresses of its functions are read once: its own children
 * and those of name spaces and classes; what is in a function is jumped over.
 */
#include "elf/units.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "elf/module.h"

#define SPANS_MAX (8U << 20)
#define DEPTH_MAX 64 /* of name spaces in each other */

struct span {
        uint64_t start, end;
        Dwarf_Off die;
};

struct spans {
        struct span *list;
        size_t n, max;
};

struct unit {
        Dwarf_Off die;
        struct spans functions;
        struct unit *next;
};

struct cuset {
        struct spans units; /* of those with ranges in their DIE */
        bool units_read;
        struct unit *known; /* whose functions have been read */
};

struct cuset *cuset_new(void)
{
        return calloc(1, sizeof(struct cuset));
}

void cuset_free(struct cuset *c)
{
        if (!c)
                return;
        while (c->known) {
                struct unit *u = c->known;

                c->known = u->next;
                free(u->functions.list);
                free(u);
        }
        free(c->units.list);
        free(c);
}

static bool spans_push(struct spans *s, uint64_t start, uint64_t end, Dwarf_Off die)
{
        if (start >= end || start == 0) /* 0: what the linker has dropped */
                return true;
        if (s->n == s->max) {
                size_t max = s->max ? s->max * 2 : 256;
                struct span *p = max > SPANS_MAX ? NULL : realloc(s->list, max * sizeof(*p));

                if (!p)
                        return false;
                s->list = p;
                s->max = max;
        }
        s->list[s->n++] = (struct span){ start, end, die };
        return true;
}

static int span_compare(const void *a, const void *b)
{
        const struct span *x = a, *y = b;

        if (x->start != y->start)
                return x->start < y->start ? -1 : 1;
        return x->end > y->end ? -1 : x->end < y->end;
}

/* The span that begins nearest before the address and covers it. */
static const struct span *spans_find(const struct spans *s, uint64_t address)
{
        size_t low = 0, high = s->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->list[middle].start <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        /* Spans of good DWARF do not overlap; identical code may have been folded. */
        for (size_t back = 0; low > 0 && back < 16; low--, back++)
                if (s->list[low - 1].end > address)
                        return &s->list[low - 1];
        return NULL;
}

/* All ranges of a DIE. False: enough of it. */
static bool spans_push_die(struct module *m, struct spans *s, Dwarf_Die *die)
{
        Dwarf_Addr base, start, end;
        ptrdiff_t position = 0;

        while ((position = dwarf_ranges(die, position, &base, &start, &end)) > 0)
                if (!spans_push(s, start, end, dwarf_dieoffset(die)) || module_late(m))
                        return false;
        return true;
}

static void units_read(struct module *m, Dwarf *dwarf, struct cuset *c)
{
        Dwarf_CU *cu = NULL;
        Dwarf_Die die;
        uint8_t type;

        /* No split unit is asked for (the last argument): libdw would open its file. */
        while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL) == 0) {
                if (type != DW_UT_compile && type != DW_UT_skeleton && type != DW_UT_partial)
                        continue;
                if (!spans_push_die(m, &c->units, &die))
                        break;
        }
        if (c->units.n)
                qsort(c->units.list, c->units.n, sizeof(struct span), span_compare);
        c->units_read = !module_late(m);
}

static struct cuset *module_units(struct module *m)
{
        if (!m->units)
                m->units = cuset_new();
        return m->units;
}

int unit_find(struct module *m, uint64_t address, Dwarf_Die *ret_unit)
{
        Dwarf *dwarf = module_dwarf(m);
        struct cuset *c = module_units(m);
        const struct span *span;

        if (!dwarf || !c || module_late(m))
                return 0;
        if (dwarf_addrdie(dwarf, address, ret_unit))
                return 1;
        if (!c->units_read) {
                c->units.n = 0;
                units_read(m, dwarf, c);
        }
        span = spans_find(&c->units, address);
        return span && dwarf_offdie(dwarf, span->die, ret_unit) ? 1 : 0;
}

static bool functions_read(struct module *m, struct spans *s, Dwarf_Die *parent, unsigned depth)
{
        Dwarf_Die die;

        if (depth == DEPTH_MAX || dwarf_child(parent, &die) != 0)
                return true;
        do {
                switch (dwarf_tag(&die)) {
                case DW_TAG_subprogram:
                        if (!spans_push_die(m, s, &die))
                                return false;
                        break;
                case DW_TAG_namespace:
                case DW_TAG_module:
                case DW_TAG_class_type:
                case DW_TAG_structure_type:
                case DW_TAG_union_type:
                case DW_TAG_enumeration_type:
                        if (!functions_read(m, s, &die, depth + 1))
                                return false;
                        break;
                default:
                        break;
                }
                if (module_late(m))
                        return false;
        } while (dwarf_siblingof(&die, &die) == 0);
        return true;
}

static struct unit *unit_get(struct module *m, const Dwarf_Die *die)
{
        struct cuset *c = module_units(m);
        Dwarf_Die parent = *die;
        struct unit *u;

        if (!c)
                return NULL;
        for (u = c->known; u; u = u->next)
                if (u->die == dwarf_dieoffset(&parent))
                        return u;
        u = calloc(1, sizeof(*u));
        if (!u)
                return NULL;
        u->die = dwarf_dieoffset(&parent);
        functions_read(m, &u->functions, &parent, 0);
        if (u->functions.n)
                qsort(u->functions.list, u->functions.n, sizeof(struct span), span_compare);
        u->next = c->known;
        c->known = u;
        return u;
}

int function_find(
        struct module *m, const Dwarf_Die *unit, uint64_t address, Dwarf_Die *ret_function)
{
        struct unit *u = unit_get(m, unit);
        const struct span *span = u ? spans_find(&u->functions, address) : NULL;
        Dwarf *dwarf = module_dwarf(m);

        return span && dwarf && dwarf_offdie(dwarf, span->die, ret_function) ? 1 : 0;
}
