// SPDX-License-Identifier: MIT
// The -o options of `cmkdisk mount`, as a table.
#include "mount_options.h"
#include "clock.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_TIMEOUT_MAX_MS (3600 * MS_PER_S)

static int number(const char *name, const char *text, int base, unsigned long max,
	unsigned long *out, struct errmsg *err)
{
	char *end = NULL;
	errno = 0;
	*out = strtoul(text, &end, base);
	if (errno || !*text || *end || text[0] == '-' || *out > max)
		return errmsg_set(err, EINVAL, "-o %s=%s: expected %s", name, text,
			base == 8 ? "octal permission bits such as 0600" : "a name or a number");
	return 0;
}

static int opt_grace_denied(struct mount_options *o, const char *v, struct errmsg *err)
{
	return parse_duration_ms("-o grace-denied", v, &o->grace_denied_ms, err);
}

static int opt_grace_unreachable(struct mount_options *o, const char *v, struct errmsg *err)
{
	int rc = parse_duration_ms("-o grace-unreachable", v, &o->grace_unreachable_ms, err);
	if (!rc && o->grace_unreachable_ms < GRACE_UNREACHABLE_MIN_MS)
		return errmsg_set(err, EINVAL,
			"-o grace-unreachable=%s: a disk that stops at the first missed answer is "
			"of no use; expected at least 1s",
			v);
	return rc;
}

static int opt_interval(struct mount_options *o, const char *v, struct errmsg *err)
{
	int rc = parse_duration_ms("-o interval", v, &o->interval_ms, err);
	if (!rc && o->interval_ms == 0)
		return errmsg_set(err, EINVAL, "-o interval=%s: expected more than nothing", v);
	return rc;
}

static int opt_on_expiry(struct mount_options *o, const char *v, struct errmsg *err)
{
	if (strcmp(v, "stop") && strcmp(v, "ignore"))
		return errmsg_set(err, EINVAL, "-o on-expiry=%s: expected stop or ignore", v);
	o->on_expiry_given = true;
	o->expiry_stops = !strcmp(v, "stop");
	return 0;
}

static int opt_resume(struct mount_options *o, const char *v, struct errmsg *err)
{
	if (strcmp(v, "auto") && strcmp(v, "manual"))
		return errmsg_set(err, EINVAL, "-o resume=%s: expected auto or manual", v);
	o->resume_manual = !strcmp(v, "manual");
	return 0;
}

static int opt_rotation(struct mount_options *o, const char *v, struct errmsg *err)
{
	if (strcmp(v, "on") && strcmp(v, "off"))
		return errmsg_set(err, EINVAL, "-o rotation=%s: expected on or off", v);
	o->rotation_off = !strcmp(v, "off");
	return 0;
}

static int opt_cache(struct mount_options *o, const char *v, struct errmsg *err)
{
	if (strcmp(v, "none") && strcmp(v, "kernel"))
		return errmsg_set(err, EINVAL, "-o cache=%s: expected none or kernel", v);
	o->kernel_cache = !strcmp(v, "kernel");
	return 0;
}

static int opt_grace_warnings(struct mount_options *o, const char *v, struct errmsg *err)
{
	return warning_plan_parse(v, &o->warnings, err);
}

static int opt_before_stop(struct mount_options *o, const char *v, struct errmsg *err)
{
	return parse_duration_ms("-o before-stop", v, &o->warnings.before_stop_ms, err);
}

static int opt_hook_timeout(struct mount_options *o, const char *v, struct errmsg *err)
{
	uint64_t ms = 0;
	int rc = parse_duration_ms("-o hook-timeout", v, &ms, err);
	if (!rc && (ms == 0 || ms > HOOK_TIMEOUT_MAX_MS))
		return errmsg_set(err, EINVAL,
			"-o hook-timeout=%s: expected more than nothing, and at most 1h", v);
	o->hook_timeout_ms = (uint32_t)ms;
	return rc;
}

static int opt_uid(struct mount_options *o, const char *v, struct errmsg *err)
{
	const struct passwd *p = getpwnam(v);
	unsigned long n = p ? p->pw_uid : 0;
	int rc = p ? 0 : number("uid", v, 10, UINT_MAX - 1, &n, err);
	o->uid = (uid_t)n;
	return rc;
}

static int opt_gid(struct mount_options *o, const char *v, struct errmsg *err)
{
	const struct group *g = getgrnam(v);
	unsigned long n = g ? g->gr_gid : 0;
	int rc = g ? 0 : number("gid", v, 10, UINT_MAX - 1, &n, err);
	o->gid = (gid_t)n;
	return rc;
}

static int opt_mode(struct mount_options *o, const char *v, struct errmsg *err)
{
	unsigned long n = 0;
	int rc = number("mode", v, 8, 0777, &n, err);
	o->mode = (mode_t)n;
	return rc;
}

static int opt_ro(struct mount_options *o, const char *v, struct errmsg *err)
{
	(void)v;
	(void)err;
	o->read_only = true;
	return 0;
}

static int opt_rw(struct mount_options *o, const char *v, struct errmsg *err)
{
	(void)v;
	(void)err;
	o->read_only = false;
	return 0;
}

static int opt_allow_other(struct mount_options *o, const char *v, struct errmsg *err)
{
	(void)v;
	(void)err;
	o->allow_other = true;
	return 0;
}

static const struct {
	const char *name;
	bool has_value;
	int (*set)(struct mount_options *o, const char *v, struct errmsg *err);
} table[] = {
	{"grace-denied", true, opt_grace_denied},
	{"grace-unreachable", true, opt_grace_unreachable},
	{"on-expiry", true, opt_on_expiry},
	{"interval", true, opt_interval},
	{"resume", true, opt_resume},
	{"rotation", true, opt_rotation},
	{"ro", false, opt_ro},
	{"rw", false, opt_rw},
	{"cache", true, opt_cache},
	{"grace-warnings", true, opt_grace_warnings},
	{"before-stop", true, opt_before_stop},
	{"hook-timeout", true, opt_hook_timeout},
	{"allow_other", false, opt_allow_other},
	{"uid", true, opt_uid},
	{"gid", true, opt_gid},
	{"mode", true, opt_mode},
};

static int parse_one(char *text, struct mount_options *o, struct errmsg *err)
{
	char *value = strchr(text, '=');
	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(text, table[i].name))
			continue;
		if (table[i].has_value && !value)
			return errmsg_set(err, EINVAL, "-o %s: expected %s=VALUE", text, text);
		if (!table[i].has_value && value)
			return errmsg_set(err, EINVAL, "-o %s takes no value", text);
		return table[i].set(o, value, err);
	}
	return errmsg_set(
		err, EINVAL, "-o %s: no such option; cmkdisk mount --help lists them", text);
}

int mount_options_parse(const char *list, struct mount_options *o, struct errmsg *err)
{
	char *copy autofree = strdup(list);
	if (!copy)
		return errmsg_set(err, ENOMEM, "out of memory");
	char *rest = copy, *item = NULL;
	while ((item = strsep(&rest, ",")) != NULL) {
		int rc = *item ? parse_one(item, o, err) : 0;
		if (rc)
			return rc;
	}
	return 0;
}
