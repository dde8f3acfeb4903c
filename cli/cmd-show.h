/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pwhy show: look once, or again and again, and print what was seen. */
#pragma once

/* argv[0] is the program's name. Returns the exit status. */
int cmd_show(int argc, char **argv);
