/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces of a thread, by the numbers that /proc/PID/ns shows.
 *
 * Most threads are in those of whoever reads. He is there all the while, so what has the same
 * pointers is the same; what he is in himself he says (settings.own_ns). Of others, numbers are
 * read where their types can be had for nothing: those of PID, IPC, user and control group
 * namespaces share a place with another type (kernel.bpf.h), and are left at 0, not known.
 */
#pragma once

#include "drift.bpf.h"

/* struct nsproxy, as large as this kernel has it */
#define PROXY_MAX 127
static struct {
        struct nsproxy *proxy;
        struct user_namespace *user;
        unsigned char bytes[PROXY_MAX + 1];
} reader;
static unsigned char proxy[PROXY_MAX + 1];

#define PROXY_POINTER(bytes, member)                                                               \
        (*(u64 *)((bytes) + bpf_core_field_offset(struct nsproxy, member)))

static void proxy_copy(unsigned char *to, struct nsproxy *from)
{
        bpf_probe_read_kernel(to, bpf_core_type_size(struct nsproxy) & PROXY_MAX, from);
}

/* At the beginning of a pass. */
static void namespaces_begin(struct task_struct *me)
{
        reader.proxy = BPF_CORE_READ(me, nsproxy);
        reader.user = BPF_CORE_READ(me, cred, user_ns);
        proxy_copy(reader.bytes, reader.proxy);
}

static u32 number_read(u64 pointer, u32 offset)
{
        u32 number = 0;

        bpf_probe_read_kernel(&number, sizeof(number), (void *)pointer + offset);
        return number;
}

static u32 number_if_own(u64 pointer, u64 own, u32 number)
{
        return pointer == own ? number : 0;
}

/* Those that hang off its nsproxy. */
static void namespaces_read(u32 *to, struct task_struct *t, const u32 *own)
{
        struct nsproxy *now = BPF_CORE_READ(t, nsproxy);

        if (now == reader.proxy) {
                __builtin_memcpy(to, own, WIRE_NS_OF_PROXY * sizeof(*to));
                return;
        }
        __builtin_memset(to, 0, WIRE_NS_OF_PROXY * sizeof(*to));
        if (!now)
                return; /* it has exited */
        proxy_copy(proxy, now);
        to[WIRE_NS_NET] = number_read(
                PROXY_POINTER(proxy, net_ns), bpf_core_field_offset(struct net, ns.inum));
        to[WIRE_NS_MNT] = number_read(
                PROXY_POINTER(proxy, mnt_ns), bpf_core_field_offset(struct mnt_namespace, ns.inum));
        to[WIRE_NS_UTS] = number_read(
                PROXY_POINTER(proxy, uts_ns), bpf_core_field_offset(struct uts_namespace, ns.inum));
        to[WIRE_NS_TIME] = time_namespace_number(PROXY_POINTER(proxy, time_ns));
        to[WIRE_NS_IPC] = number_if_own(PROXY_POINTER(proxy, ipc_ns),
                PROXY_POINTER(reader.bytes, ipc_ns), own[WIRE_NS_IPC]);
        to[WIRE_NS_CGROUP] = number_if_own(PROXY_POINTER(proxy, cgroup_ns),
                PROXY_POINTER(reader.bytes, cgroup_ns), own[WIRE_NS_CGROUP]);
        /* While it has this one, these were its own. */
        if (BPF_CORE_READ(t, nsproxy) != now)
                __builtin_memset(to, 0, WIRE_NS_OF_PROXY * sizeof(*to));
}
