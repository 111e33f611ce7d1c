// SPDX-License-Identifier: MIT
// Keys that were made elsewhere: as JSON Web Keys, and as key transfer blobs that OpenSSL made.
#include "emu_vaults_rig.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

// The private JSON Web Key of an RSA key.
static char *jwk(EVP_PKEY *key)
{
	static const char *const names[][2] = {{"n", OSSL_PKEY_PARAM_RSA_N},
		{"e", OSSL_PKEY_PARAM_RSA_E}, {"d", OSSL_PKEY_PARAM_RSA_D},
		{"p", OSSL_PKEY_PARAM_RSA_FACTOR1}, {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
		{"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1}, {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
		{"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	(void)fputs("{\"kty\":\"RSA\"", f);
	for (size_t i = 0; i < 8; i++) {
		BIGNUM *bn = NULL;
		uint8_t raw[512];
		assert_true(EVP_PKEY_get_bn_param(key, names[i][1], &bn));
		autofree char *number = base64(raw, (size_t)BN_bn2bin(bn, raw));
		(void)fprintf(f, ",\"%s\":\"%s\"", names[i][0], number);
		BN_free(bn);
	}
	(void)fputc('}', f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void an_imported_key_is_the_one_that_was_sent(void **state)
{
	struct rig *r = *state;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	autofree char *text = jwk(key);
	ASK(r, 200, "PUT", "/keys/k",
		"{\"key\":%s,\"attributes\":{\"enabled\":true},\"tags\":{\"from\":\"me\"}}", text);
	assert_string_equal(r->audit_operation, "KeyImport");
	assert_null(strstr(r->reply.body, "\"d\":"));
	EVP_PKEY *kept = exported_key(r, "contoso/keys/k.json", 0);
	assert_int_equal(EVP_PKEY_eq(key, kept), 1);
	EVP_PKEY_free(kept);
	EVP_PKEY_free(key);
	ASK(r, 200, "PUT", "/keys/k", "{\"Hsm\":true,\"key\":%s}", text);
	assert_string_equal(str(r, "key.kty"), "RSA-HSM");
	// Numbers that do not fit together, or are not all there.
	char *d = strstr(text, "\"d\":\"") + 5;
	d[3] = d[3] == 'A' ? 'B' : 'A';
	ASK(r, 400, "PUT", "/keys/k", "{\"key\":%s}", text);
	ASK(r, 400, "PUT", "/keys/k", "{\"key\":{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\"}}");
	ASK(r, 400, "PUT", "/keys/k", "{}");
	// RFC 7517 A.2, the elliptic curve key.
#define EC_JWK                                                                                     \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"," \
	"\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","                                   \
	"\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}"
	ASK(r, 200, "PUT", "/keys/ec", "{\"key\":" EC_JWK "}");
	assert_string_equal(str(r, "key.x"), "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4");
	ACT(r, "key.import", "{\"vault\":\"contoso\",\"key\":\"ec\",\"jwk\":" EC_JWK "}");
	ASK(r, 200, "PUT", "hsm:/keys/aes",
		"{\"key\":{\"kty\":\"oct-HSM\",\"k\":\"AAECAwQFBgcICQoLDA0ODw\"}}");
	autofree char *k = exported(r, "vaulty/keys/aes.json", 0);
	assert_string_equal(k, "AAECAwQFBgcICQoLDA0ODw");
	ASK(r, 400, "PUT", "hsm:/keys/aes", "{\"key\":{\"kty\":\"oct-HSM\",\"k\":\"AAECAw\"}}");
}

// CKM_RSA_AES_KEY_WRAP of data for the key.
static char *transfer_blob(EVP_PKEY *kek, const char *kid, const uint8_t *data, int len)
{
	uint8_t aes[32], out[4096];
	size_t first = 256;
	int n;
	memset(aes, 9, sizeof(aes));
	EVP_PKEY_CTX *rsa = EVP_PKEY_CTX_new_from_pkey(NULL, kek, NULL);
	assert_true(EVP_PKEY_encrypt_init(rsa) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_OAEP_PADDING) > 0);
	assert_true(EVP_PKEY_encrypt(rsa, out, &first, aes, sizeof(aes)) > 0);
	EVP_PKEY_CTX_free(rsa);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_true(EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap_pad(), NULL, aes, NULL) > 0);
	assert_true(EVP_EncryptUpdate(ctx, out + first, &n, data, len) > 0);
	EVP_CIPHER_CTX_free(ctx);
	autofree char *ciphertext = base64(out, first + (size_t)n);
	autofree char *json = NULL;
	int json_len = asprintf(&json,
		"{\"schema_version\":\"1.0.0\",\"header\":{\"kid\":\"%s\",\"alg\":\"dir\",\"enc\":"
		"\"CKM_RSA_AES_KEY_WRAP\"},\"ciphertext\":\"%s\",\"generator\":\"a test\"}",
		kid, ciphertext);
	assert_true(json_len > 0);
	char *blob = calloc(1, (size_t)json_len * 2);
	assert_true(EVP_EncodeBlock((uint8_t *)blob, (uint8_t *)json, json_len) > 0);
	return blob;
}

static void a_key_brought_along_is_taken_in(void **state)
{
	struct rig *r = *state;
	char kid[200];
	ASK(r, 200, "POST", "/keys/kek/create", "{\"kty\":\"RSA-HSM\",\"key_ops\":[\"import\"]}");
	(void)snprintf(kid, sizeof(kid), "%s", str(r, "key.kid"));
	EVP_PKEY *kek = exported_key(r, "contoso/keys/kek.json", 0), *mine = EVP_RSA_gen(3072),
		 *other = EVP_RSA_gen(2048);
	uint8_t *der = NULL;
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(mine);
	int len = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	PKCS8_PRIV_KEY_INFO_free(p8);
	autofree char *blob = transfer_blob(kek, kid, der, len);
#define BYOK "{\"key\":{\"kty\":\"%s\",\"key_hsm\":\"%s\"}}"
	ASK(r, 200, "PUT", "/keys/k", BYOK, "RSA-HSM", blob);
	assert_string_equal(str(r, "key.kty"), "RSA-HSM");
	EVP_PKEY *kept = exported_key(r, "contoso/keys/k.json", 0);
	assert_int_equal(EVP_PKEY_eq(mine, kept), 1);
	EVP_PKEY_free(kept);
	ASK(r, 400, "PUT", "/keys/k", BYOK, "RSA", blob);
	ASK(r, 400, "PUT", "/keys/k", BYOK, "EC-HSM", blob);
	ASK(r, 400, "PUT", "/keys/k", BYOK, "RSA-HSM", "AAAA");
	// For another key, or one that may do more than import.
	autofree char *wrong = transfer_blob(other, kid, der, 64);
	ASK(r, 400, "PUT", "/keys/k", BYOK, "RSA-HSM", wrong);
	ASK(r, 200, "PATCH", "/keys/kek", "{\"key_ops\":[\"import\",\"wrapKey\"]}");
	ASK(r, 400, "PUT", "/keys/k", BYOK, "RSA-HSM", blob);
	OPENSSL_free(der);
	EVP_PKEY_free(kek);
	EVP_PKEY_free(mine);
	EVP_PKEY_free(other);
}

static void an_aes_key_can_be_brought_to_a_managed_hsm(void **state)
{
	struct rig *r = *state;
	static const uint8_t mine[32] = {1, 2, 3, 4};
	ASK(r, 200, "POST", "hsm:/keys/kek/create",
		"{\"kty\":\"RSA-HSM\",\"key_ops\":[\"import\"]}");
	EVP_PKEY *kek = exported_key(r, "vaulty/keys/kek.json", 0);
	autofree char *blob = transfer_blob(kek, str(r, "key.kid"), mine, sizeof(mine));
	ASK(r, 200, "PUT", "hsm:/keys/k", BYOK, "oct-HSM", blob);
	autofree char *k = exported(r, "vaulty/keys/k.json", 0),
		      *expected = base64(mine, sizeof(mine));
	assert_string_equal(k, expected);
	EVP_PKEY_free(kek);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(an_imported_key_is_the_one_that_was_sent),
		T(a_key_brought_along_is_taken_in),
		T(an_aes_key_can_be_brought_to_a_managed_hsm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
