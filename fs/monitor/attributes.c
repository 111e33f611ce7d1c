// SPDX-License-Identifier: MIT
// What the key store tells of a version beside unwrapping with it: its dates, and which version is
// the newest. None of it is a proof, and none of it costs one.
#include "monitor_internal.h"

#include "log.h"
#include "scope.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// The attributes that the first disk of a mount was told will do for its neighbours.
#define DESCRIBED_RECENTLY_NS (10 * NS_PER_S)

static const char *url_of(const struct group *g)
{
	return g->first->binding.key_url;
}

bool attributes_recent(const struct group *g, const struct monitor *m)
{
	uint64_t now = clock_boot_ns(m->config.clock);
	return g->info_known && now < g->described_ns + DESCRIBED_RECENTLY_NS;
}

bool attributes_near_expiry(const struct monitor *m, const struct cmk_key_info *info)
{
	int64_t now = clock_wall_s(m->config.clock);
	if (info->exp <= 0)
		return false;
	return info->exp <= now || (uint64_t)(info->exp - now) <= m->config.near_expiry_s;
}

// One question. A store that does not answer it is not asked for more in this round.
static void describe(struct key *k, struct attributes *a, const char *version,
	struct cmk_key_info *info, struct agent_answer *answer)
{
	*answer = a->silence;
	if (a->silent)
		return;
	*answer = (struct agent_answer){.verdict = CMK_UNREACHABLE};
	*info = (struct cmk_key_info){.enabled = -1};
	k->source.describe(k->source.ctx, version, info, answer);
	if (answer->verdict != CMK_UNREACHABLE)
		return;
	a->silent = true;
	a->silence = *answer;
}

static void ask_newest(struct key *k, struct attributes *a)
{
	if (a->asked_newest)
		return;
	a->asked_newest = true;
	describe(k, a, "", &a->newest, &a->newest_answer);
	a->newest_seen = a->newest_answer.verdict == CMK_GRANTED && a->newest.version[0];
	if (a->newest_answer.verdict == CMK_GRANTED && !a->newest_seen)
		(void)snprintf(a->newest_answer.sentence, sizeof(a->newest_answer.sentence),
			"the key store does not name the newest version");
	// While nobody answers, what was seen last is the best there is.
	if (a->newest_answer.verdict == CMK_UNREACHABLE)
		return;
	with_lock(&k->monitor->lock);
	k->newest = a->newest_seen ? a->newest : (struct cmk_key_info){.version = ""};
}

// NULL answer: they were seen.
static bool remember(struct key *k, struct group *g, const struct cmk_key_info *info,
	const struct agent_answer *failed)
{
	with_lock(&k->monitor->lock);
	bool changed = false;
	if (info) {
		changed = !g->info_known || g->view.info.nbf != info->nbf ||
			  g->view.info.exp != info->exp;
		g->info_known = true;
		g->described_ns = clock_boot_ns(k->monitor->config.clock);
		g->view.info = *info;
	}
	g->view.attributes_seen = !failed;
	(void)snprintf(g->view.attributes_sentence, sizeof(g->view.attributes_sentence), "%s",
		failed ? failed->sentence : "");
	return changed;
}

static void tell_unseen(struct key *k, struct group *g, const struct agent_answer *failed)
{
	struct logger *log = k->monitor->config.log;
	if (g->told_unseen == (failed != NULL))
		return;
	g->told_unseen = failed != NULL;
	if (failed)
		log_notice(log, "%s, version %s: expiry and rotation cannot be seen: %s", url_of(g),
			g->version, failed->sentence);
	else
		log_notice(log, "%s, version %s: expiry and rotation can be seen again", url_of(g),
			g->version);
}

static void tell_expiry(struct key *k, struct group *g)
{
	const struct cmk_key_info *info = &g->view.info; // only this thread writes it
	bool near = attributes_near_expiry(k->monitor, info);
	struct tm tm;
	char date[32] = "?";
	time_t exp = (time_t)info->exp;
	if (near == g->told_expiry)
		return;
	g->told_expiry = near;
	// One that has expired is told with the verdict.
	if (!near || info->exp <= clock_wall_s(k->monitor->config.clock))
		return;
	if (gmtime_r(&exp, &tm))
		(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	log_warning(k->monitor->config.log,
		"%s, version %s: expires at %s; rotate the key, or set a later date", url_of(g),
		g->version, date);
}

bool attributes_ask(struct key *k, struct group *g, struct attributes *a)
{
	struct cmk_key_info info;
	struct agent_answer answer;
	const struct agent_answer *failed = NULL;
	if (k->source.follows)
		ask_newest(k, a);
	if (a->newest_seen && strcmp(a->newest.version, g->version) == 0) {
		info = a->newest;
		answer = a->newest_answer;
	} else {
		describe(k, a, g->version, &info, &answer);
	}
	bool seen = answer.verdict == CMK_GRANTED;
	if (!seen)
		failed = &answer;
	else if (k->source.follows && !a->newest_seen)
		failed = &a->newest_answer;
	bool changed = remember(k, g, seen ? &info : NULL, failed);
	tell_unseen(k, g, failed);
	tell_expiry(k, g);
	return changed;
}

void attributes_newer(struct key *k, const struct attributes *a)
{
	const struct monitor *m = k->monitor;
	const struct group *behind = k->groups;
	if (!a->newest_seen)
		return;
	while (behind && strcmp(behind->version, a->newest.version) == 0)
		behind = behind->next;
	if (!behind)
		return;
	if (strcmp(k->told_newest, a->newest.version) != 0) {
		log_notice(m->config.log,
			"%s: version %s is newer than %s, which disks are bound to", url_of(behind),
			a->newest.version, behind->version);
		(void)snprintf(k->told_newest, sizeof(k->told_newest), "%s", a->newest.version);
	}
	if (m->config.newer)
		m->config.newer(m->config.newer_ctx, k->index);
}
