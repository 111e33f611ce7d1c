// SPDX-License-Identifier: MIT
// A key as the state directory keeps it. This is an emulator: private keys lie there as PEM, only
// guarded by the file's mode.
#include "kv_model.h"

#include "kp_base64.h"
#include "kv_crypto.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define FORMAT 1

static void bio_free(BIO **b)
{
	BIO_free(*b);
}

// PEM as a JSON string: only line ends need an escape.
static int print_pem(EVP_PKEY *key, FILE *out)
{
	scoped(bio_free) BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return -ENOMEM;
	long len = BIO_get_mem_data(bio, &text);
	for (long i = 0; i < len; i++)
		(void)(text[i] == '\n' ? fputs("\\n", out) : fputc(text[i], out));
	return 0;
}

static int print_version(const struct kv_version *v, FILE *out)
{
	const struct kv_material *m = &v->material;
	(void)fprintf(out, "{\"version\":\"%s\",\"kty\":\"%s\",\"bits\":%u,", v->id, kv_kty_name(m),
		m->bits);
	if (m->kty == KV_OCT) {
		char k[KP_BASE64_LEN(sizeof(m->oct)) + 1];
		kp_base64_encode(m->oct, m->bits / 8, k);
		(void)fprintf(out, "\"k\":\"%s\",", k);
		explicit_bzero(k, sizeof(k));
	} else {
		(void)fputs("\"private\":\"", out);
		int ret = print_pem(m->pkey, out);
		if (ret)
			return ret;
		(void)fputs("\",", out);
	}
	(void)fputs("\"key_ops\":[", out);
	const char *comma = "";
	for (unsigned i = 0; i < KV_OPS; i++)
		if (v->ops & 1u << i) {
			(void)fprintf(out, "%s\"%s\"", comma, kv_op_name(i));
			comma = ",";
		}
	(void)fprintf(out,
		"],\"attributes\":{\"enabled\":%s,\"exportable\":%s,\"nbf\":%lld,\"exp\":%lld},"
		"\"created\":%lld,\"updated\":%lld",
		v->enabled ? "true" : "false", v->exportable ? "true" : "false", (long long)v->nbf,
		(long long)v->exp, (long long)v->created, (long long)v->updated);
	if (v->tags)
		(void)fprintf(out, ",\"tags\":%s", v->tags);
	if (v->release)
		(void)fprintf(out, ",\"release_policy\":%s", v->release);
	(void)fputc('}', out);
	return 0;
}

static void print_policy(const struct kv_policy *p, FILE *out)
{
	(void)fprintf(out, "{\"created\":%lld,\"updated\":%lld,\"expiryTime\":\"%s\",\"actions\":[",
		(long long)p->created, (long long)p->updated, p->expiry);
	for (size_t i = 0; i < p->count; i++)
		(void)fprintf(out, "%s{\"rotate\":%s,\"after\":%s,\"time\":\"%s\"}", i ? "," : "",
			p->actions[i].rotate ? "true" : "false",
			p->actions[i].after ? "true" : "false", p->actions[i].time);
	(void)fputs("]}", out);
}

int kv_key_print(const struct kv_key *k, FILE *out)
{
	(void)fprintf(out,
		"{\"format\":%d,\"name\":\"%s\",\"deletedDate\":%lld,\"scheduledPurgeDate\":%lld,"
		"\"hiddenUntil\":%lld,\"rotationPolicy\":",
		FORMAT, k->name, (long long)k->deleted, (long long)k->purge_at,
		(long long)k->hidden_until);
	print_policy(&k->policy, out);
	(void)fputs(",\"versions\":[", out);
	for (size_t i = 0; i < k->count; i++) {
		if (i)
			(void)fputc(',', out);
		int ret = print_version(&k->versions[i], out);
		if (ret)
			return ret;
	}
	(void)fputs("]}\n", out);
	return 0;
}

static int parse_material(const struct kp_json *j, struct kv_material *m)
{
	const char *kty = kp_json_str(j, "kty"), *pem = kp_json_str(j, "private"),
		   *k = kp_json_str(j, "k");
	size_t len = sizeof(m->oct);
	if (!kty)
		return -EBADMSG;
	m->hsm = strstr(kty, "-HSM") != NULL;
	if (k) {
		m->kty = KV_OCT;
		if (kp_base64_decode(k, m->oct, &len))
			return -EBADMSG;
		m->bits = (unsigned)len * 8;
		return 0;
	}
	scoped(bio_free) BIO *bio = pem ? BIO_new_mem_buf(pem, -1) : NULL;
	m->pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	return m->pkey && kv_material_name(m) ? 0 : -EBADMSG;
}

static int parse_version(const struct kp_json *j, struct kv_key *k)
{
	scoped(kv_change_end) struct kv_change c = {0};
	struct kv_refusal no = {0};
	struct kv_version *v;
	const char *id = kp_json_str(j, "version");
	int64_t created, updated;
	int ret = kv_key_add(k, 0, &v);
	if (ret)
		return ret;
	if (!id || !kv_version_ok(id) || !kp_json_int(j, "created", &created) ||
		!kp_json_int(j, "updated", &updated) || kv_change_read(j, &c, &no))
		return -EBADMSG;
	memcpy(v->id, id, sizeof(v->id));
	kv_change_apply(&c, v, updated);
	v->created = created;
	return parse_material(j, &v->material);
}

static int parse_policy(const struct kp_json *j, struct kv_policy *p)
{
	const char *expiry = kp_json_str(j, "expiryTime");
	const struct kp_json *a = kp_json_first(kp_json_get(j, "actions"));
	if (!expiry || strlen(expiry) >= sizeof(p->expiry) ||
		!kp_json_int(j, "created", &p->created) || !kp_json_int(j, "updated", &p->updated))
		return -EBADMSG;
	memcpy(p->expiry, expiry, strlen(expiry) + 1);
	for (; a && p->count < 2; a = kp_json_next(a)) {
		struct kv_action *out = &p->actions[p->count++];
		const char *time = kp_json_str(a, "time");
		if (!time || strlen(time) >= sizeof(out->time) ||
			!kp_json_bool(a, "rotate", &out->rotate) ||
			!kp_json_bool(a, "after", &out->after))
			return -EBADMSG;
		memcpy(out->time, time, strlen(time) + 1);
	}
	return 0;
}

int kv_key_parse(char *text, size_t len, struct kv_key **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	scoped(kv_key_free) struct kv_key *k = NULL;
	int64_t format;
	int ret = kp_json_parse(text, len, &j);
	if (ret)
		return ret;
	const char *name = kp_json_str(j, "name");
	if (!name || !kv_name_ok(name) || !kp_json_int(j, "format", &format) || format != FORMAT)
		return -EBADMSG;
	ret = kv_key_new(name, &k);
	if (ret)
		return ret;
	if (!kp_json_int(j, "deletedDate", &k->deleted) ||
		!kp_json_int(j, "scheduledPurgeDate", &k->purge_at) ||
		!kp_json_int(j, "hiddenUntil", &k->hidden_until))
		return -EBADMSG;
	ret = parse_policy(kp_json_get(j, "rotationPolicy"), &k->policy);
	const struct kp_json *v = kp_json_first(kp_json_get(j, "versions"));
	for (; ret == 0 && v; v = kp_json_next(v))
		ret = parse_version(v, k);
	if (ret)
		return ret;
	if (!k->count)
		return -EBADMSG;
	*out = TAKE(k);
	return 0;
}
