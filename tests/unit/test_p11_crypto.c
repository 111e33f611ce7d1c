// SPDX-License-Identifier: MIT
// Wrapping and unwrapping in SoftHSM: every size, and beside OpenSSL in both directions.
#include "p11_crypto_fixture.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

static void rsa_keys_of_each_size_make_the_round_trip(void **state)
{
	struct fixture *f = *state;
	static const unsigned sizes[] = {2048, 3072, 4096};
	for (size_t i = 0; i < 3; i++) {
		make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = sizes[i]});
		const struct p11_key *k = the_key(f);
		assert_int_equal(k->bits, sizes[i]);
		expect(f, ask_wrap(f, k), CMK_GRANTED);
		assert_int_equal(f->w.len, sizes[i] / 8);
		assert_string_equal(f->w.version, "6131");
		expect(f, ask_unwrap(f, k), CMK_GRANTED);
		p11_rig_destroy(&f->rig, f->s.handle, "disk");
	}
}

// Whether this SoftHSM does OAEP with SHA-256 at all: 2.6.1 says CKR_ARGUMENTS_BAD.
static bool has_sha256(struct fixture *f, CK_OBJECT_HANDLE k)
{
	CK_RSA_PKCS_OAEP_PARAMS p = {
		.hashAlg = CKM_SHA256, .mgf = CKG_MGF1_SHA256, .source = CKZ_DATA_SPECIFIED};
	CK_MECHANISM m = {CKM_RSA_PKCS_OAEP, &p, sizeof(p)};
	CK_INFO info;
	CK_RV rv = f->f.C_DecryptInit(f->s.handle, &m, k);
	assert_int_equal(f->f.C_GetInfo(&info), CKR_OK);
	if (info.libraryVersion.major == 2 && info.libraryVersion.minor <= 6)
		assert_int_equal(rv, CKR_ARGUMENTS_BAD);
	return rv == CKR_OK;
}

static void softhsm_2_6_has_oaep_with_sha1_only_and_that_is_found_out(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = 2048});
	const struct p11_key *k = the_key(f);
	if (has_sha256(f, k->handle))
		skip();
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	assert_string_equal(f->w.alg, "RSA-OAEP");
	// Asked for by name, the refusal is told instead of another one being taken.
	(void)snprintf(f->config.alg, sizeof(f->config.alg), "RSA-OAEP-256");
	expect(f, ask_wrap(f, k), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "CKR_ARGUMENTS_BAD"));
	(void)snprintf(f->config.alg, sizeof(f->config.alg), "RSA-OAEP");
	expect(f, ask_wrap(f, k), CMK_GRANTED);
}

static void an_algorithm_of_another_type_of_key_is_refused(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = 2048});
	(void)snprintf(f->config.alg, sizeof(f->config.alg), "A256KW");
	expect(f, ask_wrap(f, the_key(f)), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "A256KW"));
}

static void weak_keys_are_refused(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = 1024});
	expect(f, ask_wrap(f, the_key(f)), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "1024"));
	p11_rig_destroy(&f->rig, f->s.handle, "disk");
	CK_MECHANISM m = {.mechanism = CKM_AES_KEY_GEN};
	CK_ULONG bytes = 16;
	CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_HANDLE k;
	char label[] = "disk", id[] = "a1";
	CK_ATTRIBUTE t[] = {{CKA_LABEL, label, 4}, {CKA_ID, id, 2}, {CKA_UNWRAP, &yes, sizeof(yes)},
		{CKA_WRAP, &yes, sizeof(yes)}, {CKA_VALUE_LEN, &bytes, sizeof(bytes)}};
	assert_int_equal(f->f.C_GenerateKey(f->s.handle, &m, t, 5, &k), CKR_OK);
	expect(f, ask_wrap(f, the_key(f)), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "128"));
}

// What the token tells of an extractable key.
static size_t value(struct fixture *f, const struct p11_key *k, CK_ATTRIBUTE_TYPE type,
	uint8_t *out, size_t room)
{
	CK_ATTRIBUTE a = {type, out, room};
	assert_int_equal(f->f.C_GetAttributeValue(f->s.handle, k->handle, &a, 1), CKR_OK);
	return a.ulValueLen;
}

