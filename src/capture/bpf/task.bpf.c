/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every thread of the machine in one pass: what /proc/PID/task/TID/{stat,stack,syscall,sched} tell,
 * and the kernel lock that it sleeps on, for a tenth of the cost.
 *
 * A task iterator (kernel/bpf/task_iter.c) goes through the reader's PID namespace by number, so
 * that whatever exists all the while is met, and holds each task; threads come and go meanwhile.
 * The stack is walked by the same function as for /proc/PID/stack (stack_trace_save_tsk()).
 *
 * Read between two readings of the switch count, so that each record is of one moment, or says
 * that it is not.
 */
#include "kernel.bpf.h"

#include <bpf/bpf_helpers.h>

#include "drift.bpf.h"
#include "namespaces.bpf.h"
#include "slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * Made four times (meson.build): as a whole, for a reader in a PID namespace of its own, and for
 * stacks or registers alone, which takes few of the kernel's types and is checked in half of the
 * time.
 */
static const int whole = KIND == WIRE_KIND_WHOLE;
static const int stacks = KIND != WIRE_KIND_REGISTERS;
static const int registers = KIND != WIRE_KIND_STACKS;
static const int nested = NESTED;

/* Known before the program is loaded: what they rule out is not even verified. */
const volatile uint32_t filtered;  /* settings has filters */
const volatile uint32_t remembers; /* slots are used */

struct wire_settings settings;
struct wire_names names;

/* Too large for the stack of a program; one reader at a time. */
static struct {
        struct wire_task task;
        u64 rest[WIRE_FRAMES_MAX + 1 + WIRE_REGS_MAX]; /* the stack, then registers, if any */
} record;

/*
 * Pointers of a task are read as memory, by BPF_CORE_READ(): for each that is followed directly the
 * verifier searches all types of the kernel by name, which costs a tenth of a millisecond at every
 * start (btf_nested_type_is_trusted(), kernel/bpf/btf.c).
 */

/* A function that is called is made machine code of on its own, which takes longer. */
#define INLINE inline __attribute__((always_inline))

/* Number in the reader's PID namespace; 0: it is not there. */
static INLINE int pid_number(struct pid *p)
{
        int number = 0;

        if (!p || BPF_CORE_READ(p, level) < settings.level)
                return 0;
        bpf_probe_read_kernel(&number, sizeof(number),
                (void *)p + bpf_core_field_offset(struct pid, numbers) +
                        settings.level * bpf_core_type_size(struct upid) +
                        bpf_core_field_offset(struct upid, nr));
        return number;
}

static INLINE int task_number(struct task_struct *t)
{
        return nested ? pid_number(BPF_CORE_READ(t, thread_pid)) : BPF_CORE_READ(t, pid);
}

static INLINE int process_number(struct task_struct *t)
{
        return nested ? pid_number(BPF_CORE_READ(t, group_leader, thread_pid))
                      : BPF_CORE_READ(t, tgid);
}

/* The same of the one in hand, whose fields may be read as they are. */
static int own_number(struct task_struct *t)
{
        return nested ? task_number(t) : t->pid;
}

static int own_process_number(struct task_struct *t)
{
        return nested ? process_number(t) : t->tgid;
}

static int passes_filters(struct task_struct *t)
{
        struct task_struct *leader = BPF_CORE_READ(t, group_leader); /* as /proc/PID has it */
        u32 state;

        if (settings.states) {
                state = task_state(t) | t->exit_state;
                if (!(state & settings.states) && !(state == 0 && settings.wants_running))
                        return 0;
        }
        if (settings.has_euid && BPF_CORE_READ(leader, cred, euid.val) != settings.euid)
                return 0;
        if (settings.exec_start_until && t->se.exec_start > settings.exec_start_until)
                return 0;
        return !settings.cgroup || task_in_cgroup(leader, settings.cgroup, settings.cgroup_level);
}

/* Where a lock of this type has its owner; 0 with known = 0: nowhere. */
static u64 owner_place(u64 address, u32 type)
{
        if (type == WIRE_LOCK_MUTEX)
                return address + bpf_core_field_offset(struct mutex, owner);
        if (type == WIRE_LOCK_SEMAPHORE)
                return semaphore_holder_place(address);
        if (type == WIRE_LOCK_RT_MUTEX)
                return rt_mutex_owner_place(address);
        return address + bpf_core_field_offset(struct rw_semaphore, owner);
}

/*
 * The low bits of an owner are flags: three of a mutex (kernel/locking/mutex.h), of an rwsem bit 0
 * for readers and bit 1 against spinning (rwsem.c), bit 0 of an rt_mutex for waiters
 * (rtmutex_common.h).
 */
