/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model: plain data, and the only place where the stages meet.
 *
 * Capture makes processes and threads, symbol the stacks, resolve the calls and
 * objects, explain the waits, graph the owners and groups; render reads. All of it
 * lives in the snapshot's arena, which is shared memory: a worker process fills it
 * and the caller reads it (base/worker.h), so nothing here points outside the arena
 * except to constant data of the program itself.
 *
 * Strings that came from a target are kept as they are, NUL-terminated; whoever
 * prints them escapes them (base/escape.h). A string that could not be had is NULL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct fdscan;
struct rule;
struct syscall_desc;

/* Something that could not be had, and why. The same gap is noted once and counted. */
struct gap {
        const char *what;   /* "kernel stacks" */
        const char *why;    /* "the kernel shows them to CAP_SYS_ADMIN only" */
        const char *remedy; /* "run pwhy with sudo"; NULL where nothing helps */
        unsigned count;     /* how many times */
        bool hides;         /* hides what was asked for: exit status 3 */
        struct gap *next;
};

/* One frame of a kernel stack, as the kernel printed it. */
struct frame {
        const char *symbol; /* without module; NULL: only an address is known */
        const char *module; /* NULL: the kernel itself */
        uint64_t address;   /* 0: the kernel did not tell */
        uint32_t offset;
        uint32_t size;
        bool has_offset;
        bool unreliable; /* "? f": a leftover on the stack, perhaps not a caller */
};

/* A kernel stack, shared between all threads that have the same text. */
struct stack {
        const char *text; /* exactly what the kernel printed */
        size_t text_len;
        struct frame *frames; /* innermost first */
        size_t n_frames;
        bool truncated; /* the kernel cut it at its limit of 64 entries */
        unsigned id;    /* number of this stack within the snapshot */
};

/*
 * One frame of a user stack. The frames of inlined functions stand before the frame of the
 * function that they are part of, with the same address.
 */
struct user_frame {
        uint64_t address;     /* where it goes on: of a caller, the return address */
        const char *symbol;   /* of the function, demangled; NULL: not known */
        const char *exported; /* as the dynamic symbol table has it; NULL: not there */
        uint64_t offset;      /* of the address in the function */
        bool has_offset;
        const char *module;      /* its file as mapped, or "[vdso]", "[anon]"; NULL: no mapping */
        uint64_t module_address; /* in the file's own addresses, as addr2line takes them */
        bool has_module_address;
        const char *build_id; /* of the file, in hexadecimal; NULL: none */
        const char *source;   /* file of the source; NULL: not known */
        uint32_t line;        /* 0: not known */
        bool inlined;
        bool signal; /* the kernel's frame of a signal handler: what is outside was interrupted */
        bool unreliable; /* found by frame pointers alone, or through such a frame */
};

/* A user stack, shared between the threads of a process that have the same. */
struct user_stack {
        struct user_frame *frames; /* innermost first */
        size_t n_frames;
        size_t n_hidden;     /* frames left out of the middle… */
        size_t hidden_after; /* …behind so many of frames[] */
        const char *gap;     /* why it ends before the thread's first function; NULL: it does not */
        uint64_t hash;       /* of addresses and end: the same for the same */
};

struct object;

struct member { /* of a poll set */
        struct object *object;
        uint32_t events; /* POLLIN and friends */
};

/*
 * Of an epoll set, by EPOLLONESHOT (1 << 30), after its one event: it tells nothing any more,
 * errors neither, until epoll_ctl(2) arms it again. Then no events are left but those that only say
 * how the others are told (EP_PRIVATE_BITS in fs/eventpoll.c); poll(2) has none of these.
 */
static inline bool member_is_disabled(const struct member *m)
{
        return (m->events & 0xf0000000U) == m->events && (m->events & 1U << 30);
}

enum role {
        ROLE_HOLDER,
        ROLE_PEER,
        ROLE_CHILD,
        ROLE_THREAD,
        ROLE_TRACER,
        ROLE_SERVER,
        ROLE_PARENT
};

