/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A symbol without a size reaches to the next one. In .dynsym alone what comes next may not be
 * named, and what is called memset would be all that follows it: there, it names nothing.
 */
#include "elf/symbols.h"

#include "elf/module.h"
#include "elf/symtab.h"

static struct symtab *symbols_read(struct module *m)
{
        struct symtab *t = symtab_new(false);

        if (!t)
                return NULL;
        symtab_add(t, m->main.elf, SHT_SYMTAB);
        if (symtab_count(t) == 0)
                symtab_add(t, m->debug.elf, SHT_SYMTAB);
        if (symtab_count(t) == 0) {
                symtab_add(t, m->main.elf, SHT_DYNSYM);
                if (module_mini(m))
                        symtab_add(t, module_mini(m), SHT_SYMTAB);
                else
                        symtab_sized(t);
        }
        return t;
}

static struct symtab *exported_read(struct module *m)
{
        struct symtab *t = symtab_new(true);

        if (t)
                symtab_add(t, m->main.elf, SHT_DYNSYM);
        return t;
}

struct symtab *module_symbols(struct module *m)
{
        if (!m->symbols) {
                m->symbols = symbols_read(m);
                if (m->symbols)
                        symtab_sort(m->symbols);
        }
        return m->symbols;
}

struct symtab *module_exported(struct module *m)
{
        if (!m->exported) {
                m->exported = exported_read(m);
                if (m->exported)
                        symtab_sort(m->exported);
        }
        return m->exported;
}

void symbols_init(struct symbols *s, struct module *m, const uint64_t *addresses, size_t n)
{
        *s = (struct symbols){ m->symbols, m->exported, false };
        if (!m->symbols) {
                m->n_asked += n;
                s->ours = m->n_asked <= SYMTAB_FEW;
        }
        if (!s->ours) {
                s->symbols = module_symbols(m);
                s->exported = module_exported(m);
                return;
        }
        s->symbols = symbols_read(m);
        s->exported = exported_read(m);
        if (s->symbols)
                symtab_sort_near(s->symbols, addresses, n);
        if (s->exported)
                symtab_sort_near(s->exported, addresses, n);
}

void symbols_done(struct symbols *s)
{
        if (!s->ours)
                return;
        symtab_free(s->symbols);
        symtab_free(s->exported);
}
