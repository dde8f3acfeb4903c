/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that are not asleep by their own will: stopped, traced, frozen, or on the run. */
#include "scene.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef SYS_pause
#define PAUSE_CALLS SYS_pause, SYS_ppoll
#else
#define PAUSE_CALLS SYS_ppoll
#endif

static pid_t sleeper_start(struct stage *st)
{
        pid_t pid = child_start(st);

        if (pid == 0)
                for (;;)
                        pause();
        wait_call(st, pid, PAUSE_CALLS, -1);
        return pid;
}

static void stopped(struct stage *st, int number)
{
        pid_t pid = sleeper_start(st);

        /* In a group of its own, with its parent outside: SIGTSTP does not stop an orphaned one. */
        MUST(setpgid(pid, pid));
        MUST(kill(pid, number));
        wait_state(st, pid, "T");
        stage_ready(st, pid, pid, "signal=%d", number);
}

/* The tracer is the stage: it must outlive the scene's function, as a debugger would. */
static void traced_syscall(struct stage *st, int how)
{
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0) {
                NEED(st, ptrace(PTRACE_TRACEME, 0, NULL, NULL));
                raise(SIGSTOP);
                for (;;)
                        getppid();
        }
        MUST(waitpid(pid, NULL, WUNTRACED));
        MUST(ptrace(
                PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)));
        /* To the next system call's entry, or the exit of the one that stopped it. */
        for (int i = 0; i < 3; i++) {
                MUST(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
                MUST(waitpid(pid, NULL, 0));
        }
        wait_state(st, pid, "t");
        stage_ready(st, pid, pid, "tracer=%d", st->pid);
}

static void traced_interrupt(struct stage *st, int how)
{
        pid_t pid = sleeper_start(st);

        (void)how;
        NEED(st, ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL));
        MUST(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
        MUST(waitpid(pid, NULL, 0));
        wait_state(st, pid, "t");
        stage_ready(st, pid, pid, "tracer=%d", st->pid);
}

__attribute__((noreturn)) static void spin(void)
{
        for (;;)
                __asm__ volatile("" ::: "memory");
}

static void running(struct stage *st, int how)
{
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0)
                spin();
        wait_state(st, pid, "R");
        stage_ready(st, pid, pid, "rival=0");
}

static int cpu_last(void)
{
        cpu_set_t set;
        int cpu = CPU_SETSIZE - 1;

        MUST(sched_getaffinity(0, sizeof(set), &set));
        while (cpu > 0 && !CPU_ISSET(cpu, &set))
                cpu--;
        return cpu;
}

static pid_t spinner_start(struct stage *st, int cpu, int policy)
{
        pid_t pid = child_start(st);

        if (pid == 0) {
                struct sched_param parameter = { 0 };
                cpu_set_t set;

                CPU_ZERO(&set);
                CPU_SET(cpu, &set);
                MUST(sched_setaffinity(0, sizeof(set), &set));
                MUST(sched_setscheduler(0, policy, &parameter));
                spin();
        }
        return pid;
}

struct place {
        pid_t pid;
        int cpu, policy;
};

