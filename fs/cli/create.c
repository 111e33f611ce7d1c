// SPDX-License-Identifier: MIT
// cmkdisk create: asks the key store first, so that no file is made for a key that cannot be used,
// and proves the new binding by unwrapping it again before it is written.
#include "agent.h"
#include "cli.h"
#include "clock.h"
#include "command_agent.h"
#include "command_records.h"
#include "keyguard.h"
#include "keyset.h"
#include "keyurl.h"
#include "luks.h"
#include "mount_records.h"
#include "newfile.h"
#include "path.h"
#include "print.h"
#include "rebind.h"
#include "scope.h"
#include "secret.h"
#include "units.h"
#include "verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GRACE_DENIED_DEFAULT_MS (3600 * MS_PER_S)	    // Azure's documented hour
#define GRACE_UNREACHABLE_DEFAULT_MS (24 * 3600 * MS_PER_S) // Azure SQL's buffer for outages
#define DATA_OFFSET_DEFAULT (16ull << 20)
#define DATA_OFFSET_MAX (128ull << 20)

struct args {
	const char *size, *key, *set, *sector_size, *grace_denied, *grace_unreachable, *on_expiry,
		*label, *data_offset;
	bool thin, preallocate, allow_purgeable, force;
	struct mount_records audit;
};

static const struct cli_option options[] = {
	{0, "size", "N", "size of the disk: 10G, 512M, or bytes"},
	{0, "key", "URL", "key that opens the disk: file:/path, pkcs11:..., https://..."},
	{0, "set", "FILE", "key set that names the key (JSON)"},
	{0, "sector-size", "N", "512 or 4096 (default 4096)"},
	{0, "grace-denied", "T", "how long I/O goes on after the key is refused (default 1h)"},
	{0, "grace-unreachable", "T", "the same when the key store does not answer (default 24h)"},
	{0, "on-expiry", "WHAT", "stop or ignore when the key expires (default stop)"},
	{0, "label", "L", "LUKS2 label"},
	{0, "data-offset", "N", "space for the header, at least 1M (default 16M)"},
	{0, "thin", NULL, "holes read as zeros and discards make holes (see cmkdisk-security(7))"},
	{0, "preallocate", NULL, "reserve all space in the backing file now"},
	{0, "allow-purgeable", NULL, "bind to a key that could be destroyed for ever"},
	{0, "force", NULL, "overwrite BACKING if it is a block device"},
	{0, "audit", "FILE|journal|stderr", COMMAND_AUDIT_HELP},
};

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	struct args *a = ctx;
	if (!strcmp(o->name, "audit"))
		return mount_records_audit(&a->audit, value, err);
	const struct {
		const char *name, **text;
	} texts[] = {{"size", &a->size}, {"key", &a->key}, {"set", &a->set},
		{"sector-size", &a->sector_size}, {"grace-denied", &a->grace_denied},
		{"grace-unreachable", &a->grace_unreachable}, {"on-expiry", &a->on_expiry},
		{"label", &a->label}, {"data-offset", &a->data_offset}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(o->name, texts[i].name))
			*texts[i].text = value;
	a->thin |= !strcmp(o->name, "thin");
	a->preallocate |= !strcmp(o->name, "preallocate");
	a->allow_purgeable |= !strcmp(o->name, "allow-purgeable");
	a->force |= !strcmp(o->name, "force");
	return 0;
}

static void args_free(struct args *a)
{
	mount_records_free(&a->audit);
}

