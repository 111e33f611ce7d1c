// SPDX-License-Identifier: MIT
// Opening and unlocking a disk: header -> allow-list -> our tokens -> (a key elsewhere unwraps the
// slot secret) -> keyslot -> volume key -> seal. Nothing of the header is believed before the end
// of that row, except for asking for the key.
#include "luks_internal.h"

#include "json.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <string.h>

const struct volume_info *volume_info(const struct volume *v)
{
	return &v->info;
}

void volume_close(struct volume **v)
{
	if (!*v)
		return;
	device_free(&(*v)->dev);
	tokens_free(&(*v)->tokens);
	free((*v)->path);
	free((*v)->name);
	free(*v);
	*v = NULL;
}

struct seal_fields volume_fields(const struct volume *v)
{
	struct seal_fields f = {
		.key_len = VOLUME_KEY_LEN,
		.sector_size = v->info.sector_size,
		.data_offset = v->info.data_offset,
		.policy = v->tokens.seal.policy,
		.bindings = v->tokens.bindings,
		.binding_count = v->tokens.count,
	};
	memcpy(f.uuid, v->info.uuid, sizeof(f.uuid));
	memcpy(f.cipher, v->info.cipher, sizeof(f.cipher));
	memcpy(f.digest, v->info.digest, sizeof(f.digest));
	return f;
}

static int check_binding(const struct volume *v, const struct json *json, const struct header *h,
	const struct binding *b, struct errmsg *err)
{
	if (memcmp(b->digest, h->digest, sizeof(b->digest)) != 0)
		return errmsg_set(err, EBADMSG,
			"%s: the binding in token %d is for another volume key; the disk was "
			"re-encrypted by "
			"other tools (cryptsetup reencrypt): open it with cryptsetup and a "
			"passphrase, and make "
			"a new disk with: cmkdisk create",
			v->name, b->token);
	return header_check_keyslot(v->name, json, h, b->token, b->keyslot, err);
}

static int check_size(const struct volume *v, const struct header *h, const struct volume_policy *p,
	struct errmsg *err)
{
	if (p->size % h->sector_size != 0)
		return errmsg_set(err, EBADMSG,
			"%s: the sealed size of %llu bytes is not a multiple of the sector size of "
			"%u; restore a "
			"header backup (cryptsetup luksHeaderRestore)",
			v->name, (unsigned long long)p->size, h->sector_size);
	// Both are at most 2^49, so the sum is exact.
	uint64_t need = h->data_offset + p->size;
	if (v->info.backing_size < need)
		return errmsg_set(err, EBADMSG,
			"%s: cut short: the disk of %llu bytes needs a backing file of %llu bytes, "
			"%llu are "
			"missing; get the whole file back from a backup",
			v->name, (unsigned long long)p->size, (unsigned long long)need,
			(unsigned long long)(need - v->info.backing_size));
	return 0;
}

static bool uuid_is_plain(const char *uuid)
{
	if (!uuid || strlen(uuid) != VOLUME_UUID_LEN)
		return false;
	return strspn(uuid, "0123456789abcdefABCDEF-") == VOLUME_UUID_LEN;
}

static void fill_info(struct volume *v, const char *uuid)
{
	const char *label = crypt_get_label(v->dev.cd);
	struct volume_info *i = &v->info;

	memcpy(i->uuid, uuid, sizeof(i->uuid));
	(void)snprintf(i->label, sizeof(i->label), "%s", label ? label : "");
	text_sanitise(i->label);
	(void)snprintf(i->cipher, sizeof(i->cipher), "%s", VOLUME_CIPHER);
	i->sector_size = v->header.sector_size;
	i->data_offset = v->header.data_offset;
	memcpy(i->digest, v->header.digest, sizeof(i->digest));
	i->policy = v->tokens.seal.policy;
	i->bindings = v->tokens.bindings;
	i->binding_count = v->tokens.count;
	i->keyslot_count = v->header.keyslot_count;
	i->pending = v->tokens.seal.mac_count > 1 || v->tokens.seal.pending_keyslot >= 0;
}

int volume_adopt(struct volume *v, struct errmsg *err)
{
	struct json *json scoped(json_free) = NULL;
	struct tokens tokens scoped(tokens_free) = {0};
	struct header header;
	const char *text = NULL, *uuid = crypt_get_uuid(v->dev.cd);
	const char *subsystem = crypt_get_subsystem(v->dev.cd);

	int ret = crypt_dump_json(v->dev.cd, &text, 0);
	if (ret)
		return device_fail(&v->dev, v->name, ret, "reading the LUKS2 header", err);
	ret = json_parse(text, strlen(text), &json);
	if (ret)
		return errmsg_set(err, -ret, "%s: the LUKS2 header's JSON cannot be read: %s",
			v->name, strerror(-ret));
	ret = tokens_present(v->name, json, subsystem ? subsystem : "", err);
	if (!ret)
		ret = header_check(v->name, json, &header, err);
	if (!ret)
		ret = tokens_read(v->name, json, &tokens, err);
	for (size_t i = 0; i < tokens.count && !ret; i++)
		ret = check_binding(v, json, &header, &tokens.bindings[i], err);
	if (!ret)
		ret = check_size(v, &header, &tokens.seal.policy, err);
	if (ret)
		return ret;
	if (!uuid_is_plain(uuid))
		return errmsg_set(err, EBADMSG,
			"%s: the LUKS2 header has no proper UUID; restore a header backup "
			"(cryptsetup "
			"luksHeaderRestore)",
			v->name);
	tokens_free(&v->tokens);
	v->tokens = tokens;
	tokens.bindings = NULL;
	v->header = header;
	fill_info(v, uuid);
	return 0;
}

