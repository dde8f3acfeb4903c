/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sentences are built in a bounded buffer: what comes from a target is bounded by what capture
 * kept, and cut here at what a sentence can bear. It is not escaped: that is the renderers'.
 */
#include "explain/words.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "explain/lockwords.h"
#include "explain/place.h"
#include "explain/rules.h"
#include "explain/when.h"
#include "explain/whose.h"
#include "model.h"
#include "resolve/syscall.h"

#define SENTENCE_MAX 1024
#define NAMED_MAX 3 /* children named */

struct line {
        char text[SENTENCE_MAX];
        size_t len;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *format, ...)
{
        size_t room = sizeof(l->text) - l->len;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(l->text + l->len, room, format, ap);
        va_end(ap);
        if (n > 0)
                l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static const struct kind_words {
        const char *kind;
        const char *noun;   /* "a pipe": when nothing identifies it */
        const char *prefix; /* before a path; NULL: none */
} kind_words[] = {
        { "tcp", "a TCP socket", NULL },
        { "udp", "a UDP socket", NULL },
        { "unix", "a unix socket", NULL },
        { "netlink", "a netlink socket", NULL },
        { "packet", "a packet socket", NULL },
        { "raw", "a raw socket", NULL },
        { "vsock", "a vsock socket", NULL },
        { "socket", "a socket", NULL },
        { "pipe", "a pipe", "pipe" },
        { "fifo", "a FIFO", "FIFO" },
        { "tty", "a terminal", "terminal" },
        { "file", "a file", NULL },
        { "directory", "a directory", NULL },
        { "block", "a block device", "block device" },
        { "chardev", "a device", "device" },
        { "epoll", "an epoll set", NULL },
        { "poll-set", "a set of file descriptors", NULL },
        { "io_uring", "an io_uring", NULL },
        { "eventfd", "an eventfd", NULL },
        { "timerfd", "a timerfd", NULL },
        { "signalfd", "a signalfd", NULL },
        { "inotify", "an inotify queue", NULL },
        { "fanotify", "a fanotify queue", NULL },
        { "userfaultfd", "a userfaultfd", NULL },
        { "seccomp", "a seccomp listener", NULL },
        { "futex", "a futex", "futex" },
        { "mutex", "a mutex", "mutex" },
        { "rwlock", "a read-write lock", "read-write lock" },
        { "condvar", "a condition", "condition" },
        { "semaphore", "a semaphore", "semaphore" },
        { "barrier", "a barrier", "barrier" },
        { "thread", "a thread", "thread" },
        { "process", "a process", "process" },
        { "flock", "a file", NULL },
        { "posix-lock", "a file", NULL },
        { "ofd-lock", "a file", NULL },
        { "lease", "a file", NULL },
        { "sysv-sem", "a System V semaphore", "System V semaphore set" },
        { "sysv-msg", "a System V message queue", "System V message queue" },
        { "posix-mq", "a POSIX message queue", "POSIX message queue" },
        { "cgroup", "a cgroup", "cgroup" },
};

static const struct kind_words *words_of(const char *kind)
{
        for (size_t i = 0; kind && i < ARRAY_SIZE(kind_words); i++) {
                size_t len = strlen(kind_words[i].kind);

                if (strncmp(kind, kind_words[i].kind, len) == 0 && !kind[len])
                        return &kind_words[i];
        }
        return NULL;
}

/* What all of a rule's kinds are, "pipe|fifo". */
static const char *noun_of_list(const char *kinds)
{
        static const struct {
                const char *kinds, *noun;
        } lists[] = {
                { "|pipe|fifo|", "a pipe" },
                { "|file|block|directory|", "a file" },
                { "|tcp|udp|unix|netlink|packet|raw|vsock|socket|", "a socket" },
        };

        if (!kinds || !strchr(kinds, '|'))
                return "something";
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                bool all = true;

                for (const char *p = kinds; *p && all; p += strcspn(p, "|"), p += *p == '|') {
                        const char *at =
                                memmem(lists[i].kinds, strlen(lists[i].kinds), p, strcspn(p, "|"));

                        all = at && at[-1] == '|' && at[strcspn(p, "|")] == '|';
                }
                if (all)
                        return lists[i].noun;
        }
        return "a socket or file";
}

