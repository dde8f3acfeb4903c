/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a DWARF expression, and as a row of CFI by which a step is made: both end, and
 * touch nothing else.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/arch.h"
#include "unwind/expression.h"
#include "unwind/memory.h"
#include "unwind/row.h"
#include "unwind/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_something(void *arg, uint64_t address, unsigned size, uint64_t *ret_value)
{
        (void)arg;
        if (size > 8)
                abort();
        if (address % 3 == 0)
                return -EFAULT;
        *ret_value = address * 7;
        return 0;
}

static void check(int r)
{
        if (r != 0 && r != -EINVAL && r != -ENODATA && r != -EFAULT && r != -EAGAIN)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct arch *const archs[] = { &arch_x86_64, &arch_i386, &arch_arm64 };
        const struct arch *arch = archs[size % 3];
        struct user_regs regs = { .known = 0x155555555 }, caller;
        struct expression e = { .arch = arch, .regs = &regs, .bytes = data, .len = size };
        struct piece *piece = calloc(1, sizeof(*piece) + 256);
        struct memory memory = { 0 };
        struct stepper stepper = { .arch = arch, .memory = &memory };
        struct cfi_row row = { 0 };
        uint64_t first = 0x1000, value;

        if (!piece)
                return 0;
        for (unsigned i = 0; i < USER_REGS_MAX; i++)
                regs.value[i] = 0x1000 + 8 * i;
        e.read = read_something;
        check(expression_evaluate(&e, NULL, &value));
        check(expression_evaluate(&e, &first, &value));

        *piece = (struct piece){ .start = 0x1000, .asked = 256, .len = 200 };
        memory_add(&memory, piece);
        memcpy(&row, data, size < sizeof(row) ? size : sizeof(row));
        check(step_by_row(&stepper, &row, 0x100, &regs, &caller));
        memory_done(&memory);
        return 0;
}