static EVP_PKEY *exported(struct fixture *f, const struct p11_key *k)
{
	static const struct {
		const char *name;
		CK_ATTRIBUTE_TYPE type;
	} parts[] = {{OSSL_PKEY_PARAM_RSA_N, CKA_MODULUS},
		{OSSL_PKEY_PARAM_RSA_E, CKA_PUBLIC_EXPONENT},
		{OSSL_PKEY_PARAM_RSA_D, CKA_PRIVATE_EXPONENT}};
	uint8_t raw[512];
	BIGNUM *bn[3];
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	for (size_t i = 0; i < 3; i++) {
		bn[i] = BN_bin2bn(raw, (int)value(f, k, parts[i].type, raw, sizeof(raw)), NULL);
		assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, parts[i].name, bn[i]), 1);
	}
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *out = NULL;
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &out, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	for (size_t i = 0; i < 3; i++)
		BN_free(bn[i]);
	return out;
}

static EVP_PKEY_CTX *oaep(EVP_PKEY *key, bool decrypt)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	assert_int_equal(decrypt ? EVP_PKEY_decrypt_init(ctx) : EVP_PKEY_encrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha1()), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha1()), 1);
	return ctx;
}

static void openssl_unwraps_what_was_wrapped_for_an_rsa_key_and_the_other_way_round(void **state)
{
	struct fixture *f = *state;
	uint8_t out[512];
	size_t len = sizeof(out);
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a1", .bits = 2048, .extractable = true});
	const struct p11_key *k = the_key(f);
	(void)snprintf(f->config.alg, sizeof(f->config.alg), "RSA-OAEP");
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	EVP_PKEY *key = exported(f, k);
	EVP_PKEY_CTX *ctx = oaep(key, true);
	assert_int_equal(EVP_PKEY_decrypt(ctx, out, &len, f->w.data, f->w.len), 1);
	assert_int_equal(len, sizeof(f->plain));
	assert_memory_equal(out, f->plain, len);
	EVP_PKEY_CTX_free(ctx);
	ctx = oaep(key, false);
	f->w.len = sizeof(f->w.data);
	assert_int_equal(
		EVP_PKEY_encrypt(ctx, f->w.data, &f->w.len, f->plain, sizeof(f->plain)), 1);
	expect(f, ask_unwrap(f, k), CMK_GRANTED);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

// RFC 3394 or, with pad, RFC 5649, by OpenSSL. The length.
static size_t openssl_wrap(
	const uint8_t key[32], bool pad, const uint8_t *in, size_t len, uint8_t *out)
{
	int n = 0;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(EVP_EncryptInit_ex(ctx, pad ? EVP_aes_256_wrap_pad() : EVP_aes_256_wrap(),
				 NULL, key, NULL),
		1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, in, (int)len), 1);
	EVP_CIPHER_CTX_free(ctx);
	return (size_t)n;
}

static void aes_key_wrap_is_what_the_rfcs_say(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"A256KW", "CKM_AES_KEY_WRAP_PAD"};
	uint8_t key[32], out[128];
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .extractable = true});
	const struct p11_key *k = the_key(f);
	assert_int_equal(k->bits, 256);
	assert_int_equal(value(f, k, CKA_VALUE, key, sizeof(key)), 32);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(f->config.alg, sizeof(f->config.alg), "%s", names[i]);
		expect(f, ask_wrap(f, k), CMK_GRANTED);
		assert_string_equal(f->w.alg, names[i]);
		size_t len = openssl_wrap(key, i == 1, f->plain, sizeof(f->plain), out);
		assert_int_equal(f->w.len, len);
		assert_memory_equal(f->w.data, out, len);
		expect(f, ask_unwrap(f, k), CMK_GRANTED);
	}
}

