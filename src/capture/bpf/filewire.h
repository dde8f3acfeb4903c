/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What file.bpf.c writes: a record for each pipe and socket. */
#pragma once

#ifndef __bpf__
#include <stdint.h>
#endif

struct wire_file {
        int32_t pid, tid; /* of the first PID namespace */
        int32_t fd;
        uint32_t is_socket;
        uint64_t inode;
};
