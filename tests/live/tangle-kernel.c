/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains and rings through locks of the kernel. The faulter is in the middle of a system call with
 * such a lock held, at a page that the handler would have to fill (userfaultfd(2)); what the
 * handler waits for closes the ring, or ends the chain.
 */
#include "tangle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum held { PIPE, POSITION, INODE }; /* which lock of the kernel: of a pipe, a position, a file */

enum end { /* what the handler waits for, who else there is */
        RESTS,
        SELF,         /* the very lock that the faulter has */
        ESCAPE,       /* the same, but somebody else has the handler's descriptor */
        BEHIND_MUTEX, /* a mutex in memory of one who waits for that lock */
        BEHIND_FLOCK,
        BEHIND_PIPE,
        LONG,   /* a file lock of somebody who rests; and one more waits for a mutex of the first */
        REMOTE, /* nothing; the first reads the faulter's memory, and has a userfaultfd of its own
                 */
        THREADS, /* all are threads of a process, whose main thread has the mutex and joins */
};

static const struct kernel_shape {
        const char *name;
        enum held held;
        enum end end;
        int n_actors;
} shapes[] = {
        { "kernel-chain", PIPE, RESTS, 3 },
        { "kernel-chain-position", POSITION, RESTS, 3 },
        { "kernel-chain-inode", INODE, RESTS, 3 },
        { "kernel-chain-long", PIPE, LONG, 5 },
        { "kernel-remote", PIPE, REMOTE, 2 },
        { "kernel-ring-self", PIPE, SELF, 2 },
        { "kernel-ring-position", POSITION, SELF, 2 },
        { "kernel-ring-inode", INODE, SELF, 2 },
        { "kernel-ring-mutex", PIPE, BEHIND_MUTEX, 3 },
        { "kernel-ring-flock", INODE, BEHIND_FLOCK, 3 },
        { "kernel-ring-pipe", PIPE, BEHIND_PIPE, 3 },
        { "kernel-ring-threads", PIPE, THREADS, 3 },
        { "kernel-ring-escape", PIPE, ESCAPE, 3 },
};

static struct {
        const struct kernel_shape *shape;
        int fds[2];   /* what the faulter writes to, or reads; the same for the others */
        int other[2]; /* a pipe to wait for */
        char *page;
        int handler; /* the userfaultfd */
} scene;

static void step_wait(int step)
{
        while (__atomic_load_n(&shared->step, __ATOMIC_ACQUIRE) < step)
                usleep(1000);
}

static void step_next(void)
{
        __atomic_add_fetch(&shared->step, 1, __ATOMIC_RELEASE);
}

/* A page of this process; a fault inside the kernel needs privileges. */
static void page_set(void)
{
        struct uffdio_api api = { .api = UFFD_API };
        struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
        size_t size = (size_t)sysconf(_SC_PAGESIZE);

        scene.handler = (int)MUST(syscall(SYS_userfaultfd, O_CLOEXEC));
        MUST(ioctl(scene.handler, UFFDIO_API, &api));
        scene.page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        range.range.start = (uintptr_t)scene.page;
        range.range.len = size;
        MUST(ioctl(scene.handler, UFFDIO_REGISTER, &range));
}

/* The call that takes the lock; of bytes that are there, or of the page. */
static void lock_take(int which, char *bytes, size_t len)
{
        int fd = scene.fds[which];

        (void)!(scene.shape->held == POSITION ? read(fd, bytes, len) : write(fd, bytes, len));
        _exit(1);
}

static void fds_open(void)
{
        int fds[2];

        if (scene.shape->held == PIPE) {
                MUST(pipe(fds));
                scene.fds[0] = scene.fds[1] = fds[1];
        } else {
                scene.fds[0] = file_open(0);
                MUST(ftruncate(scene.fds[0], 4096));
                /* A position is of an open file; the lock of a file, of all that have it open. */
                scene.fds[1] = scene.shape->held == POSITION ? scene.fds[0] : file_open(0);
        }
        MUST(pipe(scene.other));
}

static void *faulter(void *actor)
{
        arrive((int)(intptr_t)actor);
        lock_take(0, scene.page, 64);
        return NULL;
}

