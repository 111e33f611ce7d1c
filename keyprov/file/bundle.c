// SPDX-License-Identifier: MIT
// Reading a key bundle and choosing among its versions; see bundle.h. Pure: no files, no keys.
#include "bundle.h"

#include "kp_base64.h"
#include "kp_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define PART_CHARS KP_BASE64_LEN(512) // a modulus of 4096 bits

static const char *const rsa_names[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};
static const char *const oct_names[] = {"k"};

const char *const *bundle_part_names(enum bundle_kty kty, size_t *count)
{
	*count = kty == BUNDLE_RSA ? sizeof(rsa_names) / sizeof(*rsa_names) : 1;
	return kty == BUNDLE_RSA ? rsa_names : oct_names;
}

const char *bundle_kty_name(enum bundle_kty kty)
{
	return kty == BUNDLE_RSA ? "RSA" : "oct";
}

int bundle_new(const struct cmk_host *host, enum bundle_kty kty, struct bundle **out)
{
	struct bundle *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->host = host;
	b->kty = kty;
	*out = b;
	return 0;
}

void bundle_free(struct bundle **b)
{
	struct bundle *x = *b;
	if (!x)
		return;
	for (size_t i = 0; i < x->count; i++)
		x->host->secret_free(x->host, x->versions[i].own);
	free(x->versions);
	kp_json_free(&x->root);
	x->host->secret_free(x->host, x->text);
	free(x);
	*b = NULL;
}

