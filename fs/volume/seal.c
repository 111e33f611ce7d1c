// SPDX-License-Identifier: MIT
// The seal: what it covers, as bytes; its MAC; and its token's JSON <-> struct seal. Pure.
#include "seal.h"

#include "bytes.h"
#include "json.h"
#include "scope.h"
#include "secret.h"
#include "token.h"

#include <errno.h>
#include <string.h>

#define SEAL_INFO "cmkdisk seal v1"

// A row of items, first counted (data NULL), then written.
struct row {
	uint8_t *data;
	size_t len;
};

static void put_bytes(struct row *row, const void *data, size_t len)
{
	if (row->data) {
		store_le32(row->data + row->len, (uint32_t)len);
		memcpy(row->data + row->len + 4, data, len);
	}
	row->len += 4 + len;
}

static void put_text(struct row *row, const char *text)
{
	put_bytes(row, text, strlen(text));
}

static void put_number(struct row *row, uint64_t value)
{
	uint8_t bytes[8];
	store_le64(bytes, value);
	put_bytes(row, bytes, sizeof(bytes));
}

static void put_binding(struct row *row, const struct binding *b)
{
	put_number(row, (uint64_t)b->token);
	put_number(row, (uint64_t)b->keyslot);
	put_text(row, b->key_url);
	put_text(row, b->key_version);
	put_text(row, b->alg);
	put_bytes(row, b->wrapped, b->wrapped_len);
	put_bytes(row, b->digest, sizeof(b->digest));
	put_number(row, (uint64_t)b->created);
	if (b->replaces_count)
		put_bytes(row, b->replaces, b->replaces_count * BINDING_ID_LEN);
}

static void put_fields(struct row *row, const struct seal_fields *f)
{
	put_text(row, f->uuid);
	put_text(row, f->cipher);
	put_number(row, f->key_len);
	put_number(row, f->sector_size);
	put_number(row, f->data_offset);
	put_bytes(row, f->digest, sizeof(f->digest));
	put_number(row, f->policy.size);
	put_number(row, f->policy.thin);
	put_number(row, f->policy.grace_denied_ms);
	put_number(row, f->policy.grace_unreachable_ms);
	put_number(row, f->policy.expiry_stops);
	put_number(row, f->binding_count);
	for (size_t i = 0; i < f->binding_count; i++)
		put_binding(row, &f->bindings[i]);
}

int seal_mac(const struct seal_fields *f, const struct secret *dek, uint8_t out[MAC_LEN])
{
	struct secret *key scoped(secret_free) = NULL;
	struct row count = {0};

	put_fields(&count, f);
	uint8_t *data autofree = malloc(count.len);
	if (!data)
		return -ENOMEM;
	struct row row = {.data = data};
	put_fields(&row, f);

	int ret = hkdf_sha256(dek, f->uuid, strlen(f->uuid), SEAL_INFO, &key);
	if (!ret)
		ret = hmac_sha256(key, row.data, row.len, out);
	return ret;
}

int seal_verify(const struct seal *s, const struct seal_fields *f, const struct secret *dek,
	struct errmsg *err)
{
	uint8_t mac[MAC_LEN];

	int ret = seal_mac(f, dek, mac);
	if (ret)
		return errmsg_set(
			err, -ret, "cannot compute the seal of the header: %s", strerror(-ret));
	for (size_t i = 0; i < s->mac_count; i++)
		if (!mac_differs(s->mac[i], mac))
			return 0;
	return errmsg_set(err, EBADMSG,
		"the seal of the header is broken: its UUID, cipher, sector size, data offset, "
		"disk size, "
		"policy or bindings were changed by someone who does not hold the data key; no "
		"data was "
		"served; find out who can write the backing file, and restore a header backup "
		"(cryptsetup luksHeaderRestore)");
}

static int read_policy(const struct token_reader *r, struct volume_policy *p)
{
	int64_t size, denied, unreachable;
	const int64_t grace_max = (int64_t)GRACE_MS_MAX;
	const char *on_expiry = json_str(r->root, "on_expiry");

	int ret = token_int(r, "size", 512, (int64_t)VOLUME_SIZE_MAX, &size);
	if (!ret)
		ret = token_int(r, "grace_denied_ms", 0, grace_max, &denied);
	if (!ret)
		ret = token_int(r, "grace_unreachable_ms", 0, grace_max, &unreachable);
	if (ret)
		return ret;
	if (!json_bool(r->root, "thin", &p->thin))
		return token_bad(r, "the member \"thin\" is missing or not a boolean");
	if (!on_expiry || (strcmp(on_expiry, "stop") != 0 && strcmp(on_expiry, "ignore") != 0))
		return token_bad(r, "the member \"on_expiry\" is neither \"stop\" nor \"ignore\"");
	p->expiry_stops = strcmp(on_expiry, "stop") == 0;
	p->size = (uint64_t)size;
	p->grace_denied_ms = (uint64_t)denied;
	p->grace_unreachable_ms = (uint64_t)unreachable;
	return 0;
}

