/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects, system calls and stacks of the model as the contract spells them. */
#include "render/jsonout.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "model.h"
#include "resolve/syscall.h"

/* poll(2) and epoll(7) share the low bits; the high ones are epoll's alone. */
static const struct {
        uint32_t bit;
        const char *name;
} events[] = {
        { EPOLLIN, "in" },
        { EPOLLPRI, "pri" },
        { EPOLLOUT, "out" },
        { EPOLLERR, "err" },
        { EPOLLHUP, "hup" },
        { 0x20, "nval" },
        { EPOLLRDNORM, "rdnorm" },
        { EPOLLRDBAND, "rdband" },
        { EPOLLWRNORM, "wrnorm" },
        { EPOLLWRBAND, "wrband" },
        { EPOLLMSG, "msg" },
        { EPOLLRDHUP, "rdhup" },
        { EPOLLEXCLUSIVE, "exclusive" },
        { EPOLLWAKEUP, "wakeup" },
        { EPOLLONESHOT, "oneshot" },
        { EPOLLET, "et" },
};

static void json_events(struct jsonout *j, struct json_object *o, uint32_t bits)
{
        struct json_object *list = jsonout_list(j, o, "events");

        for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
                if (bits & events[i].bit)
                        jsonout_item_text(j, list, events[i].name, ESCAPE_NAME_MAX);
                bits &= ~events[i].bit;
        }
        if (bits != 0)
                jsonout_item_text(
                        j, list, arena_printf(j->scratch, "0x%" PRIx32, bits), ESCAPE_NAME_MAX);
}

static void json_socket(struct jsonout *j, struct json_object *o, const struct object *object)
{
        jsonout_text(j, o, "local", object->local, ESCAPE_ARG_MAX);
        jsonout_text(j, o, "remote", object->remote, ESCAPE_ARG_MAX);
        jsonout_text(j, o, "state", object->state, ESCAPE_NAME_MAX);
        jsonout_text(j, o, "type", object->type, ESCAPE_NAME_MAX);
        if (object->peer_inode != 0)
                jsonout_uint(j, o, "peer_inode", object->peer_inode);
        if (object->has_queues) {
                /* A listener's numbers count connections, not bytes. */
                bool listens = object->state && strcmp(object->state, "LISTEN") == 0;
                jsonout_uint(j, o, listens ? "queue" : "receive_queue", object->receive_queue);
                jsonout_uint(j, o, listens ? "queue_limit" : "send_queue", object->send_queue);
        }
        if (object->has_retransmits)
                jsonout_uint(j, o, "retransmits", object->retransmits);
}

/* System V objects, and the bytes that a lock is for. */
static void json_ipc(struct jsonout *j, struct json_object *o, const struct object *object)
{
        if (object->has_id)
                jsonout_int(j, o, "id", object->id);
        if (object->key != 0)
                jsonout_hex(j, o, "key", object->key);
        if (object->has_number)
                jsonout_uint(j, o, "number", object->number);
        if (object->has_needed)
                jsonout_uint(j, o, "needed", object->needed);
        if (!object->has_range)
                return;
        jsonout_int(j, o, "first_byte", object->range_start);
        if (object->range_end != INT64_MAX)
                jsonout_int(j, o, "last_byte", object->range_end);
}

/* An object without its members. */
static void json_plain(struct jsonout *j, struct json_object *o, const struct object *object)
{
        jsonout_text(j, o, "kind", object->kind, ESCAPE_NAME_MAX);
        if (object->fd >= 0)
                jsonout_int(j, o, "fd", object->fd);
        jsonout_text(j, o, "path", object->path, ESCAPE_ARG_MAX);
        if (object->inode != 0)
                jsonout_uint(j, o, "inode", object->inode);
        jsonout_text(j, o, "fs", object->fs, ESCAPE_NAME_MAX);
        jsonout_text(j, o, "source", object->source, ESCAPE_ARG_MAX);
        jsonout_text(j, o, "mount", object->mount, ESCAPE_ARG_MAX);
        jsonout_text(j, o, "device", object->device, ESCAPE_NAME_MAX);
        jsonout_text(j, o, "device_name", object->device_name, ESCAPE_NAME_MAX);
        if (object->has_address)
                jsonout_hex(j, o, "address", object->address);
        json_ipc(j, o, object);
        json_socket(j, o, object);
        if (object->has_deadline)
                jsonout_int(j, o, "deadline_ns", object->deadline_ns);
        if (object->has_word)
                jsonout_uint(j, o, "value", object->word);
        if (object->has_counter)
                jsonout_uint(j, o, "counter", object->counter);
        if (object->has_pending)
                jsonout_uint(j, o, "pending", object->pending);
        if (object->pid > 0)
                jsonout_int(j, o, "pid", object->pid);
        jsonout_text(j, o, "comm", object->comm, ESCAPE_NAME_MAX);
}

