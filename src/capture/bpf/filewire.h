/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What file.bpf.c writes: a record for each pipe and socket, or for each userfaultfd. */
#pragma once

#ifndef __bpf__
#include <stdint.h>
#endif

enum wire_timeout { WIRE_TIMEOUT_UNKNOWN, WIRE_TIMEOUT_NONE, WIRE_TIMEOUT_SET };

struct wire_file {
        int32_t pid, tid; /* of the first PID namespace */
        int32_t fd;
        uint16_t is_socket;
        uint8_t receive_ends, send_ends; /* enum wire_timeout: SO_RCVTIMEO, SO_SNDTIMEO */
        uint64_t inode;
};

struct wire_userfault {
        int32_t pid, tid, fd;
        int32_t serves;   /* process whose faults it gets; 0: not known */
        uint64_t context; /* the same number: the same file */
};
