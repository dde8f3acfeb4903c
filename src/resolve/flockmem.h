/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fcntl's third argument is a pointer only for the lock commands: a struct flock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;

struct flock_words { /* as the caller wrote it, of any ABI */
        int type;    /* F_RDLCK … */
        int whence;  /* SEEK_SET … */
        int64_t start, len;
};

struct flock_wanted { /* what it asks for */
        bool write;
        bool has_range;     /* not of one that counts from the file's end */
        int64_t start, end; /* the last byte, too; INT64_MAX: however long the file gets */
};

/* Bytes of the caller's struct flock; 0: this is no fcntl, or not of a lock. */
size_t flock_size(const struct call *c);

/* F_SETLKW and its like? */
bool flock_command_waits(const struct call *c);

/* From call->memory; false: it was not read. */
bool flock_words_read(const struct call *c, struct flock_words *ret);

/* position: of the file, for SEEK_CUR. */
bool flock_wanted(const struct call *c, uint64_t position, struct flock_wanted *ret);
