/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By which calling convention a thread entered the kernel. */
#pragma once

#include "model.h"

struct procfile_syscall;
struct procio;

/* native: the ABI of 64-bit programs on the machine. dir: the process's directory fd. */
enum abi abi_detect(struct procio *io, const struct thread *t, int dir,
        const struct procfile_syscall *call, enum abi native);
