/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of a process, live or recorded (base/procio.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct procio;

/* Bytes of the target's memory: up to len, fewer at the end of a mapping. */
ssize_t procio_memory(
        struct procio *io, int process_dir, pid_t pid, uint64_t address, void *buffer, size_t len);
