/* SPDX-License-Identifier: GPL-2.0-or-later */
/* English for locks inside the kernel: which one it is, and who has it. */
#pragma once

#include <stddef.h>

struct object;
struct thread;

#define LOCKWORDS_MAX 512

/* "the lock of a pipe", by the function that wants it; "a mutex in the kernel" */
void lockwords_lock(const struct thread *t, const struct object *o, char ret[static LOCKWORDS_MAX]);

/* ", held by backup (pid 91, thread 93)", ", held by thread 93 of the same process", or nothing */
void lockwords_held(const struct thread *t, const struct object *o, char ret[static LOCKWORDS_MAX]);
