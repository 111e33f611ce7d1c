// SPDX-License-Identifier: MIT
// Faults to JSON: what was set, and what came of it; see fault.h.
#include "fault.h"

#include <stdio.h>
#include <string.h>

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

static int add_duration(struct kp_json *j, const char *member, int64_t ms)
{
	char text[32];
	bool whole = ms % 1000 == 0;
	(void)snprintf(text, sizeof(text), "%lld%s", (long long)(whole ? ms / 1000 : ms),
		whole ? "s" : "ms");
	return kp_json_add_str(j, member, text);
}

static int add_probability(struct kp_json *j, double p)
{
	char text[32];
	struct kp_json *number = NULL;
	int n = snprintf(text, sizeof(text), "%.15g", p);
	int ret = kp_json_parse(text, (size_t)n, &number);
	return ret ? ret : kp_json_add(j, "probability", number);
}

// The kinds whose answer has a status of its own, unlike those that send the true answer or none.
static bool answers(enum fault_kind kind)
{
	return kind == FAULT_STATUS || kind == FAULT_HTML || kind == FAULT_EMPTY ||
	       kind == FAULT_OVERSIZE || kind == FAULT_WRONG_TYPE;
}

static int add_answer(const struct fault *f, struct kp_json *j)
{
	int ret = 0;
	if (answers(f->kind))
		ret = kp_json_add_int(j, "status", f->status);
	if (!ret && f->code)
		ret = kp_json_add_str(j, "code", f->code);
	if (!ret && f->inner)
		ret = kp_json_add_str(j, "innererror", f->inner);
	if (!ret && f->message)
		ret = kp_json_add_str(j, "message", f->message);
	if (!ret && f->retry_after >= 0)
		ret = kp_json_add_int(j, "retryAfter", f->retry_after);
	return ret;
}

static int add_limits(const struct fault *f, struct kp_json *j)
{
	int ret = 0;
	if (f->delay_ms)
		ret = add_duration(j, "delay", f->delay_ms);
	if (!ret && f->after)
		ret = kp_json_add_int(j, "after", f->after);
	if (!ret && f->lasts)
		ret = add_duration(j, "for", f->lasts);
	if (!ret && f->probability < 1)
		ret = add_probability(j, f->probability);
	if (!ret && f->count >= 0)
		ret = kp_json_add_int(j, "count", f->count);
	if (!ret && f->count >= 0)
		ret = kp_json_add_int(j, "left", f->left);
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
		ret = kp_json_add_str(j, "kind", fault_kind_name(f->kind));
	if (!ret)
		ret = add_answer(f, j);
	if (!ret)
		ret = add_limits(f, j);
	if (!ret)
		ret = kp_json_add_int(j, "seen", f->seen);
	if (!ret)
		ret = kp_json_add_int(j, "struck", f->struck);
	if (!ret)
		*out = TAKE(j);
	return ret;
}
