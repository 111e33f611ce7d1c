// SPDX-License-Identifier: MIT
// New versions of keys: create, import, rotate; see kv_vaults.h.
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

#define HSM_VERSIONS 100

static unsigned default_ops(const struct kv_material *m)
{
	if (m->kty == KV_EC)
		return KV_SIGN | KV_VERIFY;
	unsigned ops = KV_ENCRYPT | KV_DECRYPT | KV_WRAP | KV_UNWRAP;
	return m->kty == KV_OCT ? ops : ops | KV_SIGN | KV_VERIFY;
}

int kv_change_begin(struct kv_call *c, struct kv_key **copy, struct kv_version **v)
{
	struct kv_key *k;
	int ret = kv_live(c, &k);
	if (ret == 0)
		ret = kv_key_copy(k, copy);
	if (ret)
		return ret;
	*v = kv_key_find(*copy, c->version);
	return *v ? 0 : kv_no_name(c);
}

// A copy of the key as it is, or a new one, with room for one version more.
static int begin(struct kv_call *c, struct kv_key **copy, struct kv_version **v)
{
	int ret = kv_free_name(c, c->key);
	if (ret)
		return ret;
	const struct kv_key *k = kv_vault_key(c->vault, c->key);
	if (k && c->vault->hsm && k->count >= HSM_VERSIONS)
		return kv_bad(c->no, "Key %s has %d versions, which is the most.\r\n", k->name,
			HSM_VERSIONS);
	ret = k ? kv_key_copy(k, copy) : kv_key_new(c->key, copy);
	return ret ? ret : kv_key_add(*copy, c->now, v);
}

// Puts the copy in place and shows its newest version.
static int finish(struct kv_call *c, struct kv_key **copy, FILE *out)
{
	int ret = kv_vault_put(c->vs, c->vault, copy);
	if (ret)
		return ret;
	const struct kv_key *k = kv_vault_key(c->vault, c->key);
	return kv_show_key(c, k, kv_key_latest(k), out);
}

static int add_made(struct kv_call *c, struct kv_material *m, struct kv_change *change, FILE *out)
{
	scoped(kv_key_free) struct kv_key *copy = NULL;
	struct kv_version *v;
	int ret = kv_vault_sweep(c->vs, c->vault, c->now);
	if (ret == 0)
		ret = begin(c, &copy, &v);
	if (ret)
		return ret;
	v->ops = default_ops(m);
	v->material = *m;
	*m = (struct kv_material){0};
	kv_change_apply(change, v, c->now);
	return finish(c, &copy, out);
}

// A Managed HSM makes "RSA" an "RSA-HSM" without a word; a vault has no AES keys.
static int take_kty(struct kv_call *c, const char *kty, struct kv_material *m)
{
	static const char *const names[] = {"RSA", "RSA-HSM", "EC", "EC-HSM", "oct", "oct-HSM"};
	unsigned i = 0;
	while (i < 6 && (!kty || strcmp(names[i], kty) != 0))
		i++;
	if (!kty)
		return kv_bad(c->no, "Property kty is required.\r\n");
	if (i == 6 || (i >= 4 && !c->vault->hsm))
		return kv_bad(c->no, "Property kty has invalid value %.20s\r\n", kty);
	m->kty = i < 2 ? KV_RSA : (i < 4 ? KV_EC : KV_OCT);
	m->hsm = c->vault->hsm || i % 2 == 1;
	return 0;
}

static int check_release(const struct kv_call *c, const struct kv_change *change)
{
	if (change->exportable && !change->release)
		return kv_bad(c->no, "An exportable key needs a release_policy.\r\n");
	return 0;
}

int kv_create(struct kv_call *c, FILE *out)
{
	scoped(kv_change_end) struct kv_change change = {0};
	scoped(kv_material_end) struct kv_material m = {0};
	int64_t bits = 0, exponent = 0;
	int ret = take_kty(c, kp_json_str(c->body, "kty"), &m);
	if (ret == 0)
		ret = kv_change_read(c->body, &change, c->no);
	if (ret == 0)
		ret = check_release(c, &change);
	if (ret)
		return ret;
	if ((!kp_json_is_null(kp_json_get(c->body, "key_size")) &&
		    !kp_json_int(c->body, "key_size", &bits)) ||
		(!kp_json_is_null(kp_json_get(c->body, "public_exponent")) &&
			!kp_json_int(c->body, "public_exponent", &exponent)))
		return kv_bad(c->no, "Property key_size has invalid value\r\n");
	// Without the lock: a large key takes seconds.
	if (m.kty == KV_RSA)
		ret = kv_material_rsa(bits, exponent, &m, c->no);
	else if (m.kty == KV_EC)
		ret = kv_material_ec(kp_json_str(c->body, "crv"), &m, c->no);
	else
		ret = kv_material_oct(bits, &m, c->no);
	if (ret)
		return ret;
	scoped(kv_unlock) struct vaults *held = c->vs;
	kv_lock(held);
	return add_made(c, &m, &change, out);
}

