/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls by number: their names and what their arguments are, for x86-64, i386 and
 * arm64. The tables are data (syscalls.def, syscalls-i386.def), one letter an argument:
 *
 *   i int              u unsigned, size      l signed long       x flags, in hexadecimal
 *   o octal mode       p pointer             s pointer to a path or string
 *   f fd               F directory fd (AT_FDCWD)
 *   n signal number    P process or thread id
 *   S pointer to a socket address (its length is the next argument)
 *   t pointer to a timespec of the caller's ABI   6 pointer to a 64-bit timespec
 *   v pointer to a timeval of the caller's ABI    m timeout in milliseconds, negative: none
 *   L pointer to an array of pollfd (its length is the next argument)
 *   e pointer to an fd_set (the first argument bounds it)
 *   G pointer to a signal set  w pointer to a futex word  O futex operation
 *   c clock id         W idtype of waitid    H pointer to a struct msghdr
 *   B pointer to an array of struct sembuf (its length is the next argument)
 *   K pointer to a struct flock if fcntl's command is one of locks, else a number
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

/* Arrays, not pointers: the table then needs no relocation. */
struct syscall_desc {
        char name[29]; /* as in syscalls(2): "accept4" */
        char args[7];  /* one letter an argument, at most six */
};

/* NULL when the number is not in the table of that ABI. x32 numbers are looked up bare. */
const struct syscall_desc *syscall_find(enum abi abi, long nr);

/* The number of a name, -1 when there is none in that ABI. Slow; for tests and loading. */
long syscall_number(enum abi abi, const char *name);

/* Index of the n-th (from 0) argument of that letter, -1 when there is none. */
int syscall_arg(const struct syscall_desc *desc, char letter, int n);

/* Is the call one of "accept|accept4"? False when it has no name. */
bool call_is(const struct call *call, const char *names);

/*
 * "accept(3, 0x7ffc1234, 0x7ffc1230)": constants by name where they say something (futex
 * operations, AT_FDCWD, signals, clocks, WAIT idtypes, -1), what pointers point to where
 * call->memory holds it (paths escaped and bounded, timespecs as {tv_sec=…, tv_nsec=…},
 * socket addresses, pollfd arrays up to a few, signal sets). An unknown number becomes
 * "syscall 1234(0x1, …)". In the arena; NULL when the thread is in no call.
 */
const char *call_format(struct arena *a, const struct call *call);

/* ABI of 64-bit programs on a machine called by uname(2) "x86_64", "aarch64". */
enum abi abi_from_machine(const char *machine);
