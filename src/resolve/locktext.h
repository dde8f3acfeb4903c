/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File locks as the kernel writes them (fs/locks.c, lock_get_status()): one a line in
 * /proc/locks, whoever waits for it below it, and one a line of fdinfo ("lock:", since 4.1)
 * for what was locked by that fd.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum lock_type { LOCK_FLOCK, LOCK_POSIX, LOCK_OFD, LOCK_LEASE };

#define LOCK_EOF INT64_MAX /* the last byte of a lock that grows with its file */

struct lock_line {
        enum lock_type type;
        bool blocked;  /* of a waiter */
        bool breaking; /* a lease that its holder is asked to give up */
        bool write;
        pid_t pid;     /* of whom asked; 0, negative: another namespace, an OFD lock, a host */
        bool has_file; /* "<none>": who breaks a lease has no file yet */
        uint32_t major, minor;
        uint64_t inode;
        int64_t start, end; /* the last byte, too */
        size_t root;        /* of a waiter: index of the lock at the top of its tree */
};

/* One line without its newline; false: no lock. */
bool lock_line_parse(const char *line, size_t len, struct lock_line *ret);

/*
 * All of /proc/locks; a last line without its end was cut and does not count. What waits for
 * a lock whose own line is missing is left out. At most max. -ENOMEM. To be freed.
 */
int lock_lines_parse(
        const char *text, size_t len, size_t max, struct lock_line **ret_lines, size_t *ret_n);

/* The next "lock:" line of a fdinfo from *cursor on; false: no more. */
bool lock_info_next(const char **cursor, struct lock_line *ret);

bool lock_same_file(const struct lock_line *a, const struct lock_line *b);

/* Of the same file: can one not be had while the other is held? */
bool lock_conflicts(const struct lock_line *a, const struct lock_line *b);
