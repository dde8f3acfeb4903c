/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See taskiter.h; the program itself is taskload.c's. */
#include "capture/taskiter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/taskload.h"
#include "capture/taskwalk.h"

#define BUFFER_BYTES (64 * 1024) /* twice what the kernel's own holds: records come whole */

/* So many threads make looking for those that ran worth another program; of more, the kernel would
 * be kept in one stretch for more than some ten ms. */
#define WALK_FROM 4096
#define WALK_UNTIL 100000

struct taskiter {
        struct taskload load;
        struct taskwalk *walk;   /* NULL: not needed so far, or not to be had */
        struct wire_slot *slots; /* of the walk, if there is one */
        size_t n_slots;          /* a power of two */
        int link_all;            /* iterates all threads; -1: not made yet */
        uint32_t pass;
        unsigned kind; /* WIRE_KIND_… */
        bool filtered, nested, walk_tried;
        size_t n_met; /* in the last pass over all threads */
        size_t n_sent, n_same;
        char *buffer;
};

static int bpf_call(int command, union bpf_attr *attr, size_t size)
{
        long r = syscall(SYS_bpf, command, attr, size);

        return r < 0 ? -errno : (int)r;
}

static bool file_has(const char *path, const char *word)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char text[128];
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        text[n < 0 ? 0 : n] = 0;
        return strstr(text, word);
}

/* "none integrity [confidentiality]": the last one keeps programs from reading the kernel. */
static void refusal_find(int error, const char **ret_why, const char **ret_remedy)
{
        *ret_remedy = NULL;
        if (file_has("/sys/kernel/security/lockdown", "[confidentiality]")) {
                *ret_why =
                        "kernel lockdown (confidentiality) keeps programs from reading the kernel";
        } else if (error == EPERM) {
                *ret_why = "programs inside the kernel (BPF) need CAP_BPF and CAP_PERFMON";
                *ret_remedy = "run pwhy with sudo, or with these capabilities";
        } else if (error == ENOSYS) {
                *ret_why = "this kernel has no bpf(2)";
        } else if (error == EMFILE || error == ENFILE) {
                *ret_why = "the limit on open files is reached";
                *ret_remedy = "see ulimit -n, sysctl fs.file-max";
        } else if (error == ENOMEM) {
                *ret_why = "not enough memory";
        } else if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
                *ret_why = "this kernel does not describe its types (CONFIG_DEBUG_INFO_BTF)";
        } else {
                *ret_why = "this kernel does not take the program";
        }
}

/* Bits of task->__state that a letter of stat(5) may stand for (include/linux/sched.h). */
static uint32_t states_bits(const char *letters, bool *ret_running)
{
        static const struct {
                char letter;
                uint32_t bits;
        } states[] = {
                { 'S', 0x1 },
                { 'D', 0x2 | 0x1000 | 0x8000 },
                { 'T', 0x4 },
                { 't', 0x8 },
                { 'X', 0x10 },
                { 'Z', 0x20 },
                { 'P', 0x40 },
                { 'I', 0x400 },
        };
        uint32_t bits = 0;

        *ret_running = strchr(letters, 'R');
        for (size_t i = 0; i < ARRAY_SIZE(states); i++)
                if (strchr(letters, states[i].letter))
                        bits |= states[i].bits;
        return bits;
}

static bool filter_set(struct wire_settings *s, const struct taskiter_filter *f)
{
        bool running = false;

        if (!f)
                return false;
        if (f->states && *f->states)
                s->states = states_bits(f->states, &running);
        s->wants_running = running;
        if (running && !s->states)
                s->states = 1U << 31; /* no state at all */
        s->has_euid = f->has_euid;
        s->euid = f->euid;
        s->cgroup = f->cgroup;
        s->cgroup_level = f->cgroup_level;
        return s->states || s->has_euid || s->cgroup || f->timed;
}

/* Our namespaces, at this moment: whoever uses the library may change them. */
static void own_namespaces(uint32_t ret[static WIRE_NS_MAX])
{
        static const char *const paths[WIRE_NS_MAX] = {
                [WIRE_NS_NET] = "/proc/thread-self/ns/net",
                [WIRE_NS_MNT] = "/proc/thread-self/ns/mnt",
                [WIRE_NS_UTS] = "/proc/thread-self/ns/uts",
                [WIRE_NS_TIME] = "/proc/thread-self/ns/time",
                [WIRE_NS_IPC] = "/proc/thread-self/ns/ipc",
                [WIRE_NS_CGROUP] = "/proc/thread-self/ns/cgroup",
                [WIRE_NS_PID] = "/proc/thread-self/ns/pid",
                [WIRE_NS_USER] = "/proc/thread-self/ns/user",
        };
        struct stat st;

        for (size_t i = 0; i < WIRE_NS_MAX; i++)
                ret[i] = stat(paths[i], &st) < 0 ? 0 : (uint32_t)st.st_ino;
}

/* The first PID namespace has this inode (include/linux/proc_ns.h, PROC_PID_INIT_INO). */
static bool in_own_namespace(void)
{
        struct stat st;

        return stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != 0xEFFFFFFCU;
}

