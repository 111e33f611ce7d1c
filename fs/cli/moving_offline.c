// SPDX-License-Identifier: MIT
// A disk that nobody has in use goes over to another binding. Its file is claimed as a mount claims
// it. The key stores are asked first, so that the data key is here for the header's changes alone.
#include "agent.h"
#include "answer.h"
#include "cli.h"
#include "clock.h"
#include "command_agent.h"
#include "command_records.h"
#include "keyguard.h"
#include "keyset.h"
#include "luks.h"
#include "moving.h"
#include "path.h"
#include "print.h"
#include "rebind.h"
#include "records.h"
#include "scope.h"
#include "secret.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One try: through this binding, which its key must still open.
struct attempt {
	const struct cli *cli;
	const struct moving *m;
	const char *backing;
	struct volume *v;
	struct binding present;
	struct agent *now, *later; // later: NULL when the key stays the same
	struct cmk_key_info newest;
	struct rebind *r;
	size_t removed;
};

static void try_end(struct attempt *t)
{
	agent_free(&t->now);
	agent_free(&t->later);
	rebind_free(&t->r);
}

static int start(const struct attempt *t, const char *key_url, const struct keyset *settings,
	struct agent **out, struct errmsg *err)
{
	return command_agent(t->cli, key_url, settings, t->backing,
		path_disk_name(volume_info(t->v)->label, t->backing), out, err);
}

static void warn(const struct keyset *k, const struct cmk_key_info *info)
{
	struct keyguard_warnings w = {0};
	keyguard_look(k, *info->version ? info : NULL, "this identity may not see them (keys/get)",
		clock_wall_s(clock_real()), &w);
	for (size_t i = 0; i < w.count; i++)
		fprintf(stderr, "cmkdisk: warning: %s\n", w.text[i]);
}

// What the disk is to have: proven by its key store, not yet in the header.
static int prepare(struct attempt *t, struct errmsg *err)
{
	const struct keyset *target = t->m->target;
	const struct volume_info *info = volume_info(t->v);
	// Of one key spelled in two ways the settings are the same, as a rule.
	const struct keyset *settings = t->m->present;
	if (!settings && target && keyset_pins(target, t->present.key_url))
		settings = target;
	int rc = start(t, t->present.key_url, settings, &t->now, err);
	if (!rc && target)
		rc = start(t, target->key_url, target, &t->later, err);
	if (rc)
		return rc;
	struct agent *agent = t->later ? t->later : t->now;
	rc = rebind_newest(agent, &t->newest, err);
	if (!rc && target && !t->m->allow_purgeable)
		rc = keyguard_refuse_purgeable(target->key_url, &t->newest, err);
	if (rc)
		return rc;
	if (target)
		warn(target, &t->newest);
	return rebind_prepare(
		agent, t->newest.version, info->bindings, info->binding_count, &t->r, err);
}

static int change_header(struct attempt *t, struct errmsg *err)
{
	struct secret *slot_secret scoped(secret_free) = NULL, *dek scoped(secret_free) = NULL;
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	const struct binding *b = &t->present;
	agent_unwrap(
		t->now, b->key_version, b->alg, b->wrapped, b->wrapped_len, &slot_secret, &answer);
	int rc = answer_errno(&answer, err);
	if (!rc)
		rc = volume_unlock(t->v, b, slot_secret, &dek, err);
	if (!rc)
		rc = volume_settle(t->v, dek, err);
	if (!rc)
		rc = rebind_finish(t->v, dek, b, &t->removed, err);
	t->r->only = t->m->only;
	if (!rc)
		rc = rebind_commit(t->v, dek, b, t->r, err);
	return rc ? rc : rebind_retire(t->v, dek, t->r, &t->removed, err);
}

