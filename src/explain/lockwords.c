/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel tells a lock's address and kind, not what it guards: that follows from the innermost
 * function on the stack, where it takes one such lock only.
 */
#include "explain/lockwords.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "explain/when.h"
#include "model.h"
#include "symbol/stacktext.h"

static const struct {
        const char *kind; /* of the lock */
        const char *leaf;
        const char *words;
} places[] = {
        { "kernel-mutex",
                "pipe_read|anon_pipe_read|fifo_pipe_read|pipe_write|anon_pipe_write|fifo_pipe_"
                "write|"
                "splice_pipe_to_pipe|link_pipe|pipe_release|pipe_fcntl|pipe_ioctl|vmsplice_to_pipe",
                "the lock of a pipe" },
        { "kernel-mutex", "fdget_pos|__fdget_pos", "the lock of an open file's position" },
        { "kernel-mutex", "do_epoll_ctl|ep_insert|ep_remove|eventpoll_release_file",
                "the lock of an epoll set" },
        { "kernel-rwsem",
                "vm_mmap_pgoff|__vm_munmap|do_mprotect_pkey|do_madvise|madvise_lock|sys:brk|sys:"
                "mremap|"
                "lock_mm_and_find_vma|do_user_addr_fault|vm_brk_flags|do_mlock|sys:munmap|"
                "ksys_mmap_pgoff|sys:mlockall|apply_vma_lock_flags",
                "the lock of its process's memory map" },
        { "kernel-rwsem",
                "__access_remote_vm|access_remote_vm|proc_pid_cmdline_read|get_mm_cmdline|m_start|"
                "pagemap_read|environ_read|mem_rw|process_vm_rw_single_vec",
                "the lock of a process's memory map" },
        { "kernel-rwsem",
                "lookup_slow|open_last_lookups|path_openat|lookup_open|do_unlinkat|do_rmdir|"
                "filename_create|start_dirop|lock_rename|do_renameat2|iterate_dir",
                "the lock of a directory" },
        { "kernel-rwsem",
                "ext4_buffered_write_iter|ext4_file_write_iter|ext4_dio_write_iter|"
                "generic_file_write_iter|xfs_ilock|xfs_file_*|btrfs_inode_lock|shmem_file_write_"
                "iter|"
                "do_truncate|vfs_fallocate|fuse_file_write_iter|chmod_common|chown_common|notify_"
                "change",
                "the lock of a file" },
};

void lockwords_lock(const struct thread *t, const struct object *o, char ret[static LOCKWORDS_MAX])
{
        const char *kind = o && o->kind ? o->kind : "";
        bool known;
        const char *leaf = thread_leaf(t, &known);

        for (size_t i = 0; leaf && i < ARRAY_SIZE(places); i++) {
                if (strcmp(places[i].kind, kind) == 0 && symbol_matches(leaf, places[i].leaf)) {
                        snprintf(ret, LOCKWORDS_MAX, "%s", places[i].words);
                        return;
                }
        }
        /* Older kernels show the locking itself, which says nothing of who wants it. */
        if (leaf && symbol_matches(leaf, "__mutex_lock*|mutex_lock*|__ww_mutex_lock*|rwsem_*|down|"
                                         "down_*|__down*|___down*"))
                leaf = NULL;
        snprintf(ret, LOCKWORDS_MAX, "%s in the kernel%s%.128s",
                strcmp(kind, "kernel-rwsem") == 0       ? "a read-write lock"
                : strcmp(kind, "kernel-semaphore") == 0 ? "a semaphore"
                                                        : "a mutex",
                leaf ? ", wanted by " : "", leaf ? leaf : "");
}

void lockwords_held(const struct thread *t, const struct object *o, char ret[static LOCKWORDS_MAX])
{
        const struct owner *holder = o && o->n_owners ? &o->owners[0] : NULL;
        char thread[32] = "";

        *ret = 0;
        if (!holder)
                return;
        if (holder->pid == t->process->pid) {
                snprintf(ret, LOCKWORDS_MAX, ", held by thread %d of the same process",
                        (int)(holder->tid ? holder->tid : holder->pid));
                return;
        }
        if (holder->tid && holder->tid != holder->pid)
                snprintf(thread, sizeof(thread), ", thread %d", (int)holder->tid);
        snprintf(ret, LOCKWORDS_MAX, ", held by %.64s (pid %d%s)",
                holder->comm ? holder->comm : "a thread", (int)holder->pid, thread);
}
