/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look again and again: --watch. */
#pragma once

#include "options.h"
#include "report.h"

/*
 * Until SIGINT (STATUS_SHOWN), or until output or looking fails. On SIGTERM and SIGHUP the
 * terminal is put right and the signal then does what it does.
 */
enum status watch_run(const struct options *o);
