// SPDX-License-Identifier: MIT
// Key and certificates out of PEM (RFC 7468) and PKCS#12 (RFC 7292); see cred_key.h.
#include "cred_key.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#define CERTIFICATES_MAX 16

static void bio_free(BIO **b)
{
	(void)BIO_free(*b);
}
static void p12_free(PKCS12 **p)
{
	PKCS12_free(*p);
}
static void p8_free(PKCS8_PRIV_KEY_INFO **p)
{
	PKCS8_PRIV_KEY_INFO_free(*p);
}
static void sig_free(X509_SIG **p)
{
	X509_SIG_free(*p);
}
static void safes_free(STACK_OF(PKCS7) * *p)
{
	sk_PKCS7_pop_free(*p, PKCS7_free);
}
static void bags_free(STACK_OF(PKCS12_SAFEBAG) * *p)
{
	sk_PKCS12_SAFEBAG_pop_free(*p, PKCS12_SAFEBAG_free);
}

// One block of a PEM file; its parts are in OpenSSL's locked memory.
struct block {
	char *name;
	unsigned char *der;
	long len;
};

static void block_free(struct block *b)
{
	OPENSSL_secure_clear_free(b->der, (size_t)b->len);
	OPENSSL_secure_free(b->name);
}

static int no_memory(struct kp_err *err)
{
	return kp_fail(err, ENOMEM, "no memory to read the client certificate");
}

static int bad_password(struct kp_err *err, const char *path, bool given)
{
	if (given)
		return kp_fail(err, EACCES,
			"client certificate %s: the password does not open it; compare "
			"AZURE_CLIENT_CERTIFICATE_PASSWORD, or certificatePasswordFile of the key "
			"set, with the file's",
			path);
	return kp_fail(err, EACCES,
		"client certificate %s: it is protected by a password; set "
		"AZURE_CLIENT_CERTIFICATE_PASSWORD, or certificatePasswordFile in the key set",
		path);
}

static int no_key(struct kp_err *err, const char *path)
{
	return kp_fail(err, EINVAL,
		"client certificate %s: there is no RSA private key in it that can be read; put "
		"key and certificate into one file",
		path);
}

// OpenSSL would ask at the terminal otherwise. user: the password, or "".
static int give_password(char *buf, int size, int writing, void *user)
{
	const char *password = user;
	size_t len = strlen(password);
	if (writing || len == 0 || size < 0 || len > (size_t)size)
		return 0;
	memcpy(buf, password, len);
	return (int)len;
}

static bool next_block(BIO *bio, const char *kind, const char *password, struct block *out)
{
	return PEM_bytes_read_bio_secmem(&out->der, &out->len, &out->name, kind, bio, give_password,
		       (void *)(uintptr_t)password) == 1;
}

static int key_from_block(const struct block *b, const char *password, EVP_PKEY **out)
{
	scoped(p8_free) PKCS8_PRIV_KEY_INFO *info = NULL;
	const unsigned char *der = b->der;
	if (strcmp(b->name, PEM_STRING_RSA) == 0)
		return cred_key_pkcs1(b->der, (size_t)b->len, out);
	if (strcmp(b->name, PEM_STRING_PKCS8) == 0) {
		scoped(sig_free) X509_SIG *sig = d2i_X509_SIG(NULL, &der, b->len);
		info = sig ? PKCS8_decrypt(sig, password, (int)strlen(password)) : NULL;
	} else if (strcmp(b->name, PEM_STRING_PKCS8INF) == 0) {
		info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, b->len);
	}
	return info ? cred_key_pkcs8(info, out) : -EBADMSG;
}

static int key_from_pem(const struct cred_text *file, const char *path, const char *password,
	EVP_PKEY **out, struct kp_err *err)
{
	scoped(bio_free) BIO *bio = BIO_new_mem_buf(file->p, (int)file->len);
	scoped(block_free) struct block b = {0};
	if (!bio)
		return no_memory(err);
	int ret = -EBADMSG;
	if (next_block(bio, PEM_STRING_EVP_PKEY, password, &b))
		ret = key_from_block(&b, password, out);
	// Both ways of encrypting a key in PEM say so in these words.
	if (ret == -EBADMSG && strstr(file->p, "ENCRYPTED"))
		return bad_password(err, path, *password);
	return ret == -EBADMSG ? no_key(err, path) : ret ? no_memory(err) : 0;
}

