// SPDX-License-Identifier: MIT
// What a first start finds made: a vault, a key, an identity that may use it; see app.h.
#include "app.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

// Carries out an action given as text. *result may be NULL.
static int act(struct app *a, struct kp_json **result, struct kp_err *err, const char *fmt, ...)
	printf_like(4, 5);
static int act(struct app *a, struct kp_json **result, struct kp_err *err, const char *fmt, ...)
{
	char text[512];
	scoped(kp_json_free) struct kp_json *args = NULL, *answer = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	int ret = n < (int)sizeof(text) ? kp_json_parse(text, (size_t)n, &args) : -ENAMETOOLONG;
	if (ret)
		return kp_fail(err, -ret, "a vault's name does not fit into an action");
	ret = app_act(a, kp_json_str(args, "do"), args, &answer, err);
	if (result)
		*result = TAKE(answer);
	return ret;
}

static bool has_key(struct app *a, const char *vault)
{
	scoped(kp_json_free) struct kp_json *list = NULL;
	if (act(a, &list, NULL, "{\"do\":\"key.list\",\"vault\":\"%s\"}", vault))
		return false;
	const struct kp_json *k = kp_json_first(kp_json_get(list, "keys"));
	while (k && (!kp_json_str(k, "key") || strcmp(kp_json_str(k, "key"), APP_KEY) != 0))
		k = kp_json_next(k);
	return k != NULL;
}

// With purge protection, as the keys of disks want it: without, `cmkdisk create` refuses them.
static int seed_vault(struct app *a, const struct app_vault *v, struct kp_err *err)
{
	int ret = act(a, NULL, err,
		"{\"do\":\"vault.add\",\"name\":\"%s\",\"hsm\":%s,\"purgeProtection\":true}",
		v->name, v->hsm ? "true" : "false");
	// A start that was cut short is taken up where it ended; later on, keys that are gone stay
	// so.
	bool half_made = ret == -EEXIST && !a->settings.seeded && !has_key(a, v->name);
	if (ret == -EEXIST && !half_made)
		return 0;
	if ((ret && !half_made) || a->options->empty)
		return half_made ? 0 : ret;
	ret = act(a, NULL, err,
		"{\"do\":\"key.create\",\"vault\":\"%s\",\"key\":\"" APP_KEY
		"\",\"kty\":\"RSA\",\"size\":3072}",
		v->name);
	if (!ret && *a->settings.client_id)
		ret = act(a, NULL, err,
			"{\"do\":\"access.grant\",\"identity\":\"%s\",\"vault\":\"%s\","
			"\"key\":\"" APP_KEY "\",\"permissions\":[\"get\",\"wrapKey\","
			"\"unwrapKey\"]}",
			a->settings.client_id, v->name);
	return ret;
}

static int seed_identity(struct app *a, struct kp_err *err)
{
	scoped(kp_json_free) struct kp_json *added = NULL;
	if (*a->settings.client_id)
		return 0;
	int ret =
		act(a, NULL, err, "{\"do\":\"identity.remove\",\"identity\":\"" APP_IDENTITY "\"}");
	if (ret && ret != -ENOENT)
		return ret;
	ret = act(a, &added, err, "{\"do\":\"identity.add\",\"name\":\"" APP_IDENTITY "\"}");
	const char *id = kp_json_str(added, "clientId");
	if (ret || !id)
		return ret ? ret : kp_fail(err, EPROTO, "the new identity has no client id");
	ret = act(
		a, NULL, err, "{\"do\":\"identity.addSecret\",\"identity\":\"" APP_IDENTITY "\"}");
	(void)snprintf(a->settings.client_id, sizeof(a->settings.client_id), "%s", id);
	return ret;
}

static void show_key(struct app *a, const char *name, bool hsm)
{
	for (size_t i = 0; i < a->key_count; i++)
		if (strcmp(a->keys[i].name, name) == 0)
			return;
	if (a->key_count == APP_VAULTS_MOST || !has_key(a, name))
		return;
	(void)snprintf(a->keys[a->key_count].name, APP_NAME_ROOM, "%s", name);
	a->keys[a->key_count++].hsm = hsm;
}

// Those of the command line come first, then the one that the key set named before.
static int find_keys(struct app *a, struct kp_err *err)
{
	scoped(kp_json_free) struct kp_json *list = NULL;
	int ret = act(a, &list, err, "{\"do\":\"vault.list\"}");
	if (ret)
		return ret;
	const struct kp_json *all = kp_json_first(kp_json_get(list, "vaults"));
	for (size_t i = 0; i < a->options->vault_count; i++)
		show_key(a, a->options->vaults[i].name, a->options->vaults[i].hsm);
	for (int round = 0; round < 2; round++)
		for (const struct kp_json *v = all; v; v = kp_json_next(v)) {
			const char *name = kp_json_str(v, "name");
			bool hsm = false;
			(void)kp_json_bool(v, "hsm", &hsm);
			if (name && (round == 1 || strcmp(name, a->settings.vault) == 0))
				show_key(a, name, hsm);
		}
	if (a->key_count > 0)
		memcpy(a->settings.vault, a->keys[0].name, APP_NAME_ROOM);
	return 0;
}

int app_seed(struct app *a, struct kp_err *err)
{
	const struct app_options *o = a->options;
	static const struct app_vault usual = {"contoso", false};
	bool first = !a->settings.seeded && !o->empty;
	int ret = first ? seed_identity(a, err) : 0;
	if (!ret && first && o->vault_count == 0)
		ret = seed_vault(a, &usual, err);
	for (size_t i = 0; i < o->vault_count && !ret; i++)
		ret = seed_vault(a, &o->vaults[i], err);
	if (!ret)
		ret = find_keys(a, err);
	a->settings.seeded = true;
	return ret ? ret : app_settings_save(o->state, &a->settings, err);
}
