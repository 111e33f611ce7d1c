// SPDX-License-Identifier: MIT
// Using keys: the checks that come before, and the answers; see kv_vaults.h. The lock is held for
// the checks only.
#include "kp_base64.h"
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

#define KID_MAX (KV_BASE_MAX + KV_NAME_MAX + KV_VERSION_LEN + 16)

// The text of the refusal outside nbf and exp is not known from the service; its status and code
// are.
static int check_times(struct kv_call *c, const struct kv_version *v)
{
	unsigned op = kv_op_bit(c->verb);
	if (!(op & (KV_WRAP | KV_ENCRYPT | KV_SIGN)))
		return 0;
	if (v->nbf && c->now < v->nbf)
		return kv_refuse(c->no, 403, "Forbidden", "KeyNotYetValid",
			"Operation %s is not allowed on a key that is not yet valid.", c->verb);
	if (v->exp && c->now >= v->exp)
		return kv_refuse(c->no, 403, "Forbidden", "KeyExpired",
			"Operation %s is not allowed on an expired key.", c->verb);
	return 0;
}

static int begin(struct kv_call *c, struct kv_material *m, char kid[KID_MAX])
{
	scoped(kv_unlock) struct vaults *held = c->vs;
	struct kv_key *k;
	struct kv_version *v;
	kv_lock(held);
	int ret = kv_current(c, &k, &v);
	if (ret)
		return ret;
	(void)snprintf(kid, KID_MAX, "%s/keys/%s/%s", c->base, k->name, v->id);
	if (!v->enabled)
		return kv_refuse(c->no, 403, "Forbidden", "KeyDisabled",
			"Operation %s is not allowed on a disabled key.", c->verb);
	if (!(v->ops & kv_op_bit(c->verb)))
		return kv_refuse(c->no, 403, "Forbidden", "KeyOperationForbidden",
			"Operation %s is not permitted on this key.", c->verb);
	ret = check_times(c, v);
	return ret ? ret : kv_material_copy(&v->material, m);
}

static int read_alg(struct kv_call *c, const char **alg)
{
	*alg = kp_json_str(c->body, "alg");
	if (*alg && (*alg)[strspn(*alg, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")])
		*alg = NULL;
	return *alg ? 0 : kv_bad(c->no, "Property 'alg' is required.\r\n");
}

static int put_bytes(const char *name, const struct kv_bytes *b, FILE *out)
{
	if (!b->data)
		return 0;
	char *text = malloc(KP_BASE64_LEN(b->len) + 1);
	if (!text)
		return -ENOMEM;
	kp_base64_encode(b->data, b->len, text);
	(void)fprintf(out, ",\"%s\":\"%s\"", name, text);
	explicit_bzero(text, strlen(text));
	free(text);
	return 0;
}

int kv_cipher(struct kv_call *c, FILE *out)
{
	scoped(kv_material_end) struct kv_material m = {0};
	scoped(kv_input_end) struct kv_input in = {0};
	scoped(kv_output_end) struct kv_output result = {0};
	unsigned op = kv_op_bit(c->verb);
	bool wrap = op & (KV_WRAP | KV_UNWRAP);
	char kid[KID_MAX];
	int ret = begin(c, &m, kid);
	if (ret == 0)
		ret = read_alg(c, &in.alg);
	if (ret == 0)
		ret = kv_bytes_member(c->body, "value", true, &in.value, c->no);
	if (ret == 0)
		ret = kv_bytes_member(c->body, "iv", false, &in.iv, c->no);
	if (ret == 0)
		ret = kv_bytes_member(c->body, "aad", false, &in.aad, c->no);
	if (ret == 0)
		ret = kv_bytes_member(c->body, "tag", false, &in.tag, c->no);
	if (ret == 0)
		ret = op & (KV_WRAP | KV_ENCRYPT) ? kv_encrypt(&m, wrap, &in, &result, c->no)
						  : kv_decrypt(&m, wrap, &in, &result, c->no);
	if (ret)
		return ret;
	if (c->vault->hsm)
		(void)fprintf(out, "{\"alg\":\"%s\",\"kid\":\"%s\"", in.alg, kid);
	else
		(void)fprintf(out, "{\"kid\":\"%s\"", kid);
	ret = put_bytes("value", &result.value, out);
	if (ret == 0)
		ret = put_bytes("iv", &result.iv, out);
	if (ret == 0)
		ret = put_bytes("tag", &result.tag, out);
	if (ret == 0 && result.tag.data)
		ret = put_bytes("aad", &in.aad, out);
	(void)fputc('}', out);
	return ret;
}

int kv_sign_digest(struct kv_call *c, FILE *out)
{
	scoped(kv_material_end) struct kv_material m = {0};
	scoped(kv_bytes_end) struct kv_bytes digest = {0}, signature = {0};
	const char *alg;
	char kid[KID_MAX];
	int ret = begin(c, &m, kid);
	if (ret == 0)
		ret = read_alg(c, &alg);
	if (ret == 0)
		ret = kv_bytes_member(c->body, "value", true, &digest, c->no);
	if (ret == 0)
		ret = kv_sign(&m, alg, &digest, &signature, c->no);
	if (ret)
		return ret;
	if (c->vault->hsm)
		(void)fprintf(out, "{\"alg\":\"%s\",\"kid\":\"%s\"", alg, kid);
	else
		(void)fprintf(out, "{\"kid\":\"%s\"", kid);
	ret = put_bytes("value", &signature, out);
	(void)fputc('}', out);
	return ret;
}

int kv_verify_digest(struct kv_call *c, FILE *out)
{
	scoped(kv_material_end) struct kv_material m = {0};
	scoped(kv_bytes_end) struct kv_bytes digest = {0}, signature = {0};
	const char *alg;
	bool valid = false;
	char kid[KID_MAX];
	int ret = begin(c, &m, kid);
	if (ret == 0)
		ret = read_alg(c, &alg);
	if (ret == 0)
		ret = kv_bytes_member(c->body, "digest", true, &digest, c->no);
	if (ret == 0)
		ret = kv_bytes_member(c->body, "value", true, &signature, c->no);
	if (ret == 0)
		ret = kv_verify(&m, alg, &digest, &signature, &valid, c->no);
	if (ret)
		return ret;
	(void)fprintf(out, "{\"value\":%s}", valid ? "true" : "false");
	return 0;
}
