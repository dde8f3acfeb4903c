/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets: whoever has the one at the other end, which sockets.h has found by its inode. Of one
 * that was not accepted yet, that is the listener. A listener itself waits for nobody known, and a
 * datagram may come from anybody unless the socket is connected to one.
 */
#include "resolve/peers.h"

#include <string.h>

#include "resolve/fdscan.h"

void peer_socket(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e)
{
        size_t n;
        const struct fd_entry *entries = fdscan_find(p->scan, FD_SOCKET, o->peer_inode, &n);

        (void)t;
        if (!o->peer_inode)
                return;
        /* What is on its way arrives without anybody's help. */
        if (direction == WANT_DATA && o->peer_sends)
                e->whole = false;
        if (strcmp(o->kind, "udp") == 0)
                e->whole = false;
        for (size_t i = 0; i < n; i++) {
                if (peer_is_open(p, &entries[i]))
                        ends_add(p, e, entries[i].pid, ROLE_PEER);
                else
                        e->whole = false; /* somebody else may have been given it meanwhile */
        }
}
