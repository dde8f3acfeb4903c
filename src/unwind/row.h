/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A compact row of CFI: how to get from one frame to its caller, for all pcs of a range.
 *
 * Made by the ELF server (symbol/elfserver.h) from .eh_frame or .debug_frame, used by the
 * walk. It came from a process that parses hostile files: whoever uses it checks every
 * register number, position and length against the bounds here, and every address it makes
 * against the memory it has.
 */
#pragma once

#include <stdint.h>

#define CFI_RULES_MAX 33  /* x0…x30, sp and pc of arm64; x86-64 has 17 */
#define CFI_BYTES_MAX 256 /* all expressions of a row together */

enum cfi_status {
        CFI_NONE = 0, /* no CFI covers this pc; frame pointers may be tried */
        CFI_ROW = 1,  /* the rules below */
        CFI_BAD = 2,  /* CFI covers it, but it cannot be understood or is beyond the bounds */
};

/*
 * How a register of the caller is found. A register without a rule is not known in the caller.
 * An expression's value is on top of its stack at the end; the CFA is on it at the beginning,
 * but not for the CFA itself.
 */
enum cfi_how {
        CFI_UNDEFINED = 0,  /* for the return address: this is the outermost frame */
        CFI_SAME,           /* as in this frame */
        CFI_AT_CFA,         /* in memory at CFA + offset */
        CFI_CFA,            /* is CFA + offset */
        CFI_REGISTER,       /* is in this frame's register number `offset` (CFA: plus nothing) */
        CFI_AT_EXPRESSION,  /* in memory at the address the expression yields */
        CFI_EXPRESSION,     /* is what the expression yields */
        CFI_REGISTER_OFFSET /* only the CFA: register `reg` + offset */
};

struct cfi_rule {
        uint8_t reg;     /* DWARF number of the register this is about */
        uint8_t how;     /* enum cfi_how */
        uint16_t length; /* of an expression… */
        int32_t offset;  /* …which begins here in bytes[] */
};

/*
 * Expressions are in DWARF's own encoding, version 5, section 2.5.1, without their length.
 * Only these operations are in there; others make a row CFI_BAD: addr, const1u…const8s, constu,
 * consts, lit0…31, breg0…31, bregx, dup, drop, over, pick, swap, rot, abs, and, div, minus, mod,
 * mul, neg, not, or, plus, plus_uconst, shl, shr, shra, xor, eq, ge, gt, le, lt, ne, skip, bra,
 * deref, deref_size, nop. `addr` is in the file's addresses, as start and end are.
 */
struct cfi_row {
        uint64_t start, end;  /* pcs it holds for, in the file's own addresses */
        uint8_t status;       /* enum cfi_status; unless CFI_ROW, nothing below is set */
        uint8_t ra;           /* the register whose value in the caller is the return address */
        uint8_t signal_frame; /* "caller" was interrupted: its pc is exact, not after a call */
        uint8_t outermost;    /* the return address is undefined: the stack ends here */
        uint8_t ra_signed;    /* arm64: pc authentication has signed it (strip it anyway) */
        uint8_t n_rules;
        uint16_t n_bytes;
        struct cfi_rule cfa;                  /* CFI_REGISTER_OFFSET or CFI_EXPRESSION */
        struct cfi_rule rules[CFI_RULES_MAX]; /* ascending by reg */
        uint8_t bytes[CFI_BYTES_MAX];
};
