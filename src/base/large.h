/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for what is large and touched all over, of large pages where the kernel has them: to get
 * small ones, one by one, can cost more than what is written to them. Smaller sizes are the heap's.
 * Whoever gives it back knows how large it is.
 */
#pragma once

#include <stddef.h>

/* Zeroed, and where it is large only the address space of what is not touched; NULL: no memory. */
void *large_new(size_t size);
void large_free(void *p, size_t size);
