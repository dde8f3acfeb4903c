/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stacks WHICH: an arm64 program that reads from a silent pipe at the end of calls of one shape.
 * Its shapes are compiled with different options from this one file, see record.py.
 */
int wait_here(int n);

#ifdef SHAPE
#define GLUE(a, b) a##b
#define NAME(a, b) GLUE(a, b)

__attribute__((noinline)) static int NAME(SHAPE, _inner)(int n)
{
        volatile char bytes[40];

        bytes[n & 31] = 1;
        n += wait_here(n);
        return n + bytes[3];
}

__attribute__((noinline)) static int NAME(SHAPE, _recurse)(int n)
{
        volatile int keep = n;
        int r = n ? NAME(SHAPE, _recurse)(n - 1) : NAME(SHAPE, _inner)(keep);

        return r + keep;
}

int NAME(SHAPE, _outer)(int n)
{
        volatile long more[64];

        more[n] = n;
        return NAME(SHAPE, _recurse)(n) + (int)more[n];
}
#else
#include <alloca.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int plain_outer(int n);
int record_outer(int n);
int signed_outer(int n);
int leaf_outer(int n);
int without_outer(int n);
void restore(void);

int wait_here(int n)
{
        char byte;

        return (int)read(0, &byte, 1) + n;
}

/* What a handler returns to, as the kernel's vDSO has it: without CFI, and a nop before it. */
__asm__(".text\n.balign 64\nnop\n.global restore\n.type restore, %function\n"
        "restore: mov x8, #139\nsvc #0\n.size restore, . - restore\n");

static void handle(int number)
{
        signed_outer(number > 0 ? 2 : 3);
}

struct action { /* the kernel's own: the C library would put in another restorer */
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
};

__attribute__((noinline)) static int interrupted(int n)
{
        volatile int *none = (volatile int *)(uintptr_t)16;

        return *none + n; /* SIGSEGV, here */
}

int main(int argc, char **argv)
{
        struct action action = { handle, 0x04000000, restore, 0 };
        int which = argc > 1 ? atoi(argv[1]) : 0;
        volatile char *room = alloca((size_t)which * 1536 + 16); /* stacks apart from each other */

        room[0] = 1;
        switch (which) {
        case 0:
                return plain_outer(3) + room[0];
        case 1:
                return record_outer(3) + room[0];
        case 2:
                return signed_outer(3) + room[0];
        case 3:
                return leaf_outer(3) + room[0];
        case 4:
                return without_outer(3) + room[0];
        default:
                syscall(SYS_rt_sigaction, SIGSEGV, &action, NULL, 8);
                return interrupted(which) + room[0];
        }
}
#endif