static int graces(
	const struct args *a, const struct keyset *k, struct volume_policy *p, struct errmsg *err)
{
	p->grace_denied_ms =
		k->grace_denied_ms != DURATION_UNSET ? k->grace_denied_ms : GRACE_DENIED_DEFAULT_MS;
	p->grace_unreachable_ms = k->grace_unreachable_ms != DURATION_UNSET
					  ? k->grace_unreachable_ms
					  : GRACE_UNREACHABLE_DEFAULT_MS;
	p->expiry_stops = k->on_expiry_given ? k->expiry_stops : true;
	int rc = 0;
	if (a->grace_denied)
		rc = parse_duration_ms("--grace-denied", a->grace_denied, &p->grace_denied_ms, err);
	if (!rc && a->grace_unreachable)
		rc = parse_duration_ms(
			"--grace-unreachable", a->grace_unreachable, &p->grace_unreachable_ms, err);
	if (!rc && p->grace_unreachable_ms < GRACE_UNREACHABLE_MIN_MS)
		rc = errmsg_set(err, EINVAL,
			"--grace-unreachable: a disk that stops at the first missed answer is of "
			"no "
			"use; expected at least 1s");
	if (rc || !a->on_expiry)
		return rc;
	if (strcmp(a->on_expiry, "stop") && strcmp(a->on_expiry, "ignore"))
		return errmsg_set(
			err, EINVAL, "--on-expiry: \"%s\", expected stop or ignore", a->on_expiry);
	p->expiry_stops = !strcmp(a->on_expiry, "stop");
	return 0;
}

static int geometry(
	const struct args *a, const char *backing, struct volume_params *p, struct errmsg *err)
{
	uint64_t sector = 4096;
	p->data_offset = DATA_OFFSET_DEFAULT;
	int rc = a->size ? parse_size("--size", a->size, &p->policy.size, err)
			 : errmsg_set(
				   err, EINVAL, "--size is missing: how large is the disk to be?");
	if (!rc && a->sector_size)
		rc = parse_size("--sector-size", a->sector_size, &sector, err);
	if (!rc && a->data_offset)
		rc = parse_size("--data-offset", a->data_offset, &p->data_offset, err);
	if (rc)
		return rc;
	if (sector != 512 && sector != 4096)
		return errmsg_set(
			err, EINVAL, "--sector-size: %s, expected 512 or 4096", a->sector_size);
	if (p->data_offset % (1 << 20) || p->data_offset > DATA_OFFSET_MAX)
		return errmsg_set(err, EINVAL,
			"--data-offset: %s, expected whole MiB from 1M to 128M", a->data_offset);
	if (p->policy.size % sector)
		return errmsg_set(err, EINVAL,
			"--size: %s is not a multiple of the sector size (%u bytes)", a->size,
			(unsigned)sector);
	if (p->policy.size > VOLUME_SIZE_MAX)
		return errmsg_set(err, EINVAL,
			"--size: %s is more than the 512 TiB that a disk can have", a->size);
	p->sector_size = (uint32_t)sector;
	p->policy.thin = a->thin;
	p->label = a->label;
	p->name = backing;
	if (a->label && strlen(a->label) > 47)
		return errmsg_set(
			err, EINVAL, "--label: longer than the 47 bytes that LUKS2 has for it");
	return 0;
}

// What will not last until the first mount is refused, and what a deletion could end for ever.
static int judge(const struct args *a, const struct keyset *k, const struct volume_policy *p,
	struct agent *agent, const struct binding *b, struct keyguard_warnings *warnings,
	struct errmsg *err)
{
	struct agent_answer answer;
	struct cmk_key_info info = {.enabled = -1};
	agent_describe(agent, b->key_version, &info, &answer);
	bool seen = answer.verdict == CMK_GRANTED;
	int rc = seen && p->expiry_stops ? dates_errno(b, &info, err) : 0;
	if (!rc && seen && !a->allow_purgeable)
		rc = keyguard_refuse_purgeable(k->key_url, &info, err);
	if (!rc)
		keyguard_look(k, seen ? &info : NULL, answer.sentence, clock_wall_s(clock_real()),
			warnings);
	return rc;
}

