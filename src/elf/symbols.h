/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbol tables of a module, read when they are first asked for. NULL: no memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module;
struct symtab;

/* .symtab of the file or of its debug file; else what there is: .dynsym and MiniDebugInfo. */
struct symtab *module_symbols(struct module *m);

/* .dynsym of the file itself. */
struct symtab *module_exported(struct module *m);

/* The same for some addresses: of a module that has not been asked for many, no more is kept. */
struct symbols {
        struct symtab *symbols, *exported; /* NULL: no memory */
        bool ours;
};

void symbols_init(struct symbols *s, struct module *m, const uint64_t *addresses, size_t n);
void symbols_done(struct symbols *s);
