// SPDX-License-Identifier: MIT
// Questions and answers. One question, seen from here:
//
//   talk_begin   buffer, deadline, and, if there is none yet, the process and its OPEN
//   (caller)     puts the question's fields into the frame
//   talk_ask     sends, then takes log lines and news until the answer, the deadline or the end
//   (caller)     takes the fields of a granted answer, and checks them
//
// Whatever goes wrong on the way ends in agent_fail(): the process is killed, the answer is
// UNREACHABLE.
#include "talk.h"

#include "clock.h"
#include "credentials.h"
#include "log.h"
#include "message.h"
#include "notes.h"
#include "scope.h"
#include "secret.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BACKOFF_FIRST_MS 100u
#define BACKOFF_LAST_MS 5000u
#define DYING_MS 100u // from letting go of the line to being dead

uint64_t talk_now_ns(void)
{
	return clock_boot_ns(clock_real());
}

void answer_set(struct agent_answer *answer, enum cmk_verdict verdict, const char *fmt, ...)
{
	answer->verdict = verdict;
	answer->reason = CMK_REASON_NONE;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(answer->sentence, sizeof(answer->sentence), fmt, ap);
	va_end(ap);
	text_sanitise(answer->sentence);
}

// What happened, as a clause that follows the provider's name. Counts it.
static void describe_failure(struct agent *a, int error, char *out, size_t room)
{
	char text[64];
	if (error == -ECANCELED) {
		(void)snprintf(out, room, "was not waited for, because the mount ends");
		return;
	}
	if (error == -ETIMEDOUT) {
		a->counts.timeouts++;
		format_duration_ms(a->deadline_ms, text, sizeof(text));
		(void)snprintf(out, room, "did not answer within %s and was ended", text);
		return;
	}
	a->counts.crashes++;
	if (error == -EBADMSG)
		(void)snprintf(out, room, "sent nonsense on its line and was ended");
	else if (error == -EPIPE)
		(void)snprintf(out, room, "let go of its line and was ended");
	else
		(void)snprintf(
			out, room, "cannot be spoken to (%s) and was ended", strerror(-error));
}

// Ends the process and starts the back-off. The sentence is left in last_failure.
void agent_fail(struct agent *a, int error)
{
	char what[128];
	describe_failure(a, error, what, sizeof(what));
	bool died = error == -EPIPE && child_ended(&a->peer.child, DYING_MS);
	int status = 0;
	bool gone = peer_end(&a->peer, 0, &status);
	atomic_store(&a->counts.pid, 0);
	if (died && gone) {
		char how[64];
		child_status_text(status, how, sizeof(how));
		(void)snprintf(what, sizeof(what), "is gone: %s", how);
	}
	(void)snprintf(
		a->last_failure, sizeof(a->last_failure), "the %s provider %s", a->provider, what);
	a->opened = false;

	uint32_t wait_ms = BACKOFF_LAST_MS;
	if (a->failures < 6)
		wait_ms = BACKOFF_FIRST_MS << a->failures;
	if (wait_ms > BACKOFF_LAST_MS)
		wait_ms = BACKOFF_LAST_MS;
	a->failures++;
	a->not_before_ns = talk_now_ns() + wait_ms * NS_PER_MS;
	log_warning(a->log, "%s: %s", a->key_url, a->last_failure);
}

void talk_failed(struct talk *t, int error)
{
	agent_fail(t->a, error);
	answer_set(t->answer, CMK_UNREACHABLE, "%s: %s; the next question starts it again",
		t->a->key_url, t->a->last_failure);
}

static bool failed(struct talk *t, int error)
{
	talk_failed(t, error);
	return false;
}

static void pass_on_log(struct agent *a, struct wire_reader *r)
{
	static const enum log_level levels[] = {
		[CMK_LOG_ERROR] = LOG_LEVEL_ERROR,
		[CMK_LOG_WARNING] = LOG_LEVEL_WARNING,
		[CMK_LOG_NOTICE] = LOG_LEVEL_NOTICE,
		[CMK_LOG_DEBUG] = LOG_LEVEL_DEBUG,
	};
	struct msg_log m;
	msg_get_log(r, &m);
	if (m.level > CMK_LOG_DEBUG)
		m.level = CMK_LOG_NOTICE;
	log_msg(a->log, levels[m.level], "%s provider: %s", a->provider, m.text);
}

static int keep_note(struct agent *a, struct wire_reader *r)
{
	const char *name = wire_get_text(r), *value = wire_get_text(r);
	if (wire_done(r))
		return -EBADMSG;
	int rc = notes_put(credentials_notes(a->credentials), a->provider, name, value, &a->heard);
	if (rc == -ENOMEM)
		log_warning(a->log, "%s: no memory for what the %s provider wants to be kept",
			a->key_url, a->provider);
	return rc == -EINVAL ? -EBADMSG : 0;
}

