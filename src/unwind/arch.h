/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the walk has to know about a machine: DWARF's numbers, word size, where calls return. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

struct arch {
        const char *name; /* as uname(2) has it */
        uint16_t machine; /* EM_… */
        uint8_t word;     /* bytes of an address */
        uint8_t n_regs;   /* registers 0…n_regs - 1 are kept; pc is one of them */
        uint8_t sp, fp, pc;
        uint8_t link;       /* register with the return address in a leaf; 0xff: it is pushed */
        uint8_t align;      /* of the stack pointer at a call */
        uint64_t code_mask; /* bits of a code address that are address */
};

extern const struct arch arch_x86_64, arch_i386, arch_arm64;

/* NULL: user stacks of this machine are not known here. */
const struct arch *arch_find(const char *machine);

/* Registers of a 32-bit x86 program, told by the numbers of x86-64. */
void arch_narrow(const struct user_regs *wide, struct user_regs *ret);
