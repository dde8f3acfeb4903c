/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of the per-process files of proc(5). Each takes the file's text and fills a
 * struct; the text is hostile (a comm may hold anything but a slash-free promise), so every
 * one is bounded and total. They return 1 when the file was understood, 0 when it was not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COMM_MAX 64 /* kernel threads with a work queue's name exceed TASK_COMM_LEN */

struct procfile_stat { /* /proc/PID/stat, fs/proc/array.c do_task_stat() */
        char comm[COMM_MAX + 1];
        size_t comm_len;
        char state;
        pid_t ppid;
        uint32_t flags;        /* PF_…; PF_KTHREAD is 0x00200000 */
        pid_t group;           /* process group */
        unsigned n_threads;    /* that have not exited; 0: not told */
        uint64_t utime, stime; /* clock ticks */
        uint64_t start_time;   /* clock ticks since boot */
        int exit_signal;       /* sent to the parent at its end; 0: none, or not told */
        int cpu;               /* -1: not told (kernels before 2.2.8) */
};
int procfile_stat(const char *text, size_t len, struct procfile_stat *ret);

struct procfile_sched { /* /proc/PID/sched, kernel/sched/debug.c proc_sched_show_task() */
        bool has_exec_start;
        uint64_t exec_start_ns; /* "se.exec_start : 123456.789012", ms there */
        bool has_switches;
        uint64_t switches; /* nr_switches: voluntary + involuntary */
};
int procfile_sched(const char *text, size_t len, struct procfile_sched *ret);

struct procfile_status { /* /proc/PID/status, fs/proc/array.c proc_pid_status() */
        pid_t tgid;
        pid_t tracer;
        bool has_uid;
        uid_t uid;       /* the effective one, as ps shows */
        pid_t inner_pid; /* innermost of NSpid; 0: not told */
        bool has_switches;
        uint64_t switches;    /* voluntary_ctxt_switches + nonvoluntary_ctxt_switches */
        uint64_t cap_eff;     /* CapEff */
        bool has_signals;     /* all of these; a bit for each, from signal 1 on */
        uint64_t sig_pending; /* of the thread or of its process: SigPnd, ShdPnd */
        uint64_t sig_blocked, sig_ignored, sig_caught; /* SigBlk, SigIgn, SigCgt */
};
int procfile_status(const char *text, size_t len, struct procfile_status *ret);

enum procfile_syscall_state { SYSCALL_RUNNING, SYSCALL_OUTSIDE, SYSCALL_INSIDE };
struct procfile_syscall { /* /proc/PID/syscall, fs/proc/base.c proc_pid_syscall() */
        enum procfile_syscall_state state;
        long nr;
        uint64_t args[6];
        uint64_t sp, pc; /* 0 for a kernel thread, which prints "0 0x0 …" for all */
};
int procfile_syscall(const char *text, size_t len, struct procfile_syscall *ret);
