/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs that go through open files have in common: types of the kernel, of which only
 * the members used are named.
 *
 * No two types of a program, and as few as can be of two, have one place in the kernel's memory of
 * what it has looked for (kernel.bpf.h, bench/btf-places).
 */
#pragma once

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

struct qstr {
        const unsigned char *name;
};

struct hlist_bl_node {
        void *pprev;
};

struct dentry {
        struct hlist_bl_node d_hash;
        struct dentry *d_parent;
        struct qstr d_name;
};

struct path {
        struct vfsmount *mnt;
        struct dentry *dentry;
};

struct file {
        struct path f_path;
        struct inode *f_inode;
        void *private_data;
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
