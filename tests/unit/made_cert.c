// SPDX-License-Identifier: MIT
// See made_cert.h.
#include "made_cert.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct made make(EVP_PKEY *key, const char *name)
{
	struct made m = {key, X509_new()};
	X509_NAME *n = X509_get_subject_name(m.cert);
	assert_non_null(key);
	assert_true(X509_set_version(m.cert, 2));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(m.cert), 7));
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(m.cert), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(m.cert), 3600));
	assert_true(X509_NAME_add_entry_by_txt(
		n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0));
	assert_true(X509_set_issuer_name(m.cert, n));
	assert_true(X509_set_pubkey(m.cert, key));
	assert_true(X509_sign(m.cert, key, EVP_sha256()) > 0);
	return m;
}

void made_free(struct made *m)
{
	EVP_PKEY_free(m->key);
	X509_free(m->cert);
}

static FILE *open_private(const char *path)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	return f;
}

void put_pem(const char *path, EVP_PKEY *key, X509 *const certs[], const char *password)
{
	FILE *f = open_private(path);
	for (; *certs; certs++)
		assert_true(PEM_write_X509(f, *certs));
	if (key)
		assert_true(PEM_write_PKCS8PrivateKey(f, key, password ? EVP_aes_256_cbc() : NULL,
			password, password ? (int)strlen(password) : 0, NULL, NULL));
	assert_int_equal(fclose(f), 0);
}

void put_pkcs12(const char *path, struct made *m, STACK_OF(X509) * chain, const char *password)
{
	FILE *f = open_private(path);
	PKCS12 *p = PKCS12_create(password, "name", m->key, m->cert, chain, 0, 0, 0, 0, 0);
	assert_non_null(p);
	assert_true(i2d_PKCS12_fp(f, p));
	PKCS12_free(p);
	assert_int_equal(fclose(f), 0);
}