/* Behind the faulter, with something that the others may want. */
static void behind(int actor)
{
        char byte = 0;

        if (scene.shape->end == BEHIND_MUTEX || scene.shape->end == LONG)
                pthread_mutex_lock(&shared->mutex[0]);
        if (scene.shape->end == BEHIND_FLOCK)
                file_lock(file_open(1), false);
        close(scene.other[0]);
        step_wait(1);
        arrive(actor);
        step_next();
        lock_take(1, &byte, 1);
}

static void *handler(void *actor)
{
        struct uffd_msg message;
        char byte = 0;

        /* From here on, the faulter has the lock. */
        MUST(read(scene.handler, &message, sizeof(message)));
        step_next();
        if (scene.shape->n_actors > 2 && scene.shape->end != THREADS && scene.shape->end != ESCAPE)
                step_wait(2);
        arrive((int)(intptr_t)actor);
        switch (scene.shape->end) {
        case SELF:
        case ESCAPE:
                lock_take(1, &byte, 1);
                break;
        case BEHIND_MUTEX:
        case THREADS:
                pthread_mutex_lock(&shared->mutex[0]);
                break;
        case BEHIND_FLOCK:
        case LONG:
                file_lock(file_open(1), false);
                break;
        case BEHIND_PIPE:
                (void)!read(scene.other[0], &byte, 1);
                break;
        case RESTS:
        case REMOTE:
                break;
        }
        rest();
}

/* The handler gets a fault of another process, which reads the memory that it serves. */
static void remote_run(void)
{
        char *page, byte;
        pid_t pid;

        page_set();
        page = scene.page;
        pid = getpid();
        if (child() == 0) {
                struct uffd_msg message;

                MUST(read(scene.handler, &message, sizeof(message)));
                arrive(1);
                rest();
        }
        if (child() == 0) {
                struct iovec local = { &byte, 1 }, remote = { page, 1 };

                close(scene.handler);
                page_set();
                arrive(0);
                process_vm_readv(pid, &local, 1, &remote, 1, 0);
                _exit(1);
        }
        close(scene.handler);
        rest();
}

static void threads_run(void)
{
        pthread_t first, second;

        if (child())
                return;
        pthread_mutex_lock(&shared->mutex[0]);
        page_set();
        pthread_create(&first, NULL, faulter, (void *)0);
        pthread_create(&second, NULL, handler, (void *)1);
        step_wait(1);
        arrive(2);
        pthread_join(first, NULL);
        _exit(1);
}

/* The handler has the descriptor alone, but for one who escapes. */
static void faulter_run(int actor)
{
        page_set();
        if (child() == 0) {
                close(scene.other[1]);
                handler((void *)(intptr_t)(actor + 1));
        }
        if (scene.shape->end == ESCAPE && child() == 0) {
                arrive(actor + 2);
                rest();
        }
        close(scene.handler);
        close(scene.other[1]);
        faulter((void *)(intptr_t)actor);
}

bool kernel_form(const char *name, int *ret_actors)
{
        for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
                if (strcmp(name, shapes[i].name) != 0)
                        continue;
                *ret_actors = shapes[i].n_actors;
                scene.shape = &shapes[i];
                return true;
        }
        return false;
}

void kernel_run(void)
{
        const enum end end = scene.shape->end;
        const int first = end == LONG;

        mutexes_init(1, end != THREADS);
        fds_open();
        if (end == THREADS) {
                threads_run();
                return;
        }
        if (end == REMOTE) {
                if (child() == 0)
                        remote_run();
                return;
        }
        if (end == LONG && child() == 0) { /* the end of the chain */
                file_lock(file_open(1), false);
                arrive(4);
                rest();
        }
        if (end == LONG)
                all_arrived(1);
        if (end != SELF && end != ESCAPE && child() == 0)
                behind(first);
        if (end == LONG && child() == 0) { /* its beginning */
                step_wait(2);
                arrive(0);
                pthread_mutex_lock(&shared->mutex[0]);
                _exit(1);
        }
        if (child() == 0)
                faulter_run(first + (end != SELF && end != ESCAPE));
        close(scene.other[0]);
        close(scene.other[1]);
}
