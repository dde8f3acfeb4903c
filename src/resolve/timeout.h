/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timeouts of system calls: as passed, and what is left of them. */
#pragma once

struct call;
struct resolver;
struct snapshot;

/* From the argument that has a letter of time, and what the call's man page says of it. */
void timeout_resolve(struct resolver *r, struct call *c);

/* Once clocks and times of sleep are known: the time left of each. */
void timeout_deadlines(struct snapshot *s);
