// SPDX-License-Identifier: MIT
// The command line of `cmkdisk rehearse`, and the policy that it asks for.
#include "rehearse_options.h"

#include "keyset.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCALE_MAX 1000000
#define WAIT_DEFAULT_MS (15ull * 60 * 1000)

// The product's own, and those that are short enough to wait for.
static const struct policy_played real = {3600000, 86400000, 60000, 1};
static const struct policy_played brief = {10000, 20000, 1000, 1};

const struct cli_option rehearse_option_table[REHEARSE_OPTION_COUNT] = {
	{0, "scenario", "NAMES", "what is played: names with commas, or all (default: disabled)"},
	{0, "list", NULL, "list the scenarios, and play nothing"},
	{0, "grace-denied", "T", "how long I/O goes on after a refusal (default: 10s)"},
	{0, "grace-unreachable", "T", "the same without an answer (default: 20s)"},
	{0, "interval", "T", "how often the key store is asked (default: 1s)"},
	{0, "time-scale", "N", "graces and interval as given, or of a real disk, divided by N"},
	{0, "real-time", NULL, "graces and interval of a real disk: 1h, 24h and 1min"},
	{0, "load", "light|heavy", "how much is read and written (default: light)"},
	{0, "on", "file|ext4", "what is read and written: the disk's file, or ext4 on it"},
	{0, "provider", "NAME", "of a key store of its own: azure, file or pkcs11"},
	{0, "set", "FILE", "your key set: you are asked to do what is done to the key"},
	{0, "wait", "T", "how long to wait for you then (default: 15min)"},
	{0, "report", "DIR", "write report.txt, report.json and report.html there"},
	{0, "json", NULL, "print the report as JSON"},
	{0, "dir", "DIR", "where the disks are made (default: /tmp)"},
	{0, "keep", NULL, "leave what was made there"},
};

static int set_scale(struct rehearse_options *o, const char *value, struct errmsg *err)
{
	char *end = NULL;
	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < 1 || n > SCALE_MAX)
		return errmsg_set(err, EINVAL, "--time-scale %s: expected a number from 1 to %d",
			value, SCALE_MAX);
	o->time_scale = n;
	return 0;
}

static int set_load(struct rehearse_options *o, const char *value, struct errmsg *err)
{
	if (strcmp(value, "light") != 0 && strcmp(value, "heavy") != 0)
		return errmsg_set(err, EINVAL, "--load %s: expected light or heavy", value);
	o->load = value;
	return 0;
}

static int set_on(struct rehearse_options *o, const char *value, struct errmsg *err)
{
	return ground_kind_named(value, &o->on)
		       ? 0
		       : errmsg_set(err, EINVAL, "--on %s: expected file or ext4", value);
}

static int set_option(
	void *ctx, const struct cli_option *option, const char *value, struct errmsg *err)
{
	struct rehearse_options *o = ctx;
	const struct {
		const char *name;
		const char **text;
		uint64_t *ms;
		bool *flag;
	} plain[] = {{"scenario", &o->scenarios, NULL, NULL}, {"list", NULL, NULL, &o->list},
		{"grace-denied", NULL, &o->grace_denied_ms, NULL},
		{"grace-unreachable", NULL, &o->grace_unreachable_ms, NULL},
		{"interval", NULL, &o->interval_ms, NULL}, {"real-time", NULL, NULL, &o->real_time},
		{"provider", &o->provider, NULL, NULL}, {"set", &o->set, NULL, NULL},
		{"wait", NULL, &o->wait_ms, NULL}, {"report", &o->report, NULL, NULL},
		{"json", NULL, NULL, &o->json}, {"dir", &o->dir, NULL, NULL},
		{"keep", NULL, NULL, &o->keep}};
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(option->name, plain[i].name) != 0)
			continue;
		if (plain[i].ms)
			return parse_duration_ms(option->name, value, plain[i].ms, err);
		if (plain[i].text)
			*plain[i].text = value;
		else
			*plain[i].flag = true;
		return 0;
	}
	if (strcmp(option->name, "on") == 0)
		return set_on(o, value, err);
	return strcmp(option->name, "load") == 0 ? set_load(o, value, err)
						 : set_scale(o, value, err);
}

static int check(const struct rehearse_options *o, struct errmsg *err)
{
	bool given = o->set || o->key_url;
	if (o->set && o->key_url)
		return errmsg_set(err, EINVAL, "name the key by its URL or with --set, not both");
	if (given && o->provider)
		return errmsg_set(err, EINVAL,
			"--provider is for a key store of the rehearsal's own; your key has one");
	if (given && (!o->scenarios || strcmp(o->scenarios, "all") == 0))
		return errmsg_set(err, EINVAL,
			"with a key of yours, say with --scenario what is to happen to it; cmkdisk "
			"rehearse --list shows what can");
	if (!given && o->wait_ms != DURATION_UNSET)
		return errmsg_set(err, EINVAL,
			"--wait is for a key of yours; nobody is waited for with a key store of "
			"the rehearsal's own");
	if (o->real_time && o->time_scale)
		return errmsg_set(err, EINVAL, "--real-time and --time-scale exclude each other");
	return 0;
}

int rehearse_options_read(const struct cli_command *self, int argc, char **argv,
	struct rehearse_options *out, struct errmsg *err)
{
	struct cli_operands operands;
	*out = (struct rehearse_options){.load = "light",
		.dir = "/tmp",
		.grace_denied_ms = DURATION_UNSET,
		.grace_unreachable_ms = DURATION_UNSET,
		.interval_ms = DURATION_UNSET,
		.wait_ms = DURATION_UNSET};
	int rc = cli_parse(self, argc, argv, set_option, out, 0, 1, &operands, err);
	if (rc)
		return rc;
	out->key_url = operands.count ? operands.at[0] : NULL;
	rc = out->list ? 0 : check(out, err);
	if (out->wait_ms == DURATION_UNSET)
		out->wait_ms = WAIT_DEFAULT_MS;
	return rc;
}

static uint64_t scaled(uint64_t given, uint64_t usual, uint64_t scale)
{
	uint64_t ms = given == DURATION_UNSET ? usual : given;
	return scale > 1 ? (ms + scale - 1) / scale : ms;
}

int rehearse_policy(const struct rehearse_options *o, struct policy_played *out, struct errmsg *err)
{
	const struct policy_played *usual = o->real_time || o->time_scale ? &real : &brief;
	*out = (struct policy_played){.grace_denied_ms = scaled(o->grace_denied_ms,
					      usual->grace_denied_ms, o->time_scale),
		.grace_unreachable_ms =
			scaled(o->grace_unreachable_ms, usual->grace_unreachable_ms, o->time_scale),
		.interval_ms = scaled(o->interval_ms, usual->interval_ms, o->time_scale),
		.time_scale = o->time_scale ? (uint32_t)o->time_scale : 1};
	if (out->grace_unreachable_ms < GRACE_UNREACHABLE_MIN_MS)
		return errmsg_set(err, EINVAL,
			"the grace for an unreachable key store would be %llu ms; at least 1s is "
			"needed",
			(unsigned long long)out->grace_unreachable_ms);
	if (out->interval_ms == 0)
		return errmsg_set(err, EINVAL, "--interval must be more than nothing");
	return 0;
}
