/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of a process's memory that hold its futexes. Thousands of threads wait for the locks of one
 * page: while all of them hold still, it is read once.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pagecache;
struct procio;

struct pagecache *pagecache_new(void); /* NULL: no memory; then nothing is kept */
void pagecache_free(struct pagecache *c);

/* What was read before may have changed since. */
void pagecache_clear(struct pagecache *c);

/* procio_memory(), of live processes page by page. c may be NULL. */
ssize_t pagecache_read(struct pagecache *c, struct procio *io, int process_dir, pid_t pid,
        uint64_t address, void *buffer, size_t len);
