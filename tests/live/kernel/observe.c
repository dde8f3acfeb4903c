/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be seen of a scene: its ready line, pwhy's answers, and what /proc says of the
 * thread before and after, for the same judgement that test_scenes.py makes.
 */
#include "agent.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRIES 10 /* for a thread that moves: who has the CPU changes */
#define HELD_MAX 64

/* One byte at a time: the line is short, and nothing after it may be eaten. */
static void line_read(struct held_scene *s)
{
        struct pollfd ready = { .fd = s->out, .events = POLLIN };
        size_t len = 0;

        while (len < sizeof(s->line) - 1 && poll(&ready, 1, SECONDS_MAX * 1000) > 0 &&
                read(s->out, s->line + len, 1) == 1 && s->line[len] != '\n')
                len++;
        s->line[len] = '\0';
}

void scene_start(struct held_scene *s, const char *name)
{
        int in[2], out[2];

        *s = (struct held_scene){ .begin_ns = now_ns(), .err = memfd_create("err", MFD_CLOEXEC) };
        if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || (s->pid = fork()) < 0) {
                record_error("%s: %m", name);
                _exit(1);
        }
        if (s->pid == 0) {
                dup2(in[0], STDIN_FILENO);
                dup2(out[1], STDOUT_FILENO);
                dup2(s->err, STDERR_FILENO);
                execl(SCENE_PATH, SCENE_PATH, name, (char *)NULL);
                _exit(127);
        }
        close(in[0]);
        close(out[1]);
        s->in = in[1];
        s->out = out[0];
        line_read(s);
        s->made_ns = now_ns();
}

int scene_end(struct held_scene *s)
{
        close(s->in);
        close(s->out);
        return child_wait(s->pid);
}

static bool is_ready(const struct held_scene *s)
{
        return strncmp(s->line, "ready ", 6) == 0;
}

/* A word of the ready line, " key=value"; false when it has none. */
static bool ready_word(const struct held_scene *s, const char *key, char *buffer, size_t size)
{
        char pattern[64];
        const char *p;

        snprintf(pattern, sizeof(pattern), " %s=", key);
        p = strstr(s->line, pattern);
        if (!p)
                return false;
        p += strlen(pattern);
        snprintf(buffer, size, "%.*s", (int)strcspn(p, " "), p);
        return true;
}

static void thread_record(const char *when, const char *tid)
{
        static const char *const files[] = { "stat", "status", "syscall" };
        char name[64];

        for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
                snprintf(name, sizeof(name), "%s.%s", when, files[i]);
                record_file(name, "/proc/%s/task/%s/%s", tid, tid, files[i]);
        }
}

/* What some check asks for: "text", or whom a word of the ready line names. */
static void wanted_record(const struct held_scene *s, const char *tid, char *const *wanted)
{
        char target[32], name[64];

        for (; *wanted; wanted++) {
                if (strcmp(*wanted, "text") == 0)
                        pwhy_record("text", (const char *[]){ tid, NULL });
                else if (!ready_word(s, *wanted, target, sizeof(target)))
                        record_error("%s: no word of \"%s\"", *wanted, s->line);
                else {
                        snprintf(name, sizeof(name), "json.%s", target);
                        pwhy_record(name, (const char *[]){ "--json", target, NULL });
                }
        }
}

static void device_record(const struct held_scene *s)
{
        char path[PATH_MAX], link[64], target[PATH_MAX];
        struct stat sb;
        dev_t device;
        ssize_t n;

        /* A path on a file system whose server is silent must not be touched. */
        if (!ready_word(s, "path", path, sizeof(path)) || strstr(s->line, " mount=") ||
                stat(path, &sb) < 0)
                return;
        device = S_ISBLK(sb.st_mode) ? sb.st_rdev : sb.st_dev;
        snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(device), minor(device));
        n = readlink(link, target, sizeof(target) - 1);
        target[n < 0 ? 0 : n] = '\0';
        record_print("device", "%u:%u %s", major(device), minor(device),
                n < 0 ? "" : strrchr(target, '/') + 1);
}

static bool thread_runs(const char *tid)
{
        struct bytes b = { 0 };
        char path[128];
        const char *end;
        bool runs;

        snprintf(path, sizeof(path), "/proc/%s/task/%s/stat", tid, tid);
        end = bytes_read(&b, path) && b.data ? strrchr(b.data, ')') : NULL;
        runs = end && strncmp(end, ") R", 3) == 0;
        bytes_done(&b);
        return runs;
}

