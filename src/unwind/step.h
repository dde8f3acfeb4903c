/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one frame's registers to its caller's: by a row of CFI, or by the frame pointer. */
#pragma once

#include <stdint.h>

#include "model.h"
#include "unwind/row.h"

struct arch;
struct memory;

struct stepper {
        const struct arch *arch;
        const struct memory *memory;
        uint64_t address; /* after -EAGAIN and -EFAULT: of the memory */
        unsigned reg;     /* after -ENODATA: the register */
};

/*
 * 0: the caller's registers; its pc is not known if this was the outermost frame. -EAGAIN: memory
 * is needed that has not been read; -EFAULT: that does not exist; -ENODATA: a register is needed
 * that is not known; -EINVAL: the row makes no sense.
 */
int step_by_row(struct stepper *s, const struct cfi_row *row, uint64_t bias,
        const struct user_regs *regs, struct user_regs *ret_caller);

/*
 * The same for code without CFI, which keeps the frame pointer by convention. -ENOENT: it is 0,
 * which by convention marks the outermost frame. -EINVAL: it does not lead upwards.
 */
int step_by_frame_pointer(
        struct stepper *s, const struct user_regs *regs, struct user_regs *ret_caller);
