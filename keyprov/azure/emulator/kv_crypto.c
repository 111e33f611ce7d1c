// SPDX-License-Identifier: MIT
// Encrypting, decrypting, wrapping and unwrapping; see kv_crypto.h.
#include "kv_crypto.h"

#include "kv_ssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#define GCM_IV 12
#define BLOCK 16

static int unfit(const struct kv_material *m, const char *alg, struct kv_refusal *no)
{
	return kv_bad(no,
		"Key and algorithm are incompatible: a key of type '%s' and %u bits does not do "
		"'%.40s'.\r\n",
		kv_kty_name(m), m->bits, alg);
}

static const struct {
	const char *alg, *digest; // NULL: PKCS #1 v1.5
} paddings[] = {{"RSA-OAEP-256", "SHA256"}, {"RSA-OAEP", "SHA1"}, {"RSA1_5", NULL}};

// The padding of alg set up in ctx; false if it is none of RSA's.
static bool set_padding(EVP_PKEY_CTX *ctx, const char *alg)
{
	for (size_t i = 0; i < sizeof(paddings) / sizeof(*paddings); i++) {
		const char *md = paddings[i].digest;
		if (strcmp(paddings[i].alg, alg) != 0)
			continue;
		if (!md)
			return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
		       EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, md, NULL) > 0 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, md, NULL) > 0;
	}
	return false;
}

typedef int rsa_init(EVP_PKEY_CTX *ctx);

// room gets room for one block of the key.
static int rsa_begin(const struct kv_material *m, const struct kv_input *in, rsa_init *init,
	EVP_PKEY_CTX **out, struct kv_bytes *room, struct kv_refusal *no)
{
	scoped(kv_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, m->pkey, NULL);
	if (!ctx || init(ctx) <= 0)
		return -ENOMEM;
	if (!set_padding(ctx, in->alg))
		return unfit(m, in->alg, no);
	int ret = kv_bytes_new(m->bits / 8, room);
	if (!ret)
		*out = TAKE(ctx);
	return ret;
}

static int rsa_encrypt(const struct kv_material *m, const struct kv_input *in, struct kv_bytes *out,
	struct kv_refusal *no)
{
	scoped(kv_pctx_free) EVP_PKEY_CTX *ctx = NULL;
	int ret = rsa_begin(m, in, EVP_PKEY_encrypt_init, &ctx, out, no);
	if (ret)
		return ret;
	if (EVP_PKEY_encrypt(ctx, out->data, &out->len, in->value.data, in->value.len) <= 0)
		return kv_bad(no, "%zu bytes are too many for %s with a key of %u bits.\r\n",
			in->value.len, in->alg, m->bits);
	return 0;
}

static int rsa_decrypt(const struct kv_material *m, const struct kv_input *in, struct kv_bytes *out,
	struct kv_refusal *no)
{
	scoped(kv_pctx_free) EVP_PKEY_CTX *ctx = NULL;
	int ret = rsa_begin(m, in, EVP_PKEY_decrypt_init, &ctx, out, no);
	if (ret)
		return ret;
	if (EVP_PKEY_decrypt(ctx, out->data, &out->len, in->value.data, in->value.len) > 0)
		return 0;
	return kv_bad(no, "Error occurred while decoding %s padding.",
		strcmp(in->alg, "RSA1_5") == 0 ? "PKCS#1" : "OAEP");
}

enum mode { KW, KWP, GCM, CBC, CBCPAD };
static const struct aes {
	const char *alg;
	bool wrap;
	enum mode mode;
	unsigned bits;
	const char *cipher;
} aes_algs[] = {
	{"A128KW", true, KW, 128, "AES-128-WRAP"},
	{"A192KW", true, KW, 192, "AES-192-WRAP"},
	{"A256KW", true, KW, 256, "AES-256-WRAP"},
	{"A128KWPAD", true, KWP, 128, "AES-128-WRAP-PAD"},
	{"A192KWPAD", true, KWP, 192, "AES-192-WRAP-PAD"},
	{"A256KWPAD", true, KWP, 256, "AES-256-WRAP-PAD"},
	{"CKM_AES_KEY_WRAP", true, KW, 128, "AES-128-WRAP"},
	{"CKM_AES_KEY_WRAP", true, KW, 192, "AES-192-WRAP"},
	{"CKM_AES_KEY_WRAP", true, KW, 256, "AES-256-WRAP"},
	{"CKM_AES_KEY_WRAP_PAD", true, KWP, 128, "AES-128-WRAP-PAD"},
	{"CKM_AES_KEY_WRAP_PAD", true, KWP, 192, "AES-192-WRAP-PAD"},
	{"CKM_AES_KEY_WRAP_PAD", true, KWP, 256, "AES-256-WRAP-PAD"},
	{"A128GCM", false, GCM, 128, "AES-128-GCM"},
	{"A192GCM", false, GCM, 192, "AES-192-GCM"},
	{"A256GCM", false, GCM, 256, "AES-256-GCM"},
	{"A128CBC", false, CBC, 128, "AES-128-CBC"},
	{"A192CBC", false, CBC, 192, "AES-192-CBC"},
	{"A256CBC", false, CBC, 256, "AES-256-CBC"},
	{"A128CBCPAD", false, CBCPAD, 128, "AES-128-CBC"},
	{"A192CBCPAD", false, CBCPAD, 192, "AES-192-CBC"},
	{"A256CBCPAD", false, CBCPAD, 256, "AES-256-CBC"},
};

