/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hang-fuse.c serves as a library. It calls nothing by name: that would be looked up in it. */
void hang_library(void (*first)(void), int (*then)(void));

void hang_library(void (*first)(void), int (*then)(void))
{
        static volatile int sink;

        first();
        then();
        sink++; /* not a jump */
}
