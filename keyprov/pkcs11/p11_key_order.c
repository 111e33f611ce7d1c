// SPDX-License-Identifier: MIT
// Dates of keys, and which of several keys is the newest; see p11_key.h. Pure.
#include "p11_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// 0 for what is no number: no part of a date may be 0.
static int digits(const unsigned char *p, size_t n)
{
	int x = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 0;
		x = x * 10 + (p[i] - '0');
	}
	return x;
}

static bool is_none(const CK_DATE *date)
{
	static const char zeros[] = "00000000", blanks[] = "        ", nothing[8] = {0};
	return memcmp(date, zeros, sizeof(*date)) == 0 ||
	       memcmp(date, blanks, sizeof(*date)) == 0 ||
	       memcmp(date, nothing, sizeof(*date)) == 0;
}

bool p11_date_read(const CK_DATE *date, int64_t *out)
{
	*out = 0;
	if (is_none(date))
		return true;
	int year = digits(date->year, 4), month = digits(date->month, 2),
	    day = digits(date->day, 2);
	if (year < 1 || month < 1 || day < 1)
		return false;
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	time_t t = timegm(&tm);
	// timegm() makes a date of 30 February too: another one.
	if (tm.tm_year != year - 1900 || tm.tm_mon != month - 1 || tm.tm_mday != day)
		return false;
	*out = t;
	return true;
}

// Milliseconds of a UUIDv7; 0 if the id is none.
static uint64_t uuid7_ms(const struct p11_key *k)
{
	if (k->id_len != 16 || (k->id[6] >> 4) != 7 || (k->id[8] >> 6) != 2)
		return 0;
	uint64_t ms = 0;
	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | k->id[i];
	return ms;
}

int64_t p11_key_created(const struct p11_key *key)
{
	return (int64_t)(uuid7_ms(key) / 1000);
}

int p11_key_compare(const struct p11_key *a, const struct p11_key *b)
{
	if (a->nbf && b->nbf && a->nbf != b->nbf)
		return a->nbf < b->nbf ? -1 : 1;
	uint64_t ta = uuid7_ms(a), tb = uuid7_ms(b);
	if (!ta || !tb || ta == tb)
		return 0;
	return ta < tb ? -1 : 1;
}

bool p11_key_may_unwrap(const struct p11_key *key)
{
	return key->decrypt || key->unwrap || key->decrypt_untold || key->unwrap_untold;
}

bool p11_key_is_current(const struct p11_key *key, int64_t wall_s)
{
	return (key->nbf == 0 || key->nbf <= wall_s) && (key->exp == 0 || wall_s < key->exp);
}

void p11_key_text(const struct p11_key *key, char out[P11_KEY_TEXT])
{
	(void)snprintf(out, P11_KEY_TEXT, "key \"%s\" (id %s)", key->label, key->version);
}

// Adds to a text of room bytes; false if it was cut.
static bool add(char *out, size_t room, size_t *at, const char *text)
{
	size_t len = strlen(text);
	if (*at + len >= room)
		return false;
	memcpy(out + *at, text, len + 1);
	*at += len;
	return true;
}

static int by_version(const void *a, const void *b)
{
	const struct p11_key *const *x = a, *const *y = b;
	return strcmp((*x)->version, (*y)->version);
}

void p11_keys_text(const struct p11_keys *keys, char *out, size_t room)
{
	const size_t tail = sizeof(" and 64 more");
	const struct p11_key *sorted[P11_KEYS_MAX] = {NULL};
	size_t at = 0, i = 0;
	out[0] = '\0';
	for (size_t j = 0; j < keys->count; j++)
		sorted[j] = &keys->at[j];
	qsort(sorted, keys->count, sizeof(sorted[0]), by_version);
	for (; i < keys->count; i++) {
		const struct p11_key *k = sorted[i];
		char key[P11_KEY_TEXT], one[P11_KEY_TEXT + 64], start[32] = "without a start date";
		time_t t = (time_t)k->nbf;
		struct tm tm;
		if (k->nbf && gmtime_r(&t, &tm))
			(void)strftime(start, sizeof(start), "starting %Y-%m-%d", &tm);
		p11_key_text(k, key);
		(void)snprintf(one, sizeof(one), "%s%s %s", i ? ", " : "", key, start);
		if (room < tail || !add(out, room - tail, &at, one))
			break;
	}
	char more[32];
	(void)snprintf(more, sizeof(more), "%s%zu %s", i ? " and " : "", keys->count - i,
		i ? "more" : "keys");
	if (i < keys->count)
		(void)add(out, room, &at, more);
}

static bool is_candidate(const struct p11_keys *keys, const struct p11_key *k, int64_t wall_s)
{
	if (k->nbf <= wall_s)
		return true;
	for (size_t i = 0; i < keys->count; i++)
		if (keys->at[i].nbf <= wall_s)
			return false;
	return true; // all are ahead
}

const struct p11_key *p11_key_newest(
	const struct p11_keys *keys, int64_t wall_s, const char *where, struct kp_outcome *o)
{
	o->verdict = CMK_GRANTED;
	if (keys->count == 0)
		return NULL;
	// The order of three need not be one: a date between two of them, ids between the others.
	// So the newest must be proved newer than each of the rest.
	for (size_t i = 0; i < keys->count; i++) {
		const struct p11_key *best = &keys->at[i];
		bool newest = is_candidate(keys, best, wall_s);
		for (size_t j = 0; newest && j < keys->count; j++)
			newest = j == i || !is_candidate(keys, &keys->at[j], wall_s) ||
				 p11_key_compare(best, &keys->at[j]) > 0;
		if (newest)
			return best;
	}
	char list[P11_KEYS_TEXT];
	p11_keys_text(keys, list, sizeof(list));
	(void)kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%s: cannot prove which of %zu keys is the newest; give them start dates with "
		"cmkdisk tokenkey dates, or name one with id= in the key URL: %s",
		where, keys->count, list);
	return NULL;
}
