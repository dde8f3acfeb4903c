/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait for the program behind a file system: a FUSE daemon, an automounter. The
 * stage is that program. It answers what leads up to the request that the scene is about, and
 * never that one.
 *
 * The mounts are in a mount namespace of the stage's own, and go with its processes; a FUSE
 * connection ends with its daemon, so that nobody is left waiting.
 */
#include "scene.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NODE 2
#define SIZE 65536
#define REQUEST_MAX (1 << 17)

enum how { OPEN, STAT, READ, READ_PAGE, READDIR, FAULT, WRITE };

struct daemon {
        int fd;
        uint32_t silent; /* opcode that is not answered */
        bool direct;     /* reads are not cached */
        bool async;      /* the reader of a page waits for the page, not for the answer */
};

static struct daemon daemon_state; /* of the stage's process */

static void reply(int fd, uint64_t unique, int error, const void *body, size_t len)
{
        char message[sizeof(struct fuse_out_header) + 256];
        struct fuse_out_header out = {
                .len = (uint32_t)(sizeof(out) + len), .error = -error, .unique = unique
        };

        memcpy(message, &out, sizeof(out));
        if (len)
                memcpy(message + sizeof(out), body, len);
        if (write(fd, message, sizeof(out) + len) < 0 && errno != ENOENT)
                stage_fail("/dev/fuse: %s", strerror(errno));
}

static struct fuse_attr node_attr(uint64_t node)
{
        return (struct fuse_attr){ .ino = node,
                .nlink = 1,
                .size = node == NODE ? SIZE : 0,
                .mode = node == NODE ? S_IFREG | 0644 : S_IFDIR | 0755,
                .blksize = 4096 };
}

static void answer(const struct daemon *d, const struct fuse_in_header *in)
{
        struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
                .minor = FUSE_KERNEL_MINOR_VERSION,
                .max_readahead = 4096,
                .flags = d->async ? FUSE_ASYNC_READ : 0,
                .max_write = 4096 };
        struct fuse_entry_out entry = {
                .nodeid = NODE, .entry_valid = 1000, .attr_valid = 1000, .attr = node_attr(NODE)
        };
        struct fuse_attr_out attr = { .attr_valid = 1000, .attr = node_attr(in->nodeid) };
        struct fuse_open_out opened = { .open_flags = d->direct ? FOPEN_DIRECT_IO : 0 };

        if (in->opcode == d->silent)
                return;
        switch (in->opcode) {
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
                return;
        case FUSE_INIT:
                reply(d->fd, in->unique, 0, &init, sizeof(init));
                return;
        case FUSE_LOOKUP:
                reply(d->fd, in->unique, 0, &entry, sizeof(entry));
                return;
        case FUSE_GETATTR:
                reply(d->fd, in->unique, 0, &attr, sizeof(attr));
                return;
        case FUSE_OPEN:
        case FUSE_OPENDIR:
                reply(d->fd, in->unique, 0, &opened, sizeof(opened));
                return;
        default:
                reply(d->fd, in->unique, ENOSYS, NULL, 0);
        }
}

static void *daemon_main(void *arg)
{
        static _Alignas(struct fuse_in_header) char request[REQUEST_MAX];
        const struct daemon *d = arg;

        for (;;) {
                ssize_t n = read(d->fd, request, sizeof(request));

                if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
                        continue;
                if (n < (ssize_t)sizeof(struct fuse_in_header))
                        return NULL;
                answer(d, (const struct fuse_in_header *)(const void *)request);
        }
}

