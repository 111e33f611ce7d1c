// SPDX-License-Identifier: MIT
// HMAC-SHA-256 against RFC 4231, HKDF-SHA-256 against RFC 5869, SHA-256 against FIPS 180.
#include "bytes.h"
#include "mac.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct secret *run_of(uint8_t first, size_t len, uint8_t step)
{
	struct secret *s = NULL;

	assert_int_equal(secret_new(len, &s), 0);
	for (size_t i = 0; i < len; i++)
		s->data[i] = (uint8_t)(first + i * step);
	return s;
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *want)
{
	char text[129];

	hex_encode(bytes, len, text);
	assert_string_equal(text, want);
}

static void sha256_gives_the_published_digests(void **state)
{
	(void)state;
	uint8_t out[32];

	assert_int_equal(sha256("abc", 3, out), 0);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(sha256("", 0, out), 0);
	assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void hmac_gives_the_vectors_of_rfc4231(void **state)
{
	(void)state;
	static const struct {
		uint8_t first, step;
		size_t key_len;
		const char *data, *want;
	} cases[] = {
		{0x0b, 0, 20, "Hi There",
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{0xaa, 0, 20, NULL,
			"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"}, // dd *
											     // 50
		{0xaa, 0, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{0xaa, 0, 131,
			"This is a test using a larger than block-size key and a larger than "
			"block-size data. The key "
			"needs to be hashed before being used by the HMAC algorithm.",
			"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	};
	uint8_t fifty[50], out[MAC_LEN];

	memset(fifty, 0xdd, sizeof fifty);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret *key scoped(secret_free) =
			run_of(cases[i].first, cases[i].key_len, cases[i].step);
		const void *data = cases[i].data ? (const void *)cases[i].data : fifty;
		size_t len = cases[i].data ? strlen(cases[i].data) : sizeof fifty;
		assert_int_equal(hmac_sha256(key, data, len, out), 0);
		assert_hex(out, sizeof out, cases[i].want);
	}
	struct secret *jefe scoped(secret_free) = NULL;
	assert_int_equal(secret_dup("Jefe", 4, &jefe), 0);
	assert_int_equal(hmac_sha256(jefe, "what do ya want for nothing?", 28, out), 0);
	assert_hex(out, sizeof out,
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	struct secret *counting scoped(secret_free) = run_of(1, 25, 1);
	memset(fifty, 0xcd, sizeof fifty);
	assert_int_equal(hmac_sha256(counting, fifty, sizeof fifty, out), 0);
	assert_hex(out, sizeof out,
		"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

// The RFC's outputs are longer; ours is their first block.
static void hkdf_gives_the_vectors_of_rfc5869(void **state)
{
	(void)state;
	struct secret *out scoped(secret_free) = NULL;
	struct secret *ikm scoped(secret_free) = run_of(0x0b, 22, 0);
	struct secret *ikm2 scoped(secret_free) = run_of(0, 80, 1);
	uint8_t salt[80];
	char info[81] = "";

	for (uint8_t i = 0; i < 13; i++)
		salt[i] = i;
	assert_int_equal(
		hkdf_sha256(ikm, salt, 13, "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", &out), 0);
	assert_int_equal(out->len, 32);
	assert_hex(
		out->data, 32, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
	secret_free(&out);

	for (size_t i = 0; i < 80; i++) {
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (char)(0xb0 + i);
	}
	assert_int_equal(hkdf_sha256(ikm2, salt, 80, info, &out), 0);
	assert_hex(
		out->data, 32, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c");
	secret_free(&out);

	assert_int_equal(hkdf_sha256(ikm, NULL, 0, "", &out), 0);
	assert_hex(
		out->data, 32, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

static void hkdf_separates_by_label(void **state)
{
	(void)state;
	struct secret *ikm scoped(secret_free) = run_of(1, 64, 1);
	struct secret *a scoped(secret_free) = NULL;
	struct secret *b scoped(secret_free) = NULL;
	struct secret *again scoped(secret_free) = NULL;
	char label[300];

	assert_int_equal(hkdf_sha256(ikm, NULL, 0, "one", &a), 0);
	assert_int_equal(hkdf_sha256(ikm, NULL, 0, "one", &again), 0);
	assert_int_equal(hkdf_sha256(ikm, NULL, 0, "two", &b), 0);
	assert_true(secret_equal(a, again));
	assert_false(secret_equal(a, b));
	memset(label, 'x', sizeof label - 1);
	label[sizeof label - 1] = '\0';
	struct secret *none = NULL;
	assert_int_equal(hkdf_sha256(ikm, NULL, 0, label, &none), -EINVAL);
	assert_null(none);
}

static void a_mac_that_differs_in_one_bit_differs(void **state)
{
	(void)state;
	uint8_t a[MAC_LEN] = {0}, b[MAC_LEN] = {0};

	assert_int_equal(mac_differs(a, b), 0);
	for (size_t i = 0; i < 8 * sizeof b; i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(mac_differs(a, b), 0);
		b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_published_digests),
		cmocka_unit_test(hmac_gives_the_vectors_of_rfc4231),
		cmocka_unit_test(hkdf_gives_the_vectors_of_rfc5869),
		cmocka_unit_test(hkdf_separates_by_label),
		cmocka_unit_test(a_mac_that_differs_in_one_bit_differs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
