/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pipes and terminals do not tell their size, so the buffer grows with what comes. */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pwhy.h"

#define FIRST_SIZE ((size_t)64 << 10)

static int fd_read(int fd, char **ret_text, size_t *ret_len)
{
        size_t len = 0, size = FIRST_SIZE;
        char *text = malloc(size), *more;
        ssize_t n = text ? 1 : -1;

        while (n > 0 && len <= PWHY_TEXT_MAX) {
                if (len == size) {
                        more = realloc(text, size * 2);
                        if (!more) {
                                n = -1;
                                break;
                        }
                        text = more;
                        size *= 2;
                }
                n = read(fd, text + len, size - len);
                if (n > 0)
                        len += (size_t)n;
                else if (n < 0 && errno == EINTR)
                        n = 1;
        }
        if (n < 0) {
                int error = errno;

                free(text);
                return -error;
        }
        *ret_text = text;
        *ret_len = len;
        return 0;
}

int text_read(const char *file, char **ret_text, size_t *ret_len)
{
        int fd, r;

        if (strcmp(file, "-") == 0)
                return fd_read(STDIN_FILENO, ret_text, ret_len);
        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        r = fd_read(fd, ret_text, ret_len);
        close(fd);
        return r;
}
