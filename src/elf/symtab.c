/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which symbol is an address's name: as elfutils and the debuggers choose, so that all say the
 * same. A symbol with a size covers what is within; a global one goes before a weak one and that
 * before a local one, even if it begins earlier; then the nearest; then the shortest; of equal
 * ones the first of the table. Hand-written assembly has symbols without a size: the nearest before
 * the address in the same section, if nothing else is between.
 */
#include "elf/symtab.h"

#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "elf/dynamic.h"

#define SYMBOLS_MAX (16U << 20)
#define BACK_MAX 4096 /* symbols that cover one address, or nearly */
#define NEAR_FIRST 64 /* entries, until those that are not near are dropped for the first time */

struct entry {
        uint64_t address, end; /* equal: it has no size */
        uint64_t limit;        /* of one without: where its section ends */
        uint64_t furthest;     /* the largest end of all up to this one */
        const char *name;
        uint32_t order;
        uint8_t bind;
};

/*
 * Of an address, symtab_find() looks at those that cover it, the nearest label before it, and
 * whether anything with a size begins and ends between these two: if any does, the nearest one.
 */
struct near {
        uint64_t address, label, sized; /* where the nearest ones begin that were met */
};

struct symtab {
        struct entry *entries;
        size_t n, max;
        bool plain_first;
        uint32_t n_met;               /* symbols, kept or not */
        struct near near[SYMTAB_FEW]; /* what is kept: what is near to one of these… */
        size_t n_near;                /* …or, if there are none, all */
        uint64_t last;                /* of them, by address */
};

struct symtab *symtab_new(bool plain_first)
{
        struct symtab *t = calloc(1, sizeof(*t));

        if (t)
                t->plain_first = plain_first;
        return t;
}

void symtab_free(struct symtab *t)
{
        if (t)
                free(t->entries);
        free(t);
}

void symtab_sized(struct symtab *t)
{
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++)
                if (t->entries[i].end > t->entries[i].address)
                        t->entries[n++] = t->entries[i];
        t->n = n;
}

bool symtab_empty(const struct symtab *t)
{
        return t->n_met == 0;
}

void symtab_near(struct symtab *t, const uint64_t *addresses, size_t n)
{
        for (size_t i = 0; i < n && n <= SYMTAB_FEW; i++) {
                t->near[t->n_near++] = (struct near){ .address = addresses[i] };
                if (addresses[i] > t->last)
                        t->last = addresses[i];
        }
}

/* Is it near, as far as can be told yet? What is not will not be later. */
static bool entry_is_near(const struct symtab *t, const struct entry *e)
{
        bool sized = e->end > e->address;

        if (t->n_near && e->address > t->last)
                return false;
        for (size_t i = 0; i < t->n_near; i++) {
                const struct near *near = &t->near[i];

                if (e->address <= near->address &&
                        (e->end > near->address ||
                                e->address >= (sized ? near->sized : near->label)))
                        return true;
        }
        return t->n_near == 0;
}

static void near_update(struct symtab *t, const struct entry *e)
{
        for (size_t i = 0; i < t->n_near; i++) {
                struct near *near = &t->near[i];
                uint64_t *nearest = e->end > e->address ? &near->sized : &near->label;

                if (e->address <= near->address && e->address > *nearest)
                        *nearest = e->address;
        }
}

static void symtab_drop_far(struct symtab *t)
{
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++)
                if (entry_is_near(t, &t->entries[i]))
                        t->entries[n++] = t->entries[i];
        t->n = n;
}

static void symtab_push(struct symtab *t, const struct entry *e)
{
        const uint32_t order = t->n_met++;
        bool dropped;

        if (!entry_is_near(t, e))
                return;
        near_update(t, e);
        dropped = t->n_near && t->n == t->max;
        if (dropped)
                symtab_drop_far(t);
        /* Room for as many again, so that it is not looked through for every one. */
        if (t->n == t->max || (dropped && t->n > t->max / 2)) {
                size_t max = t->max ? t->max * 2 : t->n_near ? NEAR_FIRST : 1024;
                struct entry *p;

                if (max > SYMBOLS_MAX)
                        return;
                p = realloc(t->entries, max * sizeof(*p));
                if (!p)
                        return;
                t->entries = p;
                t->max = max;
        }
        t->entries[t->n] = *e;
        t->entries[t->n++].order = order;
}

