// SPDX-License-Identifier: MIT
// The client certificate: its assertion is checked with OpenSSL's public-key side, and each file
// that cannot be used is told apart.
#include "made_cert.h"
#include "token_rig.h"

#include "kp_base64.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

// Keys take long to make; the tests share two.
static EVP_PKEY *key(int i)
{
	static EVP_PKEY *keys[2];
	if (!keys[i])
		keys[i] = EVP_RSA_gen(2048);
	assert_true(EVP_PKEY_up_ref(keys[i]));
	return keys[i];
}

static void prepare(struct token_rig *r)
{
	r->id->tenant_id = TENANT;
	r->id->client_id = CLIENT;
	r->id->certificate_path = r->file;
	r->count = r->planned = 0;
	start(r, CMK_GRANTED);
}

struct jwt {
	char *text;
	char *part[3]; // of text
	char raw[3][8192];
	size_t len[3];
	struct kp_json *header, *payload;
};

static void jwt_free(struct jwt *j)
{
	kp_json_free(&j->header);
	kp_json_free(&j->payload);
	free(j->text);
}

static void read_jwt(const struct token_rig *r, struct jwt *j)
{
	char *rest = j->text = strdup(field(r->asked[0].body, "client_assertion"));
	for (int i = 0; i < 3; i++) {
		j->part[i] = strsep(&rest, ".");
		assert_non_null(j->part[i]);
		j->len[i] = sizeof(j->raw[i]);
		assert_int_equal(kp_base64_decode(j->part[i], j->raw[i], &j->len[i]), 0);
	}
	assert_null(rest);
	assert_int_equal(kp_json_parse(j->raw[0], j->len[0], &j->header), 0);
	assert_int_equal(kp_json_parse(j->raw[1], j->len[1], &j->payload), 0);
}

// With what is public of it only.
static bool verifies(const struct jwt *j, X509 *cert)
{
	char signed_text[16400];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	int n = snprintf(signed_text, sizeof(signed_text), "%s.%s", j->part[0], j->part[1]);
	assert_true(EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, X509_get0_pubkey(cert)) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) > 0);
	int ok = EVP_DigestVerify(
		md, (unsigned char *)j->raw[2], j->len[2], (unsigned char *)signed_text, (size_t)n);
	EVP_MD_CTX_free(md);
	return ok == 1;
}