struct owner { /* who can end a wait */
        pid_t pid;
        pid_t tid; /* 0: only the process is known */
        const char *comm;
        enum role role;
};

/* What a thread waits on, or what an fd is. Kind: json-contract, "wait.object.kind". */
struct object {
        const char *kind; /* NULL: not known */
        int fd;           /* -1: none */
        const char *path;
        uint64_t inode;      /* 0: not known */
        uint64_t file_inode; /* as fdinfo tells it, of any kind of file; 0: not known */
        uint64_t address;
        bool has_address;
        const char *local;    /* of a socket: "0.0.0.0:1337", "[::]:80", "/run/x", "@abstract" */
        const char *remote;   /* NULL: none or not known */
        const char *state;    /* of a connection: "LISTEN", "ESTABLISHED" */
        const char *protocol; /* of a socket, for people: "TCP", "UDP", "unix" */
        const char *type;     /* "stream", "dgram", "seqpacket" */
        bool has_queues;
        uint32_t receive_queue, send_queue; /* bytes; of a listener: length, limit */
        bool has_retransmits;
        uint32_t retransmits;
        uint64_t peer_inode; /* of a socket: who has that is the other end; 0: not known */
        bool peer_sends;     /* the other end has sent what has not arrived */
        struct member *members;
        size_t n_members;
        size_t n_members_hidden; /* beyond the bound */
        bool partial;            /* the set could not be read to its end: more, perhaps */
        bool has_deadline;
        int64_t deadline_ns; /* time left; negative: it has passed */
        bool disarmed;       /* a timer that is not set, and will not expire */
        bool has_word;
        uint32_t word;           /* value of a futex */
        const char *lock_layout; /* of the memory around a futex: "glibc mutex"; NULL: not known */
        const char *lock_kind;   /* that it is then: "mutex", "rwlock", "thread" */
        uint64_t lock_address;   /* where that begins */
        bool lock_witnessed;     /* the kernel has been told the same of the owner */
        pid_t lost_owner;        /* TID that the lock records, and that no thread has; 0: none */
        uint32_t readers;        /* that hold a rwlock */
        const char *waiters;     /* who waits on the same futex, for the evidence; NULL: nobody */
        bool has_pending;
        uint32_t pending;     /* of an io_uring: requests taken and not completed */
        const char *requests; /* those of them that wait for a file: "2 read, 1 accept"; NULL */
        bool has_counter;
        uint64_t counter; /* of an eventfd */
        pid_t pid;        /* of a process */
        pid_t group;      /* a process group, as a wait is for; 0: none */
        const char *comm;
        struct owner *owners; /* who can end a wait on it, as far as resolve knows */
        size_t n_owners;
        bool on_any;                    /* any one of them can end it; false: each must act */
        bool on_whole;                  /* nobody else can, on this host or elsewhere */
        bool has_range;                 /* of a lock: bytes of the file */
        int64_t range_start, range_end; /* the last one, too; INT64_MAX: to the file's end */
        bool has_id;
        int id;       /* of System V IPC */
        uint32_t key; /* that it was made for; 0: private, or not known */
        bool has_number;
        uint16_t number; /* of a semaphore in its set */
        bool has_needed;
        uint16_t needed;         /* the semaphore must get so high; 0: as low */
        const char *note;        /* one more fact, for the evidence */
        const char *fs;          /* type of the file system it is on: "nfs4"; NULL: not asked */
        const char *source;      /* of that: "/dev/sda1", "server:/export" */
        const char *mount;       /* where it is mounted */
        const char *device;      /* "8:1"; NULL: none */
        const char *device_name; /* "sda1" */
        uint64_t fs_number;      /* of the file system, as the kernel counts; 0: not known */
        bool fs_alone;           /* no other of its family is mounted there */
        int mount_id;            /* of fdinfo, if has_mount_id */
        bool has_mount_id;
        int access; /* O_RDONLY, O_WRONLY, O_RDWR, if has_access */
        bool has_access;
        const char *link; /* what the fd's link says */
};

