/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait for a disk. A cgroup's limit on bytes a second makes any disk slow
 * enough to be seen, for that cgroup alone.
 *
 * What is written goes to a loop device of the scene's own: a slow write below a real file
 * system could hold up its journal, and with it everybody else.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SIZE (1U << 20)
#define BYTES_PER_S 512 /* so that SIZE takes half an hour */

enum how { DIRECT, BUFFERED, FAULT, OVERLAY };

/* Puts the caller into a cgroup that may read and write so little of the disk. */
static void disk_throttle(struct stage *st, dev_t device)
{
        static const char *const files[] = { "read_bps_device", "write_bps_device" };
        char cgroup[1024], path[1100], text[64];

        cgroup_make(st, "blkio", cgroup, sizeof(cgroup));
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/blkio.throttle.%s", cgroup, files[i]);
                snprintf(text, sizeof(text), "%u:%u 0", major(device), minor(device));
                stage_undo(st, UNDO_WRITE, 0, path, text);
                snprintf(text, sizeof(text), "%u:%u %d", major(device), minor(device), BYTES_PER_S);
                if (!text_write(path, text))
                        stage_skip(st, "%s cannot be written", path);
        }
        shared_set(st, 1, 1);
        snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
        snprintf(text, sizeof(text), "%d", getpid());
        if (!text_write(path, text))
                stage_fail("%s: cannot enter", path);
}

/* A loop device over memory; it goes with its last fd. */
static int loop_make(struct stage *st, dev_t *ret_device, char path[static 32])
{
        int control = (int)NEED(st, open("/dev/loop-control", O_RDWR | O_CLOEXEC)), memory, fd = -1;
        struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
        struct stat sb;

        memory = (int)MUST(memfd_create("pwhy-scene", MFD_CLOEXEC));
        MUST(ftruncate(memory, SIZE));
        config.fd = (uint32_t)memory;
        /* Between being told a free one and taking it, another may have. */
        for (int n = 0; n < 10; n++) {
                snprintf(path, 32, "/dev/loop%d", (int)NEED(st, ioctl(control, LOOP_CTL_GET_FREE)));
                fd = (int)NEED(st, open(path, O_RDWR | O_CLOEXEC));
                if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
                        break;
                if (errno != EBUSY)
                        stage_skip(st, "%s: %s", path, strerror(errno));
                close(fd);
                fd = -1;
        }
        if (fd < 0)
                stage_skip(st, "no free loop device");
        close(memory);
        close(control);
        MUST(fstat(fd, &sb));
        *ret_device = sb.st_rdev;
        return fd;
}

