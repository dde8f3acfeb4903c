/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of C++ and Rust as people write them. */
#pragma once

/* NULL: it is not mangled, or in a way that is not known. The caller frees. */
char *name_demangle(const char *symbol);
