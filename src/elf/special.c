/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arm64: what a signal handler returns to has no CFI (Linux, arch/arm64/kernel/vdso/sigreturn.S,
 * since 5.8), since unwinders know it by its two instructions, and C libraries have the same ones.
 * The handler's stack pointer is at the kernel's struct rt_sigframe: siginfo_t (128 bytes),
 * then ucontext_t, in which the registers begin at 184 (arch/arm64/include/uapi/asm/ucontext.h
 * and sigcontext.h).
 *
 * Go: some functions of its runtime go over to another stack, and their CFI goes on as if they
 * did not: what it leads to is whatever was left there. Of the one that calls C it is known how it
 * comes back.
 */
#include "elf/special.h"

#include <dwarf.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/module.h"
#include "elf/symbols.h"
#include "elf/symtab.h"
#include "unwind/row.h"

#define SIGFRAME_REGS 312 /* x0 … x30, sp, pc */
#define ARM64_SP 31
#define ARM64_PC 32

/* Code at an address of the file, as it is there; false: no such. */
static bool code_read(Elf *elf, uint64_t address, void *ret, size_t len)
{
        size_t n;

        if (elf_getphdrnum(elf, &n) != 0)
                return false;
        for (size_t i = 0; i < n; i++) {
                GElf_Phdr p;
                Elf_Data *data;

                if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || !(p.p_flags & PF_X) ||
                        address < p.p_vaddr || p.p_filesz < len ||
                        address - p.p_vaddr > p.p_filesz - len)
                        continue;
                data = elf_getdata_rawchunk(
                        elf, (int64_t)(p.p_offset + (address - p.p_vaddr)), len, ELF_T_BYTE);
                if (!data || !data->d_buf || data->d_size < len)
                        return false;
                memcpy(ret, data->d_buf, len);
                return true;
        }
        return false;
}

static bool row_sigreturn(struct module *m, uint64_t address, struct cfi_row *ret)
{
        static const uint8_t sigreturn[] = {
                0x68, 0x11, 0x80, 0xd2, /* mov x8, #139 */
                0x01, 0x00, 0x00, 0xd4, /* svc #0 */
        };
        /* A handler's caller is looked for one byte before where it returns to. */
        uint64_t start = (address + 3) & ~UINT64_C(3);
        uint8_t code[sizeof(sigreturn)];

        if (start - address > 1 || !code_read(m->main.elf, start, code, sizeof(code)) ||
                memcmp(code, sigreturn, sizeof(code)) != 0)
                return false;
        *ret = (struct cfi_row){
                .start = address,
                .end = start + sizeof(sigreturn),
                .status = CFI_ROW,
                .ra = ARM64_PC,
                .signal_frame = 1,
                .cfa = { .reg = ARM64_SP, .how = CFI_REGISTER_OFFSET },
        };
        for (uint8_t reg = 0; reg <= ARM64_PC; reg++)
                ret->rules[ret->n_rules++] = (struct cfi_rule){
                        .reg = reg, .how = CFI_AT_CFA, .offset = SIGFRAME_REGS + 8 * reg
                };
        return true;
}

bool special_row(struct module *m, uint64_t address, struct cfi_row *ret_row)
{
        return m->main.machine == EM_AARCH64 && row_sigreturn(m, address, ret_row);
}

static bool is_go(struct module *m)
{
        GElf_Shdr header;

        if (!m->go_tried) {
                m->go_tried = true;
                m->is_go = image_section(m->main.elf, ".note.go.buildid", &header) ||
                           image_section(m->main.elf, ".gopclntab", &header) ||
                           image_section(m->main.elf, ".data.rel.ro.gopclntab", &header);
        }
        return m->is_go;
}

#define X86_64_BP 6
#define X86_64_SP 7
#define X86_64_IP 16
#define SLEB_SMALL 64 /* less than this is one byte */

/*
 * Go, x86-64: how runtime.asmcgocall comes back from C, by its code behind the call (Go 1.4
 * to 1.24, src/runtime/asm_amd64.s). On the thread's stack are the goroutine and how deep its stack
 * was:
 *
 *      mov G(%rsp),%rdi; mov HIGH(%rdi),%rsi; sub DEPTH(%rsp),%rsi
 *
 * or, if it was on the thread's stack already, only where: mov SP(%rsp),%rsi; mov %rsi,%rsp.
 * Returns the length of the expression of that stack pointer; 0: it is other code.
 */
