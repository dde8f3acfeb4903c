/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stack machine with a bound for its stack and one for its steps. Arithmetic is modulo the
 * size of an address, as the standard has it for the generic type.
 */
#include "unwind/expression.h"

#include <errno.h>
#include <stdbool.h>

#include "unwind/arch.h"

#define DEPTH_MAX 64
#define STEPS_MAX 1024

/* DWARF 5, table 7.9. */
enum {
        OP_ADDR = 0x03,
        OP_DEREF = 0x06,
        OP_CONST1U = 0x08,
        OP_CONST1S = 0x09,
        OP_CONST2U = 0x0a,
        OP_CONST2S = 0x0b,
        OP_CONST4U = 0x0c,
        OP_CONST4S = 0x0d,
        OP_CONST8U = 0x0e,
        OP_CONST8S = 0x0f,
        OP_CONSTU = 0x10,
        OP_CONSTS = 0x11,
        OP_DUP = 0x12,
        OP_DROP = 0x13,
        OP_OVER = 0x14,
        OP_PICK = 0x15,
        OP_SWAP = 0x16,
        OP_ROT = 0x17,
        OP_ABS = 0x19,
        OP_AND = 0x1a,
        OP_DIV = 0x1b,
        OP_MINUS = 0x1c,
        OP_MOD = 0x1d,
        OP_MUL = 0x1e,
        OP_NEG = 0x1f,
        OP_NOT = 0x20,
        OP_OR = 0x21,
        OP_PLUS = 0x22,
        OP_PLUS_UCONST = 0x23,
        OP_SHL = 0x24,
        OP_SHR = 0x25,
        OP_SHRA = 0x26,
        OP_XOR = 0x27,
        OP_BRA = 0x28,
        OP_EQ = 0x29,
        OP_GE = 0x2a,
        OP_GT = 0x2b,
        OP_LE = 0x2c,
        OP_LT = 0x2d,
        OP_NE = 0x2e,
        OP_SKIP = 0x2f,
        OP_LIT0 = 0x30,
        OP_LIT31 = 0x4f,
        OP_BREG0 = 0x70,
        OP_BREG31 = 0x8f,
        OP_BREGX = 0x92,
        OP_DEREF_SIZE = 0x94,
        OP_NOP = 0x96,
};

struct machine {
        const struct expression *e;
        size_t at; /* next byte */
        uint64_t stack[DEPTH_MAX];
        unsigned depth;
        uint64_t mask;
        int error; /* sticky */
};

static void fail(struct machine *m, int error)
{
        if (!m->error)
                m->error = error;
}

static void push(struct machine *m, uint64_t value)
{
        if (m->depth == DEPTH_MAX)
                fail(m, -EINVAL);
        else
                m->stack[m->depth++] = value & m->mask;
}

static uint64_t pop(struct machine *m)
{
        if (!m->depth) {
                fail(m, -EINVAL);
                return 0;
        }
        return m->stack[--m->depth];
}

/* A value as a signed one of the size of an address. */
static int64_t as_signed(const struct machine *m, uint64_t value)
{
        return m->e->arch->word == 4 ? (int32_t)value : (int64_t)value;
}

/* Little-endian bytes, as on all machines here. */
static uint64_t fixed(struct machine *m, unsigned size, bool is_signed)
{
        uint64_t value = 0;

        if (m->e->len - m->at < size) {
                fail(m, -EINVAL);
                return 0;
        }
        for (unsigned i = 0; i < size; i++)
                value |= (uint64_t)m->e->bytes[m->at++] << 8 * i;
        if (is_signed && size < 8 && value >> (8 * size - 1))
                value |= UINT64_MAX << 8 * size;
        return value;
}

