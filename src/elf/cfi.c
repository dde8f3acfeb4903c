/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdw finds the FDE of an address, runs its program, and tells the rule of each register; here
 * these become a row. .eh_frame is asked first, as the debuggers do, then .debug_frame of the
 * file or of its debug file.
 */
#include "elf/cfi.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/expression.h"
#include "elf/module.h"
#include "elf/signing.h"
#include "elf/special.h"

/* To open DWARF unpacks all of its sections, a hundred times the time of one row. */
static bool has_debug_frame(const struct module *m)
{
        Elf *elf = m->debug.elf && !m->facts.has_debug ? m->debug.elf : m->main.elf;
        GElf_Shdr header;

        return image_section(elf, ".debug_frame", &header) ||
               image_section(elf, ".zdebug_frame", &header);
}

/*
 * What dwarf_errno() is when no FDE covers an address; libdw's header does not tell. No code is at
 * the last address of all.
 */
static int no_match(Dwarf_CFI *table)
{
        Dwarf_Frame *frame = NULL;

        if (dwarf_cfi_addrframe(table, UINT64_MAX, &frame) == 0) {
                free(frame);
                return 0;
        }
        return dwarf_errno();
}

static struct cfi_table *cfi_eh_frame(struct module *m)
{
        struct cfi_table *t = &m->eh_frame;

        if (!t->tried) {
                t->tried = true;
                if (m->main.machine == EM_AARCH64)
                        m->signing = signing_read(m);
                t->cfi = dwarf_getcfi_elf(m->main.elf);
                t->no_match = t->cfi ? no_match(t->cfi) : 0;
        }
        return t->cfi ? t : NULL;
}

/* Only if the first has nothing. */
static struct cfi_table *cfi_debug_frame(struct module *m)
{
        struct cfi_table *t = &m->debug_frame;

        if (!t->tried) {
                Dwarf *dwarf = has_debug_frame(m) ? module_dwarf(m) : NULL;

                t->tried = true;
                t->cfi = dwarf ? dwarf_getcfi(dwarf) : NULL;
                t->no_match = t->cfi ? no_match(t->cfi) : 0;
        }
        return t->cfi ? t : NULL;
}

static unsigned registers_of(uint16_t machine)
{
        return machine == EM_X86_64 ? 17 : machine == EM_AARCH64 ? 33 : machine == EM_386 ? 9 : 0;
}

static bool offset_fits(uint64_t offset)
{
        return (int64_t)offset >= INT32_MIN && (int64_t)offset <= INT32_MAX;
}

static bool cfa_compile(Dwarf_Frame *frame, struct cfi_row *row)
{
        Dwarf_Op *ops;
        size_t n;

        if (dwarf_frame_cfa(frame, &ops, &n) != 0 || n == 0)
                return false;
        if (n == 1 && ops[0].atom == DW_OP_bregx) {
                if (ops[0].number >= CFI_RULES_MAX || !offset_fits(ops[0].number2))
                        return false;
                row->cfa = (struct cfi_rule){ .reg = (uint8_t)ops[0].number,
                        .how = CFI_REGISTER_OFFSET,
                        .offset = (int32_t)ops[0].number2 };
                return true;
        }
        row->cfa.how = CFI_EXPRESSION;
        return expression_encode(ops, n, row, &row->cfa);
}

/*
 * From libdw's forms, see dwarf_frame_register() in libdw.h: the CFA is pushed first
 * (call_frame_cfa), and a value ends with stack_value.
 */
static bool rule_compile(const Dwarf_Op *ops, size_t n, struct cfi_row *row, struct cfi_rule *rule)
{
        bool value = n > 0 && ops[n - 1].atom == DW_OP_stack_value;

        if (n == 1 && ops[0].atom == DW_OP_regx) {
                rule->how = CFI_REGISTER;
                rule->offset = (int32_t)ops[0].number;
                return ops[0].number < CFI_RULES_MAX;
        }
        n -= value;
        if (n == 0 || ops[0].atom != DW_OP_call_frame_cfa)
                return false;
        if (n == 1 || (n == 2 && ops[1].atom == DW_OP_plus_uconst)) {
                uint64_t offset = n == 2 ? ops[1].number : 0;

                rule->how = value ? CFI_CFA : CFI_AT_CFA;
                rule->offset = (int32_t)offset;
                return offset_fits(offset);
        }
        rule->how = value ? CFI_EXPRESSION : CFI_AT_EXPRESSION;
        return expression_encode(ops + 1, n - 1, row, rule);
}

