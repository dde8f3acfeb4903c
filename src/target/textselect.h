/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tasks of a text are meant by a query. */
#pragma once

#include "target/select.h"

struct arena;
struct pwhy_query;
struct snapshot;

/*
 * Takes back the match of threads that no target names or that are in another state, and
 * fills ret with a sentence for each target that named none. A text tells no users and no
 * control groups: with such a filter nothing matches. 0 or -ENOMEM.
 */
int textselect_apply(const struct pwhy_query *query, struct snapshot *s, struct selection *ret);
