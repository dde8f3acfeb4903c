/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the reader of pasted text: lines, the heads of tasks, frames, registers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct arena;
struct call;
struct snapshot;
struct stack;
struct thread;

struct span { /* of the text; not terminated */
        const char *p, *end;
};

static inline size_t span_len(struct span s)
{
        return (size_t)(s.end - s.p);
}

void span_skip_blanks(struct span *s);
struct span span_trim(struct span s);
bool span_begins(struct span s, const char *token);
bool span_take(struct span *s, const char *token);
/* The first place of a token; NULL. */
const char *span_find(struct span s, const char *token);
/* Digits; false leaves s as it was. At most 18 digits. */
bool span_take_number(struct span *s, int64_t *ret);
bool span_take_hex(struct span *s, uint64_t *ret);
bool span_take_pid(struct span *s, pid_t *ret);
/* Up to the next blank; empty at the end. */
struct span span_take_word(struct span *s);

/* A line without what loggers put before it. */
struct paste_line {
        struct span text;    /* the message, without blanks around it */
        bool logged;         /* something was before it */
        bool foreign;        /* another program than the kernel wrote it */
        uint64_t caller;     /* who printed it: the kernel's "T123" or "C4"; 0: not told */
        pid_t pid, tid;      /* "/proc/PID/stack:" was before it; 0: not */
        struct span host;    /* empty: not told */
        int64_t realtime_ns; /* 0: not told, or without a time zone */
};

void paste_line_read(struct span line, struct paste_line *ret);

#define PASTE_COMM_MAX 64 /* a name that the kernel prints is shorter */

/* What the head of a task says of it. */
struct paste_head {
        struct span comm; /* empty: not told */
        pid_t pid, tid;   /* pid 0: not told */
        pid_t ppid;       /* -1: not told */
        char state;       /* 0: not told */
        bool kernel;      /* surely a kernel thread */
        int cpu;          /* -1: not told */
        int64_t for_ns;   /* blocked for more than this; 0: not told */
};

enum paste_head_kind {
        HEAD_NONE,
        HEAD_TASK,   /* of the scheduler's dump */
        HEAD_REPORT, /* of the hung-task detector: the task's own head follows */
        HEAD_CPU,    /* of what runs on a CPU */
        HEAD_FILE,   /* the name of a stack file */
};

enum paste_head_kind paste_head_read(struct span text, struct paste_head *ret);

/* "INFO: task NAME:PID <writer> blocked on an rw-semaphore likely owned by task NAME:PID" */
struct paste_blocker {
        const char *kind; /* of the contract: "kernel-mutex" */
        pid_t waiter, owner;
        struct span owner_comm;
};

bool paste_blocker_read(struct span text, struct paste_blocker *ret);

/* "Not tainted 6.1.0-18-amd64 #1", "Linux version 6.1.0 (…": the release. */
bool paste_release_read(struct span text, struct span *ret);

/* A frame, and how /proc/PID/stack would print it. */
#define PASTE_FRAME_MAX 512

struct paste_frame {
        char text[PASTE_FRAME_MAX]; /* with its newline; two lines where one tells two frames */
        size_t len;
        size_t first_len; /* of the first of two; 0: one */
        struct span name; /* of the last; empty: only an address */
        bool bracketed;   /* "[<…>]" was before it */
        bool unreliable;  /* "?" */
        bool is_end_mark; /* "0xffffffffffffffff" */
};

/* False: the line is no frame. */
bool paste_frame_read(struct span text, struct paste_frame *ret);
/* Looks like a frame of which the end is lost. */
bool paste_frame_is_cut(struct span text);
/* Is this the outermost function of a stack? */
bool paste_frame_is_outermost(struct span name);

/* User registers that the kernel printed below a stack of x86. */
struct paste_registers {
        unsigned seen; /* bits by register */
        uint64_t values[24];
        bool user;   /* "RIP: 0033:" has come: they are of user space */
        bool compat; /* "RIP: 0023:": of a 32-bit program */
};

/* False: the line has no registers. */
bool paste_registers_read(struct span text, struct paste_registers *r);

/* "RIP: 0010:f+0x1/0x2", "pc : f+0x1/0x2": where in the kernel a CPU is. */
bool paste_place_read(struct span text, struct span *ret_frame);

/*
 * The system call of a task: from the functions of its stack, and from registers if they agree
 * with it. Leaves state CALL_UNKNOWN with desc set where only its name is known.
 */
void paste_call_fill(
        struct arena *a, const struct stack *k, const struct paste_registers *r, struct call *ret);

/* A task of the text: what its last report says. */
struct paste_task {
        uint64_t key; /* TID, and the boot that it is of */
        struct paste_head head;
        size_t line;    /* of the text, where the report begins; from 1 */
        bool anonymous; /* a stack without a name */
        bool has_head;  /* the scheduler's line was there, not only the detector's */
        bool traced;    /* "Call Trace:" was */
        bool outermost; /* its stack is whole */
        bool mixed;     /* another task's lines may be in it */
        bool from_file; /* its stack is that of a file */
        char *stack;    /* as /proc/PID/stack has it; heap */
        size_t len, size;
        size_t n_frames;
        bool begun;    /* a reliable function of it was there */
        bool forked;   /* … and the last was ret_from_fork */
        bool switched; /* … or __switch_to, which __schedule may follow */
        struct paste_registers registers;
        bool has_blocker;
        struct paste_blocker blocker;
        struct thread *thread; /* of the model, once it is there */
        struct paste_task *next;
        UT_hash_handle hh;
};

struct paste_facts { /* of the host */
        struct span host, release;
        int64_t realtime_ns;
};

struct paste_task *paste_task_find(struct paste_task *by_key, uint64_t boot, pid_t tid);

/* From tasks to the model; by_key is the table of those with a name. 0 or -ENOMEM. */
int paste_model_fill(struct snapshot *s, struct paste_task *tasks, struct paste_task *by_key,
        const struct paste_facts *facts);
