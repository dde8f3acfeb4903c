/* SPDX-License-Identifier: GPL-2.0-or-later */
/* English for objects and sentences. */
#pragma once

#include <stddef.h>

struct arena;
struct object;
struct rule;
struct thread;

/* "0.0.0.0:1337 (TCP, fd 3)", "pipe 4711 (fd 0)"; NULL object: what the kind is called. */
const char *words_object(struct arena *a, const struct object *o, const char *kind);

/* "fd 3 is a listening TCP socket"; NULL when nothing is known. */
const char *words_evidence(struct arena *a, const struct object *o);

/*
 * A rule's sentence for a thread. Filled in: {object}, {peer} (the remote end, or the object),
 * {about} (the path of the call's object), {backlog} (of a sender), {child}, {children},
 * {parent}, {tracer}, {call}, {incall} (", in open", or nothing), {cpu}, {leaf}, {members},
 * {left} (" for another 4.2 s", or nothing),
 * {atmost} (", for at most another 4.2 s"), {whose} ("the lock of cron (12)"), {by} (" by cron
 * (12)", or nothing), {lock} and {keeper} of lockwords.h, {needed} (of a semaphore), {pending} (of
 * an io_uring), and those of place.h.
 */
const char *words_sentence(
        struct arena *a, const struct rule *rule, const struct thread *t, const struct object *o);
