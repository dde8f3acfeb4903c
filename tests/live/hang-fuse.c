/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that a FUSE server does not answer: each hangs what looks at it in another way.
 *
 * The server speaks the protocol itself (linux/fuse.h). It answers until all victims are
 * prepared, and then takes requests without ever answering: the worst kind, since who waits for
 * such a request cannot even be killed. The hang ends with the server, whose death aborts the
 * connection. It dies with its parent, which dies with whoever started it; the mount is in a
 * mount namespace of its own. So nothing stays behind, whoever is killed.
 *
 * Prints "ready server=PID NAME=PID ..." and waits for the end of its input. Its argument is the
 * name of a victim to leave out.
 */
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP 77
#define PAGE 4096
#define DATA_SIZE (64L << 20)
#define NODE_DATA 2 /* zeros */
#define NODE_PROGRAM 3
#define NODE_LIBRARY 4 /* hang-library.so */
#define REQUEST_MAX (1 << 18)
#define BEAT_NS 5000000L

struct shared {
        atomic_bool silent;
        atomic_uint beats[2]; /* of victims that map memory all the time */
        atomic_int child;     /* of the victim that has one */
};

static struct {
        struct shared *shared;
        char mount[64];
        int ready[2]; /* a victim is prepared: it writes a byte */
        int go[2];    /* the server is silent: end of file */
} stage;

static void *must_map(void *p)
{
        if (p == MAP_FAILED)
                err(1, "mmap");
        return p;
}

static void must(long r, const char *what)
{
        if (r < 0)
                err(1, "%s", what);
}

/* ---- the server ---- */

static int files[NODE_LIBRARY + 1]; /* by node; -1: there is none */

static struct fuse_attr node_attr(uint64_t node)
{
        struct fuse_attr a = { .ino = node, .nlink = 1, .blksize = PAGE };
        struct stat st;

        a.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0755;
        if (node == NODE_DATA)
                a.size = DATA_SIZE;
        if (node >= NODE_PROGRAM && node <= NODE_LIBRARY && fstat(files[node], &st) == 0)
                a.size = (uint64_t)st.st_size;
        return a;
}

static void reply(int fd, const struct fuse_in_header *in, int error, const void *body, size_t len)
{
        static char message[REQUEST_MAX];
        struct fuse_out_header out = {
                .len = (uint32_t)(sizeof(out) + len), .error = -error, .unique = in->unique
        };

        memcpy(message, &out, sizeof(out));
        if (len)
                memcpy(message + sizeof(out), body, len);
        /* The request may have been taken back meanwhile. */
        if (write(fd, message, sizeof(out) + len) < 0 && errno != ENOENT)
                err(1, "reply");
}

static void reply_read(int fd, const struct fuse_in_header *in)
{
        static char bytes[REQUEST_MAX / 2];
        struct fuse_read_in read_in;
        ssize_t n;

        memcpy(&read_in, in + 1, sizeof(read_in));
        n = read_in.size < sizeof(bytes) ? read_in.size : (ssize_t)sizeof(bytes);
        memset(bytes, 0, (size_t)n);
        if (in->nodeid == NODE_PROGRAM || in->nodeid == NODE_LIBRARY)
                n = pread(files[in->nodeid], bytes, (size_t)n, (off_t)read_in.offset);
        reply(fd, in, 0, bytes, n < 0 ? 0 : (size_t)n);
}

static void reply_lookup(int fd, const struct fuse_in_header *in)
{
        const char *name = (const char *)(in + 1);
        uint64_t node = !strcmp(name, "data")                                     ? NODE_DATA
                        : !strcmp(name, "prog")                                   ? NODE_PROGRAM
                        : !strcmp(name, "library.so") && files[NODE_LIBRARY] >= 0 ? NODE_LIBRARY
                                                                                  : 0;
        struct fuse_entry_out entry = {
                .nodeid = node, .entry_valid = 1000, .attr_valid = 1000, .attr = node_attr(node)
        };

        reply(fd, in, node ? 0 : ENOENT, &entry, node ? sizeof(entry) : 0);
}

