/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemons of FUSE file systems: who has the connection that a thread waits on. */
#pragma once

struct resolver;

/* After all threads: sets the owners of the objects of calls that are on FUSE. */
void fuse_resolve(struct resolver *r);
