/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena: one region of shared memory, handed out from the bottom and freed whole.
 *
 * Shared, because a worker process fills it and its parent reads it, at the same
 * addresses. Allocation failure is sticky: the functions below then return NULL or an
 * empty string and arena_failed() stays true, so that callers check once, at the end.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;

/* NULL when no address space can be had. */
struct arena *arena_new(void);
void arena_free(struct arena *a);
bool arena_failed(const struct arena *a);
size_t arena_used(const struct arena *a); /* bytes */

/* Zeroed and aligned for any type; NULL on failure. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_dup(struct arena *a, const void *bytes, size_t len);

/*
 * The same for the caller alone: a worker that is forked later may read it, and what it writes
 * there is its own. Costs a fifth where much is wanted, as the kernel has such memory in large
 * pages.
 */
void *arena_alloc_own(struct arena *a, size_t size);

/* Copies, NUL-terminated; NULL on failure or for NULL. */
char *arena_str(struct arena *a, const char *s);
char *arena_strn(struct arena *a, const char *s, size_t len);
/*
 * The same, and perhaps one that was given before: what is said of a thread is often what was said
 * of the one before it. Nobody may change it.
 */
const char *arena_share(struct arena *a, const char *s);
const char *arena_share_printf(struct arena *a, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list ap)
        __attribute__((format(printf, 2, 0)));

#define arena_new_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))
#define arena_new_one(a, type) arena_new_array(a, type, 1)
