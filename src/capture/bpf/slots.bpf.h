/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reader knows already: for programs that have the map "slots" (struct wire_slot). */
#pragma once

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(map_flags, BPF_F_MMAPABLE);
        __uint(max_entries, 1024); /* the reader sets it before loading */
        __type(key, u32);
        __type(value, struct wire_slot);
} slots SEC(".maps");

/*
 * 1: the slot of this thread says that nothing has happened. On a CPU it does things without being
 * switched; on the queue it has been woken, and does not sleep any more.
 */
static int slot_is_right(struct task_struct *t, int tid, u32 pass, u32 mask)
{
        for (u32 i = 0; i < WIRE_PROBES; i++) {
                u32 key = ((u32)tid + i) & mask;
                struct wire_slot *s = bpf_map_lookup_elem(&slots, &key);

                /* Behind a place that was given up there may be more. */
                if (!s || s->tid != (u32)tid)
                        continue;
                if (s->start_ns != t->start_boottime)
                        return 0;
                s->pass = pass;
                return s->switches == t->nvcsw + t->nivcsw && !t->on_cpu && !t->on_rq;
        }
        return 0;
}
