/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building a query: every setter checks what it is given, so that taking a snapshot need not. */
#include "query.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pwhy.h"

#define TIMEOUT_DEFAULT_NS (2 * NS_PER_S)
#define PROFILE_DEFAULT_NS (20 * NS_PER_MS)
#define PROFILE_MAX_NS (10 * NS_PER_S)
#define USER_LEN_FIRST ((size_t)1 << 10)
#define USER_LEN_MAX ((size_t)1 << 20)

int pwhy_query_new(struct pwhy_query **ret_query)
{
        struct pwhy_query *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        q->timeout_ns = TIMEOUT_DEFAULT_NS;
        q->profile_ns = PROFILE_DEFAULT_NS;
        *ret_query = q;
        return 0;
}

void pwhy_query_free(struct pwhy_query *query)
{
        if (!query)
                return;
        for (size_t i = 0; i < query->n_targets; i++)
                free(query->targets[i]);
        free(query->targets);
        free(query->filter.cgroup);
        free(query->proc);
        free(query);
}

static int replace(char **s, const char *value)
{
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*s);
        *s = copy;
        return 0;
}

int pwhy_query_set_proc(struct pwhy_query *query, const char *directory)
{
        return replace(&query->proc, directory);
}

int pwhy_query_add_target(struct pwhy_query *query, const char *target)
{
        char **targets, *copy;

        if (!*target)
                return -EINVAL;
        targets = reallocarray(query->targets, query->n_targets + 1, sizeof(*targets));
        if (!targets)
                return -ENOMEM;
        query->targets = targets;
        copy = strdup(target);
        if (!copy)
                return -ENOMEM;
        targets[query->n_targets++] = copy;
        return 0;
}

void pwhy_query_set_all(struct pwhy_query *query, bool all)
{
        query->all = all;
}

void pwhy_query_set_idle(struct pwhy_query *query, bool idle)
{
        query->idle = idle;
}

int pwhy_query_set_states(struct pwhy_query *query, const char *states)
{
        if (!*states || strlen(states) >= sizeof(query->filter.states) ||
                strspn(states, "RSDTtZXIP") != strlen(states))
                return -EINVAL;
        strcpy(query->filter.states, states);
        return 0;
}

/* getpwnam(3) keeps its answer in one place for all threads of the program. */
static int user_find(const char *user, uid_t *ret_uid)
{
        struct passwd pw, *found = NULL;
        size_t size = USER_LEN_FIRST;
        int r;

        do {
                _cleanup_free_ char *buffer = malloc(size *= 2);
                if (!buffer)
                        return -ENOMEM;
                r = getpwnam_r(user, &pw, buffer, size, &found);
        } while (r == ERANGE && size < USER_LEN_MAX);
        if (!found)
                return r == ENOMEM ? -ENOMEM : -ENOENT;
        *ret_uid = pw.pw_uid;
        return 0;
}

int pwhy_query_set_user(struct pwhy_query *query, const char *user)
{
        char *end;
        unsigned long uid;

        errno = 0;
        uid = strtoul(user, &end, 10);
        if (*user >= '0' && *user <= '9' && !*end && !errno && uid < UINT32_MAX) {
                query->filter.uid = (uid_t)uid;
        } else {
                int r = user_find(user, &query->filter.uid);
                if (r < 0)
                        return r;
        }
        query->filter.has_uid = true;
        return 0;
}

int pwhy_query_set_cgroup(struct pwhy_query *query, const char *cgroup)
{
        size_t len = strlen(cgroup);
        int r;

        if (*cgroup != '/')
                return -EINVAL;
        r = replace(&query->filter.cgroup, cgroup);
        if (r == 0 && len > 1 && cgroup[len - 1] == '/')
                query->filter.cgroup[len - 1] = 0;
        return r;
}

int pwhy_query_add_reason(struct pwhy_query *query, const char *reason)
{
        enum reason r;

        if (!reason_from_name(reason, &r))
                return -EINVAL;
        query->reasons[r] = true;
        query->has_reasons = true;
        return 0;
}

void pwhy_query_set_blocked_for(struct pwhy_query *query, int64_t ns)
{
        query->blocked_for_ns = ns;
}

void pwhy_query_set_brief(struct pwhy_query *query, bool brief)
{
        query->brief = brief;
}

void pwhy_query_set_waiters(struct pwhy_query *query, bool waiters)
{
        query->waiters = waiters;
}

bool query_takes_all(const struct pwhy_query *q)
{
        const struct filter *f = &q->filter;

        return q->all || (q->waiters && q->n_targets && !*f->states && !f->has_uid && !f->cgroup);
}

void pwhy_query_set_deadlocked(struct pwhy_query *query, bool deadlocked)
{
        query->deadlocked = deadlocked;
}

void pwhy_query_set_timeout(struct pwhy_query *query, int64_t ns)
{
        query->timeout_ns = ns;
}

void pwhy_query_set_raw(struct pwhy_query *query, bool raw, bool main_thread)
{
        query->raw = raw;
        query->main_thread = main_thread;
}

void pwhy_query_set_stacks(struct pwhy_query *query, bool kernel, bool user)
{
        query->no_kernel = !kernel;
        query->no_user = !user;
}

int pwhy_query_set_profile(struct pwhy_query *query, int64_t ns)
{
        if (ns < 0 || ns > PROFILE_MAX_NS)
                return -ERANGE;
        query->profile_ns = ns;
        return 0;
}

int pwhy_query_set_source(struct pwhy_query *query, const char *source)
{
        static const char *const names[] = {
                [QUERY_SOURCE_ANY] = "auto",
                [QUERY_SOURCE_PROC] = "proc",
                [QUERY_SOURCE_BPF] = "bpf",
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strcmp(names[i], source) == 0) {
                        query->source = (enum query_source)i;
                        return 0;
                }
        return -EINVAL;
}

int pwhy_duration(const char *text, int64_t *ret_ns)
{
        return duration_parse(text, ret_ns);
}
