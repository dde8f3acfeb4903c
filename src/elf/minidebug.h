/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MiniDebugInfo: a whole ELF file with the names of local functions, compressed by xz. */
#pragma once

#include <libelf.h>
#include <stddef.h>

#define MINIDEBUG_MAX (64U << 20) /* decompressed; Fedora's largest are about 10 MiB */

/* The caller frees what comes back. -ENOEXEC, -ENOMEM, -E2BIG. */
int minidebug_read(const Elf_Data *data, void **ret_memory, size_t *ret_size);