static void lock_read(struct wire_task *r, struct task_struct *t)
{
        u64 blocker = task_blocker(t), address = blocker & ~3ULL, place, word = 0, again = 0;
        u32 type = WIRE_LOCK_MUTEX + (blocker & 3);

        if (!address) {
                address = task_blocked_on(t);
                type = WIRE_LOCK_MUTEX;
        }
        if (!address) {
                address = (u64)BPF_CORE_READ(t, pi_blocked_on, lock);
                type = WIRE_LOCK_RT_MUTEX;
        }
        if (!address)
                return;
        r->lock = type;
        r->lock_address = address;
        place = owner_place(address, type);
        if (place)
                bpf_probe_read_kernel(&word, sizeof(word), (void *)place);
        if (!(word & ~7ULL))
                return;
        r->owner_tid = task_number((void *)(word & ~7ULL));
        r->owner_pid = process_number((void *)(word & ~7ULL));
        bpf_probe_read_kernel(r->owner_comm, sizeof(r->owner_comm),
                (void *)(word & ~7ULL) + bpf_core_field_offset(struct task_struct, comm));
        /* While it has the lock it cannot end, so these were its numbers. */
        bpf_probe_read_kernel(&again, sizeof(again), (void *)place);
        /* As the verifier has not seen it, or it would go on once for each. */
        type = *(volatile u32 *)&r->lock;
        if (type == WIRE_LOCK_SEMAPHORE)
                r->lock_flags = WIRE_OWNER_LAST;
        else if ((type == WIRE_LOCK_RWSEM_READ || type == WIRE_LOCK_RWSEM_WRITE) && (word & 1))
                r->lock_flags = WIRE_OWNER_READER;
        if ((word & ~7ULL) == (again & ~7ULL))
                r->lock_flags |= WIRE_OWNER_KNOWN;
}

#if defined(__TARGET_ARCH_x86)
static void regs_read(struct wire_task *r, struct pt_regs *p, u64 *to)
{
        r->sp = p->sp;
        r->pc = p->ip;
        r->nr = (int)p->orig_ax;
        if (r->flags & WIRE_COMPAT) {
                r->args[0] = (u32)p->bx;
                r->args[1] = (u32)p->cx;
                r->args[2] = (u32)p->dx;
                r->args[3] = (u32)p->si;
                r->args[4] = (u32)p->di;
                r->args[5] = (u32)p->bp;
        } else {
                r->args[0] = p->di;
                r->args[1] = p->si;
                r->args[2] = p->dx;
                r->args[3] = p->r10;
                r->args[4] = p->r8;
                r->args[5] = p->r9;
        }
        to[0] = p->ax;
        to[1] = p->dx;
        to[2] = p->cx;
        to[3] = p->bx;
        to[4] = p->si;
        to[5] = p->di;
        to[6] = p->bp;
        to[7] = p->sp;
        to[8] = p->r8;
        to[9] = p->r9;
        to[10] = p->r10;
        to[11] = p->r11;
        to[12] = p->r12;
        to[13] = p->r13;
        to[14] = p->r14;
        to[15] = p->r15;
        to[16] = p->ip;
}
#elif defined(__TARGET_ARCH_arm64)
static void regs_read(struct wire_task *r, struct pt_regs *p, u64 *to)
{
        r->sp = p->sp;
        r->pc = p->pc;
        r->nr = p->syscallno;
        r->args[0] = p->orig_x0;
        for (int i = 1; i < 6; i++)
                r->args[i] = p->regs[i];
        for (int i = 0; i < 31; i++)
                to[i] = p->regs[i];
        to[31] = p->sp;
        to[32] = p->pc;
}
#endif

/* A thread that is switched off a CPU, or was never: its registers and stack hold still. */
static void task_read(struct wire_task *r, struct task_struct *t)
{
        u32 flags = 0;
        /* The mask is for the verifier: no more than there is room for. */
        u32 size = (settings.frames * sizeof(u64)) & 1016;
        long n;

        r->state = task_state(t) | t->exit_state;
        if (whole) {
                r->cpu = task_cpu(t);
                r->exec_start = t->se.exec_start;
                r->queued_ns = t->sched_info.last_queued;
        }
        /* Without branches, of which the verifier would go every way. */
        flags |= !!t->on_cpu * WIRE_ON_CPU;
        flags |= !!t->on_rq * WIRE_ON_QUEUE;
        flags |= !!(t->flags & PF_KTHREAD) * WIRE_KERNEL;
        flags |= !!(t->flags & (PF_IO_WORKER | PF_USER_WORKER)) * WIRE_WORKER;
        if (registers)
                flags |= !!task_is_compat(t) * WIRE_COMPAT;
        if (whole)
                flags |= !!task_is_throttled(t) * WIRE_THROTTLED;
        r->flags = flags;
        if (stacks) {
                n = bpf_get_task_stack(t, record.rest, size, 0);
                if (n < 0) {
                        r->flags |= WIRE_NO_STACK;
                        n = 0;
                }
                r->n_frames = n / sizeof(u64);
        }
        if (whole) {
                r->nr = -1;
                r->lock = r->lock_flags = 0;
                r->owner_pid = r->owner_tid = 0;
                r->lock_address = 0;
                lock_read(r, t);
        }
        if (!registers)
                return;
        /* Last, since from here on the verifier goes two ways. */
        if (flags & (WIRE_KERNEL | WIRE_WORKER) || t->exit_state)
                return;
        r->flags |= WIRE_REGS;
        regs_read(r, (struct pt_regs *)bpf_task_pt_regs(t),
                &record.rest[r->n_frames & WIRE_FRAMES_MAX]);
}

