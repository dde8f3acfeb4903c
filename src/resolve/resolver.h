/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resolver: from a captured thread to what its system call works on. It is called for each
 * process and thread between the two readings of the switch count (struct within of
 * capture/source.h has these functions), and once at the end for what is asked all at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fdscan;
struct object;
struct locks;
struct process;
struct procio;
struct resolver;
struct snapshot;
struct socket_query;
struct thread;
struct tids;

/* queries: head of the list of sockets still to be asked for, in the arena. -ENOMEM. */
int resolver_new(struct procio *io, struct snapshot *s, struct socket_query **queries,
        struct resolver **ret_resolver);
void resolver_free(struct resolver *r);

/* arg is the resolver; dir the process's directory fd. */
void resolver_process(void *arg, struct process *p, int dir);
void resolver_thread(void *arg, struct thread *t, int dir);

/* After all threads: the sockets, the daemons of FUSE file systems. */
void resolver_finish(struct resolver *r);

/* For call.c: the object of an fd of the thread in hand. NULL: no such fd, or refused. */
struct object *resolver_fd(struct resolver *r, int fd);
struct process *resolver_process_of(struct resolver *r);
int resolver_dir(const struct resolver *r);        /* directory fd of that process */
struct locks **resolver_locks(struct resolver *r); /* kept for locks.c; NULL at first */
/* A file of its process's directory; NULL. Lasts until the next read. */
const char *resolver_file(struct resolver *r, const char *path);
/* A link of its process's directory: its length, or -errno. Lasts until the next read. */
ssize_t resolver_path(struct resolver *r, const char *path, const char **ret_text);
/*
 * stack_has() of a thread's stack. The answers are kept, since many threads share a stack; so
 * each question has its list, always the same.
 */
enum stack_question { STACK_FREEZER, STACK_MEMORY, STACK_FILES };
bool resolver_stack_has(
        struct resolver *r, const struct thread *t, enum stack_question question, const char *list);
struct procio *resolver_io(struct resolver *r);
struct snapshot *resolver_snapshot(struct resolver *r);
/* What all processes have open; read when it is first asked for. NULL: no memory. */
const struct fdscan *resolver_fdscan(struct resolver *r);
/* Memory that the thread in hand waits on, or what is around it: as procio_memory(). */
ssize_t resolver_futex(struct resolver *r, uint64_t address, void *buffer, size_t len);
struct tids **resolver_tids(struct resolver *r); /* kept for tids.c; NULL at first */
