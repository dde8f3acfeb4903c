/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What places.c calls: which function that is, its resolver decides, and never does. */
#include <unistd.h>

void resolved(int number);

static void (*resolver(void))(int)
{
        pause();
        return 0;
}

void resolved(int number) __attribute__((ifunc("resolver")));
