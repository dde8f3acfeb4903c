/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the arguments of a system call point to, as far as explaining needs it. */
#pragma once

struct arena;
struct pagecache;
struct procio;
struct thread;

/*
 * Fill call->memory of a thread in a call that has a name, by the letters of its description
 * (resolve/syscall.h); an i386 socketcall becomes the call inside. Never blocks on the target
 * for longer than the watch allows. A refusal sets call->memory_refused and returns its
 * negative errno; 0 otherwise.
 */
int callmem_read(
        struct procio *io, struct arena *a, struct pagecache *futexes, struct thread *t, int dir);
