/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads of a live or recorded /proc. Every read is announced to the watch first, so that one
 * that never returns is known by name.
 */
#include "base/procio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/procmount.h"
#include "base/worker.h"

#define PIECE_FULL 2048  /* seq_file's buffer is a page; few lines are half as long */
#define TEXT_FIRST 65536 /* holds all but hostile files */

struct procio {
        int root;
        bool live;
        struct watch *watch;
        size_t size; /* of text, without the NUL */
        char *text;
};

int procio_new(const char *root, struct watch *watch, struct procio **ret_io)
{
        struct procio *io = calloc(1, sizeof(*io));
        int r;

        if (!io)
                return -ENOMEM;
        io->live = !root && procmount_is_ours();
        io->watch = watch;
        io->size = TEXT_FIRST;
        io->text = malloc(io->size + 1);
        io->root = open(root ? root : "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!io->text || io->root < 0) {
                r = io->text ? -errno : -ENOMEM;
                procio_free(io);
                return r;
        }
        r = procmount_check(io->root, !root);
        if (r < 0) {
                procio_free(io);
                return r;
        }
        *ret_io = io;
        return 0;
}

void procio_free(struct procio *io)
{
        if (!io)
                return;
        if (io->root >= 0)
                close(io->root);
        free(io->text);
        free(io);
}

bool procio_live(const struct procio *io)
{
        return io->live;
}

struct watch *procio_watch(const struct procio *io)
{
        return io->watch;
}

int procio_root(const struct procio *io)
{
        return io->root;
}

/* The names that tests/record-proc writes into NAME.errno. */
static int errno_from_name(const char *name)
{
        static const struct {
                const char *name;
                int error;
        } errors[] = {
                { "EPERM", EPERM },
                { "EACCES", EACCES },
                { "ENOENT", ENOENT },
                { "ESRCH", ESRCH },
                { "EIO", EIO },
                { "EINVAL", EINVAL },
                { "ENOSYS", ENOSYS },
                { "ETIMEDOUT", ETIMEDOUT },
                { "EFAULT", EFAULT },
                { "ENOTSUP", ENOTSUP },
        };

        for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
                if (strcmp(errors[i].name, name) == 0)
                        return errors[i].error;
        return EIO;
}

/* What a missing file of a recorded tree stands for. */
static int recorded_error(int dir, const char *path)
{
        _cleanup_close_ int fd = -1;
        char name[PATH_MAX];
        ssize_t n;

        if (snprintf(name, sizeof(name), "%s.errno", path) >= (int)sizeof(name))
                return -ENAMETOOLONG;
        fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -ENOENT;
        n = read(fd, name, 32);
        if (n < 0)
                return -errno;
        name[n] = 0;
        name[strcspn(name, "\n")] = 0;
        return -errno_from_name(name);
}

char *path_put_number(char *end, int number)
{
        char digits[12], *p = digits + sizeof(digits);
        unsigned left = number < 0 ? 0U - (unsigned)number : (unsigned)number;

        if (number < 0)
                *end++ = '-';
        *--p = 0;
        do
                *--p = (char)('0' + left % 10);
        while (left /= 10);
        return stpcpy(end, p);
}

int procio_open(struct procio *io, int dir, const char *path)
{
        int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd >= 0)
                return fd;
        if (errno == ENOENT && !io->live)
                return recorded_error(dir, path);
        return -errno;
}

