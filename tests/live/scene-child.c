/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that wait for their children or for whom they trace, and children nobody has
 * waited for.
 */
#include "scene.h"

#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum wait_how { ANY, ONE, PIDFD, POLLED };

/* The child that is waited for; it tells its number itself, after its parent is known. */
static pid_t sleeper_start(struct stage *st, unsigned index)
{
        pid_t pid = child_start(st);

        if (pid == 0)
                for (;;)
                        pause();
        shared_set(st, index, (uint64_t)pid);
        return pid;
}

static void wait_actor(struct stage *st, int how)
{
        pid_t one = sleeper_start(st, 0), two = sleeper_start(st, 1);
        siginfo_t info;
        int fd;

        (void)two;
        switch (how) {
        case ANY:
                waitpid(-1, NULL, 0);
                break;
        case ONE:
                waitpid(one, NULL, 0);
                break;
        case PIDFD:
                fd = (int)NEED(st, syscall(SYS_pidfd_open, one, 0));
                shared_set(st, 2, (uint64_t)fd);
                waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED);
                break;
        case POLLED:
                fd = (int)NEED(st, syscall(SYS_pidfd_open, one, 0));
                shared_set(st, 2, (uint64_t)fd);
                poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
                break;
        }
        child_end();
}

static void wait_run(struct stage *st, int how)
{
        pid_t pid = child_start(st);
        int one, two;

        if (pid == 0)
                wait_actor(st, how);
        if (how == POLLED)
                wait_call(st, pid,
#ifdef SYS_poll
                        SYS_poll,
#endif
                        SYS_ppoll, -1);
        else
                wait_call(st, pid, SYS_wait4, SYS_waitid, -1);
        one = (int)shared_get(st, 0);
        two = (int)shared_get(st, 1);
        if (how == POLLED)
                stage_ready(st, pid, pid, "child=%d sibling=%d members=%d:process", one, two,
                        (int)shared_get(st, 2));
        else if (how == ANY)
                stage_ready(st, pid, pid, "children=%d,%d", one, two);
        else if (how == ONE)
                stage_ready(st, pid, pid, "child=%d sibling=%d", one, two);
        else
                stage_ready(st, pid, pid, "child=%d sibling=%d fd=%d", one, two,
                        (int)shared_get(st, 2));
}

enum group_how { GROUP, GROUP_ID, OWN_GROUP };

/* Three children, of which one is in the group that is waited for. */
static void group_actor(struct stage *st, int how)
{
        siginfo_t info;
        pid_t one;

        /* Before its children are there: a group that two processes can be in. */
        MUST(setpgid(0, 0));
        (void)sleeper_start(st, 1);
        one = sleeper_start(st, 0);
        (void)sleeper_start(st, 2);
        if (how == OWN_GROUP) {
                for (unsigned i = 1; i <= 2; i++)
                        MUST(setpgid((pid_t)shared_get(st, i), 0));
                waitpid(0, NULL, 0);
        }
        MUST(setpgid(one, one));
        if (how == GROUP)
                waitpid(-one, NULL, 0);
        else
                waitid(P_PGID, (id_t)one, &info, WEXITED);
        child_end();
}

static void wait_group(struct stage *st, int how)
{
        pid_t pid = child_start(st);
        int child;

        if (pid == 0)
                group_actor(st, how);
        wait_call(st, pid, SYS_wait4, SYS_waitid, -1);
        child = (int)shared_get(st, 0);
        stage_ready(st, pid, pid, "child=%d sibling=%d,%d group=%d", child, (int)shared_get(st, 1),
                (int)shared_get(st, 2), how == OWN_GROUP ? pid : child);
}

/*
 * A tracer's wait(2) is for the processes that it traces, too. This one's is the stage's
 * child; waiting for it by its number, the tracer has a child of its own besides.
 */
static void wait_traced(struct stage *st, int how)
{
        pid_t pid = child_start(st), traced;

        if (pid == 0) {
                if (how == ONE)
                        (void)sleeper_start(st, 0);
                traced = (pid_t)shared_wait(st, 1);
                NEED(st, ptrace(PTRACE_SEIZE, traced, NULL, NULL));
                waitpid(how == ONE ? traced : -1, NULL, __WALL);
                child_end();
        }
        traced = sleeper_start(st, 1);
        wait_call(st, pid, SYS_wait4, -1);
        if (how == ONE)
                stage_ready(st, pid, pid, "child=%d sibling=%d", traced, (int)shared_get(st, 0));
        else
                stage_ready(st, pid, pid, "child=%d", traced);
}

/* PID of the caller where /proc was mounted, whatever its own namespace says. */
static pid_t pid_outside(void)
{
        char text[32] = "";

        MUST(readlink("/proc/self", text, sizeof(text) - 1));
        return atoi(text);
}

/* The first of a PID namespace: its parent is outside of it, and so not to be asked for. */
__attribute__((noreturn)) static void namespace_actor(struct stage *st)
{
        pid_t child;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        child = child_start(st);
        if (child == 0) {
                shared_set(st, 1, (uint64_t)pid_outside());
                for (;;)
                        pause();
        }
        shared_wait(st, 1);
        waitpid(child, NULL, 0);
        child_end();
}

