// SPDX-License-Identifier: MIT
// Making keys, and taking them in; see kv_crypto.h.
#include "kp_base64.h"
#include "kv_crypto.h"
#include "kv_ssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

static const struct {
	const char *crv, *group;
	unsigned bits;
} curves[] = {{"P-256", "prime256v1", 256}, {"P-384", "secp384r1", 384},
	{"P-521", "secp521r1", 521}, {"P-256K", "secp256k1", 256}};
#define CURVES (sizeof(curves) / sizeof(*curves))

bool kv_material_name(struct kv_material *m)
{
	char group[32];
	m->bits = (unsigned)EVP_PKEY_get_bits(m->pkey);
	if (EVP_PKEY_is_a(m->pkey, "RSA")) {
		m->kty = KV_RSA;
		return m->bits == 2048 || m->bits == 3072 || m->bits == 4096;
	}
	if (!EVP_PKEY_is_a(m->pkey, "EC") ||
		!EVP_PKEY_get_group_name(m->pkey, group, sizeof(group), NULL))
		return false;
	m->kty = KV_EC;
	for (size_t i = 0; i < CURVES; i++)
		if (strcmp(curves[i].group, group) == 0)
			m->crv = curves[i].crv;
	return m->crv != NULL;
}

int kv_material_rsa(int64_t bits, int64_t exponent, struct kv_material *m, struct kv_refusal *no)
{
	if (bits == 0)
		bits = 2048;
	if (bits != 2048 && bits != 3072 && bits != 4096)
		return kv_bad(no,
			"Key size %lld is not supported; RSA keys have 2048, 3072 or 4096 "
			"bits.\r\n",
			(long long)bits);
	if (exponent && (exponent < 3 || exponent % 2 == 0 || exponent > 0xffffffff))
		return kv_bad(no, "Property public_exponent has invalid value\r\n");
	scoped(kv_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	unsigned n = (unsigned)bits;
	uint64_t e = exponent ? (uint64_t)exponent : 65537;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &n),
		OSSL_PARAM_construct_uint64(OSSL_PKEY_PARAM_RSA_E, &e), OSSL_PARAM_construct_end()};
	if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_CTX_set_params(ctx, params) <= 0 ||
		EVP_PKEY_generate(ctx, &m->pkey) <= 0)
		return -ENOMEM;
	return kv_material_name(m) ? 0 : -EIO;
}

int kv_material_ec(const char *crv, struct kv_material *m, struct kv_refusal *no)
{
	for (size_t i = 0; i < CURVES; i++)
		if (strcmp(curves[i].crv, crv ? crv : "P-256") == 0) {
			m->pkey = EVP_EC_gen(curves[i].group);
			return m->pkey && kv_material_name(m) ? 0 : -ENOMEM;
		}
	return kv_bad(no, "Property crv has invalid value\r\n");
}

static bool oct_bits_ok(int64_t bits)
{
	return bits == 128 || bits == 192 || bits == 256;
}

int kv_material_oct(int64_t bits, struct kv_material *m, struct kv_refusal *no)
{
	if (bits == 0)
		bits = 256;
	if (!oct_bits_ok(bits))
		return kv_bad(no,
			"Key size %lld is not supported; oct keys have 128, 192 or 256 "
			"bits.\r\n",
			(long long)bits);
	m->kty = KV_OCT;
	m->bits = (unsigned)bits;
	return RAND_priv_bytes(m->oct, (int)bits / 8) == 1 ? 0 : -EIO;
}

static int oct_take(const struct kv_bytes *k, struct kv_material *m, struct kv_refusal *no)
{
	if (!oct_bits_ok((int64_t)k->len * 8))
		return kv_bad(no, "Property k has invalid value\r\n");
	m->kty = KV_OCT;
	m->bits = (unsigned)k->len * 8;
	memcpy(m->oct, k->data, k->len);
	return 0;
}

// A key from numbers must also fit together.
static int from_params(
	const char *type, OSSL_PARAM_BLD *bld, struct kv_material *m, struct kv_refusal *no)
{
	scoped(kv_params_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	scoped(kv_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0)
		return -ENOMEM;
	if (EVP_PKEY_fromdata(ctx, &m->pkey, EVP_PKEY_KEYPAIR, params) <= 0)
		return kv_bad(no, "The numbers of the key do not fit together.\r\n");
	scoped(kv_pctx_free) EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, m->pkey, NULL);
	if (!check)
		return -ENOMEM;
	if (EVP_PKEY_pairwise_check(check) <= 0)
		return kv_bad(no, "The numbers of the key do not fit together.\r\n");
	if (!kv_material_name(m))
		return kv_bad(no, "Key size %u is not supported.\r\n", m->bits);
	return 0;
}

#define RSA_PARTS 8
static int rsa_jwk(const struct kp_json *key, struct kv_material *m, struct kv_refusal *no)
{
	static const char *const members[RSA_PARTS] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};
	static const char *const names[RSA_PARTS] = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	struct {
		BIGNUM *bn[RSA_PARTS];
	} all = {{NULL}};
	scoped(kv_bld_free) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	int ret = bld ? 0 : -ENOMEM;
	for (size_t i = 0; ret == 0 && i < RSA_PARTS; i++) {
		scoped(kv_bytes_end) struct kv_bytes b = {0};
		ret = kv_bytes_member(key, members[i], true, &b, no);
		if (ret)
			break;
		all.bn[i] = BN_secure_new();
		if (!all.bn[i] || !BN_bin2bn(b.data, (int)b.len, all.bn[i]) ||
			!OSSL_PARAM_BLD_push_BN(bld, names[i], all.bn[i]))
			ret = -ENOMEM;
	}
	if (ret == 0)
		ret = from_params("RSA", bld, m, no);
	for (size_t i = 0; i < RSA_PARTS; i++)
		BN_clear_free(all.bn[i]);
	return ret;
}