int cred_pair_pem(const struct cred_text *file, const char *path, const char *password,
	struct cred_pair *out, struct kp_err *err)
{
	scoped(bio_free) BIO *bio = BIO_new_mem_buf(file->p, (int)file->len);
	out->others = sk_X509_new_null();
	if (!bio || !out->others)
		return no_memory(err);
	int ret = key_from_pem(file, path, password, &out->key, err);
	while (ret == 0 && sk_X509_num(out->others) < CERTIFICATES_MAX) {
		scoped(block_free) struct block b = {0};
		if (!next_block(bio, PEM_STRING_X509, "", &b))
			break;
		const unsigned char *der = b.der;
		X509 *cert = d2i_X509(NULL, &der, b.len);
		if (!cert || sk_X509_push(out->others, cert) <= 0) {
			X509_free(cert);
			return kp_fail(err, EINVAL,
				"client certificate %s: a certificate in it is malformed", path);
		}
	}
	return ret;
}

// A key or a certificate; other bags are of no interest.
static int take_bag(const PKCS12_SAFEBAG *bag, const char *password, struct cred_pair *out)
{
	int nid = PKCS12_SAFEBAG_get_nid(bag);
	if (nid == NID_certBag && sk_X509_num(out->others) < CERTIFICATES_MAX) {
		X509 *cert = PKCS12_SAFEBAG_get1_cert(bag);
		if (cert && sk_X509_push(out->others, cert) > 0)
			return 0;
		X509_free(cert);
		return -EBADMSG;
	}
	if (nid == NID_keyBag && !out->key)
		return cred_key_pkcs8(PKCS12_SAFEBAG_get0_p8inf(bag), &out->key);
	if (nid != NID_pkcs8ShroudedKeyBag || out->key)
		return 0;
	scoped(p8_free) PKCS8_PRIV_KEY_INFO *info = PKCS12_decrypt_skey(bag, password, -1);
	return info ? cred_key_pkcs8(info, &out->key) : -EBADMSG;
}

static int take_safe(PKCS7 *safe, const char *password, struct cred_pair *out)
{
	scoped(bags_free) STACK_OF(PKCS12_SAFEBAG) *bags =
		PKCS7_type_is_encrypted(safe) ? PKCS12_unpack_p7encdata(safe, password, -1)
					      : PKCS12_unpack_p7data(safe);
	if (!bags)
		return -EBADMSG;
	int ret = 0;
	for (int i = 0; ret == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++)
		ret = take_bag(sk_PKCS12_SAFEBAG_value(bags, i), password, out);
	return ret;
}

int cred_pair_pkcs12(const struct cred_text *file, const char *path, const char *password,
	struct cred_pair *out, struct kp_err *err)
{
	const unsigned char *der = (const unsigned char *)file->p;
	scoped(p12_free) PKCS12 *p12 = d2i_PKCS12(NULL, &der, (long)file->len);
	if (!p12)
		return kp_fail(err, EINVAL,
			"client certificate %s: neither PEM nor PKCS#12; convert it, key and "
			"certificate in one file",
			path);
	// No password is written in two ways.
	bool opens = PKCS12_verify_mac(p12, password, -1);
	if (!opens && !*password && PKCS12_verify_mac(p12, NULL, 0)) {
		password = NULL;
		opens = true;
	}
	if (!opens && PKCS12_mac_present(p12))
		return bad_password(err, path, *password);
	scoped(safes_free) STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
	out->others = sk_X509_new_null();
	if (!out->others)
		return no_memory(err);
	int ret = safes ? 0 : -EBADMSG;
	for (int i = 0; ret == 0 && i < sk_PKCS7_num(safes); i++)
		ret = take_safe(sk_PKCS7_value(safes, i), password, out);
	if (ret == 0 && out->key)
		return 0;
	const char *why = ERR_reason_error_string(ERR_peek_last_error());
	return kp_fail(err, EINVAL,
		"client certificate %s: this PKCS#12 file has no RSA private key that can be read "
		"(%s); write it anew with AES-256, key and certificate in one file",
		path, why ? why : "none is there");
}
