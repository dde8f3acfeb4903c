/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process with ten thousand threads has twenty thousand mappings, so the file is read in
 * pieces and only the lines of code are kept. The kernel makes a piece under the mmap lock, and
 * each is announced to the watch by itself: a long file that moves on does not hang.
 */
#include "unwind/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procio.h"
#include "base/worker.h"

#define MAPS_MAX 65536         /* mappings of code; the kernel's usual limit for all (65530) */
#define FILE_MAX (256UL << 20) /* bytes of the file */
#define PIECE 65536            /* holds any line: PATH_MAX and a hundred bytes */

/* Digits in base, and the character behind them. */
static bool number_parse(char **text, unsigned base, char end, uint64_t *ret)
{
        char *p = *text;
        uint64_t value = 0;

        for (;; p++) {
                unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                                 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
                                                          : 16;

                if (digit >= base)
                        break;
                if (value > (UINT64_MAX - digit) / base)
                        return false;
                value = value * base + digit;
        }
        if (p == *text || (*p != end && !(end == ' ' && !*p)))
                return false;
        *text = *p ? p + 1 : p;
        *ret = value;
        return true;
}

/* In a path the kernel writes a newline as "\012" and nothing else (fs/proc/task_mmu.c). */
static void name_decode(char *name)
{
        char *to = name;

        for (const char *from = name; *from; to++) {
                if (strncmp(from, "\\012", 4) == 0) {
                        *to = '\n';
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = 0;
}

/* "7f50cd000000-7f50cd022000 r-xp 00028000 fe:00 1234      /usr/lib/libc.so.6" */
int map_parse(char *line, struct map *ret_map)
{
        struct map m = { 0 };
        uint64_t major, minor;
        const char *mode;

        if (!number_parse(&line, 16, '-', &m.start) || !number_parse(&line, 16, ' ', &m.end))
                return -EINVAL;
        mode = line;
        if (strnlen(mode, 5) < 5 || mode[4] != ' ' || !strchr("-x", mode[2]))
                return -EINVAL;
        line += 5;
        if (!number_parse(&line, 16, ' ', &m.offset) || !number_parse(&line, 16, ':', &major) ||
                !number_parse(&line, 16, ' ', &minor) || !number_parse(&line, 10, ' ', &m.inode) ||
                m.start >= m.end || major > UINT32_MAX || minor > UINT32_MAX)
                return -EINVAL;
        line += strspn(line, " ");
        name_decode(line);
        m.device_major = (uint32_t)major;
        m.device_minor = (uint32_t)minor;
        m.name = line;
        *ret_map = m;
        return mode[2] == 'x';
}

static int maps_add(struct maps *m, const struct map *map)
{
        if (m->n && map->start < m->maps[m->n - 1].end)
                return 0; /* the file changed while it was read, and this was seen before */
        if (m->n == MAPS_MAX) {
                m->partial = true;
                return 0;
        }
        if (m->n == m->size) {
                size_t size = m->size ? m->size * 2 : 32;
                struct map *more = reallocarray(m->maps, size, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                m->maps = more;
                m->size = size;
        }
        m->maps[m->n] = *map;
        /* The same file's mappings follow each other, and their names need not be many. */
        if (m->n && strcmp(m->maps[m->n - 1].name, map->name) == 0)
                m->maps[m->n].name = m->maps[m->n - 1].name;
        else
                m->maps[m->n].name = strdup(map->name);
        if (!m->maps[m->n].name)
                return -ENOMEM;
        m->n++;
        return 0;
}

/* The whole lines of text[0..len); *ret_used: their bytes. */
static int maps_parse(struct maps *m, char *text, size_t len, size_t *ret_used)
{
        char *line = text, *end;

        while ((end = memchr(line, '\n', len - (size_t)(line - text)))) {
                struct map map;

                *end = 0;
                if (map_parse(line, &map) > 0) {
                        int r = maps_add(m, &map);

                        if (r < 0)
                                return r;
                }
                line = end + 1;
        }
        *ret_used = (size_t)(line - text);
        return 0;
}

int maps_read(struct procio *io, struct watch *watch, int dir, pid_t pid, struct maps *ret_maps)
{
        _cleanup_free_ char *text = malloc(PIECE);
        _cleanup_close_ int fd = -1;
        struct maps m = { 0 };
        size_t used = 0, total = 0, done = 0;
        int r = 0;

        if (!text)
                return -ENOMEM;
        if (!watch_enter(watch, pid, HANG_MM | HANG_EXEC))
                return -ETIMEDOUT;
        fd = procio_open(io, dir, "maps");
        r = fd < 0 ? fd : 0;
        while (r == 0) {
                ssize_t n;

                watch_enter(watch, pid, HANG_MM);
                n = read(fd, text + used, PIECE - used);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        r = n < 0 ? -errno : 0;
                        break;
                }
                used += (size_t)n;
                total += (size_t)n;
                r = maps_parse(&m, text, used, &done);
                if (r == 0 && done == 0 && used == PIECE)
                        r = -EINVAL; /* no line is so long */
                memmove(text, text + done, used - done);
                used -= done;
                if (total > FILE_MAX || m.partial) {
                        m.partial = true;
                        break;
                }
        }
        watch_leave(watch);
        if (r < 0)
                maps_done(&m);
        else
                *ret_maps = m;
        return r;
}

void maps_done(struct maps *m)
{
        for (size_t i = 0; i < m->n; i++)
                if (i + 1 == m->n || m->maps[i].name != m->maps[i + 1].name)
                        free((char *)m->maps[i].name);
        free(m->maps);
        *m = (struct maps){ 0 };
}

const struct map *maps_find(const struct maps *m, uint64_t address)
{
        size_t low = 0, high = m->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct map *map = &m->maps[middle];

                if (address < map->start)
                        high = middle;
                else if (address >= map->end)
                        low = middle + 1;
                else
                        return map;
        }
        return NULL;
}
