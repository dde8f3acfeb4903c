/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of taskiter.c where pwhy is built without it (-Dbpf=disabled). */
#include "capture/taskiter.h"

#include <errno.h>

int taskiter_new(size_t slots, unsigned frames, unsigned kind, const struct taskiter_filter *filter,
        struct taskiter **ret_iter, const char **ret_why, const char **ret_remedy)
{
        (void)slots, (void)frames, (void)kind, (void)filter, (void)ret_iter;
        *ret_why = "pwhy was built without it";
        *ret_remedy = "build pwhy with clang, bpftool and the headers of libbpf installed";
        return -ENOSYS;
}

void taskiter_free(struct taskiter *it)
{
        (void)it;
}

size_t taskiter_fds(const struct taskiter *it, int ret[static TASKITER_FDS])
{
        (void)it, (void)ret;
        return 0;
}

int taskiter_pass(struct taskiter *it, const struct taskiter_scope *scope,
        int (*each)(void *arg, const struct wire_task *w), void *arg)
{
        (void)it, (void)scope, (void)each, (void)arg;
        return -ENOSYS;
}

void taskiter_set_until(struct taskiter *it, uint64_t exec_start_ns)
{
        (void)it, (void)exec_start_ns;
}

uint64_t taskiter_now_ns(const struct taskiter *it)
{
        (void)it;
        return 0;
}

size_t taskiter_met(const struct taskiter *it)
{
        (void)it;
        return 0;
}

size_t taskiter_same(const struct taskiter *it)
{
        (void)it;
        return 0;
}

uint32_t taskiter_pass_number(const struct taskiter *it)
{
        (void)it;
        return 0;
}

bool taskiter_is_foreign(const struct taskiter *it)
{
        (void)it;
        return false;
}

void taskiter_forget(struct taskiter *it)
{
        (void)it;
}

struct wire_slot *taskiter_slot(struct taskiter *it, pid_t tid)
{
        (void)it, (void)tid;
        return NULL;
}

struct wire_slot *taskiter_slot_make(struct taskiter *it, pid_t tid)
{
        (void)it, (void)tid;
        return NULL;
}

int taskiter_names(
        struct taskiter *it, const uint64_t *addresses, size_t n, const char *ret_texts[])
{
        (void)it, (void)addresses, (void)n, (void)ret_texts;
        return -ENOSYS;
}
