/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second witness of who holds a lock: the list of robust locks that each thread has told the
 * kernel (get_robust_list(2)), for it to walk when the thread dies. Asking needs ptrace access.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model.h"

struct resolver;

/* Head of a thread's list; 0: none, or not told. */
uint64_t robust_head(struct resolver *r, pid_t tid);

/*
 * Does the thread hold a lock whose futex word is there in its memory? TRUE 1, FALSE 0, and -1
 * where its list could not be had or read to its end.
 */
int robust_holds(struct resolver *r, pid_t pid, pid_t tid, enum abi abi, uint64_t word);
