/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The distinct chains of addresses of a process, and the stacks with names that are made of them:
 * threads that are in the same place share one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct chain;
struct chains;
struct process;
struct space;
struct user_stack;
struct walk;
struct watch;

int chains_new(struct arena *arena, struct chains **ret_chains);
void chains_free(struct chains *c);

/*
 * The chain that a walk has found; the same for the same. end_text: instead of what the walk
 * says of its end; constant, or NULL. Returns its number, from 0, or -ENOMEM.
 */
int chains_add(struct chains *c, struct space *s, const struct walk *w, const char *end_text);

/* Stacks of all chains, with names. dir: the process's; -1: it is recorded. 0 or -ENOMEM. */
int chains_finish(
        struct chains *c, struct space *s, struct watch *watch, const struct process *p, int dir);

/* Why a chain ends where it does; NULL: it is whole. */
const char *chains_gap(const struct chains *c, int chain);

/* NULL: none, because of the bound for all frames. */
const struct user_stack *chains_stack(const struct chains *c, int chain);