// For a key that others keep, "there is none" is all there is to say. A bundle one makes oneself.
static int bind_failed(int rc, const char *key_url, struct errmsg *err)
{
	const char *path = key_url_path(key_url);
	struct errmsg said = *err;
	if (rc != -EKEYREVOKED || !path || strpbrk(path, "%?") || !access(path, F_OK) ||
		errno != ENOENT)
		return rc;
	return errmsg_set(err, -rc, "%s; make one with: cmkdisk keyfile new %s", said.text, path);
}

// Once there is a disk to which it applies: a refusal is one sentence.
static void warn_all(bool locked, const struct keyguard_warnings *warnings)
{
	if (!locked)
		fprintf(stderr,
			"cmkdisk: warning: memory for secrets cannot be locked (ulimit -l); "
			"they may reach the swap\n");
	for (size_t i = 0; i < warnings->count; i++)
		fprintf(stderr, "cmkdisk: warning: %s\n", warnings->text[i]);
}

static void record(const struct cli *cli, const struct volume_params *p, const struct binding *b,
	const char *backing)
{
	struct volume *v scoped(volume_close) = NULL;
	struct errmsg ignored;
	const char *uuid = cli->records->audit && !volume_open(backing, false, &v, &ignored)
				   ? volume_info(v)->uuid
				   : NULL;
	command_records_created(cli->records, uuid, &p->policy, b);
}

static int make_disk(const struct cli *cli, const struct args *a, const struct keyset *k,
	const struct volume_params *p, const char *backing, struct errmsg *err)
{
	struct agent *agent scoped(agent_free) = NULL;
	int rc = command_agent(
		cli, k->key_url, k, backing, path_disk_name(a->label, backing), &agent, err);
	if (rc)
		return rc;
	struct binding b;
	struct secret *slot_secret scoped(secret_free) = NULL;
	rc = rebind_make(agent, &slot_secret, &b, err);
	if (rc)
		return bind_failed(rc, k->key_url, err);
	struct keyguard_warnings warnings;
	rc = judge(a, k, &p->policy, agent, &b, &warnings, err);
	if (rc)
		return rc;
	struct newfile file scoped(newfile_discard) = {.fd = -1};
	// The header's space at least: the library would only say that writing failed.
	rc = newfile_make(&(struct newfile_want){.path = backing,
				  .bytes = p->data_offset + p->policy.size,
				  .header = p->data_offset,
				  .preallocate = a->preallocate,
				  .force = a->force},
		&file, err);
	if (rc)
		return rc;
	rc = volume_create(file.at, p, &b, slot_secret, err);
	if (rc)
		return rc;
	rc = newfile_keep(&file, err);
	if (rc)
		return rc;
	record(cli, p, &b, backing);
	warn_all(slot_secret->locked, &warnings);
	char size[32], url[BINDING_URL_MAX];
	format_size(p->policy.size, size, sizeof(size));
	key_url_unversioned(b.key_url, url);
	print_line("%s: %s disk, key %s version %s", backing, size, url, b.key_version);
	return 0;
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct args a scoped(args_free) = {0};
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, set, &a, 1, 1, &operands, err);
	if (rc)
		return rc;
	if (!a.key == !a.set)
		return errmsg_set(err, EINVAL, "create: expected either --key URL or --set FILE");
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	rc = a.key ? keyset_of_url(a.key, &k, err) : keyset_read(a.set, &k, err);
	if (rc)
		return rc;
	struct volume_params p = {0};
	rc = graces(&a, &k, &p.policy, err);
	if (!rc)
		rc = geometry(&a, operands.at[0], &p, err);
	if (!rc)
		rc = newfile_check(operands.at[0], a.force, err);
	if (!rc)
		rc = command_records_begin(cli->records,
			&(struct command_records){.request = self->name,
				.backing = operands.at[0],
				.key_url = k.key_url},
			&a.audit, err);
	if (rc)
		return rc;
	rc = make_disk(cli, &a, &k, &p, operands.at[0], err);
	command_records_end(cli->records, rc, err);
	return rc;
}

const struct cli_command cmd_create = {
	.name = "create",
	.operands = "BACKING",
	.summary = "Make an encrypted disk",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