int agent_take_unasked(struct agent *a, const struct wire_header *h, struct wire_reader *r)
{
	if (h->type == WIRE_CHANGED)
		a->changed = true;
	else if (h->type == WIRE_LOG)
		pass_on_log(a, r);
	else if (h->type == WIRE_NOTE && keep_note(a, r))
		return -EBADMSG;
	else if (h->type != WIRE_NOTE)
		return 0;
	return wire_done(r) ? -EBADMSG : 1;
}

// Sends the frame in t->w and waits for the answer to it; t->r then stands behind m.
static int converse(struct talk *t, enum wire_type want, struct msg_answer *m)
{
	struct agent *a = t->a;
	struct patience until = {t->end_ns, a->cancel_fd};
	size_t len = 0;
	int r = wire_end(&t->w, &len);
	if (r == 0)
		r = peer_send(&a->peer, t->frame->data, len, until);
	wipe(t->frame->data, t->frame->len);
	while (r == 0) {
		struct wire_header h;
		r = peer_receive(&a->peer, t->frame, &len, until);
		if (r == 0)
			r = wire_parse(t->frame->data, len, &h, &t->r);
		if (r == 0)
			r = agent_take_unasked(a, &h, &t->r);
		if (r == 1) { // a provider that talks and talks does not put off its deadline
			r = talk_now_ns() < t->end_ns ? 0 : -ETIMEDOUT;
			continue;
		}
		if (r)
			break;
		if (h.type != want || h.seq != a->seq)
			return -EBADMSG;
		msg_get_answer(&t->r, m);
		return t->r.bad ? -EBADMSG : 0;
	}
	return r;
}

// The answer as the caller gets it. False if it is anything but a plain "granted".
static bool accept(struct talk *t, const struct msg_answer *m)
{
	static const char *const words[] = {
		"granted", "denied", "unreachable", "misconfigured", "bad blob"};
	struct agent *a = t->a;
	struct agent_answer *answer = t->answer;
	if (m->verdict > CMK_BAD_BLOB) {
		answer_set(answer, CMK_UNREACHABLE,
			"%s: the %s provider gave a nonsense verdict (%u); it does not fit this "
			"version "
			"of cmkdisk or is faulty",
			a->key_url, a->provider, m->verdict);
		return false;
	}
	(void)snprintf(answer->request_id, sizeof(answer->request_id), "%.63s", m->request_id);
	text_sanitise(answer->request_id);
	if (m->verdict == CMK_GRANTED) {
		answer_set(answer, CMK_GRANTED, "%s", "");
		return true;
	}
	if (*m->sentence)
		answer_set(answer, (enum cmk_verdict)m->verdict, "%.511s", m->sentence);
	else
		answer_set(answer, (enum cmk_verdict)m->verdict,
			"%s: the %s provider answered \"%s\" and did not say why", a->key_url,
			a->provider, words[m->verdict]);
	if (m->verdict == CMK_DENIED && m->reason <= CMK_REASON_IDENTITY)
		answer->reason = (enum cmk_reason)m->reason;
	if (m->verdict == CMK_UNREACHABLE)
		answer->retry_after_ms = m->retry_after_ms;
	return false;
}

uint32_t talk_budget_ms(const struct talk *t)
{
	uint64_t now = talk_now_ns();
	uint64_t left = now < t->end_ns ? (t->end_ns - now) / NS_PER_MS : 0;
	uint64_t spare = left / 10 < 250 ? left / 10 : 250;
	return (uint32_t)(left - spare);
}

static void start_frame(struct talk *t, enum wire_type type)
{
	wire_begin(&t->w, t->frame->data, t->frame->len, type, ++t->a->seq);
}

// What the provider is told beside the key set: what is for its key, and what earlier processes of
// it noted. NULL: nothing.
static int environment_of(struct agent *a, struct secret **out)
{
	struct secret *given scoped(secret_free) = NULL, *noted scoped(secret_free) = NULL;
	int r = credentials_for(a->credentials, a->key_url, &given);
	r = r ? r : notes_for(credentials_notes(a->credentials), a->provider, &noted, &a->heard);
	if (r || !given || !noted) {
		*out = given ? TAKE(given) : TAKE(noted);
		return r;
	}
	r = secret_new(given->len + noted->len, out);
	if (r)
		return r;
	memcpy((*out)->data, given->data, given->len);
	memcpy((*out)->data + given->len, noted->data, noted->len);
	return 0;
}

static bool open_key(struct talk *t)
{
	struct agent *a = t->a;
	struct msg_answer m;
	struct secret *environment scoped(secret_free) = NULL;
	if (environment_of(a, &environment)) {
		answer_set(t->answer, CMK_UNREACHABLE, "%s: not asked: out of memory", a->key_url);
		return false;
	}
	start_frame(t, WIRE_OPEN);
	msg_put_open(&t->w, &(struct msg_open){.plugin = a->plugin,
				    .key_url = a->key_url,
				    .config = a->config,
				    .disk = a->disk,
				    .environment = environment ? (char *)environment->data : NULL,
				    .environment_len = environment ? environment->len : 0,
				    .budget_ms = talk_budget_ms(t)});
	int r = converse(t, WIRE_OPENED, &m);
	if (r == 0)
		r = wire_done(&t->r);
	if (r)
		return failed(t, r);
	a->opened = accept(t, &m);
	if (!a->opened)
		a->failures = 0;
	return a->opened;
}

