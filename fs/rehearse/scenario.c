// SPDX-License-Identifier: MIT
// The table of scenarios.
#include "scenario.h"

#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DENIED_PROMISE                                                                            \
	"I/O goes on for grace-denied after the last proof of the key, then every request fails " \
	"with EIO and the data key is wiped; when the key is back, the disk goes on by itself."
#define UNREACHABLE_PROMISE                                                                  \
	"I/O goes on for grace-unreachable after the last proof of the key, then every "     \
	"request fails with EIO and the data key is wiped; when the key store is back, the " \
	"disk goes on by itself."

static const struct scenario table[] = {
	{"disabled", "The key is disabled", DENIED_PROMISE, COURSE_STOPS, LIMIT_DENIED, HOLD_NONE,
		ACT_NONE, ACT_DISABLE, ACT_ENABLE, EKEYREVOKED, "disabled not-permitted"},
	{"deleted", "The key is deleted, and recovered", DENIED_PROMISE, COURSE_STOPS, LIMIT_DENIED,
		HOLD_NONE, ACT_NONE, ACT_DELETE, ACT_RECOVER, EKEYREVOKED, "deleted"},
	{"purged", "The key is purged, and restored from a backup", DENIED_PROMISE, COURSE_STOPS,
		LIMIT_DENIED, HOLD_NONE, ACT_NONE, ACT_PURGE, ACT_RESTORE, EKEYREVOKED, "deleted"},
	{"expired", "The key expires", DENIED_PROMISE, COURSE_STOPS, LIMIT_DENIED, HOLD_NONE,
		ACT_NONE, ACT_EXPIRE, ACT_UNEXPIRE, EKEYEXPIRED, "expired not-permitted"},
	{"not-yet-valid", "The key is not valid yet", DENIED_PROMISE, COURSE_STOPS, LIMIT_DENIED,
		HOLD_NONE, ACT_NONE, ACT_NOT_YET, ACT_VALID, EKEYEXPIRED,
		"not-yet-valid not-permitted"},
	{"permission-removed", "The identity loses its permissions", DENIED_PROMISE, COURSE_STOPS,
		LIMIT_DENIED, HOLD_NONE, ACT_NONE, ACT_REVOKE, ACT_GRANT, EKEYREVOKED, "forbidden"},
	{"identity-removed", "The identity is removed, and restored", DENIED_PROMISE, COURSE_STOPS,
		LIMIT_DENIED, HOLD_NONE, ACT_NONE, ACT_REMOVE_IDENTITY, ACT_RESTORE_IDENTITY,
		EKEYREVOKED, "identity forbidden"},
	{"file-removed", "The key's file is removed", DENIED_PROMISE, COURSE_STOPS, LIMIT_DENIED,
		HOLD_NONE, ACT_NONE, ACT_REMOVE_FILE, ACT_RESTORE_FILE, EKEYREVOKED, "deleted"},
	{"object-destroyed", "The key is destroyed in its token", DENIED_PROMISE, COURSE_STOPS,
		LIMIT_DENIED, HOLD_NONE, ACT_NONE, ACT_DESTROY_OBJECT, ACT_RESTORE_OBJECT,
		EKEYREVOKED, "deleted"},
	{"token-pulled", "The token is pulled", UNREACHABLE_PROMISE, COURSE_STOPS,
		LIMIT_UNREACHABLE, HOLD_NONE, ACT_NONE, ACT_PULL_TOKEN, ACT_PUSH_TOKEN, ENOKEY,
		"unreachable"},
	{"old-version-disabled", "The old version is disabled after a rotation",
		"The disk follows the key to its new version and no longer needs the old one: I/O "
		"goes on as if nothing had happened.",
		COURSE_SURVIVES, LIMIT_DENIED, HOLD_DENIED, ACT_ROTATE, ACT_DISABLE_OLD,
		ACT_ENABLE_OLD, 0, NULL},
	{"rotation-ungranted", "The key is rotated without a grant on the new version",
		"The failed rotation is reported, the disk works on with the version that it has, "
		"and goes over by itself as soon as it may.",
		COURSE_ROTATES, LIMIT_DENIED, HOLD_CHECKS, ACT_NONE, ACT_ROTATE_UNGRANTED,
		ACT_GRANT_NEW, 0, NULL},
	{"outage-short", "The key store is away for less than the grace",
		"No request fails, and no refusal is seen in an outage.", COURSE_SURVIVES,
		LIMIT_UNREACHABLE, HOLD_OUTAGE, ACT_NONE, ACT_OUTAGE, ACT_OUTAGE_OVER, 0,
		"unreachable"},
	{"outage-long", "The key store is away for longer than the grace", UNREACHABLE_PROMISE,
		COURSE_STOPS, LIMIT_UNREACHABLE, HOLD_NONE, ACT_NONE, ACT_OUTAGE, ACT_OUTAGE_OVER,
		ENOKEY, "unreachable"},
	{"throttled", "The key store throttles (429 with Retry-After)",
		"Throttling is no refusal: no request fails within grace-unreachable.",
		COURSE_SURVIVES, LIMIT_UNREACHABLE, HOLD_CHECKS, ACT_NONE, ACT_THROTTLE,
		ACT_THROTTLE_OVER, 0, "unreachable"},
	{"slow", "The key store is slow", "Checks take longer, and no request waits for one.",
		COURSE_SURVIVES, LIMIT_UNREACHABLE, HOLD_CHECKS, ACT_NONE, ACT_SLOW, ACT_SLOW_OVER,
		0, NULL},
	{"flapping", "The key goes and comes back several times, and goes",
		"Whatever came before, I/O goes on for no longer than grace-denied after the last "
		"proof of the key, and not a request fails before.",
		COURSE_FLAPS, LIMIT_DENIED, HOLD_NONE, ACT_NONE, ACT_DISABLE, ACT_ENABLE,
		EKEYREVOKED, "disabled not-permitted"},
};
#define COUNT (sizeof(table) / sizeof(table[0]))

