/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helpers of scene.h. They wait for what /proc shows and never for a time: a machine
 * may be slow, but a thread that is asleep in accept(2) is there. The one time limit says
 * that a scene is broken.
 */
#include "scene-stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_LIMIT_S 30
#define PAUSE_US 1000 /* between two readings */

static uint64_t monotonic_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t monotonic_after(unsigned seconds)
{
        return monotonic_ns() + (uint64_t)seconds * 1000000000;
}

void stage_skip(struct stage *st, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (st->pid != getpid()) {
                /* The first reason stays: others only pass it on. */
                if (!st->shared->skip[0])
                        vsnprintf(st->shared->skip, sizeof(st->shared->skip), format, ap);
        } else {
                st->shared->skipped = true;
                fputs("skip ", stdout);
                vprintf(format, ap);
                putchar('\n');
                fflush(stdout);
        }
        va_end(ap);
        _exit(77);
}

void stage_fail(const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        fputs("scene: ", stderr);
        vfprintf(stderr, format, ap);
        fputc('\n', stderr);
        va_end(ap);
        _exit(1);
}

long stage_must(long r, const char *what)
{
        if (r == -1)
                stage_fail("%s: %s", what, strerror(errno));
        return r;
}

long stage_need(struct stage *st, long r, const char *what)
{
        if (r == -1)
                stage_skip(st, "%s: %s", what, strerror(errno));
        return r;
}

void stage_ready(struct stage *st, pid_t pid, pid_t tid, const char *format, ...)
{
        va_list ap;

        printf("ready pid=%d tid=%d stage=%d ", pid, tid, st->pid);
        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        putchar('\n');
        fflush(stdout);
}

const char *stage_path(struct stage *st, const char *name)
{
        static char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s", st->dir, name);
        return path;
}

void stage_undo(struct stage *st, enum undo_kind kind, int id, const char *path, const char *text)
{
        struct undo *u = &st->shared->undo[st->shared->n_undo];

        if (st->shared->n_undo == UNDO_MAX)
                stage_fail("too much to undo");
        u->kind = kind;
        u->id = id;
        snprintf(u->path, sizeof(u->path), "%s", path ? path : "");
        snprintf(u->text, sizeof(u->text), "%s", text ? text : "");
        st->shared->n_undo++;
}

pid_t child_start(struct stage *st)
{
        pid_t parent = getpid(), pid;

        (void)st;
        fflush(stdout);
        pid = (pid_t)MUST(fork());
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                /* In a PID namespace of its own it has no parent. */
                if (getppid() != parent && getppid() != 0)
                        _exit(1);
        }
        return pid;
}

void child_end(void)
{
        stage_fail("an actor's call came back: %s", strerror(errno));
}

struct thread_begin {
        void *(*run)(void *);
        void *arg;
        pid_t tid;
        sem_t begun;
};

static void *thread_main(void *p)
{
        struct thread_begin *b = p;
        void *(*run)(void *) = b->run;
        void *arg = b->arg;

        b->tid = gettid();
        sem_post(&b->begun); /* b is gone from here on */
        return run(arg);
}

pid_t thread_start(void *(*run)(void *), void *arg, const void *attr, unsigned long *ret_thread)
{
        struct thread_begin b = { .run = run, .arg = arg };
        pthread_t thread;
        int r;

        sem_init(&b.begun, 0, 0);
        r = pthread_create(&thread, attr, thread_main, &b);
        if (r != 0)
                stage_fail("pthread_create: %s", strerror(r));
        while (sem_wait(&b.begun) < 0)
                ;
        if (ret_thread)
                *ret_thread = thread;
        return b.tid;
}

void shared_set(struct stage *st, unsigned index, uint64_t value)
{
        st->shared->words[index] = value;
}

uint64_t shared_get(const struct stage *st, unsigned index)
{
        return st->shared->words[index];
}

static bool text_read_at(const char *format, pid_t tid, char *buffer, size_t size)
{
        char path[64];

        snprintf(path, sizeof(path), format, tid, tid);
        return text_read(path, buffer, size);
}

bool text_read(const char *path, char *buffer, size_t size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return false;
        n = read(fd, buffer, size - 1);
        close(fd);
        if (n < 0)
                return false;
        buffer[n] = '\0';
        return true;
}

