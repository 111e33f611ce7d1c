// SPDX-License-Identifier: MIT
// Tokens: taking apart, signing, verifying; see emu_jwt.h.
#include "emu_jwt.h"

#include "kp_base64.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

void jwt_end(struct jwt *t)
{
	kp_json_free(&t->header);
	kp_json_free(&t->claims);
	free(t->header_text);
	free(t->claims_text);
	if (t->text)
		explicit_bzero(t->text, strlen(t->text));
	free(t->text);
	*t = (struct jwt){0};
}

static int part_parse(const char *part, char **text, struct kp_json **out)
{
	size_t len = strlen(part);
	*text = malloc(len + 1);
	if (!*text)
		return -ENOMEM;
	if (kp_base64_decode(part, *text, &len))
		return -EBADMSG;
	(*text)[len] = '\0';
	int ret = kp_json_parse(*text, len, out);
	if (ret)
		return ret;
	return kp_json_is_object(*out) ? 0 : -EBADMSG;
}

// Cuts t->text at its dots and puts the first one back.
static int parts_parse(struct jwt *t)
{
	char *claims = strchr(t->text, '.');
	if (!claims)
		return -EBADMSG;
	*claims++ = '\0';
	char *signature = strchr(claims, '.');
	if (!signature)
		return -EBADMSG;
	*signature++ = '\0';
	t->signed_len = (size_t)(signature - t->text) - 1;
	t->signature_len = sizeof(t->signature);
	if (kp_base64_decode(signature, t->signature, &t->signature_len))
		return -EBADMSG;
	int ret = part_parse(t->text, &t->header_text, &t->header);
	if (ret == 0)
		ret = part_parse(claims, &t->claims_text, &t->claims);
	claims[-1] = '.';
	return ret;
}

int jwt_parse(const char *text, struct jwt *out)
{
	if (strlen(text) > JWT_MAX)
		return -EBADMSG;
	scoped(jwt_end) struct jwt t = {.text = strdup(text)};
	if (!t.text)
		return -ENOMEM;
	int ret = parts_parse(&t);
	if (ret)
		return ret;
	*out = t;
	t = (struct jwt){0};
	return 0;
}

static void md_free(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
	ERR_clear_error();
}

int jwt_verify(const struct jwt *t, EVP_PKEY *key)
{
	const char *alg = kp_json_str(t->header, "alg");
	bool pss = alg && strcmp(alg, "PS256") == 0;
	if (!alg || (!pss && strcmp(alg, "RS256") != 0) ||
		EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return -EBADMSG;
	scoped(md_free) EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	if (!md || EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, key) <= 0)
		return -ENOMEM;
	// RFC 7518 section 3.5: the salt is as long as the hash.
	if (pss && (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
			   EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) <= 0))
		return -ENOMEM;
	int ok = EVP_DigestVerify(
		md, t->signature, t->signature_len, (const unsigned char *)t->text, t->signed_len);
	return ok == 1 ? 0 : -EBADMSG;
}

static int encode(const struct kp_json *j, char **out)
{
	autofree char *text = NULL;
	int ret = kp_json_print(j, false, &text);
	if (ret)
		return ret;
	size_t len = strlen(text);
	*out = malloc(KP_BASE64_LEN(len) + 1);
	if (!*out)
		return -ENOMEM;
	kp_base64_encode(text, len, *out);
	return 0;
}

int jwt_sign(EVP_PKEY *key, const struct kp_json *header, const struct kp_json *claims, char **out)
{
	autofree char *h = NULL, *c = NULL, *content = NULL;
	int ret = encode(header, &h);
	if (ret == 0)
		ret = encode(claims, &c);
	if (ret)
		return ret;
	int len = asprintf(&content, "%s.%s", h, c);
	if (len < 0) {
		content = NULL;
		return -ENOMEM;
	}
	uint8_t sig[JWT_SIGNATURE_MAX];
	size_t sig_len = sizeof(sig);
	scoped(md_free) EVP_MD_CTX *md = EVP_MD_CTX_new();
	if (!md || EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) <= 0 ||
		EVP_DigestSign(md, sig, &sig_len, (unsigned char *)content, (size_t)len) <= 0)
		return -ENOMEM;
	char b64[KP_BASE64_LEN(sizeof(sig)) + 1];
	kp_base64_encode(sig, sig_len, b64);
	if (asprintf(out, "%s.%s", content, b64) < 0) {
		*out = NULL;
		return -ENOMEM;
	}
	return 0;
}
