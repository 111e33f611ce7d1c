// SPDX-License-Identifier: MIT
// Changing the bindings or the policy of an unlocked disk.
//
// The library writes a header copy, syncs, writes the other: each call below is atomic. A change of
// the bindings needs several, and every state between two of them must open. So the seal first
// takes in the MAC of the set that will be, beside that of the set that is, and the number of the
// keyslot that comes or goes; then keyslot and token change; then the seal is made single again.
//   add:    seal{old,new,pending}  keyslot+  token+  seal{new}
//   remove: seal{old,new,pending}  token-  keyslot-  seal{new}
//   what one replaces: seal{old,new}  token  seal{new}
// volume_settle() ends whatever a crash left: it destroys the pending keyslot if no token names it
// any more (or yet), and seals the set that stands there.
#include "luks_internal.h"

#include "clock.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <string.h>

// Every change starts from the header as it is on disk now, and only from a properly sealed one:
// otherwise it would put our seal under somebody else's changes.
static int begin(struct volume *v, const struct secret *dek, struct errmsg *err)
{
	if (!v->writable)
		return errmsg_set(
			err, EROFS, "%s: opened read-only, its header cannot be changed", v->name);
	uint8_t digest[BINDING_DIGEST_LEN];
	memcpy(digest, v->info.digest, sizeof(digest));
	int ret = volume_reload(v, err);
	if (ret)
		return ret;
	if (memcmp(digest, v->info.digest, sizeof(digest)) != 0)
		return errmsg_set(err, EBADMSG,
			"%s: its header was exchanged since it was opened; open it again", v->name);
	struct seal_fields fields = volume_fields(v);
	ret = seal_verify(&v->tokens.seal, &fields, dek, err);
	if (ret)
		errmsg_prefix(err, "%s", v->name);
	return ret;
}

static int compute_mac(const struct volume *v, const struct seal_fields *f,
	const struct secret *dek, uint8_t mac[MAC_LEN], struct errmsg *err)
{
	int ret = seal_mac(f, dek, mac);
	if (ret)
		return errmsg_set(
			err, -ret, "%s: cannot seal the header: %s", v->name, strerror(-ret));
	return 0;
}

// Lets the header open with the bindings that it has and with `after`, while keyslot changes.
static int announce(struct volume *v, const struct secret *dek, const struct binding *after,
	size_t count, int keyslot, struct errmsg *err)
{
	struct seal seal = v->tokens.seal;
	struct seal_fields fields = volume_fields(v);

	seal.mac_count = 2;
	seal.pending_keyslot = keyslot;
	int ret = compute_mac(v, &fields, dek, seal.mac[0], err);
	fields.bindings = after;
	fields.binding_count = count;
	if (!ret)
		ret = compute_mac(v, &fields, dek, seal.mac[1], err);
	if (!ret)
		ret = device_put_seal(&v->dev, v->name, &seal, err);
	return ret;
}

static int drop_pending_keyslot(struct volume *v, struct errmsg *err)
{
	const int keyslot = v->tokens.seal.pending_keyslot;
	if (keyslot < 0)
		return 0;
	// Someone may have put a passphrase there in between, or changed the number to that of one:
	// only a keyslot of our own making, for no token, is ours to destroy.
	const uint32_t bit = UINT32_C(1) << keyslot;
	if (!(v->header.quick_keyslots & bit) || (v->header.token_keyslots & bit))
		return 0;
	int ret = crypt_keyslot_destroy(v->dev.cd, keyslot);
	if (ret)
		return device_fail(&v->dev, v->name, ret, "removing a keyslot", err);
	return 0;
}

// One seal over what the header says now.
static int conclude(struct volume *v, const struct secret *dek, struct errmsg *err)
{
	int ret = begin(v, dek, err);
	if (ret)
		return ret;
	struct seal seal = v->tokens.seal;
	if (seal.mac_count == 1 && seal.pending_keyslot < 0)
		return 0;
	ret = drop_pending_keyslot(v, err);
	if (ret)
		return ret;
	struct seal_fields fields = volume_fields(v);
	seal.mac_count = 1;
	seal.pending_keyslot = -1;
	ret = compute_mac(v, &fields, dek, seal.mac[0], err);
	if (!ret)
		ret = device_put_seal(&v->dev, v->name, &seal, err);
	if (!ret)
		ret = volume_reload(v, err);
	return ret;
}

int volume_settle(struct volume *v, const struct secret *dek, struct errmsg *err)
{
	return conclude(v, dek, err);
}

// After the steps of a change, done (ret 0) or not: makes the seal single again.
static int finish(struct volume *v, const struct secret *dek, int ret, struct errmsg *err)
{
	if (!ret)
		return conclude(v, dek, err);
	// The sentence is about what failed; that undoing it fails too changes nothing in it.
	int undone = conclude(v, dek, NULL);
	(void)undone;
	return ret;
}

static int choose_places(struct volume *v, struct binding *b, struct errmsg *err)
{
	int keyslot = 0, token = 0;

	while (keyslot < KEYSLOTS_MAX &&
		crypt_keyslot_status(v->dev.cd, keyslot) != CRYPT_SLOT_INACTIVE)
		keyslot++;
	while (token < TOKENS_MAX &&
		crypt_token_status(v->dev.cd, token, NULL) != CRYPT_TOKEN_INACTIVE)
		token++;
	if (keyslot == KEYSLOTS_MAX || token == TOKENS_MAX || v->tokens.count >= BINDINGS_MAX)
		return errmsg_set(err, ENOSPC,
			"%s: the LUKS2 header has no room for another binding (%zu are there); "
			"remove one first",
			v->name, v->tokens.count);
	b->keyslot = keyslot;
	b->token = token;
	b->created = clock_wall_s(clock_real());
	memcpy(b->digest, v->info.digest, sizeof(b->digest));
	return 0;
}

