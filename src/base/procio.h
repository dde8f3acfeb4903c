/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading /proc, live or as a recorded tree (tests/record-proc), by the same calls.
 *
 * A recorded tree has the same layout. What a live kernel answers with an error or without
 * a text is written beside: NAME.errno holds the error's name ("EACCES"), PID/mem/HEX the
 * bytes at that address in hexadecimal, PID/fd/N.mode one word (fifo char dir block file
 * socket), PID/fd/N.protocol the socket's protocol name, PID/fd/N.device a device's numbers
 * ("8:1").
 *
 * Functions return a length (>= 0) or a negative errno. Texts are NUL-terminated, belong to
 * the procio, and last until its next read. -ETIMEDOUT: the file did not answer before and
 * is not asked again (base/worker.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct procio;
struct watch;

/*
 * What a read may hang on. Of a process that hung, the same class is not asked again; what needs
 * a lock of the whole machine, of no process.
 */
enum hang {
        HANG_NONE = 0, /* cannot block on the target */
        HANG_MM = 1,   /* needs the target's mmap lock: cmdline, environ, memory */
        HANG_FILE = 2, /* touches the file behind an fd: stat, fdinfo */
        HANG_EXEC = 4, /* needs exec_update_lock, held during execve: stack, syscall, stat, wchan */
        HANG_ALL = 7,
        /*
         * Needs cgroup_mutex: /proc/PID/cgroup until Linux 6.7 (proc_cgroup_show() in
         * kernel/cgroup/cgroup.c). A thread that moves to a throttled group may keep it.
         */
        HANG_CGROUP = 8,
};

/*
 * root NULL: the live /proc; -ENOENT where nothing is mounted there. watch may be NULL. -errno when
 * root cannot be opened.
 */
int procio_new(const char *root, struct watch *watch, struct procio **ret_io);
void procio_free(struct procio *io);
/*
 * May the kernel be asked about the same numbers (memory, kcmp(2), pidfd_open(2))? Not of a
 * recorded tree, and not where /proc is that of another PID namespace: there they are other
 * processes.
 */
bool procio_live(const struct procio *io);
struct watch *procio_watch(const struct procio *io);
int procio_root(const struct procio *io); /* directory fd of the root */
/* Are all processes in there, because it is that of the first PID namespace? */
bool procio_outermost(struct procio *io);

/* Directory fd of /proc/PID, to hold on to a process. -errno: -ENOENT, -ESRCH when gone. */
int procio_open_process(struct procio *io, pid_t pid);

/*
 * Text of a file below dir (a directory fd). pid is whom a hang is blamed on (0: nobody).
 * Files longer than PROCIO_TEXT_MAX are cut there.
 */
#define PROCIO_TEXT_MAX (1U << 20)
ssize_t procio_read(struct procio *io, int dir, const char *path, pid_t pid, enum hang hang,
        const char **ret_text);

/* As above, from an fd that is kept open, from its beginning: the second reading is cheap. */
int procio_open(struct procio *io, int dir, const char *path);
ssize_t procio_reread(struct procio *io, int fd, const char **ret_text);

/* Target of a link. */
ssize_t procio_link(struct procio *io, int dir, const char *path, const char **ret_text);

/* As above, of a process: where access is checked under exec_update_lock, it may hang. */
ssize_t procio_link_of(
        struct procio *io, int dir, const char *path, pid_t pid, const char **ret_text);

/*
 * Append a number to a path that has room for it (11 bytes and the NUL); returns the new end.
 * Paths are made for every file of every thread: printf() would be a tenth of our own time.
 */
char *path_put_number(char *end, int number);

/*
 * Files of an fd of a thread, whose table of fds need not be its process's (and the main
 * thread's is gone once that has exited). A recorded tree holds one table for the process.
 */
struct fd_ref {
        int process_dir;
        pid_t pid, tid;
        int fd;
};
ssize_t procio_fd_link(struct procio *io, const struct fd_ref *ref, const char **ret_text);
ssize_t procio_fd_info(struct procio *io, const struct fd_ref *ref, const char **ret_text);
/* File type bits (S_IFMT) of what it refers to; -errno. */
int procio_fd_mode(struct procio *io, const struct fd_ref *ref);
/* "8:1": which device a device file stands for. */
#define DEVICE_TEXT_MAX 24
int procio_fd_device(struct procio *io, const struct fd_ref *ref, char ret[static DEVICE_TEXT_MAX]);
/* xattr system.sockprotoname of a socket. */
ssize_t procio_fd_protocol(struct procio *io, const struct fd_ref *ref, const char **ret_text);
