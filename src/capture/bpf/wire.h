/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the in-kernel program and its reader agree on: fixed-width types only, the same for both.
 *
 * A record is a struct wire_task, then n_frames addresses of the kernel stack, innermost first,
 * then WIRE_REGS_MAX registers where flags say so.
 */
#pragma once

#ifdef __bpf__
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif

#define WIRE_FRAMES_MAX 127 /* what the kernel's own limit is set to (perf_event_max_stack) */
#define WIRE_REGS_MAX 33    /* by DWARF's numbers, as struct user_regs of model.h */
#define WIRE_COMM 16

/* Kinds of the program: what it does not tell it does not contain. */
#define WIRE_KIND_WHOLE 0
#define WIRE_KIND_STACKS 1    /* who, in which state, and the kernel stack */
#define WIRE_KIND_REGISTERS 2 /* who, and the registers of user space */

enum wire_flags {
        WIRE_ON_CPU = 1,
        WIRE_ON_QUEUE = 2, /* ready to run */
        WIRE_KERNEL = 4,   /* a kernel thread, or one that works for the kernel alone */
        WIRE_WORKER = 8,   /* of those: a thread of a process (io_uring, vhost) */
        WIRE_COMPAT = 16,  /* its call came in by the 32-bit convention */
        WIRE_MOVED = 32,   /* ran while it was read */
        WIRE_REGS = 64,    /* registers follow */
        WIRE_THROTTLED = 128,
        WIRE_NO_STACK = 256, /* it has none any more: it has exited */
        WIRE_LEFT_OUT = 512, /* a main thread that the filters do not let through: numbers only */
};

/* kernel/locking: what task_struct.blocker and its neighbours point to */
enum wire_lock {
        WIRE_LOCK_NONE,
        WIRE_LOCK_MUTEX,
        WIRE_LOCK_SEMAPHORE,
        WIRE_LOCK_RWSEM_READ, /* wanted for reading */
        WIRE_LOCK_RWSEM_WRITE,
        WIRE_LOCK_RT_MUTEX,
};

enum wire_lock_flags {
        WIRE_OWNER_KNOWN = 1,  /* the same before and after its numbers were read */
        WIRE_OWNER_READER = 2, /* some reader had it: the last one that came, perhaps gone since */
        WIRE_OWNER_LAST = 4,   /* the last one that took it, perhaps given back since */
};

enum wire_ns { /* in the order of enum ns (model.h) */
        WIRE_NS_NET,
        WIRE_NS_MNT,
        WIRE_NS_UTS,
        WIRE_NS_TIME,
        WIRE_NS_IPC,
        WIRE_NS_CGROUP,
        WIRE_NS_PID,
        WIRE_NS_USER,
        WIRE_NS_MAX,
        WIRE_NS_OF_PROXY = WIRE_NS_PID, /* so many hang off struct nsproxy */
};

#define WIRE_LEFT_OUT_SIZE 16 /* of its record: up to tid */

struct wire_task {
        uint32_t size; /* of the whole record, bytes */
        uint32_t flags;
        int32_t pid, tid, ppid, tracer; /* in the reader's PID namespace; 0: not there */
        uint32_t state;                 /* task->__state | task->exit_state */
        uint32_t cpu;
        uint64_t switches;   /* voluntary and not */
        uint64_t start_ns;   /* boot-time clock */
        uint64_t exec_start; /* the CPU's clock when it last ran (se.exec_start) */
        uint64_t queued_ns; /* the CPU's clock when it was last put on the queue; 0: is not on it */
        char comm[WIRE_COMM];
        uint32_t n_frames;
        uint32_t uid, euid;
        uint64_t cgroup;          /* id in the unified hierarchy */
        uint32_t ns[WIRE_NS_MAX]; /* inodes of its namespaces; 0: has none any more, or not known */
        int32_t nr;               /* of the system call; -1: in none */
        uint32_t lock;            /* enum wire_lock */
        uint32_t lock_flags;
        int32_t owner_pid, owner_tid;
        uint64_t lock_address;
        char owner_comm[WIRE_COMM];
        uint64_t sp, pc; /* of user space */
        uint64_t args[6];
};

/*
 * What the reader knows already. A thread whose slot says the same is not sent again, and its
 * slot's pass is set. Slots are found by TID: WIRE_PROBES of them in a row.
 */
#define WIRE_PROBES 4
struct wire_slot {
        uint32_t tid; /* 0: free */
        uint32_t pass;
        uint64_t switches;
        uint64_t start_ns;
};

struct wire_settings {
        uint32_t pass;          /* number of this pass; 0: slots are not used */
        uint32_t slots_mask;    /* number of slots - 1 */
        uint32_t frames;        /* how many at most */
        uint32_t states;        /* bits of struct wire_task.state that pass; 0: any */
        uint32_t wants_running; /* with states: 0 is one of them */
        uint32_t has_euid;
        uint32_t euid;
        uint64_t cgroup;           /* below this one; 0: any */
        uint64_t exec_start_until; /* went to sleep no later; 0: any */
        uint32_t level;            /* of the reader's PID namespace */
        uint32_t passes;       /* the reader's: how many there have been, by it or a fork of it */
        uint32_t cgroup_level; /* below the root */
        uint32_t n_same;       /* answer: threads whose slots said so */
        uint32_t own_ns[WIRE_NS_MAX]; /* the reader's; 0: not known */
        uint64_t now_ns; /* answer: queue clock of the reader's CPU, when it last looked at it */
};

#define WIRE_RAN_MAX 4096
struct wire_walk { /* of walk.bpf.c */
        uint32_t pass;
        uint32_t slots_mask;
        uint32_t n_same; /* answer: threads whose slots said so */
        uint32_t n_ran;  /* answer: the others; of more than WIRE_RAN_MAX, the first */
        int32_t ran[WIRE_RAN_MAX];
};

#define WIRE_NAMES 8      /* of each the verifier goes its own way */
#define WIRE_NAME_MAX 640 /* KSYM_SYMBOL_LEN of 6.18 is 512 + 56 + some */
struct wire_names {
        uint32_t n;
        uint32_t reserved;
        uint64_t addresses[WIRE_NAMES];
        char text[WIRE_NAMES][WIRE_NAME_MAX];
};
