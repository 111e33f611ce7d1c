// SPDX-License-Identifier: MIT
// After a question to the file provider its private key is nowhere in the process: neither as
// the bundle's text, nor as bytes, nor as OpenSSL's words.
#include "keyfile_fixture.h"
#include "memscan.h"

#include "kp_base64.h"

#include <unistd.h>

enum { TEXT, BYTES, WORDS, FORMS };
#define NEEDLE 32

struct needles {
	struct masked form[FORMS];
};

// From the end of a number's text: the part that differs between any two keys.
static void make_needles(const struct fixture *f, const char *text, struct needles *n)
{
	uint8_t *raw = f->host.api.secret_alloc(&f->host.api, 512 + NEEDLE), *rev = raw + 512;
	size_t len = 512;
	assert_int_equal(kp_base64_decode(text, raw, &len), 0);
	mask(&n->form[TEXT], (const uint8_t *)text + strlen(text) - NEEDLE, NEEDLE);
	mask(&n->form[BYTES], raw + len - NEEDLE, NEEDLE);
	for (size_t i = 0; i < NEEDLE; i++)
		rev[i] = raw[len - 1 - i];
	mask(&n->form[WORDS], rev, NEEDLE);
	f->host.api.secret_free(&f->host.api, raw);
}

static void require_nowhere(const struct needles *n, size_t count, const char *when)
{
	for (size_t i = 0; i < count; i++)
		for (int form = 0; form < FORMS; form++)
			if (memscan_count(&n[i].form[form]) != 0)
				fail_msg("%s: part %zu found in form %d", when, i, form);
}

// The predicate can fail: every form is found while it is there.
static void require_findable(const struct fixture *f, const char *text, const struct needles *n)
{
	uint8_t *raw = f->host.api.secret_alloc(&f->host.api, 1024), *rev = raw + 512;
	size_t len = 512;
	assert_int_equal(kp_base64_decode(text, raw, &len), 0);
	for (size_t i = 0; i < len; i++)
		rev[i] = raw[len - 1 - i];
	for (int form = 0; form < FORMS; form++)
		assert_true(memscan_count(&n->form[form]) > 0);
	f->host.api.secret_free(&f->host.api, raw);
}

static void check(struct fixture *f, enum bundle_kty kty, uint32_t bits)
{
	struct needles n[BUNDLE_PARTS];
	struct bundle *b = NULL;
	struct bundle_version *v;
	struct kp_err err = {""};
	size_t parts, first = kty == BUNDLE_RSA ? 2 : 0;
	(void)bundle_part_names(kty, &parts);
	(void)key_secure_memory();
	assert_int_equal(bundle_new(&f->host.api, kty, &b), 0);
	assert_int_equal(bundle_add(b, &v), 0);
	assert_int_equal(key_make(b, bits, v, &err), 0);
	v->enabled = true;
	put_bundle(f, b, true);
	for (size_t i = first; i < parts; i++)
		make_needles(f, v->part[i], &n[i]);
	require_findable(f, v->part[first], &n[first]);
	bundle_free(&b);
	require_nowhere(n + first, parts - first, "after making the key");

	struct cmk_key_info info = {0};
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
	assert_int_equal(f->prov->describe(f->key, "", &info), CMK_GRANTED);
	require_nowhere(n + first, parts - first, "after questions that were granted");
	f->w.data[20] ^= 1;
	assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
	require_nowhere(n + first, parts - first, "after a bad blob");
	assert_int_equal(truncate(f->path, kty == BUNDLE_RSA ? 1300 : 300), 0);
	assert_int_equal(ask_unwrap(f), CMK_MISCONFIGURED);
	require_nowhere(n + first, parts - first, "after a malformed bundle");
}

static void no_trace_of_an_rsa_key_outlives_a_question(void **state)
{
	check(*state, BUNDLE_RSA, 2048);
}

static void no_trace_of_an_oct_key_outlives_a_question(void **state)
{
	check(*state, BUNDLE_OCT, 256);
}

#define T(x) cmocka_unit_test_setup_teardown(x, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_trace_of_an_rsa_key_outlives_a_question),
		T(no_trace_of_an_oct_key_outlives_a_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
