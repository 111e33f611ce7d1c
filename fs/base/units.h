// SPDX-License-Identifier: MIT
// Durations as systemd writes them and sizes as people write them.
#ifndef CMK_UNITS_H
#define CMK_UNITS_H

#include "attr.h"
#include "errmsg.h"

#include <stddef.h>
#include <stdint.h>

// "90s", "15min", "1h", "1h 30min", "500ms", "2d", "1w"; a bare number is seconds. Units: ms,
// s/sec, m/min, h/hr, d/day(s), w/week(s). Whole numbers only. `what` names the option in the
// sentence. -EINVAL with a sentence: empty, negative, unknown unit, or more than 10 years.
int parse_duration_ms(
	const char *what, const char *text, uint64_t *ms, struct errmsg *err) must_use;
// Shortest exact form, e.g. 3600000 -> "1h", 90000 -> "1min 30s". room: size of out, >= 32.
void format_duration_ms(uint64_t ms, char *out, size_t room);

// "10G", "512M", "1T", "4096": K, M, G, T, P (and KiB, MiB, ...) are powers of 1024; KB, MB, ... of
// 1000. -EINVAL with a sentence on anything else, on 0 and on overflow.
int parse_size(const char *what, const char *text, uint64_t *bytes, struct errmsg *err) must_use;
// "10 GiB", "1.5 TiB", "512 B". room >= 16.
void format_size(uint64_t bytes, char *out, size_t room);

#endif