static void add_noun(struct line *l, const char *kind)
{
        const struct kind_words *w = words_of(kind);

        add(l, "%s", w ? w->noun : noun_of_list(kind));
}

static bool is_socket(const struct object *o)
{
        return o->kind && (o->protocol || strcmp(o->kind, "socket") == 0);
}

/* "TCP, fd 3" or "unix stream socket, fd 3" */
static void add_socket_kind(struct line *l, const struct object *o)
{
        if (strcmp(o->kind, "unix") == 0)
                add(l, "unix%s%s socket", o->type ? " " : "", o->type ? o->type : "");
        else
                add(l, "%s", o->protocol ? o->protocol : "socket");
        if (o->fd >= 0)
                add(l, ", fd %d", o->fd);
}

static void add_socket(struct line *l, const struct object *o, const char *name)
{
        if (name && *name) {
                add(l, "%.300s (", name);
                add_socket_kind(l, o);
                add(l, ")");
                return;
        }
        if (strcmp(o->kind, "unix") == 0 && o->type)
                add(l, "a unix %s socket", o->type);
        else
                add_noun(l, o->kind);
        if (o->fd >= 0)
                add(l, " (fd %d)", o->fd);
}

/* "bytes 0–99 of "; a lock on the whole file is a lock on the file. */
static void add_range(struct line *l, const struct object *o)
{
        if (!o->has_range || (!o->range_start && o->range_end == INT64_MAX))
                return;
        if (o->range_end == INT64_MAX)
                add(l, "everything from byte %lld of ", (long long)o->range_start);
        else if (o->range_start == o->range_end)
                add(l, "byte %lld of ", (long long)o->range_start);
        else
                add(l, "bytes %lld–%lld of ", (long long)o->range_start, (long long)o->range_end);
}

/* "System V semaphore 3 of set 14", "System V message queue 5 (key 0x4711)" */
static void add_ipc(struct line *l, const struct object *o, const char *prefix)
{
        if (o->has_number)
                add(l, "System V semaphore %u of set %d", o->number, o->id);
        else
                add(l, "%s %d", prefix, o->id);
        if (o->key)
                add(l, " (key 0x%x)", o->key);
}

static void add_object(struct line *l, const struct object *o, const char *kind)
{
        const struct kind_words *w = words_of(o && o->kind ? o->kind : kind);

        if (!o) {
                add_noun(l, kind);
                return;
        }
        if (is_socket(o)) {
                add_socket(l, o, o->local);
                return;
        }
        add_range(l, o);
        if (o->has_id && w && w->prefix)
                add_ipc(l, o, w->prefix);
        else if (o->path)
                add(l, "%s%s%.300s", w && w->prefix ? w->prefix : "", w && w->prefix ? " " : "",
                        o->path);
        else if (o->has_address)
                add(l, "%s at 0x%llx", w && w->prefix ? w->prefix : "an address",
                        (unsigned long long)o->address);
        else if (o->group)
                add(l, "process group %d", (int)o->group);
        else if (o->pid)
                add(l, "%.64s (%d)", o->comm ? o->comm : "process", (int)o->pid);
        else if (o->inode && w && w->prefix)
                add(l, "%s %llu", w->prefix, (unsigned long long)o->inode);
        else if (o->fd >= 0 && !o->kind && !kind)
                add(l, "a file"); /* of which a log tells the number only */
        else if (o->fd >= 0 && o->kind && strcmp(o->kind, "process") == 0)
                add(l, "the process of a pidfd");
        else if (o->disarmed)
                add(l, "a timerfd that is not armed");
        else
                add_noun(l, o->kind ? o->kind : kind);
        if (o->fd >= 0)
                add(l, " (fd %d)", o->fd);
}

static void add_peer(struct line *l, const struct object *o, const char *kind)
{
        if (o && is_socket(o) && o->remote) {
                add_socket(l, o, o->remote);
                return;
        }
        if (o && is_socket(o) && o->local && *o->local) {
                add(l, "the peer of ");
                add_socket(l, o, o->local);
                return;
        }
        add(l, "the other end of ");
        add_object(l, o, kind);
}

const char *words_object(struct arena *a, const struct object *o, const char *kind)
{
        struct line l = { .len = 0 };

        add_object(&l, o, kind);
        return arena_share(a, l.text);
}

