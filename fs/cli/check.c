// SPDX-License-Identifier: MIT
// cmkdisk check: asks the key store now; the exit status is the verdict.
#include "agent.h"
#include "cli.h"
#include "clock.h"
#include "json.h"
#include "luks.h"
#include "path.h"
#include "print.h"
#include "remote.h"
#include "scope.h"
#include "secret.h"
#include "verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define AGENT_DEADLINE_MS 30000

static int no_options(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	(void)ctx;
	(void)o;
	(void)value;
	(void)err;
	return 0;
}

static int judge_expiry(const struct binding *b, const struct cmk_key_info *info, bool expiry_stops,
	struct errmsg *err)
{
	int64_t now = clock_wall_s(clock_real());
	char when[32];
	if (!expiry_stops || ((!info->exp || now < info->exp) && (!info->nbf || now >= info->nbf)))
		return 0;
	bool expired = info->exp && now >= info->exp;
	format_time(expired ? info->exp : info->nbf, when, sizeof(when));
	return errmsg_set(err, EKEYEXPIRED, "%s version %s %s %s", b->key_url, b->key_version,
		expired ? "expired at" : "is not valid before", when);
}

// The whole way that a mount goes: unwrap, keyslot, seal.
static int check_binding(
	const struct cli *cli, struct volume *v, const struct binding *b, struct errmsg *err)
{
	struct agent *agent scoped(agent_free) = NULL;
	int rc = agent_new(&(struct agent_config){.program = cli->agent,
				   .plugin_dir = cli->plugin_dir,
				   .key_url = b->key_url,
				   .config = "{}",
				   .disk = volume_info(v)->label,
				   .deadline_ms = AGENT_DEADLINE_MS},
		&agent, err);
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
	if (answer.verdict == CMK_GRANTED)
		rc = judge_expiry(b, &info, volume_info(v)->policy.expiry_stops, err);
	struct secret *dek scoped(secret_free) = NULL;
	if (!rc)
		rc = volume_unlock(v, b, slot_secret, &dek, err);
	if (!rc)
		printf("granted: %s version %s opens the disk (asked in %u ms)\n", b->key_url,
			b->key_version, took);
	return rc;
}

static int check_backing(const struct cli *cli, const char *path, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = NULL;
	int rc = volume_open(path, false, &v, err);
	if (rc)
		return rc;
	const struct volume_info *info = volume_info(v);
	for (size_t i = 0; i < info->binding_count; i++) {
		struct errmsg this = {{0}};
		int one = check_binding(cli, v, &info->bindings[i], &this);
		if (!one)
			continue;
		if (rc)
			fprintf(stderr, "cmkdisk: %s\n", err->text);
		rc = one;
		*err = this;
	}
	return rc;
}

static int check_mount(const char *mountpoint, struct errmsg *err)
{
	struct json *reply scoped(json_free) = NULL;
	int rc = remote_call(mountpoint, "check", NULL, REMOTE_TIMEOUT_MS, &reply, err);
	const struct json *disks = json_get(reply, "disks");
	for (size_t i = 0; !rc && i < json_array_len(disks); i++) {
		const struct json *d = json_array_at(disks, i), *key = json_get(d, "key");
		printf("granted: %s: %s version %s\n", json_str(d, "name"), json_str(key, "url"),
			json_str(key, "version"));
	}
	return rc;
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, no_options, NULL, 1, 1, &operands, err);
	if (rc)
		return rc;
	struct stat st;
	if (stat(operands.at[0], &st))
		return path_failed(operands.at[0], errno, err);
	return S_ISDIR(st.st_mode) ? check_mount(operands.at[0], err)
				   : check_backing(cli, operands.at[0], err);
}

const struct cli_command cmd_check = {
	.name = "check",
	.operands = "MOUNTPOINT|BACKING",
	.summary = "Ask the key store now; the exit status is the verdict",
	.run = run,
};
