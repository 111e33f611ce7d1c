// SPDX-License-Identifier: MIT
// One question to a key agent, from starting the process to the checked answer. Private to this
// folder: agent.c is the door.
#ifndef CMK_TALK_H
#define CMK_TALK_H

#include "agent.h"
#include "peer.h"
#include "plugins.h"
#include "wire.h"

#include <stdatomic.h>

#define GOODBYE_MS 200u // for an orderly end of the process

struct agent {
	char *program, *plugin, *key_url, *config, *disk; // owned
	const struct credentials *credentials;		  // of all keys; NULL none
	char provider[PLUGIN_NAME_ROOM];
	uint32_t deadline_ms, renew_after;
	struct logger *log;
	bool quiet;
	void (*answered)(void *ctx, const struct agent_answered *a);
	void *answered_ctx;
	int cancel_fd; // an eventfd: readable once agent_cancel() was called

	struct peer peer;
	bool opened;  // the provider holds the key
	bool changed; // news that agent_drain() has not told yet
	bool started_before, told_unlocked;
	uint32_t seq;
	uint64_t heard; // of notes, when it was opened or made one: notes_count()
	uint32_t asked; // questions that the present process got

	uint32_t failures; // in a row
	uint64_t not_before_ns;
	char last_failure[256];
	// Of agent_stats(), which any thread may call.
	struct {
		_Atomic uint64_t questions, restarts, timeouts, crashes;
		_Atomic int pid; // 0: none that answers
	} counts;
};

// One question under way.
struct talk {
	struct agent *a;
	struct agent_answer *answer;
	struct secret *frame; // out, then in: a secret may be in either
	uint64_t end_ns;
	enum agent_question question;
	const char *version;	  // for who is told of the answer; "" unknown
	bool restarted;		  // the process, for this question
	char former_failure[256]; // why that was needed
	struct wire_writer w;
	struct wire_reader r;
};

// CLOCK_BOOTTIME
uint64_t talk_now_ns(void);

// True when the question may be put into t->w; otherwise *answer is complete. In both cases
// talk_end() must follow, before *answer is read. version is read at the end: it may be where the
// answer is put.
bool talk_begin(struct talk *t, struct agent *a, enum agent_question q, const char *version,
	struct agent_answer *answer) must_use;
// Milliseconds to put into the question: a little less than is waited, so that the provider's own
// word can still arrive.
uint32_t talk_budget_ms(const struct talk *t);
// True when it was granted and t->r stands before what was granted.
bool talk_ask(struct talk *t) must_use;
// The answer is not one: kills the process, writes the sentence.
void talk_failed(struct talk *t, int error);
void talk_end(struct talk *t); // also tells who wants to know of the answer

void answer_set(struct agent_answer *answer, enum cmk_verdict verdict, const char *fmt, ...)
	printf_like(3, 4);
// What an agent may say unasked (log lines, news). 1 if it was that, 0 if not, -EBADMSG.
int agent_take_unasked(
	struct agent *a, const struct wire_header *h, struct wire_reader *r) must_use;
// Hands a question that is answered to whoever wants to know.
void agent_tell(const struct talk *t);
// Ends the process and starts the back-off; error: what converse() or peer_receive() said.
void agent_fail(struct agent *a, int error);

#endif