static void answer(int fd, const struct fuse_in_header *in)
{
        struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
                .minor = FUSE_KERNEL_MINOR_VERSION,
                .max_readahead = PAGE,
                .max_write = PAGE };
        struct fuse_attr_out attr = { .attr_valid = 1000, .attr = node_attr(in->nodeid) };
        struct fuse_open_out open_out = { .open_flags = FOPEN_KEEP_CACHE };

        switch (in->opcode) {
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
                return;
        case FUSE_INIT:
                reply(fd, in, 0, &init, sizeof(init));
                return;
        case FUSE_LOOKUP:
                reply_lookup(fd, in);
                return;
        case FUSE_GETATTR:
                reply(fd, in, 0, &attr, sizeof(attr));
                return;
        case FUSE_OPEN:
        case FUSE_OPENDIR:
                reply(fd, in, 0, &open_out, sizeof(open_out));
                return;
        case FUSE_READ:
                reply_read(fd, in);
                return;
        default:
                /* Of flush and the like the kernel remembers that it need not ask again. */
                reply(fd, in, ENOSYS, NULL, 0);
        }
}

/* The library is beside this program. */
static void files_open(void)
{
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("library.so"));

        must(n, "/proc/self/exe");
        path[n] = 0;
        files[NODE_PROGRAM] = open(path, O_RDONLY | O_CLOEXEC);
        must(files[NODE_PROGRAM], path);
        strcpy(strrchr(path, '-') + 1, "library.so");
        files[NODE_LIBRARY] = open(path, O_RDONLY | O_CLOEXEC);
}

static _Noreturn void serve(int fd)
{
        static _Alignas(struct fuse_in_header) char request[REQUEST_MAX];

        files_open();
        for (;;) {
                ssize_t n = read(fd, request, sizeof(request));

                if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
                        continue;
                if (n < (ssize_t)sizeof(struct fuse_in_header))
                        _exit(0);
                if (!stage.shared->silent)
                        answer(fd, (struct fuse_in_header *)(void *)request);
        }
}

/* ---- the victims ---- */

/* Victims die with their parent as far as the hang lets them. */
static pid_t start(void)
{
        pid_t parent = getpid(), pid = fork();

        must(pid, "fork");
        if (pid == 0) {
                must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
                if (getppid() != parent)
                        _exit(0);
        }
        return pid;
}

/* Prepared; wait until the server is silent. */
static void meet(void)
{
        char c;

        must(write(stage.ready[1], "", 1), "write");
        must(read(stage.go[0], &c, 1), "read");
}

static void thread_start(void *(*run)(void *), void *arg)
{
        pthread_t t;

        if (pthread_create(&t, NULL, run, arg) != 0)
                errx(1, "pthread_create");
}

static int data_open(int how)
{
        char path[80];
        int fd;

        snprintf(path, sizeof(path), "%s/data", stage.mount);
        fd = open(path, how | O_CLOEXEC);
        must(fd, path);
        /* No readahead: it would bring what another victim must miss. */
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
        return fd;
}

/* A page of the file, each victim its own, not in memory. */
static char *data_map(int fd, int nth)
{
        return must_map(
                mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, nth * (1L << 20)));
}

static void victim_read(void)
{
        char buffer[16];
        int fd = data_open(O_RDONLY);

        meet();
        must(pread(fd, buffer, sizeof(buffer), 1L << 20), "pread");
}

/* Its program, working directory and fds are on the mount; it waits for something else. */
static void victim_exec(void)
{
        char path[80], ready[16], go[16];

        snprintf(path, sizeof(path), "%s/prog", stage.mount);
        snprintf(ready, sizeof(ready), "%d", stage.ready[1]);
        snprintf(go, sizeof(go), "%d", stage.go[0]);
        must(chdir(stage.mount), "chdir");
        must(dup2(data_open(O_RDONLY), 0), "dup2");
        execl(path, "hang-program", "wait", ready, go, NULL);
        err(1, "%s", path);
}

static void *rest(void *arg)
{
        pause();
        return arg;
}

/* A thread waits below a function of a library that is on the mount, another one does not. */
static void victim_library(void)
{
        void (*wait_in_library)(void (*first)(void), int (*then)(void));
        char path[80];
        void *library;

        thread_start(rest, NULL);
        snprintf(path, sizeof(path), "%s/library.so", stage.mount);
        library = dlopen(path, RTLD_NOW);
        wait_in_library = library ? dlsym(library, "hang_library") : NULL;
        if (!wait_in_library)
                errx(1, "%s", dlerror());
        wait_in_library(meet, pause);
}

static void victim_root(void)
{
        must(chdir(stage.mount), "chdir");
        must(chroot("."), "chroot");
        meet();
        pause();
}