static struct binding *with_binding(const struct tokens *t, const struct binding *b)
{
	struct binding *all = calloc(t->count + 1, sizeof(*all));
	size_t n = 0;

	if (!all)
		return NULL;
	while (n < t->count && t->bindings[n].token < b->token)
		n++;
	memcpy(all, t->bindings, n * sizeof(*all));
	all[n] = *b;
	memcpy(all + n + 1, t->bindings + n, (t->count - n) * sizeof(*all));
	return all;
}

static struct binding *without_binding(const struct tokens *t, size_t at)
{
	struct binding *rest = calloc(t->count, sizeof(*rest));

	if (!rest)
		return NULL;
	memcpy(rest, t->bindings, at * sizeof(*rest));
	memcpy(rest + at, t->bindings + at + 1, (t->count - at - 1) * sizeof(*rest));
	return rest;
}

static int add_steps(struct volume *v, const struct secret *dek, const struct binding *b,
	const struct secret *slot_secret, struct errmsg *err)
{
	struct binding *after autofree = with_binding(&v->tokens, b);

	if (!after)
		return errmsg_set(err, ENOMEM, "%s: out of memory", v->name);
	int ret = announce(v, dek, after, v->tokens.count + 1, b->keyslot, err);
	if (!ret)
		ret = device_put_keyslot(&v->dev, v->name, b->keyslot, dek, slot_secret, err);
	if (!ret)
		ret = device_put_binding(&v->dev, v->name, b, err);
	return ret;
}

int volume_add_binding(struct volume *v, const struct secret *dek, struct binding *b,
	const struct secret *slot_secret, struct errmsg *err)
{
	int ret = binding_acceptable(b, err);
	if (!ret)
		ret = conclude(v, dek, err);
	if (!ret)
		ret = choose_places(v, b, err);
	if (ret)
		return ret;
	return finish(v, dek, add_steps(v, dek, b, slot_secret, err), err);
}

int volume_remove_binding(struct volume *v, const struct secret *dek, int token, struct errmsg *err)
{
	size_t at = 0;

	int ret = conclude(v, dek, err);
	if (ret)
		return ret;
	while (at < v->tokens.count && v->tokens.bindings[at].token != token)
		at++;
	if (at == v->tokens.count)
		return errmsg_set(err, ENOENT,
			"%s: no binding in token %d; cmkdisk info shows those there are", v->name,
			token);
	if (v->tokens.count == 1)
		return errmsg_set(err, EBUSY,
			"%s: token %d is its last binding, without it no key opens the disk; add "
			"another first",
			v->name, token);
	struct binding *after autofree = without_binding(&v->tokens, at);
	if (!after)
		return errmsg_set(err, ENOMEM, "%s: out of memory", v->name);
	ret = announce(v, dek, after, v->tokens.count - 1, v->tokens.bindings[at].keyslot, err);
	if (!ret)
		ret = device_put_token(&v->dev, v->name, token, NULL, err);
	return finish(v, dek, ret, err); // destroys the keyslot, which is pending now
}

static struct binding *with_replaces(const struct tokens *t, const struct binding *b, size_t at)
{
	struct binding *all = calloc(t->count, sizeof(*all));

	if (!all)
		return NULL;
	memcpy(all, t->bindings, t->count * sizeof(*all));
	memcpy(all[at].replaces, b->replaces, sizeof(all[at].replaces));
	all[at].replaces_count = b->replaces_count;
	return all;
}

int volume_set_replaces(
	struct volume *v, const struct secret *dek, const struct binding *b, struct errmsg *err)
{
	size_t at = 0;

	int ret = conclude(v, dek, err);
	if (ret)
		return ret;
	while (at < v->tokens.count && !binding_same(&v->tokens.bindings[at], b))
		at++;
	if (at == v->tokens.count)
		return errmsg_set(err, ENOENT,
			"%s: the binding in token %d is not there any more; try again", v->name,
			b->token);
	struct binding *after autofree = with_replaces(&v->tokens, b, at);
	if (!after)
		return errmsg_set(err, ENOMEM, "%s: out of memory", v->name);
	ret = announce(v, dek, after, v->tokens.count, -1, err);
	if (!ret)
		ret = device_put_binding(&v->dev, v->name, &after[at], err);
	return finish(v, dek, ret, err);
}

int volume_set_policy(struct volume *v, const struct secret *dek, const struct volume_policy *p,
	struct errmsg *err)
{
	int ret = policy_check(p, v->info.sector_size, err);
	if (!ret)
		ret = conclude(v, dek, err);
	if (ret)
		return ret;
	if (p->size != v->info.policy.size || p->thin != v->info.policy.thin)
		return errmsg_set(err, EINVAL,
			"%s: the size of a disk, and whether it is thin, are settled when it is "
			"created",
			v->name);
	struct seal seal = v->tokens.seal;
	struct seal_fields fields = volume_fields(v);
	seal.policy = fields.policy = *p;
	ret = compute_mac(v, &fields, dek, seal.mac[0], err);
	if (!ret)
		ret = device_put_seal(&v->dev, v->name, &seal, err);
	if (!ret)
		ret = volume_reload(v, err);
	return ret;
}
