// SPDX-License-Identifier: MIT
// Rotation policies; see kv_vaults.h. The emulator keeps and checks them and lets rotate apply
// expiryTime; it does not rotate by itself when their time comes.
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

#define DAY 86400
#define EXPIRY_MIN (28 * DAY)

static int show(const struct kv_call *c, const struct kv_key *k, FILE *out)
{
	static const struct kv_action notify = {.time = "P30D"};
	const struct kv_policy *p = &k->policy;
	// A vault adds a notification by itself where there is none.
	bool add = !c->vault->hsm && (p->count == 0 || (p->count == 1 && p->actions[0].rotate));
	(void)fprintf(out, "{\"id\":\"%s/keys/%s/rotationpolicy\",\"lifetimeActions\":[", c->base,
		k->name);
	for (size_t i = 0; i < p->count + add; i++) {
		const struct kv_action *a = i < p->count ? &p->actions[i] : &notify;
		(void)fprintf(out, "%s{\"trigger\":{\"%s\":\"%s\"},\"action\":{\"type\":\"%s\"}}",
			i ? "," : "", a->after ? "timeAfterCreate" : "timeBeforeExpiry", a->time,
			a->rotate ? "Rotate" : "Notify");
	}
	(void)fputs("],\"attributes\":{", out);
	if (p->expiry[0])
		(void)fprintf(out, "\"expiryTime\":\"%s\"%s", p->expiry, p->updated ? "," : "");
	if (p->updated)
		(void)fprintf(out, "\"created\":%lld,\"updated\":%lld", (long long)p->created,
			(long long)p->updated);
	(void)fputs("}}", out);
	return 0;
}

int kv_policy_get(struct kv_call *c, FILE *out)
{
	struct kv_key *k;
	int ret = kv_live(c, &k);
	return ret ? ret : show(c, k, out);
}

static int invalid(struct kv_call *c, const char *why)
{
	return kv_bad(c->no, "The rotation policy is invalid: %s.\r\n", why);
}

static bool take_time(const char *text, char out[KV_TIME_LEN], int64_t *seconds)
{
	if (!kv_duration(text, seconds))
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static int read_action(
	struct kv_call *c, const struct kp_json *j, int64_t expiry, struct kv_policy *p)
{
	const struct kp_json *trigger = kp_json_get(j, "trigger");
	const char *after = kp_json_str(trigger, "timeAfterCreate"),
		   *before = kp_json_str(trigger, "timeBeforeExpiry"),
		   *type = kp_json_str(kp_json_get(j, "action"), "type");
	int64_t minimum = (c->vault->hsm ? 28 : 7) * DAY, time;
	if (p->count == 2)
		return invalid(c, "there may be one action of each type");
	struct kv_action *a = &p->actions[p->count];
	if (!type || (strcasecmp(type, "Rotate") != 0 && strcasecmp(type, "Notify") != 0))
		return invalid(c, "an action is Rotate or Notify");
	a->rotate = strcasecmp(type, "Rotate") == 0;
	a->after = after != NULL;
	if (p->count == 1 && p->actions[0].rotate == a->rotate)
		return invalid(c, "there may be one action of each type");
	if (!after == !before)
		return invalid(c, "a trigger is either timeAfterCreate or timeBeforeExpiry");
	if (!take_time(after ? after : before, a->time, &time))
		return invalid(c, "times are ISO 8601 durations");
	if (!a->rotate && after)
		return invalid(c, "Notify takes timeBeforeExpiry");
	if (a->rotate && before && !expiry)
		return invalid(c, "timeBeforeExpiry needs an expiryTime");
	if (expiry && time >= expiry)
		return invalid(c, "a trigger must lie inside expiryTime");
	if (a->rotate && (after ? time : expiry - time) < minimum)
		return invalid(c, c->vault->hsm ? "keys are rotated every 28 days or less often"
						: "keys are rotated every 7 days or less often");
	p->count++;
	return 0;
}

static int read_policy(struct kv_call *c, struct kv_policy *p)
{
	const struct kp_json *attributes = kp_json_get(c->body, "attributes");
	const struct kp_json *expiry = kp_json_get(attributes, "expiryTime");
	int64_t seconds = 0;
	if (!kp_json_is_null(expiry)) {
		const char *text = kp_json_str(attributes, "expiryTime");
		if (!text || !take_time(text, p->expiry, &seconds))
			return invalid(c, "times are ISO 8601 durations");
		if (seconds < EXPIRY_MIN)
			return invalid(c, "expiryTime must be 28 days or more");
	}
	const struct kp_json *a = kp_json_first(kp_json_get(c->body, "lifetimeActions"));
	int ret = 0;
	for (; a && ret == 0; a = kp_json_next(a))
		ret = read_action(c, a, seconds, p);
	return ret;
}

int kv_policy_set(struct kv_call *c, FILE *out)
{
	scoped(kv_key_free) struct kv_key *copy = NULL;
	struct kv_policy policy = {0};
	struct kv_version *v;
	int ret = read_policy(c, &policy);
	if (ret == 0)
		ret = kv_change_begin(c, &copy, &v);
	if (ret)
		return ret;
	policy.created = copy->policy.created ? copy->policy.created : c->now;
	policy.updated = c->now;
	copy->policy = policy;
	ret = show(c, copy, out);
	return ret ? ret : kv_vault_put(c->vs, c->vault, &copy);
}