static void read_direct(int fd)
{
        void *buffer = MUST_MAP(
                mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

        (void)!read(fd, buffer, SIZE);
        child_end();
}

static void device_read(struct stage *st, int how)
{
        char path[32];
        dev_t device;
        int fd = loop_make(st, &device, path);
        pid_t pid;

        (void)how;
        MUST(fcntl(fd, F_SETFL, (long)MUST(fcntl(fd, F_GETFL)) | O_DIRECT));
        pid = child_start(st);
        if (pid == 0) {
                disk_throttle(st, device);
                read_direct(fd);
        }
        shared_wait(st, 1);
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s", fd, path);
}

static void device_fsync(struct stage *st, int how)
{
        char path[32], *block = calloc(1, SIZE);
        dev_t device;
        int fd = loop_make(st, &device, path);
        pid_t pid;

        (void)how;
        if (!block)
                stage_fail("no memory");
        pid = child_start(st);
        if (pid == 0) {
                disk_throttle(st, device);
                MUST(write(fd, block, SIZE));
                fsync(fd);
                child_end();
        }
        shared_wait(st, 1);
        wait_call(st, pid, SYS_fsync, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s", fd, path);
}

/*
 * The whole disk below a file, which alone can be throttled: of partition 254:1,
 * /sys/dev/block/254:1/../dev says "254:0".
 */
static dev_t file_disk(struct stage *st, int fd)
{
        unsigned major_number, minor_number;
        char path[96], text[32];
        struct stat sb;

        MUST(fstat(fd, &sb));
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(sb.st_dev),
                minor(sb.st_dev));
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(sb.st_dev), minor(sb.st_dev),
                access(path, F_OK) == 0 ? "../dev" : "dev");
        if (!text_read(path, text, sizeof(text)) ||
                sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
                stage_skip(st, "%s is not on one disk", st->dir);
        return makedev(major_number, minor_number);
}

/* A file of which nothing is in memory. */
static const char *file_make(struct stage *st)
{
        const char *path = stage_path(st, "cold");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        char *block = malloc(SIZE);

        if (!block)
                stage_fail("no memory");
        memset(block, 'x', SIZE);
        MUST(write(fd, block, SIZE));
        MUST(fsync(fd));
        if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
                stage_fail("posix_fadvise");
        free(block);
        close(fd);
        return path;
}

/* The same file as an overlay shows it, in a mount namespace of the stage's own. */
static const char *overlay_make(struct stage *st, const char *path)
{
        static const char *const names[] = { "upper", "work", "merged" };
        static char below[PATH_MAX];
        char options[PATH_MAX], from[PATH_MAX];

        snprintf(from, sizeof(from), "%s", path); /* path is stage_path()'s own */
        NEED(st, unshare(CLONE_NEWNS));
        NEED(st, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        MUST(mkdir(stage_path(st, "lower"), 0755));
        MUST(rename(from, stage_path(st, "lower/cold")));
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
                MUST(mkdir(stage_path(st, names[i]), 0755));
        snprintf(options, sizeof(options),
                "lowerdir=%.1000s/lower,upperdir=%.1000s/upper,"
                "workdir=%.1000s/work",
                st->dir, st->dir, st->dir);
        NEED(st, mount("overlay", stage_path(st, "merged"), "overlay", 0, options));
        snprintf(below, sizeof(below), "%s", stage_path(st, "merged/cold"));
        return below;
}

static void file_actor(int fd, int how)
{
        const volatile char *map;

        if (how == FAULT) {
                map = MUST_MAP(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0));
                (void)map[0];
                child_end();
        }
        read_direct(fd);
}

static void file_read(struct stage *st, int how)
{
        const char *path = file_make(st);
        int fd = (int)NEED(st, open(path, O_RDONLY | O_CLOEXEC | (how == DIRECT ? O_DIRECT : 0)));
        dev_t device = file_disk(st, fd);
        pid_t pid;

        if (how == OVERLAY) {
                close(fd);
                path = overlay_make(st, path);
                fd = (int)NEED(st, open(path, O_RDONLY | O_CLOEXEC));
        }
        pid = child_start(st);
        if (pid == 0) {
                disk_throttle(st, device);
                file_actor(fd, how);
        }
        shared_wait(st, 1);
        if (how == FAULT)
                wait_outside(st, pid);
        else
                wait_call(st, pid, SYS_read, -1);
        wait_state(st, pid, "D");
        if (how == OVERLAY)
                stage_ready(st, pid, pid, "fd=%d path=%s fs=overlay mount=%s", fd, path,
                        stage_path(st, "merged"));
        else
                stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu", fd, path, fd_inode(fd));
}

const struct scene scenes_disk[] = {
        { "disk-read", device_read, DIRECT, "a direct read(2) of a throttled block device" },
        { "disk-fsync", device_fsync, 0, "fsync(2) of a throttled block device" },
        { "disk-read-file", file_read, DIRECT, "a direct read(2) of a file" },
        { "disk-read-cold", file_read, BUFFERED, "a read(2) of a file that is not in memory" },
        { "disk-read-overlay", file_read, OVERLAY, "the same through an overlay" },
        { "disk-fault", file_read, FAULT, "a page fault on a file that is not in memory" },
        { NULL, NULL, 0, NULL },
};
