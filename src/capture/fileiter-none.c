/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of fileiter.c where pwhy is built without it (-Dbpf=disabled). */
#include "capture/fileiter.h"

#include <errno.h>

int fileiter_new(struct fileiter **ret_iter)
{
        (void)ret_iter;
        return -ENOSYS;
}

void fileiter_free(struct fileiter *it)
{
        (void)it;
}

int fileiter_files(struct fileiter *it, pid_t pid,
        int (*each)(void *arg, const struct wire_file *f), void *arg)
{
        (void)it, (void)pid, (void)each, (void)arg;
        return -ENOSYS;
}

int fileiter_userfaults(
        struct fileiter *it, void (*each)(void *arg, const struct wire_userfault *u), void *arg)
{
        (void)it, (void)each, (void)arg;
        return -ENOSYS;
}