const struct scenario *scenario_at(size_t i)
{
	return i < COUNT ? &table[i] : NULL;
}

const struct scenario *scenario_named(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

bool scenario_fits(const struct scenario *s, const struct stage_ops *stage)
{
	// In a grace of seconds nobody can take a key away and give it back by hand.
	if (stage->by_hand && s->course == COURSE_FLAPS)
		return false;
	return (s->before == ACT_NONE || stage->can(s->before)) && stage->can(s->act) &&
	       stage->can(s->undo);
}

void scenario_list_free(struct scenario_list *l)
{
	free(l->at);
	*l = (struct scenario_list){NULL, 0};
}

static int cannot(const struct scenario *s, const struct stage_ops *stage, struct errmsg *err)
{
	static const struct stage_ops *const own[] = {&stage_azure, &stage_file, &stage_pkcs11};
	for (size_t i = 0; !stage->by_hand && i < sizeof(own) / sizeof(own[0]); i++)
		if (scenario_fits(s, own[i]))
			return errmsg_set(err, EINVAL,
				"%s: cannot be rehearsed with the %s provider; say --provider %s",
				s->name, stage->provider, own[i]->provider);
	return errmsg_set(err, EINVAL,
		"%s: cannot be rehearsed with the %s provider and a key of yours; cmkdisk rehearse "
		"--list shows all",
		s->name, stage->provider);
}

static int add_named(struct scenario_list *l, const char *name, const struct stage_ops *stage,
	struct errmsg *err)
{
	const struct scenario *s = scenario_named(name);
	if (!s)
		return errmsg_set(err, EINVAL,
			"no scenario \"%s\"; cmkdisk rehearse --list shows them", name);
	if (!scenario_fits(s, stage))
		return cannot(s, stage, err);
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i] == s)
			return errmsg_set(err, EINVAL, "%s: named twice", name);
	l->at[l->count++] = s;
	return 0;
}

int scenario_choose(const char *names, const struct stage_ops *stage, struct scenario_list *out,
	struct errmsg *err)
{
	struct scenario_list list scoped(scenario_list_free) = {
		.at = calloc(COUNT, sizeof(*list.at))};
	char *copy autofree = strdup(names), *rest = copy, *name;
	if (!list.at || !copy)
		return errmsg_set(err, ENOMEM, "no memory");
	bool all = !strcmp(names, "all");
	for (size_t i = 0; all && i < COUNT; i++)
		if (scenario_fits(&table[i], stage))
			list.at[list.count++] = &table[i];
	while (!all && (name = strsep(&rest, ","))) {
		int rc = add_named(&list, name, stage, err);
		if (rc)
			return rc;
	}
	out->count = list.count;
	out->at = TAKE(list.at);
	return 0;
}
