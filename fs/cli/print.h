// SPDX-License-Identifier: MIT
// Printing for people and scripts.
#ifndef CMK_PRINT_H
#define CMK_PRINT_H

#include "attr.h"

#include <stdint.h>

struct json;

// The value as indented JSON and a line break, on standard output.
int print_json_value(const struct json *j) must_use;

// A line for people. Names come from outside: control characters in it are printed as '?'.
void print_line(const char *fmt, ...) printf_like(1, 2);
// Characters of a UTF-8 text, each of which is taken for one column.
unsigned print_width(const char *text);
// "in 59min 59s" style countdown of whole seconds into out; room >= 32.
void format_seconds(int64_t seconds, char *out, uint32_t room);
// RFC 3339, UTC, seconds. "-" for 0. room >= 32.
void format_time(int64_t unix_s, char *out, uint32_t room);

#endif