bool text_write(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return false;
        n = write(fd, text, strlen(text));
        close(fd);
        return n == (ssize_t)strlen(text);
}

static uint64_t status_number(const char *status, const char *key)
{
        const char *p = strstr(status, key);

        return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/* /proc/TID/task/TID/syscall: "0 0x3 0x7ffe… 0x1 … sp pc", "-1 sp pc", "running" */
static void syscall_parse(const char *text, struct look *look)
{
        char *end;
        long nr = strtol(text, &end, 10);

        if (end == text)
                return;
        look->outside = nr == -1;
        look->inside = nr != -1;
        look->nr = nr;
        for (int i = 0; look->inside && i < 6; i++)
                look->args[i] = strtoull(end, &end, 0);
}

bool thread_look(pid_t tid, struct look *ret_look)
{
        struct look look = { .nr = -1 };
        char text[4096];
        const char *state;

        if (!text_read_at("/proc/%d/task/%d/status", tid, text, sizeof(text)))
                return false;
        state = strstr(text, "\nState:\t");
        look.state = state ? state[8] : '?';
        look.switches = status_number(text, "\nvoluntary_ctxt_switches:") +
                        status_number(text, "\nnonvoluntary_ctxt_switches:");
        if (text_read_at("/proc/%d/task/%d/syscall", tid, text, sizeof(text)))
                syscall_parse(text, &look);
        *ret_look = look;
        return true;
}

/* Between two readings: has what we wait for become impossible? */
static void wait_step(struct stage *st, uint64_t limit, const char *what)
{
        if (st->shared->skip[0])
                stage_skip(st, "%s", st->shared->skip);
        if (monotonic_ns() > limit)
                stage_fail("%s: not reached: %s", st->name, what);
        usleep(PAUSE_US);
}

uint64_t shared_wait(struct stage *st, unsigned index)
{
        uint64_t limit = monotonic_after(WAIT_LIMIT_S), value;

        while ((value = shared_get(st, index)) == 0)
                wait_step(st, limit, "word from a child");
        return value;
}

void wait_until(struct stage *st, bool (*holds)(void *arg), void *arg, const char *what)
{
        uint64_t limit = monotonic_after(WAIT_LIMIT_S);

        while (!holds(arg))
                wait_step(st, limit, what);
}

static bool thread_asleep(const struct look *a, const struct look *b)
{
        return (b->state == 'S' || b->state == 'D') && a->state == b->state && a->nr == b->nr &&
               a->inside == b->inside && a->switches == b->switches;
}

static void thread_look_alive(struct stage *st, pid_t tid, struct look *ret_look)
{
        if (thread_look(tid, ret_look) && ret_look->state != 'Z' && ret_look->state != 'X')
                return;
        if (st->shared->skip[0])
                stage_skip(st, "%s", st->shared->skip);
        stage_fail("%s: the actor %d died", st->name, tid);
}

#define CALLS_MAX 4

static bool call_among(const struct look *look, const long *calls, size_t n)
{
        for (size_t i = 0; look->inside && i < n; i++)
                if (look->nr == calls[i])
                        return true;
        return false;
}

struct look wait_call(struct stage *st, pid_t tid, ...)
{
        uint64_t limit = monotonic_after(WAIT_LIMIT_S);
        struct look before = { .nr = -1 }, now;
        long calls[CALLS_MAX];
        size_t n = 0;
        va_list ap;

        va_start(ap, tid);
        for (int nr; (nr = va_arg(ap, int)) != -1 && n < CALLS_MAX;)
                calls[n++] = nr;
        va_end(ap);
        for (;; before = now) {
                thread_look_alive(st, tid, &now);
                if (call_among(&now, calls, n) && thread_asleep(&before, &now))
                        return now;
                wait_step(st, limit, "asleep in its system call");
        }
}

void wait_outside(struct stage *st, pid_t tid)
{
        uint64_t limit = monotonic_after(WAIT_LIMIT_S);
        struct look before = { .nr = -1 }, now;

        for (;; before = now) {
                thread_look_alive(st, tid, &now);
                if (now.outside && before.outside && thread_asleep(&before, &now))
                        return;
                wait_step(st, limit, "asleep outside a system call");
        }
}

void wait_state(struct stage *st, pid_t tid, const char *states)
{
        uint64_t limit = monotonic_after(WAIT_LIMIT_S);
        struct look now;

        while (!thread_look(tid, &now) || !strchr(states, now.state))
                wait_step(st, limit, states);
}

void wait_settled(struct stage *st, pid_t tid, unsigned readings)
{
        uint64_t limit = monotonic_after(WAIT_LIMIT_S);
        struct look before, now;

        thread_look_alive(st, tid, &before);
        for (unsigned n = 0; n < readings; before = now) {
                wait_step(st, limit, "no more context switches");
                thread_look_alive(st, tid, &now);
                n = thread_asleep(&before, &now) ? n + 1 : 0;
        }
}

uint64_t fd_inode(int fd)
{
        struct stat sb;

        MUST(fstat(fd, &sb));
        return sb.st_ino;
}

const char *address_text(const struct sockaddr *address, char buffer[static 64])
{
        char host[INET6_ADDRSTRLEN];

        if (address->sa_family == AF_INET6) {
                const struct sockaddr_in6 *in6 = (const void *)address;

                inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
                snprintf(buffer, 64, "[%s]:%u", host, ntohs(in6->sin6_port));
        } else {
                const struct sockaddr_in *in = (const void *)address;

                inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
                snprintf(buffer, 64, "%s:%u", host, ntohs(in->sin_port));
        }
        return buffer;
}

const char *local_text(int fd, char buffer[static 64])
{
        struct sockaddr_storage ss = { 0 };
        socklen_t len = sizeof(ss);

        MUST(getsockname(fd, (struct sockaddr *)&ss, &len));
        return address_text((struct sockaddr *)&ss, buffer);
}

const char *remote_text(int fd, char buffer[static 64])
{
        struct sockaddr_storage ss = { 0 };
        socklen_t len = sizeof(ss);

        MUST(getpeername(fd, (struct sockaddr *)&ss, &len));
        return address_text((struct sockaddr *)&ss, buffer);
}

void fd_set_nonblock(int fd, bool on)
{
        int flags = (int)MUST(fcntl(fd, F_GETFL));

        MUST(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

size_t fd_fill(int fd)
{
        char block[4096];
        size_t total = 0, step = sizeof(block);
        ssize_t n;

        memset(block, 'x', sizeof(block));
        fd_set_nonblock(fd, true);
        /* A large write may not fit where a small one still does. */
        while (step > 0) {
                n = write(fd, block, step);
                if (n > 0)
                        total += (size_t)n;
                else
                        step /= 2;
        }
        fd_set_nonblock(fd, false);
        return total;
}

/*
 * A line of mountinfo: "36 35 0:31 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer".
 * Paths of cgroup mounts have no characters that would be escaped.
 */
static bool cgroup_mount(const char *controller, char *buffer, size_t size)
{
        bool unified = strcmp(controller, "unified") == 0, found = false;
        FILE *f = fopen("/proc/self/mountinfo", "re");
        char line[4096], where[1024], type[64], options[1024], pattern[80];

        if (!f)
                return false;
        snprintf(pattern, sizeof(pattern), ",%s,", controller);
        while (!found && fgets(line, sizeof(line), f)) {
                const char *dash = strstr(line, " - ");
                char list[1032];

                if (!dash || sscanf(line, "%*s %*s %*s %*s %1023s", where) != 1 ||
                        sscanf(dash, " - %63s %*s %1023s", type, options) != 2)
                        continue;
                snprintf(list, sizeof(list), ",%s,", options);
                found = unified ? strcmp(type, "cgroup2") == 0
                                : strcmp(type, "cgroup") == 0 && strstr(list, pattern) != NULL;
        }
        fclose(f);
        if (found)
                snprintf(buffer, size, "%s", where);
        return found;
}

void cgroup_make(struct stage *st, const char *controller, char *buffer, size_t size)
{
        char mount[1024];

        if (!cgroup_mount(controller, mount, sizeof(mount)))
                stage_skip(st, "no cgroup hierarchy with %s", controller);
        snprintf(buffer, size, "%s/pwhy-scene-%d", mount, st->pid);
        if (mkdir(buffer, 0755) < 0)
                stage_skip(st, "%s: %s", buffer, strerror(errno));
        stage_undo(st, UNDO_RMDIR, 0, buffer, NULL);
}
