/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait for a terminal: for somebody to type, to read, or to press ^Q. */
#include "scene.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

struct terminal {
        int master, slave;
        char path[64]; /* of the slave */
};

static void terminal_make(struct stage *st, struct terminal *ret_terminal)
{
        struct terminal t;

        t.master = (int)NEED(st, posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        MUST(grantpt(t.master));
        MUST(unlockpt(t.master));
        if (ptsname_r(t.master, t.path, sizeof(t.path)) != 0)
                stage_fail("ptsname_r");
        t.slave = (int)NEED(st, open(t.path, O_RDWR | O_NOCTTY | O_CLOEXEC));
        *ret_terminal = t;
}

static void tty_read(struct stage *st, int how)
{
        struct terminal t;
        pid_t pid;

        (void)how;
        terminal_make(st, &t);
        pid = child_start(st);
        if (pid == 0) {
                char line[80];

                close(t.master);
                (void)!read(t.slave, line, sizeof(line));
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s peer=%d", t.slave, t.path, st->pid);
}

static void tty_read_master(struct stage *st, int how)
{
        struct terminal t;
        pid_t pid;

        (void)how;
        terminal_make(st, &t);
        pid = child_start(st);
        if (pid == 0) {
                char line[80];

                close(t.slave);
                (void)!read(t.master, line, sizeof(line));
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d slave=%s peer=%d", t.master, t.path, st->pid);
}

enum stopped_by { FLOW_CONTROL, FULL };

static void tty_write(struct stage *st, int how)
{
        struct terminal t;
        pid_t pid;

        terminal_make(st, &t);
        if (how == FLOW_CONTROL)
                MUST(tcflow(t.slave, TCOOFF));
        else
                fd_fill(t.slave);
        pid = child_start(st);
        if (pid == 0) {
                close(t.master);
                /* What filled it is still on its way: more fits until all has arrived. */
                while (write(t.slave, "x", 1) == 1)
                        ;
                child_end();
        }
        wait_call(st, pid, SYS_write, -1);
        wait_settled(st, pid, 20);
        stage_ready(st, pid, pid, "fd=%d path=%s peer=%d", t.slave, t.path, st->pid);
}

/*
 * A job in the background that reads its terminal. The session's leader stays, in a group
 * of its own: in an orphaned group the read would fail instead.
 */
static void tty_stopped(struct stage *st, int how)
{
        struct terminal t;
        pid_t leader, pid;

        (void)how;
        terminal_make(st, &t);
        leader = child_start(st);
        if (leader == 0) {
                MUST(setsid());
                MUST(ioctl(t.slave, TIOCSCTTY, 0));
                pid = child_start(st);
                if (pid == 0) {
                        char byte;

                        MUST(setpgid(0, 0));
                        (void)!read(t.slave, &byte, 1);
                        child_end();
                }
                shared_set(st, 0, (uint64_t)pid);
                for (;;)
                        pause();
        }
        pid = (pid_t)shared_wait(st, 0);
        wait_state(st, pid, "T");
        stage_ready(st, pid, pid, "fd=%d path=%s leader=%d", t.slave, t.path, leader);
}

const struct scene scenes_tty[] = {
        { "tty-read", tty_read, 0, "read(2) from a terminal at which nobody types" },
        { "tty-read-master", tty_read_master, 0, "read(2) from a pty's master" },
        { "tty-write-stopped", tty_write, FLOW_CONTROL, "write(2), output stopped as by ^S" },
        { "tty-write-full", tty_write, FULL, "write(2), nobody reads the master" },
        { "tty-stopped", tty_stopped, 0, "a background job stopped by SIGTTIN" },
        { NULL, NULL, 0, NULL },
};
