/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What file system the file of a call is on, and who answers for it: asked of threads that wait
 * in a file system only. Mounts are read once for each view of them (mount namespace and root).
 *
 * Nothing here touches the file systems themselves: they are what may not answer.
 */
#pragma once

struct resolver;
struct storage;
struct thread;

int storage_new(struct storage **ret_storage); /* -ENOMEM */
void storage_free(struct storage *s);

/*
 * File type bits (S_IFMT) of an fd of the thread, from its fdinfo, where they must not be asked
 * for; 0: not known then. Negative: may be asked for.
 */
int storage_mode(struct storage *s, struct resolver *r, const struct thread *t, const char *fdinfo);

/* fs, source, mount, device of the objects of its call; the automounter as their owner. */
void storage_thread(struct storage *s, struct resolver *r, struct thread *t);
