/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of /proc/PID/stack, of every kernel generation, to frames and names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct stack;

/* Entries at which the kernel cuts a stack (fs/proc/base.c, MAX_STACK_TRACE_DEPTH). */
#define STACK_ENTRIES_MAX 64

/*
 * Fill ret->frames, n_frames and truncated from text[0..len). Lines that are no frame (the
 * end mark "[<ffffffffffffffff>] 0xffffffffffffffff" of kernels up to 4.x, junk) make no
 * frame. Returns 1 when every line was understood, 0 when some were not (the others are
 * in ret), -ENOMEM. The strings of the frames live in the arena. Does not set text, id.
 */
int stacktext_parse(struct arena *a, const char *text, size_t len, struct stack *ret);

/*
 * Length of a symbol's name without what compilers append to copies of a function:
 * ".isra.0", ".constprop.0", ".part.0", ".cold", ".llvm.123", in any combination.
 */
size_t symbol_base_length(const char *symbol);

/*
 * Does a symbol match a list "name|name|prefix*"? Compiler suffixes of the symbol do not
 * count. Wrappers of system calls match by their bare name written as "sys:accept":
 * sys_accept, SyS_accept, SYSC_accept, __x64_sys_accept, __ia32_sys_accept,
 * __ia32_compat_sys_accept, compat_sys_accept, compat_SyS_accept, __arm64_sys_accept,
 * __arm64_compat_sys_accept, __se_sys_accept, __do_sys_accept, __se_compat_sys_accept.
 */
bool symbol_matches(const char *symbol, const char *list);

/*
 * Name of the system call whose wrapper a symbol is, to be read up to the end that
 * symbol_base_length() gives it; NULL if it is none.
 */
const char *symbol_syscall(const char *symbol);

/* Is one of a list's functions on a stack? Frames marked as unreliable do not count. */
bool stack_has(const struct stack *stack, const char *list);
