// SPDX-License-Identifier: MIT
// cmkdisk report: which disk depends on which key, and which follow a policy; without any key.
#include "cli.h"
#include "clock.h"
#include "inventory.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <string.h>

// An hour is what the service documents; two years is how often its manual advises to rotate keys.
#define MAX_GRACE_DENIED_MS (UINT64_C(3600) * MS_PER_S)
#define MAX_AGE_S (UINT64_C(730) * INVENTORY_DAY_S)
#define MAX_PENDING_S INVENTORY_DAY_S

struct args {
	bool json, whole, ask, check, set_needless;
	struct inventory *r;
};

static const struct cli_option options[] = {
	{0, "json", NULL, "print JSON"},
	{0, "long", NULL, "print all that is known of each disk"},
	{0, "set", "FILE", "a key set; its key is where disks belong (may be repeated)"},
	{0, "ask", NULL, "ask the key stores for the attributes of the keys (no unwrap)"},
	{0, "check", NULL, "exit with 78 if a disk does not follow the policy"},
	{0, "max-grace-denied", "T", "longest I/O after a refusal (default 1h)"},
	{0, "max-age", "T", "longest since a disk was last rotated, or off (default 730d)"},
	{0, "max-pending", "T", "longest until a disk follows a new key version (default 1d)"},
	{0, "near-expiry", "T", "which expiry is soon (default: the key set's, else 30d)"},
	{0, "need-set", "yes|no", "only keys of key sets will do (default yes with --set)"},
};

static int seconds(const char *name, const char *value, uint64_t *out, struct errmsg *err)
{
	uint64_t ms;
	int rc = parse_duration_ms(name, value, &ms, err);
	if (!rc && ms < MS_PER_S)
		return errmsg_set(err, EINVAL, "--%s: expected at least 1s", name);
	if (!rc)
		*out = ms / MS_PER_S;
	return rc;
}

static int add_set(struct inventory *r, const char *path, struct errmsg *err)
{
	int rc = inventory_grow(&r->sets, r->set_count, sizeof(*r->sets));
	if (rc)
		return errmsg_set(err, -rc, "out of memory");
	struct inventory_set *s = &r->sets[r->set_count++];
	s->path = path;
	return keyset_read(path, &s->k, err);
}

static int set_limit(
	struct inventory_policy *p, const char *name, const char *value, struct errmsg *err)
{
	if (!strcmp(name, "max-grace-denied"))
		return parse_duration_ms(name, value, &p->max_grace_denied_ms, err);
	if (!strcmp(name, "max-pending"))
		return seconds(name, value, &p->max_pending_s, err);
	if (!strcmp(name, "near-expiry"))
		return seconds(name, value, &p->near_expiry_s, err);
	if (strcmp(value, "off") != 0)
		return seconds(name, value, &p->max_age_s, err);
	p->max_age_s = INVENTORY_NO_LIMIT;
	return 0;
}

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	struct args *a = ctx;
	struct inventory_policy *p = &a->r->policy;
	if (!strcmp(o->name, "json"))
		a->json = true;
	else if (!strcmp(o->name, "long"))
		a->whole = true;
	else if (!strcmp(o->name, "ask"))
		a->ask = true;
	else if (!strcmp(o->name, "check"))
		a->check = true;
	else if (!strcmp(o->name, "set"))
		return add_set(a->r, value, err);
	else if (strcmp(o->name, "need-set") != 0)
		return set_limit(p, o->name, value, err);
	else if (!strcmp(value, "yes"))
		p->need_set = true;
	else if (!strcmp(value, "no"))
		a->set_needless = true;
	else
		return errmsg_set(err, EINVAL, "--need-set: expected yes or no");
	return 0;
}

static int settle_sets(struct args *a, struct errmsg *err)
{
	struct inventory_policy *p = &a->r->policy;
	if (p->need_set && !a->r->set_count)
		return errmsg_set(err, EINVAL, "--need-set: no key set; name each with --set FILE");
	p->need_set = a->r->set_count && !a->set_needless;
	return 0;
}

static int collect(struct inventory *r, const struct cli_operands *operands)
{
	int rc = inventory_ask_daemons(r, operands->count == 0);
	if (!rc && !operands->count)
		rc = inventory_add_every_mount(r);
	for (int i = 0; !rc && i < operands->count; i++)
		rc = inventory_add_operand(r, operands->at[i]);
	return rc;
}

static int make(const struct cli *cli, const struct args *a, const struct cli_operands *operands)
{
	struct inventory *r = a->r;
	// Of a daemon that changes a header nothing is to be waited for, and nothing mended here.
	volume_locks_are_ours();
	r->now = clock_wall_s(clock_real());
	r->asked = a->ask;
	int rc = collect(r, operands);
	if (!rc && a->ask)
		rc = inventory_ask_stores(cli, r);
	if (!rc)
		rc = inventory_count(r);
	for (size_t i = 0; !rc && i < r->disk_count; i++)
		inventory_judge(r, &r->disks[i]);
	if (rc)
		return rc;
	return a->json ? inventory_json(r) : inventory_text(r, a->whole);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct inventory r scoped(inventory_free) = {
		.policy = {.max_grace_denied_ms = MAX_GRACE_DENIED_MS,
			.max_age_s = MAX_AGE_S,
			.max_pending_s = MAX_PENDING_S}};
	struct args a = {.r = &r};
	struct cli_operands operands;
	struct inventory_totals t;
	int rc = cli_parse(self, argc, argv, set, &a, 0, -1, &operands, err);
	if (!rc)
		rc = settle_sets(&a, err);
	if (rc)
		return rc;
	rc = make(cli, &a, &operands);
	if (rc)
		return errmsg_set(err, -rc, "the report could not be made: %s", strerror(-rc));
	if (r.failed) {
		*err = r.why;
		return r.failed;
	}
	inventory_totals(&r, &t);
	if (a.check && t.follow < t.distinct)
		return errmsg_set(err, EDOM, "%zu of %zu disks do not follow the policy",
			t.distinct - t.follow, t.distinct);
	return 0;
}

const struct cli_command cmd_report = {
	.name = "report",
	.operands = "[BACKING|MOUNTPOINT|DIRECTORY]...",
	.summary = "Which disks depend on which keys, and follow a policy",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
