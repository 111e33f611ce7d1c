// SPDX-License-Identifier: MIT
// Reading a vault's key exchange key; see byok.h.
#include "byok.h"

#include "kp_base64.h"
#include "kp_openssl.h"
#include "kp_program.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX 65536

// A pipe, which is no regular file, is the caller's own.
static int check_owner(const char *path, int fd, struct kp_err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return kp_fail(err, EIO, "%s: cannot be read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return kp_fail(err, EDOM,
			"%s: belongs to another user, who could put another key there; make it "
			"yourself with az keyvault key show",
			path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return kp_fail(err, EDOM,
			"%s: others may write to it, and who puts a key of his own there gets "
			"yours; compare it with the vault's, and chmod go-w it",
			path);
	return 0;
}

static int read_file(const char *path, char *text, size_t *len, struct kp_err *err)
{
	int fd autoclose = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return kp_fail(err, errno, "%s: cannot be opened: %s", path, strerror(errno));
	int ret = check_owner(path, fd, err);
	if (ret)
		return ret;
	*len = 0;
	for (;;) {
		ssize_t n = read(fd, text + *len, FILE_MAX - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kp_fail(err, errno == EISDIR ? EINVAL : EIO,
				"%s: cannot be read: %s", path, strerror(errno));
		*len += (size_t)n;
		if (*len == FILE_MAX)
			return kp_fail(err, EBADMSG, "%s: is too large for a public key", path);
		if (n == 0)
			break;
	}
	text[*len] = '\0';
	return 0;
}

// NULL if OpenSSL will not take the numbers.
static EVP_PKEY *build(const struct byok_kek *kek)
{
	scoped(kp_bn_free) BIGNUM *n = BN_bin2bn(kek->n, (int)kek->n_len, NULL);
	scoped(kp_bn_free) BIGNUM *e = BN_bin2bn(kek->e, (int)kek->e_len, NULL);
	scoped(kp_bld_free) OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	if (!n || !e || !b || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
		OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return NULL;
	scoped(kp_params_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	scoped(kp_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	return key;
}

static int fingerprint(const char *path, struct byok_kek *kek, struct kp_err *err)
{
	uint8_t hash[32], *der = NULL;
	scoped(kp_pkey_free) EVP_PKEY *key = build(kek);
	int len = key ? i2d_PUBKEY(key, &der) : -1;
	bool done = len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	if (!done)
		return kp_fail(err, EBADMSG, "%s: is no usable RSA key", path);
	for (size_t i = 0; i < sizeof(hash); i++)
		(void)snprintf(kek->fingerprint + 2 * i, 3, "%02x", hash[i]);
	return 0;
}

static int check(const char *path, struct byok_kek *kek, struct kp_err *err)
{
	if ((kek->n_len != 256 && kek->n_len != 384 && kek->n_len != 512) || !(kek->n[0] & 0x80) ||
		kek->e_len == 0 || !(kek->e[kek->e_len - 1] & 1))
		return kp_fail(err, EBADMSG,
			"%s: is no RSA key of 2048, 3072 or 4096 bits; a vault's key exchange key "
			"is one, of the type RSA-HSM",
			path);
	return fingerprint(path, kek, err);
}

// The number, without leading zeros; 0 if it does not fit.
static size_t put_bn(EVP_PKEY *key, const char *name, uint8_t *out, size_t room)
{
	scoped(kp_bn_free) BIGNUM *bn = NULL;
	if (EVP_PKEY_get_bn_param(key, name, &bn) && (size_t)BN_num_bytes(bn) <= room)
		return (size_t)BN_bn2bin(bn, out);
	return 0;
}

static int holds_private(const char *path, struct kp_err *err)
{
	return kp_fail(err, EBADMSG,
		"%s: holds a private key, which is nobody's business here; give the public half "
		"alone, as openssl pkey -in FILE -pubout writes it",
		path);
}

static int read_pem(
	const char *path, const char *text, size_t len, struct byok_kek *out, struct kp_err *err)
{
	// Whatever its kind, and also if it is encrypted.
	if (strstr(text, "PRIVATE KEY-----"))
		return holds_private(path, err);
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	scoped(kp_pkey_free) EVP_PKEY *key =
		bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!key)
		return kp_fail(err, EBADMSG,
			"%s: is neither a public key in PEM nor the JSON of a key; make it with az "
			"keyvault key show",
			path);
	if (EVP_PKEY_is_a(key, "RSA")) {
		out->n_len = put_bn(key, OSSL_PKEY_PARAM_RSA_N, out->n, sizeof(out->n));
		out->e_len = put_bn(key, OSSL_PKEY_PARAM_RSA_E, out->e, sizeof(out->e));
	}
	return check(path, out, err);
}

// Some programs print the numbers of a key in base64 with padding, others in base64url.
static size_t number(const struct kp_json *key, const char *member, uint8_t *out, size_t room)
{
	const char *text = kp_json_str(key, member);
	uint8_t raw[BYOK_MODULUS_MAX + 1];
	size_t len = sizeof(raw), skip = 0;
	char *copy autofree = text ? strdup(text) : NULL;
	if (!copy)
		return 0;
	copy[strcspn(copy, "=")] = '\0';
	for (char *p = copy; *p; p++)
		*p = (char)(*p == '+' ? '-' : (*p == '/' ? '_' : *p));
	if (kp_base64_decode(copy, raw, &len))
		return 0;
	while (skip < len && raw[skip] == 0)
		skip++;
	if (len - skip > room)
		return 0;
	memcpy(out, raw + skip, len - skip);
	return len - skip;
}

// Exactly ["import"] is what a vault demands.
static bool has_other_uses(const struct kp_json *key)
{
	const struct kp_json *ops = kp_json_get(key, "key_ops");
	ops = ops ? ops : kp_json_get(key, "keyOps");
	if (!kp_json_is_array(ops))
		return false;
	const char *first = kp_json_text(kp_json_first(ops));
	return kp_json_count(ops) != 1 || !first || strcmp(first, "import") != 0;
}

static int read_json(
	const char *path, char *text, size_t len, struct byok_kek *out, struct kp_err *err)
{
	scoped(kp_json_free) struct kp_json *root = NULL;
	int ret = kp_json_parse(text, len, &root);
	if (ret)
		return kp_fail(err, -ret, "%s: is no JSON", path);
	const struct kp_json *key = kp_json_get(root, "key");
	key = kp_json_is_object(key) ? key : root;
	if (kp_json_str(key, "d"))
		return holds_private(path, err);
	const char *kid = kp_json_str(key, "kid");
	if (kid && strlen(kid) >= sizeof(out->kid))
		return kp_fail(err, EBADMSG, "%s: its kid is longer than %d bytes", path,
			BYOK_KID_MAX - 1);
	(void)snprintf(out->kid, sizeof(out->kid), "%s", kid ? kid : "");
	out->n_len = number(key, "n", out->n, sizeof(out->n));
	out->e_len = number(key, "e", out->e, sizeof(out->e));
	out->other_uses = has_other_uses(key);
	return check(path, out, err);
}

int byok_kek_read(const char *path, struct byok_kek *out, struct kp_err *err)
{
	size_t len = 0;
	// It may be a private key, by mistake.
	scoped(kp_program_free_secret) char *text =
		kp_program_host()->secret_alloc(kp_program_host(), FILE_MAX + 1);
	*out = (struct byok_kek){.n_len = 0};
	if (!text)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = read_file(path, text, &len, err);
	if (ret)
		return ret;
	if (text[strspn(text, " \t\r\n")] == '{')
		return read_json(path, text, len, out, err);
	return read_pem(path, text, len, out, err);
}
