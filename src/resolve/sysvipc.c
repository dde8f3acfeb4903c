/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys and numbers from /proc/sysvipc; values of semaphores by semctl(2), which only reads.
 * Which semaphore of several is waited for follows from the values, in the order of the
 * operations, as perform_atomic_semop() goes (ipc/sem.c).
 */
#include "resolve/sysvipc.h"

#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/call.h"
#include "resolve/children.h"
#include "resolve/resolver.h"
#include "resolve/ns.h"
#include "resolve/syscall.h"

#define SEMBUFS_MAX 16
#define NOTE_LEN 256

struct ipc_row { /* of /proc/sysvipc/sem or msg */
        uint32_t key;
        unsigned long bytes, messages; /* of a queue */
        pid_t sender, receiver;        /* the last ones */
};

struct operation { /* struct sembuf */
        uint16_t number;
        int16_t change;
};

/* Is what we see at /proc/sysvipc and by semctl(2) what the thread sees? */
static bool namespace_is_ours(struct resolver *r)
{
        uint64_t theirs;

        if (!procio_live(resolver_io(r))) /* recorded with the process */
                return true;
        theirs = ns_thread(r, NS_IPC);
        return theirs && theirs == ns_own(r, NS_IPC);
}

/*
 *        key      msqid perms      cbytes       qnum lspid lrpid …
 *          0          5   600        1024          1  4242     0 …
 * In sysvipc/sem the first three are the same.
 */
static bool row_find(struct resolver *r, const char *table, int id, struct ipc_row *ret)
{
        struct procio *io = resolver_io(r);
        const char *text;

        if (procio_read(io, procio_root(io), table, 0, HANG_NONE, &text) <= 0)
                return false;
        for (const char *line = strchr(text, '\n'); line && *++line; line = strchr(line, '\n')) {
                struct ipc_row row = { .key = 0 };
                int key, number, sender = 0, receiver = 0;

                if (sscanf(line, "%d %d %*o %lu %lu %d %d", &key, &number, &row.bytes,
                            &row.messages, &sender, &receiver) < 2 ||
                        number != id)
                        continue;
                row.key = (uint32_t)key;
                row.sender = sender;
                row.receiver = receiver;
                *ret = row;
                return true;
        }
        return false;
}

static void note_add(char note[static NOTE_LEN], const char *text)
{
        size_t len = strlen(note);

        snprintf(note + len, NOTE_LEN - len, "%s", text);
}

static void note_add_process(
        struct resolver *r, char note[static NOTE_LEN], const char *what, pid_t pid)
{
        char text[128];
        const char *comm;

        if (pid <= 0)
                return;
        comm = children_comm(r, pid);
        snprintf(text, sizeof(text), ", last %s by %.64s (%d)", what,
                comm ? comm : "a process that is gone", (int)pid);
        note_add(note, text);
}

static void queue_look(struct resolver *r, struct object *o)
{
        char note[NOTE_LEN];
        struct ipc_row row;

        if (!row_find(r, "sysvipc/msg", o->id, &row))
                return;
        o->key = row.key;
        snprintf(note, sizeof(note), "queue %d holds %lu message%s, %lu bytes", o->id, row.messages,
                row.messages == 1 ? "" : "s", row.bytes);
        note_add_process(r, note, "sent to", row.sender);
        note_add_process(r, note, "received from", row.receiver);
        o->note = arena_str(resolver_snapshot(r)->arena, note);
}

static size_t operations_read(const struct call *c, struct operation ret[static SEMBUFS_MAX])
{
        int arg = syscall_arg(c->desc, 'B', 0);
        const struct call_memory *m = arg < 0 ? NULL : &c->memory[arg];
        size_t n = 0;

        if (!m || !m->bytes || arg > 4)
                return 0;
        while (n < SEMBUFS_MAX && (n + 1) * 6 <= m->len) {
                memcpy(&ret[n].number, (const char *)m->bytes + n * 6, 2);
                memcpy(&ret[n].change, (const char *)m->bytes + n * 6 + 2, 2);
                n++;
        }
        /* Of more than were read, the one that blocks may be any. */
        return n == (uint32_t)c->args[arg + 1] ? n : 0;
}

