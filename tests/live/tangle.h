/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tangle.c and tangle-kernel.c share: actors, and how they find each other. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define N_MAX 1024

struct tangle {
        int n_ready; /* actors that have what others want */
        int step;    /* of a form whose actors come one after the other */
        pid_t pid[N_MAX + 1], tid[N_MAX + 1];
        pthread_mutex_t mutex[N_MAX + 1];
};

extern struct tangle *shared; /* memory of all actors */
extern int n;                 /* actors of the form */

long must(long r, const char *what);
#define MUST(call) must((long)(call), #call)

/* Actor i is this thread, and has what others want of it. */
void arrive(int i);
void all_arrived(int count);

/* A child that dies with its parent; 0 in there. */
pid_t child(void);
void thread(void *(*run)(void *), intptr_t arg);
_Noreturn void rest(void);

int file_open(int i);
void file_lock(int fd, bool posix);
void mutexes_init(int count, bool processes);

/* Forms of tangle-threads.c. */
void mutexes(bool ring, bool processes);
void rwlocks_ring(void);
void kinds(void);

/* The forms whose names begin with "kernel-": chosen if there is one of that name; and made. */
bool kernel_form(const char *name, int *ret_actors);
void kernel_run(void);
