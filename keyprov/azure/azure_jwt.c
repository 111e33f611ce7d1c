// SPDX-License-Identifier: MIT
// See azure_jwt.h.
#include "azure_jwt.h"

#include "kp_base64.h"
#include "kp_json.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE_MAX 2048 // bytes; a key of 16384 bits

static void md_ctx_free(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
	ERR_clear_error();
}

static void der_free(unsigned char **p)
{
	OPENSSL_free(*p);
}

static int failed(struct kp_err *err)
{
	return kp_fail(err, ENOMEM, "OpenSSL failed to sign, or had no memory");
}

// One certificate of x5c: plain base64 of its DER form (RFC 7515 section 4.1.6).
static bool add_certificate(struct cred_text *t, const X509 *cert)
{
	scoped(der_free) unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	if (len <= 0)
		return false;
	autofree unsigned char *text = malloc(((size_t)len + 2) / 3 * 4 + 1);
	if (!text)
		return false;
	(void)EVP_EncodeBlock(text, der, len);
	cred_text_add(t, "\"");
	cred_text_add(t, (char *)text);
	cred_text_add(t, "\"");
	return true;
}

// Nothing in it needs to be escaped.
static bool make_header(const struct jwt_signer *s, struct cred_text *t)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned hash_len = 0;
	if (!X509_digest(s->leaf, EVP_sha256(), hash, &hash_len))
		return false;
	cred_text_add(t, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"");
	cred_text_add_base64url(t, hash, hash_len);
	cred_text_add(t, "\"");
	if (s->chain) {
		cred_text_add(t, ",\"x5c\":[");
		if (!add_certificate(t, s->leaf))
			return false;
		for (int i = 0; i < sk_X509_num(s->chain); i++) {
			cred_text_add(t, ",");
			if (!add_certificate(t, sk_X509_value(s->chain, i)))
				return false;
		}
		cred_text_add(t, "]");
	}
	cred_text_add(t, "}");
	return true;
}

// A random GUID (RFC 9562 section 5.4).
static bool make_jti(char out[37])
{
	unsigned char b[16];
	if (RAND_bytes(b, sizeof(b)) != 1)
		return false;
	b[6] = (unsigned char)(0x40u | (b[6] & 0x0fu));
	b[8] = (unsigned char)(0x80u | (b[8] & 0x3fu));
	(void)snprintf(out, 37,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
	return true;
}

static bool make_payload(const char *audience, const char *client_id, int64_t now, char **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	char jti[37];
	return make_jti(jti) && kp_json_object(&j) == 0 &&
	       kp_json_add_str(j, "aud", audience) == 0 &&
	       kp_json_add_str(j, "iss", client_id) == 0 &&
	       kp_json_add_str(j, "sub", client_id) == 0 && kp_json_add_str(j, "jti", jti) == 0 &&
	       kp_json_add_int(j, "nbf", now) == 0 && kp_json_add_int(j, "iat", now) == 0 &&
	       kp_json_add_int(j, "exp", now + JWT_LIFETIME) == 0 &&
	       kp_json_print(j, false, out) == 0;
}

static bool sign(EVP_PKEY *key, const char *data, size_t len, unsigned char *sig, size_t *sig_len)
{
	scoped(md_ctx_free) EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	return md && EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, key) == 1 &&
	       EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
	       EVP_DigestSign(md, sig, sig_len, (const unsigned char *)data, len) == 1;
}

int jwt_assertion(const struct jwt_signer *s, const char *audience, const char *client_id,
	int64_t now, struct cred_text *out, struct kp_err *err)
{
	scoped(cred_text_end) struct cred_text header = {0};
	autofree char *payload = NULL;
	unsigned char sig[SIGNATURE_MAX];
	size_t sig_len = sizeof(sig), start = out->len;
	int ret = cred_text_new(out->host, CRED_TEXT_ROOM, &header, err);
	if (ret)
		return ret;
	if (!make_header(s, &header) || !make_payload(audience, client_id, now, &payload))
		return failed(err);
	if (header.full)
		return cred_text_check(&header, err);
	cred_text_add_base64url(out, header.p, header.len);
	cred_text_add(out, ".");
	cred_text_add_base64url(out, payload, strlen(payload));
	if (out->full)
		return cred_text_check(out, err);
	bool ok = sign(s->key, out->p + start, out->len - start, sig, &sig_len);
	cred_text_add(out, ".");
	cred_text_add_base64url(out, sig, ok ? sig_len : 0);
	explicit_bzero(sig, sizeof(sig));
	return ok ? cred_text_check(out, err) : failed(err);
}
