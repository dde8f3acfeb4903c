// SPDX-License-Identifier: GPL-2.0-or-later
// lock-cxx KIND N: the main thread has a lock of C++'s standard library, N others wait for it; or
// N threads wait on an object that nobody has. Prints "ready"; lives until the end of its input.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <pthread.h>
#include <semaphore.h>
#include <shared_mutex>
#include <thread>
#include <unistd.h>

static std::mutex plain;
static std::recursive_mutex recursive;
static std::timed_mutex timed;
static std::shared_mutex shared;
static std::condition_variable condition;
static sem_t semaphore;
static pthread_barrier_t barrier;

static void take(const char *kind)
{
        if (!strcmp(kind, "mutex"))
                plain.lock();
        else if (!strcmp(kind, "recursive_mutex"))
                recursive.lock();
        else if (!strcmp(kind, "timed_mutex"))
                timed.lock();
        else
                shared.lock();
}

static void wait(const char *kind)
{
        if (!strcmp(kind, "shared_lock")) {
                shared.lock_shared();
        } else if (!strcmp(kind, "condition")) {
                std::unique_lock lock(plain);
                condition.wait(lock, [] { return false; });
        } else if (!strcmp(kind, "semaphore")) {
                while (sem_wait(&semaphore) < 0)
                        ;
        } else if (!strcmp(kind, "barrier")) {
                pthread_barrier_wait(&barrier);
        } else {
                take(kind);
        }
}

int main(int argc, char **argv)
{
        int n = argc == 3 ? atoi(argv[2]) : 0;

        if (n < 1)
                return 2;
        sem_init(&semaphore, 0, 0);
        pthread_barrier_init(&barrier, nullptr, n + 1);
        if (strcmp(argv[1], "condition") && strcmp(argv[1], "semaphore") && strcmp(argv[1], "barrier"))
                take(argv[1]);
        for (int i = 0; i < n; i++)
                std::thread(wait, argv[1]).detach();
        puts("ready");
        fflush(stdout);
        for (char byte; read(0, &byte, 1) > 0;)
                ;
        _exit(0);
}
