// SPDX-License-Identifier: MIT
// What the emulator's keys compute, against OpenSSL with the key taken out of the state directory;
// and every reason not to.
#include "emu_vaults_rig.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define K "contoso/keys/k.json"
#define PLAIN "c2l4dHkgZm91ciBieXRlcyBvZiBhIGRhdGEga2V5IHRoYXQgaXMgbm90IG9uZSBhdCBhbGw" // 53 bytes

static const char *const digests[] = {"RSA-OAEP-256", "SHA256", "RSA-OAEP", "SHA1"};

static EVP_PKEY_CTX *oaep(EVP_PKEY *key, bool decrypt, const char *digest)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	assert_true((decrypt ? EVP_PKEY_decrypt_init(ctx) : EVP_PKEY_encrypt_init(ctx)) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(
			    ctx, digest ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING) > 0);
	if (digest)
		assert_true(EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, digest, NULL) > 0);
	return ctx;
}

static void rsa_wraps_as_openssl_does(void **state)
{
	struct rig *r = *state;
	uint8_t plain[64], wrapped[512], out[512];
	size_t plain_len = unbase64(PLAIN, plain, sizeof(plain)), len;
	static const int sizes[] = {2048, 3072, 4096};
	for (int i = 0; i < 3; i++) {
		ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\",\"key_size\":%d}",
			sizes[i]);
		EVP_PKEY *key = exported_key(r, K, (size_t)i);
		assert_int_equal(EVP_PKEY_get_bits(key), sizes[i]);
		for (int a = 0; a < 2; a++) {
			ASK(r, 200, "POST", "/keys/k/wrapkey", "{\"alg\":\"%s\",\"value\":\"%s\"}",
				digests[2 * a], PLAIN);
			assert_string_equal(str(r, "alg"), "");
			assert_int_equal(strncmp(str(r, "kid"), "https://contoso.vault", 21), 0);
			size_t n = unbase64(str(r, "value"), wrapped, sizeof(wrapped));
			assert_int_equal(n, sizes[i] / 8);
			EVP_PKEY_CTX *ctx = oaep(key, true, digests[2 * a + 1]);
			len = sizeof(out);
			assert_true(EVP_PKEY_decrypt(ctx, out, &len, wrapped, n) > 0);
			EVP_PKEY_CTX_free(ctx);
			assert_int_equal(len, plain_len);
			assert_memory_equal(out, plain, len);
			ctx = oaep(key, false, digests[2 * a + 1]);
			len = sizeof(wrapped);
			assert_true(EVP_PKEY_encrypt(ctx, wrapped, &len, plain, plain_len) > 0);
			EVP_PKEY_CTX_free(ctx);
			autofree char *text = base64(wrapped, len);
			ASK(r, 200, "POST", "/keys/k/unwrapKey",
				"{\"alg\":\"%s\",\"value\":\"%s\"}", digests[2 * a], text);
			assert_string_equal(str(r, "value"), PLAIN);
			assert_string_equal(r->audit_operation, "KeyUnwrap");
		}
		EVP_PKEY_free(key);
	}
}

static void a_version_opens_what_it_closed_and_no_other_does(void **state)
{
	struct rig *r = *state;
	char old[64], value[800];
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}");
	(void)snprintf(old, sizeof(old), "%s/unwrapkey", strstr(str(r, "key.kid"), "/keys"));
	ASK(r, 200, "POST", "/keys/k/wrapkey", "{\"alg\":\"RSA1_5\",\"value\":\"%s\"}", PLAIN);
	ASK(r, 200, "POST", "/keys/k/encrypt", "{\"alg\":\"RSA-OAEP\",\"value\":\"%s\"}", PLAIN);
	(void)snprintf(value, sizeof(value), "%s", str(r, "value"));
	ASK(r, 200, "POST", "/keys/k/decrypt", "{\"alg\":\"RSA-OAEP\",\"value\":\"%s\"}", value);
	assert_string_equal(str(r, "value"), PLAIN);
	ASK(r, 200, "POST", "/keys/k/rotate", NULL);
	ASK(r, 200, "POST", old, "{\"alg\":\"RSA-OAEP\",\"value\":\"%s\"}", value);
	ASK(r, 400, "POST", "/keys/k/unwrapkey", "{\"alg\":\"RSA-OAEP\",\"value\":\"%s\"}", value);
	assert_refusal(r, 400, "BadParameter", "");
	assert_string_equal(str(r, "error.message"), "Error occurred while decoding OAEP padding.");
}