const char *words_evidence(struct arena *a, const struct object *o)
{
        struct line l = { .len = 0 };

        if (!o || !o->kind)
                return NULL;
        if (o->fd >= 0)
                add(&l, "fd %d is ", o->fd);
        if (is_socket(o)) {
                bool listening = o->state && strcmp(o->state, "LISTEN") == 0;

                if (listening)
                        add(&l, "a listening %s socket", o->protocol ? o->protocol : o->kind);
                else
                        add_noun(&l, o->kind);
                if (o->state && !listening)
                        add(&l, " in state %s", o->state);
                if (o->has_queues && !listening && (o->receive_queue || o->send_queue))
                        add(&l, ", %u bytes received, %u bytes not yet acknowledged",
                                o->receive_queue, o->send_queue);
                return arena_share(a, l.text);
        }
        if (strcmp(o->kind, "futex") == 0 && o->has_word) {
                add(&l, "futex at 0x%llx holds %u", (unsigned long long)o->address, o->word);
                return arena_share(a, l.text);
        }
        if (o->fd < 0)
                return NULL;
        add_noun(&l, o->kind);
        if (o->path)
                add(&l, ", %.300s", o->path);
        else if (o->inode)
                add(&l, ", inode %llu", (unsigned long long)o->inode);
        return arena_share(a, l.text);
}

static void add_owner(struct line *l, const char *comm, pid_t pid, const char *unknown)
{
        if (pid > 0)
                add(l, "%.64s (%d)", comm ? comm : "process", (int)pid);
        else
                add(l, "%s", unknown);
}

/* " to become at least 1", of a semaphore; or nothing */
static void add_needed(struct line *l, const struct object *o)
{
        if (o && o->has_needed)
                add(l, o->needed ? " to become at least %u" : " to become %u", o->needed);
}

static void add_children(struct line *l, const struct process *p)
{
        size_t n = p->n_children + p->n_children_hidden;

        if (!p->has_children || !n) {
                add(l, "a child process");
                return;
        }
        if (n > 1)
                add(l, "any of its %zu children: ", n);
        for (size_t i = 0; i < p->n_children && i < NAMED_MAX; i++) {
                add(l, "%s", i ? ", " : "");
                add_owner(l, p->children[i].comm, p->children[i].pid, "");
        }
        if (n > NAMED_MAX)
                add(l, " …");
}

static void add_members(struct line *l, const struct object *o)
{
        size_t n = o ? o->n_members + o->n_members_hidden : 0;

        if (!n) {
                add(l, "%s", o && !o->partial ? "an event" : "any of a set of file descriptors");
                return;
        }
        if (n > 1 || o->partial) {
                size_t disabled = 0;

                for (size_t i = 0; i < o->n_members; i++)
                        disabled += member_is_disabled(&o->members[i]);
                add(l, "any of %s%zu file descriptors", o->partial ? "more than " : "", n);
                if (disabled)
                        add(l, ", %s%zu of them disabled",
                                o->n_members_hidden || o->partial ? "at least " : "", disabled);
                return;
        }
        if (member_is_disabled(&o->members[0])) {
                add(l, "an event, though the only member, ");
                add_object(l, o->members[0].object, NULL);
                add(l, ", is disabled until epoll_ctl(2) arms it again");
                return;
        }
        bool in = o->members[0].events & POLLIN, out = o->members[0].events & POLLOUT;
        const struct object *only = o->members[0].object;

        if (in && only && only->kind && strcmp(only->kind, "process") == 0) {
                add_object(l, only, NULL);
                add(l, " to end");
                return;
        }
        add(l, "%s", in && !out ? "input " : out && !in ? "room " : "an event ");
        if (in && !out && only && only->remote) {
                add(l, "from ");
                add_peer(l, only, NULL);
                return;
        }
        add(l, out && !in ? "to write to " : "on ");
        add_object(l, only, NULL);
}

/* What a connection that cannot send is stuck with. */
static void add_backlog(struct line *l, const struct object *o)
{
        if (!o || !o->has_queues || !o->send_queue)
                return;
        add(l, " (%u bytes not yet acknowledged", o->send_queue);
        if (o->has_retransmits && o->retransmits)
                add(l, ", sent again %u times", o->retransmits);
        add(l, ")");
}

