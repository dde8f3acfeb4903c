/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register numbers: System V ABI AMD64 supplement, figure 3.36; System V ABI i386 supplement,
 * table 2.14; DWARF for the Arm 64-bit architecture, section 4.1. pc of arm64 has none there and
 * is 32 here, as in struct user_regs.
 */
#include "unwind/arch.h"

#include <elf.h>
#include <string.h>

#include "base/cleanup.h"

const struct arch arch_x86_64 = {
        .name = "x86_64",
        .machine = EM_X86_64,
        .word = 8,
        .n_regs = 17,
        .sp = 7,
        .fp = 6,
        .pc = 16,
        .link = 0xff,
        .align = 8,
        .code_mask = UINT64_MAX,
};

const struct arch arch_i386 = {
        .name = "i686",
        .machine = EM_386,
        .word = 4,
        .n_regs = 9,
        .sp = 4,
        .fp = 5,
        .pc = 8,
        .link = 0xff,
        .align = 4,
        .code_mask = UINT32_MAX,
};

/*
 * Pointer authentication puts its code into the bits above those that user addresses have: 48
 * here. With 52 bits a program gets addresses above that only if it asks mmap(2) for one
 * (Documentation/arch/arm64/memory.rst), and code is not put there.
 */
const struct arch arch_arm64 = {
        .name = "aarch64",
        .machine = EM_AARCH64,
        .word = 8,
        .n_regs = 33,
        .sp = 31,
        .fp = 29,
        .pc = 32,
        .link = 30,
        .align = 16,
        .code_mask = (UINT64_C(1) << 48) - 1,
};

const struct arch *arch_find(const char *machine)
{
        static const struct arch *const archs[] = { &arch_x86_64, &arch_i386, &arch_arm64 };

        for (size_t i = 0; machine && i < ARRAY_SIZE(archs); i++)
                if (strcmp(archs[i]->name, machine) == 0)
                        return archs[i];
        return NULL;
}

void arch_narrow(const struct user_regs *wide, struct user_regs *ret)
{
        /* eax ecx edx ebx esp ebp esi edi eip, of rax rdx rcx rbx rsi rdi rbp rsp … rip */
        static const uint8_t from[] = { 0, 2, 1, 3, 7, 6, 4, 5, 16 };

        *ret = (struct user_regs){ 0 };
        for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
                if (!(wide->known & UINT64_C(1) << from[i]))
                        continue;
                ret->known |= UINT64_C(1) << i;
                ret->value[i] = (uint32_t)wide->value[from[i]];
        }
}
