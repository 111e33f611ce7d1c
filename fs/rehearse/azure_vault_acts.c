// SPDX-License-Identifier: MIT
// What takes more than one action of a stage's vault.
#include "azure_vault_internal.h"
#include "clock.h"
#include "fileio.h"
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE "vaults/contoso/keys/disk-key.json"
#define KEY_FILE_MAX (1024 * 1024)
#define LAG_MS 1000
#define VERSION_ARG 80

static void key_file(const struct azure_vault *v, char out[400])
{
	(void)snprintf(out, 400, "%s/" KEY_FILE, v->state);
}

int azure_vault_backup(struct azure_vault *v, struct errmsg *err)
{
	char path[400];
	size_t len = 0;
	key_file(v, path);
	return read_text_file(path, KEY_FILE_MAX, &v->backup, &len, err);
}

// The vault is not there meanwhile: it reads its keys when it starts.
int azure_vault_restore(struct azure_vault *v, struct errmsg *err)
{
	char path[400];
	key_file(v, path);
	if (!v->backup)
		return errmsg_set(err, ENOENT, "there is no backup to restore");
	azure_vault_end(v);
	int rc = stage_write(path, v->backup, err);
	return rc ? rc : azure_vault_start(v, err);
}

// The versions of the key, oldest first; *keys is the caller's, and they are in it.
static int list(
	struct azure_vault *v, struct json **keys, const struct json **versions, struct errmsg *err)
{
	const char *const words[] = {"key.list", "key=disk-key", NULL};
	char *text autofree = NULL;
	int rc = azure_vault_do(v, words, &text, err);
	if (!rc && json_parse(text, strlen(text), keys))
		rc = errmsg_set(err, EBADMSG, "cmkdisk-vault lists its keys in another form");
	*versions = json_get(json_array_at(json_get(*keys, "keys"), 0), "versions");
	if (!rc && json_array_len(*versions) == 0)
		rc = errmsg_set(err, ENOENT, "cmkdisk-vault has no version of the key");
	return rc;
}

static bool version_at(const struct json *versions, size_t i, char arg[VERSION_ARG])
{
	const char *version = json_str(json_array_at(versions, i), "version");
	(void)snprintf(arg, VERSION_ARG, "version=%s", version ? version : "");
	return version != NULL;
}

int azure_vault_disable_old(struct azure_vault *v, struct errmsg *err)
{
	struct json *keys scoped(json_free) = NULL;
	const struct json *versions = NULL;
	int rc = list(v, &keys, &versions, err);
	for (size_t i = 0; !rc && i + 1 < json_array_len(versions); i++) {
		char arg[VERSION_ARG];
		const char *const words[] = {"key.disable", "key=disk-key", arg, NULL};
		if (version_at(versions, i, arg))
			rc = azure_vault_do(v, words, NULL, err);
	}
	return rc;
}

// The narrower rights first, and the wider ones end a little later, so that there is no moment
// without any.
int azure_vault_rotate_ungranted(struct azure_vault *v, struct errmsg *err)
{
	struct json *keys scoped(json_free) = NULL;
	const struct json *versions = NULL;
	char present[VERSION_ARG];
	int rc = list(v, &keys, &versions, err);
	if (rc)
		return rc;
	(void)version_at(versions, json_array_len(versions) - 1, present);
	const char *const steps[][6] = {
		{"access.revoke", "identity=disk-host", "lag=1s", NULL},
		{"access.grant", "identity=disk-host", "vault=contoso", "key=disk-key", present,
			NULL},
		{"access.grant", "identity=disk-host", "vault=contoso", "permissions=[\"get\"]",
			NULL},
	};
	for (size_t i = 0; !rc && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = azure_vault_do(v, steps[i], NULL, err);
	if (rc)
		return rc;
	// Its clock counts whole seconds.
	(void)poll(NULL, 0, 2 * LAG_MS);
	v->stage->deed_us = clock_boot_ns(clock_real()) / 1000;
	const char *const rotate[] = {"key.rotate", "key=disk-key", NULL};
	return azure_vault_do(v, rotate, NULL, err);
}
