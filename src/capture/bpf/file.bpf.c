/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipes and sockets that a process has open, where its /proc/PID/fd may not be read: a pipe has
 * other ends than those that are seen, or it has not, and only the kernel can say. And whose page
 * faults a userfaultfd gets, which no file tells.
 *
 * Threads that share their table of files with the main thread are passed over by the iterator
 * itself (kernel/bpf/task_iter.c).
 */
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;

#include "filewire.h"

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef uint32_t __u32;
typedef int __s32;
typedef uint64_t __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
enum bpf_map_type { BPF_MAP_TYPE_ARRAY = 2 };

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
        int pid;
        int tgid;
};

struct inode {
        unsigned short i_mode;
        unsigned long i_ino;
};

struct qstr {
        const unsigned char *name;
};

struct dentry {
        struct qstr d_name;
};

struct path {
        struct dentry *dentry;
};

struct file {
        struct inode *f_inode;
        struct path f_path;
        void *private_data;
};

struct mm_struct {
        struct task_struct *owner;
};

struct userfaultfd_ctx { /* fs/userfaultfd.c */
        struct mm_struct *mm;
};

struct sock {
        long sk_rcvtimeo, sk_sndtimeo;
};

struct socket {
        struct sock *sk;
};

#pragma clang attribute pop

struct seq_file;

struct bpf_iter_meta {
        struct seq_file *seq;
        __u64 session_id;
        __u64 seq_num;
};

struct bpf_iter__task_file {
        struct bpf_iter_meta *meta;
        struct task_struct *task;
        __u32 fd __attribute__((aligned(8)));
        struct file *file;
};

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFIFO 0010000

char LICENSE[] SEC("license") = "GPL";

#define MAX_SCHEDULE_TIMEOUT 0x7fffffffffffffffL

/* include/net/sock.h: sock_rcvtimeo(), sock_sndtimeo(); of a 64-bit kernel */
static void timeouts_read(struct wire_file *r, struct file *file)
{
        struct socket *socket = BPF_CORE_READ(file, private_data);
        struct sock *sk = socket ? BPF_CORE_READ(socket, sk) : (void *)0;

        if (!sk || !bpf_core_field_exists(sk->sk_rcvtimeo) ||
                !bpf_core_field_exists(sk->sk_sndtimeo))
                return;
        r->receive_ends = BPF_CORE_READ(sk, sk_rcvtimeo) == MAX_SCHEDULE_TIMEOUT ? WIRE_TIMEOUT_NONE
                                                                                 : WIRE_TIMEOUT_SET;
        r->send_ends = BPF_CORE_READ(sk, sk_sndtimeo) == MAX_SCHEDULE_TIMEOUT ? WIRE_TIMEOUT_NONE
                                                                              : WIRE_TIMEOUT_SET;
}

SEC("iter/task_file")
int files(struct bpf_iter__task_file *ctx)
{
        struct wire_file r = { .fd = (int)ctx->fd };
        struct task_struct *task = ctx->task;
        struct file *file = ctx->file;
        unsigned short type;

        if (!task || !file)
                return 0;
        type = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;
        if (type != S_IFSOCK && type != S_IFIFO)
                return 0;
        r.pid = BPF_CORE_READ(task, tgid);
        r.tid = BPF_CORE_READ(task, pid);
        r.inode = BPF_CORE_READ(file, f_inode, i_ino);
        r.is_socket = type == S_IFSOCK;
        if (r.is_socket)
                timeouts_read(&r, file);
        bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
        return 0;
}

/* "[userfaultfd]" is the name of the file, and of no other: one with a path has no brackets to it
 */
static int is_userfaultfd(struct file *file)
{
        static const char name[] = "[userfaultfd]";
        char is[sizeof(name)] = "";

        bpf_probe_read_kernel_str(is, sizeof(is), BPF_CORE_READ(file, f_path.dentry, d_name.name));
        for (unsigned i = 0; i < sizeof(name); i++)
                if (is[i] != name[i])
                        return 0;
        return 1;
}

SEC("iter/task_file")
int userfaults(struct bpf_iter__task_file *ctx)
{
        struct wire_userfault r = { .fd = (int)ctx->fd };
        struct task_struct *task = ctx->task;
        struct file *file = ctx->file;
        struct userfaultfd_ctx *served;
        struct mm_struct *mm;

        if (!task || !file || !is_userfaultfd(file))
                return 0;
        served = BPF_CORE_READ(file, private_data);
        r.context = (uint64_t)served;
        mm = BPF_CORE_READ(served, mm);
        r.pid = BPF_CORE_READ(task, tgid);
        r.tid = BPF_CORE_READ(task, pid);
        /* Only with CONFIG_MEMCG; the kernel keeps it up to date (mm_update_next_owner()). */
        if (mm && bpf_core_field_exists(mm->owner))
                r.serves = BPF_CORE_READ(mm, owner, tgid);
        bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
        return 0;
}
