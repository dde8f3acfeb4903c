/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait on message queues and semaphore sets, System V's and POSIX's. */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

enum direction { RECEIVE, SEND };

struct message {
        long type;
        char text[1024];
};

static void sysv_msg(struct stage *st, int how)
{
        int id = (int)NEED(st, msgget(IPC_PRIVATE, 0600));
        struct message message = { .type = 1 };
        pid_t pid;

        stage_undo(st, UNDO_MSG, id, NULL, NULL);
        /* The kernel keeps who was there last. */
        MUST(msgsnd(id, &message, 1, 0));
        MUST(msgrcv(id, &message, 1, 0, 0));
        while (how == SEND && msgsnd(id, &message, sizeof(message.text), IPC_NOWAIT) == 0)
                ;
        pid = child_start(st);
        if (pid == 0) {
                if (how == SEND)
                        msgsnd(id, &message, sizeof(message.text), 0);
                else
                        msgrcv(id, &message, sizeof(message.text), 0, 0);
                child_end();
        }
        wait_call(st, pid, how == SEND ? SYS_msgsnd : SYS_msgrcv, -1);
        stage_ready(st, pid, pid, "id=%d last=%d", id, st->pid);
}

static void sysv_sem(struct stage *st, int how)
{
        int id = (int)NEED(st, semget(IPC_PRIVATE, 2, 0600));
        struct sembuf raise = { .sem_num = 1, .sem_op = 1 }, lower = { .sem_num = 1, .sem_op = -1 };
        pid_t pid;

        (void)how;
        stage_undo(st, UNDO_SEM, id, NULL, NULL);
        MUST(semop(id, &raise, 1));
        MUST(semop(id, &lower, 1));
        pid = child_start(st);
        if (pid == 0) {
                semop(id, &lower, 1);
                child_end();
        }
#ifdef SYS_semop
        wait_call(st, pid, SYS_semtimedop, SYS_semop, -1);
#else
        wait_call(st, pid, SYS_semtimedop, -1);
#endif
        stage_ready(st, pid, pid, "id=%d number=1 needed=1 last=%d", id, st->pid);
}

static void posix_mq(struct stage *st, int how)
{
        struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 64 };
        char name[64], buffer[64] = "";
        pid_t pid;
        mqd_t fd;

        snprintf(name, sizeof(name), "/pwhy-scene-%d", st->pid);
        fd = (mqd_t)NEED(st, mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr));
        stage_undo(st, UNDO_MQ, 0, name, NULL);
        for (int i = 0; how == SEND && i < attr.mq_maxmsg; i++)
                MUST(mq_send(fd, "x", 1, 0));
        pid = child_start(st);
        if (pid == 0) {
                if (how == SEND)
                        mq_send(fd, "x", 1, 0);
                else
                        mq_receive(fd, buffer, sizeof(buffer), NULL);
                child_end();
        }
        wait_call(st, pid, how == SEND ? SYS_mq_timedsend : SYS_mq_timedreceive, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s", (int)fd, name);
}

const struct scene scenes_ipc[] = {
        { "sysv-msgrcv", sysv_msg, RECEIVE, "msgrcv(2) from an empty queue" },
        { "sysv-msgsnd", sysv_msg, SEND, "msgsnd(2) to a full queue" },
        { "sysv-semop", sysv_sem, 0, "semop(2) on a semaphore at 0" },
        { "mq-receive", posix_mq, RECEIVE, "mq_receive(3) from an empty queue" },
        { "mq-send", posix_mq, SEND, "mq_send(3) to a full queue" },
        { NULL, NULL, 0, NULL },
};