/*
 * The first operation that the values do not allow; of a single one, it must be that. A
 * semaphore is worked on several times where the array has it several times.
 */
static const struct operation *operation_blocked(
        const struct operation *ops, size_t n, int id, bool values, int *ret_before)
{
        int before = 0;

        for (size_t i = 0; i < n; i++) {
                int value = values ? semctl(id, ops[i].number, GETVAL) : -1;

                before = 0;
                for (size_t k = 0; k < i; k++)
                        if (ops[k].number == ops[i].number)
                                before += ops[k].change;
                *ret_before = before;
                if (n == 1)
                        return &ops[i];
                if (value < 0)
                        return NULL;
                if (ops[i].change == 0 ? value + before != 0 : value + before + ops[i].change < 0)
                        return &ops[i];
        }
        return NULL;
}

static void semaphore_note(struct resolver *r, struct object *o)
{
        int value = semctl(o->id, o->number, GETVAL), waiters;
        char note[NOTE_LEN], more[64];

        if (value < 0)
                return;
        snprintf(note, sizeof(note), "semaphore %u of set %d is %d", o->number, o->id, value);
        note_add_process(r, note, "changed", semctl(o->id, o->number, GETPID));
        waiters = semctl(o->id, o->number, o->needed ? GETNCNT : GETZCNT);
        if (waiters > 1) {
                snprintf(more, sizeof(more), ", %d threads wait for it", waiters);
                note_add(note, more);
        }
        o->note = arena_str(resolver_snapshot(r)->arena, note);
}

static void set_look(struct resolver *r, const struct call *c, struct object *o, bool ours)
{
        bool values = ours && procio_live(resolver_io(r));
        struct operation ops[SEMBUFS_MAX];
        const struct operation *blocked;
        struct ipc_row row;
        int before;

        if (ours && row_find(r, "sysvipc/sem", o->id, &row))
                o->key = row.key;
        blocked = operation_blocked(ops, operations_read(c, ops), o->id, values, &before);
        if (!blocked)
                return;
        o->has_number = true;
        o->number = blocked->number;
        if (blocked->change <= 0 && before + blocked->change <= 0 && (blocked->change || !before)) {
                o->has_needed = true;
                o->needed = (uint16_t) - (before + blocked->change);
        }
        if (values)
                semaphore_note(r, o);
}

/* The i386 call behind which all others are: ipc(call, first, …). */
static const char *ipc_kind(const struct call *c, int *ret_id)
{
        static const char sem[] = "sysv-sem", msg[] = "sysv-msg";

        *ret_id = (int)c->args[0];
        if (call_is(c, "semop|semtimedop|semtimedop_time64"))
                return sem;
        if (call_is(c, "msgsnd|msgrcv"))
                return msg;
        if (!call_is(c, "ipc"))
                return NULL;
        *ret_id = (int)c->args[1];
        switch (c->args[0] & 0xffff) { /* the upper half is a version */
        case 1:                        /* SEMOP */
        case 4:                        /* SEMTIMEDOP */
                return sem;
        case 11: /* MSGSND */
        case 12: /* MSGRCV */
                return msg;
        default:
                return NULL;
        }
}

void sysvipc_resolve(struct resolver *r, struct thread *t)
{
        struct call *c = &t->call;
        const char *kind;
        struct object *o;
        bool ours;
        int id;

        kind = c->state == CALL_INSIDE && c->desc ? ipc_kind(c, &id) : NULL;
        o = kind ? arena_new_one(resolver_snapshot(r)->arena, struct object) : NULL;
        if (!o)
                return;
        o->fd = -1;
        o->kind = kind;
        o->has_id = true;
        o->id = id;
        ours = namespace_is_ours(r);
        if (strcmp(kind, "sysv-sem") == 0)
                set_look(r, c, o, ours);
        else if (ours)
                queue_look(r, o);
        c->object = o;
}
