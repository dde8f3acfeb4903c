/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_diag(7): the dumps of TCP, UDP and their relatives, of raw, netlink, packet and vsock
 * sockets. There is no look-up by inode for these, and a TCP socket is not known by anything
 * else here, so tables are read as a whole: listeners first, a short table of its own in the
 * kernel, and the connections, perhaps a million, only when something is still missing.
 *
 * A table that the kernel cannot list (module not there, kernel too old, netlink forbidden) is
 * simply not among those reported as read.
 */
#include "resolve/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/netlink_diag.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define DIAG_BUFFER 65536    /* the kernel makes its dumps no larger than 32 KiB a message */
#define DIAG_REQUEST_MAX 128 /* bytes of a request without its header */
#define DIAG_SILENCE_S 1     /* the kernel answers within the call; this is a safety */

#define STATE_LISTEN 10
#define STATE_TIME_WAIT 6
/* A socket in TIME_WAIT has no inode. */
#define STATES_LISTEN (1U << STATE_LISTEN)
#define STATES_OTHER (~(STATES_LISTEN | 1U << STATE_TIME_WAIT))
#define STATES_ALL (~0U)

void diag_close(struct diag *d)
{
        if (d->fd >= 0)
                close(d->fd);
        d->fd = -1;
}

static int diag_open(struct diag *d)
{
        const struct timeval silence = { .tv_sec = DIAG_SILENCE_S };

        if (d->fd >= 0)
                return 0;
        d->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (d->fd < 0)
                return -errno;
        if (setsockopt(d->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) < 0)
                return -errno;
        return 0;
}

static int diag_send(struct diag *d, const void *request, size_t len, unsigned flags)
{
        struct {
                struct nlmsghdr h;
                char body[DIAG_REQUEST_MAX];
        } message = { 0 };
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

        if (len > sizeof(message.body))
                return -EINVAL;
        message.h.nlmsg_len = (uint32_t)(sizeof(message.h) + len);
        message.h.nlmsg_type = SOCK_DIAG_BY_FAMILY;
        message.h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        message.h.nlmsg_seq = ++d->seq;
        memcpy(message.body, request, len);
        if (sendto(d->fd, &message, message.h.nlmsg_len, 0, (const struct sockaddr *)&kernel,
                    sizeof(kernel)) < 0)
                return -errno;
        return 0;
}

/* Bytes received; 0: not from the kernel; -errno. */
static ssize_t diag_receive(struct diag *d)
{
        struct sockaddr_nl from = { 0 };
        struct iovec v = { d->buffer, DIAG_BUFFER };
        struct msghdr m = {
                .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1
        };
        ssize_t n;

        for (;;) {
                if (clock_ns(CLOCK_MONOTONIC) >= d->deadline_ns)
                        return -ETIMEDOUT;
                n = recvmsg(d->fd, &m, 0);
                if (n >= 0 || errno != EINTR)
                        break;
        }
        if (n < 0)
                return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (n == 0 || (m.msg_flags & MSG_TRUNC))
                return -EMSGSIZE;
        return m.msg_namelen == sizeof(from) && from.nl_pid == 0 ? n : 0;
}

struct diag_reply {
        bool (*take)(struct diag *d, const void *message, size_t len, void *arg);
        void *arg;
        bool dump;
        bool disturbed; /* the table changed in a way that entries may be missing */
        bool ended;
};

/* One message. 1: take had enough; 0: go on, or ended; -errno. */
static int diag_message(
        struct diag *d, struct diag_reply *reply, const struct nlmsghdr *h, size_t len)
{
        const char *body = (const char *)h + NLMSG_HDRLEN;
        size_t body_len = len - NLMSG_HDRLEN;
        int error = 0;

        if (h->nlmsg_seq != d->seq)
                return 0;
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
                reply->disturbed = true;
        if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
                /* Both begin with an errno; old kernels end a dump with nothing or 0. */
                if (body_len >= sizeof(error))
                        memcpy(&error, body, sizeof(error));
                reply->ended = true;
                return error < 0 ? error : 0;
        }
        if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
                return 0;
        if (!reply->dump)
                reply->ended = true;
        return reply->take(d, body, body_len, reply->arg) ? 0 : 1;
}