/* Labels that arm64's toolchain puts between code and data ("$x", "$d.1"). */
static bool name_maps(const char *name)
{
        return name[0] == '$' && (name[1] == 'x' || name[1] == 'd') &&
               (name[2] == 0 || name[2] == '.');
}

struct source {
        Elf *elf;
        bool class64;
        Elf_Data *symbols;
        size_t n;
        const char *strings;
        size_t n_strings;
        bool *code; /* NULL: not known */
        size_t n_code;
};

/*
 * Of functions, and of what may be one: labels, and objects, which hand-written code is sometimes
 * called. code: which sections can be run, by number; variables are most of some tables.
 */
static bool symbol_wanted(const GElf_Sym *s, const struct source *from)
{
        switch (GELF_ST_TYPE(s->st_info)) {
        case STT_FUNC:
        case STT_NOTYPE:
        case STT_GNU_IFUNC:
        case STT_OBJECT:
                if (from->code && s->st_shndx < from->n_code && !from->code[s->st_shndx])
                        return false;
                return s->st_shndx != SHN_UNDEF &&
                       (s->st_shndx < SHN_LORESERVE || s->st_shndx == SHN_XINDEX);
        default:
                return false;
        }
}

/* Where the section that a symbol is in ends: no label covers what is behind. */
static uint64_t symbol_limit(Elf *elf, const GElf_Sym *s)
{
        GElf_Shdr header;

        if (s->st_shndx >= SHN_LORESERVE || !gelf_getshdr(elf_getscn(elf, s->st_shndx), &header))
                return s->st_value + 1;
        return header.sh_addr + header.sh_size;
}

/* As gelf_getsym(), which for the usual case takes longer than everything else here. */
static bool source_symbol(const struct source *from, size_t i, GElf_Sym *ret)
{
        if (!from->class64)
                return gelf_getsym(from->symbols, (int)i, ret);
        if (i >= from->symbols->d_size / sizeof(Elf64_Sym))
                return false;
        *ret = ((const Elf64_Sym *)from->symbols->d_buf)[i];
        return true;
}

static void symtab_add_source(struct symtab *t, struct source *from)
{
        from->class64 = gelf_getclass(from->elf) == ELFCLASS64 && from->symbols->d_buf &&
                        from->symbols->d_type == ELF_T_SYM;
        /* No string goes on behind the last NUL. */
        while (from->n_strings && from->strings[from->n_strings - 1])
                from->n_strings--;
        for (size_t i = 1; i < from->n && i < SYMBOLS_MAX; i++) {
                GElf_Sym s;
                struct entry e;

                if (!source_symbol(from, i, &s))
                        break;
                e = (struct entry){ .address = s.st_value,
                        .end = s.st_value + s.st_size,
                        .bind = GELF_ST_BIND(s.st_info) };
                if (e.end < e.address)
                        e.end = UINT64_MAX;
                /* Before anything else is read for it: nearly all of many end here. */
                if (!symtab_empty(t) && !entry_is_near(t, &e))
                        continue;
                if (!symbol_wanted(&s, from) || s.st_name >= from->n_strings)
                        continue;
                e.name = from->strings + s.st_name;
                e.limit = s.st_size ? 0 : symbol_limit(from->elf, &s);
                if (e.name[0] && !name_maps(e.name))
                        symtab_push(t, &e);
        }
}

static void symtab_add_section(
        struct symtab *t, struct source *from, Elf_Scn *scn, const GElf_Shdr *header)
{
        const Elf_Data *strings = elf_getdata(elf_getscn(from->elf, header->sh_link), NULL);

        from->symbols = elf_getdata(scn, NULL);
        if (!from->symbols || !header->sh_entsize || !strings || !strings->d_buf)
                return;
        from->n = from->symbols->d_size / header->sh_entsize;
        from->strings = strings->d_buf;
        from->n_strings = strings->d_size;
        symtab_add_source(t, from);
}