static void tell(const struct attempt *t)
{
	const struct volume_info *info = volume_info(t->v);
	const struct binding *b = &t->r->binding;
	moving_tell(t->backing, b->key_url, t->present.key_version, b->key_version, t->removed);
	for (size_t i = 0; t->m->target && i < info->binding_count; i++)
		if (info->bindings[i].token != b->token)
			moving_tell_other(t->backing, info->bindings[i].key_url,
				info->bindings[i].key_version);
}

// Nothing was moved if it had been there already.
static void record(const struct attempt *t)
{
	const struct binding *from = &t->present, *to = &t->r->binding;
	if (strcmp(from->key_version, to->key_version) || strcmp(from->key_url, to->key_url))
		command_records_moved(
			t->cli->records, &(struct records_move){.key_url = to->key_url,
						 .from_url = from->key_url,
						 .from = from->key_version,
						 .to = to->key_version,
						 .by_hand = true});
}

static void record_failure(const struct cli *cli, const struct moving *m, const struct binding *b,
	int rc, const struct errmsg *err)
{
	command_records_moved(cli->records,
		&(struct records_move){.key_url = m->target ? m->target->key_url : b->key_url,
			.from_url = b->key_url,
			.from = b->key_version,
			.by_hand = true,
			.rc = rc,
			.err = err});
}

static int try_binding(const struct cli *cli, const struct moving *m, const char *backing,
	struct volume *v, const struct binding *b, struct errmsg *err)
{
	struct attempt t scoped(try_end) = {
		.cli = cli, .m = m, .backing = backing, .v = v, .present = *b};
	int rc = m->target ? 0
			   : rebind_refuse_unfinished(backing, b, volume_info(v)->bindings,
				     volume_info(v)->binding_count, err);
	if (!rc)
		rc = prepare(&t, err);
	if (!rc)
		rc = change_header(&t, err);
	if (rc)
		return rc;
	record(&t);
	tell(&t);
	return 0;
}

// Those of the former key first, and of them the one that was to take the place of the others, so
// that a move that broke off is ended. 0, or the first failure.
static int try_each(const struct cli *cli, const struct moving *m, const char *backing,
	struct volume *v, const struct binding *all, size_t count, struct errmsg *err)
{
	size_t order[BINDINGS_MAX];
	const struct binding *tried = NULL;
	int first = 0;
	binding_order(all, count, order);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < count; i++) {
			const struct binding *b = &all[order[i]];
			struct errmsg this = {""};
			bool new = m->target && !strcmp(m->target->key_url, b->key_url);
			if (new != (pass == 1) || !keyset_pins(m->present, b->key_url))
				continue;
			int rc = try_binding(cli, m, backing, v, b, &this);
			if (!rc)
				return 0;
			if (first)
				continue;
			*err = this;
			first = rc;
			tried = b;
		}
	if (tried)
		record_failure(cli, m, tried, first, err);
	return first ? first
		     : errmsg_set(err, EKEYREJECTED, "the header names no key that is meant here");
}

static int try_all(const struct cli *cli, const struct moving *m, const char *backing,
	struct volume *v, struct errmsg *err)
{
	const size_t count = volume_info(v)->binding_count;
	struct binding *all autofree = calloc(count, sizeof(*all));
	if (!all)
		return errmsg_set(err, ENOMEM, "out of memory");
	memcpy(all, volume_info(v)->bindings, count * sizeof(*all));
	int rc = try_each(cli, m, backing, v, all, count, err);
	if (rc)
		errmsg_prefix(err, "%s", backing);
	return rc;
}

int moving_offline(
	const struct cli *cli, const struct moving *m, const char *backing, struct errmsg *err)
{
	struct store *store scoped(store_close) = NULL;
	struct volume *v scoped(volume_close) = NULL;
	char path[32];
	int fd = -1;
	int rc = store_file_open(backing, false, &store, &fd, err);
	if (rc)
		return rc;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = volume_open(path, true, &v, err);
	return rc ? rc : try_all(cli, m, backing, v, err);
}