bool volume_same(const struct volume_info *a, const struct volume_info *b)
{
	const struct volume_policy *p = &a->policy, *q = &b->policy;
	return !strcmp(a->uuid, b->uuid) && !strcmp(a->cipher, b->cipher) &&
	       !memcmp(a->digest, b->digest, sizeof(a->digest)) &&
	       a->data_offset == b->data_offset && a->sector_size == b->sector_size &&
	       p->size == q->size && p->thin == q->thin && p->expiry_stops == q->expiry_stops &&
	       p->grace_denied_ms == q->grace_denied_ms &&
	       p->grace_unreachable_ms == q->grace_unreachable_ms;
}

int volume_reload(struct volume *v, struct errmsg *err)
{
	v->dev.said[0] = '\0';
	int ret = crypt_load(v->dev.cd, CRYPT_LUKS2, NULL);
	if (ret == -EINVAL)
		return probe_explain(v->path, v->name, err);
	if (ret)
		return device_fail(&v->dev, v->name, ret, "reading the LUKS2 header", err);
	return volume_adopt(v, err);
}

int volume_open(const char *path, bool writable, struct volume **out, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = calloc(1, sizeof(*v));

	if (!v)
		return errmsg_set(err, ENOMEM, "%s: out of memory", path);
	v->path = strdup(path);
	v->writable = writable;
	if (!v->path || probe_name(path, &v->name))
		return errmsg_set(err, ENOMEM, "%s: out of memory", path);
	int ret = probe_backing(path, v->name, writable, &v->info.backing_size, err);
	// The library has no good words for a file that is too small for a header.
	if (!ret && v->info.backing_size < SMALLEST_HEADER)
		return probe_explain(path, v->name, err);
	if (!ret)
		ret = device_wait_unlocked(path, v->name, writable, err);
	if (!ret)
		ret = device_init(path, v->name, &v->dev, err);
	if (!ret)
		ret = volume_reload(v, err);
	if (!ret)
		*out = TAKE(v);
	return ret;
}

// The keyslot's answer, into locked memory that is wiped on every way out.
static int open_keyslot(struct volume *v, const struct binding *b, const struct secret *slot_secret,
	struct secret **dek, struct errmsg *err)
{
	struct secret *key scoped(secret_free) = NULL;
	size_t len = VOLUME_KEY_LEN;

	int ret = secret_new(VOLUME_KEY_LEN, &key);
	if (ret)
		return errmsg_set(err, -ret, "%s: no memory for the data key", v->name);
	v->dev.said[0] = '\0';
	ret = crypt_volume_key_get(v->dev.cd, b->keyslot, (char *)key->data, &len,
		(const char *)slot_secret->data, slot_secret->len);
	if (ret == -EPERM)
		return errmsg_set(err, EKEYREJECTED,
			"%s: the key store unwrapped a secret for the binding in token %d, but it "
			"does not "
			"open keyslot %d; the wrapped secret or the keyslot was replaced: restore "
			"a header "
			"backup (cryptsetup luksHeaderRestore)",
			v->name, b->token, b->keyslot);
	if (ret < 0)
		return device_fail(&v->dev, v->name, ret, "opening the keyslot", err);
	if (len != VOLUME_KEY_LEN)
		return errmsg_set(err, EBADMSG,
			"%s: the data key is %zu bytes long, expected %d; restore a header backup "
			"(cryptsetup "
			"luksHeaderRestore)",
			v->name, len, VOLUME_KEY_LEN);
	*dek = TAKE(key);
	return 0;
}

int volume_unlock(struct volume *v, const struct binding *b, const struct secret *slot_secret,
	struct secret **dek, struct errmsg *err)
{
	struct secret *key scoped(secret_free) = NULL;

	if (memcmp(b->digest, v->info.digest, sizeof(b->digest)) != 0)
		return errmsg_set(err, EBADMSG,
			"%s: this binding is for another volume key; open the disk again and use a "
			"binding of "
			"its own",
			v->name);
	int ret = open_keyslot(v, b, slot_secret, &key, err);
	if (ret)
		return ret;
	struct seal_fields fields = volume_fields(v);
	ret = seal_verify(&v->tokens.seal, &fields, key, err);
	if (ret) {
		errmsg_prefix(err, "%s", v->name);
		return ret;
	}
	*dek = TAKE(key);
	return 0;
}
