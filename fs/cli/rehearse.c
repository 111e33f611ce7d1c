// SPDX-License-Identifier: MIT
// cmkdisk rehearse: takes a key away and sees what happens, with a key store, a disk and a load of
// its own, or with a key of the operator's and a person's help.
#include "cli.h"
#include "clock.h"
#include "json.h"
#include "play.h"
#include "print.h"
#include "rehearsal.h"
#include "rehearse_given.h"
#include "rehearse_options.h"
#include "rehearse_place.h"
#include "rehearse_progress.h"
#include "scope.h"
#include "stage_operator.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define STATUS_BROKEN 1
#define STATUS_NOT_SHOWN 2
#define STATUS_SIGNAL 128
#define DISK_BYTES (32ull * 1024 * 1024)
#define BESIDE_BYTES (8ull * 1024 * 1024) // header, key store, records
#define SLICE_US 100000ull
#define SLICE_LONG_US 1000000ull
#define LONG_GRACE_MS 300000
#define US_PER_S 1000000

static const struct stage_ops *const own_stages[] = {&stage_azure, &stage_file, &stage_pkcs11};
#define OWN_STAGES (sizeof(own_stages) / sizeof(own_stages[0]))

struct found_programs {
	char cmkdisk[PATH_MAX], vault[PATH_MAX];
	struct programs at;
};

static int find_programs(const struct cli *cli, struct found_programs *p, struct errmsg *err)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", p->cmkdisk, sizeof(p->cmkdisk) - 1);
	if (len < 0)
		return errmsg_set(err, errno, "/proc/self/exe: %m; is /proc mounted?");
	p->cmkdisk[len] = '\0';
	memcpy(exe, p->cmkdisk, (size_t)len + 1);
	int n = snprintf(p->vault, sizeof(p->vault), "%s/cmkdisk-vault", dirname(exe));
	bool has_vault = n > 0 && (size_t)n < sizeof(p->vault) && access(p->vault, X_OK) == 0;
	p->at = (struct programs){.cmkdisk = p->cmkdisk,
		.keyfile = access(cli->keyfile, X_OK) ? NULL : cli->keyfile,
		.tokenkey = access(cli->tokenkey, X_OK) ? NULL : cli->tokenkey,
		.vault = has_vault ? p->vault : NULL};
	return 0;
}

// The first one whose programs are there, or the one that was asked for.
static int choose_own(const struct rehearse_options *o, const struct programs *p, struct stage *out,
	struct errmsg *err)
{
	bool known = false;
	for (size_t i = 0; i < OWN_STAGES && !out->ops; i++) {
		bool wanted = !o->provider || !strcmp(o->provider, own_stages[i]->provider);
		known |= wanted;
		if (wanted && own_stages[i]->available(p))
			out->ops = own_stages[i];
	}
	if (!known)
		return errmsg_set(
			err, EINVAL, "--provider %s: expected azure, file or pkcs11", o->provider);
	return out->ops ? 0
			: errmsg_set(err, ENOSYS,
				  "a key store of the %s provider cannot be made here: its "
				  "programs are not installed",
				  o->provider ? o->provider : "file");
}

// Those that the stage can play; NULL: all.
static void list(const struct programs *p, const struct stage_ops *only)
{
	for (size_t i = 0; scenario_at(i); i++) {
		const struct scenario *s = scenario_at(i);
		if (only && !scenario_fits(s, only))
			continue;
		printf("%-20s  %s (", s->name, s->title);
		for (size_t k = 0, n = 0; k < OWN_STAGES; k++)
			if (own_stages[k]->available(p) && scenario_fits(s, own_stages[k]))
				printf("%s%s", n++ ? ", " : "", own_stages[k]->provider);
		printf(")\n");
	}
}

// Those that end a command are waited for, so that everything is taken away first.
static int block_signals(struct errmsg *err)
{
	sigset_t ends;
	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &ends, NULL))
		return errmsg_set(err, errno, "cannot block signals: %m");
	int fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? errmsg_set(err, errno, "no descriptor for signals: %m") : fd;
}

static int signal_status(int fd, const struct rehearse_options *o, bool own_key)
{
	struct signalfd_siginfo info = {.ssi_signo = SIGINT};
	const char *what = own_key ? "the key, the disk and the mount of the rehearsal were"
				   : "the disk and the mount of the rehearsal were";
	(void)!read(fd, &info, sizeof(info));
	fprintf(stderr, "cmkdisk: interrupted; %s taken away\n",
		o->keep ? "the mount of the rehearsal was" : what);
	return CLI_STATUS(STATUS_SIGNAL + (int)info.ssi_signo);
}

static int64_t wall_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

static void describe(
	struct rehearsal *r, const struct rehearse_options *o, const struct stage *stage)
{
	if (gethostname(r->host, sizeof(r->host) - 1))
		r->host[0] = '\0';
	(void)snprintf(r->version, sizeof(r->version), "%s", CMKDISK_VERSION);
	(void)snprintf(r->load, sizeof(r->load), "%s", o->load);
	(void)snprintf(r->on, sizeof(r->on), "%s", ground_text(o->on));
	r->own_key = !stage->ops->by_hand;
	r->began_wall_us = wall_us();
}

static void conclude(struct rehearsal *r, uint64_t began_us)
{
	r->took_us = clock_boot_ns(clock_real()) / 1000 - began_us;
	r->outcome = r->count ? OUTCOME_HELD : OUTCOME_NOT_SHOWN;
	for (size_t i = 0; i < r->count; i++) {
		if (r->played[i].outcome == OUTCOME_BROKEN)
			r->outcome = OUTCOME_BROKEN;
		else if (r->played[i].outcome == OUTCOME_NOT_SHOWN && r->outcome == OUTCOME_HELD)
			r->outcome = OUTCOME_NOT_SHOWN;
	}
}