#define MEMBERS_MAX 64 /* of a poll set; more are counted */

enum reason {
        REASON_UNKNOWN,
        REASON_RUNNING,
        REASON_RUNNABLE,
        REASON_THROTTLED,
        REASON_STOPPED,
        REASON_TRACED,
        REASON_FROZEN,
        REASON_ZOMBIE,
        REASON_SLEEP,
        REASON_SIGNAL,
        REASON_ACCEPT,
        REASON_CONNECT,
        REASON_RECEIVE,
        REASON_SEND,
        REASON_OPEN,
        REASON_READ,
        REASON_WRITE,
        REASON_POLL,
        REASON_DISK,
        REASON_REMOTE_FS,
        REASON_LOCK,
        REASON_CONDITION,
        REASON_SEMAPHORE,
        REASON_BARRIER,
        REASON_JOIN,
        REASON_FUTEX,
        REASON_CHILD,
        REASON_REPLY,
        REASON_MEMORY,
        REASON_KERNEL,
        REASON_IDLE,
        REASON_MAX,
};

enum confidence { CONFIDENCE_GUESS, CONFIDENCE_LIKELY, CONFIDENCE_CERTAIN };

#define EVIDENCE_MAX 8

struct wait { /* the verdict */
        enum reason reason;
        enum confidence confidence;
        const char *rule; /* its name in the table; NULL: no rule matched */
        struct object *object;
        const char *text; /* one sentence, without a full stop */
        const char *evidence[EVIDENCE_MAX];
        size_t n_evidence;
        struct owner *on;
        size_t n_on;
        /*
         * How the owners end it: any one of them can (OR: any writer of a pipe), or each must
         * act (AND: every reader of a lock). on_whole: these are all who can end it, but for
         * signals and the call's own timeout; where all of them are stuck, so is the waiter.
         */
        bool on_any;
        bool on_whole;
};

/* Calling convention by which a thread entered the kernel. */
enum abi { ABI_UNKNOWN, ABI_X86_64, ABI_I386, ABI_ARM64 };

enum call_state {
        CALL_UNKNOWN, /* could not be had */
        CALL_RUNNING, /* the kernel said "running" */
        CALL_OUTSIDE, /* blocked outside a system call: a fault, or a kernel thread */
        CALL_INSIDE,
};

struct call_memory {       /* what an argument points to */
        const void *bytes; /* NULL: not read */
        size_t len;
};

/* The system call that a thread is in. */
struct call {
        enum call_state state;
        enum abi abi;
        long nr;
        uint64_t args[6];
        uint64_t sp, pc;                 /* of user space */
        const struct syscall_desc *desc; /* NULL: no name known */
        struct call_memory memory[6];
        bool memory_refused; /* some of it was needed and could not be read */
        /* From the arguments, by resolve: */
        struct object *object;  /* the fd the call works on, or the poll set, the futex … */
        struct object *object2; /* the other fd of splice, sendfile … */
        bool has_timeout;       /* the call's timeout is known, perhaps as "none" */
        bool timeout_set;       /* there is one */
        int64_t timeout_ns;     /* as passed: relative, or absolute */
        bool timeout_absolute;
        int timeout_clock;   /* CLOCK_…, of an absolute one */
        bool has_deadline;   /* time left could be worked out */
        int64_t deadline_ns; /* time left */
};

/*
 * Registers of user space as the thread entered the kernel, by the numbers that DWARF gives them
 * (System V ABI AMD64 supplement, figure 3.36: 0-15 general, 16 the return address, here pc;
 * ABI for Arm 64: 0-30 general, 31 sp, 32 here pc).
 */
#define USER_REGS_MAX 33
struct user_regs {
        uint64_t known;                /* a bit for each that is */
        uint64_t value[USER_REGS_MAX]; /* of a thread, no memory is behind the last that is known */
};

