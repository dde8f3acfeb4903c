/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actors that wait for locks in memory, and for each other's threads. */
#include "tangle.h"

#include <sys/wait.h>
#include <unistd.h>

static bool chain; /* the last one wants nothing */

static void *mutex_actor(void *arg)
{
        int i = (int)(intptr_t)arg;

        pthread_mutex_lock(&shared->mutex[i]);
        arrive(i);
        all_arrived(n);
        if (chain && i == n - 1)
                rest();
        pthread_mutex_lock(&shared->mutex[(i + 1) % n]);
        return NULL;
}

static pthread_rwlock_t rwlocks[N_MAX];

/* Every other one wants to read, which whoever writes prevents as well. */
static void *rwlock_actor(void *arg)
{
        int i = (int)(intptr_t)arg, next = (i + 1) % n;

        pthread_rwlock_wrlock(&rwlocks[i]);
        arrive(i);
        all_arrived(n);
        if (i % 2)
                pthread_rwlock_rdlock(&rwlocks[next]);
        else
                pthread_rwlock_wrlock(&rwlocks[next]);
        return NULL;
}

void rwlocks_ring(void)
{
        if (child())
                return;
        for (int i = 0; i < n; i++) {
                pthread_rwlock_init(&rwlocks[i], NULL);
                thread(rwlock_actor, i);
        }
        rest();
}

void mutexes_init(int count, bool processes)
{
        pthread_mutexattr_t attr;

        pthread_mutexattr_init(&attr);
        pthread_mutexattr_setpshared(
                &attr, processes ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
        for (int i = 0; i < count; i++)
                pthread_mutex_init(&shared->mutex[i], &attr);
}

/* Mutexes of threads or of processes. */
void mutexes(bool ring, bool processes)
{
        chain = !ring;
        mutexes_init(n, processes);
        if (!processes && child())
                return;
        for (int i = 0; i < n; i++) {
                if (!processes)
                        thread(mutex_actor, i);
                else if (child() == 0)
                        mutex_actor((void *)(intptr_t)i);
        }
        if (!processes)
                rest();
}

/*
 * A chain in which each waits in another way: for data of a pipe, for a file lock, for a child, for
 * a thread to end, for a mutex, and that one's holder rests.
 */
static void *kinds_thread(void *arg)
{
        int i = (int)(intptr_t)arg;

        if (i == 5) {
                pthread_mutex_lock(&shared->mutex[0]);
                arrive(5);
                rest();
        }
        all_arrived(1);
        arrive(4);
        pthread_mutex_lock(&shared->mutex[0]);
        return NULL;
}

void kinds(void)
{
        pthread_t joined;
        char byte;
        int end[2];
        pid_t pid;

        MUST(pipe(end));
        mutexes_init(1, false);
        if (child() == 0) {
                close(end[1]);
                arrive(0);
                (void)!read(end[0], &byte, 1);
                _exit(1);
        }
        if (child() == 0) {
                close(end[0]);
                while (!__atomic_load_n(&shared->pid[2], __ATOMIC_ACQUIRE))
                        usleep(1000);
                arrive(1);
                file_lock(file_open(0), false);
                _exit(1);
        }
        close(end[0]);
        close(end[1]);
        if (child())
                return;
        file_lock(file_open(0), false); /* close-on-exec does not matter: the child closes all */
        pid = child();
        if (pid == 0) {
                for (int fd = 3; fd < 64; fd++)
                        close(fd);
                thread(kinds_thread, 5);
                while (!__atomic_load_n(&shared->pid[5], __ATOMIC_ACQUIRE))
                        usleep(1000);
                if (pthread_create(&joined, NULL, kinds_thread, (void *)4))
                        _exit(1);
                arrive(3);
                pthread_join(joined, NULL);
                _exit(1);
        }
        arrive(2);
        waitpid(pid, NULL, 0);
        _exit(1);
}
