// SPDX-License-Identifier: MIT
// See records.h. Members: cmkdisk-audit(5).
#include "records.h"
#include "agent.h"
#include "event.h"
#include "json.h"
#include "scope.h"
#include "verdict.h"

#include <string.h>
#include <unistd.h>

// The service's own names of these operations.
static const char *const operations[] = {
	[AGENT_UNWRAP] = "KeyUnwrap", [AGENT_WRAP] = "KeyWrap", [AGENT_DESCRIBE] = "KeyGet"};

static int add_identity(struct json *o)
{
	struct json *who = NULL;
	int rc = json_object(&who);
	if (rc)
		return rc;
	rc = json_add_int(who, "uid", getuid());
	if (!rc)
		rc = json_add_int(who, "pid", getpid());
	int added = json_add(o, "identity", who);
	return rc ? rc : added;
}

int records_head(const char *mountpoint, bool identity, char **out)
{
	struct json *o scoped(json_free) = NULL;
	char host[256] = "";
	(void)gethostname(host, sizeof(host) - 1);
	int rc = json_object(&o);
	if (!rc)
		rc = json_add_str(o, "host", host);
	if (!rc && mountpoint)
		rc = json_add_str(o, "mountpoint", mountpoint);
	if (!rc)
		rc = json_add_int(o, "pid", getpid());
	if (!rc && identity)
		rc = add_identity(o);
	if (!rc)
		rc = json_print(o, false, out);
	if (rc)
		return rc;
	// The members without their braces.
	size_t n = strlen(*out);
	memmove(*out, *out + 1, n - 2);
	(*out)[n - 2] = '\0';
	return 0;
}

void records_restarted(struct event *e, const struct agent_answered *a, size_t disks)
{
	event_str(e, "keyUrl", a->key_url);
	event_int(e, "disks", (int64_t)disks);
	event_int(e, "agentPid", a->pid);
	event_str(e, "sentence", a->restarted_after);
}

void records_answered(struct event *e, const struct agent_answered *a, size_t disks)
{
	const struct agent_answer *answer = a->answer;
	const char *verdict = verdict_name((int)answer->verdict);
	event_str(e, "operationName", operations[a->question]);
	event_str(e, "keyUrl", a->key_url);
	event_str(e, "keyVersion", *a->version ? a->version : NULL);
	event_int(e, "disks", (int64_t)disks);
	event_str(e, "verdict", verdict);
	event_str(e, "reason", reason_name((int)answer->reason));
	event_int(e, "durationMs", answer->took_ms);
	event_str(e, "correlationId", answer->request_id[0] ? answer->request_id : NULL);
	event_result(e, answer->verdict == CMK_GRANTED, verdict, answer->sentence);
}

void records_outcome(struct event *e, int rc, const struct errmsg *err)
{
	if (rc)
		event_int(e, "errno", -rc);
	event_result(e, rc == 0, rc ? strerrorname_np(-rc) : "ok", rc && err ? err->text : NULL);
}

void records_moved(struct event *e, const struct records_move *m)
{
	event_str(e, "keyUrl", m->key_url);
	event_str(e, "fromKeyUrl", strcmp(m->from_url, m->key_url) ? m->from_url : NULL);
	event_str(e, "fromVersion", m->from);
	event_str(e, "toVersion", m->rc ? NULL : m->to);
	event_bool(e, "byHand", m->by_hand);
	records_outcome(e, m->rc, m->err);
}
