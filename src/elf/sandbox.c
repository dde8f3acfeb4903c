/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order matters: limits while they may be set, then user and capabilities, then the filter,
 * which allows none of this any more.
 */
#include "elf/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>
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
        cap_t none = cap_init();
        int r = none && cap_set_proc(none) == 0 ? 0 : -errno;

        cap_free(none);
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        return r;
}

static void bounding_drop(void)
{
        for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
                prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* EPERM: has none to lose */
}

/* What libelf, libdw, liblzma and malloc call once a file is open, and the conversation. */
static const int allowed[] = {
        SCMP_SYS(brk),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(close),
        SCMP_SYS(exit_group),
        SCMP_SYS(fstat),
        SCMP_SYS(futex),
        SCMP_SYS(getrandom), /* malloc's first heap that is not the main one */
        SCMP_SYS(lseek),
        SCMP_SYS(madvise),
        SCMP_SYS(mremap),
        SCMP_SYS(munmap),
        SCMP_SYS(pread64),
        SCMP_SYS(read),
        SCMP_SYS(recvmsg),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sendmsg),
};

/* Asked for in passing; the answer "no" is as good: a file's mode and path, the size of memory. */
static const int refused[] = {
        SCMP_SYS(fcntl),
        SCMP_SYS(readlink),
        SCMP_SYS(readlinkat),
        SCMP_SYS(sysinfo),
};

static int filter_load(void)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = filter ? 0 : -ENOMEM;

        for (size_t i = 0; i < ARRAY_SIZE(allowed) && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
        for (size_t i = 0; i < ARRAY_SIZE(refused) && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
        /* Memory, but none that can be run, and no file that others see. */
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                        SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED | MAP_PRIVATE, MAP_PRIVATE));
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        /* fstat() of glibc since 2.33 on some machines: of a descriptor, not of a path. */
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                        SCMP_A3(SCMP_CMP_MASKED_EQ, 0x1000 /* AT_EMPTY_PATH */, 0x1000));
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
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
