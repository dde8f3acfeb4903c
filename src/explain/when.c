/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See when.h. Each condition answers UNSURE where its input is missing. */
#include "explain/when.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "base/arena.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

/* Functions through which everything sleeps; they do not tell for what. */
static const char HELPERS[] =
        "schedule|__schedule|schedule_timeout*|schedule_hrtimeout*|schedule_preempt_disabled|"
        "io_schedule*|wait_woken|__switch_to|context_switch|preempt_schedule*|"
        "poll_schedule_timeout*|freezable_schedule*|do_wait_intr*|wait_for_common*|"
        "__wait_for_common|wait_for_completion*|__wait_event*|__wait_on_bit*|"
        "out_of_line_wait_on_bit*|bit_wait*|prepare_to_wait*|finish_wait|__cond_resched|"
        "_cond_resched|__flush_work|msleep*|usleep_range*|"
        "rest_init|ret_from_fork*|unwind_backtrace|save_stack_trace*|"
        "__switch_to_asm|el1_*|el0_*";

/* What every stack of a system call ends with. */
static const char ENTRY[] =
        "do_syscall_64|do_syscall_x64|x64_sys_call|entry_SYSCALL_64*|system_call_fastpath|"
        "system_call_after_swapgs|entry_SYSCALL_64_fastpath|tracesys*|do_int80_*|do_fast_syscall_"
        "32|"
        "__do_fast_syscall_32|do_SYSENTER_32|entry_INT80_compat|entry_SYSENTER_compat*|ia32_sys_"
        "call|"
        "int80_emulation|asm_int80_emulation|do_int80_emulation|"
        "sysenter_dispatch|ia32_sysret|cstar_dispatch|el0_svc*|do_el0_svc*|el0t_64_sync*|"
        "invoke_syscall*|el0_sync*|__sys_trace_return|ret_fast_syscall|stub_*|sys:restart_syscall";

const char *thread_leaf(const struct thread *t, bool *ret_known)
{
        const struct stack *k = t->kernel_stack;

        *ret_known = k && k->n_frames;
        for (size_t i = 0; k && i < k->n_frames; i++) {
                const struct frame *f = &k->frames[i];

                if (f->unreliable)
                        continue;
                if (!f->symbol) { /* a name is missing where the answer may be */
                        *ret_known = false;
                        break;
                }
                if (!symbol_matches(f->symbol, HELPERS))
                        return f->symbol;
        }
        /* Without the stack, wchan is its innermost function outside the scheduler. */
        if (!*ret_known && t->wchan && !symbol_matches(t->wchan, HELPERS)) {
                *ret_known = true;
                return t->wchan;
        }
        return NULL;
}

const char *thread_leaf_evidence(struct arena *a, const struct thread *t)
{
        bool known;
        const char *leaf = thread_leaf(t, &known);

        if (t->kernel_stack && t->kernel_stack->n_frames && leaf)
                return arena_printf(a, "kernel frame %s", leaf);
        if (t->wchan)
                return arena_printf(a, "wchan %s", t->wchan);
        if (!t->kernel_stack && t->kernel_stack_error && t->state != 'R')
                return "kernel stack not readable";
        return NULL;
}

enum truth thread_within(const struct thread *t, const char *list)
{
        const struct stack *k = t->kernel_stack;

        if (!k || !k->n_frames)
                return t->wchan && symbol_matches(t->wchan, list) ? TRUE : UNSURE;
        return stack_has(k, list) ? TRUE : k->truncated ? UNSURE : FALSE;
}

enum truth when_entry_only(const struct thread *t)
{
        const struct stack *k = t->kernel_stack;

        if (!k || !k->n_frames)
                return UNSURE;
        for (size_t i = 0; i < k->n_frames; i++)
                if (!k->frames[i].symbol || (!symbol_matches(k->frames[i].symbol, ENTRY) &&
                                                    !symbol_matches(k->frames[i].symbol, HELPERS)))
                        return FALSE;
        return TRUE;
}

static enum truth has_state(const struct thread *t, const char *state)
{
        const struct object *o = t->call.object;

