// SPDX-License-Identifier: MIT
// cmkdisk keyset check: whether this host may do with a key what a disk needs; the exit status is
// the worst verdict. It can wait for rights that were just given to spread.
#include "cli.h"
#include "clock.h"
#include "command_records.h"
#include "exitcode.h"
#include "keyset.h"
#include "keyset_probe.h"
#include "keyset_show.h"
#include "mount_records.h"
#include "print.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ASK_AGAIN_NS (5 * NS_PER_S)

struct args {
	const char *key, *wait;
	bool json;
	struct mount_records audit;
};

static const struct cli_option options[] = {
	{0, "json", NULL, "print JSON"},
	{0, "key", "URL", "the key itself, without a key set"},
	{0, "wait", "T", "while it is refused, ask again every 5 s for this long"},
	{0, "audit", "FILE|journal|stderr", COMMAND_AUDIT_HELP},
};

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	struct args *a = ctx;
	if (!strcmp(o->name, "audit"))
		return mount_records_audit(&a->audit, value, err);
	if (!strcmp(o->name, "json"))
		a->json = true;
	else
		*(!strcmp(o->name, "key") ? &a->key : &a->wait) = value;
	return 0;
}

static void args_free(struct args *a)
{
	mount_records_free(&a->audit);
}

static void progress(bool terminal, uint64_t left_ns)
{
	char left[32];
	if (!terminal)
		return;
	format_seconds((int64_t)(left_ns / NS_PER_S), left, sizeof(left));
	fprintf(stderr, "\r\033[Kcmkdisk: refused so far; asking again for %s", left);
}

static int check(const struct cli *cli, const struct keyset *k, uint64_t wait_ms, struct probe *p,
	struct errmsg *err)
{
	const struct clock_source *clock = clock_real();
	bool terminal = isatty(STDERR_FILENO);
	uint64_t end = clock_boot_ns(clock) + wait_ms * NS_PER_MS;
	for (;;) {
		int rc = probe_key(cli, k, p, err);
		uint64_t now = clock_boot_ns(clock);
		if (rc || p->rc != -EKEYREVOKED || now >= end) {
			if (terminal && wait_ms)
				fputs("\r\033[K", stderr);
			return rc;
		}
		uint64_t pause = end - now < ASK_AGAIN_NS ? end - now : ASK_AGAIN_NS;
		progress(terminal, end - now);
		(void)nanosleep(&(struct timespec){.tv_sec = (time_t)(pause / NS_PER_S),
					.tv_nsec = (long)(pause % NS_PER_S)},
			NULL);
	}
}

static int read_key(const struct args *a, const struct cli_operands *operands, struct keyset *k,
	struct errmsg *err)
{
	if (strcmp(operands->at[0], "check"))
		return errmsg_set(
			err, EINVAL, "keyset: no verb \"%s\"; expected check", operands->at[0]);
	if (!a->key == (operands->count < 2))
		return errmsg_set(err, EINVAL,
			"keyset check: expected either FILE or --key URL; see cmkdisk keyset "
			"--help");
	return a->key ? keyset_of_url(a->key, k, err) : keyset_read(operands->at[1], k, err);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct args a scoped(args_free) = {0};
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, set, &a, 1, 2, &operands, err);
	if (rc)
		return rc;
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	uint64_t wait_ms = 0;
	rc = read_key(&a, &operands, &k, err);
	if (!rc && a.wait)
		rc = parse_duration_ms("--wait", a.wait, &wait_ms, err);
	if (!rc)
		rc = command_records_begin(cli->records,
			&(struct command_records){.request = "keyset-check", .key_url = k.key_url},
			&a.audit, err);
	if (rc)
		return rc;
	struct probe p;
	rc = check(cli, &k, wait_ms, &p, err);
	command_records_end(cli->records, rc ? rc : p.rc, rc ? err : NULL);
	if (rc)
		return rc;
	if (a.json)
		rc = keyset_show_json(&k, &p);
	else
		keyset_show_text(&k, &p);
	if (rc || !p.rc)
		return rc;
	return CLI_STATUS(exitcode_of(p.rc));
}

const struct cli_command cmd_keyset = {
	.name = "keyset",
	.operands = "check FILE",
	.summary = "Try whether a key set's key can do what disks need",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