/* The argument of the call is a number that means another process outside. */
static void wait_namespace(struct stage *st, int how)
{
        pid_t outer = child_start(st), pid;

        (void)how;
        if (outer == 0) {
                NEED(st, unshare(CLONE_NEWPID));
                pid = (pid_t)MUST(fork());
                if (pid == 0)
                        namespace_actor(st);
                shared_set(st, 0, (uint64_t)pid);
                for (;;)
                        pause();
        }
        pid = (pid_t)shared_wait(st, 0);
        wait_call(st, pid, SYS_wait4, SYS_waitid, -1);
        stage_ready(st, pid, pid, "child=%d", (int)shared_get(st, 1));
}

/* The parent of a vfork sleeps, uninterruptibly, until the child executes or ends. */
static void vfork_run(struct stage *st, int how)
{
        pid_t pid = child_start(st), parent;

        if (pid == 0) {
                parent = getpid();
                for (int i = 1; i <= how; i++)
                        (void)sleeper_start(st, (unsigned)i);
                if (vfork() == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (getppid() != parent)
                                _exit(1);
                        shared_set(st, 0, (uint64_t)getpid());
                        for (;;)
                                pause();
                }
                child_end();
        }
        shared_wait(st, 0);
#ifdef SYS_vfork
        wait_call(st, pid, SYS_vfork, SYS_clone, -1);
#else
        wait_call(st, pid, SYS_clone, -1);
#endif
        if (how == 2)
                stage_ready(st, pid, pid, "child=%d sibling=%d,%d", (int)shared_get(st, 0),
                        (int)shared_get(st, 1), (int)shared_get(st, 2));
        else
                stage_ready(st, pid, pid, "child=%d", (int)shared_get(st, 0));
}

enum sigchld { CAUGHT, AWAITED, NOT_CAUGHT };

static void on_signal(int number)
{
        (void)number;
}

/* Of its two children one sends SIGCHLD at its end, and the other sends nothing. */
static void sigchld_actor(struct stage *st, int how)
{
        sigset_t set;
        pid_t silent;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        if (how == CAUGHT)
                signal(SIGCHLD, on_signal);
        (void)sleeper_start(st, 0);
        silent = (pid_t)MUST(syscall(SYS_clone, 0, NULL, NULL, NULL, NULL));
        if (silent == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        shared_set(st, 1, (uint64_t)silent);
        if (how == AWAITED) {
                sigprocmask(SIG_BLOCK, &set, NULL);
                sigwaitinfo(&set, NULL);
        } else {
                sigemptyset(&set);
                sigsuspend(&set);
        }
        child_end();
}

static void sigchld(struct stage *st, int how)
{
        pid_t pid = child_start(st);

        if (pid == 0)
                sigchld_actor(st, how);
        wait_call(st, pid, how == AWAITED ? SYS_rt_sigtimedwait : SYS_rt_sigsuspend, -1);
        stage_ready(
                st, pid, pid, "child=%d silent=%d", (int)shared_get(st, 0), (int)shared_get(st, 1));
}

static void zombie(struct stage *st, int how)
{
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0)
                _exit(3);
        wait_state(st, pid, "Z");
        stage_ready(st, pid, pid, "parent=%d", st->pid);
}

static void *pause_main(void *arg)
{
        for (;;)
                pause();
        return arg;
}

/* A process without a main thread lives on in the others. */
static void zombie_leader(struct stage *st, int how)
{
        pid_t pid = child_start(st), other;

        (void)how;
        if (pid == 0) {
                shared_set(st, 0, (uint64_t)thread_start(pause_main, NULL, NULL, NULL));
                pthread_exit(NULL);
        }
        other = (pid_t)shared_wait(st, 0);
        wait_state(st, pid, "Z");
#ifdef SYS_pause
        wait_call(st, other, SYS_pause, -1);
#else
        wait_call(st, other, SYS_ppoll, -1);
#endif
        stage_ready(st, pid, pid, "thread=%d parent=%d", other, st->pid);
}

const struct scene scenes_child[] = {
        { "wait-any", wait_run, ANY, "wait for any of two children" },
        { "waitpid", wait_run, ONE, "waitpid(2) for one of two children" },
        { "waitid-pidfd", wait_run, PIDFD, "waitid(P_PIDFD) for one of two children" },
        { "poll-pidfd", wait_run, POLLED, "poll(2) for the end of one of two children" },
        { "waitpid-namespace", wait_namespace, 0, "waitpid(2) for a child in a PID namespace" },
        { "waitpid-group", wait_group, GROUP, "waitpid(-PGID), one of three children is in it" },
        { "waitid-group", wait_group, GROUP_ID, "the same by waitid(P_PGID)" },
        { "waitpid-own-group", wait_group, OWN_GROUP, "waitpid(0), one of three is in its group" },
        { "waitpid-traced", wait_traced, ONE, "waitpid(2) for a tracee that is no child" },
        { "wait-any-traced", wait_traced, ANY, "wait for any, with a tracee and no child" },
        { "vfork", vfork_run, 0, "the parent of a vfork(2) whose child stays" },
        { "vfork-siblings", vfork_run, 2, "the same, with two older children" },
        { "sigsuspend-child", sigchld, CAUGHT, "sigsuspend(2), SIGCHLD being caught" },
        { "sigwait-child", sigchld, AWAITED, "sigwaitinfo(2) for SIGCHLD" },
        { "sigsuspend-uncaught", sigchld, NOT_CAUGHT, "sigsuspend(2), SIGCHLD being ignored" },
        { "zombie", zombie, 0, "a child that is not reaped" },
        { "zombie-leader", zombie_leader, 0, "the main thread has ended, another lives" },
        { NULL, NULL, 0, NULL },
};