static size_t power_of_two(size_t n)
{
        size_t p = 64;

        while (p < n && p < (size_t)1 << 23)
                p *= 2;
        return p;
}

static int program_load(struct taskiter *it, bool remembers, unsigned frames, unsigned kind,
        const struct taskiter_filter *filter)
{
        struct taskload_options options = {
                .kind = kind,
                .nested = in_own_namespace(),
                .n_slots = (uint32_t)it->n_slots,
                .settings = { .slots_mask = (uint32_t)it->n_slots - 1,
                        .frames = frames < WIRE_FRAMES_MAX ? frames : WIRE_FRAMES_MAX },
        };

        options.remembers = remembers;
        options.filtered = filter_set(&options.settings, filter);
        it->nested = options.nested;
        it->filtered = options.filtered;
        it->kind = kind;
        return taskload_new(&options, &it->load);
}

int taskiter_new(size_t slots, unsigned frames, unsigned kind, const struct taskiter_filter *filter,
        struct taskiter **ret_iter, const char **ret_why, const char **ret_remedy)
{
        struct taskiter *it = calloc(1, sizeof(*it));
        int r;

        *ret_why = "no memory";
        *ret_remedy = NULL;
        if (!it)
                return -ENOMEM;
        it->link_all = -1;
        it->slots = MAP_FAILED;
        it->n_slots = power_of_two(slots);
        it->buffer = malloc(BUFFER_BYTES);
        r = it->buffer ? program_load(it, slots, frames, kind, filter) : -ENOMEM;
        if (r < 0 && r != -ENOMEM)
                refusal_find(-r, ret_why, ret_remedy);
        if (r == 0) {
                it->slots = mmap(NULL, it->n_slots * sizeof(*it->slots), PROT_READ | PROT_WRITE,
                        MAP_SHARED, it->load.slots, 0);
                if (it->slots == MAP_FAILED)
                        r = -errno;
        }
        if (r < 0) {
                taskiter_free(it);
                return r;
        }
        *ret_iter = it;
        return 0;
}

void taskiter_free(struct taskiter *it)
{
        if (!it)
                return;
        if (it->walk)
                taskwalk_free(it->walk);
        else if (it->slots != MAP_FAILED)
                munmap(it->slots, it->n_slots * sizeof(*it->slots));
        if (it->link_all >= 0)
                close(it->link_all);
        taskload_done(&it->load);
        free(it->buffer);
        free(it);
}

size_t taskiter_fds(const struct taskiter *it, int ret[static TASKITER_FDS])
{
        size_t n = 0;

        ret[n++] = it->load.dump;
        ret[n++] = it->load.name;
        if (it->link_all >= 0)
                ret[n++] = it->link_all;
        if (it->walk)
                ret[n++] = taskwalk_fd(it->walk);
        return n;
}

/* The kernel goes through one process or thread alone since 6.1; before, through all. */
static int link_make(struct taskiter *it, const struct taskiter_scope *scope)
{
        union bpf_iter_link_info info;
        union bpf_attr attr;

        memset(&info, 0, sizeof(info));
        memset(&attr, 0, sizeof(attr));
        attr.link_create.prog_fd = (uint32_t)it->load.dump;
        attr.link_create.attach_type = BPF_TRACE_ITER;
        if (scope->pid || scope->tid) {
                if (scope->tid)
                        info.task.tid = (uint32_t)scope->tid;
                else
                        info.task.pid = (uint32_t)scope->pid;
                attr.link_create.iter_info = (uint64_t)(uintptr_t)&info;
                attr.link_create.iter_info_len = sizeof(info);
        }
        return bpf_call(BPF_LINK_CREATE, &attr, sizeof(attr));
}

static int iterator_open(struct taskiter *it, const struct taskiter_scope *scope)
{
        _cleanup_close_ int own = -1;
        union bpf_attr attr;
        int link = it->link_all;

        if (scope->pid || scope->tid || link < 0) {
                link = link_make(it, scope);
                if (link < 0)
                        return link;
                if (scope->pid || scope->tid)
                        own = link;
                else
                        it->link_all = link;
        }
        memset(&attr, 0, sizeof(attr));
        attr.iter_create.link_fd = (uint32_t)link;
        return bpf_call(BPF_ITER_CREATE, &attr, sizeof(attr));
}

static bool in_scope(const struct taskiter_scope *scope, const struct wire_task *w)
{
        return (!scope->pid || w->pid == scope->pid) && (!scope->tid || w->tid == scope->tid);
}

