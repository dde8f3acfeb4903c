/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of the ELF server, checked before they are used: whoever could take it over by a forged
 * file would speak to us next.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct cfi_row;
struct elf_facts;
struct elf_name;

/* Made to keep the promises of elfserver.h and row.h; a row that does not becomes CFI_BAD. */
void elfcheck_facts(struct elf_facts *f);
void elfcheck_row(struct cfi_row *row, uint64_t address);

/* Unpacks an answer for n addresses. -EPROTO, -ENOMEM. */
int elfcheck_names(
        const void *bytes, size_t size, size_t n, struct arena *arena, struct elf_name *ret_names);
