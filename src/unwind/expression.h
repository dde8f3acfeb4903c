/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DWARF expressions of CFI rows (DWARF 5, section 2.5.1), evaluated over registers and memory
 * that were captured. The bytes are hostile: any sequence ends, and touches nothing else.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct arch;

struct expression {
        const struct arch *arch;
        const struct user_regs *regs;
        uint64_t bias; /* of the module: added to addresses of its file */
        const uint8_t *bytes;
        size_t len;
        /* A value of size bytes in memory. 0, or an error that is passed on. */
        int (*read)(void *arg, uint64_t address, unsigned size, uint64_t *ret_value);
        void *arg;
};

/*
 * first: what is on the stack at the beginning; NULL: nothing. 0 with the value on top at the
 * end; -ENODATA: a register is needed that is not known; -EINVAL: it makes no sense, or has no
 * end; what read returned.
 */
int expression_evaluate(const struct expression *e, const uint64_t *first, uint64_t *ret_value);
