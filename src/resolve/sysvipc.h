/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System V semaphores and message queues. Enters: a thread in semop, msgsnd or msgrcv. Leaves:
 * an object with the identifier, and what the kernel tells about it, which it does for our own
 * IPC namespace only. Nobody is an owner: who used it last need not be who uses it next.
 */
#pragma once

struct resolver;
struct thread;

void sysvipc_resolve(struct resolver *r, struct thread *t);