static const struct aes *aes_find(const struct kv_material *m, bool wrap, const char *alg)
{
	for (size_t i = 0; i < sizeof(aes_algs) / sizeof(*aes_algs); i++)
		if (strcmp(aes_algs[i].alg, alg) == 0 && aes_algs[i].wrap == wrap &&
			aes_algs[i].bits == m->bits)
			return &aes_algs[i];
	return NULL;
}

static void cipher_free(EVP_CIPHER **c)
{
	EVP_CIPHER_free(*c);
}

// One pass over value; tag is 16 bytes, to be filled in or checked, or NULL.
static int aes_run(const struct aes *a, const struct kv_material *m, bool forth,
	const struct kv_input *in, const struct kv_bytes *iv, uint8_t *tag, struct kv_bytes *out)
{
	scoped(cipher_free) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, a->cipher, NULL);
	scoped(kv_cctx_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, more = 0;
	int ret = cipher && ctx ? kv_bytes_new(in->value.len + 2 * BLOCK, out) : -ENOMEM;
	if (ret)
		return ret;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(ctx, cipher, m->oct, iv ? iv->data : NULL, forth, NULL) <= 0)
		return -ENOMEM;
	if (a->mode == CBC)
		EVP_CIPHER_CTX_set_padding(ctx, 0);
	if (tag && !forth && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, BLOCK, tag) <= 0)
		return -ENOMEM;
	if (tag && in->aad.len &&
		EVP_CipherUpdate(ctx, NULL, &n, in->aad.data, (int)in->aad.len) <= 0)
		return -EBADMSG;
	if (EVP_CipherUpdate(ctx, out->data, &n, in->value.data, (int)in->value.len) <= 0)
		return -EBADMSG;
	if (a->wrap)
		out->len = (size_t)n;
	else if (EVP_CipherFinal_ex(ctx, out->data + n, &more) <= 0)
		return -EBADMSG;
	else
		out->len = (size_t)(n + more);
	if (tag && forth && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, BLOCK, tag) <= 0)
		return -ENOMEM;
	return 0;
}

static int aes_encrypt(const struct kv_material *m, bool wrap, const struct kv_input *in,
	struct kv_output *out, struct kv_refusal *no)
{
	const struct aes *a = aes_find(m, wrap, in->alg);
	if (!a)
		return unfit(m, in->alg, no);
	size_t len = in->value.len;
	if ((a->mode == KW && (len < 16 || len % 8)) || (a->mode == CBC && len % BLOCK))
		return kv_bad(no, "%zu bytes do not fit %s.\r\n", len, in->alg);
	if (a->mode == GCM || a->mode == CBC || a->mode == CBCPAD) {
		size_t want = a->mode == GCM ? GCM_IV : BLOCK;
		if (in->iv.len && (a->mode == GCM || in->iv.len != want))
			return kv_bad(no, "Property iv has invalid value\r\n");
		int ret = kv_bytes_new(want, &out->iv);
		if (ret == 0 && in->iv.len)
			memcpy(out->iv.data, in->iv.data, want);
		else if (ret == 0 && RAND_bytes(out->iv.data, (int)want) != 1)
			ret = -EIO;
		if (ret == 0 && a->mode == GCM)
			ret = kv_bytes_new(BLOCK, &out->tag);
		if (ret)
			return ret;
	}
	int ret =
		aes_run(a, m, true, in, out->iv.len ? &out->iv : NULL, out->tag.data, &out->value);
	return ret == -EBADMSG ? kv_bad(no, "%zu bytes do not fit %s.\r\n", len, in->alg) : ret;
}

static int aes_decrypt(const struct kv_material *m, bool wrap, const struct kv_input *in,
	struct kv_bytes *out, struct kv_refusal *no)
{
	const struct aes *a = aes_find(m, wrap, in->alg);
	if (!a)
		return unfit(m, in->alg, no);
	if (!wrap && in->iv.len != (a->mode == GCM ? GCM_IV : BLOCK))
		return kv_bad(no, "Property iv has invalid value\r\n");
	if (a->mode == GCM && in->tag.len != BLOCK)
		return kv_bad(no, "Property tag has invalid value\r\n");
	int ret = aes_run(
		a, m, false, in, wrap ? NULL : &in->iv, a->mode == GCM ? in->tag.data : NULL, out);
	return ret == -EBADMSG
		       ? kv_bad(no, "The ciphertext was not made with this key, or is damaged.\r\n")
		       : ret;
}

int kv_encrypt(const struct kv_material *m, bool wrap, const struct kv_input *in,
	struct kv_output *out, struct kv_refusal *no)
{
	if (m->kty == KV_RSA)
		return rsa_encrypt(m, in, &out->value, no);
	return m->kty == KV_OCT ? aes_encrypt(m, wrap, in, out, no) : unfit(m, in->alg, no);
}

int kv_decrypt(const struct kv_material *m, bool wrap, const struct kv_input *in,
	struct kv_output *out, struct kv_refusal *no)
{
	if (m->kty == KV_RSA)
		return rsa_decrypt(m, in, &out->value, no);
	return m->kty == KV_OCT ? aes_decrypt(m, wrap, in, &out->value, no) : unfit(m, in->alg, no);
}