/* All messages of one datagram. */
static int diag_datagram(struct diag *d, struct diag_reply *reply, size_t n)
{
        for (size_t at = 0; n - at >= NLMSG_HDRLEN;) {
                struct nlmsghdr *h = (struct nlmsghdr *)(void *)(d->buffer + at);
                size_t len = h->nlmsg_len;
                int r;

                if (len < NLMSG_HDRLEN || len > n - at)
                        return -EBADMSG;
                r = diag_message(d, reply, h, len);
                if (r || reply->ended)
                        return r;
                at = NLMSG_ALIGN(len) < n - at ? at + NLMSG_ALIGN(len) : n;
        }
        return 0;
}

int diag_ask(struct diag *d, const void *request, size_t len, unsigned flags,
        bool (*take)(struct diag *d, const void *message, size_t len, void *arg), void *arg)
{
        struct diag_reply reply = { .take = take, .arg = arg, .dump = flags & NLM_F_DUMP };
        int r = diag_open(d);

        if (r >= 0)
                r = diag_send(d, request, len, flags);
        while (r == 0 && !reply.ended) {
                ssize_t n = diag_receive(d);

                r = n < 0 ? (int)n : diag_datagram(d, &reply, (size_t)n);
        }
        /* Whatever is still to come belongs to this request: a fresh socket forgets it. */
        if (!reply.ended)
                diag_close(d);
        return r == 0 && reply.disturbed ? -EINTR : r;
}

const void *diag_attribute(
        const void *message, size_t len, size_t header, unsigned type, size_t *ret_len)
{
        const char *at = message;
        size_t skip = NLMSG_ALIGN(header);

        while (len >= skip && len - skip >= NLA_HDRLEN) {
                struct nlattr a;

                at += skip;
                len -= skip;
                memcpy(&a, at, sizeof(a));
                if (a.nla_len < NLA_HDRLEN || a.nla_len > len)
                        return NULL;
                if ((a.nla_type & NLA_TYPE_MASK) == type) {
                        *ret_len = a.nla_len - NLA_HDRLEN;
                        return at + NLA_HDRLEN;
                }
                skip = NLA_ALIGN(a.nla_len);
        }
        return NULL;
}

/* An address of link scope means something on one interface only. */
static const char *scope_format(
        char buffer[static IF_NAMESIZE], int family, const void *address, uint32_t index)
{
        const unsigned char *a = address;

        if (family != AF_INET6 || !index ||
                !((a[0] == 0xfe && (a[1] & 0xc0) == 0x80) || (a[0] == 0xff && (a[1] & 0xf) == 2)))
                return NULL;
        if (!if_indextoname(index, buffer))
                snprintf(buffer, IF_NAMESIZE, "%u", index);
        return buffer;
}

static void inet_give(struct diag *d, enum socket_table table, const struct inet_diag_msg *m)
{
        const struct inet_diag_sockid *id = &m->id;
        bool tcp = table == SOCKET_TCP4 || table == SOCKET_TCP6;
        bool sctp = table == SOCKET_SCTP4 || table == SOCKET_SCTP6;
        bool stateful = tcp || table == SOCKET_MPTCP4 || table == SOCKET_MPTCP6;
        bool listens = (stateful || sctp) && m->idiag_state == STATE_LISTEN;
        char local[SOCKET_ADDRESS_MAX], remote[SOCKET_ADDRESS_MAX], scope[IF_NAMESIZE];
        unsigned sport = ntohs(id->idiag_sport), dport = ntohs(id->idiag_dport);
        int family = socket_tables[table].family;
        struct socket_facts f = {
                .has_queues = true,
                .receive_queue = m->idiag_rqueue,
                .send_queue = m->idiag_wqueue,
        };

        /* The states of SCTP associations have numbers of their own. */
        if (stateful || listens)
                f.state = socket_tcp_state(m->idiag_state);
        if (tcp && !listens) {
                /* Of data, of a window or keepalive probe: each is a sending without answer. */
                f.has_retransmits = true;
                f.retransmits = m->idiag_retrans;
        }
        f.local = socket_address_format(local, family, id->idiag_src, sport,
                scope_format(scope, family, id->idiag_src, id->idiag_if));
        if (!listens && !socket_address_none(family, id->idiag_dst, dport))
                f.remote = socket_address_format(remote, family, id->idiag_dst, dport,
                        scope_format(scope, family, id->idiag_dst, id->idiag_if));
        socket_set_give(d->set, m->idiag_inode, table, &f);
}