static void values_must_be_base64url_and_fit(void **state)
{
	struct rig *r = *state;
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}");
	static const char *const bad[] = {"\"AA==\"", "\"A+A/\"", "\"A\"", "7"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ASK(r, 400, "POST", "/keys/k/wrapkey", "{\"alg\":\"RSA-OAEP\",\"value\":%s}",
			bad[i]);
		assert_refusal(r, 400, "BadParameter", "");
		assert_string_equal(str(r, "error.message"),
			"Content of 'value' is not base64url.\r\nProperty "
			"'value' is required.\r\n");
	}
	ASK(r, 400, "POST", "/keys/k/wrapkey", "{\"alg\":\"RSA-OAEP\"}");
	assert_string_equal(str(r, "error.message"), "Property 'value' is required.\r\n");
	ASK(r, 400, "POST", "/keys/k/wrapkey", "{\"value\":\"AAAA\"}");
	ASK(r, 400, "POST", "/keys/k/wrapkey", "{\"alg\":\"A256KW\",\"value\":\"AAAA\"}");
	// 190 bytes is the most for this key and this algorithm.
	uint8_t zeros[191] = {0};
	for (size_t n = 190; n <= 191; n++) {
		autofree char *text = base64(zeros, n);
		ASK(r, n == 190 ? 200 : 400, "POST", "/keys/k/wrapkey",
			"{\"alg\":\"RSA-OAEP-256\",\"value\":\"%s\"}", text);
	}
	ASK(r, 200, "POST", "/keys/ec/create", "{\"kty\":\"EC\",\"key_ops\":[\"wrapKey\"]}");
	ASK(r, 400, "POST", "/keys/ec/wrapkey", "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
	assert_refusal(r, 400, "BadParameter", "");
}

static void a_disabled_key_computes_nothing(void **state)
{
	struct rig *r = *state;
	static const char *const verbs[] = {
		"encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify"};
	char path[64];
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}");
	ACT(r, "key.disable", "{\"vault\":\"contoso\",\"key\":\"k\"}");
	for (size_t i = 0; i < 6; i++) {
		(void)snprintf(path, sizeof(path), "/keys/k/%s", verbs[i]);
		ASK(r, 403, "POST", path, "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
		assert_refusal(r, 403, "Forbidden", "KeyDisabled");
		assert_non_null(strstr(str(r, "error.message"), "not allowed on a disabled key."));
	}
	ACT(r, "key.enable", "{\"vault\":\"contoso\",\"key\":\"k\"}");
	ASK(r, 200, "POST", "/keys/k/wrapkey", "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
}

static void the_dates_bind_making_but_not_opening(void **state)
{
	struct rig *r = *state;
	static const struct {
		const char *verb;
		bool bound;
	} verbs[] = {{"wrapkey", true}, {"encrypt", true}, {"sign", true}, {"unwrapkey", false},
		{"decrypt", false}, {"verify", false}};
	char path[64];
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}");
	for (int round = 0; round < 2; round++) {
		if (round == 0)
			ACT(r, "key.set", "{\"vault\":\"contoso\",\"key\":\"k\",\"nbf\":\"1h\"}");
		else
			ACT(r, "key.expire", "{\"vault\":\"contoso\",\"key\":\"k\"}");
		for (size_t i = 0; i < 6; i++) {
			(void)snprintf(path, sizeof(path), "/keys/k/%s", verbs[i].verb);
			// An algorithm that nothing has: what is not refused for the date is for
			// that.
			ASK(r, verbs[i].bound ? 403 : 400, "POST", path,
				"{\"alg\":\"NONE\",\"value\":\"AAAA\",\"digest\":\"AAAA\"}");
			if (verbs[i].bound)
				assert_refusal(r, 403, "Forbidden",
					round == 0 ? "KeyNotYetValid" : "KeyExpired");
		}
		r->clock.offset_s += 3600;
	}
}