static bool spinner_placed(void *arg)
{
        const struct place *p = arg;
        struct look look;
        cpu_set_t set;

        return sched_getaffinity(p->pid, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1 &&
               sched_getscheduler(p->pid) == p->policy && thread_look(p->pid, &look) &&
               look.state == 'R';
}

/* Two spin on one CPU; the idle policy gives the other nearly all of it. */
static void runnable(struct stage *st, int how)
{
        int cpu = cpu_last();
        struct place rival = { spinner_start(st, cpu, SCHED_OTHER), cpu, SCHED_OTHER };
        struct place idle = { spinner_start(st, cpu, SCHED_IDLE), cpu, SCHED_IDLE };

        (void)how;
        wait_until(st, spinner_placed, &rival, "a pinned spinner");
        wait_until(st, spinner_placed, &idle, "a pinned idle spinner");
        stage_ready(st, idle.pid, idle.pid, "rival=%d cpu=%d", rival.pid, cpu);
}

struct expected {
        char path[1100];
        const char *text;
};

static bool file_contains(void *arg)
{
        const struct expected *e = arg;
        char text[1024];

        return text_read(e->path, text, sizeof(text)) && strstr(text, e->text);
}

static void cgroup_enter(const char *cgroup, pid_t pid)
{
        char path[1100], text[16];

        snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
        snprintf(text, sizeof(text), "%d", pid);
        if (!text_write(path, text))
                stage_fail("%s: cannot enter", path);
}

enum freezer { V1, V2 };

static void frozen(struct stage *st, int how)
{
        struct expected done = { .text = how == V1 ? "FROZEN" : "frozen 1" };
        char cgroup[1024], path[1100];
        pid_t pid = sleeper_start(st);

        cgroup_make(st, how == V1 ? "freezer" : "unified", cgroup, sizeof(cgroup));
        snprintf(
                path, sizeof(path), "%s/%s", cgroup, how == V1 ? "freezer.state" : "cgroup.freeze");
        if (access(path, W_OK) < 0)
                stage_skip(st, "no freezer in %s", cgroup);
        /* Killing does not end what the first version has frozen. */
        stage_undo(st, UNDO_WRITE, 0, path, how == V1 ? "THAWED" : "0");
        cgroup_enter(cgroup, pid);
        if (!text_write(path, how == V1 ? "FROZEN" : "1"))
                stage_skip(st, "%s cannot be written", path);
        snprintf(done.path, sizeof(done.path), "%s/%s", cgroup,
                how == V1 ? "freezer.state" : "cgroup.events");
        wait_until(st, file_contains, &done, "frozen");
        wait_state(st, pid, how == V1 ? "D" : "S");
        stage_ready(st, pid, pid, "path=%s", cgroup);
}

struct held {
        pid_t pid;
        char stat[1100]; /* the cgroup's cpu.stat */
        unsigned long long ran_ns;
        unsigned readings; /* without a change */
};

/*
 * cpu.stat: "nr_throttled 3"; /proc/PID/schedstat: "4012345 0 3". The former is counted at
 * a period's end, when the thread is let run again: so also wait until it is held again.
 */
static bool throttled_now(void *arg)
{
        static const char key[] = "nr_throttled ";
        struct held *h = arg;
        char text[1024], path[64];
        unsigned long long ran_ns;
        const char *p;

        p = text_read(h->stat, text, sizeof(text)) ? strstr(text, key) : NULL;
        if (!p || atoi(p + strlen(key)) == 0)
                return false;
        snprintf(path, sizeof(path), "/proc/%d/schedstat", h->pid);
        if (!text_read(path, text, sizeof(text)))
                return true;
        ran_ns = strtoull(text, NULL, 10);
        h->readings = ran_ns == h->ran_ns ? h->readings + 1 : 0;
        h->ran_ns = ran_ns;
        return h->readings > 20;
}

/* A spinner that may run a thousandth of the time. */
static void throttled(struct stage *st, int how)
{
        char cgroup[1024], path[1100];
        struct held held = { 0 };
        pid_t pid;

        (void)how;
        cgroup_make(st, "cpu", cgroup, sizeof(cgroup));
        snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", cgroup);
        if (!text_write(path, "1000000"))
                stage_skip(st, "no CPU quotas in %s", cgroup);
        snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", cgroup);
        stage_undo(st, UNDO_WRITE, 0, path, "-1");
        if (!text_write(path, "1000"))
                stage_skip(st, "no CPU quotas in %s", cgroup);
        pid = child_start(st);
        if (pid == 0)
                spin();
        /* By itself it would hold the lock of all cgroups for as long as it may not run. */
        cgroup_enter(cgroup, pid);
        held.pid = pid;
        snprintf(held.stat, sizeof(held.stat), "%s/cpu.stat", cgroup);
        wait_until(st, throttled_now, &held, "throttled");
        stage_ready(st, pid, pid, "path=%s", cgroup);
}

/* Where nobody is killed for it, a page above the limit is waited for until somebody is gone. */
static void memory_oom(struct stage *st, int how)
{
        static const char *const settings[][2] = {
                { "limit_in_bytes", "4194304" },
                { "swappiness", "0" },
                { "oom_control", "1" },
        };
        struct expected done = { .text = "under_oom 1" };
        char cgroup[1024], path[1100];
        pid_t pid;

        (void)how;
        cgroup_make(st, "memory", cgroup, sizeof(cgroup));
        for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
                snprintf(path, sizeof(path), "%s/memory.%s", cgroup, settings[i][0]);
                if (!text_write(path, settings[i][1]))
                        stage_skip(st, "%s: cannot be set", path);
        }
        pid = child_start(st);
        if (pid == 0) {
                size_t size = 64 << 20;
                volatile char *memory = mmap(
                        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                cgroup_enter(cgroup, getpid());
                for (size_t i = 0; memory != MAP_FAILED && i < size; i += 4096)
                        memory[i] = 1;
                child_end();
        }
        snprintf(done.path, sizeof(done.path), "%s/memory.oom_control", cgroup);
        wait_until(st, file_contains, &done, "a cgroup out of memory");
        wait_state(st, pid, "D");
        stage_ready(st, pid, pid, "path=%s", cgroup);
}

const struct scene scenes_state[] = {
        { "stopped", stopped, SIGSTOP, "stopped by SIGSTOP" },
        { "stopped-tstp", stopped, SIGTSTP, "stopped by SIGTSTP" },
        { "traced-syscall", traced_syscall, 0, "held by a tracer at a system call" },
        { "traced-interrupt", traced_interrupt, 0, "held by a tracer that interrupted it" },
        { "running", running, 0, "spins" },
        { "runnable", runnable, 0, "wants a CPU that another has" },
        { "throttled", throttled, 0, "has used up its cgroup's CPU quota" },
        { "memory-oom", memory_oom, 0, "wants memory above its cgroup's limit" },
        { "frozen-v1", frozen, V1, "frozen by its cgroup, first version" },
        { "frozen-v2", frozen, V2, "frozen by its cgroup, second version" },
        { NULL, NULL, 0, NULL },
};