static void about_read(struct wire_task *r, struct task_struct *t)
{
        const struct cred *cred;

        r->start_ns = t->start_boottime;
        __builtin_memcpy(r->comm, t->comm, sizeof(r->comm));
        if (!whole)
                return;
        cred = BPF_CORE_READ(t, cred);
        r->ppid = process_number(BPF_CORE_READ(t, real_parent));
        r->tracer = t->ptrace ? process_number(BPF_CORE_READ(t, parent)) : 0;
        r->uid = BPF_CORE_READ(cred, uid.val);
        r->euid = BPF_CORE_READ(cred, euid.val);
        r->cgroup = cgroup_id(cgroup_of(t));
        namespaces_read(r->ns, t, settings.own_ns);
        /* Who has a number here, and none further in, is in the reader's. */
        r->ns[WIRE_NS_PID] = BPF_CORE_READ(t, thread_pid, level) == settings.level && r->tid
                                     ? settings.own_ns[WIRE_NS_PID]
                                     : 0;
        r->ns[WIRE_NS_USER] =
                BPF_CORE_READ(cred, user_ns) == reader.user ? settings.own_ns[WIRE_NS_USER] : 0;
}

/* At the beginning of a pass. */
static void reader_read(void)
{
        struct task_struct *me = (void *)bpf_get_current_task();
        u64 exec_start = BPF_CORE_READ(me, se.exec_start);

        settings.now_ns = BPF_CORE_READ(me, sched_info.last_arrival);
        if (settings.now_ns < exec_start)
                settings.now_ns = exec_start;
        if (whole)
                namespaces_begin(me);
        if (nested)
                settings.level = BPF_CORE_READ(me, thread_pid, level);
}

/* That the filters left it out is said of each process: who is not met at all is hidden from us. */
static void left_out_write(struct seq_file *seq, struct wire_task *r, struct task_struct *t)
{
        r->size = WIRE_LEFT_OUT_SIZE;
        r->flags = WIRE_LEFT_OUT;
        r->pid = r->tid = own_number(t);
        if (r->pid == own_process_number(t))
                bpf_seq_write(seq, r, WIRE_LEFT_OUT_SIZE);
}

SEC("iter/task")
int dump(struct bpf_iter__task *ctx)
{
        struct task_struct *t = ctx->task;
        /* Here, once: of each place and way that follows this pointer the verifier asks for types.
         */
        struct seq_file *seq = ctx->meta->seq;
        struct wire_task *r = &record.task;
        u32 size;
        int tid;

        barrier_var(seq);
        if (!t)
                return 0;
        if (!ctx->meta->seq_num)
                reader_read();
        if (filtered && !passes_filters(t)) {
                left_out_write(seq, r, t);
                return 0;
        }
        tid = own_number(t);
        if (remembers && settings.pass &&
                slot_is_right(t, tid, settings.pass, settings.slots_mask)) {
                settings.n_same++;
                return 0;
        }
        r->tid = tid;
        r->pid = own_process_number(t);
        r->switches = t->nvcsw + t->nivcsw;
        about_read(r, t);
        task_read(r, t);
        r->flags |= (t->nvcsw + t->nivcsw != r->switches) * WIRE_MOVED;
        /* Without branches, and masked, for the verifier. */
        size = sizeof(record.task) + (r->n_frames * sizeof(u64) & 1016);
        size += !!(r->flags & WIRE_REGS) * sizeof(u64[WIRE_REGS_MAX]);
        r->size = size;
        bpf_seq_write(seq, &record, size);
        return 0;
}

#if KIND != WIRE_KIND_REGISTERS
/* "inet_csk_accept+0x1f2/0x3b0", as the kernel itself writes addresses of a stack (%pB). */
SEC("syscall")
int name(void *ctx)
{
        static const char format[] = "%pB";

        (void)ctx;
        for (u32 i = 0; i < WIRE_NAMES && i < names.n; i++)
                bpf_snprintf(
                        names.text[i], WIRE_NAME_MAX, format, &names.addresses[i], sizeof(u64));
        return 0;
}
#endif
