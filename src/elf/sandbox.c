/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order matters: limits while they may be set, then user and capabilities, then the filter,
 * which allows none of this any more.
 *
 * Neither libcap nor libseccomp: what is needed of them is one call and one table, and to load
 * them, and to make that table anew at every start, took longer than a stack takes to name.
 */
#include "elf/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/wire.h"

#define NOBODY 65534
#define MEMORY_MAX (1ULL << 30)     /* of its own: heap and private mappings */
#define ADDRESSES_MAX (64ULL << 30) /* with mapped files, which cost nothing until read */
#define CPU_SECONDS_MAX 60
#define FILES_MAX 8192

/* AddressSanitizer wants terabytes of addresses and many more calls: no limits and no filter. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static int limit(int resource, rlim_t to)
{
        struct rlimit r;

        if (getrlimit(resource, &r) < 0)
                return -errno;
        if (to > r.rlim_max)
                to = r.rlim_max;
        r = (struct rlimit){ to, to };
        return setrlimit(resource, &r) < 0 ? -errno : 0;
}

static int limits_set(void)
{
        static const struct {
                int resource;
                rlim_t to;
        } limits[] = {
                { RLIMIT_DATA, MEMORY_MAX },
                { RLIMIT_AS, ADDRESSES_MAX },
                { RLIMIT_CPU, CPU_SECONDS_MAX },
                { RLIMIT_NOFILE, FILES_MAX },
                { RLIMIT_FSIZE, 0 },
                { RLIMIT_CORE, 0 },
                { RLIMIT_MEMLOCK, 0 },
                { RLIMIT_STACK, 8 << 20 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                int r = limit(limits[i].resource, limits[i].to);

                if (r < 0)
                        return r;
        }
        return 0;
}

/*
 * Another user than any who could be looked at, if that may be had: a user namespace need not
 * know nobody (EINVAL), and who is not root stays who he is. What remains has no capability and
 * cannot make a call that asks for the user.
 */
static bool user_drop(void)
{
        if (geteuid() != 0)
                return false;
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0)
                return false;
        return setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static int capabilities_drop(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
        int r = syscall(SYS_capset, &header, none) < 0 ? -errno : 0;

        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        return r;
}

static void bounding_drop(void)
{
        for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
                prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* EPERM: has none to lose */
}

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#else
#define MACHINE 0 /* is no machine's: every call ends the helper, and it is not used */
#endif

/* Little-endian: the lower half of an argument comes first. */
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARGUMENT(i) LOAD(args[i])
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
/* One more instruction if it is equal, else behind that. */
#define IF_EQUAL(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)
#define CALL(name, action) IF_EQUAL(SYS_##name), RETURN(action)
#define ALLOW(name) CALL(name, SECCOMP_RET_ALLOW)
/* Asked for in passing; the answer "no" is as good: a file's mode and path, the size of memory. */
#define REFUSE(name) CALL(name, SECCOMP_RET_ERRNO | EACCES)
/* Behind so many instructions if it is another call. */
#define UNLESS_CALL(name, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, n)
#define MASK(bits) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits)
#define KILL RETURN(SECCOMP_RET_KILL_PROCESS)

/* What libelf, libdw, liblzma and malloc call once a file is open, and the conversation. */
static const struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0),
        KILL,
        LOAD(nr), /* of x32, whose numbers have a bit of their own: none is among these */
        ALLOW(recvmsg),
        ALLOW(sendmsg),
        ALLOW(brk),
        ALLOW(clock_gettime),
        ALLOW(close),
        ALLOW(exit_group),
        ALLOW(fstat),
        ALLOW(futex),
        ALLOW(getrandom), /* malloc's first heap that is not the main one */
        ALLOW(lseek),
        ALLOW(madvise),
        ALLOW(mremap),
        ALLOW(munmap),
        ALLOW(pread64),
        ALLOW(read),
        ALLOW(rt_sigreturn),
        REFUSE(fcntl),
#ifdef SYS_readlink
        REFUSE(readlink),
#endif
        REFUSE(readlinkat),
        REFUSE(sysinfo),
        /* Memory, but none that can be run, and no file that others see. */
        UNLESS_CALL(mmap, 8),
        LOAD_ARGUMENT(2),
        MASK(PROT_EXEC),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
        LOAD_ARGUMENT(3),
        MASK(MAP_SHARED | MAP_PRIVATE),
        IF_EQUAL(MAP_PRIVATE),
        RETURN(SECCOMP_RET_ALLOW),
        KILL,
        UNLESS_CALL(mprotect, 5),
        LOAD_ARGUMENT(2),
        MASK(PROT_EXEC),
        IF_EQUAL(0),
        RETURN(SECCOMP_RET_ALLOW),
        KILL,
        /* fstat() of glibc since 2.33 on some machines: of a descriptor, not of a path. */
        UNLESS_CALL(newfstatat, 4),
        LOAD_ARGUMENT(3),
        MASK(AT_EMPTY_PATH),
        IF_EQUAL(AT_EMPTY_PATH),
        RETURN(SECCOMP_RET_ALLOW),
        KILL,
};

static int filter_load(void)
{
        const struct sock_fprog program = { ARRAY_SIZE(filter), (struct sock_filter *)filter };

        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}

int sandbox_enter(pid_t parent)
{
        int did = 0, r;

        if (!SANITIZED) {
                r = limits_set();
                if (r < 0)
                        return r;
                did |= WIRE_SANDBOX_LIMITS;
        }
        bounding_drop();
        if (user_drop())
                did |= WIRE_SANDBOX_USER;
        r = capabilities_drop();
        if (r < 0)
                return r;
        did |= WIRE_SANDBOX_CAPS;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        /* A change of user forgets it (kernel/cred.c, commit_creds()): so here, and not before. */
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
                return -ESRCH;
        if (!SANITIZED) {
                r = filter_load();
                if (r < 0)
                        return r;
                did |= WIRE_SANDBOX_SECCOMP;
        }
        return did;
}
