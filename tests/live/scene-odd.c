/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process whose names are hostile: what a terminal would obey, what is not UTF-8, what
 * is too long. Its paths and name are told percent-encoded.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMM "a\nb\033[31m)(Z"
#define ARGUMENT "bad \xff\xfe\xc0\x80 utf-8 \033]0;title\007"
#define LONG_SIZE (1U << 20)
#define PART_SIZE (128U * 1024 - 1) /* MAX_ARG_STRLEN: no single argument may be longer */
#define PARTS 9

#ifdef SYS_pause
#define PAUSE_CALLS SYS_pause, SYS_ppoll
#else
#define PAUSE_CALLS SYS_ppoll
#endif

/* Numbers from /proc/self/stat by their place in stat(5), for all that a map must have. */
static bool map_read(struct prctl_mm_map *ret_map)
{
        uint64_t field[53] = { 0 };
        char text[4096], *p;

        if (!text_read("/proc/self/stat", text, sizeof(text)) || !(p = strrchr(text, ')')))
                return false;
        p = strchr(p + 2, ' '); /* over the state, the third */
        for (int i = 4; p && i < 53; i++)
                field[i] = strtoull(p, &p, 10);
        *ret_map = (struct prctl_mm_map){
                .start_code = field[26],
                .end_code = field[27],
                .start_stack = field[28],
                .start_data = field[45],
                .end_data = field[46],
                .start_brk = field[47],
                .brk = (uintptr_t)sbrk(0),
                .arg_start = field[48],
                .arg_end = field[49],
                .env_start = field[50],
                .env_end = field[51],
                .exe_fd = (uint32_t)-1,
        };
        return true;
}

/*
 * An argument of a mebibyte cannot be passed by execve(2), but a process may say where its
 * arguments are. Where the kernel does not let it, the many long ones it was started with
 * stay.
 */
static void arguments_move(void)
{
        size_t head = sizeof("argv0") + sizeof(ARGUMENT), size = head + LONG_SIZE + 1;
        char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct prctl_mm_map map;

        if (area == MAP_FAILED || !map_read(&map))
                return;
        memcpy(area, "argv0\0" ARGUMENT, head);
        memset(area + head, 'A', LONG_SIZE);
        map.arg_start = (uintptr_t)area;
        map.arg_end = map.arg_start + size;
        prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

int odd_main(void)
{
        prctl(PR_SET_NAME, COMM);
        arguments_move();
        for (;;)
                pause();
}

static void exe_copy(const char *path)
{
        int from = (int)MUST(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        int to = (int)MUST(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
        struct stat sb;

        MUST(fstat(from, &sb));
        for (off_t left = sb.st_size; left > 0;)
                left -= MUST(sendfile(to, from, NULL, (size_t)left));
        close(from);
        close(to);
}

static void odd_execute(const char *path)
{
        static char part[PART_SIZE + 1];
        char name[] = "argv0\n\033[2J", bad[] = ARGUMENT;
        char *arguments[PARTS + 3] = { name, bad };
        char environment[] = ODD_ENVIRONMENT "=1", *environments[] = { environment, NULL };

        memset(part, 'A', PART_SIZE);
        for (int i = 0; i < PARTS; i++)
                arguments[i + 2] = part;
        execve(path, arguments, environments);
        child_end();
}

static const char *percent_encode(const char *text, char *buffer, size_t size)
{
        size_t len = 0;

        for (const unsigned char *p = (const unsigned char *)text; *p && len + 4 < size; p++)
                len += (size_t)snprintf(buffer + len, size - len,
                        *p > ' ' && *p < 0x7f && *p != '%' ? "%c" : "%%%02x", *p);
        return buffer;
}

static void odd_names(struct stage *st, int how)
{
        char directory[PATH_MAX], path[PATH_MAX + 32], encoded[2 * PATH_MAX], comm[64];
        pid_t pid;

        (void)how;
        snprintf(directory, sizeof(directory), "%s", stage_path(st, "w\nd\033[7m"));
        snprintf(path, sizeof(path), "%s/ex\ne (deleted)", directory);
        MUST(mkdir(directory, 0700));
        exe_copy(path);
        pid = child_start(st);
        if (pid == 0) {
                MUST(chdir(directory));
                odd_execute(path);
        }
        wait_call(st, pid, PAUSE_CALLS, -1);
        stage_ready(st, pid, pid, "exe=%s comm=%s", percent_encode(path, encoded, sizeof(encoded)),
                percent_encode(COMM, comm, sizeof(comm)));
}

const struct scene scenes_odd[] = {
        { "hostile-names", odd_names, 0, "a process with hostile names and a huge argument" },
        { NULL, NULL, 0, NULL },
};
