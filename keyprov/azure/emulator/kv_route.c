// SPDX-License-Identifier: MIT
// Which operation a method and a path mean; see kv_vaults.h. Clients add slashes and spell actions
// in camel case or lower case, and are understood.
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

#define PARTS 5 // one more than any route has

static const struct row {
	const char *method, *pattern; // "N": a key's name, "V": a version
	struct kv_route route;
} rows[] = {
#define ROW(method, pattern, ...)   \
	{                           \
		method, pattern,    \
		{                   \
			__VA_ARGS__ \
		}                   \
	}
	ROW("GET", "keys", "KeyList", "list", "read", kv_list, true, false, false),
	ROW("POST", "keys/restore", "KeyRestore", "restore", "restore/action", kv_restore, true,
		false, false),
	ROW("POST", "keys/N/create", "KeyCreate", "create", "create/action", kv_create, false,
		false, false),
	ROW("PUT", "keys/N", "KeyImport", "import", "import/action", kv_import, true, false, false),
	ROW("GET", "keys/N", "KeyGet", "get", "read", kv_get, true, true, false),
	ROW("PATCH", "keys/N", "KeyUpdate", "update", "update/action", kv_update, true, true,
		false),
	ROW("DELETE", "keys/N", "KeyDelete", "delete", "delete", kv_delete, true, false, false),
	ROW("GET", "keys/N/versions", "KeyListVersions", "list", "read", kv_versions, true, false,
		false),
	ROW("POST", "keys/N/backup", "KeyBackup", "backup", "backup/action", kv_backup, true, false,
		false),
	ROW("POST", "keys/N/rotate", "KeyRotate", "rotate", "rotate/action", kv_rotate, false,
		false, false),
	ROW("GET", "keys/N/rotationpolicy", "KeyRotationPolicyGet", "getrotationpolicy",
		"keyrotationpolicies/read", kv_policy_get, true, false, false),
	ROW("PUT", "keys/N/rotationpolicy", "KeyRotationPolicySet", "setrotationpolicy",
		"keyrotationpolicies/write", kv_policy_set, true, false, false),
	ROW("GET", "keys/N/attestation", "KeyGet", "get", "read", kv_unsupported, true, true,
		false),
	ROW("GET", "keys/N/V/attestation", "KeyGet", "get", "read", kv_unsupported, true, true,
		false),
	ROW("GET", "keys/N/V", "KeyGet", "get", "read", kv_get, true, true, false),
	ROW("PATCH", "keys/N/V", "KeyUpdate", "update", "update/action", kv_update, true, true,
		false),
#define CRYPTO(verb, ...) \
	ROW("POST", "keys/N/" verb, __VA_ARGS__), ROW("POST", "keys/N/V/" verb, __VA_ARGS__)
	CRYPTO("encrypt", "KeyEncrypt", "encrypt", "encrypt/action", kv_cipher, false, true, false),
	CRYPTO("decrypt", "KeyDecrypt", "decrypt", "decrypt/action", kv_cipher, false, true, false),
	CRYPTO("wrapkey", "KeyWrap", "wrapKey", "wrap/action", kv_cipher, false, true, false),
	CRYPTO("unwrapkey", "KeyUnwrap", "unwrapKey", "unwrap/action", kv_cipher, false, true,
		false),
	CRYPTO("sign", "KeySign", "sign", "sign/action", kv_sign_digest, false, true, false),
	CRYPTO("verify", "KeyVerify", "verify", "verify/action", kv_verify_digest, false, true,
		false),
	CRYPTO("release", "KeyRelease", "release", "release/action", kv_unsupported, true, true,
		false),
	CRYPTO("securewrapkey", "KeySecureWrap", "wrapKey", "wrap/action", kv_unsupported, true,
		true, false),
	CRYPTO("secureunwrapkey", "KeySecureUnwrap", "unwrapKey", "unwrap/action", kv_unsupported,
		true, true, false),
	ROW("GET", "deletedkeys", "KeyListDeleted", "list", "read", kv_list_deleted, true, false,
		false),
	ROW("GET", "deletedkeys/N", "KeyGetDeleted", "get", "read", kv_get_deleted, true, false,
		false),
	ROW("DELETE", "deletedkeys/N", "KeyPurge", "purge", "purge/action", kv_purge, true, false,
		false),
	ROW("POST", "deletedkeys/N/recover", "KeyRecover", "recover", "recover/action", kv_recover,
		true, false, false),
	ROW("POST", "rng", "RandomNumbersGet", NULL, "rng/action", kv_random, true, false, true),
};

// Empty parts, as of a double or trailing slash, are none. The count, or more than fit.
static size_t split(char *path, char *parts[PARTS])
{
	size_t n = 0;
	char *rest = path;
	for (char *part = strsep(&rest, "/"); part; part = strsep(&rest, "/"))
		if (*part && n < PARTS)
			parts[n++] = part;
	return n;
}

// The part of the path that stands for letter, or NULL.
static const char *part_of(const char *pattern, char letter, char *const parts[PARTS])
{
	size_t n = 0;
	for (const char *p = pattern; *p; p += *p == '/', n++) {
		if (*p == letter)
			return parts[n];
		p += strcspn(p, "/");
	}
	return NULL;
}

static bool matches(const char *pattern, char *const parts[PARTS], size_t count)
{
	size_t n = 0;
	for (const char *p = pattern; *p; p += *p == '/', n++) {
		size_t len = strcspn(p, "/");
		bool any = len == 1 && (*p == 'N' || *p == 'V');
		if (n == count ||
			(!any && (strlen(parts[n]) != len || strncasecmp(p, parts[n], len) != 0)))
			return false;
		p += len;
	}
	return n == count;
}

static int take(
	const struct row *row, char *const parts[PARTS], struct kv_path *out, struct kv_refusal *no)
{
	const char *name = part_of(row->pattern, 'N', parts),
		   *version = part_of(row->pattern, 'V', parts);
	if (name && !kv_name_ok(name))
		return kv_bad(no, "The request URI contains an invalid name: %.200s", name);
	if (version && !kv_version_ok(version))
		return kv_bad(no, "The request URI contains an invalid version: %.200s", version);
	if (name)
		memcpy(out->key, name, strlen(name) + 1);
	if (version)
		memcpy(out->version, version, strlen(version) + 1);
	out->route = &row->route;
	return 0;
}

int kv_route_find(const char *method, const char *path, struct kv_path *out, struct kv_refusal *no)
{
	char *parts[PARTS];
	bool known = false;
	autofree char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	*out = (struct kv_path){"", "", NULL};
	size_t count = split(copy, parts);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!matches(rows[i].pattern, parts, count))
			continue;
		if (strcmp(rows[i].method, method) == 0)
			return take(&rows[i], parts, out, no);
		known = true;
	}
	if (known)
		return kv_refuse(no, 405, "MethodNotAllowed", NULL,
			"The HTTP method %.20s is not allowed for this resource.", method);
	return kv_refuse(no, 404, "NotFound", NULL, "There is no resource at %.200s.", path);
}
