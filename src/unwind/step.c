/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows come from a process that parsed a hostile file, registers and memory from a hostile
 * process: any number may be anything, and the worst that may come of it is a wrong frame.
 */
#include "unwind/step.h"

#include <errno.h>
#include <stdbool.h>

#include "unwind/arch.h"
#include "unwind/expression.h"
#include "unwind/memory.h"

static bool reg_known(const struct user_regs *regs, unsigned reg)
{
        return reg < USER_REGS_MAX && regs->known & UINT64_C(1) << reg;
}

static void reg_set(const struct arch *arch, struct user_regs *regs, unsigned reg, uint64_t value)
{
        regs->known |= UINT64_C(1) << reg;
        regs->value[reg] = arch->word == 4 ? (uint32_t)value : value;
}

static int reg_get(struct stepper *s, const struct user_regs *regs, unsigned reg, uint64_t *ret)
{
        if (reg >= s->arch->n_regs)
                return -EINVAL;
        if (!reg_known(regs, reg)) {
                s->reg = reg;
                return -ENODATA;
        }
        *ret = regs->value[reg];
        return 0;
}

static int read_memory(void *arg, uint64_t address, unsigned size, uint64_t *ret_value)
{
        struct stepper *s = arg;
        int r = memory_read(s->memory, address, size, ret_value);

        if (r < 0)
                s->address = address;
        return r;
}

static int evaluate(struct stepper *s, const struct cfi_row *row, const struct cfi_rule *rule,
        uint64_t bias, const struct user_regs *regs, const uint64_t *first, uint64_t *ret)
{
        struct expression e = {
                .arch = s->arch,
                .regs = regs,
                .bias = bias,
                .len = rule->length,
                .read = read_memory,
                .arg = s,
        };

        if (rule->offset < 0 || (size_t)rule->offset + rule->length > CFI_BYTES_MAX)
                return -EINVAL;
        e.bytes = row->bytes + rule->offset;
        return expression_evaluate(&e, first, ret);
}

static int cfa_find(struct stepper *s, const struct cfi_row *row, uint64_t bias,
        const struct user_regs *regs, uint64_t *ret_cfa)
{
        uint64_t value;
        int r;

        if (row->cfa.how == CFI_EXPRESSION) {
                r = evaluate(s, row, &row->cfa, bias, regs, NULL, &value);
        } else if (row->cfa.how == CFI_REGISTER_OFFSET) {
                r = reg_get(s, regs, row->cfa.reg, &value);
                if (r == 0)
                        value += (uint64_t)(int64_t)row->cfa.offset;
        } else {
                return -EINVAL;
        }
        if (r == 0)
                *ret_cfa = s->arch->word == 4 ? (uint32_t)value : value;
        return r;
}

/* 0: *ret_value; 1: it is not known in the caller; <0 as step_by_row(). */
static int rule_apply(struct stepper *s, const struct cfi_row *row, const struct cfi_rule *rule,
        uint64_t bias, const struct user_regs *regs, uint64_t cfa, uint64_t *ret_value)
{
        uint64_t address = cfa + (uint64_t)(int64_t)rule->offset;
        int r;

        switch (rule->how) {
        case CFI_SAME:
                *ret_value = regs->value[rule->reg];
                return reg_known(regs, rule->reg) ? 0 : 1;
        case CFI_REGISTER:
                if (rule->offset < 0 || rule->offset >= s->arch->n_regs)
                        return 1;
                *ret_value = regs->value[rule->offset];
                return reg_known(regs, (unsigned)rule->offset) ? 0 : 1;
        case CFI_CFA:
                *ret_value = address;
                return 0;
        case CFI_AT_CFA:
                break;
        case CFI_EXPRESSION:
                return evaluate(s, row, rule, bias, regs, &cfa, ret_value);
        case CFI_AT_EXPRESSION:
                r = evaluate(s, row, rule, bias, regs, &cfa, &address);
                if (r < 0)
                        return r;
                break;
        default:
                return 1;
        }
        if (s->arch->word == 4)
                address = (uint32_t)address;
        return read_memory(s, address, s->arch->word, ret_value);
}

int step_by_row(struct stepper *s, const struct cfi_row *row, uint64_t bias,
        const struct user_regs *regs, struct user_regs *ret_caller)
{
        const struct arch *arch = s->arch;
        struct user_regs caller = { 0 };
        uint64_t cfa = 0, value;
        int r;

        if (row->n_rules > CFI_RULES_MAX || row->ra >= arch->n_regs)
                return -EINVAL;
        r = cfa_find(s, row, bias, regs, &cfa);
        if (r < 0)
                return r;
        reg_set(arch, &caller, arch->sp, cfa);
        for (unsigned i = 0; i < row->n_rules; i++) {
                const struct cfi_rule *rule = &row->rules[i];

                if (rule->reg >= arch->n_regs)
                        continue; /* a vector register, of no use here */
                r = rule_apply(s, row, rule, bias, regs, cfa, &value);
                /* Without another register than the return address one may still get far. */
                if (rule->reg != row->ra && (r == -EFAULT || r == -ENODATA))
                        r = 1;
                if (r < 0)
                        return r;
                if (r == 0)
                        reg_set(arch, &caller, rule->reg, value);
                else if (rule->reg != arch->sp)
                        caller.known &= ~(UINT64_C(1) << rule->reg);
        }
        if (row->outermost) {
                caller.known &= ~(UINT64_C(1) << arch->pc);
        } else if (!reg_known(&caller, row->ra)) {
                s->reg = row->ra;
                return -ENODATA;
        } else {
                reg_set(arch, &caller, arch->pc, caller.value[row->ra] & arch->code_mask);
        }
        *ret_caller = caller;
        return 0;
}

int step_by_frame_pointer(
        struct stepper *s, const struct user_regs *regs, struct user_regs *ret_caller)
{
        const struct arch *arch = s->arch;
        struct user_regs caller = { 0 };
        uint64_t fp = 0, saved = 0, pc = 0;
        int r;

        r = reg_get(s, regs, arch->fp, &fp);
        if (r < 0)
                return r;
        if (!fp)
                return -ENOENT;
        if (fp % arch->word || (reg_known(regs, arch->sp) && fp < regs->value[arch->sp]))
                return -EINVAL;
        r = read_memory(s, fp, arch->word, &saved);
        if (r == 0)
                r = read_memory(s, fp + arch->word, arch->word, &pc);
        if (r < 0)
                return r;
        reg_set(arch, &caller, arch->fp, saved);
        reg_set(arch, &caller, arch->pc, pc & arch->code_mask);
        /* What a frame record is next to, only x86 says: the return address was pushed. */
        if (arch->link == 0xff)
                reg_set(arch, &caller, arch->sp, fp + 2U * arch->word);
        *ret_caller = caller;
        return 0;
}
