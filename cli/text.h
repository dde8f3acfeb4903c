/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of --explain-stack: a file or standard input, bounded. */
#pragma once

#include <stddef.h>

/*
 * All of a file ("-": standard input), but not much more than the library reads: enough that
 * it notices. Freed by the caller. 0 or a negative errno.
 */
int text_read(const char *file, char **ret_text, size_t *ret_len);
