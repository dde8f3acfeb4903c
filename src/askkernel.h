/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker asks the program inside the kernel by itself: about threads that it has captured
 * already, and, where loading it was put off (session_is_later()), whether it has to be loaded.
 *
 * That takes as long as everything else that is done for one thread. Most wait where files tell as
 * much: they are looked at from files alone. Should the way up a user stack need a register that
 * /proc does not tell, the program is loaded for that, and nothing else is read again.
 */
#pragma once

#include "unwind/unwinder.h"

struct job;
struct procio;

/* Before the capture of what was selected. 0 or -ENOMEM. */
int askkernel_decide(struct job *j, struct procio *io);

/* For the unwinder; valid as long as the job. */
struct recheck askkernel_recheck(struct job *j);
