/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever loads it has the lock of the dynamic loader for ever. */
#include <unistd.h>

__attribute__((constructor)) static void constructed(void)
{
        pause();
}