        /* splice and sendfile: the one of the two that is a socket */
        if (t->call.object2 && t->call.object2->state)
                o = t->call.object2;
        if (!o || !o->state)
                return UNSURE;
        return strcmp(o->state, state) == 0 ? TRUE : FALSE;
}

enum truth when_listening(const struct thread *t)
{
        return has_state(t, "LISTEN");
}

enum truth when_not_listening(const struct thread *t)
{
        enum truth listening = has_state(t, "LISTEN");

        return listening == UNSURE ? UNSURE : listening == TRUE ? FALSE : TRUE;
}

enum truth when_connecting(const struct thread *t)
{
        return has_state(t, "SYN_SENT");
}

enum truth when_on_cpu(const struct thread *t)
{
        return !t->has_on_cpu ? UNSURE : t->on_cpu ? TRUE : FALSE;
}

enum truth when_off_cpu(const struct thread *t)
{
        return !t->has_on_cpu ? UNSURE : t->on_cpu ? FALSE : TRUE;
}

enum truth when_queued(const struct thread *t)
{
        return t->has_ready_for && t->has_on_cpu && !t->on_cpu ? TRUE : FALSE;
}

enum truth when_throttled_told(const struct thread *t)
{
        return t->throttled && t->cgroup ? TRUE : FALSE;
}

enum truth when_blocker(const struct thread *t)
{
        /* In a text it is what the kernel found likely. */
        return t->blocker && !t->line ? TRUE : FALSE;
}

enum truth when_timeout(const struct thread *t)
{
        return !t->call.has_timeout ? UNSURE : t->call.timeout_set ? TRUE : FALSE;
}

enum truth when_set_empty(const struct thread *t)
{
        const struct object *o = t->call.object;

        return o && !o->partial && !o->n_members && !o->n_members_hidden ? TRUE : FALSE;
}

/*
 * poll(2) and select(2) sleep on the files that had the numbers when they were called. A file on a
 * disk, or a directory, is always ready: with one in the set they return at once, so it has been
 * put there since (dup2(2)). What procfs, sysfs and tracefs have may block.
 */
enum truth when_set_replaced(const struct thread *t)
{
        const struct object *o = t->call.object;

        for (size_t i = 0; o && i < o->n_members; i++) {
                const struct member *m = &o->members[i];
                const char *kind = m->object && m->object->kind ? m->object->kind : "";
                const char *path = m->object && m->object->path ? m->object->path : "/sys/";

                if (!(m->events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)))
                        continue;
                if ((strcmp(kind, "file") == 0 && strncmp(path, "/proc/", 6) != 0 &&
                            strncmp(path, "/sys/", 5) != 0) ||
                        strcmp(kind, "directory") == 0)
                        return TRUE;
        }
        return FALSE;
}

enum truth when_set_empty_timeout(const struct thread *t)
{
        return when_set_empty(t) == TRUE && when_timeout(t) == TRUE ? TRUE : FALSE;
}

/*
 * io_uring_enter(fd, submit, complete, flags, …): waits for completions with
 * IORING_ENTER_GETEVENTS, and with IORING_ENTER_SQ_WAIT for room to submit.
 */
enum truth when_completion_wanted(const struct thread *t)
{
        if (t->call.state != CALL_INSIDE)
                return UNSURE;
        return t->call.args[2] && (t->call.args[3] & 5) == 1 ? TRUE : FALSE;
}

static int futex_command(const struct thread *t)
{
        bool told = t->call.desc && t->call.state == CALL_INSIDE;
        int arg = told ? syscall_arg(t->call.desc, 'O', 0) : -1;

        return arg < 0 ? -1 : (int)(t->call.args[arg] & FUTEX_CMD_MASK);
}

enum truth when_futex_wait(const struct thread *t)
{
        if (call_is(&t->call, "futex_waitv|futex_wait"))
                return TRUE;
        switch (futex_command(t)) {
        case FUTEX_WAIT:
        case FUTEX_WAIT_BITSET:
                return TRUE;
        case -1:
                return UNSURE;
        default:
                return FALSE;
        }
}

