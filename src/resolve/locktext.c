/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns have been the same since 2.6, but for the marks of waiters, which are indented
 * once for each waiter above them since 5.10, and for words that came (OFDLCK, DELEG) and went
 * (MANDATORY, MSNFS). So lines are read word by word.
 */
#include "resolve/locktext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define WORDS_MAX 9
#define WORD_LEN 48

struct words {
        char word[WORDS_MAX][WORD_LEN];
        size_t n;
};

/* A longer word than any that the kernel writes ends the line. */
static void words_split(const char *line, size_t len, struct words *ret)
{
        const char *end = line + len;

        ret->n = 0;
        while (ret->n < WORDS_MAX) {
                size_t n = 0;

                while (line < end && (*line == ' ' || *line == '\t'))
                        line++;
                while (line + n < end && line[n] != ' ' && line[n] != '\t' && n < WORD_LEN)
                        n++;
                if (n == 0 || n == WORD_LEN)
                        return;
                memcpy(ret->word[ret->n], line, n);
                ret->word[ret->n++][n] = 0;
                line += n;
        }
}

static bool number_parse(
        const char *word, int base, char stop, const char **ret_end, unsigned long long *ret_number)
{
        char *end;

        if (*word == '-' || *word == '+')
                return false;
        errno = 0;
        *ret_number = strtoull(word, &end, base);
        *ret_end = end;
        return end != word && *end == stop && errno == 0;
}

static bool signed_parse(const char *word, int64_t *ret)
{
        char *end;

        errno = 0;
        *ret = strtoll(word, &end, 10);
        return end != word && !*end && errno == 0;
}

/* "08:01:131": the device's numbers in hexadecimal, the inode; or "<none>:0" */
static bool file_parse(const char *word, struct lock_line *ret)
{
        unsigned long long major, minor, inode;
        const char *p;

        if (strncmp(word, "<none>", 6) == 0)
                return true;
        if (!number_parse(word, 16, ':', &p, &major) || !number_parse(p + 1, 16, ':', &p, &minor) ||
                !number_parse(p + 1, 10, 0, &p, &inode) || major > UINT32_MAX || minor > UINT32_MAX)
                return false;
        ret->has_file = true;
        ret->major = (uint32_t)major;
        ret->minor = (uint32_t)minor;
        ret->inode = inode;
        return true;
}

static bool type_parse(const char *word, enum lock_type *ret)
{
        static const struct {
                char word[8];
                enum lock_type type;
        } types[] = {
                { "FLOCK", LOCK_FLOCK },
                { "POSIX", LOCK_POSIX },
                { "OFDLCK", LOCK_OFD },
                { "LEASE", LOCK_LEASE },
                { "DELEG", LOCK_LEASE },
        };

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (strcmp(word, types[i].word) == 0) {
                        *ret = types[i].type;
                        return true;
                }
        return false;
}

/*
 * "1: FLOCK  ADVISORY  WRITE 1234 08:01:131 0 EOF"
 * "1: -> POSIX  ADVISORY  READ 1235 08:01:131 100 199"
 * "2: LEASE  BREAKING  UNLCK 1236 08:01:132 0 EOF"
 */
bool lock_line_parse(const char *line, size_t len, struct lock_line *ret)
{
        struct lock_line lock = { .type = LOCK_FLOCK };
        unsigned long long id;
        struct words w;
        const char *end;
        int64_t pid;
        size_t i = 1;

        words_split(line, len, &w);
        if (w.n < 8 || !number_parse(w.word[0], 10, ':', &end, &id) || end[1])
                return false;
        lock.blocked = strcmp(w.word[i], "->") == 0;
        i += lock.blocked;
        if (w.n < i + 7 || !type_parse(w.word[i], &lock.type))
                return false;
        lock.breaking = lock.type == LOCK_LEASE && strcmp(w.word[i + 1], "BREAKING") == 0;
        lock.write = w.word[i + 2][0] == 'W' || strcmp(w.word[i + 2], "RW") == 0;
        if (!signed_parse(w.word[i + 3], &pid) || pid < INT32_MIN || pid > INT32_MAX ||
                !file_parse(w.word[i + 4], &lock) || !signed_parse(w.word[i + 5], &lock.start) ||
                lock.start < 0)
                return false;
        lock.pid = (pid_t)pid;
        if (strcmp(w.word[i + 6], "EOF") == 0)
                lock.end = LOCK_EOF;
        else if (!signed_parse(w.word[i + 6], &lock.end) || lock.end < lock.start)
                return false;
        *ret = lock;
        return true;
}

int lock_lines_parse(
        const char *text, size_t len, size_t max, struct lock_line **ret_lines, size_t *ret_n)
{
        struct lock_line *lines = NULL, line;
        size_t n = 0, room = 0, root = SIZE_MAX;
        const char *end;

        for (const char *p = text; (end = memchr(p, '\n', (size_t)(text + len - p))); p = end + 1) {
                bool ok = lock_line_parse(p, (size_t)(end - p), &line);

                if (n == max)
                        break;
                /* Who waits for a lock that was not understood waits for none that was. */
                if (!ok) {
                        const char *mark = memmem(p, (size_t)(end - p), "-> ", 3);

                        root = mark ? root : SIZE_MAX;
                        continue;
                }
                if (!line.blocked)
                        root = n;
                else if (root == SIZE_MAX)
                        continue;
                line.root = root;
                if (n == room) {
                        size_t more = room ? room * 2 : 64;
                        struct lock_line *grown = realloc(lines, more * sizeof(*lines));

                        if (!grown) {
                                free(lines);
                                return -ENOMEM;
                        }
                        lines = grown;
                        room = more;
                }
                lines[n++] = line;
        }
        *ret_lines = lines;
        *ret_n = n;
        return 0;
}

bool lock_info_next(const char **cursor, struct lock_line *ret)
{
        const char *line = *cursor;

        while (line && *line) {
                const char *end = line + strcspn(line, "\n");
                bool found = strncmp(line, "lock:", 5) == 0 && *end == '\n' &&
                             lock_line_parse(line + 5, (size_t)(end - line - 5), ret);

                line = *end ? end + 1 : end;
                if (found) {
                        *cursor = line;
                        return true;
                }
        }
        *cursor = line;
        return false;
}

bool lock_same_file(const struct lock_line *a, const struct lock_line *b)
{
        return a->has_file && b->has_file && a->inode == b->inode && a->major == b->major &&
               a->minor == b->minor;
}

bool lock_conflicts(const struct lock_line *a, const struct lock_line *b)
{
        bool a_record = a->type == LOCK_POSIX || a->type == LOCK_OFD;
        bool b_record = b->type == LOCK_POSIX || b->type == LOCK_OFD;

        if (a_record != b_record || (!a_record && a->type != b->type))
                return false;
        if (a->type == LOCK_LEASE) /* held for what the holder, not the file, does */
                return true;
        return (a->write || b->write) && a->start <= b->end && b->start <= a->end;
}