int bundle_add(struct bundle *b, struct bundle_version **out)
{
	struct bundle_version *v = realloc(b->versions, (b->count + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	b->versions = v;
	*out = &v[b->count++];
	memset(*out, 0, sizeof(**out));
	return 0;
}

// A time that may be null or absent.
static int get_time(const struct kp_json *j, const char *name, int64_t *out, struct kp_err *err)
{
	*out = 0;
	if (kp_json_is_null(kp_json_get(j, name)))
		return 0;
	if (!kp_json_int(j, name, out) || *out < 0 || *out > BUNDLE_TIME_MAX)
		return kp_fail(err, EBADMSG,
			"\"%s\" is neither null nor a time in whole Unix seconds", name);
	return 0;
}

static int get_attributes(const struct kp_json *j, struct bundle_version *v, struct kp_err *err)
{
	if (!kp_json_bool(j, "enabled", &v->enabled))
		return kp_fail(err, EBADMSG, "\"attributes\" has no \"enabled\" of true or false");
	int ret = get_time(j, "nbf", &v->nbf, err);
	ret = ret ? ret : get_time(j, "exp", &v->exp, err);
	ret = ret ? ret : get_time(j, "created", &v->created, err);
	return ret ? ret : get_time(j, "updated", &v->updated, err);
}

// The size of a key from its first member, which for RSA is public.
static int get_bits(enum bundle_kty kty, const char *text, uint32_t *bits)
{
	if (kty == BUNDLE_OCT) {
		// Without decoding the secret: 32 bytes are 43 characters.
		*bits = 256;
		return strlen(text) == KP_BASE64_LEN(32) ? 0 : -EBADMSG;
	}
	uint8_t n[512];
	size_t len = sizeof(n);
	int ret = kp_base64_decode(text, n, &len);
	if (ret)
		return ret;
	*bits = (uint32_t)len * 8;
	bool whole = len > 0 && (n[0] & 0x80);
	return whole && (*bits == 2048 || *bits == 3072 || *bits == 4096) ? 0 : -EBADMSG;
}

static int get_key(
	const struct kp_json *j, enum bundle_kty kty, struct bundle_version *v, struct kp_err *err)
{
	const char *own_kty = kp_json_str(j, "kty");
	if (!kp_json_is_null(kp_json_get(j, "kty")) &&
		(!own_kty || strcmp(own_kty, bundle_kty_name(kty)) != 0))
		return kp_fail(err, EBADMSG, "its \"kty\" is not the bundle's, \"%s\"",
			bundle_kty_name(kty));
	size_t count;
	const char *const *names = bundle_part_names(kty, &count);
	for (size_t i = 0; i < count; i++) {
		// Only n and e are public; the others must not have been copied by the parser.
		bool is_public = kty == BUNDLE_RSA && i < 2;
		const char *s = is_public ? kp_json_str(j, names[i]) : kp_json_secret(j, names[i]);
		if (!s || strlen(s) < 2 || strlen(s) > PART_CHARS || strspn(s, BASE64) != strlen(s))
			return kp_fail(err, EBADMSG,
				"key member \"%s\" is missing or not base64url of a fitting length",
				names[i]);
		v->part[i] = s;
	}
	if (get_bits(kty, v->part[0], &v->bits))
		return kp_fail(err, EBADMSG, "the size of the key is not %s",
			kty == BUNDLE_RSA ? "2048, 3072 or 4096 bits" : "256 bits");
	return 0;
}

static bool is_version(const char *s)
{
	return s && strlen(s) == BUNDLE_VERSION_LEN &&
	       strspn(s, "0123456789abcdef") == BUNDLE_VERSION_LEN;
}

static int get_version(const struct kp_json *j, struct bundle *b, struct kp_err *err)
{
	const char *name = kp_json_str(j, "version");
	if (!is_version(name))
		return kp_fail(err, EBADMSG, "\"version\" is not 32 lower-case hex digits");
	if (bundle_find(b, name))
		return kp_fail(err, EBADMSG, "version %s is there twice", name);
	struct bundle_version *v;
	int ret = bundle_add(b, &v);
	if (ret)
		return kp_fail(err, -ret, "no memory for the versions");
	memcpy(v->version, name, BUNDLE_VERSION_LEN + 1);
	ret = get_key(kp_json_get(j, "key"), b->kty, v, err);
	return ret ? ret : get_attributes(kp_json_get(j, "attributes"), v, err);
}

static int get_versions(struct bundle *b, struct kp_err *err)
{
	const struct kp_json *list = kp_json_get(b->root, "versions");
	if (!kp_json_first(list))
		return kp_fail(err, EBADMSG, "\"versions\" is missing or empty");
	size_t i = 0;
	for (const struct kp_json *v = kp_json_first(list); v; v = kp_json_next(v), i++) {
		int ret = get_version(v, b, err);
		if (ret) {
			char where[48];
			(void)snprintf(where, sizeof(where), "in versions[%zu]", i);
			kp_err_prefix(err, where);
			return ret;
		}
	}
	return 0;
}

static int get_head(struct bundle *b, struct kp_err *err)
{
	int64_t format;
	if (!kp_json_int(b->root, "format", &format))
		return kp_fail(err, EBADMSG, "\"format\" is missing");
	if (format != 1)
		return kp_fail(err, EBADMSG, "\"format\" is %lld where this program knows only 1",
			(long long)format);
	const char *kty = kp_json_str(b->root, "kty");
	if (kty && strcmp(kty, "RSA") == 0)
		b->kty = BUNDLE_RSA;
	else if (kty && strcmp(kty, "oct") == 0)
		b->kty = BUNDLE_OCT;
	else
		return kp_fail(err, EBADMSG, "\"kty\" is neither \"RSA\" nor \"oct\"");
	int ret = get_time(b->root, "created", &b->created, err);
	return ret ? ret : get_time(b->root, "deletedDate", &b->deleted, err);
}

int bundle_parse(const struct cmk_host *host, char *text, size_t len, struct bundle **out,
	struct kp_err *err)
{
	scoped(bundle_free) struct bundle *b = NULL;
	int ret = bundle_new(host, BUNDLE_RSA, &b);
	if (ret) {
		host->secret_free(host, text);
		return kp_fail(err, -ret, "no memory for the key bundle");
	}
	b->text = text;
	ret = kp_json_parse(text, len, &b->root);
	if (ret == -ENOMEM)
		return kp_fail(err, ENOMEM, "no memory for the key bundle");
	if (ret || !kp_json_is_object(b->root))
		return kp_fail(err, EBADMSG, "it is not a JSON object");
	ret = get_head(b, err);
	if (ret)
		return ret;
	ret = get_versions(b, err);
	if (ret)
		return ret;
	*out = TAKE(b);
	return 0;
}

struct bundle_version *bundle_find(const struct bundle *b, const char *version)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->versions[i].version, version) == 0)
			return &b->versions[i];
	return NULL;
}

bool bundle_version_is_current(const struct bundle_version *v, int64_t now)
{
	return (v->nbf == 0 || v->nbf <= now) && (v->exp == 0 || now < v->exp);
}

struct bundle_version *bundle_newest(const struct bundle *b)
{
	struct bundle_version *best = NULL;
	for (size_t i = 0; i < b->count; i++)
		if (!best || b->versions[i].created >= best->created)
			best = &b->versions[i];
	return best;
}

struct bundle_version *bundle_usable(const struct bundle *b, int64_t now)
{
	struct bundle_version *best = NULL;
	for (size_t i = 0; i < b->count; i++) {
		struct bundle_version *v = &b->versions[i];
		if (v->enabled && bundle_version_is_current(v, now) &&
			(!best || v->created >= best->created))
			best = v;
	}
	return best;
}