static bool inet_take(struct diag *d, const void *message, size_t len, void *arg)
{
        enum socket_table table = *(const enum socket_table *)arg;
        struct inet_diag_msg m;

        if (len < sizeof(m))
                return true;
        memcpy(&m, message, sizeof(m));
        if (m.idiag_family != socket_tables[table].family ||
                socket_set_find(d->set, m.idiag_inode, table) < 0)
                return true;
        inet_give(d, table, &m);
        return d->set->left[table] > 0;
}

/* A dump that was disturbed is asked once more; what it did tell is kept. */
static int diag_dump(struct diag *d, const void *request, size_t len,
        bool (*take)(struct diag *d, const void *message, size_t len, void *arg), void *arg)
{
        int r = diag_ask(d, request, len, NLM_F_DUMP, take, arg);

        if (r == -EINTR)
                r = diag_ask(d, request, len, NLM_F_DUMP, take, arg);
        return r;
}

static int inet_dump(struct diag *d, enum socket_table table, uint32_t states)
{
        const struct socket_table_info *info = &socket_tables[table];
        struct {
                struct inet_diag_req_v2 r;
                struct nlattr a;
                uint32_t protocol;
        } request = {
                .r = {
                        .sdiag_family = (uint8_t)info->family,
                        .sdiag_protocol = (uint8_t)info->protocol_nr,
                        .idiag_states = states,
                },
                .a = { NLA_HDRLEN + sizeof(uint32_t), INET_DIAG_REQ_PROTOCOL },
                .protocol = (uint32_t)info->protocol_nr,
        };
        /* MPTCP's number needs more than the eight bits of the header. */
        size_t len = info->protocol_nr > UINT8_MAX ? sizeof(request) : sizeof(request.r);

        return diag_dump(d, &request, len, inet_take, &table);
}

static bool netlink_take(struct diag *d, const void *message, size_t len, void *arg)
{
        char local[SOCKET_NETLINK_MAX];
        struct netlink_diag_msg m;

        (void)arg;
        if (len < sizeof(m))
                return true;
        memcpy(&m, message, sizeof(m));
        if (m.ndiag_family == AF_NETLINK &&
                socket_set_find(d->set, m.ndiag_ino, SOCKET_NETLINK) >= 0)
                socket_set_give(d->set, m.ndiag_ino, SOCKET_NETLINK,
                        &(struct socket_facts){ .local = socket_netlink_format(
                                                        local, m.ndiag_protocol, m.ndiag_portid) });
        return d->set->left[SOCKET_NETLINK] > 0;
}

static int netlink_dump(struct diag *d)
{
        const struct netlink_diag_req request = { .sdiag_family = AF_NETLINK,
                .sdiag_protocol = NDIAG_PROTO_ALL };

        return diag_dump(d, &request, sizeof(request), netlink_take, NULL);
}

static bool packet_take(struct diag *d, const void *message, size_t len, void *arg)
{
        char name[IF_NAMESIZE] = "*";
        struct packet_diag_info info = { 0 };
        struct packet_diag_msg m;
        const void *bytes;
        size_t n = 0;

        (void)arg;
        if (len < sizeof(m))
                return true;
        memcpy(&m, message, sizeof(m));
        if (m.pdiag_family != AF_PACKET || socket_set_find(d->set, m.pdiag_ino, SOCKET_PACKET) < 0)
                return true;
        bytes = diag_attribute(message, len, sizeof(m), PACKET_DIAG_INFO, &n);
        if (bytes && n >= sizeof(info))
                memcpy(&info, bytes, sizeof(info));
        if (info.pdi_index && !if_indextoname(info.pdi_index, name))
                snprintf(name, sizeof(name), "%%%u", info.pdi_index);
        socket_set_give(d->set, m.pdiag_ino, SOCKET_PACKET,
                &(struct socket_facts){ .local = bytes ? name : NULL });
        return d->set->left[SOCKET_PACKET] > 0;
}

static int packet_dump(struct diag *d)
{
        const struct packet_diag_req request = { .sdiag_family = AF_PACKET,
                .pdiag_show = PACKET_SHOW_INFO };

        return diag_dump(d, &request, sizeof(request), packet_take, NULL);
}

