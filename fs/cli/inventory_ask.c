// SPDX-License-Identifier: MIT
// The only questions of a report: which version of a key is the newest, and the attributes of those
// that disks depend on. Nothing is unwrapped.
#include "agent.h"
#include "command_agent.h"
#include "inventory.h"
#include "keyurl.h"
#include "scope.h"
#include "verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void not_seen(struct inventory *r, struct inventory_key *k, int rc, const struct errmsg *why)
{
	(void)snprintf(
		k->sentence, sizeof(k->sentence), "%.*s", (int)sizeof(k->sentence) - 1, why->text);
	inventory_failed(r, rc, why);
}

// version "": the newest.
static int describe(struct inventory *r, size_t key, struct agent *agent, const char *version)
{
	struct cmk_key_info info = {.enabled = -1};
	struct agent_answer answer;
	struct errmsg why = {{0}};
	size_t at;
	agent_describe(agent, version, &info, &answer);
	int rc = answer_errno(&answer, &why);
	r->keys[key].silent = answer.verdict == CMK_UNREACHABLE;
	if (rc) {
		not_seen(r, &r->keys[key], rc, &why);
		return 0;
	}
	// A store need not repeat what it was asked for.
	if (!*info.version)
		(void)snprintf(info.version, sizeof(info.version), "%s", version);
	rc = inventory_version_of(r, key, info.version, &at);
	if (rc)
		return rc;
	struct inventory_key *k = &r->keys[key];
	k->versions[at].info = info;
	k->versions[at].seen = true;
	if (!*version)
		(void)snprintf(k->newest, sizeof(k->newest), "%s", info.version);
	return 0;
}

// Whose header names the key: told to whoever is asked for a PIN.
static const char *backing_of(const struct inventory *r, size_t key)
{
	for (size_t i = 0; i < r->disk_count; i++)
		for (size_t j = 0; j < r->disks[i].binding_count; j++)
			if (r->disks[i].bindings[j].key == key)
				return r->disks[i].backing;
	return NULL;
}

static int ask_key(const struct cli *cli, struct inventory *r, size_t key)
{
	struct agent *agent scoped(agent_free) = NULL;
	struct inventory_key *k = &r->keys[key];
	const struct keyset *set = k->set == INVENTORY_NONE ? NULL : &r->sets[k->set].k;
	struct errmsg why = {{0}};
	k->sentence[0] = '\0';
	int rc = command_agent(
		cli, set ? set->key_url : k->ask_url, set, backing_of(r, key), "", &agent, &why);
	if (rc) {
		not_seen(r, k, rc, &why);
		return rc == -ENOMEM ? rc : 0;
	}
	rc = describe(r, key, agent, "");
	// The list may grow by the newest, and then moves.
	size_t bound = r->keys[key].version_count;
	for (size_t i = 0; !rc && i < bound && !*r->keys[key].sentence; i++) {
		const struct inventory_version v = r->keys[key].versions[i];
		if (!inventory_is_newest(&r->keys[key], &v))
			rc = describe(r, key, agent, v.info.version);
	}
	return rc;
}

// An earlier key whose store is this key's as well and did not answer: for a second silence nobody
// waits. NULL: none.
static const struct inventory_key *silent_before(const struct inventory *r, size_t key)
{
	for (size_t i = 0; i < key; i++)
		if (r->keys[i].silent && key_url_same_store(r->keys[i].url, r->keys[key].url))
			return &r->keys[i];
	return NULL;
}

static int ask_unless_silent(const struct cli *cli, struct inventory *r, size_t key)
{
	struct inventory_key *k = &r->keys[key];
	const struct inventory_key *silent = silent_before(r, key);
	if (!silent)
		return ask_key(cli, r, key);
	(void)snprintf(k->sentence, sizeof(k->sentence),
		"not asked about: its key store was unreachable when asked about %.300s",
		silent->url);
	return 0;
}

int inventory_ask_stores(const struct cli *cli, struct inventory *r)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < r->key_count; i++) {
		struct inventory_key *k = &r->keys[i];
		if (!r->set_count || k->set != INVENTORY_NONE)
			rc = ask_unless_silent(cli, r, i);
		else
			(void)snprintf(k->sentence, sizeof(k->sentence),
				"not asked about: it is the key of none of the key sets");
	}
	return rc;
}
