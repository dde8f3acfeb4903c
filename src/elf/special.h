/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code of which the CFI, or that there is none, says less than is known. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cfi_row;
struct module;

/* The row of an address without CFI; false: nothing is known. */
bool special_row(struct module *m, uint64_t address, struct cfi_row *ret_row);

/* Put right what the CFI of an address says. */
void special_correct(struct module *m, uint64_t address, struct cfi_row *row);
