// SPDX-License-Identifier: MIT
// The token of type "cmkdisk": JSON <-> struct binding. Pure; asks neither the header nor a key.
#include "binding.h"

#include "bytes.h"
#include "json.h"
#include "mac.h"
#include "scope.h"
#include "token.h"

#include <errno.h>
#include <string.h>

#define CREATED_MAX (INT64_C(1) << 49)
#define AES_KW_LEN (SLOT_SECRET_LEN + 8) // RFC 3394: one block of 8 bytes more

// A secret cut short would be sent to the key store, which can only say that it is bad.
static int check_wrapped_len(const struct token_reader *r, const struct binding *b)
{
	size_t len = b->wrapped_len;

	if (strncmp(b->alg, "RSA", 3) == 0 && len != 256 && len != 384 && len != 512)
		return token_bad(r,
			"the member \"wrapped\" holds %zu bytes, expected 256, 384 or 512 for %s "
			"(cut short?)",
			len, b->alg);
	if (b->alg[0] == 'A' && strlen(b->alg) == 6 && strcmp(b->alg + 4, "KW") == 0 &&
		len != AES_KW_LEN)
		return token_bad(r,
			"the member \"wrapped\" holds %zu bytes, expected %d for %s (cut short?)",
			len, AES_KW_LEN, b->alg);
	return 0;
}

static int read_replaces(const struct token_reader *r, struct binding *b)
{
	const struct json *list = json_get(r->root, "replaces");
	size_t count = json_array_len(list);

	if (!list)
		return 0;
	if (count < 1 || count > BINDING_REPLACES_MAX)
		return token_bad(r, "the member \"replaces\" is not an array of 1 to %d strings",
			BINDING_REPLACES_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t len = BINDING_ID_LEN;
		int ret = token_bytes(r, "replaces", json_as_str(json_array_at(list, i)),
			BINDING_ID_LEN, b->replaces[i], &len);
		if (ret)
			return ret;
	}
	b->replaces_count = count;
	return 0;
}

static int compute_id(const struct token_reader *r, struct binding *b)
{
	int ret = sha256(b->wrapped, b->wrapped_len, b->id);
	if (ret && ret != -ENOMEM)
		return errmsg_set(r->err, -ret, "SHA-256 is not to be had: %s", strerror(-ret));
	return ret;
}

static int read_members(const struct token_reader *r, struct binding *b)
{
	size_t digest_len = sizeof(b->digest);

	int ret = token_keyslot(r, &b->keyslot);
	if (!ret)
		ret = token_str(r, "key_url", b->key_url, sizeof(b->key_url));
	if (!ret)
		ret = token_str(r, "key_version", b->key_version, sizeof(b->key_version));
	if (!ret)
		ret = token_str(r, "alg", b->alg, sizeof(b->alg));
	if (!ret)
		ret = token_bytes(r, "wrapped", json_str(r->root, "wrapped"), SLOT_SECRET_LEN,
			b->wrapped, &b->wrapped_len);
	if (!ret)
		ret = check_wrapped_len(r, b);
	if (!ret)
		ret = token_bytes(r, "digest", json_str(r->root, "digest"), sizeof(b->digest),
			b->digest, &digest_len);
	if (!ret)
		ret = token_int(r, "created", 0, CREATED_MAX, &b->created);
	if (!ret)
		ret = read_replaces(r, b);
	if (!ret)
		ret = compute_id(r, b);
	return ret;
}

int binding_parse(int token, const char *json, size_t len, struct binding *out, struct errmsg *err)
{
	struct token_reader reader scoped(token_close) = {0};
	struct binding b = {.token = token, .wrapped_len = sizeof(b.wrapped)};

	int ret = token_open(&reader, token, BINDING_TOKEN_TYPE, BINDING_FORMAT, json, len, err);
	if (!ret)
		ret = read_members(&reader, &b);
	if (!ret)
		*out = b;
	return ret;
}

bool binding_same(const struct binding *a, const struct binding *b)
{
	return a->token == b->token && a->keyslot == b->keyslot && a->created == b->created &&
	       !strcmp(a->key_url, b->key_url) && !strcmp(a->key_version, b->key_version) &&
	       !strcmp(a->alg, b->alg) && a->wrapped_len == b->wrapped_len &&
	       !memcmp(a->wrapped, b->wrapped, a->wrapped_len) &&
	       !memcmp(a->digest, b->digest, sizeof(a->digest));
}

bool binding_replaces(const struct binding *b, const struct binding *other)
{
	for (size_t i = 0; i < b->replaces_count; i++)
		if (!memcmp(b->replaces[i], other->id, BINDING_ID_LEN))
			return true;
	return false;
}

static bool taken(const size_t *order, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		if (order[i] == at)
			return true;
	return false;
}

static bool is_replaced(
	const struct binding *all, size_t count, size_t at, const size_t *order, size_t n)
{
	for (size_t i = 0; i < count; i++)
		if (i != at && !taken(order, n, i) && binding_replaces(&all[i], &all[at]))
			return true;
	return false;
}

void binding_order(const struct binding *all, size_t count, size_t *order)
{
	for (size_t n = 0; n < count; n++) {
		size_t first = count, next = count;
		for (size_t i = 0; i < count && next == count; i++) {
			if (taken(order, n, i))
				continue;
			first = first == count ? i : first;
			if (!is_replaced(all, count, i, order, n))
				next = i;
		}
		order[n] = next < count ? next : first;
	}
}

static int print_replaces(const struct binding *b, struct json *obj)
{
	struct json *list = NULL;

	if (!b->replaces_count)
		return 0;
	int ret = json_array(&list);
	if (!ret)
		ret = json_add(obj, "replaces", list);
	for (size_t i = 0; i < b->replaces_count && !ret; i++) {
		char text[BASE64URL_LEN(BINDING_ID_LEN) + 1];
		base64url_encode(b->replaces[i], BINDING_ID_LEN, text);
		ret = json_push_str(list, text);
	}
	return ret;
}

int binding_print(const struct binding *b, char **out)
{
	struct json *obj scoped(json_free) = NULL;

	int ret = token_new(BINDING_TOKEN_TYPE, b->keyslot, BINDING_FORMAT, &obj);
	if (!ret)
		ret = json_add_str(obj, "key_url", b->key_url);
	if (!ret)
		ret = json_add_str(obj, "key_version", b->key_version);
	if (!ret)
		ret = json_add_str(obj, "alg", b->alg);
	if (!ret)
		ret = token_add_bytes(obj, "wrapped", b->wrapped, b->wrapped_len);
	if (!ret)
		ret = token_add_bytes(obj, "digest", b->digest, sizeof(b->digest));
	if (!ret)
		ret = json_add_int(obj, "created", b->created);
	if (!ret)
		ret = print_replaces(b, obj);
	if (!ret)
		ret = json_print(obj, false, out);
	return ret;
}
