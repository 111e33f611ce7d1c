// SPDX-License-Identifier: MIT
// The report for programs. Members are only ever added; their meaning is in cmkdisk-rehearse(1).
#include "report.h"

#include "json_build.h"
#include "scope.h"

#include <errno.h>

static void add_policy(struct builder *parent, const struct policy_played *p)
{
	struct builder b = child(parent, "policy");
	num(&b, "graceDeniedMs", p->grace_denied_ms);
	num(&b, "graceUnreachableMs", p->grace_unreachable_ms);
	num(&b, "intervalMs", p->interval_ms);
	num(&b, "timeScale", p->time_scale);
	end(parent, &b);
}

static void add_timeline(struct builder *parent, const struct played *p)
{
	struct builder list = list_in(parent, "timeline");
	for (size_t i = 0; i < p->mark_count; i++) {
		struct builder b = element(&list);
		str(&b, "mark", mark_name(p->marks[i].kind));
		num(&b, "atMicros", p->marks[i].at_us);
		str(&b, "text", p->marks[i].text);
		end(&list, &b);
	}
	end(parent, &list);
}

static void add_promises(struct builder *parent, const struct played *p)
{
	struct builder list = list_in(parent, "promises");
	for (size_t i = 0; i < p->promise_count; i++) {
		const struct promise *q = &p->promises[i];
		struct builder b = element(&list);
		str(&b, "id", q->id);
		str(&b, "what", q->what);
		str(&b, "promised", q->promised);
		str(&b, "measured", q->measured);
		maybe(&b, "promisedMicros", q->promised_us >= 0, q->promised_us);
		maybe(&b, "measuredMicros", q->measured_us >= 0, q->measured_us);
		str(&b, "verdict", outcome_name(q->outcome));
		str(&b, "why", q->why[0] ? q->why : NULL);
		end(&list, &b);
	}
	end(parent, &list);
}

// A JSON array of three numbers, since there may be an hour of slices.
static int push_slice(struct json *list, const struct io_slice *s)
{
	struct json *numbers = NULL;
	const int64_t of[] = {s->reads, s->writes, s->failed};
	int rc = json_array(&numbers);
	if (rc)
		return rc;
	rc = json_push(list, numbers);
	for (size_t i = 0; !rc && i < sizeof(of) / sizeof(of)[0]; i++)
		rc = json_push_int(numbers, of[i]);
	return rc;
}

static void add_io(struct builder *parent, const struct played *p)
{
	struct builder b = child(parent, "io");
	num(&b, "reads", p->reads);
	num(&b, "writes", p->writes);
	num(&b, "failed", p->failed);
	str(&b, "errors", p->errors);
	num(&b, "bytesRead", p->bytes_read);
	num(&b, "bytesWritten", p->bytes_written);
	num(&b, "bytesVerified", p->bytes_verified);
	num(&b, "bytesWrong", p->bytes_wrong);
	num(&b, "sliceMicros", p->slice_us);
	num(&b, "firstSliceMicros", p->first_slice_us);
	struct builder list = list_in(&b, "slices");
	for (size_t i = 0; !list.rc && i < p->slice_count; i++)
		list.rc = push_slice(list.o, &p->slices[i]);
	end(&b, &list);
	end(parent, &b);
}

static void add_scenario(struct builder *list, const struct played *p)
{
	char began[REPORT_NUMBER];
	report_rfc3339(p->began_wall_us, began);
	struct builder b = element(list);
	str(&b, "scenario", p->scenario);
	str(&b, "title", p->title);
	str(&b, "expected", p->expected);
	str(&b, "provider", p->provider);
	str(&b, "keyUrl", p->key_url);
	str(&b, "began", began);
	num(&b, "tookMicros", p->took_us);
	str(&b, "verdict", outcome_name(p->outcome));
	str(&b, "failure", p->failure[0] ? p->failure : NULL);
	add_policy(&b, &p->policy);
	add_timeline(&b, p);
	add_promises(&b, p);
	add_io(&b, p);
	end(list, &b);
}

int report_json(const struct rehearsal *r, struct json **out)
{
	char began[REPORT_NUMBER], summary[160];
	struct builder b = object(0);
	struct json *root scoped(json_free) = b.o;
	report_rfc3339(r->began_wall_us, began);
	report_summary(r, summary, sizeof(summary));
	str(&b, "version", r->version);
	str(&b, "host", r->host);
	str(&b, "began", began);
	num(&b, "tookMicros", r->took_us);
	str(&b, "load", r->load);
	str(&b, "on", r->on);
	yes(&b, "keyMade", r->own_key);
	str(&b, "verdict", outcome_name(r->outcome));
	str(&b, "summary", summary);
	struct builder list = list_in(&b, "scenarios");
	for (size_t i = 0; i < r->count; i++)
		add_scenario(&list, &r->played[i]);
	end(&b, &list);
	if (b.rc)
		return b.rc;
	*out = TAKE(root);
	return 0;
}
