/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve/lock-{glibc,musl}.c: this C library's own locks, in this process, and locks made by hand;
 * then each with any bit of it turned, and what is no lock at all.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "resolve/locklayout.h"

#define OWNER 4242

#if defined(__x86_64__)
#define ABI ABI_X86_64
#elif defined(__aarch64__)
#define ABI ABI_ARM64
#else
#define ABI ABI_UNKNOWN
#endif

typedef bool layout_function(const struct lock_view *v, struct lock_seen *ret);

static layout_function *const layouts[] = { lock_glibc_join, lock_glibc_mutex, lock_glibc_stdio,
        lock_glibc_rwlock, lock_musl_mutex };

/* As another process would: what is not there is refused. */
static bool read_here(void *arg, uint64_t address, void *buffer, size_t len)
{
        struct iovec local = { buffer, len }, remote = { (void *)(uintptr_t)address, len };

        (void)arg;
        return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)len;
}

static bool read_nothing(void *arg, uint64_t address, void *buffer, size_t len)
{
        (void)arg;
        (void)address;
        (void)buffer;
        (void)len;
        return false;
}

/* The word at an offset of a lock that has so many bytes. */
static struct lock_view view_of(const void *lock, size_t len, size_t word, uint32_t waited)
{
        struct lock_view v = {
                .abi = ABI,
                .address = (uintptr_t)lock + word,
                .waited = waited,
                .private = true,
                .before = word,
                .behind = len - word,
                .read = read_here,
        };

        assert_true(word <= LOCK_BEFORE && len - word <= LOCK_BEHIND);
        memcpy(v.bytes, lock, len);
        return v;
}

static bool any_layout(const struct lock_view *v, struct lock_seen *ret)
{
        for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
                if (layouts[i](v, ret))
                        return true;
        return false;
}

/* As a waiter leaves it. */
static void word_set(void *lock, size_t word, uint32_t value)
{
        memcpy((char *)lock + word, &value, sizeof(value));
}

static uint32_t word_get(const void *lock, size_t word)
{
        uint32_t value;

        memcpy(&value, (const char *)lock + word, sizeof(value));
        return value;
}

static void mutex_check(int type, int robust, int protocol, int shared, const char *expected)
{
        union {
                pthread_mutex_t mutex;
                unsigned char bytes[sizeof(pthread_mutex_t)];
        } m;
        bool waits_shared = shared || robust;
        pthread_mutexattr_t attr;
        struct lock_view v;
        struct lock_seen seen;
        uint32_t word;

        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, type);
        pthread_mutexattr_setrobust(&attr, robust);
        pthread_mutexattr_setprotocol(&attr, protocol);
        pthread_mutexattr_setpshared(&attr, shared);
        assert_int_equal(pthread_mutex_init(&m.mutex, &attr), 0);
        assert_int_equal(pthread_mutex_lock(&m.mutex), 0);
        word = word_get(&m, 0);
        word = robust || protocol == PTHREAD_PRIO_INHERIT ? word | FUTEX_WAITERS : 2;
        word_set(&m, 0, word);
        v = view_of(&m, sizeof(m), 0, word);
        v.private = !waits_shared;
        v.pi = protocol == PTHREAD_PRIO_INHERIT;
        assert_true(any_layout(&v, &seen));
        assert_string_equal(seen.kind, "mutex");
        assert_string_equal(seen.layout, "glibc mutex");
        assert_string_equal(seen.type, expected);
        assert_int_equal(seen.owner, gettid());
        assert_true(seen.base == (uintptr_t)&m);
        assert_int_equal(seen.robust, robust);
        if (!robust)
                assert_int_equal(seen.shared, shared);
        /* Whatever else a bit of it says, it is not another owner's, and mostly it is no lock. */
        for (size_t bit = 0; bit < sizeof(m) * 8; bit++) {
                struct lock_view turned = v;

                turned.bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
                if (bit / 32 == 2 || bit / 32 == 0 || !any_layout(&turned, &seen))
                        continue;
                assert_int_equal(seen.owner, gettid());
                /* A count, the number of users, the type, what only some types use, a list. */
                assert_true(bit / 32 == 1 || bit / 32 >= 3);
                if (!robust && protocol == PTHREAD_PRIO_NONE && type == PTHREAD_MUTEX_NORMAL)
                        assert_true(bit / 32 == 3 || bit / 32 == 4);
        }
        /* Cut short, or seen before anybody waits, it is none. */
        for (size_t len = 4; len < 40; len += 4) {
                struct lock_view cut = v;

                cut.behind = len;
                assert_false(any_layout(&cut, &seen));
        }
        if (!v.pi) {
                v.waited ^= 3;
                assert_false(any_layout(&v, &seen));
        }
        word_set(&m, 0, robust || v.pi ? word & ~FUTEX_WAITERS : 1);
        pthread_mutex_unlock(&m.mutex);
        pthread_mutex_destroy(&m.mutex);
        pthread_mutexattr_destroy(&attr);
}

