/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that sleep where compilers did not lead them: on the stacks of coroutines, below the
 * dynamic loader that binds a function lazily, in the vDSO, in assembly. Says "ready", or "skip"
 * and why. resolved() is in places-library.c, which the program is linked with so that it is bound
 * late.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

void resolved(int number);

#define STACK_SIZE 65536

static volatile int sink;

__attribute__((noinline)) static void wait_here(void)
{
        pause();
        sink++;
}

/* ---- a coroutine of the C library: its stack begins where it was made */

static ucontext_t back, coroutine;

__attribute__((noinline)) static void coroutine_run(void)
{
        wait_here();
        sink++;
}

__attribute__((noinline)) static void in_coroutine(void)
{
        static char stack[STACK_SIZE] __attribute__((aligned(16)));

        getcontext(&coroutine);
        coroutine.uc_stack.ss_sp = stack;
        coroutine.uc_stack.ss_size = sizeof(stack);
        coroutine.uc_link = &back;
        makecontext(&coroutine, coroutine_run, 0);
        swapcontext(&back, &coroutine);
        sink++;
}

/* ---- another stack, from which CFI leads back to the one before */

void call_on_stack(void (*run)(void), char *top);

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl call_on_stack\n"
        ".type call_on_stack, @function\n"
        "call_on_stack:\n"
        ".cfi_startproc\n"
        "push %rbx\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset rbx, -16\n"
        "mov %rsp, %rbx\n"
        ".cfi_def_cfa_register rbx\n"
        "mov %rsi, %rsp\n"
        "call *%rdi\n"
        "mov %rbx, %rsp\n"
        ".cfi_def_cfa_register rsp\n"
        "pop %rbx\n"
        ".cfi_def_cfa_offset 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size call_on_stack, .-call_on_stack\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl call_on_stack\n"
        ".type call_on_stack, %function\n"
        "call_on_stack:\n"
        ".cfi_startproc\n"
        "stp x19, x30, [sp, -16]!\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset x19, -16\n"
        ".cfi_offset x30, -8\n"
        "mov x19, sp\n"
        ".cfi_def_cfa_register x19\n"
        "mov sp, x1\n"
        "blr x0\n"
        "mov sp, x19\n"
        ".cfi_def_cfa_register sp\n"
        "ldp x19, x30, [sp], 16\n"
        ".cfi_def_cfa_offset 0\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size call_on_stack, .-call_on_stack\n");
#endif

__attribute__((noinline)) static void split_run(void)
{
        wait_here();
        sink++;
}

__attribute__((noinline)) static void in_split_stack(void)
{
        static char stack[STACK_SIZE] __attribute__((aligned(16)));

        call_on_stack(split_run, stack + sizeof(stack));
        sink++;
}

/* ---- bound when it is called for the first time: the library's resolver sleeps */

__attribute__((noinline)) static void in_loader(void)
{
        resolved(1);
        sink++;
}

/* ---- memory that nobody brings */

static char *trap;

static int trap_set(void)
{
        struct uffdio_api api = { .api = UFFD_API };
        struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
        int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

        if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
                return -errno;
        trap = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        range.range.start = (unsigned long)trap;
        range.range.len = STACK_SIZE;
        return trap == MAP_FAILED || ioctl(fd, UFFDIO_REGISTER, &range) < 0 ? -errno : 0;
}

__attribute__((noinline)) static void in_vdso(void)
{
        clock_gettime(CLOCK_MONOTONIC, (struct timespec *)trap);
        sink++;
}

static volatile size_t some = 3000;

__attribute__((noinline)) static void in_assembly(void)
{
        static char to[STACK_SIZE];

        memcpy(to, trap, some);
        sink += to[7];
}

static void *thread_run(void *arg)
{
        void (*run)(void) = (void (*)(void))arg;

        run();
        return NULL;
}

int main(void)
{
        void (*const runs[])(
                void) = { in_coroutine, in_split_stack, in_loader, in_vdso, in_assembly };
        pthread_t thread;
        int r = trap_set();

        if (r < 0) {
                printf("skip userfaultfd: %s\n", strerror(-r));
                return 77;
        }
        for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++)
                if (pthread_create(&thread, NULL, thread_run, (void *)runs[i]) != 0)
                        return 2;
        printf("ready\n");
        fflush(stdout);
        wait_here();
        return 0;
}
