/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records to the host through a virtio port: each is on its way before the next thing is
 * tried, so that a kernel that dies leaves everything it showed before.
 */
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int port_fd = -1;

void bytes_done(struct bytes *b)
{
        free(b->data);
        *b = (struct bytes){ 0 };
}

void bytes_append(struct bytes *b, const char *data, size_t len)
{
        char *grown = realloc(b->data, b->len + len + 1);

        if (!grown)
                abort();
        memcpy(grown + b->len, data, len);
        b->data = grown;
        b->len += len;
        b->data[b->len] = '\0';
}

static void bytes_vprint(struct bytes *b, const char *format, va_list ap)
{
        char *text;
        int n = vasprintf(&text, format, ap);

        if (n < 0)
                abort();
        bytes_append(b, text, (size_t)n);
        free(text);
}

void bytes_print(struct bytes *b, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        bytes_vprint(b, format, ap);
        va_end(ap);
}

bool bytes_read_fd(struct bytes *b, int fd)
{
        char block[65536];
        ssize_t n;

        while ((n = read(fd, block, sizeof(block))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return false;
                bytes_append(b, block, (size_t)n);
        }
        return true;
}

bool bytes_read(struct bytes *b, const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        bool good;

        if (fd < 0)
                return false;
        good = bytes_read_fd(b, fd);
        close(fd);
        return good;
}

/* Which of /dev/vport*: /sys/class/virtio-ports/vport0p1/name says "pwhy". */
bool record_open(const char *port)
{
        static const char class_dir[] = "/sys/class/virtio-ports";
        DIR *dir = opendir(class_dir);
        char path[PATH_MAX];

        for (struct dirent *d; port_fd < 0 && dir && (d = readdir(dir));) {
                struct bytes name = { 0 };

                snprintf(path, sizeof(path), "%s/%s/name", class_dir, d->d_name);
                if (bytes_read(&name, path) && strncmp(name.data, port, strlen(port)) == 0) {
                        snprintf(path, sizeof(path), "/dev/%s", d->d_name);
                        port_fd = open(path, O_WRONLY | O_CLOEXEC);
                }
                bytes_done(&name);
        }
        if (dir)
                closedir(dir);
        return port_fd >= 0;
}

void record(const char *name, const char *data, size_t len)
{
        struct bytes b = { 0 };
        size_t sent = 0;

        bytes_print(&b, "%s %zu\n", name, len);
        bytes_append(&b, data, len);
        bytes_append(&b, "\n", 1);
        while (sent < b.len) {
                ssize_t n = write(port_fd, b.data + sent, b.len - sent);

                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        break;
                sent += n > 0 ? (size_t)n : 0;
        }
        bytes_done(&b);
}

void record_print(const char *name, const char *format, ...)
{
        struct bytes b = { 0 };
        va_list ap;

        va_start(ap, format);
        bytes_vprint(&b, format, ap);
        va_end(ap);
        record(name, b.data, b.len);
        bytes_done(&b);
}

void record_file(const char *name, const char *format, ...)
{
        struct bytes b = { 0 };
        char path[PATH_MAX];
        va_list ap;

        va_start(ap, format);
        vsnprintf(path, sizeof(path), format, ap);
        va_end(ap);
        if (bytes_read(&b, path))
                record(name, b.data ? b.data : "", b.len);
        bytes_done(&b);
}

/* Before there is a port, the console is all there is. */
void record_error(const char *format, ...)
{
        struct bytes b = { 0 };
        va_list ap;

        va_start(ap, format);
        bytes_vprint(&b, format, ap);
        va_end(ap);
        fprintf(stderr, "agent: %s\n", b.data);
        if (port_fd >= 0)
                record("error", b.data, b.len);
        bytes_done(&b);
}