/* The deadline of a wait: of the call, or of what it waits on. */
static bool deadline_of(const struct thread *t, const struct object *o, int64_t *ret_ns)
{
        if (t->call.has_deadline)
                *ret_ns = t->call.deadline_ns;
        else if (o && o->has_deadline)
                *ret_ns = o->deadline_ns;
        else
                return false;
        return true;
}

static void add_left(struct line *l, const struct thread *t, const struct object *o, bool at_most)
{
        char text[DURATION_MAX];
        int64_t left;

        if (!deadline_of(t, o, &left))
                return;
        if (left <= 0)
                add(l, "%s", at_most ? "" : ", which is over about now");
        else
                add(l, "%s another %s", at_most ? ", for at most" : " for",
                        duration_format(text, left));
}

static bool word_is(const char *word, size_t len, const char *name)
{
        return strlen(name) == len && memcmp(word, name, len) == 0;
}

static void add_word(struct line *l, const char *word, size_t len, const struct rule *rule,
        const struct thread *t, const struct object *o)
{
        const char *kind = rule->made ? rule->made : rule->kinds;
        char place[PLACE_TEXT_MAX], lock[LOCKWORDS_MAX], whose[WHOSE_TEXT_MAX];
        bool known;
        const char *leaf;

        if (word_is(word, len, "object")) {
                add_object(l, o, kind);
        } else if (word_is(word, len, "peer")) {
                add_peer(l, o, kind);
        } else if (word_is(word, len, "backlog")) {
                add_backlog(l, o);
        } else if (word_is(word, len, "needed")) {
                add_needed(l, o);
        } else if (word_is(word, len, "members")) {
                add_members(l, o);
        } else if (word_is(word, len, "children")) {
                add_children(l, t->process);
        } else if (word_is(word, len, "child")) {
                add_owner(l, o ? o->comm : NULL, o ? o->pid : 0, "a child process");
        } else if (word_is(word, len, "parent")) {
                add_owner(l, t->process->parent_comm, t->process->ppid, "its parent");
        } else if (word_is(word, len, "tracer")) {
                add_owner(l, t->tracer_comm, t->tracer, "a tracer");
        } else if (word_is(word, len, "call")) {
                add(l, "%s", t->call.desc ? t->call.desc->name : "a system call");
        } else if (word_is(word, len, "pending")) {
                if (o && o->has_pending && o->pending)
                        add(l, ", %u request%s pending", o->pending, o->pending > 1 ? "s" : "");
                if (o && o->requests)
                        add(l, ", waiting for files: %s", o->requests);
        } else if (word_is(word, len, "about")) {
                if (t->call.object && t->call.object->path)
                        add(l, "%.300s", t->call.object->path);
                else
                        add(l, "another's, perhaps");
        } else if (word_is(word, len, "incall")) {
                if (t->call.state == CALL_INSIDE && t->call.desc)
                        add(l, ", in %s", t->call.desc->name);
        } else if (word_is(word, len, "lock")) {
                lockwords_lock(t, o, lock);
                add(l, "%s", lock);
        } else if (word_is(word, len, "keeper")) {
                lockwords_held(t, o, lock);
                add(l, "%s", lock);
        } else if (word_is(word, len, "leaf")) {
                leaf = thread_leaf(t, &known);
                add(l, "%.128s", leaf ? leaf : "the kernel");
        } else if (word_is(word, len, "cpu")) {
                if (t->cpu >= 0)
                        add(l, "CPU %d", t->cpu);
                else
                        add(l, "a CPU");
        } else if (word_is(word, len, "left")) {
                add_left(l, t, o, false);
        } else if (word_is(word, len, "atmost")) {
                add_left(l, t, o, true);
        } else if (whose_word(word, len, t, o, whose)) {
                add(l, "%s", whose);
        } else if (place_word(word, len, o, place)) {
                add(l, "%s", place);
        }
}

const char *words_sentence(
        struct arena *a, const struct rule *rule, const struct thread *t, const struct object *o)
{
        struct line l = { .len = 0 };
        const char *p = rule->text;

        while (*p) {
                const char *open = strchr(p, '{'), *close = open ? strchr(open, '}') : NULL;

                if (!close) {
                        add(&l, "%s", p);
                        break;
                }
                add(&l, "%.*s", (int)(open - p), p);
                add_word(&l, open + 1, (size_t)(close - open - 1), rule, t, o);
                p = close + 1;
        }
        return arena_share(a, l.text);
}
