/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DWARF expressions of CFI, from libdw's form to the bytes of a row. */
#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>

struct cfi_row;
struct cfi_rule;

/* Append it to the row's bytes, where the rule then points. False: beyond what a row can hold. */
bool expression_encode(
        const Dwarf_Op *ops, size_t n, struct cfi_row *row, struct cfi_rule *ret_rule);