/* What the scene mounts, nobody else sees. */
static void namespace_enter(struct stage *st)
{
        NEED(st, unshare(CLONE_NEWNS));
        NEED(st, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void call_silent(int how, const char *path)
{
        char buffer[16] = "x";
        struct stat sb;
        DIR *d;
        int fd;

        switch (how) {
        case STAT:
                stat(path, &sb);
                break;
        case READDIR:
                d = opendir(path);
                if (d)
                        readdir(d);
                break;
        case FAULT:
                fd = (int)MUST(open(path, O_RDONLY | O_CLOEXEC));
                (void)*(const volatile char *)MUST_MAP(
                        mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0));
                break;
        default:
                fd = open(path, (how == WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
                if (how == WRITE)
                        (void)!write(fd, buffer, sizeof(buffer));
                else
                        (void)!read(fd, buffer, sizeof(buffer));
        }
        child_end();
}

static uint32_t silent_opcode(int how)
{
        switch (how) {
        case OPEN:
                return FUSE_OPEN;
        case STAT:
                return FUSE_LOOKUP;
        case READDIR:
                return FUSE_READDIR;
        case WRITE:
                return FUSE_WRITE;
        default:
                return FUSE_READ;
        }
}

static void fuse_run(struct stage *st, int how)
{
        char mount_point[512], path[600], options[96];
        struct look look = { 0 };
        pid_t pid;

        namespace_enter(st);
        snprintf(mount_point, sizeof(mount_point), "%s", stage_path(st, "fuse"));
        snprintf(path, sizeof(path), "%s%s", mount_point, how == READDIR ? "" : "/file");
        MUST(mkdir(mount_point, 0755));
        daemon_state.fd = (int)NEED(st, open("/dev/fuse", O_RDWR | O_CLOEXEC));
        daemon_state.silent = silent_opcode(how);
        daemon_state.direct = how == READ || how == WRITE;
        daemon_state.async = how == READ_PAGE;
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
                daemon_state.fd);
        NEED(st, mount("pwhy-source", mount_point, "fuse.scene", MS_NOSUID | MS_NODEV, options));
        thread_start(daemon_main, &daemon_state, NULL, NULL);
        pid = child_start(st);
        if (pid == 0) {
                /* Else the connection would live on in it. */
                close(daemon_state.fd);
                call_silent(how, path);
        }
        if (how == FAULT)
                wait_outside(st, pid);
        else if (how == READDIR)
                look = wait_call(st, pid, SYS_getdents64, -1);
        else if (how == READ || how == READ_PAGE)
                look = wait_call(st, pid, SYS_read, -1);
        else if (how == WRITE)
                look = wait_call(st, pid, SYS_write, -1);
        else
                look = wait_call(st, pid, SYS_openat, SYS_newfstatat, -1);
        if (how == OPEN || how == STAT || how == FAULT)
                stage_ready(st, pid, pid, "path=%s mount=%s fs=fuse.scene source=pwhy-source", path,
                        mount_point);
        else
                stage_ready(st, pid, pid, "fd=%d path=%s mount=%s fs=fuse.scene source=pwhy-source",
                        (int)look.args[0], path, mount_point);
}

/* Whoever is not of the automounter's process group waits until it has mounted. */
static void autofs_run(struct stage *st, int how)
{
        char mount_point[512], path[600], options[128];
        int pipe_fds[2];
        pid_t pid;

        (void)how;
        namespace_enter(st);
        snprintf(mount_point, sizeof(mount_point), "%s", stage_path(st, "auto"));
        snprintf(path, sizeof(path), "%s/server", mount_point);
        MUST(mkdir(mount_point, 0755));
        MUST(pipe2(pipe_fds, O_CLOEXEC));
        MUST(setpgid(0, 0));
        snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect",
                pipe_fds[1], getpid());
        NEED(st, mount("pwhy-source", mount_point, "autofs", 0, options));
        pid = child_start(st);
        if (pid == 0) {
                MUST(setpgid(0, 0));
                open(path, O_RDONLY | O_CLOEXEC);
                child_end();
        }
        wait_call(st, pid, SYS_openat, -1);
        stage_ready(
                st, pid, pid, "path=%s mount=%s fs=autofs source=pwhy-source", path, mount_point);
}

const struct scene scenes_mount[] = {
        { "fuse-open", fuse_run, OPEN, "open(2) of a FUSE file whose daemon does not answer" },
        { "fuse-stat", fuse_run, STAT, "stat(2) of a FUSE file" },
        { "fuse-read", fuse_run, READ, "read(2) of a FUSE file" },
        { "fuse-read-page", fuse_run, READ_PAGE, "read(2) of a FUSE file through the page cache" },
        { "fuse-write", fuse_run, WRITE, "write(2) to a FUSE file" },
        { "fuse-readdir", fuse_run, READDIR, "readdir(3) of a FUSE directory" },
        { "fuse-fault", fuse_run, FAULT, "a page fault on a FUSE file" },
        { "autofs-open", autofs_run, 0, "open(2) of what an automounter must mount" },
        { NULL, NULL, 0, NULL },
};
