// SPDX-License-Identifier: MIT
// See command_records.h.
#include "command_records.h"
#include "agent.h"
#include "audit.h"
#include "clock.h"
#include "event.h"
#include "luks.h"
#include "mount_records.h"
#include "path.h"
#include "records.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define END_PATIENCE_MS 3000

int key_and_audit_set(
	void *key_and_audit, const struct cli_option *o, const char *value, struct errmsg *err)
{
	struct key_and_audit *a = key_and_audit;
	return strcmp(o->name, "audit") != 0 ? keyset_choose(&a->key, o, value, err)
					     : mount_records_audit(&a->audit, value, err);
}

void key_and_audit_free(struct key_and_audit *a)
{
	mount_records_free(&a->audit);
}

bool command_records_wanted(const struct mount_records *to)
{
	const struct records_config *c = &to->config;
	return c->audit_file || c->audit_journal || c->audit_stderr;
}

int command_records_begin(struct command_records *r, const struct command_records *want,
	const struct mount_records *to, struct errmsg *err)
{
	const struct records_config *c = &to->config;
	if (!command_records_wanted(to))
		return 0;
	char *head autofree = NULL, *where autofree = NULL;
	int rc = want->backing ? path_absolute(want->backing, &where, err) : 0;
	if (rc)
		return rc;
	rc = records_head(NULL, true, &head);
	if (rc)
		return errmsg_set(err, -rc, "no memory for the audit log");
	rc = audit_new(&(struct audit_config){.file = c->audit_file,
			       .to_stderr = c->audit_stderr,
			       .to_journal = c->audit_journal,
			       .head = head},
		&r->audit, err);
	if (rc)
		return rc;
	r->request = want->request;
	r->backing = want->backing;
	r->key_url = want->key_url;
	r->head = TAKE(head);
	r->where = TAKE(where);
	r->begun_ns = clock_boot_ns(clock_real());
	return 0;
}

static void begin(struct event *e, enum event_kind kind, const struct command_records *r)
{
	event_begin(e, kind, clock_real(), r->backing ? path_disk_name(NULL, r->backing) : NULL);
}

static void post(struct command_records *r, const struct event *e)
{
	char *text autofree = NULL;
	if (event_text(e, r->head, &text))
		fprintf(stderr, "cmkdisk: warning: no memory for the event \"%s\"\n",
			event_name(e->kind));
	else
		audit_post(r->audit, text);
}

void command_records_answered(void *records, const struct agent_answered *a)
{
	struct command_records *r = records;
	if (!r->audit)
		return;
	const size_t disks = r->backing ? 1 : 0;
	if (a->restarted_after) {
		struct event restarted scoped(event_end);
		begin(&restarted, EVENT_AGENT_RESTARTED, r);
		records_restarted(&restarted, a, disks);
		post(r, &restarted);
	}
	struct event e scoped(event_end);
	begin(&e, EVENT_KEY_OPERATION, r);
	records_answered(&e, a, disks);
	post(r, &e);
}

void command_records_created(struct command_records *r, const char *uuid,
	const struct volume_policy *policy, const struct binding *b)
{
	if (!r->audit)
		return;
	struct event e scoped(event_end);
	begin(&e, EVENT_CREATED, r);
	event_str(&e, "backing", r->where);
	event_str(&e, "uuid", uuid);
	event_int(&e, "size", (int64_t)policy->size);
	event_str(&e, "keyUrl", b->key_url);
	event_str(&e, "keyVersion", b->key_version);
	event_int(&e, "sealedGraceDeniedMs", (int64_t)policy->grace_denied_ms);
	event_int(&e, "sealedGraceUnreachableMs", (int64_t)policy->grace_unreachable_ms);
	event_str(&e, "sealedOnExpiry", policy->expiry_stops ? "stop" : "ignore");
	records_outcome(&e, 0, NULL);
	post(r, &e);
}

void command_records_moved(struct command_records *r, const struct records_move *m)
{
	if (!r->audit)
		return;
	struct event e scoped(event_end);
	begin(&e, m->rc ? EVENT_ROTATION_FAILED : EVENT_ROTATED, r);
	event_str(&e, "backing", r->where);
	records_moved(&e, m);
	post(r, &e);
}

static void warn_of_missing(const struct audit_stats *s)
{
	const uint64_t missing = s->pending + s->lost + s->unsynced;
	if (missing)
		fprintf(stderr,
			"cmkdisk: warning: %s; of what this command recorded, %llu lines may be "
			"missing\n",
			s->error ? s->error_text.text
				 : "the audit log could not be written in time",
			(unsigned long long)missing);
}

void command_records_end(struct command_records *r, int rc, const struct errmsg *err)
{
	struct audit_stats s;
	if (!r->audit)
		return;
	struct event e scoped(event_end);
	begin(&e, EVENT_CONTROL, r);
	event_str(&e, "request", r->request);
	event_str(&e, "backing", r->where);
	event_str(&e, "keyUrl", r->key_url);
	event_int(&e, "durationMs",
		(int64_t)((clock_boot_ns(clock_real()) - r->begun_ns) / NS_PER_MS));
	records_outcome(&e, rc, err);
	post(r, &e);
	audit_flush(r->audit, END_PATIENCE_MS, &s);
	warn_of_missing(&s);
	// A thread that hangs in the log's store ends with us.
	(void)!audit_end(&r->audit, 0);
	free(TAKE(r->head));
	free(TAKE(r->where));
}
