/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait for a user-space program to answer a page fault, and what follows when
 * one does so with a kernel lock held.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

enum how { TOUCH, WRITE, BEHIND, POSITION, INODE };

struct trap {
        int fd;
        volatile char *page;
        int pipe[2];
        int file, again; /* the same file, opened twice; -1: none is needed */
};

static struct trap trap; /* of the actor's process */

/* A page that only the holder of the fd could fill. */
static void trap_set(struct stage *st, int how)
{
        struct uffdio_api api = { .api = UFFD_API };
        struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
        size_t size = (size_t)sysconf(_SC_PAGESIZE);

        /* Without privileges, only faults of user space may be caught. */
        trap.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
        if (trap.fd < 0 && (errno != EPERM || how != TOUCH))
                stage_skip(st, "userfaultfd(2): %s", strerror(errno));
        if (trap.fd < 0)
                trap.fd = (int)NEED(st, syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
        NEED(st, ioctl(trap.fd, UFFDIO_API, &api));
        trap.page = MUST_MAP(
                mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        range.range.start = (uintptr_t)trap.page;
        range.range.len = size;
        MUST(ioctl(trap.fd, UFFDIO_REGISTER, &range));
        MUST(pipe2(trap.pipe, O_CLOEXEC));
        trap.file = trap.again = -1;
        if (how == POSITION || how == INODE) {
                const char *path = stage_path(st, "locked");

                trap.file = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
                MUST(ftruncate(trap.file, (off_t)size));
                trap.again = (int)MUST(open(path, O_RDWR | O_CLOEXEC));
        }
}

static void *touch_main(void *arg)
{
        (void)arg;
        (void)trap.page[0];
        child_end();
}

static void *write_main(void *arg)
{
        (void)arg;
        (void)!write(trap.pipe[1], (const void *)trap.page, 64);
        child_end();
}

static void *behind_main(void *arg)
{
        (void)arg;
        (void)!write(trap.pipe[1], "x", 1);
        child_end();
}

/* In the middle of that, the file's position is locked, and while writing, the file. */
static void *file_main(void *arg)
{
        if (*(int *)arg == POSITION)
                (void)!read(trap.file, (void *)trap.page, 64);
        else
                (void)!write(trap.file, (const void *)trap.page, 64);
        child_end();
}

static void *file_behind_main(void *arg)
{
        char byte = 0;

        if (*(int *)arg == POSITION)
                (void)!read(trap.file, &byte, 1);
        else
                (void)!write(trap.again, &byte, 1);
        child_end();
}

static void fault_actor(struct stage *st, int how)
{
        pid_t tid;

        trap_set(st, how);
        shared_set(st, 1, (uint64_t)trap.fd);
        shared_set(st, 2, (uintptr_t)trap.page);
        shared_set(st, 3,
                (uint64_t)(how == POSITION ? trap.file
                           : how == INODE  ? trap.again
                                           : trap.pipe[1]));
        shared_set(st, 4, fd_inode((int)shared_get(st, 3)));
        tid = thread_start(how == TOUCH     ? touch_main
                           : trap.file >= 0 ? file_main
                                            : write_main,
                &how, NULL, NULL);
        shared_set(st, 0, (uint64_t)tid);
        if (how >= BEHIND) {
                /* Not before the other has the lock. */
                wait_call(st, tid, how == POSITION ? SYS_read : SYS_write, -1);
                tid = thread_start(
                        how == BEHIND ? behind_main : file_behind_main, &how, NULL, NULL);
                shared_set(st, 5, (uint64_t)tid);
        }
        for (;;)
                pause();
}

static void fault_run(struct stage *st, int how)
{
        pid_t pid = child_start(st), faulter, behind;
        int call = how == POSITION ? SYS_read : SYS_write;

        if (pid == 0)
                fault_actor(st, how);
        faulter = (pid_t)shared_wait(st, 0);
        if (how == TOUCH)
                wait_outside(st, faulter);
        else
                wait_call(st, faulter, call, -1);
        if (how >= BEHIND) {
                behind = (pid_t)shared_wait(st, 5);
                wait_call(st, behind, call, -1);
                wait_state(st, behind, "D");
                stage_ready(st, pid, behind, "fd=%d inode=%lu holder=%d", (int)shared_get(st, 3),
                        shared_get(st, 4), faulter);
                return;
        }
        stage_ready(st, pid, faulter, "uffd=%d address=0x%lx pipe=%d", (int)shared_get(st, 1),
                shared_get(st, 2), (int)shared_get(st, 3));
}

/* What decides about accept(2): "ask whoever holds the listener's fd". */
static int notifier_install(struct stage *st)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = 4, .filter = code };

        MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        return (int)NEED(st, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                     SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

static void *accept_main(void *arg)
{
        accept(*(int *)arg, NULL, NULL);
        child_end();
}

/* It never gets to the socket. */
static void seccomp_accept(struct stage *st, int how)
{
        int socket_fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        pid_t pid, tid;

        (void)how;
        MUST(listen(socket_fd, 1));
        pid = child_start(st);
        if (pid == 0) {
                shared_set(st, 1, (uint64_t)notifier_install(st));
                shared_set(st, 0, (uint64_t)thread_start(accept_main, &socket_fd, NULL, NULL));
                for (;;)
                        pause();
        }
        tid = (pid_t)shared_wait(st, 0);
        wait_call(st, tid, SYS_accept, -1);
        stage_ready(st, pid, tid, "listener=%d socket=%d", (int)shared_get(st, 1), socket_fd);
}

/* One file, whose opening the stage would have to allow. */
static void fanotify_open(struct stage *st, int how)
{
        const char *path = stage_path(st, "guarded");
        int fd;
        pid_t pid;

        (void)how;
        close((int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
        fd = (int)NEED(st, fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY));
        NEED(st, fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path));
        pid = child_start(st);
        if (pid == 0) {
                close(fd);
                open(path, O_RDONLY | O_CLOEXEC);
                child_end();
        }
        wait_call(st, pid, SYS_openat, -1);
        stage_ready(st, pid, pid, "path=%s", path);
}

const struct scene scenes_fault[] = {
        { "userfaultfd-fault", fault_run, TOUCH, "a page fault that nobody answers" },
        { "userfaultfd-write", fault_run, WRITE, "the same inside write(2) to a pipe" },
        { "pipe-mutex", fault_run, BEHIND, "write(2) to that pipe, behind the first writer" },
        { "position-mutex", fault_run, POSITION,
                "read(2) of a file whose position another thread keeps, in read(2) of it" },
        { "inode-rwsem", fault_run, INODE,
                "write(2) to a file that another thread has locked, in write(2) to it" },
        { "seccomp-accept", seccomp_accept, 0, "accept(2) that a seccomp listener must allow" },
        { "fanotify-open", fanotify_open, 0, "open(2) that a fanotify listener must allow" },
        { NULL, NULL, 0, NULL },
};
