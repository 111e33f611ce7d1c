// SPDX-License-Identifier: MIT
// cmkdisk check: asks the key store now; the exit status is the verdict.
#include "agent.h"
#include "cli.h"
#include "clock.h"
#include "command_agent.h"
#include "command_records.h"
#include "json.h"
#include "keyset.h"
#include "keyurl.h"
#include "luks.h"
#include "mountpoint.h"
#include "path.h"
#include "print.h"
#include "remote.h"
#include "scope.h"
#include "secret.h"
#include "verdict.h"

#include <errno.h>
#include <stdio.h>

static const struct cli_option options[] = {
	{0, "key", "URL", "of a backing file: ask no other key than this; and how to reach it"},
	{0, "set", "FILE", "the same with the key, and the settings, of a key set (JSON)"},
	{0, "audit", "FILE|journal|stderr", COMMAND_AUDIT_HELP},
};

// The whole way that a mount goes: unwrap, keyslot, seal.
static int check_binding(const struct cli *cli, const struct keyset *pin, const char *path,
	struct volume *v, const struct binding *b, struct errmsg *err)
{
	struct agent *agent scoped(agent_free) = NULL;
	int rc = command_agent(cli, b->key_url, pin, path,
		path_disk_name(volume_info(v)->label, path), &agent, err);
	if (rc)
		return rc;
	struct agent_answer answer;
	struct secret *slot_secret scoped(secret_free) = NULL;
	agent_unwrap(
		agent, b->key_version, b->alg, b->wrapped, b->wrapped_len, &slot_secret, &answer);
	uint32_t took = answer.took_ms;
	rc = answer_errno(&answer, err);
	if (rc)
		return rc;
	struct cmk_key_info info = {.enabled = -1};
	agent_describe(agent, b->key_version, &info, &answer);
	if (answer.verdict == CMK_GRANTED && volume_info(v)->policy.expiry_stops)
		rc = dates_errno(b, &info, err);
	struct secret *dek scoped(secret_free) = NULL;
	if (!rc)
		rc = volume_unlock(v, b, slot_secret, &dek, err);
	char url[BINDING_URL_MAX];
	key_url_unversioned(b->key_url, url);
	if (!rc)
		print_line("granted: %s version %s opens the disk (asked in %u ms)", url,
			b->key_version, took);
	return rc;
}

static int check_backing(
	const struct cli *cli, const char *path, const struct keyset *pin, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = NULL;
	int rc = volume_open(path, false, &v, err);
	if (rc)
		return rc;
	const struct volume_info *info = volume_info(v);
	size_t asked = 0;
	for (size_t i = 0; i < info->binding_count; i++) {
		struct errmsg this = {{0}};
		if (!keyset_pins(pin, info->bindings[i].key_url))
			continue;
		asked++;
		int one = check_binding(cli, pin, path, v, &info->bindings[i], &this);
		if (!one)
			continue;
		if (rc)
			fprintf(stderr, "cmkdisk: %s\n", err->text);
		rc = one;
		*err = this;
	}
	if (!asked)
		return errmsg_set(err, EKEYREJECTED,
			"%s: the header names the key %s, not the pinned %s; nothing was asked",
			path, info->bindings[0].key_url, pin->key_url);
	return rc;
}

static int check_recorded(const struct cli *cli, const char *path, const struct keyset *pin,
	const struct mount_records *audit, struct errmsg *err)
{
	int rc = command_records_begin(cli->records,
		&(struct command_records){
			.request = "check", .backing = path, .key_url = pin ? pin->key_url : NULL},
		audit, err);
	if (rc)
		return rc;
	rc = check_backing(cli, path, pin, err);
	command_records_end(cli->records, rc, err);
	return rc;
}

static int check_mount(const char *mountpoint, struct errmsg *err)
{
	struct json *reply scoped(json_free) = NULL;
	int rc = remote_call(mountpoint, "check", NULL, REMOTE_TIMEOUT_MS, &reply, err);
	const struct json *disks = json_get(reply, "disks");
	for (size_t i = 0; !rc && i < json_array_len(disks); i++) {
		const struct json *d = json_array_at(disks, i), *key = json_get(d, "key");
		const char *named = json_str(key, "url");
		char url[BINDING_URL_MAX];
		key_url_unversioned(named ? named : "-", url);
		print_line("granted: %s: %s version %s", json_str(d, "name"), url,
			json_str(key, "version"));
	}
	return rc;
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct key_and_audit a scoped(key_and_audit_free) = {.key = {NULL, NULL}};
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, key_and_audit_set, &a, 1, 1, &operands, err);
	if (rc)
		return rc;
	struct keyset pin scoped(keyset_free) = KEYSET_NONE;
	int pins = keyset_pin(self->name, a.key.key, a.key.set, &pin, err);
	if (pins < 0)
		return pins;
	bool is_mount = false;
	rc = mountpoint_or_backing(operands.at[0], &is_mount, err);
	if (rc)
		return rc;
	if (is_mount && pins)
		return errmsg_set(err, EINVAL,
			"%s: --key and --set are for a backing file; a daemon has those that it "
			"was mounted with",
			operands.at[0]);
	if (is_mount && command_records_wanted(&a.audit))
		return errmsg_set(err, EINVAL,
			"%s: --audit is for a backing file; a daemon keeps the log that it was "
			"mounted with",
			operands.at[0]);
	return is_mount ? check_mount(operands.at[0], err)
			: check_recorded(cli, operands.at[0], pins ? &pin : NULL, &a.audit, err);
}

const struct cli_command cmd_check = {
	.name = "check",
	.operands = "MOUNTPOINT|BACKING",
	.summary = "Ask the key store now; the exit status is the verdict",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
