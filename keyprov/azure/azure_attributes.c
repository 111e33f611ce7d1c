// SPDX-License-Identifier: MIT
// See azure_attributes.h.
#include "azure_attributes.h"

#include "kp_base64.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MODULUS_MAX 1024 // bytes
#define SKEW 300	 // seconds; what clocks may differ by

int azure_kid_version(const char *kid, const struct azure_url *url, const char *version,
	char out[AZURE_VERSION_LEN + 1], struct kp_err *err)
{
	struct azure_url u;
	struct kp_err ignored;
	if (!kid || azure_url_parse(kid, &u, &ignored) || !u.version[0])
		return kp_fail(err, EBADMSG,
			"the answer does not say which key version it is about; it is not from a "
			"key vault, or this version of the API is not supported");
	if (strcasecmp(u.host, url->host) != 0 || strcasecmp(u.name, url->name) != 0 ||
		(*version && strcmp(u.version, version) != 0))
		return kp_fail(err, EBADMSG,
			"the answer is about another key (%.200s); check what stands between this "
			"host and the vault",
			kid);
	memcpy(out, u.version, sizeof(u.version));
	return 0;
}

// Of a big-endian number in base64url, without leading zeros; 0 if it is none.
static uint32_t count_bits(const char *n)
{
	unsigned char b[MODULUS_MAX];
	size_t len = sizeof(b), first = 0;
	if (!n || kp_base64_decode(n, b, &len))
		return 0;
	while (first < len && b[first] == 0)
		first++;
	if (first == len)
		return 0;
	uint32_t bits = (uint32_t)(len - first) * 8;
	for (unsigned char top = b[first]; !(top & 0x80); top = (unsigned char)(top << 1))
		bits--;
	return bits;
}

static bool has_operation(const struct kp_json *list, const char *name)
{
	for (const struct kp_json *j = kp_json_first(list); j; j = kp_json_next(j)) {
		const char *op = kp_json_text(j);
		if (op && strcasecmp(op, name) == 0)
			return true;
	}
	return false;
}

static void read_attributes(const struct kp_json *attributes, struct cmk_key_info *info)
{
	bool enabled;
	int64_t size;
	info->enabled = kp_json_bool(attributes, "enabled", &enabled) ? enabled : -1;
	(void)kp_json_int(attributes, "nbf", &info->nbf);
	(void)kp_json_int(attributes, "exp", &info->exp);
	(void)kp_json_int(attributes, "created", &info->created);
	const char *level = kp_json_str(attributes, "recoveryLevel");
	(void)snprintf(
		info->recovery_level, sizeof(info->recovery_level), "%s", level ? level : "");
	if (!info->bits && kp_json_int(attributes, "key_size", &size) && size > 0 && size <= 65536)
		info->bits = (uint32_t)size;
}

int azure_attributes_read(const struct kp_json *tree, const struct azure_url *url,
	const char *version, struct azure_attributes *out, struct kp_err *err)
{
	const struct kp_json *key = kp_json_get(tree, "key");
	const struct kp_json *operations = kp_json_get(key, "key_ops");
	struct azure_attributes a = {0};
	int ret = azure_kid_version(kp_json_str(key, "kid"), url, version, a.info.version, err);
	if (ret)
		return ret;
	const char *kty = kp_json_str(key, "kty");
	if (!kty || strlen(kty) >= sizeof(a.info.kty))
		return kp_fail(err, EBADMSG,
			"the answer does not say what type of key it is; it is not from a key "
			"vault");
	memcpy(a.info.kty, kty, strlen(kty) + 1);
	a.info.bits = count_bits(kp_json_str(key, "n"));
	a.can_wrap = has_operation(operations, "wrapKey");
	a.can_unwrap = has_operation(operations, "unwrapKey");
	read_attributes(kp_json_get(tree, "attributes"), &a.info);
	*out = a;
	return 0;
}

static bool is_rsa(const char *kty)
{
	return strcmp(kty, "RSA") == 0 || strcmp(kty, "RSA-HSM") == 0;
}

static bool is_aes(const char *kty)
{
	return strcmp(kty, "oct") == 0 || strcmp(kty, "oct-HSM") == 0;
}

const char *azure_algorithm(const char *kty, const char *configured)
{
	bool aes = is_aes(kty);
	if (!*configured)
		return aes ? "A256KW" : "RSA-OAEP-256";
	return aes == (strcmp(configured, "A256KW") == 0) ? configured : NULL;
}

static bool fits(const struct cmk_key_info *i)
{
	if (is_rsa(i->kty))
		return i->bits == 2048 || i->bits == 3072 || i->bits == 4096;
	return is_aes(i->kty) && (i->bits == 256 || i->bits == 0);
}

enum cmk_verdict azure_attributes_judge(
	const struct azure_attributes *a, const char *key, int64_t now, struct kp_outcome *o)
{
	const struct cmk_key_info *i = &a->info;
	if (!fits(i))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: a key of type %s and %u bits cannot protect a disk; use an RSA key of "
			"2048, 3072 or 4096 bits, or in a managed HSM an AES key of 256",
			key, i->kty, i->bits);
	if (!a->can_wrap || !a->can_unwrap)
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_NOT_PERMITTED,
			"%s: the key's permitted operations (key_ops) lack %s; add it to the key",
			key, a->can_wrap ? "unwrapKey" : "wrapKey");
	if (i->enabled == 0)
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_DISABLED,
			"%s: the version to wrap with, %s, is disabled; enable it, or make a new "
			"version",
			key, i->version);
	if ((i->exp && now >= i->exp) || (i->nbf && now + SKEW < i->nbf))
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_NOT_PERMITTED,
			"%s: version %s %s; make a new version, or change its date", key,
			i->version, i->exp && now >= i->exp ? "has expired" : "is not yet valid");
	return kp_outcome_set(o, CMK_GRANTED, CMK_REASON_NONE, "%s", "");
}