static void *beat(void *arg)
{
        struct timespec moment = { 0, BEAT_NS };
        atomic_uint *beats = arg;

        for (;;) {
                munmap(must_map(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
                        PAGE);
                ++*beats;
                nanosleep(&moment, NULL);
        }
        return NULL;
}

/*
 * "PID (COMM) STATE ...": fields 26 to 28 and 45 to 51 of stat(5). PR_SET_MM_MAP sets them all
 * at once, and unlike the setting of a single one wants no CAP_SYS_RESOURCE.
 */
static void memory_layout(struct prctl_mm_map *ret_map)
{
        unsigned long long fields[52] = { 0 };
        char text[2048], *at, *word;
        int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        must(n, "/proc/self/stat");
        close(fd);
        text[n] = 0;
        at = strrchr(text, ')') + 2;
        for (int i = 3; i < 52 && (word = strsep(&at, " ")); i++)
                fields[i] = strtoull(word, NULL, 10);
        *ret_map = (struct prctl_mm_map){
                .start_code = fields[26],
                .end_code = fields[27],
                .start_stack = fields[28],
                .start_data = fields[45],
                .end_data = fields[46],
                .start_brk = fields[47],
                .brk = (unsigned long)sbrk(0),
                .arg_start = fields[48],
                .arg_end = fields[49],
                .env_start = fields[50],
                .env_end = fields[51],
                .exe_fd = UINT32_MAX,
        };
}

/* Its command line is a page of the file; meanwhile it wants to map memory. */
static void victim_argv(void)
{
        struct prctl_mm_map map;

        memory_layout(&map);
        map.arg_start = (unsigned long)data_map(data_open(O_RDONLY), 2);
        map.arg_end = map.arg_start + PAGE;
        must(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0), "PR_SET_MM_MAP");
        meet();
        thread_start(beat, &stage.shared->beats[0]);
        pause();
}

struct paged { /* a page that goes away once it was used */
        int fd;
        char *page;
};

static void *page_drop(void *arg)
{
        struct paged *p = arg;

        meet();
        madvise(p->page, PAGE, MADV_DONTNEED);
        posix_fadvise(p->fd, 0, 0, POSIX_FADV_DONTNEED);
        return beat(&stage.shared->beats[1]);
}

/* In poll(2); the list of fds was there when the call began and is not any more. */
static void victim_memory(void)
{
        struct paged p = { .fd = data_open(O_RDONLY) };
        volatile struct pollfd *list;

        p.page = data_map(p.fd, 3);
        list = (volatile struct pollfd *)(void *)p.page;
        must(list[0].fd, "the page");
        thread_start(page_drop, &p);
        /* 512 times the fd 0, without an event. */
        must(dup2(stage.ready[0], 0), "dup2");
        poll((struct pollfd *)(void *)p.page, PAGE / sizeof(*list), -1);
}

static void *epoll_sleep(void *arg)
{
        struct epoll_event event;

        epoll_wait(*(int *)arg, &event, 1, -1);
        return NULL;
}

/* A thread adds a file to a set: the kernel asks the server with the set's mutex held. */
static void victim_epoll(void)
{
        struct epoll_event event = { .events = EPOLLIN };
        int epoll = epoll_create1(EPOLL_CLOEXEC), fd = data_open(O_RDONLY);

        meet();
        thread_start(epoll_sleep, &epoll);
        usleep(50000);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        pause();
}

static char *locked_page;

/* After the server fell silent, in this order. */
static void wait_turn(long nth)
{
        struct timespec turn = { 0, nth * 100000000 };
        char c;

        must(read(stage.go[0], &c, 1), "read");
        nanosleep(&turn, NULL);
}

/* The kernel keeps the mmap lock, for reading, while it brings a page for /proc/PID/mem. */
static void *lock_read(void *arg)
{
        int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        char c;

        wait_turn(0);
        must(pread(fd, &c, 1, (off_t)locked_page), "pread");
        return arg;
}