static void test_glibc_mutexes(void **state)
{
        const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP };
        const char *const plain[] = { "normal", "recursive", "error-checking", "adaptive" };
        const char *const robust[] = { "robust", "robust recursive", "robust error-checking" };
        const char *const pi[] = { "priority-inheriting", "priority-inheriting recursive",
                "priority-inheriting error-checking" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                for (int shared = 0; shared < 2; shared++)
                        mutex_check(types[i], 0, PTHREAD_PRIO_NONE, shared, plain[i]);
        for (size_t i = 0; i < ARRAY_SIZE(robust); i++)
                for (int shared = 0; shared < 2; shared++)
                        mutex_check(types[i], 1, PTHREAD_PRIO_NONE, shared, robust[i]);
        for (size_t i = 0; i < ARRAY_SIZE(pi); i++)
                mutex_check(types[i], 0, PTHREAD_PRIO_INHERIT, 0, pi[i]);
}

static void test_glibc_i386(void **state)
{
        /* lock, count, owner, kind, nusers, spins */
        uint32_t m[6] = { 2, 0, OWNER, 0, 1, 0 };
        struct lock_view v = view_of(m, sizeof(m), 0, 2);
        struct lock_seen seen;

        (void)state;
        v.abi = ABI_I386;
        v.read = read_nothing;
        assert_true(any_layout(&v, &seen));
        assert_int_equal(seen.owner, OWNER);
        assert_string_equal(seen.type, "normal");
        m[3] = 1;
        m[1] = 3;
        v = view_of(m, sizeof(m), 0, 2);
        v.abi = ABI_I386;
        v.read = read_nothing;
        assert_true(any_layout(&v, &seen));
        assert_string_equal(seen.type, "recursive");
}

static void test_glibc_rwlock(void **state)
{
        union {
                pthread_rwlock_t lock;
                unsigned char bytes[sizeof(pthread_rwlock_t)];
        } l = { .lock = PTHREAD_RWLOCK_INITIALIZER };
        struct lock_view v;
        struct lock_seen seen;

        (void)state;
        pthread_rwlock_wrlock(&l.lock);
        word_set(&l, 8, 3); /* a reader waits */
        v = view_of(&l, sizeof(l), 8, 3);
        assert_true(any_layout(&v, &seen));
        assert_string_equal(seen.kind, "rwlock");
        assert_int_equal(seen.owner, gettid());
        assert_true(seen.base == (uintptr_t)&l);
        word_set(&l, 12, 3); /* a writer does */
        word_set(&l, 4, 1);
        v = view_of(&l, sizeof(l), 12, 3);
        assert_true(any_layout(&v, &seen));
        assert_int_equal(seen.owner, gettid());
        assert_true(seen.base == (uintptr_t)&l);
        for (size_t bit = 0; bit < sizeof(l) * 8; bit++) {
                struct lock_view turned = v;

                turned.bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
                if (bit / 32 != 6 && any_layout(&turned, &seen) && strcmp(seen.kind, "rwlock") == 0)
                        assert_true(!seen.owner || seen.owner == gettid());
        }
        word_set(&l, 4, 0);
        word_set(&l, 8, 1);
        word_set(&l, 12, 1);
        pthread_rwlock_unlock(&l.lock);
        pthread_rwlock_rdlock(&l.lock);
        pthread_rwlock_rdlock(&l.lock);
        word_set(&l, 8, 2);
        word_set(&l, 0, word_get(&l, 0) | 2); /* a writer waits for the readers to go */
        v = view_of(&l, sizeof(l), 8, 2);
        assert_true(any_layout(&v, &seen));
        assert_int_equal(seen.owner, 0);
        assert_int_equal(seen.readers, 2);
        /* While it is handed over nobody has it. */
        word_set(&l, 0, 1);
        v = view_of(&l, sizeof(l), 8, 2);
        assert_false(any_layout(&v, &seen));
}

struct joined {
        pid_t tid;
        pthread_barrier_t begun, end;
};

static void *joined_main(void *arg)
{
        struct joined *j = arg;

        j->tid = gettid();
        pthread_barrier_wait(&j->begun);
        pthread_barrier_wait(&j->end);
        return NULL;
}