static void a_secret_that_does_not_come_back_whole_is_refused(void **state)
{
	struct fixture *f = *state;
	CK_INFO info;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	const struct p11_key *k = the_key(f);
	assert_int_equal(f->f.C_GetInfo(&info), CKR_OK);
	if (info.libraryVersion.major > 2 || info.libraryVersion.minor > 6)
		skip();
	// RFC 3394 cannot wrap 29 bytes. SoftHSM 2.6 pads them (RFC 5649), but gives 32 back.
	expect(f, ask_wrap_len(f, k, f->plain, 29), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "other bytes"));
	(void)snprintf(f->config.alg, sizeof(f->config.alg), "A256KW");
	expect(f, ask_wrap_len(f, k, f->plain, 29), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "29"));
}

static void a_mechanism_that_the_token_does_not_have_is_named(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	(void)snprintf(f->config.alg, sizeof(f->config.alg), "CKM_AES_KEY_WRAP_KWP");
	expect(f, ask_wrap(f, the_key(f)), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "CKM_AES_KEY_WRAP_KWP"));
	assert_non_null(strstr(f->o.err.text, "CKR_MECHANISM_INVALID"));
}

static void more_than_a_disks_secret_is_a_bad_blob(void **state)
{
	struct fixture *f = *state;
	uint8_t key[32], long_plain[72] = {1}, out[CMK_PLAIN_MAX];
	size_t len = 0;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .extractable = true});
	const struct p11_key *k = the_key(f);
	assert_int_equal(value(f, k, CKA_VALUE, key, sizeof(key)), 32);
	f->w.len = openssl_wrap(key, false, long_plain, sizeof(long_plain), f->w.data);
	expect(f, p11_unwrap(&f->c, &f->s, k, "A256KW", f->w.data, f->w.len, out, &len, &f->o),
		CMK_BAD_BLOB);
	f->w.len = openssl_wrap(key, false, long_plain, 64, f->w.data);
	expect(f, p11_unwrap(&f->c, &f->s, k, "A256KW", f->w.data, f->w.len, out, &len, &f->o),
		CMK_GRANTED);
	assert_int_equal(len, 64);
}

static void lengths_that_no_algorithm_makes_are_bad_blobs(void **state)
{
	struct fixture *f = *state;
	static const size_t lengths[] = {0, 1, 8, 16, 23, 39, 41, 255};
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	const struct p11_key *k = the_key(f);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		f->w.len = lengths[i];
		expect(f, ask_unwrap(f, k), CMK_BAD_BLOB);
	}
}

static void session_objects_do_not_stay(void **state)
{
	struct fixture *f = *state;
	CK_OBJECT_HANDLE found[64];
	CK_ULONG before, after;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	const struct p11_key *k = the_key(f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(f->f.C_FindObjectsInit(f->s.handle, NULL, 0), CKR_OK);
		assert_int_equal(
			f->f.C_FindObjects(f->s.handle, found, 64, i ? &after : &before), CKR_OK);
		assert_int_equal(f->f.C_FindObjectsFinal(f->s.handle), CKR_OK);
		if (i == 0) {
			expect(f, ask_wrap(f, k), CMK_GRANTED);
			f->w.data[3] ^= 1;
			expect(f, ask_unwrap(f, k), CMK_BAD_BLOB);
		}
	}
	assert_int_equal(after, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rsa_keys_of_each_size_make_the_round_trip),
		TEST(softhsm_2_6_has_oaep_with_sha1_only_and_that_is_found_out),
		TEST(an_algorithm_of_another_type_of_key_is_refused),
		TEST(weak_keys_are_refused),
		TEST(openssl_unwraps_what_was_wrapped_for_an_rsa_key_and_the_other_way_round),
		TEST(aes_key_wrap_is_what_the_rfcs_say),
		TEST(a_secret_that_does_not_come_back_whole_is_refused),
		TEST(a_mechanism_that_the_token_does_not_have_is_named),
		TEST(more_than_a_disks_secret_is_a_bad_blob),
		TEST(lengths_that_no_algorithm_makes_are_bad_blobs),
		TEST(session_objects_do_not_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
