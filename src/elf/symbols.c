/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A symbol without a size reaches to the next one. In .dynsym alone what comes next may not be
 * named, and what is called memset would be all that follows it: there, it names nothing.
 */
#include "elf/symbols.h"

#include "elf/module.h"
#include "elf/symtab.h"

struct symtab *module_symbols(struct module *m)
{
        if (m->symbols)
                return m->symbols;
        m->symbols = symtab_new(false);
        if (!m->symbols)
                return NULL;
        symtab_add(m->symbols, m->main.elf, SHT_SYMTAB);
        if (symtab_count(m->symbols) == 0)
                symtab_add(m->symbols, m->debug.elf, SHT_SYMTAB);
        if (symtab_count(m->symbols) == 0) {
                symtab_add(m->symbols, m->main.elf, SHT_DYNSYM);
                if (module_mini(m))
                        symtab_add(m->symbols, module_mini(m), SHT_SYMTAB);
                else
                        symtab_sized(m->symbols);
        }
        symtab_sort(m->symbols);
        return m->symbols;
}

struct symtab *module_exported(struct module *m)
{
        if (m->exported)
                return m->exported;
        m->exported = symtab_new(true);
        if (!m->exported)
                return NULL;
        symtab_add(m->exported, m->main.elf, SHT_DYNSYM);
        symtab_sort(m->exported);
        return m->exported;
}