void jsonout_model_object(struct jsonout *j, struct json_object *o, const struct object *object)
{
        json_plain(j, o, object);
        if (object->n_members + object->n_members_hidden == 0)
                return;

        /* A member's own members are not followed: sets may contain each other. */
        struct json_object *list = jsonout_list(j, o, "members");
        for (size_t i = 0; i < object->n_members; i++) {
                const struct member *m = &object->members[i];
                struct json_object *item = jsonout_item(j, list);
                if (m->object)
                        json_plain(j, item, m->object);
                json_events(j, item, m->events);
        }
        if (object->n_members_hidden > 0)
                jsonout_uint(j, o, "members_left_out", object->n_members_hidden);
}

void jsonout_call(struct jsonout *j, struct json_object *o, const struct call *call)
{
        size_t n = call->desc ? strlen(call->desc->args) : ARRAY_SIZE(call->args);

        jsonout_int(j, o, "nr", call->nr);
        if (call->desc)
                jsonout_text(j, o, "name", call->desc->name, ESCAPE_NAME_MAX);
        struct json_object *list = jsonout_list(j, o, "args");
        for (size_t i = 0; i < n && i < ARRAY_SIZE(call->args); i++)
                jsonout_item_text(j, list, arena_printf(j->scratch, "0x%" PRIx64, call->args[i]),
                        ESCAPE_NAME_MAX);
}

void jsonout_stack(struct jsonout *j, struct json_object *list, const struct stack *stack)
{
        for (size_t i = 0; i < stack->n_frames; i++) {
                const struct frame *f = &stack->frames[i];
                struct json_object *o = jsonout_item(j, list);
                if (f->address != 0)
                        jsonout_hex(j, o, "address", f->address);
                jsonout_text(j, o, "symbol", f->symbol, ESCAPE_ARG_MAX);
                if (f->has_offset) {
                        jsonout_uint(j, o, "offset", f->offset);
                        if (f->size > 0)
                                jsonout_uint(j, o, "size", f->size);
                }
                jsonout_text(j, o, "module", f->module, ESCAPE_ARG_MAX);
                if (f->unreliable)
                        jsonout_bool(j, o, "unreliable", true);
        }
}

static void json_user_frame(struct jsonout *j, struct json_object *o, const struct user_frame *f)
{
        jsonout_hex(j, o, "address", f->address);
        jsonout_text(j, o, "symbol", f->symbol, ESCAPE_ARG_MAX);
        if (f->has_offset)
                jsonout_uint(j, o, "offset", f->offset);
        jsonout_text(j, o, "module", f->module, ESCAPE_ARG_MAX);
        if (f->has_module_address)
                jsonout_hex(j, o, "module_address", f->module_address);
        jsonout_text(j, o, "build_id", f->build_id, ESCAPE_NAME_MAX);
        jsonout_text(j, o, "source", f->source, ESCAPE_ARG_MAX);
        if (f->line > 0)
                jsonout_uint(j, o, "line", f->line);
        if (f->inlined)
                jsonout_bool(j, o, "inlined", true);
        if (f->signal)
                jsonout_bool(j, o, "signal", true);
        if (f->unreliable)
                jsonout_bool(j, o, "unreliable", true);
}

void jsonout_user_stack(struct jsonout *j, struct json_object *o, const struct user_stack *stack)
{
        struct json_object *list = jsonout_list(j, o, "user_stack");

        for (size_t i = 0; i < stack->n_frames; i++)
                json_user_frame(j, jsonout_item(j, list), &stack->frames[i]);
        if (stack->n_hidden > 0) {
                jsonout_uint(j, o, "user_stack_left_out", stack->n_hidden);
                jsonout_uint(j, o, "user_stack_left_out_after", stack->hidden_after);
        }
        jsonout_text(j, o, "user_stack_gap", stack->gap, ESCAPE_ARG_MAX);
}
