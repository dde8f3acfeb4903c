/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that the keeper, the stage and the actors of a scene share. */
#pragma once

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

#include "scene.h"

struct undo {
        enum undo_kind kind;
        int id;
        char path[PATH_MAX];
        char text[64];
};

#define UNDO_MAX 8

struct stage_shared {
        struct undo undo[UNDO_MAX];
        atomic_uint n_undo;
        char skip[256];      /* a child's reason for not being able to */
        atomic_bool skipped; /* said so: whoever reads that may end the scene at once */
        _Atomic uint64_t words[SHARED_WORDS];
};
