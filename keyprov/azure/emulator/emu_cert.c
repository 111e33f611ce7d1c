// SPDX-License-Identifier: MIT
// X.509 certificates; see emu_cert.h.
#include "emu_cert.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAMES                                                                   \
	"DNS:*.vault.localhost,DNS:vault.localhost,DNS:*.managedhsm.localhost," \
	"DNS:managedhsm.localhost,DNS:localhost,IP:127.0.0.1,IP:::1"

static void cert_end(X509 **c)
{
	X509_free(*c);
}

static void key_end(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void bio_end(BIO **b)
{
	BIO_free_all(*b);
}

static X509 *read_cert(const char *pem)
{
	scoped(bio_end) BIO *b = BIO_new_mem_buf(pem, -1);
	return b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *read_key(const char *pem)
{
	scoped(bio_end) BIO *b = BIO_new_mem_buf(pem, -1);
	return b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
}

static char *text_of(BIO *b)
{
	char *data;
	long len = BIO_get_mem_data(b, &data);
	return len > 0 ? strndup(data, (size_t)len) : NULL;
}

static int print(X509 *cert, EVP_PKEY *key, struct emu_cert *out)
{
	scoped(bio_end) BIO *c = BIO_new(BIO_s_mem());
	scoped(bio_end) BIO *k = BIO_new(BIO_s_secmem());
	scoped(emu_cert_free) struct emu_cert made = {0};
	if (!c || !k || PEM_write_bio_X509(c, cert) != 1 ||
		PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) != 1)
		return -ENOMEM;
	made.cert_pem = text_of(c);
	made.key_pem = text_of(k);
	if (!made.cert_pem || !made.key_pem)
		return -ENOMEM;
	*out = made;
	made = (struct emu_cert){0};
	return 0;
}

static bool set_name(X509_NAME *n, const char *common)
{
	return X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8,
		       (const unsigned char *)"cmkdisk-vault (rehearsals only)", -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(
		       n, "CN", MBSTRING_UTF8, (const unsigned char *)common, -1, -1, 0) == 1;
}

// Positive, as RFC 5280 section 4.1.2.2 wants it.
static bool set_serial(X509 *c)
{
	unsigned char bytes[16];
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7f) | 0x40;
	BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
	BN_free(n);
	return ok;
}

static bool extend(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(c, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

// An hour back, so that a client whose clock is a little slow finds it valid.
static bool set_life(X509 *c, int days)
{
	return X509_gmtime_adj(X509_getm_notBefore(c), -3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(c), (long)days * 86400);
}

static X509 *begin(EVP_PKEY *key, const char *name, int days)
{
	scoped(cert_end) X509 *c = X509_new();
	if (!c || X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c) ||
		!set_life(c, days) || !set_name(X509_get_subject_name(c), name) ||
		X509_set_pubkey(c, key) != 1)
		return NULL;
	return TAKE(c);
}

int cert_make_ca(const char *name, int days, struct emu_cert *out)
{
	scoped(key_end) EVP_PKEY *key = EVP_EC_gen("P-256");
	scoped(cert_end) X509 *c = key ? begin(key, name, days) : NULL;
	if (!c || X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 ||
		!extend(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
		!extend(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
		!extend(c, c, NID_subject_key_identifier, "hash") ||
		X509_sign(c, key, EVP_sha256()) == 0)
		return -EIO;
	return print(c, key, out);
}

int cert_make_server(const struct emu_cert *ca, int days, struct emu_cert *out)
{
	scoped(cert_end) X509 *issuer = read_cert(ca->cert_pem);
	scoped(key_end) EVP_PKEY *signer = read_key(ca->key_pem);
	scoped(key_end) EVP_PKEY *key = EVP_EC_gen("P-256");
	if (!issuer || !signer || X509_check_private_key(issuer, signer) != 1)
		return -EBADMSG;
	scoped(cert_end) X509 *c = key ? begin(key, "vault.localhost", days) : NULL;
	if (!c || X509_set_issuer_name(c, X509_get_subject_name(issuer)) != 1 ||
		!extend(c, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
		!extend(c, issuer, NID_key_usage, "critical,digitalSignature") ||
		!extend(c, issuer, NID_ext_key_usage, "serverAuth") ||
		!extend(c, issuer, NID_subject_alt_name, NAMES) ||
		!extend(c, issuer, NID_subject_key_identifier, "hash") ||
		!extend(c, issuer, NID_authority_key_identifier, "keyid:always") ||
		X509_sign(c, signer, EVP_sha256()) == 0)
		return -EIO;
	return print(c, key, out);
}

bool cert_fits(const struct emu_cert *server, const struct emu_cert *ca, int days)
{
	scoped(cert_end) X509 *issuer = read_cert(ca->cert_pem);
	scoped(cert_end) X509 *c = read_cert(server->cert_pem);
	scoped(key_end) EVP_PKEY *key = read_key(server->key_pem);
	time_t then = time(NULL) + (time_t)days * 86400;
	return issuer && c && key && X509_check_private_key(c, key) == 1 &&
	       X509_verify(c, X509_get0_pubkey(issuer)) == 1 &&
	       X509_cmp_time(X509_get0_notAfter(c), &then) > 0;
}
