/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of a whole machine, who waits for those that were asked for. */
#pragma once

struct snapshot;

/* From thread.asked and the chains: thread.behind of all others. -ENOMEM. */
int behind_find(struct snapshot *s);
