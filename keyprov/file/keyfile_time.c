// SPDX-License-Identifier: MIT
// Durations as systemd writes them and times as RFC 3339 does; see keyfile.h.
#include "keyfile.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define DURATION_MAX (INT64_C(1000) * 366 * 86400)

static const struct {
	const char *name;
	int64_t seconds;
} units[] = {
	{"", 1},
	{"s", 1},
	{"sec", 1},
	{"second", 1},
	{"seconds", 1},
	{"m", 60},
	{"min", 60},
	{"minute", 60},
	{"minutes", 60},
	{"h", 3600},
	{"hr", 3600},
	{"hour", 3600},
	{"hours", 3600},
	{"d", 86400},
	{"day", 86400},
	{"days", 86400},
	{"w", 604800},
	{"week", 604800},
	{"weeks", 604800},
	{"month", 2629800},
	{"months", 2629800},
	{"y", 31557600},
	{"year", 31557600},
	{"years", 31557600},
};

static int64_t unit_seconds(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i].name) == len && strncmp(units[i].name, name, len) == 0)
			return units[i].seconds;
	return 0;
}

int keyfile_parse_duration(const char *text, int64_t *seconds)
{
	int64_t sum = 0;
	const char *p = text;
	do {
		int64_t n = 0;
		p += strspn(p, " ");
		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++) {
			n = n * 10 + (*p - '0');
			if (n > DURATION_MAX)
				return -EINVAL;
		}
		size_t len = strcspn(p, " 0123456789");
		int64_t unit = unit_seconds(p, len);
		if (unit == 0 || n > DURATION_MAX / unit)
			return -EINVAL;
		sum += n * unit;
		p += len;
	} while (*p && sum <= DURATION_MAX);
	if (sum < 1 || sum > DURATION_MAX)
		return -EINVAL;
	*seconds = sum;
	return 0;
}

// "Z" or "+hh:mm": seconds east of UTC.
static int parse_zone(const char *p, int64_t *east)
{
	*east = 0;
	if ((*p == 'Z' || *p == 'z') && p[1] == '\0')
		return 0;
	if ((*p != '+' && *p != '-') || strlen(p) != 6 || p[3] != ':' ||
		!isdigit((unsigned char)p[1]) || !isdigit((unsigned char)p[2]) ||
		!isdigit((unsigned char)p[4]) || !isdigit((unsigned char)p[5]))
		return -EINVAL;
	int h = (p[1] - '0') * 10 + p[2] - '0', m = (p[4] - '0') * 10 + p[5] - '0';
	if (h > 23 || m > 59)
		return -EINVAL;
	*east = (h * 60 + m) * (*p == '-' ? -60 : 60);
	return 0;
}

int keyfile_parse_time(const char *text, int64_t *unix_time)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		bool fits = shape[i] == 'd' ? isdigit((unsigned char)text[i])
					    : toupper((unsigned char)text[i]) == shape[i];
		if (!fits)
			return -EINVAL;
	}
	struct tm tm = {0};
	const char *rest = text + sizeof(shape) - 1;
	int64_t east;
	char upper[sizeof(shape)];
	memcpy(upper, text, sizeof(shape) - 1);
	upper[10] = 'T';
	upper[sizeof(shape) - 1] = '\0';
	const char *end = strptime(upper, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end || *end || parse_zone(rest, &east))
		return -EINVAL;
	int day = tm.tm_mday;
	int64_t t = timegm(&tm) - east;
	if (tm.tm_mday != day || t < 1 || t > BUNDLE_TIME_MAX) // February 30 became March
		return -EINVAL;
	*unix_time = t;
	return 0;
}

void keyfile_print_time(int64_t unix_time, char out[KEYFILE_TIME_LEN])
{
	time_t t = (time_t)unix_time;
	struct tm tm;
	if (!gmtime_r(&t, &tm) || strftime(out, KEYFILE_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}
