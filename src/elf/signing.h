/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which return addresses CFI calls signed (arm64 pointer authentication). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct module;
struct signing;

/* Of .eh_frame. NULL: none is. */
struct signing *signing_read(struct module *m);
void signing_free(struct signing *s);

/* Narrows the range to where the answer is the same. */
bool signing_at(const struct signing *s, uint64_t address, uint64_t *start, uint64_t *end);
