/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of a 64-bit program by the 32-bit convention: the same numbers mean other calls
 * there (162 is nanosleep and not sync, 3 is read and not close).
 */
#include "scene.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define I386_READ 3
#define I386_GETPID 20
#define I386_NANOSLEEP 162

#ifdef __x86_64__
static long call_i386(long nr, unsigned long first, unsigned long second, unsigned long third)
{
        long r = nr;

        __asm__ volatile("int $0x80"
                         : "+a"(r)
                         : "b"(first), "c"(second), "d"(third)
                         : "memory", "r8", "r9", "r10", "r11");
        return (int)r;
}

/* Pointers of the 32-bit convention reach the first 4 GiB only. */
static void *low_map(void)
{
        return MUST_MAP(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
}
#else
static long call_i386(long nr, unsigned long first, unsigned long second, unsigned long third)
{
        (void)nr, (void)first, (void)second, (void)third;
        raise(SIGKILL);
        return -1;
}

static void *low_map(void)
{
        return NULL;
}
#endif

/* Where the kernel has no such calls the interrupt is a fault. */
static void probe_i386(struct stage *st)
{
        pid_t pid = child_start(st);
        int status;

        if (pid == 0)
                _exit(call_i386(I386_GETPID, 0, 0, 0) == getpid() ? 0 : 1);
        MUST(waitpid(pid, &status, 0));
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                stage_skip(st, "the kernel has no 32-bit x86 calls");
}

static void i386_nanosleep(struct stage *st, int nr)
{
        uint64_t expires;
        int32_t *time;
        pid_t pid;

        probe_i386(st);
        time = low_map();
        time[0] = FOREVER_S;
        expires = monotonic_after(FOREVER_S);
        pid = child_start(st);
        if (pid == 0) {
                call_i386(nr, (uintptr_t)time, 0, 0);
                child_end();
        }
        wait_call(st, pid, nr, -1);
        stage_ready(st, pid, pid, "nr=%d seconds=%d expires=%lu", nr, FOREVER_S, expires);
}

static void i386_read(struct stage *st, int nr)
{
        int fds[2];
        pid_t pid;

        probe_i386(st);
        MUST(pipe(fds));
        pid = child_start(st);
        if (pid == 0) {
                close(fds[1]);
                call_i386(nr, (unsigned long)fds[0], (uintptr_t)low_map(), 1);
                child_end();
        }
        wait_call(st, pid, nr, -1);
        stage_ready(st, pid, pid, "nr=%d fd=%d inode=%lu peer=%d", nr, fds[0], fd_inode(fds[0]),
                st->pid);
}

const struct scene scenes_abi[] = {
        { "i386-nanosleep", i386_nanosleep, I386_NANOSLEEP, "nanosleep(2) by int $0x80" },
        { "i386-read", i386_read, I386_READ, "read(2) from a pipe by int $0x80" },
        { NULL, NULL, 0, NULL },
};
