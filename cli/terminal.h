/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What standard output is: a terminal, of what size, and whether to use colours on it. */
#pragma once

#include <stdbool.h>

#include "options.h"

/* Is stdout a terminal that obeys escape sequences? */
bool terminal_is_capable(void);
bool terminal_wants_colour(enum colour colour);

/* Size of the terminal; 0 where stdout is none or does not tell. */
unsigned terminal_columns(void);
unsigned terminal_rows(void);
