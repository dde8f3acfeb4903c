/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In a C library without debug symbols the functions that wait have no names, but what the
 * program called has. So frames without a name are passed over as long as they are in the same
 * file: in another one, they may be anything.
 */
#include "explain/userplace.h"

#include <string.h>

#include "resolve/syscall.h"
#include "symbol/stacktext.h"

/* How C libraries and runtimes wait on a futex. */
static const char HELPERS[] =
        /* glibc */
        "__lll_lock_wait*|lll_lock_wait*|lll_mutex_lock*|__lll_*|__GI___lll_*|futex_wait*|"
        "__futex_*|__GI___futex_*|___futex_*|futex_abstimed*|futex_lock*|do_futex_wait*|"
        "__syscall_cancel*|__internal_syscall_cancel*|__libc_do_syscall|"
        "__pthread_mutex_cond_lock*|"
        /* musl */
        "__timedwait*|__wait|__syscall_cp*|"
        /* Go */
        "runtime.futex|runtime.futex.abi0|runtime.futexsleep*|runtime.notesleep|"
        "runtime.notetsleep_internal|runtime.notetsleep|"
        /* Rust */
        "std::sys::pal::unix::futex::*|std::sys::unix::futex::*|std::sys::futex::*|"
        "parking_lot_core::*|"
        /* where the C library's own functions wait for an answer */
        "poll|__poll|__GI___poll";

/* Rules have names of C++ and Rust as people read them, which an exported one is not. */
static const char *frame_name(const struct user_frame *f)
{
        bool mangled = f->exported && f->exported[0] == '_' &&
                       (f->exported[1] == 'Z' || f->exported[1] == 'R');

        return f->exported && !(mangled && f->symbol) ? f->exported : f->symbol;
}

/* The dynamic loader and the C library are one program in two files. */
static bool is_loader(const struct user_frame *f)
{
        const char *slash = f->module ? strrchr(f->module, '/') : NULL;

        return slash && strncmp(slash, "/ld", 3) == 0;
}

static bool goes_on(const struct user_frame *inside, const struct user_frame *f)
{
        return is_loader(inside) || is_loader(f) ||
               (inside->module && f->module && strcmp(inside->module, f->module) == 0);
}

bool user_place_wanted(const struct thread *t)
{
        const struct call *c = &t->call;

        for (size_t i = 0; i < n_rules; i++) {
                const struct rule *rule = &rules[i];

                if ((rule->user || rule->caller || rule->user_within) &&
                        (!rule->calls || (c->state == CALL_INSIDE && call_is(c, rule->calls))))
                        return true;
        }
        return false;
}

void user_place_find(const struct user_stack *stack, struct user_place *ret_place)
{
        const struct user_frame *inside = NULL;
        bool helpers = true;
        size_t n = 0;

        *ret_place = (struct user_place){ 0 };
        for (size_t i = 0; stack && i < stack->n_frames && n < USER_CALLERS_MAX; i++) {
                const struct user_frame *f = &stack->frames[i];
                const char *name = frame_name(f);
                bool same = !inside || goes_on(inside, f);

                if (f->unreliable || f->signal || (stack->n_hidden && i == stack->hidden_after))
                        return;
                if (!name && !same)
                        return;
                if (!name || (helpers && symbol_matches(name, HELPERS))) {
                        inside = f;
                        continue;
                }
                /* Programs that wait on a futex themselves call syscall(2) for it. */
                if (helpers && strcmp(name, "syscall") == 0) {
                        inside = NULL;
                        continue;
                }
                if (helpers && same)
                        ret_place->leaf = name;
                else
                        ret_place->callers[n++] = name;
                helpers = false;
                inside = f;
        }
}

static bool any_matches(const struct user_place *place, const char *list)
{
        if (place->leaf && symbol_matches(place->leaf, list))
                return true;
        for (size_t i = 0; i < USER_CALLERS_MAX && place->callers[i]; i++)
                if (symbol_matches(place->callers[i], list))
                        return true;
        return false;
}

enum truth user_place_fits(const struct rule *rule, const struct user_place *place)
{
        if (rule->user && !(place->leaf && symbol_matches(place->leaf, rule->user)))
                return FALSE;
        if (rule->caller && !(place->callers[0] && symbol_matches(place->callers[0], rule->caller)))
                return FALSE;
        return !rule->user_within || any_matches(place, rule->user_within) ? TRUE : FALSE;
}
