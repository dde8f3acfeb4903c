/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CFI of one pc as a compact row. */
#pragma once

#include "unwind/row.h"

struct module;

/* Total: what cannot be had is CFI_NONE or CFI_BAD. */
void cfi_row(struct module *m, uint64_t address, struct cfi_row *ret_row);