static int read_macs(const struct token_reader *r, struct seal *s)
{
	const struct json *macs = json_get(r->root, "mac");
	size_t count = json_array_len(macs);

	if (count < 1 || count > SEAL_MACS_MAX)
		return token_bad(r, "the member \"mac\" is not an array of one or two strings");
	for (size_t i = 0; i < count; i++) {
		size_t len = MAC_LEN;
		int ret = token_bytes(
			r, "mac", json_as_str(json_array_at(macs, i)), MAC_LEN, s->mac[i], &len);
		if (ret)
			return ret;
	}
	s->mac_count = count;
	return 0;
}

int seal_parse(int token, const char *json, size_t len, struct seal *out, struct errmsg *err)
{
	struct token_reader reader scoped(token_close) = {0};
	struct seal s = {.token = token, .pending_keyslot = -1};
	int64_t pending;

	int ret = token_open(&reader, token, SEAL_TOKEN_TYPE, SEAL_FORMAT, json, len, err);
	if (ret)
		return ret;
	const struct json *slots = json_get(reader.root, "keyslots");
	if (!json_is_array(slots) || json_array_len(slots) != 0)
		return token_bad(&reader, "the member \"keyslots\" is not an empty array");
	ret = read_policy(&reader, &s.policy);
	if (!ret)
		ret = read_macs(&reader, &s);
	if (!ret && json_get(reader.root, "pending_keyslot")) {
		ret = token_int(&reader, "pending_keyslot", 0, 31, &pending);
		s.pending_keyslot = ret ? -1 : (int)pending;
	}
	if (!ret)
		*out = s;
	return ret;
}

static int print_macs(struct json *obj, const struct seal *s)
{
	struct json *macs = NULL;

	int ret = json_array(&macs);
	if (!ret)
		ret = json_add(obj, "mac", macs);
	for (size_t i = 0; i < s->mac_count && !ret; i++) {
		char text[BASE64URL_LEN(MAC_LEN) + 1];
		base64url_encode(s->mac[i], MAC_LEN, text);
		ret = json_push_str(macs, text);
	}
	return ret;
}

int seal_print(const struct seal *s, char **out)
{
	const struct volume_policy *p = &s->policy;
	struct json *obj scoped(json_free) = NULL;

	int ret = token_new(SEAL_TOKEN_TYPE, -1, SEAL_FORMAT, &obj);
	if (!ret)
		ret = json_add_int(obj, "size", (int64_t)p->size);
	if (!ret)
		ret = json_add_bool(obj, "thin", p->thin);
	if (!ret)
		ret = json_add_int(obj, "grace_denied_ms", (int64_t)p->grace_denied_ms);
	if (!ret)
		ret = json_add_int(obj, "grace_unreachable_ms", (int64_t)p->grace_unreachable_ms);
	if (!ret)
		ret = json_add_str(obj, "on_expiry", p->expiry_stops ? "stop" : "ignore");
	if (!ret)
		ret = print_macs(obj, s);
	if (!ret && s->pending_keyslot >= 0)
		ret = json_add_int(obj, "pending_keyslot", s->pending_keyslot);
	if (!ret)
		ret = json_print(obj, false, out);
	return ret;
}

int policy_check(const struct volume_policy *p, uint32_t sector_size, struct errmsg *err)
{
	if (p->size == 0 || p->size % sector_size != 0 || p->size > VOLUME_SIZE_MAX)
		return errmsg_set(err, EINVAL,
			"a disk of %llu bytes cannot be: expected a multiple of the sector size of "
			"%u bytes, "
			"more than 0 and at most 512 TiB; choose another size",
			(unsigned long long)p->size, sector_size);
	if (p->grace_denied_ms > GRACE_MS_MAX || p->grace_unreachable_ms > GRACE_MS_MAX)
		return errmsg_set(err, EINVAL,
			"a grace of more than ten years cannot be; choose a shorter one");
	return 0;
}