// Another agent of the same plug-in has noted something since this one was opened, such as a PIN
// that was refused: a process hears of notes when it is opened only, so a new one takes its place.
static void end_if_behind(struct agent *a)
{
	int status = 0;
	if (a->peer.sock < 0 || !a->opened ||
		a->heard == notes_count(credentials_notes(a->credentials), a->provider))
		return;
	(void)peer_end(&a->peer, GOODBYE_MS, &status);
	atomic_store(&a->counts.pid, 0);
	a->opened = false;
	a->started_before = false; // this is no restart to be counted
}

static bool run_process(struct talk *t)
{
	struct agent *a = t->a;
	int status = 0;
	if (a->peer.sock >= 0)
		return true;
	uint64_t now = talk_now_ns();
	if (now < a->not_before_ns) {
		uint64_t ms = (a->not_before_ns - now) / NS_PER_MS + 1;
		answer_set(t->answer, CMK_UNREACHABLE,
			"%s: %s; it is started again in %u ms at the earliest", a->key_url,
			a->last_failure, (unsigned)ms);
		t->answer->retry_after_ms = (uint32_t)ms;
		return false;
	}
	if (a->peer.child.pid && !peer_end(&a->peer, 0, &status)) {
		answer_set(t->answer, CMK_UNREACHABLE,
			"%s: process %d of the %s provider hangs inside the kernel and cannot be "
			"ended; "
			"look for a hung device or network filesystem",
			a->key_url, (int)a->peer.child.pid, a->provider);
		return false;
	}
	struct errmsg err = {.text = ""};
	a->asked = 0;
	if (peer_start(&a->peer, a->program, a->quiet, &err)) {
		answer_set(t->answer, CMK_UNREACHABLE, "%s: %.400s", a->key_url, err.text);
		return false;
	}
	atomic_store(&a->counts.pid, (int)a->peer.child.pid);
	t->restarted = a->started_before;
	if (t->restarted) {
		a->counts.restarts++;
		memcpy(t->former_failure, a->last_failure, sizeof(t->former_failure));
	}
	a->started_before = true;
	return true;
}

// No restart in the sense of the counters: nothing has failed.
static void renew(struct agent *a)
{
	int status = 0;
	if (a->peer.sock < 0 || a->asked < a->renew_after)
		return;
	(void)peer_end(&a->peer, GOODBYE_MS, &status);
	atomic_store(&a->counts.pid, 0);
	a->opened = a->started_before = false;
}

void talk_end(struct talk *t)
{
	secret_free(&t->frame);
	t->answer->took_ms = (uint32_t)((talk_now_ns() - t->answer->asked_ns) / NS_PER_MS);
	agent_tell(t);
}

static const enum wire_type wire_types[] = {
	[AGENT_UNWRAP] = WIRE_UNWRAP, [AGENT_WRAP] = WIRE_WRAP, [AGENT_DESCRIBE] = WIRE_DESCRIBE};

bool talk_begin(struct talk *t, struct agent *a, enum agent_question q, const char *version,
	struct agent_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->asked_ns = talk_now_ns();
	*t = (struct talk){.a = a, .answer = answer, .question = q, .version = version};
	t->end_ns = answer->asked_ns + a->deadline_ms * NS_PER_MS;
	a->counts.questions++;
	if (secret_new(WIRE_FRAME_MAX, &t->frame)) {
		answer_set(answer, CMK_UNREACHABLE, "%s: not asked: out of memory", a->key_url);
		return false;
	}
	if (!t->frame->locked && !a->told_unlocked) {
		log_warning(a->log,
			"%s: memory for keys cannot be locked and may be swapped; raise "
			"the memlock limit (ulimit -l)",
			a->key_url);
		a->told_unlocked = true;
	}
	renew(a);
	end_if_behind(a);
	if (!run_process(t) || (!a->opened && !open_key(t)))
		return false;
	a->asked++;
	start_frame(t, wire_types[q]);
	return true;
}

bool talk_ask(struct talk *t)
{
	struct msg_answer m;
	int r = t->w.bad ? -EMSGSIZE : converse(t, WIRE_ANSWER, &m);
	if (r == -EMSGSIZE) { // ours, not the provider's fault: the process goes on
		answer_set(t->answer, CMK_BAD_BLOB, "%s: the wrapped secret is too long to be one",
			t->a->key_url);
		return false;
	}
	if (r)
		return failed(t, r);
	t->a->failures = 0;
	if (accept(t, &m))
		return true;
	return wire_done(&t->r) ? failed(t, -EBADMSG) : false;
}
