/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's side of the conversation. */
#pragma once

#include <stdint.h>

/* Answers requests until the client goes away, which is 0; else a negative errno. */
int serve(int socket, uint32_t sandbox);
