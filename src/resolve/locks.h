/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds the file lock that a thread waits for. Enters: a thread in flock, fcntl or a call
 * that breaks a lease, its call's object found. Leaves: that object, of its own then, with the
 * bytes and the owners. Only holders whose fdinfo shows the lock are named.
 */
#pragma once

struct locks; /* what was read so far: kept in the resolver */
struct resolver;
struct thread;

void locks_free(struct locks *l);

void locks_resolve(struct resolver *r, struct thread *t);
