/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dynamic symbols of a file without section headers. */
#pragma once

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dynamic {
        Elf_Data *symbols; /* as elf_getdata() gives them */
        size_t n;
        const char *strings;
        size_t n_strings;
};

/* By PT_DYNAMIC, as the loader finds them. False: there are none, or not in the file. */
bool dynamic_read(Elf *elf, struct dynamic *ret);
