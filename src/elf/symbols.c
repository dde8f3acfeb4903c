/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A symbol without a size reaches to the next one. In .dynsym alone what comes next may not be
 * named, and what is called memset would be all that follows it: there, it names nothing.
 */
#include "elf/symbols.h"

#include "elf/module.h"
#include "elf/symtab.h"

static struct symtab *symbols_read(struct module *m, const uint64_t *addresses, size_t n)
{
        struct symtab *t = symtab_new(false);

        if (!t)
                return NULL;
        symtab_near(t, addresses, n);
        symtab_add(t, m->main.elf, SHT_SYMTAB);
        if (symtab_empty(t))
                symtab_add(t, m->debug.elf, SHT_SYMTAB);
        if (symtab_empty(t)) {
                symtab_add(t, m->main.elf, SHT_DYNSYM);
                if (module_mini(m))
                        symtab_add(t, module_mini(m), SHT_SYMTAB);
                else
                        symtab_sized(t);
        }
        symtab_sort(t);
        return t;
}

static struct symtab *exported_read(struct module *m, const uint64_t *addresses, size_t n)
{
        struct symtab *t = symtab_new(true);

        if (!t)
                return NULL;
        symtab_near(t, addresses, n);
        symtab_add(t, m->main.elf, SHT_DYNSYM);
        symtab_sort(t);
        return t;
}

struct symtab *module_symbols(struct module *m)
{
        if (!m->symbols)
                m->symbols = symbols_read(m, NULL, 0);
        return m->symbols;
}

struct symtab *module_exported(struct module *m)
{
        if (!m->exported)
                m->exported = exported_read(m, NULL, 0);
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
        s->symbols = symbols_read(m, addresses, n);
        s->exported = exported_read(m, addresses, n);
}

void symbols_done(struct symbols *s)
{
        if (!s->ours)
                return;
        symtab_free(s->symbols);
        symtab_free(s->exported);
}
