/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdw hands out operations with their operands decoded, and each one's position in the original
 * bytes, by which branches are told. They are written again in DWARF's own encoding, as short
 * as may be, so that positions change: branches are written last.
 */
#include "elf/expression.h"

#include <dwarf.h>
#include <stdint.h>
#include <string.h>

#include "unwind/row.h"

#define OPS_MAX 128

struct out {
        uint8_t *bytes;
        size_t n, max;
        bool failed;
};

static void out_bytes(struct out *o, uint64_t value, size_t n)
{
        if (o->n + n > o->max) {
                o->failed = true;
                return;
        }
        for (size_t i = 0; i < n; i++)
                o->bytes[o->n++] = (uint8_t)(value >> (8 * i));
}

static void out_uleb(struct out *o, uint64_t value)
{
        do {
                out_bytes(o, (value & 0x7f) | (value > 0x7f ? 0x80 : 0), 1);
                value >>= 7;
        } while (value);
}

static void out_sleb(struct out *o, int64_t value)
{
        bool more = true;

        while (more) {
                uint8_t byte = value & 0x7f;

                value >>= 7;
                more = !((value == 0 && !(byte & 0x40)) || (value == -1 && (byte & 0x40)));
                out_bytes(o, byte | (more ? 0x80 : 0), 1);
        }
}

/* How many bytes of operand; 0 for none, -1 for LEB128 and others, -2: not supported. */
static int operand_size(uint8_t atom)
{
        switch (atom) {
        case DW_OP_lit0 ... DW_OP_lit31:
        case DW_OP_dup:
        case DW_OP_drop:
        case DW_OP_over:
        case DW_OP_swap:
        case DW_OP_rot:
        case DW_OP_abs:
        case DW_OP_and:
        case DW_OP_div:
        case DW_OP_minus:
        case DW_OP_mod:
        case DW_OP_mul:
        case DW_OP_neg:
        case DW_OP_not:
        case DW_OP_or:
        case DW_OP_plus:
        case DW_OP_shl:
        case DW_OP_shr:
        case DW_OP_shra:
        case DW_OP_xor:
        case DW_OP_eq:
        case DW_OP_ge:
        case DW_OP_gt:
        case DW_OP_le:
        case DW_OP_lt:
        case DW_OP_ne:
        case DW_OP_deref:
        case DW_OP_nop:
                return 0;
        case DW_OP_const1u:
        case DW_OP_const1s:
        case DW_OP_pick:
        case DW_OP_deref_size:
                return 1;
        case DW_OP_const2u:
        case DW_OP_const2s:
        case DW_OP_skip:
        case DW_OP_bra:
                return 2;
        case DW_OP_const4u:
        case DW_OP_const4s:
                return 4;
        case DW_OP_addr:
        case DW_OP_const8u:
        case DW_OP_const8s:
                return 8;
        case DW_OP_constu:
        case DW_OP_consts:
        case DW_OP_plus_uconst:
        case DW_OP_breg0 ... DW_OP_breg31:
        case DW_OP_bregx:
                return -1;
        default:
                return -2;
        }
}

static bool op_encode(const Dwarf_Op *op, struct out *o)
{
        int size = operand_size(op->atom);

        if (size == -2)
                return false;
        out_bytes(o, op->atom, 1);
        if (size >= 0) {
                out_bytes(o, op->number, (size_t)size);
                return true;
        }
        switch (op->atom) {
        case DW_OP_constu:
        case DW_OP_plus_uconst:
                out_uleb(o, op->number);
                break;
        case DW_OP_bregx:
                if (op->number >= CFI_RULES_MAX)
                        return false;
                out_uleb(o, op->number);
                out_sleb(o, (int64_t)op->number2);
                break;
        default:
                out_sleb(o, (int64_t)op->number);
        }
        return true;
}

/* Where the branch at i goes: the number of an operation, n for the end; -1: into nowhere. */
static int branch_target(const Dwarf_Op *ops, size_t n, size_t i, uint64_t end)
{
        uint64_t to = ops[i].offset + 3 + (uint64_t)(int16_t)ops[i].number;

        for (size_t k = 0; k < n; k++)
                if (ops[k].offset == to)
                        return (int)k;
        return to == end ? (int)n : -1;
}

static bool branches_encode(const Dwarf_Op *ops, size_t n, const size_t *at, struct out *o)
{
        /* The end of the original is known only where the last operation has a fixed size. */
        int last = operand_size(ops[n - 1].atom);
        uint64_t end = last >= 0 ? ops[n - 1].offset + 1 + (uint64_t)last : UINT64_MAX;

        for (size_t i = 0; i < n; i++) {
                int to;
                int64_t distance;

                if (ops[i].atom != DW_OP_skip && ops[i].atom != DW_OP_bra)
                        continue;
                to = branch_target(ops, n, i, end);
                if (to < 0)
                        return false;
                distance = (int64_t)at[to] - (int64_t)(at[i] + 3);
                o->bytes[at[i] + 1] = (uint8_t)distance;
                o->bytes[at[i] + 2] = (uint8_t)(distance >> 8);
        }
        return true;
}

bool expression_encode(
        const Dwarf_Op *ops, size_t n, struct cfi_row *row, struct cfi_rule *ret_rule)
{
        struct out o = { row->bytes + row->n_bytes, 0, CFI_BYTES_MAX - row->n_bytes, false };
        size_t at[OPS_MAX + 1];

        if (n == 0 || n > OPS_MAX)
                return false;
        for (size_t i = 0; i < n; i++) {
                at[i] = o.n;
                if (!op_encode(&ops[i], &o) || o.failed)
                        return false;
        }
        at[n] = o.n;
        if (!branches_encode(ops, n, at, &o))
                return false;
        ret_rule->offset = row->n_bytes;
        ret_rule->length = (uint16_t)o.n;
        row->n_bytes = (uint16_t)(row->n_bytes + o.n);
        return true;
}