/* Where a running thread was each time that it was looked at in a short window. */
struct hot {
        unsigned n_samples;
        const struct stack *kernel_stack;    /* NULL: it was in user space, or it is not told */
        const struct user_stack *user_stack; /* NULL: not known */
        struct thread *at;                   /* the place as a thread that stands still; NULL */
};

struct profile {
        int64_t window_ns;
        unsigned n_samples; /* one for each millisecond that it ran */
        struct hot *hots;   /* the most first, once folded */
        size_t n_hots;
        bool folded;
};

struct process;

enum ns { /* a namespace, in the order of enum wire_ns (capture/bpf/wire.h) */
        NS_NET,
        NS_MNT,
        NS_UTS,
        NS_TIME,
        NS_IPC,
        NS_CGROUP,
        NS_PID,
        NS_USER,
        NS_MAX,
};

enum behind {
        BEHIND_UNKNOWN,
        BEHIND_NOBODY,
        BEHIND_ASKED,  /* its chain leads to one that was asked for */
        BESIDE_ASKED,  /* one could end its wait, or any thread of its process; so could others */
        BEHIND_WALKED, /* while it is found out */
};

struct thread {
        struct process *process;
        pid_t tid;
        const char *comm;
        char state;           /* R S D T t Z X I P, as in stat(5); 0: not known */
        int cpu;              /* last CPU; -1: not known */
        bool from_files;      /* read by the proc source */
        bool moved;           /* ran while it was read, every time: facts may not fit together */
        bool on_cpu;          /* state R: it was seen to run (its CPU time grew) */
        bool has_on_cpu;      /* …and this is known */
        bool has_ready_for;   /* state R, on no CPU: on a queue for one… */
        int64_t ready_for_ns; /* …for so long */
        bool throttled;       /* the kernel says that its group has used up its CPU quota */
        uint64_t switches;    /* voluntary + involuntary context switches */
        bool has_switches;
        uint64_t sleep_start_ns; /* scheduler clock when it last ran; 0: not known */
        bool has_for;
        int64_t for_ns;                      /* off the CPU for so long */
        int64_t for_error_ns;                /* may be wrong by so much */
        bool for_at_least;                   /* at least so long: nobody said how much longer */
        size_t line;                         /* of a text, where it was found; 0: not of a text */
        const struct stack *kernel_stack;    /* NULL: see the gap */
        int kernel_stack_error;              /* errno of the refusal; 0: none */
        const char *wchan;                   /* NULL: not read or not told */
        struct profile *profile;             /* of one that runs; NULL: not made */
        const struct user_regs *regs;        /* NULL: only call.sp and call.pc, if these */
        const struct user_stack *user_stack; /* NULL: see the gap */
        struct object *cgroup;  /* that freezes it or limits its CPU time; NULL: none found */
        struct object *server;  /* what answers it from user space, with its owners; NULL */
        struct object *blocker; /* lock that the kernel says it sleeps on; NULL: not told */
        uint32_t ns[NS_MAX];    /* inodes of its namespaces; 0: not told, links may */
        pid_t tracer;           /* 0: none or not asked */
        const char *tracer_comm;
        struct call call;
        struct wait wait;
        struct thread *root;       /* end of its wait chain; NULL: not known */
        bool asked;                /* it was named; others are there because … */
        enum behind behind;        /* … of how they wait for one that was */
        bool deadlocked;           /* in or behind a deadlock: no root then */
        struct deadlock *deadlock; /* that one */
        bool endless;              /* the kernel says that its socket has no timeout of its own */
        bool yields;   /* the one of a cycle that may go on: by a timeout, or by others … */
        bool circular; /* its chain leads back to it, which may or may not be a deadlock */
        struct thread *toward; /* the next one on the way to the root, or round the deadlock;
                                * NULL: the chain ends here, or cannot be followed */
        size_t n_behind;       /* threads whose root this is, without itself */
        uint64_t start_time;   /* ticks since boot, stat(5) field 22; 0: not told */
        bool matched;          /* passes the query's filters: to be shown */
        struct thread *next;
};