static int records_read(struct taskiter *it, int fd, const struct taskiter_scope *scope,
        int (*each)(void *arg, const struct wire_task *w), void *arg)
{
        ssize_t n;

        while ((n = read(fd, it->buffer, BUFFER_BYTES)) != 0) {
                if (n < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (n < 0)
                        return -errno;
                for (char *p = it->buffer; p < it->buffer + n;) {
                        const struct wire_task *w = (const struct wire_task *)p;
                        int r = in_scope(scope, w) ? each(arg, w) : 0;

                        if (r < 0)
                                return r;
                        it->n_sent += !(w->flags & WIRE_LEFT_OUT);
                        p += w->size;
                }
        }
        return 0;
}

/* Read what is in scope, whole or but for what slots say. */
static int scope_read(struct taskiter *it, const struct taskiter_scope *scope, bool slots,
        int (*each)(void *arg, const struct wire_task *w), void *arg)
{
        struct wire_settings *settings = it->load.settings;
        _cleanup_close_ int fd = iterator_open(it, scope);

        if (fd < 0)
                return fd;
        settings->pass = slots ? it->pass : 0;
        return records_read(it, fd, scope, each, arg);
}

/* From the second pass over many threads on. What slots say goes with them. */
static void walk_load(struct taskiter *it)
{
        size_t size = it->n_slots * sizeof(*it->slots);

        if (it->walk_tried || it->filtered || it->nested || it->n_met < WALK_FROM)
                return;
        it->walk_tried = true;
        if (taskwalk_new(it->n_slots, &it->walk) < 0)
                return;
        memcpy(taskwalk_slots(it->walk), it->slots, size);
        munmap(it->slots, size);
        it->slots = taskwalk_slots(it->walk);
}

/* Those that ran, one by one. -E2BIG: there are too many for that. */
static int walk_pass(
        struct taskiter *it, int (*each)(void *arg, const struct wire_task *w), void *arg)
{
        const int32_t *tids;
        size_t n;
        int r = taskwalk_run(it->walk, it->pass, &it->n_same, &tids, &n);

        if (r == 0 && n > it->n_met / 2)
                return -E2BIG;
        for (size_t i = 0; i < n && r == 0; i++) {
                const struct taskiter_scope one = { .tid = tids[i] };

                r = scope_read(it, &one, false, each, arg);
                if (r == -ESRCH)
                        r = 0; /* it has ended */
        }
        return r;
}

int taskiter_pass(struct taskiter *it, const struct taskiter_scope *scope,
        int (*each)(void *arg, const struct wire_task *w), void *arg)
{
        struct wire_settings *settings = it->load.settings;
        bool all = !scope->pid && !scope->tid;
        int r = -E2BIG;

        sched_yield(); /* brings the clock up to date */
        if (all && !scope->fresh)
                walk_load(it);
        if (it->kind == WIRE_KIND_WHOLE)
                own_namespaces(settings->own_ns);
        it->pass = ++settings->passes;
        settings->n_same = 0;
        it->n_sent = it->n_same = 0;
        if (it->walk && all && !scope->fresh && it->n_met < WALK_UNTIL)
                r = walk_pass(it, each, arg);
        if (r != -E2BIG)
                return r;
        /* The program that reads has no slots any more, if there is a walk. */
        r = scope_read(it, scope, !scope->fresh && !it->walk, each, arg);
        it->n_same = settings->n_same;
        if (all)
                it->n_met = it->n_same + it->n_sent;
        return r;
}

void taskiter_set_until(struct taskiter *it, uint64_t exec_start_ns)
{
        it->load.settings->exec_start_until = exec_start_ns;
}

uint64_t taskiter_now_ns(const struct taskiter *it)
{
        return it->load.settings->now_ns;
}

size_t taskiter_met(const struct taskiter *it)
{
        return it->n_met;
}

size_t taskiter_same(const struct taskiter *it)
{
        return it->n_same;
}

uint32_t taskiter_pass_number(const struct taskiter *it)
{
        return it->pass;
}

bool taskiter_is_foreign(const struct taskiter *it)
{
        return it->pass != it->load.settings->passes;
}

void taskiter_forget(struct taskiter *it)
{
        memset(it->slots, 0, it->n_slots * sizeof(*it->slots));
}

static struct wire_slot *slot_probe(struct taskiter *it, pid_t tid, uint32_t content)
{
        for (size_t i = 0; i < WIRE_PROBES; i++) {
                struct wire_slot *s = &it->slots[((size_t)tid + i) & (it->n_slots - 1)];

                if (s->tid == content)
                        return s;
        }
        return NULL;
}

struct wire_slot *taskiter_slot(struct taskiter *it, pid_t tid)
{
        return slot_probe(it, tid, (uint32_t)tid);
}

struct wire_slot *taskiter_slot_make(struct taskiter *it, pid_t tid)
{
        struct wire_slot *s = slot_probe(it, tid, (uint32_t)tid);

        return s ? s : slot_probe(it, tid, 0);
}

int taskiter_names(
        struct taskiter *it, const uint64_t *addresses, size_t n, const char *ret_texts[])
{
        struct wire_names *names = it->load.names;
        union bpf_attr attr;
        int r;

        memset(&attr, 0, sizeof(attr));
        attr.test.prog_fd = (uint32_t)it->load.name;
        memcpy(names->addresses, addresses, n * sizeof(*addresses));
        names->n = (uint32_t)n;
        r = bpf_call(BPF_PROG_RUN, &attr, sizeof(attr));
        if (r < 0)
                return r;
        for (size_t i = 0; i < n && i < WIRE_NAMES; i++) {
                names->text[i][WIRE_NAME_MAX - 1] = 0;
                ret_texts[i] = names->text[i];
        }
        return 0;
}
