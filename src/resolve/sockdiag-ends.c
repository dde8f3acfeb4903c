/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All TCP or UDP sockets of a network namespace with their addresses, by sock_diag(7). */
#include "resolve/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define ENDS_MAX 500000
#define BUFFER 65536
#define STATE_TIME_WAIT 6

struct taker {
        struct socket_ends *ends;
        int protocol;
        uint16_t space;
};

static void address_widen(uint8_t ret[static 16], int family, const void *address)
{
        memset(ret, 0, 16);
        if (family == AF_INET6) {
                memcpy(ret, address, 16);
                return;
        }
        ret[10] = ret[11] = 0xff;
        memcpy(ret + 12, address, 4);
}

static struct socket_end *end_new(struct socket_ends *ends)
{
        if (ends->n == ends->room) {
                size_t room = ends->room ? ends->room * 2 : 1024;
                struct socket_end *grown =
                        room > ENDS_MAX * 2 ? NULL : realloc(ends->all, room * sizeof(*grown));

                if (!grown) {
                        ends->cut = true;
                        return NULL;
                }
                ends->all = grown;
                ends->room = room;
        }
        return &ends->all[ends->n++];
}

static bool end_take(struct diag *d, const void *message, size_t len, void *arg)
{
        const struct taker *t = arg;
        struct inet_diag_msg m;
        struct socket_end *e;

        (void)d;
        if (len < sizeof(m))
                return true;
        memcpy(&m, message, sizeof(m));
        if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
                return true;
        e = end_new(t->ends);
        if (!e)
                return false;
        *e = (struct socket_end){
                .local_port = ntohs(m.id.idiag_sport),
                .remote_port = ntohs(m.id.idiag_dport),
                .protocol = (uint8_t)t->protocol,
                .state = m.idiag_state,
                .space = t->space,
                .inode = m.idiag_inode,
                .unsent = m.idiag_wqueue,
        };
        address_widen(e->local, m.idiag_family, m.id.idiag_src);
        address_widen(e->remote, m.idiag_family, m.id.idiag_dst);
        return true;
}

int sockdiag_ends(struct socket_ends *ends, int protocol, uint16_t space, int64_t deadline_ns)
{
        static const int families[] = { AF_INET, AF_INET6 };
        struct taker taker = { ends, protocol, space };
        _cleanup_free_ char *buffer = malloc(BUFFER);
        struct diag d = { .deadline_ns = deadline_ns, .fd = -1, .buffer = buffer };
        int r = buffer ? 0 : -ENOMEM;

        for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++) {
                const struct inet_diag_req_v2 request = {
                        .sdiag_family = (uint8_t)families[i],
                        .sdiag_protocol = (uint8_t)protocol,
                        .idiag_states = ~(1U << STATE_TIME_WAIT),
                };
                size_t before = ends->n;

                r = diag_ask(&d, &request, sizeof(request), NLM_F_DUMP, end_take, &taker);
                if (r == -EINTR) { /* disturbed: once more, from the beginning */
                        ends->n = before;
                        r = diag_ask(&d, &request, sizeof(request), NLM_F_DUMP, end_take, &taker);
                }
                /* A kernel without IPv6 has none of these. */
                if (r == -ENOENT && families[i] == AF_INET6)
                        r = 0;
        }
        diag_close(&d);
        return r < 0 ? r : ends->cut ? -E2BIG : 0;
}
