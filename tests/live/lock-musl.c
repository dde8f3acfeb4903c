/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program of another C library, musl: its main thread holds a mutex of the kind that the
 * argument names, and a thread waits for it. Prints that thread's TID. Run by scene-mutex.c.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <signal.h>
#include <unistd.h>

static pthread_mutex_t mutex;

static void *waiter_main(void *arg)
{
        printf("%ld %p\n", syscall(SYS_gettid), (void *)&mutex);
        fflush(stdout);
        pthread_mutex_lock(&mutex);
        return arg;
}

int main(int argc, char **argv)
{
        const char *kind = argc > 1 ? argv[1] : "";
        pthread_mutexattr_t attr;
        pthread_t thread;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_mutexattr_init(&attr);
        if (strstr(kind, "recursive"))
                pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
        if (strstr(kind, "errorcheck"))
                pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
        if (strstr(kind, "robust"))
                pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
        if (strstr(kind, "inherit"))
                pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
        if (strstr(kind, "shared"))
                pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        if (pthread_mutex_init(&mutex, &attr) != 0 || pthread_mutex_lock(&mutex) != 0 ||
                pthread_create(&thread, NULL, waiter_main, NULL) != 0)
                return 1;
        for (;;)
                pause();
}
