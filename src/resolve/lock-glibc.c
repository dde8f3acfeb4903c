/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of glibc (2.25 to 2.41), from sysdeps/nptl/bits/struct_mutex.h, struct_rwlock.h, of
 * x86-64, arm64 and i386. Offsets are from the futex word.
 *
 *   mutex, 64 bits:  lock 0, count 4, owner 8, nusers 12, kind 16, spins 20, list 24 and 32
 *   mutex, i386:     lock 0, count 4, owner 8, kind 12, nusers 16, spins or list 20
 *   rwlock, 64 bits: readers 0, writers 4, wrphase_futex 8, writers_futex 12, pads 16 to 23,
 *                    cur_writer 24, shared 28, elision and pads 32 to 47, flags 48
 *   FILE's lock:     lock 0, cnt 4, owner 8, a pointer to the thread's descriptor
 *   descriptor:      tid, another pid_t, on 64 bits robust_prev, then the robust list's head
 */
#include "resolve/locklayout.h"

#include <linux/futex.h>
#include <string.h>

/* __kind (nptl/pthreadP.h): the type in two bits, and flags */
#define KIND_TYPE 3U
#define KIND_ADAPTIVE 3U
#define KIND_RECURSIVE 1U
#define KIND_ROBUST 16U
#define KIND_PI 32U
#define KIND_PP 64U
#define KIND_SHARED 128U
#define KIND_ELISION 0x100U
#define KIND_NO_ELISION 0x200U
#define KIND_ALL                                                                                   \
        (KIND_TYPE | KIND_ROBUST | KIND_PI | KIND_PP | KIND_SHARED | KIND_ELISION | KIND_NO_ELISION)

#define USERS_MAX (1U << 22) /* as many threads as there can be */
#define PP_CEILING_SHIFT 19

/* rwlock.__readers (nptl/pthread_rwlock_common.c) */
#define RWLOCK_WRPHASE 1U
#define RWLOCK_WRLOCKED 2U
#define RWLOCK_READERS_SHIFT 3
#define RWLOCK_FUTEX_USED 2U

struct mutex {
        uint32_t lock, count, owner, nusers, kind, spins;
        bool unlinked; /* it is in no list */
};

static bool is_narrow(const struct lock_view *v)
{
        return v->abi == ABI_I386;
}

static bool mutex_read(const struct lock_view *v, struct mutex *ret)
{
        bool narrow = is_narrow(v);

        if (!lock_word(v, 0, &ret->lock) || !lock_word(v, 4, &ret->count) ||
                !lock_word(v, 8, &ret->owner) || !lock_word(v, narrow ? 16 : 12, &ret->nusers) ||
                !lock_word(v, narrow ? 12 : 16, &ret->kind) || !lock_word(v, 20, &ret->spins))
                return false;
        ret->unlinked = narrow || lock_zero(v, 24, 16);
        return narrow || (v->behind >= 40);
}

static const char *mutex_type(uint32_t kind)
{
        static const char *const plain[] = { "normal", "recursive", "error-checking", "adaptive" };
        static const char *const robust[] = { "robust", "robust recursive", "robust error-checking",
                "robust adaptive" };
        static const char *const pi[] = { "priority-inheriting", "priority-inheriting recursive",
                "priority-inheriting error-checking", "priority-inheriting adaptive" };
        static const char *const pp[] = { "priority-protected", "priority-protected recursive",
                "priority-protected error-checking", "priority-protected adaptive" };

        return (kind & KIND_PI       ? pi
                : kind & KIND_PP     ? pp
                : kind & KIND_ROBUST ? robust
                                     : plain)[kind & KIND_TYPE];
}

/* The lock word and the value waited for, as each kind has them while somebody waits. */
static bool mutex_contended(const struct lock_view *v, const struct mutex *m)
{
        if (m->kind & KIND_PI)
                return v->pi && (m->lock & FUTEX_TID_MASK) == m->owner;
        if (v->pi)
                return false;
        if (m->kind & KIND_ROBUST)
                return (m->lock & FUTEX_TID_MASK) == m->owner && m->lock & FUTEX_WAITERS &&
                       v->waited == m->lock;
        if (m->kind & KIND_PP)
                return v->waited == m->lock && (m->lock & ((1U << PP_CEILING_SHIFT) - 1)) == 2;
        return m->lock == 2 && v->waited == 2;
}

/* Only an adaptive one has spun, only one with elision has counted that; on i386 it may be a link.
 */
static bool spins_fit(const struct lock_view *v, const struct mutex *m)
{
        if (is_narrow(v) && m->kind & KIND_ROBUST)
                return true;
        if ((m->kind & KIND_TYPE) != KIND_ADAPTIVE && m->spins & 0xffff)
                return false;
        return m->kind & KIND_ELISION || !(m->spins >> 16);
}

bool lock_glibc_mutex(const struct lock_view *v, struct lock_seen *ret)
{
        struct mutex m;
        bool counted;

        if (!mutex_read(v, &m) || m.kind & ~KIND_ALL || !mutex_contended(v, &m))
                return false;
        if (m.kind & KIND_PP && m.kind & (KIND_PI | KIND_ROBUST))
                return false;
        /* All but the simple ones count, whether they may be locked again or not. */
        counted = (m.kind & KIND_TYPE) == KIND_RECURSIVE ||
                  m.kind & (KIND_ROBUST | KIND_PI | KIND_PP);
        if (!m.owner || m.owner > FUTEX_TID_MASK || !m.nusers || m.nusers > USERS_MAX)
                return false;
        if (counted ? !m.count || m.count > USERS_MAX : m.count)
                return false;
        if (!spins_fit(v, &m))
                return false;
        /* A robust one is linked to its owner's others; the kernel's private futexes are not. */
        if (!(m.kind & KIND_ROBUST) && (!m.unlinked || v->private == !!(m.kind & KIND_SHARED)))
                return false;
        *ret = (struct lock_seen){
                .kind = "mutex",
                .layout = "glibc mutex",
                .type = mutex_type(m.kind),
                .base = v->address,
                .owner = (pid_t)m.owner,
                .robust = m.kind & KIND_ROBUST,
                .shared = m.kind & KIND_SHARED,
        };
        return true;
}

