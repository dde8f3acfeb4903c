/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pwhy-elf with a parser that has been taken over: built of the helper's own parts, with this
 * in the place of elf/names.c. What it does is chosen by the address it is asked about.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "elf/module.h"
#include "elf/names.h"
#include "unit/elf-misbehave.h"

static int answer(struct answer *a, const struct wire_names *header, const struct wire_name *name)
{
        char *p = calloc(1, sizeof(*header) + sizeof(*name) + 4);

        if (!p)
                return -ENOMEM;
        memcpy(p, header, sizeof(*header));
        memcpy(p + sizeof(*header), name, sizeof(*name));
        *a = (struct answer){ p, sizeof(*header) + sizeof(*name) + 4 };
        return 0;
}

/* Memory beyond the limit. 0: it could be had, which is wrong. */
static int memory_take(void)
{
        for (size_t i = 0; i < 64; i++) {
                volatile char *p = malloc(64 << 20);

                if (!p)
                        return -ENOMEM;
                *p = 1;
        }
        return 0;
}

/* Calls that must not return. */
static void forbidden(uint64_t how)
{
        char *const none[] = { NULL };

        switch (how) {
        case DO_OPEN:
                open("/etc/passwd", O_RDONLY);
                break;
        case DO_SOCKET:
                socket(AF_INET, SOCK_STREAM, 0);
                break;
        case DO_EXEC:
                execve("/bin/sh", none, none);
                break;
        case DO_FORK:
                fork();
                break;
        case DO_KILL:
                kill(getppid(), 0);
                break;
        case DO_PTRACE:
                ptrace(PTRACE_ATTACH, getppid(), 0, 0);
                break;
        case DO_WRITE: /* even to what is open */
                syscall(SYS_write, 0, "x", 1);
                break;
        case DO_MAP_CODE:
                mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                break;
        case DO_MAP_SHARED:
                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
                break;
        case DO_PROTECT_CODE:
                mprotect(&how, 1, PROT_EXEC);
                mprotect((void *)((uintptr_t)&how & ~4095UL), 4096, PROT_READ | PROT_EXEC);
                break;
        case DO_CRASH:
                raise(SIGSEGV);
                break;
        default:
                break;
        }
}

int names_answer(struct module *m, enum elf_names what, const uint64_t *addresses, size_t n,
        struct answer *ret_answer)
{
        struct wire_names header = { 1, 0, 4, 0 };
        struct wire_name name = { .function = 0, .symbol = 0, .exported = 0, .file = 0 };

        (void)m;
        (void)what;
        if (n != 1)
                return -EINVAL;
        switch (addresses[0]) {
        case DO_SPIN:
                for (volatile int i = 0;; i++)
                        ;
        case DO_SLEEP: {
                uint32_t word = 0;

                for (;;)
                        syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, NULL, NULL, 0);
        }
        case DO_TAKE_MEMORY:
                return memory_take();
        case DO_LIE_STRING:
                name.function = 1000000;
                name.symbol = 3; /* the last NUL: nothing */
                break;
        case DO_LIE_INLINED:
                name.inlined = 5;
                name.n_inlined = 0xfffffff0;
                break;
        case DO_LIE_COUNT:
                header.n = 0x10000000;
                break;
        case DO_LIE_SIZE:
                header.n_bytes = 0xfffffff0;
                break;
        default:
                forbidden(addresses[0]);
                break;
        }
        return answer(ret_answer, &header, &name);
}