/* "2:1024", context and port; "*" for any. */
static const char *vsock_format(char buffer[static SOCKET_ADDRESS_MAX], uint32_t cid, uint32_t port)
{
        char cid_text[12] = "*", port_text[12] = "*";

        if (cid != UINT32_MAX)
                snprintf(cid_text, sizeof(cid_text), "%u", cid);
        if (port != UINT32_MAX)
                snprintf(port_text, sizeof(port_text), "%u", port);
        snprintf(buffer, SOCKET_ADDRESS_MAX, "%s:%s", cid_text, port_text);
        return buffer;
}

static bool vsock_take(struct diag *d, const void *message, size_t len, void *arg)
{
        char local[SOCKET_ADDRESS_MAX], remote[SOCKET_ADDRESS_MAX];
        struct vsock_diag_msg m;
        struct socket_facts f;

        (void)arg;
        if (len < sizeof(m))
                return true;
        memcpy(&m, message, sizeof(m));
        if (m.vdiag_family != AF_VSOCK || socket_set_find(d->set, m.vdiag_ino, SOCKET_VSOCK) < 0)
                return true;
        f = (struct socket_facts){
                .type = socket_type_name(m.vdiag_type),
                .state = socket_tcp_state(m.vdiag_state),
                .local = vsock_format(local, m.vdiag_src_cid, m.vdiag_src_port),
        };
        if (m.vdiag_state != STATE_LISTEN && m.vdiag_dst_cid != UINT32_MAX)
                f.remote = vsock_format(remote, m.vdiag_dst_cid, m.vdiag_dst_port);
        socket_set_give(d->set, m.vdiag_ino, SOCKET_VSOCK, &f);
        return d->set->left[SOCKET_VSOCK] > 0;
}

static int vsock_dump(struct diag *d)
{
        const struct vsock_diag_req request = { .sdiag_family = AF_VSOCK,
                .vdiag_states = STATES_ALL };

        return diag_dump(d, &request, sizeof(request), vsock_take, NULL);
}

static int table_dump(struct diag *d, enum socket_table table, uint32_t states)
{
        switch (table) {
        case SOCKET_UNIX:
                return diag_unix(d);
        case SOCKET_NETLINK:
                return netlink_dump(d);
        case SOCKET_PACKET:
                return packet_dump(d);
        case SOCKET_VSOCK:
                return vsock_dump(d);
        default:
                return inet_dump(d, table, states);
        }
}

unsigned sockdiag_run(struct socket_set *set, int64_t deadline_ns)
{
        /* Cheap ones first; MPTCP before TCP, which has the carriers of its connections. */
        static const struct {
                enum socket_table table;
                uint32_t states;
        } steps[] = {
                { SOCKET_MPTCP4, STATES_ALL },
                { SOCKET_MPTCP6, STATES_ALL },
                { SOCKET_TCP4, STATES_LISTEN },
                { SOCKET_TCP6, STATES_LISTEN },
                { SOCKET_UNIX, STATES_ALL },
                { SOCKET_NETLINK, STATES_ALL },
                { SOCKET_PACKET, STATES_ALL },
                { SOCKET_UDP4, STATES_ALL },
                { SOCKET_UDP6, STATES_ALL },
                { SOCKET_UDPLITE4, STATES_ALL },
                { SOCKET_UDPLITE6, STATES_ALL },
                { SOCKET_RAW4, STATES_ALL },
                { SOCKET_RAW6, STATES_ALL },
                { SOCKET_VSOCK, STATES_ALL },
                { SOCKET_SCTP4, STATES_ALL },
                { SOCKET_SCTP6, STATES_ALL },
                { SOCKET_TCP4, STATES_OTHER },
                { SOCKET_TCP6, STATES_OTHER },
        };
        _cleanup_free_ char *buffer = malloc(DIAG_BUFFER);
        struct diag d = { .set = set, .deadline_ns = deadline_ns, .fd = -1, .buffer = buffer };
        unsigned failed = 0, asked = 0;

        if (!buffer)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                enum socket_table table = steps[i].table;

                asked |= SOCKET_BIT(table);
                if (set->left[table] && table_dump(&d, table, steps[i].states) < 0)
                        failed |= SOCKET_BIT(table);
        }
        diag_close(&d);
        return asked & ~failed;
}
