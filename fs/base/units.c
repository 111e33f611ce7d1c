// SPDX-License-Identifier: MIT
// Exact integer arithmetic only: a grace is a promise, and a size becomes an on-disk field.
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

// Descending; of the names of one factor the first is the one that is printed.
static const struct unit time_units[] = {
	{"w", 604800000},
	{"week", 604800000},
	{"weeks", 604800000},
	{"d", 86400000},
	{"day", 86400000},
	{"days", 86400000},
	{"h", 3600000},
	{"hr", 3600000},
	{"min", 60000},
	{"m", 60000},
	{"s", 1000},
	{"sec", 1000},
	{"ms", 1},
};
#define DURATION_MAX_MS (UINT64_C(3653) * 86400000)

#define KI UINT64_C(1024)
#define SI UINT64_C(1000)
static const struct unit size_units[] = {
	{"", 1},
	{"K", KI},
	{"KiB", KI},
	{"KB", SI},
	{"M", KI *KI},
	{"MiB", KI *KI},
	{"MB", SI *SI},
	{"G", KI *KI *KI},
	{"GiB", KI *KI *KI},
	{"GB", SI *SI *SI},
	{"T", KI *KI *KI *KI},
	{"TiB", KI *KI *KI *KI},
	{"TB", SI *SI *SI *SI},
	{"P", KI *KI *KI *KI *KI},
	{"PiB", KI *KI *KI *KI *KI},
	{"PB", SI *SI *SI *SI *SI},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// Reads digits; false when there are none or the number needs more than 64 bits.
static bool take_number(const char **p, uint64_t *value)
{
	if (!is_digit(**p))
		return false;
	for (*value = 0; is_digit(**p); (*p)++)
		if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
			__builtin_add_overflow(*value, (uint64_t)(**p - '0'), value))
			return false;
	return true;
}

static const struct unit *find_unit(
	const struct unit *units, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
			return &units[i];
	return NULL;
}

// One "30min"; *below is the factor that it must stay under, so that "1h 1h" and "5s 1h" are
// refused.
static bool take_duration_term(const char **p, uint64_t *below, uint64_t *sum)
{
	uint64_t n;

	if (!take_number(p, &n))
		return false;
	size_t len = strcspn(*p, " 0123456789");
	const struct unit *u = find_unit(time_units, COUNT(time_units), *p, len);
	if (!u || u->factor >= *below)
		return false;
	*p += len;
	*below = u->factor;
	return !__builtin_mul_overflow(n, u->factor, &n) && !__builtin_add_overflow(*sum, n, sum);
}

static bool read_duration(const char *text, uint64_t *ms)
{
	uint64_t below = UINT64_MAX;
	const char *p = text;

	if (take_number(&p, ms) && !*p)
		return !__builtin_mul_overflow(*ms, UINT64_C(1000), ms);
	p = text;
	*ms = 0;
	do {
		if (!take_duration_term(&p, &below, ms))
			return false;
		if (*p)
			p += strspn(p, " ");
		else
			return true;
	} while (*p);
	return false; // ends in a space
}

int parse_duration_ms(const char *what, const char *text, uint64_t *ms, struct errmsg *err)
{
	uint64_t value;

	if (!read_duration(text, &value))
		return errmsg_set(err, EINVAL,
			"%s: '%s' is not a duration; write whole numbers with the units ms, s, "
			"min, h, d or w, such as 90s, "
			"15min or '1h 30min'",
			what, text);
	if (value > DURATION_MAX_MS)
		return errmsg_set(err, EINVAL,
			"%s: '%s' is more than 10 years; write a shorter duration", what, text);
	*ms = value;
	return 0;
}

void format_duration_ms(uint64_t ms, char *out, size_t room)
{
	size_t used = 0;

	(void)snprintf(out, room, "0s");
	for (size_t i = 0; i < COUNT(time_units) && ms; i++) {
		uint64_t factor = time_units[i].factor;
		if (ms < factor)
			continue;
		int n = snprintf(out + used, room - used, "%s%" PRIu64 "%s", used ? " " : "",
			ms / factor, time_units[i].name);
		if (n < 0 || (size_t)n >= room - used)
			return;
		used += (size_t)n;
		ms %= factor;
	}
}

static bool read_size(const char *p, uint64_t *bytes)
{
	uint64_t n;

	if (!take_number(&p, &n))
		return false;
	const struct unit *u = find_unit(size_units, COUNT(size_units), p, strlen(p));
	return u && !__builtin_mul_overflow(n, u->factor, bytes);
}

int parse_size(const char *what, const char *text, uint64_t *bytes, struct errmsg *err)
{
	uint64_t value;

	if (!read_size(text, &value))
		return errmsg_set(err, EINVAL,
			"%s: '%s' is not a size; write a whole number of bytes, or one with K, M, "
			"G, T or P (powers of "
			"1024) or KB, MB, GB, TB or PB (powers of 1000), such as 512M or 10G",
			what, text);
	if (value == 0)
		return errmsg_set(err, EINVAL,
			"%s: a size of 0 makes no sense; write at least one sector, such as 4K",
			what);
	*bytes = value;
	return 0;
}

void format_size(uint64_t bytes, char *out, size_t room)
{
	static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t unit = KI;
	size_t i = 0;

	if (bytes < KI) {
		(void)snprintf(out, room, "%" PRIu64 " B", bytes);
		return;
	}
	while (i + 1 < COUNT(names) && bytes / unit >= KI) {
		unit *= KI;
		i++;
	}
	uint64_t tenths =
		bytes % unit * 10 / unit; // cut, not rounded: never claims more than there is
	if (tenths)
		(void)snprintf(
			out, room, "%" PRIu64 ".%" PRIu64 " %s", bytes / unit, tenths, names[i]);
	else
		(void)snprintf(out, room, "%" PRIu64 " %s", bytes / unit, names[i]);
}
