// SPDX-License-Identifier: MIT
// How the audit log and the hooks fare, for the status. Members: cmkdisk-status(1).
#include "status_records.h"

#include "audit.h"
#include "clock.h"
#include "hooks.h"
#include "json_build.h"
#include "session_internal.h"

#include <string.h>

static void add_error(struct builder *b, const struct audit_stats *a)
{
	if (!a->error) {
		none(b, "error");
		return;
	}
	const uint64_t now = clock_boot_ns(clock_real());
	struct builder e = child(b, "error");
	num(&e, "errno", (uint64_t)a->error);
	str(&e, "message", strerror(a->error));
	num(&e, "seconds", now > a->error_since_ns ? (now - a->error_since_ns) / NS_PER_S : 0);
	end(b, &e);
}

static void add_audit(struct session *s, struct builder *b)
{
	struct audit_stats a;
	if (!session_audit_stats(s, &a)) {
		none(b, "audit");
		return;
	}
	struct builder o = child(b, "audit");
	str(&o, "file", s->records.audit_file);
	yes(&o, "journal", s->records.audit_journal);
	yes(&o, "stderr", s->records.audit_stderr);
	num(&o, "written", a.written);
	num(&o, "lost", a.lost);
	num(&o, "unsynced", a.unsynced);
	num(&o, "pending", a.pending);
	num(&o, "sequence", a.sequence);
	str(&o, "lastHash", a.last_hash);
	add_error(&o, &a);
	end(b, &o);
}

static void add_hooks(struct session *s, struct builder *b)
{
	struct hooks_stats h;
	if (!session_hooks_stats(s, &h)) {
		none(b, "hooks");
		return;
	}
	struct builder o = child(b, "hooks");
	struct builder programs = list_in(&o, "programs");
	for (size_t i = 0; i < s->records.hook_count; i++)
		item_str(&programs, s->records.hooks[i]);
	end(&o, &programs);
	num(&o, "run", h.run);
	num(&o, "failed", h.failed);
	num(&o, "timedOut", h.timed_out);
	num(&o, "dropped", h.dropped);
	num(&o, "running", h.running);
	num(&o, "waiting", h.waiting);
	str(&o, "lastFailure", h.last_failure[0] ? h.last_failure : NULL);
	end(b, &o);
}

int status_records(struct session *s, struct json *o)
{
	struct builder b = {o, 0};
	add_audit(s, &b);
	add_hooks(s, &b);
	return b.rc;
}