static void look_record(const struct held_scene *s, const char *tid, char *const *wanted)
{
        char name[64];

        record("look", "", 0);
        thread_record("before", tid);
        record_print("asked", "%llu", (unsigned long long)now_ns());
        snprintf(name, sizeof(name), "json.%s", tid);
        pwhy_record(name, (const char *[]){ "--json", tid, NULL });
        record_print("answered", "%llu", (unsigned long long)now_ns());
        wanted_record(s, tid, wanted);
        pwhy_record("raw", (const char *[]){ "--raw", tid, NULL });
        record_file("stack", "/proc/%s/task/%s/stack", tid, tid);
        device_record(s);
        thread_record("after", tid);
}

void scene_record(const char *name, char *const *wanted)
{
        struct held_scene s;
        struct bytes err = { 0 };
        char tid[32];
        int status;

        scene_start(&s, name);
        record("scene", name, strlen(name));
        record("line", s.line, strlen(s.line));
        record_print("begin", "%llu", (unsigned long long)s.begin_ns);
        record_print("made", "%llu", (unsigned long long)s.made_ns);
        if (is_ready(&s) && ready_word(&s, "tid", tid, sizeof(tid))) {
                for (int i = 0; i < (thread_runs(tid) ? TRIES : 1); i++)
                        look_record(&s, tid, wanted);
        }
        status = scene_end(&s);
        lseek(s.err, 0, SEEK_SET);
        bytes_read_fd(&err, s.err);
        close(s.err);
        record_print("end", "%d %s", status, err.data ? err.data : "");
        bytes_done(&err);
}

/*
 * "==> PID TID STATE SWITCHES <==" and the stack, as /proc has them. The count is read on both
 * sides of the stack; where it differs, the thread is left out.
 */
static void thread_print(struct bytes *b, const char *pid, const char *tid)
{
        struct bytes status[2] = { 0 }, stack = { 0 };
        unsigned long switches[2] = { 0 };
        char path[PATH_MAX], state = '?';
        bool good = true;

        for (int i = 0; i < 2; i++) {
                const char *p;

                snprintf(path, sizeof(path), "/proc/%s/task/%s/status", pid, tid);
                good = good && bytes_read(&status[i], path) && status[i].data;
                for (p = good ? status[i].data : NULL; p && (p = strstr(p, "ctxt_switches:")); p++)
                        switches[i] += strtoul(p + strlen("ctxt_switches:"), NULL, 10);
                p = good ? strstr(status[i].data, "\nState:\t") : NULL;
                state = p ? p[8] : '?';
                snprintf(path, sizeof(path), "/proc/%s/task/%s/stack", pid, tid);
                good = good && (i == 1 || bytes_read(&stack, path));
        }
        if (good && switches[0] == switches[1]) {
                bytes_print(b, "==> %s %s %c %lu <==\n", pid, tid, state, switches[0]);
                bytes_append(b, stack.data ? stack.data : "", stack.len);
        }
        bytes_done(&status[0]);
        bytes_done(&status[1]);
        bytes_done(&stack);
}

static void machine_record(const char *name)
{
        struct bytes all = { 0 };
        DIR *proc = opendir("/proc"), *tasks;

        for (struct dirent *d; proc && (d = readdir(proc));) {
                char path[PATH_MAX];

                snprintf(path, sizeof(path), "/proc/%s/task", d->d_name);
                if (!isdigit((unsigned char)d->d_name[0]) || !(tasks = opendir(path)))
                        continue;
                for (struct dirent *t; (t = readdir(tasks));)
                        if (isdigit((unsigned char)t->d_name[0]))
                                thread_print(&all, d->d_name, t->d_name);
                closedir(tasks);
        }
        if (proc)
                closedir(proc);
        record(name, all.data ? all.data : "", all.len);
        bytes_done(&all);
}

void identity_record(char **names)
{
        static struct held_scene held[HELD_MAX];
        size_t n = 0;

        for (; names[n] && n < HELD_MAX; n++)
                scene_start(&held[n], names[n]);
        record("identity", "", 0);
        machine_record("stacks.before");
        pwhy_record("shown", (const char *[]){ "--raw", "--all", "--threads", "--idle", NULL });
        machine_record("stacks.after");
        while (n-- > 0) {
                scene_end(&held[n]);
                close(held[n].err);
        }
}