#define CMDLINE_MAX 64  /* arguments kept */
#define CHILDREN_MAX 16 /* of a process that waits; more are counted */

struct process {
        pid_t pid;
        pid_t ppid;       /* 0: none */
        pid_t inner_pid;  /* in its own PID namespace; 0: the same or not known */
        const char *comm; /* of the main thread */
        const char **cmdline;
        size_t n_cmdline;
        bool cmdline_truncated;
        const char *exe;
        const char *cgroup;
        uid_t uid;
        bool has_uid;
        uint64_t start_time; /* ticks since boot, stat(5) field 22 */
        unsigned n_alive;    /* threads that have not exited, as the kernel counts; 0: not told */
        bool kernel;         /* a kernel thread */
        bool context;        /* not asked for: wait chains lead to it */
        bool asked;          /* one of its threads was (thread.asked) */
        const char *parent_comm;
        struct owner *children; /* only of a process that waits for them */
        size_t n_children;
        size_t n_children_hidden;
        bool has_children; /* they were asked for and could be had */
        struct thread *threads, **threads_tail;
        size_t n_threads;
        struct process *next;
};

/* Threads that wait for each other, and nobody else can make them move. */
struct deadlock {
        struct thread **members; /* in order of PID, TID */
        size_t n_members;
        size_t n_behind; /* that wait, directly or not, for a member, and are none */
        struct deadlock *next;
};

struct host {
        const char *name, *kernel, *arch, *boot_id;
};

struct snapshot {
        struct arena *arena;
        struct host host;
        const char *source;   /* "proc" */
        int64_t captured_at;  /* CLOCK_REALTIME, ns */
        int64_t monotonic_ns; /* the other clocks at that moment */
        int64_t boottime_ns;
        bool has_clocks;
        int64_t duration_ns;
        struct process *processes, **processes_tail;
        struct gap *gaps, **gaps_tail;
        size_t n_processes, n_threads;
        size_t n_lost;                /* targets that were chosen and not reached */
        size_t n_idle;                /* idle kernel threads left out */
        size_t n_matched;             /* threads to be shown */
        bool all;                     /* everything was asked for */
        bool some;                    /* targets were named: who else waits was not looked for */
        bool no_kernel;               /* kernel stacks are evidence, and not to be shown */
        const struct fdscan *fd_scan; /* what all processes have open; NULL: not asked for */
        unsigned n_fd_scans;          /* times that the fd tables of all processes were read */
        struct deadlock *deadlocks;   /* of matched threads, in order of their first members */
        bool has_deadlocks;           /* they were looked for */
        bool context;        /* what is captured now was not asked for: chains lead there */
        bool locks_searched; /* for holders: begun, and not again by a worker that follows */
};

#define for_each_process(p, s) for (struct process *p = (s)->processes; p; p = p->next)
#define for_each_thread(t, p) for (struct thread *t = (p)->threads; t; t = t->next)

/* Whom the kernel gives the memory of: a main thread that has exited has none, the others have. */
static inline pid_t process_memory_tid(const struct process *p)
{
        const struct thread *first = p->threads; /* the main one, nearly always */

        while (first && first->tid != p->pid)
                first = first->next;
        if (!first || first->state != 'Z')
                return p->pid;
        for_each_thread(t, p)
                if (t->state != 'Z' && t->state != 'X')
                        return t->tid;
        return p->pid;
}

void snapshot_init(struct snapshot *s, struct arena *arena);

/* Link into the snapshot, as the last step: what is linked is whole. */
void snapshot_add_process(struct snapshot *s, struct process *p);
void process_add_thread(struct snapshot *s, struct process *p, struct thread *t);

/* Note a gap; an equal one (what, why) is counted. Strings are copied where not yet known. */
void snapshot_gap(
        struct snapshot *s, const char *what, const char *why, const char *remedy, bool hides);

/* The contract's names. */
const char *reason_name(enum reason reason);
bool reason_from_name(const char *name, enum reason *ret_reason);
const char *confidence_name(enum confidence confidence);
const char *role_name(enum role role);