/* The word behind pthread_join() and the lock of stdio are found in real threads. */
static void test_glibc_threads(void **state)
{
        struct joined j;
        pthread_t thread;
        struct lock_view v;
        struct lock_seen seen;
        uint64_t at = 0;
        FILE *f = tmpfile();

        (void)state;
        if (ABI != ABI_X86_64 && ABI != ABI_ARM64)
                skip();
        pthread_barrier_init(&j.begun, NULL, 2);
        pthread_barrier_init(&j.end, NULL, 2);
        assert_int_equal(pthread_create(&thread, NULL, joined_main, &j), 0);
        pthread_barrier_wait(&j.begun);
        for (size_t offset = 0; offset < 2048 && !at; offset += 4)
                if (word_get((const void *)(uintptr_t)thread, offset) == (uint32_t)j.tid)
                        at = offset;
        assert_true(at);
        v = view_of((const char *)(uintptr_t)thread + at, 40, 0, (uint32_t)j.tid);
        v.private = false;
        assert_true(any_layout(&v, &seen));
        assert_string_equal(seen.kind, "thread");
        assert_int_equal(seen.owner, j.tid);
        assert_true(seen.list == v.address + 16);
        v.private = true;
        assert_false(any_layout(&v, &seen));
        pthread_barrier_wait(&j.end);
        pthread_join(thread, NULL);

        assert_non_null(f);
        flockfile(f);
        {
                const char *lock;

                memcpy(&lock, (const char *)f + 136, sizeof(lock)); /* _lock, on 64 bits */
                word_set((void *)(uintptr_t)lock, 0, 2);
                v = view_of(lock, 16, 0, 2);
                assert_true(any_layout(&v, &seen));
                assert_string_equal(seen.type, "stdio");
                assert_int_equal(seen.owner, gettid());
                v.read = read_nothing;
                assert_false(any_layout(&v, &seen));
                word_set((void *)(uintptr_t)lock, 0, 1);
        }
        funlockfile(f);
        fclose(f);
}

static void test_musl(void **state)
{
        /* type, lock, waiters, unused, unused, count, links */
        uint32_t m[10] = { 1, OWNER | FUTEX_WAITERS, 1, 0, 0, 0, 0x1000, 0, 0x1000, 0 };
        struct lock_view v;
        struct lock_seen seen;

        (void)state;
        if (ABI == ABI_UNKNOWN)
                skip();
        v = view_of(m, sizeof(m), 4, m[1]);
        assert_true(any_layout(&v, &seen));
        assert_string_equal(seen.layout, "musl mutex");
        assert_string_equal(seen.type, "recursive");
        assert_int_equal(seen.owner, OWNER);
        assert_true(seen.base == (uintptr_t)m);
        v.private = false;
        assert_false(any_layout(&v, &seen));
        m[0] = 0;
        m[1] = EBUSY | FUTEX_WAITERS;
        v = view_of(m, sizeof(m), 4, m[1]);
        assert_true(any_layout(&v, &seen));
        assert_int_equal(seen.owner, 0);
        m[1] = OWNER | FUTEX_WAITERS; /* a normal one has no TID */
        v = view_of(m, sizeof(m), 4, m[1]);
        assert_false(any_layout(&v, &seen));
        m[0] = 3;
        v = view_of(m, sizeof(m), 4, m[1]);
        assert_false(any_layout(&v, &seen));
}

/* What also waits on futexes, and what is there at random, is no lock with an owner. */
static void test_others(void **state)
{
        uint32_t noise[(LOCK_BEFORE + LOCK_BEHIND) / 4];
        uint64_t seed = 0x9e3779b97f4a7c15U;
        struct lock_seen seen;
        struct lock_view v;

        (void)state;
        memset(noise, 0, sizeof(noise));
        for (uint32_t waited = 0; waited < 8; waited++) {
                noise[LOCK_BEFORE / 4] = waited;
                v = view_of(noise, sizeof(noise), LOCK_BEFORE, waited);
                assert_false(any_layout(&v, &seen));
                v.private = false;
                assert_false(any_layout(&v, &seen));
        }
        /* A low-level lock of the C library: locked, waited for, and no more than a word. */
        noise[LOCK_BEFORE / 4] = 2;
        for (uint32_t behind = 0; behind < 16; behind++) {
                noise[LOCK_BEFORE / 4 + 2] = behind; /* where an owner would be */
                v = view_of(noise, sizeof(noise), LOCK_BEFORE, 2);
                assert_false(any_layout(&v, &seen));
        }
        for (int i = 0; i < 1000000; i++) {
                for (size_t k = 0; k < ARRAY_SIZE(noise); k++) {
                        seed = seed * 6364136223846793005U + 1442695040888963407U;
                        noise[k] = (uint32_t)(seed >> 33) & ((seed >> 60) & 1 ? 3 : 0xffff);
                }
                v = view_of(noise, sizeof(noise), LOCK_BEFORE, noise[LOCK_BEFORE / 4]);
                v.read = read_nothing;
                assert_false(lock_glibc_mutex(&v, &seen));
                assert_false(lock_glibc_rwlock(&v, &seen));
                assert_false(lock_musl_mutex(&v, &seen));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_glibc_mutexes),
                cmocka_unit_test(test_glibc_i386),
                cmocka_unit_test(test_glibc_rwlock),
                cmocka_unit_test(test_glibc_threads),
                cmocka_unit_test(test_musl),
                cmocka_unit_test(test_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
