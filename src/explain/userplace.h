/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in the program a thread waits, as a user stack tells: the function that waits, and those
 * that called it. Names are those of the dynamic symbol table where there are any, so that it
 * works without debug symbols.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "explain/rules.h"

struct user_stack;

#define USER_CALLERS_MAX 6

struct user_place {
        /*
         * Innermost function that is no helper through which everything waits. NULL: it has no
         * name; callers[0] is the one outside of its file, then.
         */
        const char *leaf;
        const char *callers[USER_CALLERS_MAX]; /* of that, innermost first; NULL beyond them */
};

/* Does any rule ask for the user stack of a thread in that call? */
bool user_place_wanted(const struct thread *t);

/* Also for NULL. Nothing is known of frames that are not certain. */
void user_place_find(const struct user_stack *stack, struct user_place *ret_place);

/*
 * Do a rule's .user, .caller and .user_within hold? TRUE or FALSE: what a user stack does not say
 * is not to be assumed, since rules without these conditions come after.
 */
enum truth user_place_fits(const struct rule *rule, const struct user_place *place);