static void source_code(struct source *from)
{
        Elf_Scn *scn = NULL;

        if (elf_getshdrnum(from->elf, &from->n_code) != 0 || from->n_code > UINT16_MAX)
                return;
        from->code = calloc(from->n_code + 1, sizeof(*from->code));
        while (from->code && (scn = elf_nextscn(from->elf, scn))) {
                GElf_Shdr header;
                size_t index = elf_ndxscn(scn);

                if (index < from->n_code && gelf_getshdr(scn, &header))
                        from->code[index] = header.sh_flags & SHF_EXECINSTR;
        }
}

void symtab_add(struct symtab *t, Elf *elf, uint32_t type)
{
        struct source from = { .elf = elf };
        struct dynamic dynamic;
        Elf_Scn *scn = NULL;
        size_t n = 0;

        if (!elf)
                return;
        source_code(&from);
        while ((scn = elf_nextscn(elf, scn))) {
                GElf_Shdr header;

                n++;
                if (gelf_getshdr(scn, &header) && header.sh_type == type)
                        symtab_add_section(t, &from, scn, &header);
        }
        free(from.code);
        if (n == 0 && type == SHT_DYNSYM && dynamic_read(elf, &dynamic)) {
                from = (struct source){ .elf = elf,
                        .symbols = dynamic.symbols,
                        .n = dynamic.n,
                        .strings = dynamic.strings,
                        .n_strings = dynamic.n_strings };
                symtab_add_source(t, &from);
        }
}

static int entry_compare(const void *a, const void *b)
{
        const struct entry *x = a, *y = b;

        if (x->address != y->address)
                return x->address < y->address ? -1 : 1;
        return x->order < y->order ? -1 : x->order > y->order;
}

void symtab_sort(struct symtab *t)
{
        uint64_t furthest = 0;

        if (t->n_near)
                symtab_drop_far(t);
        if (t->n)
                qsort(t->entries, t->n, sizeof(*t->entries), entry_compare);
        for (size_t i = 0; i < t->n; i++) {
                if (t->entries[i].end > furthest)
                        furthest = t->entries[i].end;
                t->entries[i].furthest = furthest;
        }
}

static unsigned bind_value(const struct entry *e)
{
        return e->bind == STB_GLOBAL ? 3 : e->bind == STB_WEAK ? 2 : e->bind == STB_LOCAL ? 1 : 0;
}

static size_t underscores(const struct entry *e)
{
        return strspn(e->name, "_");
}

/* a before b, of two that cover the address. */
static bool entry_better(const struct symtab *t, const struct entry *a, const struct entry *b)
{
        bool a_local = a->bind == STB_LOCAL, b_local = b->bind == STB_LOCAL;

        if (a_local != b_local)
                return b_local;
        if (a->address != b->address)
                return a->address > b->address;
        if (t->plain_first && a->end == b->end && underscores(a) != underscores(b))
                return underscores(a) < underscores(b);
        if (bind_value(a) != bind_value(b))
                return bind_value(a) > bind_value(b);
        if (a->end != b->end)
                return a->end < b->end;
        return a->order < b->order;
}

/* How many entries begin at or before the address. */
static size_t symtab_before(const struct symtab *t, uint64_t address)
{
        size_t low = 0, high = t->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (t->entries[middle].address <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int symtab_find(const struct symtab *t, uint64_t address, struct symbol *ret_symbol)
{
        const struct entry *best = NULL, *label = NULL;
        size_t n = symtab_before(t, address), seen = 0;
        bool between = false;

        for (size_t i = n; i > 0 && seen < BACK_MAX; i--, seen++) {
                const struct entry *e = &t->entries[i - 1];

                if (e->end > address && (!best || entry_better(t, e, best)))
                        best = e;
                if (e->end > e->address && e->end <= address)
                        between = true;
                if (e->end == e->address && e->limit > address && !between &&
                        (!label || (label->address == e->address && entry_better(t, e, label))))
                        label = e;
                /* Nothing before this one reaches so far, and the nearest label is decided. */
                if (e->furthest <= address && (best || label || between))
                        break;
        }
        if (!best)
                best = label;
        if (!best)
                return 0;
        *ret_symbol = (struct symbol){ best->address, best->end - best->address, best->name };
        return 1;
}