/* base: where the rwlock begins, from the word. */
static bool rwlock_at(const struct lock_view *v, int base, struct lock_seen *ret)
{
        uint32_t readers, writers, wrphase, wanted, writer, shared, flags;

        if (!lock_word(v, base, &readers) || !lock_word(v, base + 4, &writers) ||
                !lock_word(v, base + 8, &wrphase) || !lock_word(v, base + 12, &wanted) ||
                !lock_word(v, base + 24, &writer) || !lock_word(v, base + 28, &shared) ||
                !lock_word(v, base + 48, &flags) || !lock_zero(v, base + 16, 8) ||
                !lock_zero(v, base + 32, 16) || !lock_zero(v, base + 52, 4))
                return false;
        if (wrphase > 3 || wanted > 3 || shared > 1 || flags > 2 || v->private != !shared ||
                (writers & INT32_MAX) > USERS_MAX || readers >> RWLOCK_READERS_SHIFT > USERS_MAX)
                return false;
        if (writer) {
                if (!(readers & RWLOCK_WRLOCKED) || !(readers & RWLOCK_WRPHASE) ||
                        writer > FUTEX_TID_MASK)
                        return false;
        } else if (readers & RWLOCK_WRPHASE || !(readers >> RWLOCK_READERS_SHIFT)) {
                return false; /* it is being handed over, or is no lock */
        }
        *ret = (struct lock_seen){
                .kind = "rwlock",
                .layout = "glibc rwlock",
                .base = v->address + (uint64_t)(int64_t)base,
                .owner = (pid_t)writer,
                .readers = writer ? 0 : readers >> RWLOCK_READERS_SHIFT,
                .shared = shared,
        };
        return true;
}

/*
 * Readers wait on wrphase_futex while it is 1 and writers hold it, writers on the same while it is
 * 0 and readers do; other writers wait on writers_futex. Who waits adds "used" to the value.
 */
bool lock_glibc_rwlock(const struct lock_view *v, struct lock_seen *ret)
{
        uint32_t word;

        if (is_narrow(v) || v->pi || !lock_word(v, 0, &word) || word != v->waited ||
                !(word & RWLOCK_FUTEX_USED) || word > 3)
                return false;
        if (rwlock_at(v, -8, ret))
                return ret->owner ? word == 3 : word == 2;
        return word == 3 && rwlock_at(v, -12, ret);
}

/* Offset of tid in a thread's descriptor, and of the robust list's head behind it. */
static unsigned descriptor_tid(enum abi abi)
{
        return abi == ABI_X86_64 ? 0x2d0 : abi == ABI_ARM64 ? 0xd0 : 0x68;
}

/*
 * "tid, pid, robust_prev, {list, futex_offset, pending}": the offset is what leads from a mutex's
 * link to its lock, and the same in all threads.
 */
static bool descriptor_at(const struct lock_view *v, uint64_t tid_address, struct lock_seen *ret)
{
        unsigned char b[48];
        uint32_t tid, narrow_offset;
        uint64_t offset;

        if (!v->read(v->arg, tid_address, b, is_narrow(v) ? 20 : 40))
                return false;
        memcpy(&tid, b, sizeof(tid));
        memcpy(&narrow_offset, b + 12, sizeof(narrow_offset));
        memcpy(&offset, b + 24, sizeof(offset));
        if (!tid || tid > FUTEX_TID_MASK)
                return false;
        if (is_narrow(v) ? (int32_t)narrow_offset != -20 : (int64_t)offset != -32)
                return false;
        ret->owner = (pid_t)tid;
        ret->list = tid_address + (is_narrow(v) ? 8 : 16);
        return true;
}

bool lock_glibc_stdio(const struct lock_view *v, struct lock_seen *ret)
{
        struct lock_seen seen = { .kind = "mutex", .layout = "glibc stdio lock", .type = "stdio" };
        uint32_t word, count, narrow_owner;
        uint64_t owner;

        if (v->pi || !v->private || !lock_word(v, 0, &word) || word != 2 || v->waited != 2 ||
                !lock_word(v, 4, &count) || !count || count > USERS_MAX ||
                !lock_word(v, 8, &narrow_owner))
                return false;
        if (is_narrow(v))
                owner = narrow_owner;
        else if (!lock_long(v, 8, &owner))
                return false;
        if (owner < 4096 || owner % 16 || !descriptor_at(v, owner + descriptor_tid(v->abi), &seen))
                return false;
        seen.base = v->address;
        *ret = seen;
        return true;
}

/* pthread_join() waits, not privately, until the kernel clears the tid of the descriptor. */
bool lock_glibc_join(const struct lock_view *v, struct lock_seen *ret)
{
        struct lock_seen seen = { .kind = "thread", .layout = "glibc thread" };
        uint32_t word;

        if (v->pi || v->private || !lock_word(v, 0, &word) || word != v->waited ||
                !descriptor_at(v, v->address, &seen) || (uint32_t)seen.owner != word)
                return false;
        seen.base = v->address;
        *ret = seen;
        return true;
}
