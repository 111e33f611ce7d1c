// SPDX-License-Identifier: MIT
// The key that a request names, or why it is not found; see kv_vaults.h.
#include "kv_vaults.h"

#include <errno.h>

int kv_no_name(struct kv_call *c)
{
	return kv_refuse(c->no, 404, "KeyNotFound", NULL,
		"A key with (name/id) %s%s%s was not found in this key vault. If you recently "
		"deleted "
		"this key you may be able to recover it using the correct recovery command. For "
		"help "
		"resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
		c->key, c->version[0] ? "/" : "", c->version);
}

int kv_live(struct kv_call *c, struct kv_key **out)
{
	struct kv_key *k = kv_vault_key(c->vault, c->key);
	if (!k || k->deleted || c->now < k->hidden_until)
		return kv_no_name(c);
	*out = k;
	return 0;
}

int kv_live_version(struct kv_call *c, struct kv_key **key, struct kv_version **out)
{
	int ret = kv_live(c, key);
	if (ret)
		return ret;
	*out = kv_key_find(*key, c->version);
	return *out ? 0 : kv_no_name(c);
}

int kv_current(struct kv_call *c, struct kv_key **key, struct kv_version **out)
{
	int ret = kv_vault_sweep(c->vs, c->vault, c->now);
	return ret ? ret : kv_live_version(c, key, out);
}

int kv_deleted(struct kv_call *c, struct kv_key **out)
{
	struct kv_key *k = kv_vault_key(c->vault, c->key);
	if (!k || !k->deleted || c->now < k->hidden_until)
		return kv_refuse(
			c->no, 404, "KeyNotFound", NULL, "Deleted Key not found: %s", c->key);
	*out = k;
	return 0;
}

int kv_free_name(struct kv_call *c, const char *name)
{
	const struct kv_key *k = kv_vault_key(c->vault, name);
	if (!k || !k->deleted)
		return 0;
	return kv_refuse(c->no, 409, "Conflict", "ObjectIsDeletedButRecoverable",
		"Key %s is currently in a deleted but recoverable state, and its name cannot be "
		"reused; "
		"in this state, the key can only be recovered or purged.",
		name);
}
