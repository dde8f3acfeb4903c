/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel types, as far as they are used here. Where a field lies the kernel that loads the program
 * says (BPF CO-RE); only names and types matter below. Fields that kernels differ in are in
 * drift.bpf.h.
 *
 * To relocate, the kernel searches all of its types for each one that a pointer leads to, for a
 * third of a ms, and keeps the answers in 31 places by a hash of the name (kernel/bpf/btf.c,
 * VMLINUX_CAND_CACHE_SIZE). So: few types, no two of them in one place (bench/btf-places tells),
 * and what lies inside of another type is reached through that.
 */
#pragma once

#include "wire.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef long long s64;

/* What bpf_helper_defs.h names. */
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef int __s32;
typedef u64 __u64;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;

/* include/uapi/linux/bpf.h */
enum bpf_map_type { BPF_MAP_TYPE_ARRAY = 2 };
enum { BPF_F_MMAPABLE = 1U << 10 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
        unsigned int inum;
};

struct upid {
        int nr;
};

struct pid {
        unsigned int level;
        struct upid numbers[1];
};

struct net {
        struct ns_common ns;
};

struct mnt_namespace {
        struct ns_common ns;
};

struct uts_namespace {
        struct ns_common ns;
};

struct nsproxy {
        struct uts_namespace *uts_ns;
        struct ipc_namespace *ipc_ns;
        struct mnt_namespace *mnt_ns;
        struct net *net_ns;
        struct time_namespace *time_ns;
        struct cgroup_namespace *cgroup_ns;
};

struct kernfs_node {
        u64 id;
};

struct cgroup {
        struct kernfs_node *kn;
        int level;
};

struct cgroup_root { /* kernel/cgroup/cgroup-internal.h */
        struct cgroup cgrp;
};

struct css_set {
        struct cgroup *dfl_cgrp;
};

typedef struct {
        unsigned int val;
} kuid_t;

struct cred {
        kuid_t uid, euid;
        struct user_namespace *user_ns;
};

struct sched_entity {
        u64 exec_start;
};

struct sched_info {
        unsigned long long last_arrival, last_queued;
};

typedef struct {
        s64 counter;
} atomic_long_t;

struct mutex {
        atomic_long_t owner;
};

struct rw_semaphore {
        atomic_long_t owner;
};

struct rt_mutex_base {
        struct task_struct *owner;
};

struct rt_mutex_waiter {
        struct rt_mutex_base *lock;
};

struct thread_info {
        unsigned long flags;
};

struct task_struct {
        struct thread_info thread_info;
        unsigned int flags;
        unsigned int ptrace;
        int on_cpu;
        int on_rq;
        struct sched_entity se;
        int exit_state;
        int pid;
        int tgid;
        struct task_struct *real_parent;
        struct task_struct *parent;
        struct task_struct *group_leader;
        struct pid *thread_pid;
        unsigned long nvcsw, nivcsw;
        u64 start_boottime;
        const struct cred *cred;
        char comm[WIRE_COMM];
        struct nsproxy *nsproxy;
        struct css_set *cgroups;
        struct sched_info sched_info;
        struct rt_mutex_waiter *pi_blocked_on;
};

#pragma clang attribute pop

/* include/linux/bpf.h, kernel/bpf/task_iter.c: the context has this shape since 5.8. */
struct seq_file;

struct bpf_iter_meta {
        struct seq_file *seq;
        u64 session_id;
        u64 seq_num;
};

struct bpf_iter__task {
        struct bpf_iter_meta *meta;
        struct task_struct *task;
};

/* arch/…/include/asm/ptrace.h: as core files and ptrace(2) have it, for ever */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
        unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
        unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
        u64 regs[31];
        u64 sp, pc, pstate, orig_x0;
        s32 syscallno;
};
#endif

/* include/linux/sched.h, the same since 5.12 at least */
#define PF_IO_WORKER 0x00000010
#define PF_USER_WORKER 0x00004000 /* since 6.4; PF_USED_ASYNC before */
#define PF_KTHREAD 0x00200000