/* How glibc (from 2.34 on) waits on all but locks, for which it uses FUTEX_WAIT. */
enum truth when_futex_bitset(const struct thread *t)
{
        return futex_command(t) == FUTEX_WAIT_BITSET ? TRUE : FALSE;
}

/* Without its memory a futex is one, and the plain rules are asked: not known is no. */
static enum truth lock_is(const struct thread *t, const char *kind, bool witnessed)
{
        const struct object *o = t->call.state == CALL_INSIDE ? t->call.object : NULL;

        if (!o || !o->lock_kind || strcmp(o->lock_kind, kind) != 0)
                return FALSE;
        return o->lock_witnessed || !witnessed ? TRUE : FALSE;
}

enum truth when_mutex(const struct thread *t)
{
        return lock_is(t, "mutex", false);
}

enum truth when_mutex_witnessed(const struct thread *t)
{
        return lock_is(t, "mutex", true);
}

enum truth when_rwlock(const struct thread *t)
{
        return lock_is(t, "rwlock", false);
}

enum truth when_joined(const struct thread *t)
{
        return lock_is(t, "thread", false);
}

enum truth when_joined_witnessed(const struct thread *t)
{
        return lock_is(t, "thread", true);
}

/* By the operation, or the stack of a log that does not tell it; else the plain rule is asked. */
enum truth when_requeue_pi(const struct thread *t)
{
        if (t->kernel_stack && stack_has(t->kernel_stack, "futex_wait_requeue_pi"))
                return TRUE;
        return futex_command(t) == FUTEX_WAIT_REQUEUE_PI ? TRUE : FALSE;
}

enum truth when_futex_lock(const struct thread *t)
{
        switch (futex_command(t)) {
        case FUTEX_LOCK_PI:
        case 13: /* FUTEX_LOCK_PI2 */
                return TRUE;
        case -1:
                return UNSURE;
        default:
                return FALSE;
        }
}

enum truth when_cgroup(const struct thread *t)
{
        return t->cgroup ? TRUE : FALSE;
}

enum truth when_no_cgroup(const struct thread *t)
{
        return t->cgroup ? FALSE : TRUE;
}

enum truth when_throttled(const struct thread *t)
{
        return t->cgroup ? when_off_cpu(t) : FALSE;
}

enum truth when_leader_only(const struct thread *t)
{
        if (t->tid != t->process->pid)
                return FALSE;
        /* The query may have left the others out, so the kernel's own count is asked first. */
        if (t->process->n_alive > 1)
                return TRUE;
        for_each_thread(other, t->process)
                if (other != t && other->state != 'Z' && other->state != 'X')
                        return TRUE;
        return FALSE;
}

enum truth when_reapable(const struct thread *t)
{
        return t->tid == t->process->pid ? TRUE : FALSE;
}

enum truth when_traced_unseen(const struct thread *t)
{
        return t->tracer && !(t->kernel_stack && t->kernel_stack->n_frames) ? TRUE : FALSE;
}

static bool is_file(const struct object *o)
{
        return o && o->fd >= 0 && o->kind &&
               (strcmp(o->kind, "file") == 0 || strcmp(o->kind, "directory") == 0);
}

/*
 * By module as well as by name: functions are renamed, modules hardly ever. UNSURE: functions that
 * all file systems share; then told says whether something else tells which one it is.
 */
static enum truth local_fs(const struct thread *t, bool told)
{
        static const char symbols[] = "nfs_*|nfs3_*|nfs4_*|rpc_*|__rpc_*|cifs_*|smb2_*|SMB2_*|"
                                      "ceph_*|p9_*|v9fs_*|afs_*|fuse_*|ll_*|orangefs_*";
        static const char modules[] = "nfs*|sunrpc|cifs*|smb*|ceph|libceph|9p*|fuse|virtiofs|"
                                      "lustre|afs|orangefs|lockd";
        static const char local[] = "ext2_*|ext3_*|ext4_*|jbd_*|jbd2_*|xfs_*|btrfs_*|f2fs_*|"
                                    "blkdev_*|__blkdev_*|submit_bio_wait|dio_*|"
                                    "do_blockdev_direct_IO|__blockdev_direct_IO|mpage_*|"
                                    "wait_on_buffer|__wait_on_buffer|iomap_*|__iomap_*";
        const struct stack *k = t->kernel_stack;

