/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See profile.h. A sample is kept as a thread of its own that stood still at that place: so its
 * user stack is walked and named as all others are.
 */
#include "capture/profile.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "capture/session.h"
#include "capture/tasktable.h"
#include "model.h"
#include "symbol/stacktext.h"

#define PERIOD_NS NS_PER_MS
#define STACK_BYTES 32768U /* of user space, with each sample */
#define RING_PAGES 256U    /* a power of two: some 30 samples with their stacks… */
#define RING_PAGES_MIN 16U /* …as far as kernel.perf_event_mlock_kb allows */
#define CHAIN_MAX 127U
#define SAMPLES_MAX 64U

#if defined(__x86_64__)
/* asm/perf_regs.h: the kernel's number of each register that DWARF numbers 0 to 16 */
static const uint8_t perf_numbers[] = { 0, 3, 2, 1, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8 };
#define SP 7
#elif defined(__aarch64__)
static const uint8_t perf_numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 };
#define SP 31
#else
static const uint8_t perf_numbers[] = { 0 };
#define SP 0
#endif
#define N_REGS (sizeof(perf_numbers) / sizeof(*perf_numbers))

struct meter { /* of one thread */
        struct thread *thread;
        int fd;
        unsigned char *ring; /* NULL: none */
        size_t ring_size;    /* without its first page */
        bool kernel;         /* the kernel's part is seen, too */
};

struct reader { /* of one sample's bytes, which may be anything */
        const unsigned char *bytes;
        size_t len, at;
};

static uint64_t mask_regs(void)
{
        uint64_t mask = 0;

        for (size_t i = 0; i < N_REGS; i++)
                mask |= UINT64_C(1) << perf_numbers[i];
        return mask;
}

