/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libiberty's demangler knows C++ (Itanium ABI) and both manglings of Rust. Rust's older one looks
 * like C++ with a hash at the end, so it is asked first. A demangled name may be much longer than
 * the mangled one; what is longer than is useful stays mangled.
 */
#include "elf/demangle.h"

#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#define SYMBOL_MAX 4096

char *name_demangle(const char *symbol)
{
        const int options = DMGL_PARAMS | DMGL_ANSI;
        char *name;

        if (symbol[0] != '_' || strnlen(symbol, SYMBOL_MAX) == SYMBOL_MAX)
                return NULL;
        if (symbol[1] != 'Z' && symbol[1] != 'R' && strncmp(symbol, "__Z", 3) != 0)
                return NULL;
        name = rust_demangle(symbol, options);
        return name ? name : cplus_demangle_v3(symbol, options);
}