static int play_all(struct player *player, const struct scenario_list *scenarios,
	struct rehearsal *r, struct errmsg *err)
{
	struct rehearse_progress progress;
	uint64_t began_us = clock_boot_ns(clock_real()) / 1000;
	int rc = 0;
	rehearse_progress_new(&progress, scenarios->count);
	player->progress = rehearse_progress_tell;
	player->left = rehearse_progress_left;
	player->ctx = &progress;
	for (size_t i = 0; !rc && i < scenarios->count; i++) {
		struct played *p = NULL;
		rehearse_progress_begin(&progress, scenarios->at[i]);
		rc = rehearsal_add(r, &p);
		if (!rc)
			rc = play(player, scenarios->at[i], p, err);
		else
			(void)errmsg_set(err, ENOMEM, "no memory");
		if (!rc || rc == -EINTR)
			rehearse_progress_end(&progress, p);
	}
	// What was begun or finished before an interruption counts, and the rest was not shown.
	for (size_t i = r->count; rc == -EINTR && i < scenarios->count; i++) {
		struct played *p = NULL;
		if (rehearsal_add(r, &p))
			rc = errmsg_set(err, ENOMEM, "no memory");
		else
			play_not(player, scenarios->at[i], "interrupted before it began", p);
	}
	rehearse_progress_clear(&progress);
	conclude(r, began_us);
	return rc;
}

static int print(const struct rehearsal *r, const struct rehearse_options *o, struct errmsg *err)
{
	struct json *j scoped(json_free) = NULL;
	int rc = 0;
	if (o->json) {
		rc = report_json(r, &j);
		if (!rc)
			rc = print_json_value(j);
	} else {
		rc = report_text(r, stdout);
	}
	if (rc)
		return errmsg_set(err, -rc, "the report cannot be printed: %s", strerror(-rc));
	if (o->report)
		rc = report_files(r, o->report, err);
	if (rc || r->outcome == OUTCOME_HELD)
		return rc;
	return CLI_STATUS(r->outcome == OUTCOME_BROKEN ? STATUS_BROKEN : STATUS_NOT_SHOWN);
}

static int rehearse(const struct rehearse_options *o, const struct programs *programs,
	const struct stage *stage, struct errmsg *err)
{
	struct scenario_list scenarios scoped(scenario_list_free) = {NULL, 0};
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	struct rehearse_place place = REHEARSE_PLACE_NONE;
	struct player player = {.programs = programs,
		.stage = stage,
		.on = o->on,
		.disk_bytes = DISK_BYTES,
		.keep = o->keep,
		.wait_ms = o->wait_ms,
		.load = strcmp(o->load, "heavy") ? load_light : load_heavy};
	int rc = scenario_choose(
		o->scenarios ? o->scenarios : "disabled", stage->ops, &scenarios, err);
	if (!rc)
		rc = rehearse_policy(o, &player.policy, err);
	if (!rc && o->report)
		rc = report_files_check(o->report, err);
	if (rc)
		return rc;
	player.load.slice_us =
		player.policy.grace_denied_ms < LONG_GRACE_MS ? SLICE_US : SLICE_LONG_US;
	int signals autoclose = block_signals(err);
	if (signals < 0)
		return signals;
	player.stop_fd = signals;
	rehearse_place_name_left(o->dir);
	rc = rehearse_place_fits(o->dir, DISK_BYTES + BESIDE_BYTES, err);
	if (!rc)
		rc = rehearse_place_make(o->dir, &place, err);
	player.dir = place.dir;
	describe(&r, o, stage);
	if (!rc)
		rc = play_all(&player, &scenarios, &r, err);
	if (o->keep && place.dir[0])
		fprintf(stderr, "cmkdisk: kept: %s\n", place.dir);
	struct errmsg left = {{0}};
	if (rehearse_place_remove(&place, o->keep, &left))
		fprintf(stderr, "cmkdisk: warning: left over: %s\n", left.text);
	if (rc && rc != -EINTR)
		return rc;
	int printed = print(&r, o, err);
	if (rc == 0)
		return printed;
	if (printed < 0)
		fprintf(stderr, "cmkdisk: %s\n", err->text);
	return signal_status(signals, o, r.own_key);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct rehearse_options o;
	struct found_programs programs;
	struct given_key given scoped(given_key_free) = {.told = NULL};
	struct stage stage = {.ops = NULL};
	int rc = rehearse_options_read(self, argc, argv, &o, err);
	if (!rc)
		rc = find_programs(cli, &programs, err);
	if (rc)
		return rc;
	if (o.list) {
		rc = o.provider ? choose_own(&o, &programs.at, &stage, err) : 0;
		if (!rc)
			list(&programs.at, stage.ops);
		return rc;
	}
	if (!o.key_url && !o.set) {
		rc = choose_own(&o, &programs.at, &stage, err);
	} else {
		rc = stage_by_hand(o.key_url, o.set, &stage, err);
		if (!rc)
			rc = given_key_environment(cli, stage.key_url, &given, err);
		stage.environment = given.environment;
	}
	return rc ? rc : rehearse(&o, &programs.at, &stage, err);
}

const struct cli_command cmd_rehearse = {
	.name = "rehearse",
	.operands = "[KEYURL]",
	.summary = "Take a key away in a safe place, and see what happens",
	.options = rehearse_option_table,
	.option_count = REHEARSE_OPTION_COUNT,
	.run = run,
};
