// SPDX-License-Identifier: MIT
// Any bytes as a key bundle: the parser must not crash, leak secret memory, or accept what it
// would not read back; the first version's key must come to a verdict.
#include "bundle.h"
#include "key.h"
#include "provider_host.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static struct bundle *parse(struct provider_host *h, const void *data, size_t size)
{
	struct bundle *b = NULL;
	struct kp_err err = {""};
	char *text = h->api.secret_alloc(&h->api, size + 1);
	require(text != NULL);
	if (size)
		memcpy(text, data, size);
	int ret = bundle_parse(&h->api, text, size, &b, &err);
	require(ret == 0 ? b != NULL : err.text[0] != '\0');
	return b;
}

static void require_same(const struct bundle *a, const struct bundle *b)
{
	size_t parts;
	(void)bundle_part_names(a->kty, &parts);
	require(a->kty == b->kty && a->created == b->created && a->deleted == b->deleted);
	require(a->count == b->count && a->count > 0);
	for (size_t i = 0; i < a->count; i++) {
		const struct bundle_version *v = &a->versions[i], *w = &b->versions[i];
		require(strcmp(v->version, w->version) == 0 && v->enabled == w->enabled);
		require(v->nbf == w->nbf && v->exp == w->exp);
		require(v->created == w->created && v->updated == w->updated && v->bits == w->bits);
		for (size_t p = 0; p < parts; p++)
			require(strcmp(v->part[p], w->part[p]) == 0);
	}
}

// What was accepted is printed, read back, and the same.
static void round_trip(struct provider_host *h, const struct bundle *b)
{
	char *text;
	size_t len;
	struct kp_err err;
	if (bundle_print(b, &text, &len, &err))
		return;
	struct bundle *again = parse(h, text, len);
	h->api.secret_free(&h->api, text);
	require(again != NULL);
	require_same(b, again);
	bundle_free(&again);
}

static void use_key(const struct bundle *b)
{
	uint8_t wrapped[512] = {1}, out[64];
	size_t len = sizeof(out);
	struct kp_err err;
	bool rsa = b->kty == BUNDLE_RSA;
	size_t wrapped_len = rsa ? b->versions[0].bits / 8 : 72;
	int ret = key_unwrap(b, &b->versions[0], rsa ? "RSA-OAEP-256" : "A256KW", wrapped,
		wrapped_len, out, &len, &err);
	require(ret <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct provider_host h;
	provider_host_init(&h);
	if (size > BUNDLE_MAX)
		return 0;
	struct bundle *b = parse(&h, data, size);
	if (b) {
		require(bundle_newest(b) != NULL);
		(void)bundle_usable(b, h.now);
		round_trip(&h, b);
		use_key(b);
		bundle_free(&b);
	}
	require(h.secrets == 0);
	return 0;
}
