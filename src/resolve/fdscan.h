/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has what open: the tables of fds of all processes, read once for a snapshot, and only if a
 * wait needs it. Links alone, which touch no file; what else must be known of an fd is asked by
 * whoever needs it, of the few that are left.
 *
 * "Whole" means that nobody can have been missed: then who is found here are all. It takes root
 * outside of any PID namespace. What is in no table is never seen: a descriptor on its way in a
 * unix socket, a file that the kernel itself has open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct procio;
struct snapshot;

enum fd_class {     /* of what can be looked for */
        FD_PIPE,    /* number: inode */
        FD_SOCKET,  /* number: inode */
        FD_EVENTFD, /* from here on all have number 0 */
        FD_EPOLL,
        FD_USERFAULT,
        FD_SECCOMP,
        FD_FANOTIFY,
        FD_ANON_LAST = FD_FANOTIFY, /* so far what the kernel tells by itself */
        FD_FUSE,
        FD_PTMX,
        FD_PTS,  /* number: that of the terminal */
        FD_PATH, /* anything else with a path */
        FD_CLASSES,
};

struct fd_entry {
        uint64_t number;
        uint32_t name; /* of FD_PATH: fdscan_name() of the link */
        enum fd_class class;
        pid_t pid, tid; /* a thread that has this table: the main one, or one with its own */
        int fd;
};

struct fdscan {
        struct fd_entry *entries; /* sorted by class, number, pid, fd */
        size_t n, room;
        int64_t at_ns;     /* CLOCK_MONOTONIC, at its beginning */
        size_t n_links;    /* looked at */
        bool by_kernel;    /* it was asked for all at once */
        bool cut;          /* there are more fds than were read */
        bool refused;      /* tables of others' processes, or their links */
        bool half_refused; /* of some the kernel told what it tells by itself, and no paths */
        bool blind;        /* processes out of sight: another PID namespace, hidepid, a recording */
};

/*
 * One pass. After so many links and threads looked at in /proc the kernel is asked for all at once,
 * where it can be (capture/fileiter.h), which has its price, too; 0: from the beginning. It is in
 * the snapshot's arena. -ENOMEM.
 */
#define FDSCAN_PATIENCE 1000
int fdscan_new(
        struct procio *io, struct snapshot *s, size_t patience, const struct fdscan **ret_scan);

bool fdscan_whole(const struct fdscan *scan);
/* The same for one class: what takes no path may be known where nothing else is. */
bool fdscan_whole_of(const struct fdscan *scan, enum fd_class class);

/* All of that class and number, one behind the other. */
const struct fd_entry *fdscan_find(
        const struct fdscan *scan, enum fd_class class, uint64_t number, size_t *ret_n);
const struct fd_entry *fdscan_class(const struct fdscan *scan, enum fd_class class, size_t *ret_n);

/* Of a path: a hash of what is behind its last slash. */
uint32_t fdscan_name(const char *path);

/* Class and number of what an fd's link says; false: nothing that is looked for. */
bool fdscan_link(const char *link, struct fd_entry *ret);
