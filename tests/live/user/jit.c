/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code made at run time, with frame pointers and without CFI, that calls back and waits there; and
 * the map of it in /tmp that perf(1) reads. "jit NAME" calls the code so in its map.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) static int wait_here(int n)
{
        printf("ready\n");
        fflush(stdout);
        pause();
        return n + 1;
}

int main(int argc, char **argv)
{
#ifdef __x86_64__
        /* push %rbp; mov %rsp,%rbp; movabs $wait_here,%rax; call *%rax; pop %rbp; ret */
        unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
                0xd0, 0x5d, 0xc3 };
        uint64_t target = (uintptr_t)wait_here;
        unsigned char *page = mmap(
                NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int (*made)(int) = (int (*)(int))page;
        char path[64];
        FILE *map;

        if (page == MAP_FAILED)
                return 2;
        memcpy(code + 6, &target, sizeof(target));
        memcpy(page, code, sizeof(code));
        snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
        map = argc > 1 ? fopen(path, "w") : NULL;
        if (map) {
                fprintf(map, "%lx %zx %s\n", (unsigned long)page, sizeof(code), argv[1]);
                fclose(map);
        }
        return made(argc);
#else
        (void)argc;
        (void)argv;
        return 77;
#endif
}
