// SPDX-License-Identifier: MIT
// Attributes, operations and tags as requests spell them; see struct kv_change.
#include "kv_model.h"

#include <errno.h>
#include <string.h>

#define TAGS 15
#define TAG_CHARS 256

static int invalid(struct kv_refusal *no, const char *property)
{
	return kv_bad(no, "Property %s has invalid value\r\n", property);
}

int kv_change_ops(const struct kp_json *ops, struct kv_change *out, struct kv_refusal *no)
{
	if (kp_json_is_null(ops))
		return 0;
	if (!kp_json_is_array(ops))
		return invalid(no, "key_ops");
	out->has_ops = true;
	for (const struct kp_json *o = kp_json_first(ops); o; o = kp_json_next(o)) {
		autofree char *text = NULL;
		int ret = kp_json_print(o, false, &text);
		if (ret)
			return ret;
		// A string in its quotes; no operation's name needs an escape.
		size_t len = strlen(text);
		if (len < 2 || text[0] != '"')
			return invalid(no, "key_ops");
		text[len - 1] = '\0';
		unsigned bit = kv_op_bit(text + 1);
		if (!bit)
			return kv_bad(no, "Property key_ops has invalid value %.40s\r\n", text + 1);
		out->ops |= bit;
	}
	return 0;
}

// null counts as absent, as the service's clients send it.
static int read_time(
	const struct kp_json *a, const char *name, bool *has, int64_t *out, struct kv_refusal *no)
{
	if (kp_json_is_null(kp_json_get(a, name)))
		return 0;
	*has = kp_json_int(a, name, out);
	return *has && *out >= 0 ? 0 : invalid(no, name);
}

static int read_bool(
	const struct kp_json *a, const char *name, bool *has, bool *out, struct kv_refusal *no)
{
	if (kp_json_is_null(kp_json_get(a, name)))
		return 0;
	*has = kp_json_bool(a, name, out);
	return *has ? 0 : invalid(no, name);
}

// Behind the string that begins at p, with its characters counted; NULL if there is none.
static const char *skip_string(const char *p, size_t *chars)
{
	*chars = 0;
	if (*p++ != '"')
		return NULL;
	for (; *p && *p != '"'; (*chars)++)
		p += *p == '\\' ? (p[1] == 'u' ? 6 : 2) : 1;
	return *p ? p + 1 : NULL;
}

// text is compact JSON that was printed from a tree, so only its shape is in question.
static bool tags_ok(const char *text)
{
	size_t chars, n = 0;
	if (strcmp(text, "{}") == 0)
		return true;
	for (const char *p = text; *p == '{' || *p == ',';) {
		p = skip_string(p + 1, &chars);
		if (!p || chars > TAG_CHARS || *p != ':' || ++n > TAGS)
			return false;
		p = skip_string(p + 1, &chars);
		if (!p || chars > TAG_CHARS)
			return false;
		if (*p == '}')
			return true;
	}
	return false;
}

int kv_change_read(const struct kp_json *body, struct kv_change *out, struct kv_refusal *no)
{
	const struct kp_json *a = kp_json_get(body, "attributes"),
			     *tags = kp_json_get(body, "tags"),
			     *release = kp_json_get(body, "release_policy");
	if (!kp_json_is_null(a) && !kp_json_is_object(a))
		return invalid(no, "attributes");
	int ret = kv_change_ops(kp_json_get(body, "key_ops"), out, no);
	if (ret == 0)
		ret = read_time(a, "nbf", &out->has_nbf, &out->nbf, no);
	if (ret == 0)
		ret = read_time(a, "exp", &out->has_exp, &out->exp, no);
	if (ret == 0)
		ret = read_bool(a, "enabled", &out->has_enabled, &out->enabled, no);
	if (ret == 0)
		ret = read_bool(a, "exportable", &out->has_exportable, &out->exportable, no);
	if (ret == 0 && !kp_json_is_null(tags))
		ret = kp_json_print(tags, false, &out->tags);
	if (ret == 0 && out->tags && !tags_ok(out->tags))
		ret = invalid(no, "tags");
	if (ret == 0 && !kp_json_is_null(release))
		ret = kp_json_is_object(release) ? kp_json_print(release, false, &out->release)
						 : invalid(no, "release_policy");
	if (ret == 0 && out->has_nbf && out->has_exp && out->nbf && out->exp &&
		out->exp <= out->nbf)
		ret = kv_bad(no, "Attribute exp must be later than nbf\r\n");
	return ret;
}

void kv_change_apply(struct kv_change *c, struct kv_version *v, int64_t now)
{
	if (c->has_ops)
		v->ops = c->ops;
	if (c->has_enabled)
		v->enabled = c->enabled;
	if (c->has_exportable)
		v->exportable = c->exportable;
	if (c->has_nbf)
		v->nbf = c->nbf;
	if (c->has_exp)
		v->exp = c->exp;
	if (c->tags) {
		free(v->tags);
		v->tags = TAKE(c->tags);
	}
	if (c->release) {
		free(v->release);
		v->release = TAKE(c->release);
	}
	v->updated = now;
}

void kv_change_end(struct kv_change *c)
{
	free(c->tags);
	free(c->release);
}
