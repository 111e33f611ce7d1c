// SPDX-License-Identifier: MIT
// Printing for people and scripts.
#include "print.h"
#include "errmsg.h"
#include "json.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

int print_json_value(const struct json *j)
{
	char *text autofree = NULL;
	int rc = json_print(j, true, &text);
	if (rc)
		return rc;
	return puts(text) < 0 ? -EIO : 0;
}

void print_line(const char *fmt, ...)
{
	char *line autofree = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0) {
		line = NULL;
		return;
	}
	text_sanitise(line);
	(void)puts(line);
}

unsigned print_width(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void format_seconds(int64_t seconds, char *out, uint32_t room)
{
	format_duration_ms(seconds > 0 ? (uint64_t)seconds * 1000 : 0, out, room);
}

void format_time(int64_t unix_s, char *out, uint32_t room)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	if (!unix_s || !gmtime_r(&t, &tm) || !strftime(out, room, "%Y-%m-%dT%H:%M:%SZ", &tm))
		(void)snprintf(out, room, "-");
}