// The version of kid if it lies in this vault and may import keys, and nothing else.
static int find_kek(struct kv_call *c, const char *kid, const struct kv_material **out)
{
	char name[KV_NAME_MAX + 1] = "", version[KV_VERSION_LEN + 1] = "";
	const char *path = kid ? strstr(kid, "/keys/") : NULL;
	if (path)
		(void)sscanf(path, "/keys/%127[0-9a-zA-Z-]/%32[0-9a-f]", name, version);
	const struct kv_key *k = name[0] ? kv_vault_key(c->vault, name) : NULL;
	const struct kv_version *v = k && version[0] ? kv_key_find(k, version) : NULL;
	if (!v || k->deleted)
		return kv_bad(c->no,
			"The key encryption key %.200s of the key transfer blob is not in "
			"this vault.\r\n",
			kid ? kid : "(none)");
	if (v->ops != KV_IMPORT || !v->enabled || !v->material.hsm)
		return kv_bad(c->no,
			"The key encryption key %.200s must be an enabled RSA-HSM key "
			"whose only operation is import.\r\n",
			kid);
	*out = &v->material;
	return 0;
}

static int take_byok(struct kv_call *c, const char *blob, struct kv_material *m)
{
	scoped(kv_bytes_end) struct kv_bytes text = {0}, ciphertext = {0};
	scoped(kp_json_free) struct kp_json *j = NULL;
	const struct kv_material *kek = NULL;
	int ret = kv_bytes_any_base64(blob, &text, c->no);
	if (ret)
		return ret;
	text.data[text.len] = '\0';
	ret = kp_json_parse((char *)text.data, text.len, &j);
	if (ret == -ENOMEM)
		return ret;
	const struct kp_json *header = kp_json_get(j, "header");
	const char *enc = kp_json_str(header, "enc"), *version = kp_json_str(j, "schema_version");
	if (!enc || strcmp(enc, "CKM_RSA_AES_KEY_WRAP") != 0 || !version ||
		strcmp(version, "1.0.0") != 0)
		return kv_bad(c->no, "Property key_hsm is not a key transfer blob.\r\n");
	ret = kv_bytes_member(j, "ciphertext", true, &ciphertext, c->no);
	if (ret == 0)
		ret = find_kek(c, kp_json_str(header, "kid"), &kek);
	if (ret == 0 && !m->hsm)
		ret = kv_bad(
			c->no, "Property kty must name an HSM type for a key transfer blob.\r\n");
	return ret ? ret : kv_material_byok(kek, &ciphertext, m->kty, m, c->no);
}

int kv_import(struct kv_call *c, FILE *out)
{
	scoped(kv_change_end) struct kv_change change = {0};
	scoped(kv_material_end) struct kv_material m = {0};
	const struct kp_json *key = kp_json_get(c->body, "key");
	bool hsm = false;
	if (!kp_json_is_object(key))
		return kv_bad(c->no, "Property 'key' is required.\r\n");
	int ret = take_kty(c, kp_json_str(key, "kty"), &m);
	if (ret == 0)
		ret = kv_change_read(c->body, &change, c->no);
	if (ret == 0)
		ret = kv_change_ops(kp_json_get(key, "key_ops"), &change, c->no);
	if (ret == 0)
		ret = check_release(c, &change);
	if (ret)
		return ret;
	m.hsm |= kp_json_bool(c->body, "Hsm", &hsm) && hsm;
	const char *blob = kp_json_str(key, "key_hsm");
	ret = blob ? take_byok(c, blob, &m) : kv_material_jwk(key, &m, c->no);
	return ret ? ret : add_made(c, &m, &change, out);
}

// What the next version is made like.
static int model(struct kv_call *c, struct kv_material *like)
{
	scoped(kv_unlock) struct vaults *held = c->vs;
	struct kv_key *k;
	struct kv_version *v;
	kv_lock(held);
	int ret = kv_current(c, &k, &v);
	if (ret)
		return ret;
	if (c->vault->hsm && c->q && !k->policy.updated)
		return kv_bad(c->no, "Key %s has no rotation policy; set one first.\r\n", k->name);
	if (v->exportable)
		return kv_bad(c->no, "Key %s is exportable and cannot be rotated.\r\n", k->name);
	*like = v->material;
	like->pkey = NULL;
	explicit_bzero(like->oct, sizeof(like->oct));
	return 0;
}

int kv_rotate(struct kv_call *c, FILE *out)
{
	struct kv_material like = {0};
	scoped(kv_material_end) struct kv_material m = {0};
	scoped(kv_key_free) struct kv_key *copy = NULL;
	struct kv_version *v;
	struct kv_key *k;
	int64_t expiry;
	int ret = model(c, &like);
	if (ret)
		return ret;
	m.hsm = like.hsm;
	if (like.kty == KV_RSA)
		ret = kv_material_rsa(like.bits, 0, &m, c->no);
	else if (like.kty == KV_EC)
		ret = kv_material_ec(like.crv, &m, c->no);
	else
		ret = kv_material_oct(like.bits, &m, c->no);
	if (ret)
		return ret;
	scoped(kv_unlock) struct vaults *held = c->vs;
	kv_lock(held);
	ret = kv_live(c, &k); // still
	if (ret == 0)
		ret = begin(c, &copy, &v);
	if (ret)
		return ret;
	const struct kv_version *old = &copy->versions[copy->count - 2];
	v->ops = old->ops;
	v->tags = old->tags ? strdup(old->tags) : NULL;
	if (old->tags && !v->tags)
		return -ENOMEM;
	v->material = m;
	m = (struct kv_material){0};
	if (kv_duration(copy->policy.expiry, &expiry))
		v->exp = c->now + expiry;
	return finish(c, &copy, out);
}
