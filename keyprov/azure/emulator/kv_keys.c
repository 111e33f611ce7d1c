// SPDX-License-Identifier: MIT
// Reading, changing, deleting and bringing back keys; see kv_vaults.h.
#include "kp_base64.h"
#include "kv_vaults.h"

#include <errno.h>
#include <openssl/rand.h>

int kv_get(struct kv_call *c, FILE *out)
{
	struct kv_key *k;
	struct kv_version *v;
	int ret = kv_live_version(c, &k, &v);
	return ret ? ret : kv_show_key(c, k, v, out);
}

int kv_update(struct kv_call *c, FILE *out)
{
	scoped(kv_change_end) struct kv_change change = {0};
	scoped(kv_key_free) struct kv_key *copy = NULL;
	struct kv_key *k;
	struct kv_version *v;
	int ret = kv_change_read(c->body, &change, c->no);
	if (ret == 0)
		ret = kv_change_begin(c, &copy, &v);
	if (ret)
		return ret;
	kv_change_apply(&change, v, c->now);
	ret = kv_vault_put(c->vs, c->vault, &copy);
	if (ret == 0)
		ret = kv_live_version(c, &k, &v);
	return ret ? ret : kv_show_key(c, k, v, out);
}

int kv_delete(struct kv_call *c, FILE *out)
{
	scoped(kv_key_free) struct kv_key *copy = NULL;
	struct kv_version *v;
	int ret = kv_change_begin(c, &copy, &v);
	if (ret)
		return ret;
	if (c->set.days == 0) {
		ret = kv_show_key(c, copy, v, out);
		return ret ? ret : kv_vault_drop(c->vs, c->vault, copy);
	}
	copy->deleted = c->now;
	copy->purge_at = c->now + c->set.days * 86400;
	copy->hidden_until = c->now + c->set.lag;
	ret = kv_show_key(c, copy, v, out);
	return ret ? ret : kv_vault_put(c->vs, c->vault, &copy);
}

int kv_get_deleted(struct kv_call *c, FILE *out)
{
	struct kv_key *k;
	int ret = kv_deleted(c, &k);
	return ret ? ret : kv_show_key(c, k, kv_key_latest(k), out);
}

int kv_recover(struct kv_call *c, FILE *out)
{
	scoped(kv_key_free) struct kv_key *copy = NULL;
	struct kv_key *k;
	int ret = kv_deleted(c, &k);
	if (ret == 0)
		ret = kv_key_copy(k, &copy);
	if (ret)
		return ret;
	copy->deleted = copy->purge_at = 0;
	copy->hidden_until = c->now + c->set.lag;
	ret = kv_show_key(c, copy, kv_key_latest(copy), out);
	return ret ? ret : kv_vault_put(c->vs, c->vault, &copy);
}

int kv_purge(struct kv_call *c, FILE *out)
{
	struct kv_key *k;
	(void)out;
	int ret = kv_deleted(c, &k);
	if (ret)
		return ret;
	if (c->set.purge_protection)
		return kv_refuse(c->no, 403, "Forbidden", NULL,
			"Operation \"purge\" is not allowed because purge protection is enabled "
			"for this "
			"vault. Key Vault service will automatically purge it after the retention "
			"period has passed.\r\nVault: %s;location=local",
			c->vault->name);
	c->status = 204;
	return kv_vault_drop(c->vs, c->vault, k);
}

int kv_unsupported(struct kv_call *c, FILE *out)
{
	struct kv_key *k;
	struct kv_version *v;
	(void)out;
	int ret = kv_live_version(c, &k, &v);
	return ret ? ret
		   : kv_refuse(c->no, 400, "NotSupported", NULL,
			     "This emulator of a key vault has no trusted execution environment to "
			     "attest or release keys to.");
}

int kv_random(struct kv_call *c, FILE *out)
{
	int64_t count;
	uint8_t raw[128];
	char text[KP_BASE64_LEN(sizeof(raw)) + 1];
	if (!kp_json_int(c->body, "count", &count) || count < 1 || count > (int)sizeof(raw))
		return kv_bad(c->no, "Property count has invalid value\r\n");
	if (RAND_bytes(raw, (int)count) != 1)
		return -EIO;
	kp_base64_encode(raw, (size_t)count, text);
	(void)fprintf(out, "{\"value\":\"%s\"}", text);
	return 0;
}
