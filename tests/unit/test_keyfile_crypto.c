// SPDX-License-Identifier: MIT
// The file provider's cryptography against what others made: published vectors and the openssl
// program, in both directions.
#include "keyfile_fixture.h"

#include "kp_base64.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <time.h>
#include <unistd.h>

static const uint8_t kek[32] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

static void aes_key_wrap_gives_the_vector_of_rfc_3394(void **state)
{
	// Section 4.6: 256 bits of key data with a 256-bit KEK.
	static const uint8_t data[32] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
		0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
		14, 15};
	static const uint8_t expected[40] = {0x28, 0xc9, 0xf4, 0x04, 0xc4, 0xb8, 0x10, 0xf4, 0xcb,
		0xcc, 0xb3, 0x5c, 0xfb, 0x87, 0xf8, 0x26, 0x3f, 0x57, 0x86, 0xe2, 0xd8, 0x0e, 0xd3,
		0x26, 0xcb, 0xc7, 0xf0, 0xe7, 0x1a, 0x99, 0xf4, 0x3b, 0xfb, 0x98, 0x8b, 0x9b, 0x7a,
		0x02, 0xdd, 0x21};
	struct fixture *f = *state;
	char text[64];
	kp_base64_encode(kek, sizeof(kek), text);
	assert_string_equal(text, OCT_K);
	put_text(f, OCT_SIMPLE);
	struct cmk_wrapped w = {0};
	assert_int_equal(f->prov->wrap(f->key, data, sizeof(data), &w), CMK_GRANTED);
	assert_int_equal(w.len, sizeof(expected));
	assert_memory_equal(w.data, expected, sizeof(expected));
	uint8_t out[64];
	size_t len = sizeof(out);
	assert_int_equal(
		f->prov->unwrap(f->key, K1, "A256KW", expected, sizeof(expected), out, &len),
		CMK_GRANTED);
	assert_int_equal(len, sizeof(data));
	assert_memory_equal(out, data, sizeof(data));
}

// A bundle with one new RSA key, stored; the caller frees it.
static struct bundle *make_rsa(struct fixture *f, uint32_t bits)
{
	struct bundle *b = NULL;
	struct bundle_version *v;
	struct kp_err err = {""};
	assert_int_equal(bundle_new(&f->host.api, BUNDLE_RSA, &b), 0);
	assert_int_equal(bundle_add(b, &v), 0);
	if (key_make(b, bits, v, &err))
		fail_msg("%s", err.text);
	v->enabled = true;
	put_bundle(f, b, access(f->path, F_OK) != 0);
	return b;
}

static BIGNUM *number(const struct bundle *b, int i)
{
	uint8_t raw[512];
	size_t len = sizeof(raw);
	assert_int_equal(kp_base64_decode(b->versions[0].part[i], raw, &len), 0);
	return BN_bin2bn(raw, (int)len, NULL);
}

// The key as PEM for the openssl program: private with d, p, q as OpenSSL wants them, or public.
static void write_pem(struct fixture *f, const struct bundle *b, const char *name, bool private)
{
	static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn[8] = {NULL};
	for (int i = 0; i < (private ? 8 : 2); i++) {
		bn[i] = number(b, i);
		assert_true(OSSL_PARAM_BLD_push_BN(bld, names[i], bn[i]));
	}
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	assert_true(EVP_PKEY_fromdata_init(ctx) > 0);
	assert_true(EVP_PKEY_fromdata(ctx, &key, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			    params) > 0);
	char path[4100];
	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_true(private ? PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL)
			    : PEM_write_PUBKEY(out, key));
	assert_int_equal(fclose(out), 0);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	for (int i = 0; i < 8; i++)
		BN_free(bn[i]);
}

