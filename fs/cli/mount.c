// SPDX-License-Identifier: MIT
// cmkdisk mount: parses, forks, and lets the session run. The verdict is known on the terminal.
#include "cli.h"
#include "daemon.h"
#include "log.h"
#include "mount_options.h"
#include "mount_records.h"
#include "mountpoint.h"
#include "pin.h"
#include "scope.h"
#include "session.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct args {
	bool foreground;
	const char *key, *set;
	struct mount_options options;
	struct mount_records records;
};

static const struct cli_option options[] = {
	{'f', "foreground", NULL, "stay in the foreground and log to the terminal"},
	{0, "key", "URL", "refuse disks that name another key than this; and how to reach it"},
	{0, "set", "FILE", "the same with the key that a key set names (JSON)"},
	{0, "audit", "FILE|journal|stderr",
		"record what happens, a line of JSON each; may be repeated"},
	{0, "hook", "PROGRAM", "run it when something happens to a disk; may be repeated"},
	{'o', NULL, "OPT[,OPT...]", "mount options:"},
	{0, NULL, NULL, "grace-denied=T grace-unreachable=T on-expiry=stop (only stricter)"},
	{0, NULL, NULL, "interval=T resume=auto|manual rotation=on|off ro"},
	{0, NULL, NULL, "grace-warnings=50%:90%:10min|off before-stop=T hook-timeout=T"},
	{0, NULL, NULL, "cache=none|kernel allow_other uid=U gid=G mode=M"},
};

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	struct args *a = ctx;
	if (o->letter == 'f')
		a->foreground = true;
	else if (o->letter == 'o')
		return mount_options_parse(value, &a->options, err);
	else if (!strcmp(o->name, "audit"))
		return mount_records_audit(&a->records, value, err);
	else if (!strcmp(o->name, "hook"))
		return mount_records_hook(&a->records, value, err);
	else if (!strcmp(o->name, "key"))
		a->key = value;
	else
		a->set = value;
	return 0;
}

static void args_free(struct args *a)
{
	mount_records_free(&a->records);
}

struct ready {
	int report; // to the waiting parent, -1 in the foreground
	struct daemon_watch *watch;
	struct logger *log;
	const char *mountpoint;
};

static void tell(struct ready *r, int rc, const struct errmsg *err)
{
	if (r->report < 0)
		return;
	daemon_told(r->watch);
	daemon_report(&r->report, rc, err);
}

static void on_mounting(void *ctx)
{
	const struct ready *r = ctx;
	if (r->report >= 0)
		daemon_mounting(r->watch);
}

static void on_ready(void *ctx)
{
	struct ready *r = ctx;
	if (r->report >= 0)
		log_to_syslog(r->log, LOG_LEVEL_NOTICE);
	log_notice(r->log, "%s: mounted", r->mountpoint);
	tell(r, 0, NULL);
}

static void block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
}

// watch: NULL in the foreground.
static int serve(
	struct session_config *c, int report, struct daemon_watch *watch, struct errmsg *err)
{
	struct logger *log scoped(logger_free) = NULL;
	// Until it is in the background only what went wrong belongs on the terminal.
	int rc = logger_new("cmkdisk", report < 0 ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING, &log);
	if (rc)
		return errmsg_set(err, -rc, "the log: %s", strerror(-rc));
	struct ready ready = {
		.report = report, .watch = watch, .log = log, .mountpoint = c->mountpoint};
	block_signals();
	rc = watch ? daemon_watch(watch, report, err) : 0;
	if (rc)
		return rc;
	c->log = log;
	c->quiet_agents = report >= 0;
	c->mounting = on_mounting;
	c->ready = on_ready;
	c->ctx = &ready;
	struct session *s scoped(session_close) = NULL;
	rc = session_open(c, &s, err);
	if (!rc)
		rc = session_run(s, err);
	// Whoever waits for the verdict may do the next thing at once: nothing is left by then.
	session_close(&s);
	if (rc)
		tell(&ready, rc, err);
	return rc;
}

// The daemon says ready when the kernel has greeted it; the parent looks for itself.
static int verify_mount(const struct session_config *c, struct errmsg *err)
{
	struct stat st;
	if (stat(c->mountpoint, &st))
		return errmsg_set(
			err, errno, "%s: mounted, but does not answer: %m", c->mountpoint);
	return 0;
}

static int background(struct session_config *c, struct errmsg *err)
{
	int report = -1, child = false;
	int rc = daemon_fork(&report, &child, err);
	if (!child)
		return rc ? rc : verify_mount(c, err);
	struct daemon_watch watch;
	rc = serve(c, report, &watch, err);
	// The parent has printed the sentence, if there was one to print.
	_exit(rc ? 1 : 0);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct args a scoped(args_free) = {.options = {.grace_denied_ms = DURATION_UNSET,
						   .grace_unreachable_ms = DURATION_UNSET,
						   .interval_ms = DURATION_UNSET,
						   .uid = getuid(),
						   .gid = getgid(),
						   .mode = 0600}};
	struct cli_operands operands;
	warning_plan_default(&a.options.warnings);
	int rc = cli_parse(self, argc, argv, set, &a, 2, -1, &operands, err);
	if (!rc)
		rc = mount_records_check(&a.records, a.foreground, err);
	if (rc)
		return rc;
	struct keyset pin scoped(keyset_free) = KEYSET_NONE;
	int pins = keyset_pin(self->name, a.key, a.set, &pin, err);
	char mountpoint[PATH_MAX];
	rc = pins < 0 ? pins : 0;
	if (!rc)
		rc = mountpoint_prepare(operands.at[operands.count - 1], mountpoint, err);
	if (!rc)
		rc = mount_records_outside(&a.records, mountpoint, err);
	if (!rc)
		rc = pin_provide_all(cli, pins ? &pin : NULL, operands.at, operands.count - 1, err);
	if (rc)
		return rc;
	struct session_config c = {.cli = cli,
		.options = a.options,
		.pin = pins ? &pin : NULL,
		.pinned_by = a.set   ? "set"
			     : a.key ? "url"
				     : "header",
		.records = a.records.config,
		.backing = operands.at,
		.backing_count = operands.count - 1,
		.mountpoint = mountpoint};
	return a.foreground ? serve(&c, -1, NULL, err) : background(&c, err);
}

const struct cli_command cmd_mount = {
	.name = "mount",
	.operands = "BACKING... MOUNTPOINT",
	.summary = "Show disks as plaintext files below a mount point",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
