/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init of a virtual machine. Reads /plan, a verb and its words a line, and switches the
 * machine off at its end:
 *
 *   mount SOURCE TARGET TYPE OPTIONS    module FILE        write FILE TEXT
 *   loopback                            port NAME          command NAME PROGRAM ARG…
 *   part NAME                           options PWHY-OPTION…
 *   scene NAME WANTED…                  identity SCENE…
 *   as UID VERB …                       the verb as that user
 *   without CAPABILITY VERB …           the verb as root, lacking a capability (its number)
 *
 * Until "port", the console hears of errors; from then on, the host does (see wire.c), and of
 * what is done: the kernel's release first, and each line before it is run.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 256

struct verb {
        const char *name;
        int words; /* at least, after the verb */
        void (*run)(char **words);
};

static void words_run(char **words);

/* Directories above may be missing, too: an initramfs begins with nothing. */
static void directory_make(const char *path)
{
        char part[256];

        for (const char *p = path; (p = strchr(p + 1, '/'));) {
                snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
                mkdir(part, 0755);
        }
        mkdir(path, 0755);
}

/* Not each kernel has each controller in a hierarchy of its own; what needs one says so. */
static void verb_mount(char **w)
{
        directory_make(w[1]);
        if (mount(w[0], w[1], w[2], 0, strcmp(w[3], "-") == 0 ? NULL : w[3]) < 0 &&
                (strcmp(w[2], "cgroup") != 0 || errno != EINVAL))
                record_error("mount %s: %m", w[1]);
}

static void verb_module(char **w)
{
        int fd = open(w[0], O_RDONLY | O_CLOEXEC);

        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
                record_error("module %s: %m", w[0]);
        if (fd >= 0)
                close(fd);
}

static void verb_write(char **w)
{
        int fd = open(w[0], O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, w[1], strlen(w[1])) < 0)
                record_error("write %s: %m", w[0]);
        if (fd >= 0)
                close(fd);
}

static void verb_loopback(char **w)
{
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)w;
        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                record_error("loopback: %m");
        if (fd >= 0)
                close(fd);
}

static void verb_port(char **w)
{
        uint64_t limit_ns = now_ns() + SECONDS_MAX * 1000000000ULL;
        struct utsname kernel = { 0 };

        /* The host tells of its ports after the driver is there. */
        while (!record_open(w[0]) && now_ns() < limit_ns)
                usleep(10000);
        uname(&kernel);
        record("release", kernel.release, strlen(kernel.release));
}

static void verb_command(char **w)
{
        command_record(w[0], w + 1);
}

static void verb_part(char **w)
{
        record("part", w[0], strlen(w[0]));
}

static void verb_scene(char **w)
{
        scene_record(w[0], w + 1);
}

static void verb_as(char **w)
{
        unsigned uid = (unsigned)strtoul(w[0], NULL, 10);
        pid_t pid = fork();

        if (pid == 0) {
                if (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0)
                        record_error("as %u: %m", uid);
                else
                        words_run(w + 1);
                _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/* Off the bounding set, so that the programs it runs do not get it back. */
static bool capability_drop(unsigned capability)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        if (prctl(PR_CAPBSET_DROP, capability) < 0 || syscall(SYS_capget, &header, data) < 0)
                return false;
        data[capability / 32].permitted &= ~(1U << capability % 32);
        data[capability / 32].effective &= ~(1U << capability % 32);
        data[capability / 32].inheritable &= ~(1U << capability % 32);
        return syscall(SYS_capset, &header, data) == 0;
}

static void verb_without(char **w)
{
        unsigned capability = (unsigned)strtoul(w[0], NULL, 10);
        pid_t pid = fork();

        if (pid == 0) {
                if (capability > CAP_LAST_CAP || !capability_drop(capability))
                        record_error("without %u: %m", capability);
                else
                        words_run(w + 1);
                _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static const struct verb verbs[] = {
        { "mount", 4, verb_mount },
        { "module", 1, verb_module },
        { "write", 2, verb_write },
        { "loopback", 0, verb_loopback },
        { "port", 1, verb_port },
        { "command", 2, verb_command },
        { "part", 1, verb_part },
        { "options", 0, pwhy_options_set },
        { "scene", 1, verb_scene },
        { "identity", 0, identity_record },
        { "as", 2, verb_as },
        { "without", 2, verb_without },
};

/* words: a verb and what belongs to it, ended by NULL. */
static void words_run(char **words)
{
        int n = 0;

        while (words[n])
                n++;
        for (size_t i = 0; n > 0 && i < sizeof(verbs) / sizeof(*verbs); i++) {
                if (strcmp(verbs[i].name, words[0]) != 0 || n <= verbs[i].words)
                        continue;
                verbs[i].run(words + 1);
                return;
        }
        if (n > 0)
                record_error("plan: %s: no such verb, or too few words", words[0]);
}

static void line_run(char *line)
{
        char *words[WORDS_MAX + 1];
        int n = 0;

        record("doing", line, strlen(line));
        for (char *w = strtok(line, " \n"); w && n < WORDS_MAX; w = strtok(NULL, " \n"))
                words[n++] = w;
        words[n] = NULL;
        words_run(words);
        /* What lost its parent is init's to reap. */
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
}

int main(void)
{
        struct bytes plan = { 0 };
        char *rest, *line;

        umask(022);
        setenv("PATH", "/bin", 1);
        if (bytes_read(&plan, "/plan") && plan.data)
                for (line = strtok_r(plan.data, "\n", &rest); line;
                        line = strtok_r(NULL, "\n", &rest))
                        line_run(line);
        record("done", "", 0);
        sync();
        reboot(RB_POWER_OFF);
        return 1;
}
