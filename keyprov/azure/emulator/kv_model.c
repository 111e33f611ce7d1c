// SPDX-License-Identifier: MIT
// Keys and versions as values; see kv_model.h.
#include "kv_model.h"

#include "emu_text.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

static const char *const op_names[KV_OPS] = {"encrypt", "decrypt", "sign", "verify", "wrapKey",
	"unwrapKey", "import", "export", "secureWrapKey", "secureUnwrapKey"};

const char *kv_op_name(unsigned i)
{
	return op_names[i];
}

unsigned kv_op_bit(const char *name)
{
	for (unsigned i = 0; i < KV_OPS; i++)
		if (strcmp(op_names[i], name) == 0)
			return 1u << i;
	return 0;
}

const char *kv_kty_name(const struct kv_material *m)
{
	static const char *const names[][2] = {
		{"RSA", "RSA-HSM"}, {"EC", "EC-HSM"}, {"oct", "oct-HSM"}};
	return names[m->kty][m->hsm];
}

int kv_material_copy(const struct kv_material *from, struct kv_material *to)
{
	if (from->pkey && !EVP_PKEY_up_ref(from->pkey))
		return -ENOMEM;
	*to = *from;
	return 0;
}

void kv_material_end(struct kv_material *m)
{
	EVP_PKEY_free(m->pkey);
	explicit_bzero(m, sizeof(*m));
}

static void version_end(struct kv_version *v)
{
	kv_material_end(&v->material);
	free(v->tags);
	free(v->release);
}

int kv_key_new(const char *name, struct kv_key **out)
{
	struct kv_key *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	(void)snprintf(k->name, sizeof(k->name), "%s", name);
	*out = k;
	return 0;
}

void kv_key_free(struct kv_key **k)
{
	if (!*k)
		return;
	for (size_t i = 0; i < (*k)->count; i++)
		version_end(&(*k)->versions[i]);
	free((*k)->versions);
	free(*k);
	*k = NULL;
}

static int copy_text(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int version_copy(const struct kv_version *from, struct kv_version *to)
{
	*to = *from;
	to->material = (struct kv_material){0};
	to->tags = to->release = NULL;
	int ret = kv_material_copy(&from->material, &to->material);
	if (ret == 0)
		ret = copy_text(from->tags, &to->tags);
	return ret ? ret : copy_text(from->release, &to->release);
}

int kv_key_copy(const struct kv_key *from, struct kv_key **out)
{
	scoped(kv_key_free) struct kv_key *k = malloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	*k = *from;
	k->count = 0;
	k->versions = calloc(from->count + 1, sizeof(*k->versions));
	if (!k->versions)
		return -ENOMEM;
	for (size_t i = 0; i < from->count; i++) {
		int ret = version_copy(&from->versions[i], &k->versions[k->count++]);
		if (ret)
			return ret;
	}
	*out = TAKE(k);
	return 0;
}

int kv_key_add(struct kv_key *k, int64_t now, struct kv_version **out)
{
	struct kv_version *all = realloc(k->versions, (k->count + 1) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	k->versions = all;
	struct kv_version *v = &all[k->count];
	*v = (struct kv_version){.enabled = true, .created = now, .updated = now};
	int ret = emu_random_hex(v->id, KV_VERSION_LEN / 2);
	if (ret)
		return ret;
	k->count++;
	*out = v;
	return 0;
}

struct kv_version *kv_key_latest(const struct kv_key *k)
{
	return k->count ? &k->versions[k->count - 1] : NULL;
}

struct kv_version *kv_key_find(const struct kv_key *k, const char *version)
{
	if (!version || !*version)
		return kv_key_latest(k);
	for (size_t i = 0; i < k->count; i++)
		if (strcmp(k->versions[i].id, version) == 0)
			return &k->versions[i];
	return NULL;
}

bool kv_name_ok(const char *name)
{
	size_t len = strlen(name);
	if (len < 1 || len > KV_NAME_MAX)
		return false;
	for (const char *p = name; *p; p++)
		if (!isascii(*p) || (!isalnum((unsigned char)*p) && *p != '-'))
			return false;
	return true;
}

bool kv_version_ok(const char *version)
{
	return strlen(version) == KV_VERSION_LEN &&
	       strspn(version, "0123456789abcdef") == KV_VERSION_LEN;
}

// One number and its letter; false at the end or if it is none.
static bool duration_part(const char **p, int64_t *n, char *unit)
{
	size_t digits = strspn(*p, "0123456789");
	if (digits == 0 || digits > 6)
		return false;
	*n = strtoll(*p, NULL, 10);
	*unit = (*p)[digits];
	*p += digits + (*unit != '\0');
	return *unit != '\0';
}

bool kv_duration(const char *text, int64_t *seconds)
{
	static const struct {
		char unit;
		bool time;
		int64_t seconds;
	} units[] = {{'Y', false, 365 * 86400}, {'M', false, 30 * 86400}, {'W', false, 7 * 86400},
		{'D', false, 86400}, {'H', true, 3600}, {'M', true, 60}, {'S', true, 1}};
	size_t next = 0, parts = 0;
	bool time = false;
	*seconds = 0;
	if (*text++ != 'P' || strlen(text) > KV_TIME_LEN - 2)
		return false;
	while (*text) {
		int64_t n;
		char unit;
		if (*text == 'T' && !time) {
			time = true;
			text++;
		}
		if (!duration_part(&text, &n, &unit))
			return false;
		while (next < 7 && (units[next].unit != unit || units[next].time != time))
			next++;
		if (next == 7)
			return false;
		*seconds += n * units[next++].seconds;
		parts++;
	}
	return parts > 0 && *seconds > 0;
}