static void require_assertion(struct token_rig *r, X509 *cert)
{
	__attribute__((cleanup(jwt_free))) struct jwt j = {0};
	unsigned char hash[32];
	char thumb[64];
	int64_t v = 0;
	PLAN(r, 200, GRANT("1", "3599"));
	if (!get(r))
		fail_msg("%s", r->o.err.text);
	assert_string_equal(r->asked[0].url, ENTRA_URL);
	assert_string_equal(field(r->asked[0].body, "client_assertion_type"),
		"urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	assert_string_equal(field(r->asked[0].body, "client_id"), CLIENT);
	assert_string_equal(field(r->asked[0].body, "client_secret"), "");
	read_jwt(r, &j);
	assert_string_equal(kp_json_str(j.header, "alg"), "PS256");
	assert_string_equal(kp_json_str(j.header, "typ"), "JWT");
	assert_true(X509_digest(cert, EVP_sha256(), hash, NULL));
	kp_base64_encode(hash, sizeof(hash), thumb);
	assert_string_equal(kp_json_str(j.header, "x5t#S256"), thumb);
	assert_string_equal(kp_json_str(j.payload, "aud"), ENTRA_URL);
	assert_string_equal(kp_json_str(j.payload, "iss"), CLIENT);
	assert_string_equal(kp_json_str(j.payload, "sub"), CLIENT);
	assert_int_equal(strlen(kp_json_str(j.payload, "jti")), 36);
	assert_true(kp_json_int(j.payload, "iat", &v) && v == r->host.now);
	assert_true(kp_json_int(j.payload, "nbf", &v) && v == r->host.now);
	assert_true(kp_json_int(j.payload, "exp", &v) && v == r->host.now + 600);
	assert_true(verifies(&j, cert));
	j.raw[2][0] ^= 1;
	assert_false(verifies(&j, cert));
	require_unsaid(r, j.part[2]);
}

static void an_assertion_from_pem_verifies(void **state)
{
	struct token_rig *r = *state;
	__attribute__((cleanup(made_free))) struct made a = make(key(0), "a");
	__attribute__((cleanup(made_free))) struct made b = make(key(1), "b");
	put_pem(r->file, a.key, (X509 *[]){a.cert, NULL}, NULL);
	prepare(r);
	require_assertion(r, a.cert);
	// A renewed file is used without a new start; its own certificate is not the first.
	put_pem(r->file, b.key, (X509 *[]){a.cert, b.cert, NULL}, NULL);
	prepare(r);
	require_assertion(r, b.cert);
	put_pem(r->file, b.key, (X509 *[]){b.cert, NULL}, "pass word");
	r->id->certificate_password = "pass word";
	prepare(r);
	require_assertion(r, b.cert);
	require_unsaid(r, "pass word");
}

static void a_renewed_file_is_used_by_the_same_source(void **state)
{
	struct token_rig *r = *state;
	__attribute__((cleanup(made_free))) struct made a = make(key(0), "a");
	__attribute__((cleanup(made_free))) struct made b = make(key(1), "b");
	put_pem(r->file, a.key, (X509 *[]){a.cert, NULL}, NULL);
	prepare(r);
	require_assertion(r, a.cert);
	put_pem(r->file, b.key, (X509 *[]){b.cert, NULL}, NULL);
	pass(r, 3599);
	r->count = r->planned = 0;
	require_assertion(r, b.cert);
}

static void the_chain_is_sent_only_if_wanted(void **state)
{
	struct token_rig *r = *state;
	__attribute__((cleanup(made_free))) struct made a = make(key(0), "a");
	__attribute__((cleanup(made_free))) struct made b = make(key(1), "issuer");
	put_pem(r->file, a.key, (X509 *[]){b.cert, a.cert, NULL}, NULL);
	for (int wanted = 0; wanted < 2; wanted++) {
		__attribute__((cleanup(jwt_free))) struct jwt j = {0};
		r->id->send_chain = wanted;
		prepare(r);
		require_assertion(r, a.cert);
		read_jwt(r, &j);
		const struct kp_json *x5c = kp_json_get(j.header, "x5c");
		assert_int_equal(kp_json_count(x5c), wanted ? 2 : 0);
		if (!wanted)
			continue;
		unsigned char der[4096], *end = der;
		int len = i2d_X509(a.cert, &end);
		unsigned char text[6000];
		(void)EVP_EncodeBlock(text, der, len);
		assert_string_equal(kp_json_text(kp_json_first(x5c)), (char *)text);
		end = der;
		(void)EVP_EncodeBlock(text, der, i2d_X509(b.cert, &end));
		assert_string_equal(kp_json_text(kp_json_next(kp_json_first(x5c))), (char *)text);
	}
}

static void pkcs12_is_read_with_and_without_a_password(void **state)
{
	struct token_rig *r = *state;
	__attribute__((cleanup(made_free))) struct made a = make(key(0), "a");
	static const char *const passwords[] = {"pass word", ""};
	for (size_t i = 0; i < 2; i++) {
		put_pkcs12(r->file, &a, NULL, passwords[i]);
		r->id->certificate_password = passwords[i];
		prepare(r);
		require_assertion(r, a.cert);
	}
	put_pkcs12(r->file, &a, NULL, NULL);
	r->id->certificate_password = NULL;
	prepare(r);
	require_assertion(r, a.cert);
}

static void require_unusable(struct token_rig *r, const char *words)
{
	prepare(r);
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, words);
	require_verdict(r, CMK_MISCONFIGURED, r->file);
}