static int meter_open(struct meter *m, bool kernel)
{
        struct perf_event_attr attr = {
                .type = PERF_TYPE_SOFTWARE,
                .size = sizeof(attr),
                .config = PERF_COUNT_SW_CPU_CLOCK,
                .sample_period = PERIOD_NS,
                .sample_type =
                        PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
                .sample_regs_user = mask_regs(),
                .sample_stack_user = STACK_BYTES,
                .exclude_callchain_user = 1,
                .exclude_kernel = !kernel,
                .exclude_hv = 1,
                .disabled = 1,
        };
        long r = syscall(SYS_perf_event_open, &attr, m->thread->tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

        if (r < 0)
                return -errno;
        m->fd = (int)r;
        m->kernel = kernel;
        return 0;
}

static int meter_start(struct meter *m)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        int r = meter_open(m, true);

        /* Who may not see the kernel may see user space (kernel.perf_event_paranoid). */
        if (r == -EACCES || r == -EPERM)
                r = meter_open(m, false);
        if (r < 0)
                return r;
        for (size_t pages = RING_PAGES; !m->ring && pages >= RING_PAGES_MIN; pages /= 2) {
                m->ring_size = pages * page;
                m->ring = mmap(
                        NULL, m->ring_size + page, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
                if (m->ring == MAP_FAILED)
                        m->ring = NULL;
        }
        if (!m->ring || ioctl(m->fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
                return -errno;
        return 0;
}

static void meter_done(struct meter *m)
{
        if (m->ring)
                munmap(m->ring, m->ring_size + (size_t)sysconf(_SC_PAGESIZE));
        if (m->fd >= 0)
                close(m->fd);
}

/* False: the record ends before. */
static bool take(struct reader *r, void *to, size_t len)
{
        if (len > r->len - r->at)
                return false;
        memcpy(to, r->bytes + r->at, len);
        r->at += len;
        return true;
}

/* The addresses between PERF_CONTEXT_KERNEL and another such mark. */
static const struct stack *kernel_stack_make(
        struct snapshot *s, struct session *session, const uint64_t *chain, size_t n)
{
        struct tasktable *table = session_table(session);
        struct stack *stack;
        const char *text = NULL;
        size_t first = 0, end, len = 0;

        while (first < n && chain[first] != (uint64_t)PERF_CONTEXT_KERNEL)
                first++;
        for (end = ++first; end < n && chain[end] < (uint64_t)PERF_CONTEXT_MAX;)
                end++;
        if (first >= end || !table)
                return NULL;
        text = tasktable_frames_text(table, chain + first, end - first, &len);
        stack = text ? arena_new_one(s->arena, struct stack) : NULL;
        if (!stack || stacktext_parse(s->arena, text, len, stack) < 0)
                return NULL;
        stack->text = arena_strn(s->arena, text, len);
        stack->text_len = len;
        return stack;
}

static struct thread *sample_thread(
        struct snapshot *s, const struct meter *m, const uint64_t *values)
{
        struct thread *at = arena_new_one(s->arena, struct thread);
        struct user_regs *regs = arena_new_one(s->arena, struct user_regs);

        if (!at || !regs)
                return NULL;
        at->process = m->thread->process;
        at->tid = m->thread->tid;
        at->state = 'S'; /* as far as this moment goes */
        at->call.state = CALL_OUTSIDE;
        /* They come in the order of the kernel's numbers. */
        for (size_t i = 0; i < N_REGS; i++) {
                size_t place = 0;

                for (size_t k = 0; k < N_REGS; k++)
                        place += perf_numbers[k] < perf_numbers[i];
                regs->value[i] = values[place];
                regs->known |= UINT64_C(1) << i;
        }
        at->regs = regs;
        return at;
}

/*
 * PERF_RECORD_SAMPLE: u64 nr, ips[nr]; u64 abi, regs[]; u64 size, bytes[size], u64 dyn_size
 * (include/uapi/linux/perf_event.h). abi 0: it was in the kernel, without user space.
 */
static void sample_read(struct snapshot *s, struct session *session, struct meter *m,
        struct reader *r, const struct profile_ops *ops)
{
        struct profile *p = m->thread->profile;
        uint64_t n = 0, abi = 0, size = 0, dyn = 0, chain[CHAIN_MAX], values[N_REGS];
        struct hot *hot = &p->hots[p->n_hots];
        const unsigned char *bytes;

        p->n_samples++;
        if (p->n_hots == SAMPLES_MAX || !take(r, &n, sizeof(n)) || n > CHAIN_MAX ||
                !take(r, chain, n * sizeof(*chain)) || !take(r, &abi, sizeof(abi)))
                return;
        memset(hot, 0, sizeof(*hot));
        hot->n_samples = 1;
        hot->kernel_stack = kernel_stack_make(s, session, chain, (size_t)n);
        p->n_hots++;
        if (abi != PERF_SAMPLE_REGS_ABI_64 || !take(r, values, sizeof(values)) ||
                !take(r, &size, sizeof(size)) || size > r->len - r->at)
                return;
        bytes = r->bytes + r->at;
        r->at += size;
        if (size && (!take(r, &dyn, sizeof(dyn)) || dyn > size))
                return;
        hot->at = sample_thread(s, m, values);
        if (hot->at && dyn)
                ops->stack(ops->arg, hot->at, hot->at->regs->value[SP], bytes, (uint32_t)dyn);
}

/* A record may go round the end of the ring. */
static void ring_copy(const struct meter *m, uint64_t at, void *to, size_t len)
{
        const unsigned char *data = m->ring + sysconf(_SC_PAGESIZE);
        size_t first = (size_t)(at % m->ring_size);
        size_t part = len < m->ring_size - first ? len : m->ring_size - first;

        memcpy(to, data + first, part);
        memcpy((char *)to + part, data, len - part);
}

static void ring_read(
        struct snapshot *s, struct session *session, struct meter *m, const struct profile_ops *ops)
{
        struct perf_event_mmap_page *page = (void *)m->ring;
        uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
        unsigned char *record = malloc(UINT16_MAX);

        for (uint64_t at = page->data_tail; record && at < head;) {
                struct perf_event_header header;

                ring_copy(m, at, &header, sizeof(header));
                if (header.size < sizeof(header) || header.size > head - at)
                        break;
                ring_copy(m, at, record, header.size);
                if (header.type == PERF_RECORD_SAMPLE)
                        sample_read(s, session, m,
                                &(struct reader){ record, header.size, sizeof(header) }, ops);
                at += header.size;
        }
        free(record);
}

static bool profile_new(struct snapshot *s, struct thread *t, int64_t window_ns)
{
        t->profile = arena_new_one(s->arena, struct profile);
        if (t->profile)
                t->profile->hots = arena_new_array(s->arena, struct hot, SAMPLES_MAX);
        if (!t->profile || !t->profile->hots)
                return false;
        t->profile->window_ns = window_ns;
        return true;
}

static void gap_profile(struct snapshot *s, int error)
{
        bool refused = error == -EACCES || error == -EPERM;

        if (error == -ESRCH)
                return; /* it has ended */
        snapshot_gap(s, "where running threads spend their time",
                refused ? "the kernel lets nobody but CAP_PERFMON measure it "
                          "(kernel.perf_event_paranoid)"
                        : "the kernel does not measure it (perf_event_open)",
                refused ? "run pwhy with sudo, or with CAP_PERFMON" : NULL, false);
}

void profile_run(struct snapshot *s, struct session *session, int64_t window_ns,
        const struct profile_ops *ops)
{
        struct timespec window = { window_ns / NS_PER_S, window_ns % NS_PER_S };
        struct meter meters[PROFILED_MAX];
        size_t n = 0;

        if (window_ns <= 0)
                return;
        for_each_process(p, s) {
                for_each_thread(t, p) {
                        struct meter *m = &meters[n];
                        int r;

                        if (t->state != 'R' || t->throttled || t->profile || n == PROFILED_MAX)
                                continue;
                        *m = (struct meter){ .thread = t, .fd = -1 };
                        r = profile_new(s, t, window_ns) ? meter_start(m) : -ENOMEM;
                        if (r == 0) {
                                n++;
                                continue;
                        }
                        t->profile = NULL;
                        meter_done(m);
                        gap_profile(s, r);
                }
        }
        if (n)
                nanosleep(&window, NULL);
        for (size_t i = 0; i < n; i++)
                ioctl(meters[i].fd, PERF_EVENT_IOC_DISABLE, 0);
        for (size_t i = 0; i < n; i++) {
                ring_read(s, session, &meters[i], ops);
                meter_done(&meters[i]);
        }
}

static bool same_text(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

/* In the same functions, wherever in the innermost one: its callers are in the same line, too. */
static bool same_user(const struct user_stack *a, const struct user_stack *b)
{
        if (a == b || !a || !b || a->n_frames != b->n_frames)
                return a == b;
        for (size_t i = 0; i < a->n_frames; i++) {
                const struct user_frame *f = &a->frames[i], *g = &b->frames[i];

                if (!f->symbol != !g->symbol || f->inlined != g->inlined ||
                        (f->symbol ? !same_text(f->symbol, g->symbol) ||
                                                !same_text(f->module, g->module)
                                   : f->address != g->address))
                        return false;
        }
        return true;
}

static bool same_kernel(const struct stack *a, const struct stack *b)
{
        if (!a || !b || a->n_frames != b->n_frames)
                return a == b;
        for (size_t i = 0; i < a->n_frames; i++)
                if (!same_text(a->frames[i].symbol, b->frames[i].symbol))
                        return false;
        return true;
}

static bool same_place(const struct hot *a, const struct hot *b)
{
        return same_kernel(a->kernel_stack, b->kernel_stack) &&
               same_user(a->user_stack, b->user_stack);
}

static int by_samples(const void *x, const void *y)
{
        const struct hot *a = x, *b = y;

        return (a->n_samples < b->n_samples) - (a->n_samples > b->n_samples);
}

static void hots_fold(struct profile *p)
{
        size_t n = 0;

        for (size_t i = 0; i < p->n_hots; i++) {
                size_t k = 0;

                p->hots[i].user_stack = p->hots[i].at ? p->hots[i].at->user_stack : NULL;
                while (k < n && !same_place(&p->hots[k], &p->hots[i]))
                        k++;
                if (k == n)
                        p->hots[n++] = p->hots[i];
                else
                        p->hots[k].n_samples++;
        }
        p->n_hots = n;
        qsort(p->hots, n, sizeof(*p->hots), by_samples);
}

void profile_fold(struct snapshot *s)
{
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (t->profile && !t->profile->folded) {
                                hots_fold(t->profile);
                                t->profile->folded = true;
                        }
}
