/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which compilation unit of DWARF an address is in, and which function of it. */
#pragma once

#include <elfutils/libdw.h>
#include <stdint.h>

struct cuset;
struct module;

struct cuset *cuset_new(void);
void cuset_free(struct cuset *c);

/* The unit's DIE. 0: no unit covers the address, or it could not be found in time; 1. */
int unit_find(struct module *m, uint64_t address, Dwarf_Die *ret_unit);

/* The DIE of the (not inlined) function in that unit. 0, 1. */
int function_find(
        struct module *m, const Dwarf_Die *unit, uint64_t address, Dwarf_Die *ret_function);