static void put_file(struct fixture *f, const char *name, const void *data, size_t len)
{
	char path[4100];
	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static size_t get_file(struct fixture *f, const char *name, void *data, size_t room)
{
	char path[4100];
	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	size_t n = fread(data, 1, room, in);
	(void)fclose(in);
	return n;
}

static void openssl(struct fixture *f, const char *args)
{
	char cmd[8400];
	(void)snprintf(cmd, sizeof(cmd), "cd '%s' && openssl pkeyutl %s", f->dir, args);
	assert_int_equal(system(cmd), 0);
}

#define OAEP " -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:"

static void what_openssl_encrypts_to_the_public_key_is_unwrapped(void **state)
{
	struct fixture *f = *state;
	struct bundle *b = make_rsa(f, 2048);
	write_pem(f, b, "pub.pem", false);
	put_file(f, "plain", f->plain, sizeof(f->plain));
	static const char *const algs[][2] = {{"sha256", "RSA-OAEP-256"}, {"sha1", "RSA-OAEP"}};
	for (int i = 0; i < 2; i++) {
		char args[400];
		(void)snprintf(args, sizeof(args),
			"-encrypt -pubin -inkey pub.pem -in plain -out wrapped" OAEP "%s",
			algs[i][0]);
		openssl(f, args);
		f->w.len = get_file(f, "wrapped", f->w.data, sizeof(f->w.data));
		assert_int_equal(f->w.len, 256);
		(void)snprintf(f->w.version, sizeof(f->w.version), "%s", b->versions[0].version);
		(void)snprintf(f->w.alg, sizeof(f->w.alg), "%s", algs[i][1]);
		assert_int_equal(ask_unwrap(f), CMK_GRANTED);
		// The other hash is another algorithm.
		(void)snprintf(f->w.alg, sizeof(f->w.alg), "%s", algs[!i][1]);
		assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
	}
	bundle_free(&b);
}

static void openssl_decrypts_what_was_wrapped(void **state)
{
	struct fixture *f = *state;
	struct bundle *b = make_rsa(f, 2048);
	write_pem(f, b, "priv.pem", true);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.alg, "RSA-OAEP-256");
	put_file(f, "wrapped", f->w.data, f->w.len);
	openssl(f, "-decrypt -inkey priv.pem -in wrapped -out plain" OAEP "sha256");
	uint8_t out[100];
	assert_int_equal(get_file(f, "plain", out, sizeof(out)), sizeof(f->plain));
	assert_memory_equal(out, f->plain, sizeof(f->plain));
	bundle_free(&b);
}

static void every_size_of_rsa_key_works_and_unwraps_in_time(void **state)
{
	struct fixture *f = *state;
	for (uint32_t bits = 2048; bits <= 4096; bits += 1024) {
		struct bundle *b = make_rsa(f, bits);
		struct cmk_key_info info = {0};
		assert_int_equal(ask_wrap(f), CMK_GRANTED);
		assert_int_equal(f->w.len, bits / 8);
		struct timespec t0, t1;
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
		for (int i = 0; i < 10; i++)
			assert_int_equal(ask_unwrap(f), CMK_GRANTED);
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
		double ms = ((double)(t1.tv_sec - t0.tv_sec) * 1e3 +
				    (double)(t1.tv_nsec - t0.tv_nsec) / 1e6) /
			    10;
		print_message("RSA %u: %.2f ms of CPU per unwrap\n", bits, ms);
		assert_true(ms < 200); // sanitizers and slow machines included
		assert_int_equal(f->prov->describe(f->key, "", &info), CMK_GRANTED);
		assert_string_equal(info.kty, "RSA");
		assert_int_equal(info.bits, bits);
		bundle_free(&b);
	}
}

static void another_keys_work_is_a_bad_blob_and_a_broken_key_is_misconfigured(void **state)
{
	struct fixture *f = *state;
	struct bundle *a = make_rsa(f, 2048);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	struct cmk_wrapped good = f->w;
	struct bundle *b = make_rsa(f, 2048);
	(void)snprintf(f->w.version, sizeof(f->w.version), "%s", b->versions[0].version);
	assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
	f->w = good;
	f->w.len--;
	(void)snprintf(f->w.version, sizeof(f->w.version), "%s", b->versions[0].version);
	assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
	f->w = good;
	for (int i = 0; i < BUNDLE_PARTS; i++) {
		if (i == 1) // both have the same public exponent
			continue;
		const char *own = a->versions[0].part[i];
		a->versions[0].part[i] = b->versions[0].part[i];
		put_bundle(f, a, false);
		assert_int_equal(ask_unwrap(f), CMK_MISCONFIGURED);
		assert_non_null(strstr(f->host.sentence, "do not fit together"));
		a->versions[0].part[i] = own;
	}
	put_bundle(f, a, false);
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
	bundle_free(&a);
	bundle_free(&b);
}

#define T(x) cmocka_unit_test_setup_teardown(x, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(aes_key_wrap_gives_the_vector_of_rfc_3394),
		T(what_openssl_encrypts_to_the_public_key_is_unwrapped),
		T(openssl_decrypts_what_was_wrapped),
		T(every_size_of_rsa_key_works_and_unwraps_in_time),
		T(another_keys_work_is_a_bad_blob_and_a_broken_key_is_misconfigured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
