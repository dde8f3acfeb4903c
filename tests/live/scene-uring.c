/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread that waits for a completion of its io_uring; by raw system calls. */
#include "scene.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Queues a read of fd; nothing has been told to the kernel when it returns. */
static void read_queue(int ring, const struct io_uring_params *p, int fd, void *buffer)
{
        size_t size = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
        char *sq = MUST_MAP(
                mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING));
        struct io_uring_sqe *sqes = MUST_MAP(mmap(NULL, p->sq_entries * sizeof(*sqes),
                PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES));
        _Atomic uint32_t *tail = (void *)(sq + p->sq_off.tail);
        uint32_t *array = (void *)(sq + p->sq_off.array);
        uint32_t mask = *(uint32_t *)(void *)(sq + p->sq_off.ring_mask), at = *tail & mask;

        memset(&sqes[at], 0, sizeof(sqes[at]));
        sqes[at].opcode = IORING_OP_READ;
        sqes[at].fd = fd;
        sqes[at].addr = (uintptr_t)buffer;
        sqes[at].len = 1;
        array[at] = at;
        *tail += 1;
}

static void uring_wait(struct stage *st, int how)
{
        struct io_uring_params params = { 0 };
        int ring = (int)NEED(st, syscall(SYS_io_uring_setup, 4, &params)), fds[2];
        pid_t pid;

        (void)how;
        MUST(pipe2(fds, O_CLOEXEC));
        pid = child_start(st);
        if (pid == 0) {
                static char byte;

                close(fds[1]);
                read_queue(ring, &params, fds[0], &byte);
                syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
                child_end();
        }
        wait_call(st, pid, SYS_io_uring_enter, -1);
        stage_ready(st, pid, pid, "fd=%d pipe=%d peer=%d", ring, fds[0], st->pid);
}

const struct scene scenes_uring[] = {
        { "io-uring-wait", uring_wait, 0, "io_uring_enter(2), a read of an empty pipe queued" },
        { NULL, NULL, 0, NULL },
};
