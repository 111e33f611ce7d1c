// SPDX-License-Identifier: MIT
// A stage with a cmkdisk-vault of its own: what is done to the key is done as its owner would, the
// answers are the service's.
#include "stage.h"

#include "azure_vault.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Actions of cmkdisk-vault(1) for each act, done one after the other; '%' stands for a value of
// this vault's. An identity is restored as a deleted service principal is: it is the same one
// again, so that tokens from before count.
#define STEPS_MAX 3
#define WORDS_MAX 8
struct step {
	const char *words[WORDS_MAX];
};

static const struct step steps[ACTS][STEPS_MAX] = {
	[ACT_DISABLE] = {{{"key.disable", "key=disk-key"}}},
	[ACT_ENABLE] = {{{"key.enable", "key=disk-key"}}},
	[ACT_DELETE] = {{{"key.delete", "key=disk-key"}}},
	[ACT_RECOVER] = {{{"key.recover", "key=disk-key"}}},
	[ACT_PURGE] = {{{"vault.set", "vault=contoso", "purgeProtection=false"}},
		{{"key.delete", "key=disk-key"}}, {{"key.purge", "key=disk-key"}}},
	[ACT_EXPIRE] = {{{"key.expire", "key=disk-key"}}},
	[ACT_UNEXPIRE] = {{{"key.set", "key=disk-key", "exp=365d"}}},
	[ACT_NOT_YET] = {{{"key.set", "key=disk-key", "nbf=365d"}}},
	[ACT_VALID] = {{{"key.set", "key=disk-key", "nbf=1"}}},
	[ACT_REVOKE] = {{{"access.revoke", "identity=disk-host"}}},
	[ACT_GRANT] = {{{"access.grant", "identity=disk-host"}}},
	[ACT_REMOVE_IDENTITY] = {{{"identity.remove", "identity=disk-host"}}},
	[ACT_RESTORE_IDENTITY] = {{{"identity.add", "name=disk-host", "clientId=%", "objectId=%",
					  "secret=@%"}},
		{{"access.grant", "identity=disk-host"}}},
	[ACT_ROTATE] = {{{"key.rotate", "key=disk-key"}}},
	[ACT_GRANT_NEW] = {{{"access.grant", "identity=disk-host"}}},
	[ACT_ENABLE_OLD] = {{{"key.enable", "key=disk-key"}}},
	[ACT_OUTAGE] = {{{"listener.pause", "port=tls"}}},
	[ACT_OUTAGE_OVER] = {{{"listener.resume", "port=tls"}}},
	[ACT_THROTTLE] = {{{"fault.add", "kind=status", "status=429", "retryAfter=1",
		"match.operation=KeyUnwrap"}}},
	[ACT_THROTTLE_OVER] = {{{"fault.clear"}}},
	[ACT_SLOW] = {{{"fault.add", "kind=latency", "delay=%", "match.operation=KeyUnwrap"}}},
	[ACT_SLOW_OVER] = {{{"fault.clear"}}},
};

static bool available(const struct programs *p)
{
	return p->vault != NULL;
}

static bool can(enum act a)
{
	return a == ACT_ROTATE_UNGRANTED || a == ACT_DISABLE_OLD || a == ACT_RESTORE ||
	       steps[a][0].words[0] != NULL;
}

static int start(struct stage *s, struct errmsg *err)
{
	struct azure_vault *v = NULL;
	int rc = azure_vault_new(s, &v, err);
	s->own = v;
	return rc ? rc : azure_vault_start(v, err);
}

static void end(struct stage *s)
{
	struct azure_vault *v = s->own;
	azure_vault_free(&v);
	s->own = NULL;
}

// A word of a step, with what stands for its '%' in this vault.
static int word_of(
	const struct azure_vault *v, const char *word, char *out, size_t room, struct errmsg *err)
{
	const char *hole = strchr(word, '%'), *value = "";
	if (hole && !strncmp(word, "clientId", 8))
		value = azure_vault_client(v);
	else if (hole && !strncmp(word, "objectId", 8))
		value = azure_vault_object(v);
	else if (hole && !strncmp(word, "secret", 6))
		value = azure_vault_secret_file(v);
	else if (hole)
		value = azure_vault_slow(v);
	int len = hole ? (int)(hole - word) : (int)strlen(word);
	int n = snprintf(out, room, "%.*s%s", len, word, value);
	return n < 0 || (size_t)n >= room ? errmsg_set(err, ENAMETOOLONG, "%s: too long", word) : 0;
}

static int take(struct azure_vault *v, const struct step *step, struct errmsg *err)
{
	char words[WORDS_MAX][512];
	const char *argv[WORDS_MAX + 1] = {NULL};
	int rc = 0;
	for (size_t i = 0; !rc && i < WORDS_MAX && step->words[i]; i++) {
		rc = word_of(v, step->words[i], words[i], sizeof(words[i]), err);
		argv[i] = words[i];
	}
	return rc ? rc : azure_vault_do(v, argv, NULL, err);
}

static int act(struct stage *s, enum act a, struct errmsg *err)
{
	struct azure_vault *v = s->own;
	if (a == ACT_ROTATE_UNGRANTED)
		return azure_vault_rotate_ungranted(v, err);
	if (a == ACT_DISABLE_OLD)
		return azure_vault_disable_old(v, err);
	if (a == ACT_RESTORE)
		return azure_vault_restore(v, err);
	int rc = a == ACT_PURGE ? azure_vault_backup(v, err) : 0;
	for (size_t i = 0; !rc && i < STEPS_MAX && steps[a][i].words[0]; i++)
		rc = take(v, &steps[a][i], err);
	return rc;
}

const struct stage_ops stage_azure = {.provider = "azure",
	.available = available,
	.start = start,
	.can = can,
	.act = act,
	.end = end};