        if (!k || !k->n_frames)
                return UNSURE;
        for (size_t i = 0; i < k->n_frames; i++)
                if (k->frames[i].module && symbol_matches(k->frames[i].module, modules))
                        return FALSE;
        if (stack_has(k, symbols))
                return FALSE;
        return told || stack_has(k, local) ? TRUE : UNSURE;
}

enum truth when_local_fs(const struct thread *t)
{
        return local_fs(t, !is_file(t->call.object) || t->call.object->fs);
}

/* Whose page it is, the kernel does not tell: of a call without a file, only functions may. */
enum truth when_local_page(const struct thread *t)
{
        return local_fs(t, is_file(t->call.object) && t->call.object->fs);
}

enum truth when_local_call(const struct thread *t)
{
        return t->call.desc ? when_local_fs(t) : FALSE;
}

enum truth when_traced(const struct thread *t)
{
        return t->tracer ? TRUE : FALSE;
}

enum truth when_pty_master(const struct thread *t)
{
        const struct object *o = t->call.object;

        if (!o || !o->path)
                return UNSURE;
        return strstr(o->path, "ptmx") ? TRUE : FALSE;
}

/* F_SETLKW and F_OFD_SETLKW by number: an i386 program has F_SETLKW64 too. */
enum truth when_posix_lock(const struct thread *t)
{
        if (t->call.state != CALL_INSIDE || !call_is(&t->call, "fcntl|fcntl64"))
                return UNSURE;
        return t->call.args[1] == 7 || t->call.args[1] == 14 ? TRUE : FALSE;
}

enum truth when_ofd_lock(const struct thread *t)
{
        if (t->call.state != CALL_INSIDE || !call_is(&t->call, "fcntl|fcntl64"))
                return UNSURE;
        return t->call.args[1] == F_OFD_SETLKW ? TRUE : FALSE;
}

enum truth when_no_children(const struct thread *t)
{
        const struct process *p = t->process;

        return p->has_children && !p->n_children ? TRUE : FALSE;
}

static bool is_child(const struct process *p, pid_t pid)
{
        for (size_t i = 0; i < p->n_children; i++)
                if (p->children[i].pid == pid)
                        return true;
        return false;
}

enum truth when_child_named(const struct thread *t)
{
        const struct process *p = t->process;

        if (!t->call.object || !t->call.object->pid)
                return FALSE;
        return is_child(p, t->call.object->pid)           ? TRUE
               : !p->has_children || p->n_children_hidden ? UNSURE
                                                          : FALSE;
}

enum truth when_wait_named(const struct thread *t)
{
        return t->call.object && t->call.object->pid ? TRUE : FALSE;
}

enum truth when_wait_pidfd(const struct thread *t)
{
        return call_is(&t->call, "waitid") && t->call.args[0] == 3 /* P_PIDFD */ ? TRUE : FALSE;
}

enum truth when_wait_hidden(const struct thread *t)
{
        const struct call *c = &t->call;

        if (c->state != CALL_INSIDE || c->object)
                return FALSE;
        if (call_is(c, "waitid"))
                return c->args[0] != 0 /* P_ALL */ ? TRUE : FALSE;
        return (int32_t)c->args[0] != -1 ? TRUE : FALSE;
}

enum truth when_wait_group(const struct thread *t)
{
        return t->call.object && t->call.object->group ? TRUE : FALSE;
}

/* clone3's flags are in memory; only a stack says that it waits for that. */
enum truth when_vfork(const struct thread *t)
{
        if (call_is(&t->call, "vfork"))
                return TRUE;
        if (call_is(&t->call, "clone"))
                return t->call.args[0] & CLONE_VFORK ? TRUE : FALSE;
        return t->kernel_stack && t->kernel_stack->n_frames ? TRUE : FALSE;
}
