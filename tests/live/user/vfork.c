/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits in vfork, whose return address is in a register, for a child that never ends. */
#include <stdio.h>
#include <unistd.h>

__attribute__((noinline)) static int start_child(void)
{
        int pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */

        if (pid == 0) {
                static const char word[] = "ready\n";

                if (write(STDOUT_FILENO, word, sizeof(word) - 1) < 0)
                        _exit(1);
                pause();
                _exit(0);
        }
        return pid + 1;
}

int main(void)
{
        return start_child() == 0;
}