static int ec_numbers(const char *group, size_t width, const struct kv_bytes *x,
	const struct kv_bytes *y, const struct kv_bytes *d, struct kv_material *m,
	struct kv_refusal *no)
{
	uint8_t point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
	if (x->len != width || y->len != width || d->len > width)
		return kv_bad(no, "Property x has invalid value\r\n");
	memcpy(point + 1, x->data, width);
	memcpy(point + 1 + width, y->data, width);
	scoped(kv_bld_free) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	scoped(kv_bn_free) BIGNUM *n = BN_secure_new();
	if (!bld || !n || !BN_bin2bn(d->data, (int)d->len, n) ||
		!OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) ||
		!OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * width) ||
		!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, n))
		return -ENOMEM;
	return from_params("EC", bld, m, no);
}

static int ec_jwk(const struct kp_json *key, struct kv_material *m, struct kv_refusal *no)
{
	scoped(kv_bytes_end) struct kv_bytes x = {0}, y = {0}, d = {0};
	const char *crv = kp_json_str(key, "crv");
	size_t i = 0;
	while (i < CURVES && crv && strcmp(curves[i].crv, crv) != 0)
		i++;
	if (!crv || i == CURVES)
		return kv_bad(no, "Property crv has invalid value\r\n");
	int ret = kv_bytes_member(key, "x", true, &x, no);
	if (ret == 0)
		ret = kv_bytes_member(key, "y", true, &y, no);
	if (ret == 0)
		ret = kv_bytes_member(key, "d", true, &d, no);
	return ret ? ret : ec_numbers(curves[i].group, (curves[i].bits + 7) / 8, &x, &y, &d, m, no);
}

int kv_material_jwk(const struct kp_json *key, struct kv_material *m, struct kv_refusal *no)
{
	const char *kty = kp_json_str(key, "kty");
	if (kty && strncmp(kty, "RSA", 3) == 0)
		return rsa_jwk(key, m, no);
	if (kty && strncmp(kty, "EC", 2) == 0)
		return ec_jwk(key, m, no);
	scoped(kv_bytes_end) struct kv_bytes k = {0};
	if (!kty || strncmp(kty, "oct", 3) != 0)
		return kv_bad(no, "Property kty has invalid value\r\n");
	int ret = kv_bytes_member(key, "k", true, &k, no);
	return ret ? ret : oct_take(&k, m, no);
}

static int bad_blob(struct kv_refusal *no)
{
	return kv_bad(no, "The key transfer blob was not made for this key encryption key, or is "
			  "damaged.\r\n");
}

int kv_material_byok(const struct kv_material *kek, const struct kv_bytes *ciphertext,
	enum kv_kty kty, struct kv_material *m, struct kv_refusal *no)
{
	size_t first = kek->bits / 8;
	struct kv_material aes = {.kty = KV_OCT};
	struct kv_input in = {.alg = "RSA-OAEP", .value = {ciphertext->data, first}};
	scoped(kv_output_end) struct kv_output key = {0}, target = {0};
	struct kv_refusal inner = {0};
	if (kek->kty != KV_RSA || ciphertext->len <= first)
		return bad_blob(no);
	int ret = kv_decrypt(kek, true, &in, &key, &inner);
	if (ret)
		return inner.status ? bad_blob(no) : ret;
	if (oct_take(&key.value, &aes, &inner))
		return bad_blob(no);
	in = (struct kv_input){.alg = "CKM_AES_KEY_WRAP_PAD",
		.value = {ciphertext->data + first, ciphertext->len - first}};
	ret = kv_decrypt(&aes, true, &in, &target, &inner);
	kv_material_end(&aes);
	if (ret)
		return inner.status ? bad_blob(no) : ret;
	if (kty == KV_OCT)
		return oct_take(&target.value, m, no);
	const uint8_t *p = target.value.data;
	m->pkey = d2i_AutoPrivateKey(NULL, &p, (long)target.value.len);
	return m->pkey && kv_material_name(m) && m->kty == kty ? 0 : bad_blob(no);
}

int kv_material_public(const struct kv_material *m, const char *member, char **out)
{
	static const struct {
		const char *member, *param;
	} params[] = {{"n", OSSL_PKEY_PARAM_RSA_N}, {"e", OSSL_PKEY_PARAM_RSA_E},
		{"x", OSSL_PKEY_PARAM_EC_PUB_X}, {"y", OSSL_PKEY_PARAM_EC_PUB_Y}};
	scoped(kv_bn_free) BIGNUM *bn = NULL;
	uint8_t raw[512];
	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++)
		if (strcmp(params[i].member, member) == 0 &&
			!EVP_PKEY_get_bn_param(m->pkey, params[i].param, &bn))
			return -EIO;
	// RFC 7518 6.2.1.2: coordinates have the full width of the curve.
	int len = !bn ? -1 : (m->kty == KV_EC ? (int)(m->bits + 7) / 8 : BN_num_bytes(bn));
	if (len < 0 || BN_bn2binpad(bn, raw, len) != len)
		return -EIO;
	*out = malloc(KP_BASE64_LEN((size_t)len) + 1);
	if (!*out)
		return -ENOMEM;
	kp_base64_encode(raw, (size_t)len, *out);
	return 0;
}
