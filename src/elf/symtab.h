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
 * Of functions and labels. Several tables of one module may be put together. plain_first: of
 * several names of one function, one without leading underscores, even if it is weak (that is
 * what programs call). NULL: no memory.
 */
struct symtab *symtab_new(bool plain_first);
void symtab_free(struct symtab *t);
/*
 * Where these addresses will be looked for, and no others: of what is added from now on, no more
 * than that takes is kept. More than SYMTAB_FEW: all is.
 */
#define SYMTAB_FEW 32
void symtab_near(struct symtab *t, const uint64_t *addresses, size_t n);
/* type: SHT_SYMTAB or SHT_DYNSYM. elf may be NULL; it must outlive the table. */
void symtab_add(struct symtab *t, Elf *elf, uint32_t type);
void symtab_sized(struct symtab *t); /* drop those without a size */
void symtab_sort(struct symtab *t);
bool symtab_empty(const struct symtab *t); /* nothing was added */

/* The symbol that covers the address. 0: none does; 1. */
int symtab_find(const struct symtab *t, uint64_t address, struct symbol *ret_symbol);
