// SPDX-License-Identifier: MIT
// Faults from and to JSON; see fault.h.
#include "fault.h"

#include "emu_time.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
	[FAULT_STATUS] = "status",
	[FAULT_LATENCY] = "latency",
	[FAULT_HANG] = "hang",
	[FAULT_RESET] = "reset",
	[FAULT_TRUNCATE] = "truncate",
	[FAULT_HTML] = "html",
	[FAULT_EMPTY] = "empty",
	[FAULT_OVERSIZE] = "oversize",
	[FAULT_DRIP] = "drip",
	[FAULT_WRONG_TYPE] = "wrong-type",
	[FAULT_CAE] = "cae",
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

const char *fault_kind_name(enum fault_kind kind)
{
	return kinds[kind];
}

void fault_free(struct fault **f)
{
	if (!*f)
		return;
	free((*f)->name);
	free((*f)->operation);
	free((*f)->vault);
	free((*f)->key);
	free((*f)->version);
	free((*f)->endpoint);
	free((*f)->code);
	free((*f)->inner);
	free((*f)->message);
	free(*f);
	*f = NULL;
}

static int copy(const struct kp_json *args, const char *member, char **out, struct kp_err *err)
{
	const char *text = kp_json_str(args, member);
	if (!text && !kp_json_is_null(kp_json_get(args, member)))
		return kp_fail(err, EINVAL, "%s: expected a string", member);
	*out = text ? strdup(text) : NULL;
	return text && !*out ? kp_fail(err, ENOMEM, "out of memory") : 0;
}

static int number(const struct kp_json *args, const char *member, int64_t low, int64_t high,
	int64_t *out, struct kp_err *err)
{
	int64_t n;
	if (kp_json_is_null(kp_json_get(args, member)))
		return 0;
	if (!kp_json_int(args, member, &n) || n < low || n > high)
		return kp_fail(err, EINVAL, "%s: expected a whole number from %lld to %lld", member,
			(long long)low, (long long)high);
	*out = n;
	return 0;
}

static int parse_kind(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	const char *kind = kp_json_str(args, "kind");
	char known[160] = "";
	for (size_t i = 0; i < KINDS; i++) {
		if (kind && strcmp(kind, kinds[i]) == 0) {
			f->kind = (enum fault_kind)i;
			return 0;
		}
		size_t n = strlen(known);
		(void)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "", kinds[i]);
	}
	return kp_fail(err, EINVAL, "kind: expected one of %s", known);
}

static int parse_probability(const struct kp_json *args, double *out, struct kp_err *err)
{
	autofree char *text = NULL;
	const struct kp_json *given = kp_json_get(args, "probability");
	*out = 1;
	if (kp_json_is_null(given))
		return 0;
	if (kp_json_print(given, false, &text))
		return kp_fail(err, ENOMEM, "out of memory");
	char *end;
	double p = strtod(text, &end);
	if (*end || end == text || !isfinite(p) || p < 0 || p > 1)
		return kp_fail(err, EINVAL, "probability: expected a number from 0 to 1");
	*out = p;
	return 0;
}

static int parse_match(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	const struct kp_json *match = kp_json_get(args, "match");
	if (!kp_json_is_null(match) && !kp_json_is_object(match))
		return kp_fail(err, EINVAL, "match: expected an object");
	int ret = copy(match, "operation", &f->operation, err);
	if (!ret)
		ret = copy(match, "vault", &f->vault, err);
	if (!ret)
		ret = copy(match, "key", &f->key, err);
	if (!ret)
		ret = copy(match, "version", &f->version, err);
	return ret ? ret : copy(match, "endpoint", &f->endpoint, err);
}

static int parse_limits(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	int64_t delay = f->kind == FAULT_LATENCY ? 1000 : 0, lasts = 0;
	int ret = number(args, "count", 1, INT32_MAX, &f->left, err);
	if (!ret)
		ret = number(args, "after", 0, INT32_MAX, &f->after, err);
	if (!ret)
		ret = emu_arg_duration(args, "delay", &delay, err);
	if (!ret)
		ret = emu_arg_duration(args, "for", &lasts, err);
	if (!ret && delay > 86400000)
		ret = kp_fail(err, EINVAL, "delay: expected a day at most");
	if (!ret)
		ret = parse_probability(args, &f->probability, err);
	f->delay_ms = (uint32_t)delay;
	f->until = lasts ? emu_monotonic_ms() + lasts : 0;
	return ret;
}

static int parse_answer(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	int64_t status = f->kind == FAULT_STATUS ? 503 : f->kind == FAULT_HTML ? 502 : 200;
	int ret = number(args, "status", 200, 599, &status, err);
	if (!ret)
		ret = number(args, "retryAfter", 0, 86400, &f->retry_after, err);
	if (!ret)
		ret = copy(args, "code", &f->code, err);
	if (!ret)
		ret = copy(args, "innererror", &f->inner, err);
	f->status = (int)status;
	return ret ? ret : copy(args, "message", &f->message, err);
}

static int make_name(
	const struct kp_json *args, uint64_t serial, struct fault *f, struct kp_err *err)
{
	int ret = copy(args, "name", &f->name, err);
	if (ret || f->name)
		return ret;
	if (asprintf(&f->name, "fault-%llu", (unsigned long long)serial) >= 0)
		return 0;
	f->name = NULL;
	return kp_fail(err, ENOMEM, "out of memory");
}

int fault_parse(const struct kp_json *args, uint64_t serial, struct fault **out, struct kp_err *err)
{
	scoped(fault_free) struct fault *f = calloc(1, sizeof(*f));
	if (!f)
		return kp_fail(err, ENOMEM, "out of memory");
	f->retry_after = f->left = -1;
	int ret = make_name(args, serial, f, err);
	if (!ret)
		ret = parse_kind(args, f, err);
	if (!ret)
		ret = parse_match(args, f, err);
	if (!ret)
		ret = parse_limits(args, f, err);
	if (!ret)
		ret = parse_answer(args, f, err);
	if (!ret)
		*out = TAKE(f);
	return ret;
}

static int match_json(const struct fault *f, struct kp_json **out)
{
	int ret = kp_json_object(out);
	if (!ret && f->operation)
		ret = kp_json_add_str(*out, "operation", f->operation);
	if (!ret && f->vault)
		ret = kp_json_add_str(*out, "vault", f->vault);
	if (!ret && f->key)
		ret = kp_json_add_str(*out, "key", f->key);
	if (!ret && f->version)
		ret = kp_json_add_str(*out, "version", f->version);
	if (!ret && f->endpoint)
		ret = kp_json_add_str(*out, "endpoint", f->endpoint);
	return ret;
}

int fault_json(const struct fault *f, struct kp_json **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL, *match = NULL;
	int ret = kp_json_object(&j);
	if (!ret)
		ret = match_json(f, &match);
	if (!ret)
		ret = kp_json_add_str(j, "name", f->name);
	if (!ret)
		ret = kp_json_add(j, "match", TAKE(match));
	if (!ret)
		ret = kp_json_add_str(j, "kind", kinds[f->kind]);
	if (!ret)
		ret = kp_json_add_int(j, "status", f->status);
	if (!ret && f->left >= 0)
		ret = kp_json_add_int(j, "left", f->left);
	if (!ret)
		ret = kp_json_add_int(j, "seen", f->seen);
	if (!ret)
		ret = kp_json_add_int(j, "struck", f->struck);
	if (!ret)
		*out = TAKE(j);
	return ret;
}
