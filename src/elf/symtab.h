/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbol tables, sorted by address. */
#pragma once

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symtab;

struct symbol {
        uint64_t address, size;
        const char *name; /* in the file; bounded, NUL-terminated, not empty */
};

/*
 * Of functions and labels. Several tables of one module may be put together. NULL: no memory.
 */
struct symtab *symtab_new(void);
void symtab_free(struct symtab *t);
/* type: SHT_SYMTAB or SHT_DYNSYM. elf may be NULL; it must outlive the table. */
void symtab_add(struct symtab *t, Elf *elf, uint32_t type);
void symtab_sized(struct symtab *t); /* drop those without a size */
void symtab_sort(struct symtab *t);
size_t symtab_count(const struct symtab *t);

/*
 * The symbol that covers the address. plain_first: of several names of one function, one without
 * leading underscores, even if it is weak (that is what programs call). 0: none does; 1.
 */
int symtab_find(
        const struct symtab *t, uint64_t address, bool plain_first, struct symbol *ret_symbol);
