// SPDX-License-Identifier: MIT
// The status of a mount for people: a line per disk, and the store's sentence below it when there
// is something to say.
#include "status_text.h"
#include "json.h"
#include "print.h"
#include "units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *text(const struct json *o, const char *member)
{
	const char *s = json_str(o, member);
	return s ? s : "-";
}

static int64_t number(const struct json *o, const char *member)
{
	int64_t n = 0;
	return json_int(o, member, &n) ? n : 0;
}

static void print_state(const struct json *d)
{
	char left[32], grace[32];
	const char *state = text(d, "state"), *cause = text(d, "cause");
	format_seconds(number(d, "secondsLeft"), left, sizeof(left));
	if (!strcmp(state, "active")) {
		printf("  %-24s active; would go on for %s without the key store\n",
			text(d, "name"), left);
	} else if (!strcmp(state, "stopped")) {
		bool itself = false;
		(void)json_bool(d, "resumesItself", &itself);
		printf("  %-24s STOPPED (%s): I/O fails, key wiped; %s\n", text(d, "name"), cause,
			itself ? "goes on by itself when the key is back"
			       : "goes on after `cmkdisk unlock`");
	} else {
		format_duration_ms((uint64_t)number(json_get(d, "policy"),
					   !strcmp(state, "grace-denied") ? "graceDeniedMs"
									  : "graceUnreachableMs"),
			grace, sizeof(grace));
		printf("  %-24s GRACE (%s): stops in %s (of %s)\n", text(d, "name"), cause, left,
			grace);
	}
}

static void print_disk(const struct json *d)
{
	char size[32], ago[32], when[32], last[64] = "";
	print_state(d);
	if (json_str(d, "sentence"))
		printf("    %s\n", json_str(d, "sentence"));
	const struct json *key = json_get(d, "key"), *io = json_get(d, "io"),
			  *checks = json_get(d, "checks");
	format_size((uint64_t)number(d, "size"), size, sizeof(size));
	format_seconds(number(d, "secondsSinceGrant"), ago, sizeof(ago));
	printf("    %s, %" PRId64 "-byte sectors, backing %s\n", size, number(d, "sectorSize"),
		text(d, "backing"));
	printf("    key %s version %s; proved %s ago, next check in %" PRId64 "s\n",
		text(key, "url"), text(key, "version"), ago, number(checks, "nextInSeconds"));
	if (number(key, "expires")) {
		format_time(number(key, "expires"), when, sizeof(when));
		printf("    key version expires %s\n", when);
	}
	if (number(io, "storeErrors"))
		(void)snprintf(last, sizeof(last), " (last: %s)",
			strerror((int)number(io, "lastStoreErrno")));
	if (number(io, "refused") || number(io, "storeErrors"))
		printf("    requests refused %" PRId64 ", failed by the backing store %" PRId64
		       "%s\n",
			number(io, "refused"), number(io, "storeErrors"), last);
}

void status_text(const struct json *mount)
{
	bool locked = true;
	printf("%s (pid %" PRId64 ")\n", text(mount, "mountpoint"), number(mount, "pid"));
	if (json_bool(mount, "memoryLocked", &locked) && !locked)
		printf("  warning: memory for keys could not be locked; they may reach the swap\n");
	const struct json *disks = json_get(mount, "disks");
	for (size_t i = 0; i < json_array_len(disks); i++)
		print_disk(json_array_at(disks, i));
}
