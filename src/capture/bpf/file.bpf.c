/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that processes have open, in a tenth of the time that reading /proc/PID/fd takes, and
 * also where that may not be read. What a file's link there would say is told as far as it takes
 * no path: pipes, sockets and anonymous files by their file system, others by the last part of
 * their name.
 *
 * Threads that share their table of files with the main thread are passed over by the iterator
 * itself (kernel/bpf/task_iter.c).
 */
#include "file.bpf.h"

/* So an inode, a vfsmount and a sock are reached through what others of their kind lie in. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
        unsigned long s_magic;
};

struct inode {
        unsigned short i_mode;
        unsigned int i_rdev;
        unsigned long i_ino;
        struct super_block *i_sb;
};

struct proc_inode { /* fs/proc/internal.h */
        struct inode vfs_inode;
};

struct vfsmount {
        struct dentry *mnt_root;
};

struct mount {
        struct vfsmount mnt;
};

struct sock {
        long sk_rcvtimeo, sk_sndtimeo;
};

struct inet_sock {
        struct sock sk;
};

struct socket {
        struct sock *sk;
};

#pragma clang attribute pop

#define S_IFMT 0170000
#define S_IFCHR 0020000

/* include/uapi/linux/magic.h */
#define ANON_INODE_FS_MAGIC 0x09041934
#define PIPEFS_MAGIC 0x50495045
#define SOCKFS_MAGIC 0x534F434B

#define MAJOR(device) ((device) >> 20) /* include/linux/kdev_t.h */
#define MEM_MAJOR 1                    /* null, zero, urandom … */

char LICENSE[] SEC("license") = "GPL";

/* As if it was one of proc's: only what every inode has is read. */
static struct proc_inode *inode_of(struct file *file)
{
        return (void *)BPF_CORE_READ(file, f_inode) -
               bpf_core_field_offset(struct proc_inode, vfs_inode);
}

#define MAX_SCHEDULE_TIMEOUT 0x7fffffffffffffffL

/* include/net/sock.h: sock_rcvtimeo(), sock_sndtimeo(); of a 64-bit kernel */
static void timeouts_read(struct wire_file *r, struct file *file)
{
        struct socket *socket = BPF_CORE_READ(file, private_data);
        /* The first member of the larger one, of whatever family it really is. */
        struct inet_sock *s = socket ? (void *)BPF_CORE_READ(socket, sk) : (void *)0;

        if (!s || !bpf_core_field_exists(s->sk.sk_rcvtimeo) ||
                !bpf_core_field_exists(s->sk.sk_sndtimeo))
                return;
        r->receive_ends = BPF_CORE_READ(s, sk.sk_rcvtimeo) == MAX_SCHEDULE_TIMEOUT
                                  ? WIRE_TIMEOUT_NONE
                                  : WIRE_TIMEOUT_SET;
        r->send_ends = BPF_CORE_READ(s, sk.sk_sndtimeo) == MAX_SCHEDULE_TIMEOUT ? WIRE_TIMEOUT_NONE
                                                                                : WIRE_TIMEOUT_SET;
}

/*
 * A path ends in the name of its entry where that is in its directory, and not what is mounted
 * (d_path(), fs/d_path.c). Of terminals and the like the whole path counts.
 */
static int is_named(struct file *file, struct dentry *entry)
{
        struct mount *m =
                (void *)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
        struct proc_inode *i = inode_of(file);

        if ((BPF_CORE_READ(i, vfs_inode.i_mode) & S_IFMT) == S_IFCHR &&
                MAJOR(BPF_CORE_READ(i, vfs_inode.i_rdev)) != MEM_MAJOR)
                return 0;
        return BPF_CORE_READ(entry, d_hash.pprev) && BPF_CORE_READ(entry, d_parent) != entry &&
               BPF_CORE_READ(m, mnt.mnt_root) != entry;
}

static void name_read(struct wire_file *r, struct file *file, int kind)
{
        struct dentry *entry = BPF_CORE_READ(file, f_path.dentry);
        long n;

        if (kind == WIRE_FILE_NAMED && !is_named(file, entry))
                return;
        n = bpf_probe_read_kernel_str(r->name, sizeof(r->name), BPF_CORE_READ(entry, d_name.name));
        /* One that fills the room may have been cut. */
        if (n > 1 && n < WIRE_FILE_NAME)
                r->kind = kind;
}

SEC("iter/task_file")
int files(struct bpf_iter__task_file *ctx)
{
        struct task_struct *task = ctx->task;
        struct file *file = ctx->file;
        struct wire_file r = { .fd = (int)ctx->fd, .file = (uint64_t)file };
        struct proc_inode *inode;
        unsigned long magic;

        if (!task || !file)
                return 0;
        r.pid = BPF_CORE_READ(task, tgid);
        r.tid = BPF_CORE_READ(task, pid);
        inode = inode_of(file);
        magic = BPF_CORE_READ(inode, vfs_inode.i_sb, s_magic);
        if (magic == PIPEFS_MAGIC || magic == SOCKFS_MAGIC) {
                r.inode = BPF_CORE_READ(inode, vfs_inode.i_ino);
                r.kind = magic == PIPEFS_MAGIC ? WIRE_FILE_PIPE : WIRE_FILE_SOCKET;
        } else {
                name_read(
                        &r, file, magic == ANON_INODE_FS_MAGIC ? WIRE_FILE_ANON : WIRE_FILE_NAMED);
        }
        if (r.kind == WIRE_FILE_SOCKET)
                timeouts_read(&r, file);
        bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
        return 0;
}