static void a_wrong_or_missing_password_is_told(void **state)
{
	struct token_rig *r = *state;
	__attribute__((cleanup(made_free))) struct made a = make(key(0), "a");
	for (int pem = 0; pem < 2; pem++) {
		if (pem)
			put_pem(r->file, a.key, (X509 *[]){a.cert, NULL}, "right one");
		else
			put_pkcs12(r->file, &a, NULL, "right one");
		r->id->certificate_password = "wrong one";
		require_unusable(r, "the password does not open it");
		require_unsaid(r, "wrong one");
		r->id->certificate_password = "";
		require_unusable(r, "protected by a password");
	}
}

static void each_file_that_cannot_be_used_is_told_apart(void **state)
{
	struct token_rig *r = *state;
	__attribute__((cleanup(made_free))) struct made a = make(key(0), "a");
	__attribute__((cleanup(made_free))) struct made b = make(key(1), "b");
	__attribute__((cleanup(made_free))) struct made ec = make(EVP_EC_gen("P-256"), "ec");
	__attribute__((cleanup(made_free))) struct made small = make(EVP_RSA_gen(1024), "small");
	require_unusable(r, "cannot open the file");
	put_file(r, r->file, "");
	require_unusable(r, "empty");
	put_file(r, r->file, "not a certificate");
	require_unusable(r, "neither PEM nor PKCS#12");
	put_pem(r->file, NULL, (X509 *[]){a.cert, NULL}, NULL);
	require_unusable(r, "no RSA private key");
	put_pem(r->file, a.key, (X509 *[]){NULL}, NULL);
	require_unusable(r, "no certificate in it belongs");
	put_pem(r->file, a.key, (X509 *[]){b.cert, NULL}, NULL);
	require_unusable(r, "no certificate in it belongs");
	put_pem(r->file, ec.key, (X509 *[]){ec.cert, NULL}, NULL);
	require_unusable(r, "no RSA private key");
	put_pkcs12(r->file, &ec, NULL, "");
	require_unusable(r, "no RSA private key");
	put_pkcs12(r->file, &small, NULL, "");
	require_unusable(r, "must be RSA");
	char *large = calloc(1, 40001);
	memset(large, 'x', 40000);
	put_file(r, r->file, large);
	free(large);
	require_unusable(r, "larger than");
	r->id->certificate_path = r->dir;
	start(r, CMK_GRANTED);
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, "regular file");
}

static void a_private_key_that_others_may_use_is_refused(void **state)
{
	struct token_rig *r = *state;
	static const mode_t bad[] = {0640, 0604, 0620, 0602, 0644};
	__attribute__((cleanup(made_free))) struct made a = make(key(0), "a");
	put_pem(r->file, a.key, (X509 *[]){a.cert, NULL}, NULL);
	prepare(r);
	r->planned = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(chmod(r->file, bad[i]), 0);
		assert_null(get(r));
		require_verdict(r, CMK_MISCONFIGURED, "chmod 600 it");
	}
	assert_int_equal(chmod(r->file, 0400), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(r->file, 65534, (gid_t)-1), 0);
		assert_null(get(r));
		require_verdict(r, CMK_MISCONFIGURED, "belongs to another user");
		assert_int_equal(chown(r->file, 0, (gid_t)-1), 0);
	}
	prepare(r);
	require_assertion(r, a.cert);
}

#define T(x) cmocka_unit_test_setup_teardown(x, token_rig_setup, token_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_assertion_from_pem_verifies),
		T(a_renewed_file_is_used_by_the_same_source),
		T(the_chain_is_sent_only_if_wanted),
		T(pkcs12_is_read_with_and_without_a_password),
		T(a_wrong_or_missing_password_is_told),
		T(a_private_key_that_others_may_use_is_refused),
		T(each_file_that_cannot_be_used_is_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
