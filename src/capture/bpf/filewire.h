/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What file.bpf.c writes: a record for each file that is open, or for each userfaultfd. */
#pragma once

#ifndef __bpf__
#include <stdint.h>
#endif

enum wire_timeout { WIRE_TIMEOUT_UNKNOWN, WIRE_TIMEOUT_NONE, WIRE_TIMEOUT_SET };

enum wire_file_kind {
        WIRE_FILE_OTHER, /* only its link in /proc says what it is */
        WIRE_FILE_PIPE,
        WIRE_FILE_SOCKET,
        WIRE_FILE_ANON,  /* name: what the link has behind "anon_inode:" */
        WIRE_FILE_NAMED, /* name: what the link has behind its last slash */
};

#define WIRE_FILE_NAME 40 /* with the NUL; of a longer name the link is read */

struct wire_file {
        int32_t pid, tid; /* of the first PID namespace */
        int32_t fd;
        uint16_t kind; /* enum wire_file_kind */
        uint8_t receive_ends,
                send_ends; /* of a socket, enum wire_timeout: SO_RCVTIMEO, SO_SNDTIMEO */
        uint64_t inode;    /* of a pipe or socket */
        uint64_t file;     /* the same number: the same open file */
        char name[WIRE_FILE_NAME];
};

struct wire_userfault {
        int32_t pid, tid, fd;
        int32_t serves;   /* process whose faults it gets; 0: not known */
        uint64_t context; /* the same number: the same file */
};
