/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbol tables of a module, read when they are first asked for. NULL: no memory. */
#pragma once

struct module;
struct symtab;

/* .symtab of the file or of its debug file; else what there is: .dynsym and MiniDebugInfo. */
struct symtab *module_symbols(struct module *m);

/* .dynsym of the file itself. */
struct symtab *module_exported(struct module *m);
