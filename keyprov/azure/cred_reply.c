// SPDX-License-Identifier: MIT
// A token reply; see cred_reply.h. Why there is none: cred_refusal.c.
#include "cred_reply.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// The longest that Entra gives (with continuous access evaluation). It also bounds what a wrong
// wall clock makes of expires_on.
#define LIFETIME_MAX (28 * 3600)

static enum cmk_verdict odd(const struct cred *c, struct kp_outcome *o, const char *what)
{
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"the answer to the %s is not a usable token: %s; is something else answering in "
		"the token service's place?",
		c->name, what);
}

static int64_t checked_time(int year, int month, int day, int hour, int minute, int second)
{
	if (year < 2000 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return 0;
	struct tm tm = {.tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_hour = hour,
		.tm_min = minute,
		.tm_sec = second};
	return timegm(&tm);
}

static int64_t american_date(const char *text)
{
	int month, day, year, hour, minute, second, end = 0;
	char half[3] = "";
	if (sscanf(text, "%2d/%2d/%4d %2d:%2d:%2d%n", &month, &day, &year, &hour, &minute, &second,
		    &end) != 6)
		return 0;
	const char *rest = text + end;
	if (sscanf(rest, " %2[AaPpMm]%n", half, &end) == 1) {
		if (toupper((unsigned char)half[1]) != 'M' || hour < 1 || hour > 12)
			return 0;
		hour = hour % 12 + (toupper((unsigned char)half[0]) == 'P' ? 12 : 0);
		rest += end;
	}
	if (strcmp(rest, " +00:00") != 0 && *rest)
		return 0;
	return checked_time(year, month, day, hour, minute, second);
}

int64_t cred_reply_date(const char *text)
{
	int year, month, day, hour, minute, second, end = 0;
	char *stop;
	if (strchr(text, '/'))
		return american_date(text);
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
		    &end) == 6) {
		const char *rest = text + end;
		if (*rest == '.')
			rest += 1 + strspn(rest + 1, "0123456789");
		if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
			return 0;
		return checked_time(year, month, day, hour, minute, second);
	}
	errno = 0;
	long long v = strtoll(text, &stop, 10);
	return errno || stop == text || *stop || v < 0 ? 0 : v;
}

// Services disagree whether seconds are a number or a string of one. 0 if it is absent or neither.
static int64_t seconds(const struct kp_json *j, const char *member)
{
	int64_t v = 0;
	if (kp_json_int(j, member, &v))
		return v;
	const char *s = kp_json_str(j, member);
	return s ? cred_reply_date(s) : 0;
}

static int64_t lifetime(const struct cred *c, const struct kp_json *j)
{
	int64_t v = seconds(j, "expires_in");
	if (v <= 0 && (v = seconds(j, "expires_on")) > 0)
		v -= c->host->wall_time(c->host);
	return v < LIFETIME_MAX ? v : LIFETIME_MAX;
}

// RFC 6750 section 2.1: a token is put into a header as it is.
static bool is_b64token(const char *s)
{
	return *s &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
			   "=")] == '\0';
}

static bool echoed(const struct kp_json *j, const struct cred_echo *echo)
{
	const char *got = kp_json_str(j, echo->member);
	if (!got && strcmp(echo->member, "msi_res_id") == 0)
		got = kp_json_str(j, "mi_res_id");
	return got && strcasecmp(got, echo->value) == 0;
}

static enum cmk_verdict take(const struct cred *c, const struct kp_json *j,
	const struct cred_echo *echo, struct cred_token *out, struct kp_outcome *o)
{
	const char *token = kp_json_secret(j, "access_token");
	const char *type = kp_json_str(j, "token_type");
	if (!token)
		return odd(c, o, "it has no access_token, or one that is too short");
	if (!is_b64token(token))
		return odd(c, o, "access_token has characters that no token has");
	if (type && strcasecmp(type, "Bearer") != 0)
		return odd(c, o, "token_type is not Bearer");
	if (echo && echo->member && !echoed(j, echo))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"the %s was asked for, but the answer does not name it as %s: an old agent "
			"hands out the machine's own identity instead; update the agent, or use "
			"the machine's own identity",
			c->name, echo->member);
	struct cred_token t = {.lifetime = lifetime(c, j), .refresh_in = seconds(j, "refresh_in")};
	if (t.lifetime <= 0)
		return odd(c, o,
			"it has already ended, or says neither expires_in nor expires_on; is this "
			"machine's clock right");
	if (t.refresh_in >= t.lifetime || t.refresh_in < 0)
		t.refresh_in = 0;
	size_t len = strlen(token);
	t.bearer = c->host->secret_alloc(c->host, len + 1);
	if (!t.bearer)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"no locked memory for an access token");
	memcpy(t.bearer, token, len + 1);
	*out = t;
	return CMK_GRANTED;
}

enum cmk_verdict cred_reply_token(const struct cred *c, struct http_reply *r,
	const struct cred_echo *echo, struct cred_token *out, struct kp_outcome *o)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	if (kp_json_parse(r->body, r->len, &j) || !kp_json_is_object(j))
		return odd(c, o, "it is not a JSON object");
	return take(c, j, echo, out, o);
}