static uint64_t leb128(struct machine *m, bool is_signed)
{
        uint64_t value = 0;
        unsigned shift = 0;
        uint8_t byte;

        do {
                if (m->at == m->e->len || shift > 63) {
                        fail(m, -EINVAL);
                        return 0;
                }
                byte = m->e->bytes[m->at++];
                value |= (uint64_t)(byte & 0x7f) << shift;
                shift += 7;
        } while (byte & 0x80);
        if (is_signed && shift < 64 && byte & 0x40)
                value |= UINT64_MAX << shift;
        return value;
}

static void push_register(struct machine *m, uint64_t reg)
{
        uint64_t offset = leb128(m, true);

        if (reg >= m->e->arch->n_regs)
                fail(m, -EINVAL);
        else if (!(m->e->regs->known & UINT64_C(1) << reg))
                fail(m, -ENODATA);
        else
                push(m, m->e->regs->value[reg] + offset);
}

static void dereference(struct machine *m, unsigned size)
{
        uint64_t address = pop(m), value = 0;
        int r;

        if (size != 1 && size != 2 && size != 4 && size != 8)
                fail(m, -EINVAL);
        if (m->error)
                return;
        r = m->e->read(m->e->arg, address, size, &value);
        if (r < 0)
                fail(m, r);
        push(m, value);
}

/* A copy of the entry that is so far down. */
static void pick(struct machine *m, unsigned down)
{
        if (down >= m->depth)
                fail(m, -EINVAL);
        else
                push(m, m->stack[m->depth - 1 - down]);
}

static void rotate(struct machine *m)
{
        uint64_t top = pop(m), second = pop(m), third = pop(m);

        push(m, top);
        push(m, third);
        push(m, second);
}

static unsigned bits_of(const struct machine *m)
{
        return m->mask == UINT32_MAX ? 32 : 64;
}

static uint64_t shift_right(const struct machine *m, uint64_t value, uint64_t by)
{
        unsigned bits = bits_of(m);

        return by >= bits ? 0 : value >> by;
}

static uint64_t shift_right_signed(const struct machine *m, uint64_t value, uint64_t by)
{
        unsigned bits = bits_of(m);

        return (uint64_t)(as_signed(m, value) >> (by >= bits ? bits - 1 : by));
}

/* Operations that take two values and leave one; false: op is none of them. */
static bool binary(struct machine *m, uint8_t op)
{
        uint64_t b, a, value;
        int64_t sa, sb;

        if (!((op >= OP_AND && op <= OP_XOR && op != OP_NEG && op != OP_NOT &&
                      op != OP_PLUS_UCONST) ||
                    (op >= OP_EQ && op <= OP_NE)))
                return false;
        b = pop(m);
        a = pop(m);
        sa = as_signed(m, a);
        sb = as_signed(m, b);
        switch (op) {
        case OP_AND:
                value = a & b;
                break;
        case OP_OR:
                value = a | b;
                break;
        case OP_XOR:
                value = a ^ b;
                break;
        case OP_PLUS:
                value = a + b;
                break;
        case OP_MINUS:
                value = a - b;
                break;
        case OP_MUL:
                value = a * b;
                break;
        case OP_DIV:
                if (!sb)
                        fail(m, -EINVAL);
                /* The least number by -1 does not fit: modulo, it is itself. */
                value = !sb ? 0 : sb == -1 ? 0 - a : (uint64_t)(sa / sb);
                break;
        case OP_MOD:
                if (!b)
                        fail(m, -EINVAL);
                value = b ? a % b : 0;
                break;
        case OP_SHL:
                value = b >= bits_of(m) ? 0 : a << b;
                break;
        case OP_SHR:
                value = shift_right(m, a, b);
                break;
        case OP_SHRA:
                value = shift_right_signed(m, a, b);
                break;
        case OP_EQ:
                value = sa == sb;
                break;
        case OP_GE:
                value = sa >= sb;
                break;
        case OP_GT:
                value = sa > sb;
                break;
        case OP_LE:
                value = sa <= sb;
                break;
        case OP_LT:
                value = sa < sb;
                break;
        default:
                value = sa != sb;
                break; /* OP_NE */
        }
        push(m, value);
        return true;
}

