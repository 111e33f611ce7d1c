// SPDX-License-Identifier: MIT
// The status of a mount for people: a line per disk, and the store's sentence below it when there
// is something to say.
#include "status_text.h"
#include "json.h"
#include "keyurl.h"
#include "print.h"
#include "units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void print_state(const struct json *d)
{
	char left[32], grace[32], denied[32];
	const char *state = json_str_or(d, "state", "-"), *cause = json_str_or(d, "cause", "-");
	format_seconds(json_int_or(d, "secondsLeft", 0), left, sizeof(left));
	if (!strcmp(state, "active")) {
		format_duration_ms((uint64_t)json_int_or(json_get(d, "policy"), "graceDeniedMs", 0),
			denied, sizeof(denied));
		print_line("  %-24s active; stops %s after a refusal, in %s without an answer",
			json_str_or(d, "name", "-"), denied, left);
	} else if (!strcmp(state, "stopped")) {
		bool itself = false;
		(void)json_bool(d, "resumesItself", &itself);
		print_line("  %-24s STOPPED (%s): I/O fails, key wiped; %s",
			json_str_or(d, "name", "-"), cause,
			itself ? "goes on by itself when the key is back"
			       : "goes on after `cmkdisk unlock`");
	} else {
		format_duration_ms((uint64_t)json_int_or(json_get(d, "policy"),
					   !strcmp(state, "grace-denied") ? "graceDeniedMs"
									  : "graceUnreachableMs",
					   0),
			grace, sizeof(grace));
		print_line("  %-24s GRACE (%s): stops in %s (of %s)", json_str_or(d, "name", "-"),
			cause, left, grace);
	}
}

static void print_expiry(const struct json *key, const char *when)
{
	bool near = false;
	int64_t days = json_int_or(key, "daysLeft", 0);
	if (days < 0)
		print_line("    key version expired %s", when);
	else if (json_bool(key, "nearExpiry", &near) && near)
		print_line("    warning: key version expires %s, in %" PRId64 " days", when, days);
	else
		print_line("    key version expires %s", when);
}

static void print_rotation(const struct json *r, const char *version)
{
	bool pending = false, enabled = true;
	(void)json_bool(r, "enabled", &enabled);
	if (json_bool(r, "pending", &pending) && pending)
		print_line("    still needs key version %s; the newest is %s%s", version,
			json_str_or(r, "newestVersion", "-"),
			enabled ? "" : " (rotation is off; see `cmkdisk rotate`)");
	if (json_get(r, "error") && json_str(json_get(r, "error"), "message"))
		print_line("    rotation failed: %s", json_str(json_get(r, "error"), "message"));
}

static void print_disk(const struct json *d)
{
	char size[32], ago[32], when[32], last[64] = "", url[BINDING_URL_MAX];
	print_state(d);
	if (json_str(d, "sentence"))
		print_line("    %s", json_str(d, "sentence"));
	const struct json *key = json_get(d, "key"), *io = json_get(d, "io"),
			  *checks = json_get(d, "checks");
	format_size((uint64_t)json_int_or(d, "size", 0), size, sizeof(size));
	format_seconds(json_int_or(d, "secondsSinceGrant", 0), ago, sizeof(ago));
	print_line("    %s, %" PRId64 "-byte sectors, backing %s", size,
		json_int_or(d, "sectorSize", 0), json_str_or(d, "backing", "-"));
	key_url_unversioned(json_str_or(key, "url", "-"), url);
	print_line("    key %s version %s; proved %s ago, next check in %" PRId64 "s", url,
		json_str_or(key, "version", "-"), ago, json_int_or(checks, "nextInSeconds", 0));
	if (json_int_or(key, "expires", 0)) {
		format_time(json_int_or(key, "expires", 0), when, sizeof(when));
		print_expiry(key, when);
	}
	if (json_str(key, "attributesSentence"))
		print_line("    expiry and rotation of the key cannot be seen: %s",
			json_str(key, "attributesSentence"));
	print_rotation(json_get(d, "rotation"), json_str_or(key, "version", "-"));
	if (json_int_or(io, "storeErrors", 0))
		(void)snprintf(last, sizeof(last), " (last: %s)",
			strerror((int)json_int_or(io, "lastStoreErrno", 0)));
	if (json_int_or(io, "refused", 0) || json_int_or(io, "storeErrors", 0))
		print_line("    requests refused %" PRId64 ", failed by the backing store %" PRId64
			   "%s",
			json_int_or(io, "refused", 0), json_int_or(io, "storeErrors", 0), last);
}

static void print_audit(const struct json *a)
{
	char since[32];
	const struct json *e = json_get(a, "error");
	if (!json_str(e, "message"))
		return;
	format_seconds(json_int_or(e, "seconds", 0), since, sizeof(since));
	print_line("  warning: the audit log %s cannot be written since %s: %s; %" PRId64
		   " events wait, %" PRId64 " lost",
		json_str_or(a, "file", "-"), since, json_str(e, "message"),
		json_int_or(a, "pending", 0), json_int_or(a, "lost", 0));
}

static void print_hooks(const struct json *h)
{
	const int64_t dropped = json_int_or(h, "dropped", 0);
	if (!json_str(h, "lastFailure") && !dropped)
		return;
	print_line("  warning: %" PRId64 " of %" PRId64 " hooks failed, %" PRId64
		   " dropped; last: %s",
		json_int_or(h, "failed", 0), json_int_or(h, "run", 0), dropped,
		json_str_or(h, "lastFailure", "-"));
}

void status_text(const struct json *mount)
{
	bool locked = true, detached = false;
	if (json_str(mount, "error")) {
		print_line("%s: NO DAEMON ANSWERS", json_str_or(mount, "mountpoint", "-"));
		print_line("  %s", json_str_or(mount, "error", "-"));
		return;
	}
	print_line("%s (pid %" PRId64 ")", json_str_or(mount, "mountpoint", "-"),
		json_int_or(mount, "pid", 0));
	if (json_bool(mount, "detached", &detached) && detached)
		print_line("  DETACHED: not mounted any more, but still there; `cmkdisk umount` "
			   "ends it");
	if (json_bool(mount, "memoryLocked", &locked) && !locked)
		print_line(
			"  warning: memory for keys could not be locked; they may reach the swap");
	print_audit(json_get(mount, "audit"));
	print_hooks(json_get(mount, "hooks"));
	const struct json *disks = json_get(mount, "disks");
	for (size_t i = 0; i < json_array_len(disks); i++)
		print_disk(json_array_at(disks, i));
}