static void an_operation_that_the_key_lacks_is_refused(void **state)
{
	struct rig *r = *state;
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\",\"key_ops\":[\"unwrapKey\"]}");
	ASK(r, 403, "POST", "/keys/k/wrapkey", "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
	assert_refusal(r, 403, "Forbidden", "KeyOperationForbidden");
	assert_string_equal(
		str(r, "error.message"), "Operation wrapKey is not permitted on this key.");
	ACT(r, "key.set", "{\"vault\":\"contoso\",\"key\":\"k\",\"ops\":\"wrapKey,unwrapKey\"}");
	ASK(r, 200, "POST", "/keys/k/wrapkey", "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
}

static void aes_keys_wrap_by_rfc_3394(void **state)
{
	struct rig *r = *state;
	char *value, alg[24];
	uint8_t kek[32], data[72], wrapped[80];
	for (int bits = 128; bits <= 256; bits += 64) {
		ASK(r, 200, "POST", "hsm:/keys/k/create", "{\"kty\":\"oct-HSM\",\"key_size\":%d}",
			bits);
		autofree char *k = exported(r, "vaulty/keys/k.json", (size_t)(bits - 128) / 64);
		assert_int_equal(unbase64(k, kek, sizeof(kek)), bits / 8);
		memset(data, 7, sizeof(data));
		value = base64(data, 64);
		(void)snprintf(alg, sizeof(alg), "A%dKW", bits);
		ASK(r, 200, "POST", "hsm:/keys/k/wrapkey", "{\"alg\":\"%s\",\"value\":\"%s\"}", alg,
			value);
		assert_string_equal(str(r, "alg"), alg);
		assert_int_equal(unbase64(str(r, "value"), wrapped, sizeof(wrapped)), 72);
		char name[24];
		(void)snprintf(name, sizeof(name), "AES-%d-WRAP", bits);
		EVP_CIPHER *c = EVP_CIPHER_fetch(NULL, name, NULL);
		EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
		int n;
		EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
		assert_true(EVP_DecryptInit_ex(ctx, c, NULL, kek, NULL) > 0);
		assert_true(EVP_DecryptUpdate(ctx, data, &n, wrapped, 72) > 0);
		assert_int_equal(n, 64);
		EVP_CIPHER_CTX_free(ctx);
		EVP_CIPHER_free(c);
		autofree char *again = base64(wrapped, 72);
		ASK(r, 200, "POST", "hsm:/keys/k/unwrapkey", "{\"alg\":\"%s\",\"value\":\"%s\"}",
			alg, again);
		assert_string_equal(str(r, "value"), value);
		again[5] = again[5] == 'A' ? 'B' : 'A';
		ASK(r, 400, "POST", "hsm:/keys/k/unwrapkey", "{\"alg\":\"%s\",\"value\":\"%s\"}",
			alg, again);
		free(value);
	}
	ASK(r, 400, "POST", "hsm:/keys/k/wrapkey", "{\"alg\":\"A128KW\",\"value\":\"AAAA\"}");
	ASK(r, 400, "POST", "hsm:/keys/k/wrapkey", "{\"alg\":\"A256KW\",\"value\":\"AAAA\"}");
	ASK(r, 200, "POST", "hsm:/keys/k/wrapkey",
		"{\"alg\":\"CKM_AES_KEY_WRAP_PAD\",\"value\":\"AAAA\"}");
}

static void aes_keys_encrypt_in_three_modes(void **state)
{
	struct rig *r = *state;
	char value[200], iv[40], tag[40];
	ASK(r, 200, "POST", "hsm:/keys/k/create", "{\"kty\":\"oct-HSM\"}");
	ASK(r, 200, "POST", "hsm:/keys/k/encrypt",
		"{\"alg\":\"A256GCM\",\"value\":\"%s\",\"aad\":\"AAAA\"}", PLAIN);
	(void)snprintf(value, sizeof(value), "%s", str(r, "value"));
	(void)snprintf(iv, sizeof(iv), "%s", str(r, "iv"));
	(void)snprintf(tag, sizeof(tag), "%s", str(r, "tag"));
	assert_string_equal(str(r, "aad"), "AAAA");
	assert_int_equal(strlen(iv), 16);
#define GCM "{\"alg\":\"A256GCM\",\"value\":\"%s\",\"aad\":\"%s\",\"iv\":\"%s\",\"tag\":\"%s\"}"
	ASK(r, 200, "POST", "hsm:/keys/k/decrypt", GCM, value, "AAAA", iv, tag);
	assert_string_equal(str(r, "value"), PLAIN);
	ASK(r, 400, "POST", "hsm:/keys/k/decrypt", GCM, value, "AAAB", iv, tag);
	ASK(r, 200, "POST", "hsm:/keys/k/encrypt", "{\"alg\":\"A256CBCPAD\",\"value\":\"%s\"}",
		PLAIN);
	(void)snprintf(value, sizeof(value), "%s", str(r, "value"));
	(void)snprintf(iv, sizeof(iv), "%s", str(r, "iv"));
	ASK(r, 200, "POST", "hsm:/keys/k/decrypt",
		"{\"alg\":\"A256CBCPAD\",\"value\":\"%s\",\"iv\":\"%s\"}", value, iv);
	assert_string_equal(str(r, "value"), PLAIN);
	ASK(r, 400, "POST", "hsm:/keys/k/encrypt", "{\"alg\":\"A256CBC\",\"value\":\"%s\"}", PLAIN);
	ASK(r, 200, "POST", "hsm:/keys/k/encrypt",
		"{\"alg\":\"A256CBC\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAA\"}");
	ASK(r, 400, "POST", "hsm:/keys/k/decrypt", "{\"alg\":\"A256CBC\",\"value\":\"AAAA\"}");
}

static void check_signatures(struct rig *r, const char *create, const char *alg, size_t digest_len)
{
	uint8_t digest[64];
	memset(digest, 3, sizeof(digest));
	autofree char *text = base64(digest, digest_len), *other = base64("x", 1);
	ASK(r, 200, "POST", "/keys/k/create", "%s", create);
	ASK(r, 200, "POST", "/keys/k/sign", "{\"alg\":\"%s\",\"value\":\"%s\"}", alg, text);
	autofree char *signature = strdup(str(r, "value"));
#define VERIFY "{\"alg\":\"%s\",\"digest\":\"%s\",\"value\":\"%s\"}"
	ASK(r, 200, "POST", "/keys/k/verify", VERIFY, alg, text, signature);
	assert_string_equal(r->reply.body, "{\"value\":true}");
	// Near the front, where no bit is idle.
	signature[4] = signature[4] == 'A' ? 'B' : 'A';
	ASK(r, 200, "POST", "/keys/k/verify", VERIFY, alg, text, signature);
	assert_string_equal(r->reply.body, "{\"value\":false}");
	ASK(r, 200, "POST", "/keys/k/verify", VERIFY, alg, text, "AAAA");
	assert_string_equal(r->reply.body, "{\"value\":false}");
	ASK(r, 400, "POST", "/keys/k/sign", "{\"alg\":\"%s\",\"value\":\"%s\"}", alg, other);
}

static void signatures_verify_until_they_are_changed(void **state)
{
	struct rig *r = *state;
	static const struct {
		const char *create, *alg;
		size_t len;
	} rows[] = {{"{\"kty\":\"RSA\"}", "RS256", 32}, {"{\"kty\":\"RSA\"}", "RS384", 48},
		{"{\"kty\":\"RSA\"}", "RS512", 64}, {"{\"kty\":\"RSA\"}", "PS256", 32},
		{"{\"kty\":\"RSA\"}", "PS384", 48}, {"{\"kty\":\"RSA\"}", "PS512", 64},
		{"{\"kty\":\"EC\"}", "ES256", 32},
		{"{\"kty\":\"EC\",\"crv\":\"P-384\"}", "ES384", 48},
		{"{\"kty\":\"EC\",\"crv\":\"P-521\"}", "ES512", 64},
		{"{\"kty\":\"EC\",\"crv\":\"P-256K\"}", "ES256K", 32}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_signatures(r, rows[i].create, rows[i].alg, rows[i].len);
	ASK(r, 400, "POST", "/keys/k/sign", "{\"alg\":\"ES256\",\"value\":\"AAAA\"}");
}

static void a_signature_is_what_openssl_verifies(void **state)
{
	struct rig *r = *state;
	uint8_t digest[32], signature[256];
	(void)SHA256((const uint8_t *)"text", 4, digest);
	autofree char *text = base64(digest, sizeof(digest));
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}");
	ASK(r, 200, "POST", "/keys/k/sign", "{\"alg\":\"RS256\",\"value\":\"%s\"}", text);
	size_t len = unbase64(str(r, "value"), signature, sizeof(signature));
	EVP_PKEY *key = exported_key(r, K, 0);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	assert_true(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) > 0);
	assert_int_equal(EVP_DigestVerify(ctx, signature, len, (const uint8_t *)"text", 4), 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(rsa_wraps_as_openssl_does),
		T(a_version_opens_what_it_closed_and_no_other_does),
		T(values_must_be_base64url_and_fit),
		T(a_disabled_key_computes_nothing),
		T(the_dates_bind_making_but_not_opening),
		T(an_operation_that_the_key_lacks_is_refused),
		T(aes_keys_wrap_by_rfc_3394),
		T(aes_keys_encrypt_in_three_modes),
		T(signatures_verify_until_they_are_changed),
		T(a_signature_is_what_openssl_verifies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