static size_t cgo_expression(const uint8_t code[static 14], uint8_t *ret)
{
        static const uint8_t load_di[] = { 0x48, 0x8b, 0x7c, 0x24 },
                             load_si[] = { 0x48, 0x8b, 0x74, 0x24 }, high[] = { 0x48, 0x8b, 0x77 },
                             minus[] = { 0x48, 0x2b, 0x74, 0x24 },
                             minus_0[] = { 0x48, 0x2b, 0x34, 0x24 }, to_sp[] = { 0x48, 0x89, 0xf4 };
        const bool at_0 = memcmp(code + 9, minus_0, sizeof(minus_0)) == 0;
        const uint8_t depth = at_0 ? 0 : code[13];

        if (memcmp(code, load_si, sizeof(load_si)) == 0 && code[4] < SLEB_SMALL &&
                memcmp(code + 5, to_sp, sizeof(to_sp)) == 0) {
                const uint8_t there[] = { DW_OP_breg0 + X86_64_SP, code[4], DW_OP_deref };

                memcpy(ret, there, sizeof(there));
                return sizeof(there);
        }
        if (memcmp(code, load_di, sizeof(load_di)) != 0 || code[4] >= SLEB_SMALL ||
                memcmp(code + 5, high, sizeof(high)) != 0 || code[8] >= SLEB_SMALL ||
                (!at_0 && memcmp(code + 9, minus, sizeof(minus)) != 0) || depth >= SLEB_SMALL)
                return 0;
        const uint8_t from_high[] = { DW_OP_breg0 + X86_64_SP, code[4], DW_OP_deref,
                DW_OP_plus_uconst, code[8], DW_OP_deref, DW_OP_breg0 + X86_64_SP, depth,
                DW_OP_deref, DW_OP_minus };

        memcpy(ret, from_high, sizeof(from_high));
        return sizeof(from_high);
}

/* From C to the goroutine that called it: the row of that one call. */
static bool row_cgo(struct module *m, uint64_t address, struct cfi_row *row)
{
        uint8_t code[14], n_rules = 0;
        size_t n;

        if (m->main.machine != EM_X86_64 || row->cfa.how != CFI_REGISTER_OFFSET ||
                row->cfa.reg != X86_64_SP || row->cfa.offset < 0 || row->cfa.offset >= SLEB_SMALL ||
                row->n_bytes || !code_read(m->main.elf, address + 1, code, sizeof(code)))
                return false;
        n = cgo_expression(code, row->bytes);
        if (!n)
                return false;
        row->bytes[n++] = DW_OP_plus_uconst;
        row->bytes[n++] = (uint8_t)row->cfa.offset;
        row->n_bytes = (uint16_t)n;
        row->cfa = (struct cfi_rule){ .how = CFI_EXPRESSION, .length = (uint16_t)n };
        row->start = address;
        row->end = address + 1;
        /* Others are not what they were, but Go does not keep anything in them either. */
        for (uint8_t i = 0; i < row->n_rules; i++)
                if (row->rules[i].reg == X86_64_BP || row->rules[i].reg == X86_64_SP ||
                        row->rules[i].reg == X86_64_IP)
                        row->rules[n_rules++] = row->rules[i];
        row->n_rules = n_rules;
        return true;
}

void special_correct(struct module *m, uint64_t address, struct cfi_row *row)
{
        static const char *const ends[] = { "runtime.mcall", "runtime.mcall.abi0" };
        static const char *const switches[] = { "runtime.systemstack", "runtime.systemstack.abi0",
                "runtime.asmcgocall", "runtime.asmcgocall.abi0", "runtime.morestack",
                "runtime.morestack.abi0" };
        struct symbol s;

        if (row->status != CFI_ROW || !is_go(m) || !module_symbols(m) ||
                !symtab_find(module_symbols(m), address, &s))
                return;
        if (strncmp(s.name, "runtime.asmcgocall", strlen("runtime.asmcgocall")) == 0 &&
                row_cgo(m, address, row))
                return;
        /* The goroutine has been left for good: this is where the thread's own stack begins. */
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
                if (strcmp(s.name, ends[i]) == 0)
                        row->outermost = 1;
        for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
                if (strcmp(s.name, switches[i]) == 0)
                        *row = (struct cfi_row){
                                .start = row->start, .end = row->end, .status = CFI_BAD
                        };
}