static void branch(struct machine *m, bool taken)
{
        int64_t by = (int16_t)fixed(m, 2, false);
        int64_t to = (int64_t)m->at + by;

        if (!taken)
                return;
        if (to < 0 || to > (int64_t)m->e->len)
                fail(m, -EINVAL);
        else
                m->at = (size_t)to;
}

/* Constants; false: op is none of them. */
static bool constant(struct machine *m, uint8_t op)
{
        if (op >= OP_LIT0 && op <= OP_LIT31) {
                push(m, op - OP_LIT0);
                return true;
        }
        switch (op) {
        case OP_ADDR:
                push(m, fixed(m, m->e->arch->word, false) + m->e->bias);
                return true;
        case OP_CONST1U:
                push(m, fixed(m, 1, false));
                return true;
        case OP_CONST1S:
                push(m, fixed(m, 1, true));
                return true;
        case OP_CONST2U:
                push(m, fixed(m, 2, false));
                return true;
        case OP_CONST2S:
                push(m, fixed(m, 2, true));
                return true;
        case OP_CONST4U:
                push(m, fixed(m, 4, false));
                return true;
        case OP_CONST4S:
                push(m, fixed(m, 4, true));
                return true;
        case OP_CONST8U:
        case OP_CONST8S:
                push(m, fixed(m, 8, false));
                return true;
        case OP_CONSTU:
                push(m, leb128(m, false));
                return true;
        case OP_CONSTS:
                push(m, leb128(m, true));
                return true;
        default:
                return false;
        }
}

static void operate(struct machine *m, uint8_t op)
{
        uint64_t value, top;

        if (constant(m, op) || binary(m, op))
                return;
        if (op >= OP_BREG0 && op <= OP_BREG31) {
                push_register(m, op - OP_BREG0);
                return;
        }
        switch (op) {
        case OP_BREGX:
                push_register(m, leb128(m, false));
                break;
        case OP_DUP:
                pick(m, 0);
                break;
        case OP_DROP:
                pop(m);
                break;
        case OP_OVER:
                pick(m, 1);
                break;
        case OP_PICK:
                pick(m, (unsigned)fixed(m, 1, false));
                break;
        case OP_SWAP:
                top = pop(m);
                value = pop(m);
                push(m, top);
                push(m, value);
                break;
        case OP_ROT:
                rotate(m);
                break;
        case OP_ABS:
                value = pop(m);
                push(m, as_signed(m, value) < 0 ? 0 - value : value);
                break;
        case OP_NEG:
                push(m, 0 - pop(m));
                break;
        case OP_NOT:
                push(m, ~pop(m));
                break;
        case OP_PLUS_UCONST:
                push(m, pop(m) + leb128(m, false));
                break;
        case OP_SKIP:
                branch(m, true);
                break;
        case OP_BRA:
                branch(m, pop(m) != 0);
                break;
        case OP_DEREF:
                dereference(m, m->e->arch->word);
                break;
        case OP_DEREF_SIZE:
                dereference(m, (unsigned)fixed(m, 1, false));
                break;
        case OP_NOP:
                break;
        default:
                fail(m, -EINVAL);
        }
}

int expression_evaluate(const struct expression *e, const uint64_t *first, uint64_t *ret_value)
{
        struct machine m = {
                .e = e,
                .mask = e->arch->word == 4 ? UINT32_MAX : UINT64_MAX,
        };

        if (first)
                push(&m, *first);
        for (unsigned steps = 0; m.at < e->len && !m.error; steps++) {
                if (steps == STEPS_MAX)
                        return -EINVAL;
                operate(&m, e->bytes[m.at++]);
        }
        if (!m.error && !m.depth)
                return -EINVAL;
        if (m.error)
                return m.error;
        *ret_value = m.stack[m.depth - 1];
        return 0;
}
