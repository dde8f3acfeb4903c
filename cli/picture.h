/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The graph as a picture, drawn by Graphviz. */
#pragma once

#include "pwhy.h"

/*
 * SVG on stdout. 0; a negative errno; -ENOEXEC when dot(1) is not there or failed, which has been
 * said on stderr.
 */
int picture_write(const struct pwhy_snapshot *s, const struct pwhy_render *how);
