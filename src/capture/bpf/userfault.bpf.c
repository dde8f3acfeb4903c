/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose page faults a userfaultfd gets, which no file tells. */
#include "file.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct {
        struct task_struct *owner;
};

struct userfaultfd_ctx { /* fs/userfaultfd.c */
        struct mm_struct *mm;
};

#pragma clang attribute pop

char LICENSE[] SEC("license") = "GPL";

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