/*
 * What holds for a register that the CFI does not mention is the ABI's business, and libdw's
 * (0.188) idea of x86-64's is wrong in one number: it keeps rax (0) instead of rbx (3).
 */
static bool register_kept(uint16_t machine, unsigned reg, bool libdw_says)
{
        if (machine == EM_X86_64 && (reg == 0 || reg == 3))
                return reg == 3;
        return libdw_says;
}

static bool rules_compile(Dwarf_Frame *frame, uint16_t machine, struct cfi_row *row)
{
        for (unsigned reg = 0; reg < registers_of(machine); reg++) {
                struct cfi_rule *rule = &row->rules[row->n_rules];
                Dwarf_Op memory[3], *ops;
                size_t n;

                if (dwarf_frame_register(frame, (int)reg, memory, &ops, &n) != 0)
                        return false;
                if (n == 0 && ops && reg == row->ra)
                        row->outermost = 1; /* undefined */
                if (n == 0 && !register_kept(machine, reg, !ops))
                        continue;
                *rule = (struct cfi_rule){ .reg = (uint8_t)reg, .how = CFI_SAME };
                if (n > 0 && !rule_compile(ops, n, row, rule))
                        return false;
                row->n_rules++;
        }
        return true;
}

static bool row_compile(struct module *m, Dwarf_Frame *frame, uint64_t address, struct cfi_row *row)
{
        Dwarf_Addr start, end;
        bool signal;
        int ra = dwarf_frame_info(frame, &start, &end, &signal);

        if (ra < 0 || (unsigned)ra >= registers_of(m->main.machine))
                return false;
        if (start > address || end <= address)
                return false;
        row->start = start;
        row->end = end;
        row->ra = (uint8_t)ra;
        row->signal_frame = signal;
        if (!cfa_compile(frame, row) || !rules_compile(frame, m->main.machine, row))
                return false;
        if (m->signing)
                row->ra_signed = signing_at(m->signing, address, &row->start, &row->end);
        row->status = CFI_ROW;
        return true;
}

/* False: the table has no row for it. */
static bool cfi_ask(struct module *m, struct cfi_table *t, uint64_t address, struct cfi_row *ret)
{
        const struct cfi_row bad = { .start = address, .end = address + 1, .status = CFI_BAD };
        _cleanup_free_ Dwarf_Frame *frame = NULL;

        if (!t)
                return false;
        if (dwarf_cfi_addrframe(t->cfi, address, &frame) != 0) {
                if (dwarf_errno() == t->no_match)
                        return false;
                *ret = bad;
        } else if (!row_compile(m, frame, address, ret)) {
                *ret = bad;
        }
        return true;
}

void cfi_row(struct module *m, uint64_t address, struct cfi_row *ret_row)
{
        const struct cfi_row none = { .start = address, .end = address + 1, .status = CFI_NONE };

        *ret_row = none;
        if (!registers_of(m->main.machine) || address == UINT64_MAX)
                return;
        if (cfi_ask(m, cfi_eh_frame(m), address, ret_row) && ret_row->status == CFI_ROW) {
                special_correct(m, address, ret_row);
                return;
        }
        /* A row that could be had from nowhere stays bad. */
        if (cfi_debug_frame(m)) {
                struct cfi_row row = none;

                if (cfi_ask(m, &m->debug_frame, address, &row))
                        *ret_row = row;
        }
        if (ret_row->status == CFI_NONE)
                special_row(m, address, ret_row);
        else
                special_correct(m, address, ret_row);
}
