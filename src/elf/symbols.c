/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A symbol without a size reaches to the next one. In .dynsym alone what comes next may not be
 * named, and what is called memset would be all that follows it: there, it names nothing.
 */
#include "elf/symbols.h"

#include "elf/module.h"
#include "elf/symtab.h"

/* Most libraries have .dynsym alone, which is sorted once, then. */
struct symtab *module_symbols(struct module *m)
{
        Elf *mini;

        if (m->symbols)
                return m->symbols;
        if (m->exported_only)
                return module_exported(m);
        m->symbols = symtab_new();
        if (!m->symbols)
                return NULL;
        symtab_add(m->symbols, m->main.elf, SHT_SYMTAB);
        if (symtab_count(m->symbols) == 0)
                symtab_add(m->symbols, m->debug.elf, SHT_SYMTAB);
        if (symtab_count(m->symbols) == 0) {
                mini = module_mini(m);
                if (!mini) {
                        symtab_free(m->symbols);
                        m->symbols = NULL;
                        m->exported_only = true;
                        return module_exported(m);
                }
                symtab_add(m->symbols, m->main.elf, SHT_DYNSYM);
                symtab_add(m->symbols, mini, SHT_SYMTAB);
        }
        symtab_sort(m->symbols);
        return m->symbols;
}

struct symtab *module_exported(struct module *m)
{
        if (m->exported)
                return m->exported;
        m->exported = symtab_new();
        if (!m->exported)
                return NULL;
        symtab_add(m->exported, m->main.elf, SHT_DYNSYM);
        symtab_sized(m->exported);
        symtab_sort(m->exported);
        return m->exported;
}
