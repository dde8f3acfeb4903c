/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the misbehaving helper can be told to do, as the address whose name is wanted. */
#pragma once

enum misbehave {
        DO_NOTHING = 1,
        DO_OPEN,
        DO_SOCKET,
        DO_EXEC,
        DO_FORK,
        DO_KILL,
        DO_PTRACE,
        DO_WRITE,
        DO_MAP_CODE,
        DO_MAP_SHARED,
        DO_PROTECT_CODE,
        DO_CRASH,
        DO_FORBIDDEN_END,
        DO_SPIN,
        DO_SLEEP,
        DO_TAKE_MEMORY,
        DO_LIE_STRING,
        DO_LIE_INLINED,
        DO_LIE_COUNT,
        DO_LIE_SIZE,
};