int procio_open_process(struct procio *io, pid_t pid)
{
        char name[16];
        int fd;

        snprintf(name, sizeof(name), "%d", (int)pid);
        fd = openat(io->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd >= 0 ? fd : -errno;
}

/* long_lines: a piece may be small because the next line had no room in it. */
static ssize_t text_read(struct procio *io, int fd, bool long_lines)
{
        size_t used = 0;

        for (;;) {
                ssize_t n = pread(fd, io->text + used, io->size - used, (off_t)used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                used += (size_t)n;
                /*
                 * A file made by seq_file comes in pieces that are as full as whole lines make
                 * them, so a small one is the last; its lines are far shorter than that.
                 */
                if (n == 0 || used == PROCIO_TEXT_MAX)
                        break;
                if (n < PIECE_FULL && used < io->size && !long_lines)
                        break;
                if (used == io->size) {
                        size_t size =
                                io->size * 2 > PROCIO_TEXT_MAX ? PROCIO_TEXT_MAX : io->size * 2;
                        char *text = realloc(io->text, size + 1);

                        if (!text)
                                return -ENOMEM;
                        io->text = text;
                        io->size = size;
                }
        }
        io->text[used] = 0;
        return (ssize_t)used;
}

ssize_t procio_reread(struct procio *io, int fd, const char **ret_text)
{
        ssize_t n;

        watch_enter(io->watch, 0, HANG_NONE);
        n = text_read(io, fd, false);
        if (n >= 0)
                *ret_text = io->text;
        return n;
}

/* The mount of an overlay names all of its layers. */
static bool has_long_lines(const char *path)
{
        size_t len = strlen(path), name = strlen("mountinfo");

        return len >= name && strcmp(path + len - name, "mountinfo") == 0;
}

ssize_t procio_read(struct procio *io, int dir, const char *path, pid_t pid, enum hang hang,
        const char **ret_text)
{
        _cleanup_close_ int fd = -1;
        ssize_t n;

        if (!watch_enter(io->watch, pid, hang))
                return -ETIMEDOUT;
        fd = procio_open(io, dir, path);
        n = fd < 0 ? fd : text_read(io, fd, has_long_lines(path));
        watch_leave(io->watch);
        if (n >= 0)
                *ret_text = io->text;
        return n;
}

static ssize_t link_read(struct procio *io, int dir, const char *path, const char **ret_text)
{
        ssize_t n = readlinkat(dir, path, io->text, PATH_MAX);

        if (n < 0)
                return errno == ENOENT && !io->live ? recorded_error(dir, path) : -errno;
        io->text[n] = 0;
        *ret_text = io->text;
        return n;
}

ssize_t procio_link(struct procio *io, int dir, const char *path, const char **ret_text)
{
        watch_enter(io->watch, 0, HANG_NONE);
        return link_read(io, dir, path, ret_text);
}

bool procio_outermost(struct procio *io)
{
        /* PROC_PID_INIT_INO (include/linux/proc_ns.h), since 3.8. */
        static const char first[] = "pid:[4026531836]";
        const char *link = "";

        return procio_live(io) && procio_link(io, io->root, "self/ns/pid", &link) > 0 &&
               strcmp(link, first) == 0;
}

ssize_t procio_link_of(
        struct procio *io, int dir, const char *path, pid_t pid, const char **ret_text)
{
        ssize_t n;

        if (!watch_enter(io->watch, pid, HANG_EXEC))
                return -ETIMEDOUT;
        n = link_read(io, dir, path, ret_text);
        watch_leave(io->watch);
        return n;
}

static const char *fd_path(
        const struct procio *io, char path[static 64], const struct fd_ref *ref, const char *what)
{
        char *end = path;

        if (io->live) {
                end = path_put_number(stpcpy(end, "task/"), ref->tid);
                *end++ = '/';
        }
        end = stpcpy(end, what);
        *end++ = '/';
        path_put_number(end, ref->fd);
        return path;
}

ssize_t procio_fd_link(struct procio *io, const struct fd_ref *ref, const char **ret_text)
{
        char path[64];

        return procio_link_of(
                io, ref->process_dir, fd_path(io, path, ref, "fd"), ref->pid, ret_text);
}

ssize_t procio_fd_info(struct procio *io, const struct fd_ref *ref, const char **ret_text)
{
        char path[64];

        /* An epoll set's needs its mutex, held while a file is added that does not answer. */
        return procio_read(io, ref->process_dir, fd_path(io, path, ref, "fdinfo"), ref->pid,
                HANG_FILE, ret_text);
}

/* "fd/3.mode" and "fd/3.protocol" of a recorded tree: one word. */
static ssize_t recorded_word(
        struct procio *io, const struct fd_ref *ref, const char *what, const char **ret_text)
{
        char path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "fd/%d.%s", ref->fd, what);
        n = procio_read(io, ref->process_dir, path, ref->pid, HANG_FILE, ret_text);
        if (n > 0 && io->text[n - 1] == '\n')
                io->text[--n] = 0;
        return n;
}

static int recorded_fd_mode(struct procio *io, const struct fd_ref *ref)
{
        static const struct {
                const char *word;
                int mode;
        } modes[] = {
                { "fifo", S_IFIFO },
                { "char", S_IFCHR },
                { "dir", S_IFDIR },
                { "block", S_IFBLK },
                { "file", S_IFREG },
                { "socket", S_IFSOCK },
        };
        const char *word;
        ssize_t n;

        n = recorded_word(io, ref, "mode", &word);
        if (n < 0)
                return (int)n;
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
                if (strcmp(word, modes[i].word) == 0)
                        return modes[i].mode;
        return -EINVAL;
}

int procio_fd_mode(struct procio *io, const struct fd_ref *ref)
{
        struct statx st;
        char path[64];
        int r;

        if (!io->live)
                return recorded_fd_mode(io, ref);
        if (!watch_enter(io->watch, ref->pid, HANG_FILE))
                return -ETIMEDOUT;
        /* From the inode in memory where the file system can do that; others may be asked. */
        r = statx(ref->process_dir, fd_path(io, path, ref, "fd"),
                AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st);
        if (r < 0)
                r = -errno;
        watch_leave(io->watch);
        return r < 0 ? r : (st.stx_mode & S_IFMT);
}

int procio_fd_device(struct procio *io, const struct fd_ref *ref, char ret[static DEVICE_TEXT_MAX])
{
        struct statx st;
        char path[64];
        int r;

        if (!io->live) {
                const char *word;
                ssize_t n = recorded_word(io, ref, "device", &word);

                if (n <= 0)
                        return n < 0 ? (int)n : -EINVAL;
                snprintf(ret, DEVICE_TEXT_MAX, "%s", word);
                return 0;
        }
        if (!watch_enter(io->watch, ref->pid, HANG_FILE))
                return -ETIMEDOUT;
        r = statx(ref->process_dir, fd_path(io, path, ref, "fd"),
                AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st);
        if (r < 0)
                r = -errno;
        watch_leave(io->watch);
        if (r < 0)
                return r;
        snprintf(ret, DEVICE_TEXT_MAX, "%u:%u", st.stx_rdev_major, st.stx_rdev_minor);
        return 0;
}

ssize_t procio_fd_protocol(struct procio *io, const struct fd_ref *ref, const char **ret_text)
{
        char path[128], below[64];
        ssize_t n;

        if (!io->live)
                return recorded_word(io, ref, "protocol", ret_text);
        /* There is no getxattrat() before Linux 6.13; /proc/self/fd/DIR/ is the same path. */
        snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", ref->process_dir,
                fd_path(io, below, ref, "fd"));
        if (!watch_enter(io->watch, ref->pid, HANG_FILE))
                return -ETIMEDOUT;
        n = getxattr(path, "system.sockprotoname", io->text, 64);
        if (n < 0)
                n = -errno;
        watch_leave(io->watch);
        if (n < 0)
                return n;
        io->text[n] = 0;
        *ret_text = io->text;
        return (ssize_t)strlen(io->text);
}