/* This one waits for the lock, and everybody else behind it. */
static void *lock_write(void *arg)
{
        wait_turn(1);
        must_map(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        return arg;
}

/* And this one, for reading, in a way that the kernel notes (6.17): not killable. */
static void *lock_cold(void *arg)
{
        void *page = must_map(
                mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

        wait_turn(2);
        must(madvise(page, PAGE, MADV_COLD), "madvise");
        return arg;
}

/*
 * Maps something else over a page that was written to: the kernel writes it to the server first,
 * with the mmap lock for writing (fuse_vma_close()).
 */
static void *lock_keep(void *arg)
{
        wait_turn(0);
        *(volatile char *)arg = 1;
        must_map(mmap(arg, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        return arg;
}

static void victim_map(void)
{
        int fd = data_open(O_RDWR);
        volatile char *page =
                must_map(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 5 * (1L << 20)));

        (void)page[0]; /* in memory, before the server falls silent */
        thread_start(lock_keep, (void *)page);
        thread_start(lock_cold, NULL);
        meet();
        pause();
}

/* execve(2) takes the old memory's lock with exec_update_lock held, which /proc wants too. */
static int exec_behind_lock(void *arg)
{
        static char *const args[] = { (char *)"true", NULL };

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        wait_turn(2);
        execv("/bin/true", args);
        return arg != NULL;
}

/* Its mmap lock cannot be had; nor, of its child, what execve(2) guards. */
static void victim_lock(void)
{
        static char stack[1 << 16] __attribute__((aligned(16)));
        pid_t child;

        locked_page = data_map(data_open(O_RDONLY), 4);
        child = clone(exec_behind_lock, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
        must(child, "clone");
        stage.shared->child = child;
        thread_start(lock_read, NULL);
        thread_start(lock_write, NULL);
        thread_start(lock_cold, NULL);
        meet();
        pause();
}

static const struct {
        const char *name;
        void (*run)(void);
} victims[] = {
        { "read", victim_read },
        { "exec", victim_exec },
        { "library", victim_library },
        { "root", victim_root },
        { "argv", victim_argv },
        { "memory", victim_memory },
        { "epoll", victim_epoll },
        { "lock", victim_lock },
        { "map", victim_map },
};

#define N_VICTIMS (sizeof(victims) / sizeof(*victims))

static int fuse_mount(void)
{
        char options[96];
        int fd;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                printf("skip no mount namespace: %s\n", strerror(errno));
                exit(SKIP);
        }
        must(mount("tmpfs", "/mnt", "tmpfs", 0, NULL), "mount tmpfs");
        snprintf(stage.mount, sizeof(stage.mount), "/mnt/hang");
        must(mkdir(stage.mount, 0755), "mkdir");
        fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
                fd);
        if (fd < 0 || mount("hang", stage.mount, "fuse", MS_NODEV | MS_NOSUID, options) < 0) {
                printf("skip no FUSE: %s\n", strerror(errno));
                exit(SKIP);
        }
        return fd;
}

static void silence(size_t n)
{
        char bytes[1];

        for (size_t i = 0; i < n; i++)
                must(read(stage.ready[0], bytes, 1), "read");
        stage.shared->silent = true;
        close(stage.go[1]);
}

/* A line on stdin: how often the victims with a beat have mapped memory so far. */
static void listen_to_tester(void)
{
        char line[32];

        while (fgets(line, sizeof(line), stdin))
                printf("%u %u\n", stage.shared->beats[0], stage.shared->beats[1]);
}

int main(int argc, char **argv)
{
        pid_t server, pids[N_VICTIMS] = { 0 };
        size_t n = 0;
        int fd;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc == 4 && strcmp(argv[1], "wait") == 0) {
                stage.ready[1] = atoi(argv[2]);
                stage.go[0] = atoi(argv[3]);
                meet();
                pause();
        }
        must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
        stage.shared = must_map(mmap(NULL, sizeof(*stage.shared), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        fd = fuse_mount();
        server = start();
        if (server == 0)
                serve(fd);
        close(fd);
        if (pipe(stage.ready) < 0 || pipe(stage.go) < 0)
                err(1, "pipe");
        for (size_t i = 0; i < N_VICTIMS; i++) {
                if (argc == 2 && strcmp(argv[1], victims[i].name) == 0)
                        continue;
                n++;
                pids[i] = start();
                if (pids[i] == 0) {
                        close(stage.go[1]);
                        victims[i].run();
                        _exit(0);
                }
        }
        silence(n);
        printf("ready server=%d child=%d", (int)server, (int)stage.shared->child);
        for (size_t i = 0; i < N_VICTIMS; i++)
                if (pids[i])
                        printf(" %s=%d", victims[i].name, (int)pids[i]);
        printf("\n");
        listen_to_tester();
        kill(server, SIGKILL);
        for (size_t i = 0; i < N_VICTIMS; i++)
                if (pids[i])
                        kill(pids[i], SIGKILL);
        while (wait(NULL) > 0)
                ;
        return 0;
}
