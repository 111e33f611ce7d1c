// SPDX-License-Identifier: MIT
// Durations; see emu_time.h.
#include "emu_time.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define DURATION_MAX (INT64_C(1000) * 366 * 86400 * 1000)

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{"", 1000},
	{"ms", 1},
	{"msec", 1},
	{"s", 1000},
	{"sec", 1000},
	{"second", 1000},
	{"seconds", 1000},
	{"m", 60000},
	{"min", 60000},
	{"minute", 60000},
	{"minutes", 60000},
	{"h", 3600000},
	{"hr", 3600000},
	{"hour", 3600000},
	{"hours", 3600000},
	{"d", 86400000},
	{"day", 86400000},
	{"days", 86400000},
	{"w", 604800000},
	{"week", 604800000},
	{"weeks", 604800000},
	{"month", 2629800000},
	{"months", 2629800000},
	{"y", 31557600000},
	{"year", 31557600000},
	{"years", 31557600000},
};

static int64_t unit_ms(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i].name) == len && strncmp(units[i].name, name, len) == 0)
			return units[i].ms;
	return 0;
}

int emu_duration_ms(const char *text, int64_t *ms)
{
	int64_t sum = 0;
	const char *p = text;
	do {
		int64_t n = 0;
		p += strspn(p, " ");
		if (*p < '0' || *p > '9')
			return -EINVAL;
		for (; *p >= '0' && *p <= '9'; p++) {
			n = n * 10 + (*p - '0');
			if (n > DURATION_MAX)
				return -EINVAL;
		}
		p += strspn(p, " ");
		size_t len = strcspn(p, " 0123456789");
		int64_t unit = unit_ms(p, len);
		if (unit == 0 || n > DURATION_MAX / unit)
			return -EINVAL;
		sum += n * unit;
		p += len;
	} while (*p && sum <= DURATION_MAX);
	if (sum > DURATION_MAX)
		return -EINVAL;
	*ms = sum;
	return 0;
}

int emu_arg_duration(
	const struct kp_json *args, const char *member, int64_t *ms, struct kp_err *err)
{
	const struct kp_json *given = kp_json_get(args, member);
	if (kp_json_is_null(given))
		return 0;
	int64_t seconds;
	const char *text = kp_json_str(args, member);
	if (kp_json_int(args, member, &seconds) && seconds >= 0 && seconds <= DURATION_MAX / 1000) {
		*ms = seconds * 1000;
		return 0;
	}
	if (!text || emu_duration_ms(text, ms))
		return kp_fail(
			err, EINVAL, "%s: expected a duration such as 500ms, 10s or 31d", member);
	return 0;
}

int64_t emu_monotonic_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
