// SPDX-License-Identifier: MIT
// The client half of a key agent: starts the child process that runs one provider for one key,
// asks it with a deadline, kills and restarts it when it hangs or dies. One agent is used by one
// thread at a time.
#ifndef CMK_AGENT_H
#define CMK_AGENT_H

#include "attr.h"
#include "errmsg.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct credentials;
struct logger;
struct secret;

// Some vendors' libraries leak with every question. So a process that has answered this many is
// ended in good order, and the next question goes to a new one.
#define AGENT_RENEW_AFTER 4096

enum agent_question { AGENT_UNWRAP, AGENT_WRAP, AGENT_DESCRIBE };

struct agent_answer;

// One question, once it is answered. Strings are borrowed for the call.
struct agent_answered {
	enum agent_question question;
	const char *key_url;
	const char *version; // asked about or, where none was named, told; "" unknown
	const struct agent_answer *answer;
	// The process was started anew for it, after a crash, a timeout or a loss: what befell the
	// one before. NULL: no.
	const char *restarted_after;
	int pid; // of the process; 0 none
};

struct agent_config {
	const char *program;	// absolute path of cmkdisk-agent
	const char *plugin_dir; // absolute path; the one directory plug-ins are loaded from
	const char *key_url;	// its scheme selects the plug-in
	const char *config;	// JSON object for the provider, "{}" if none
	const char *disk;	// label for the store's log, or ""
	uint32_t deadline_ms;	// of one question, default 10 000
	uint32_t renew_after;	// questions for one process, default AGENT_RENEW_AFTER
	struct logger *log;
	bool quiet; // its stderr is /dev/null: for a daemon, which must let go of the terminal
	// Borrowed until agent_free(); NULL none. The provider is sent what is for this key.
	const struct credentials *credentials;
	// Called after each question, in the thread that asked it: be brief. May be NULL.
	void (*answered)(void *ctx, const struct agent_answered *a);
	void *answered_ctx;
};

// An answer: a verdict that is never an errno, with the sentence for people.
struct agent_answer {
	enum cmk_verdict verdict;
	enum cmk_reason reason;
	uint32_t retry_after_ms; // 0 none
	uint64_t asked_ns;	 // CLOCK_BOOTTIME when the question was put
	uint32_t took_ms;
	char request_id[64];
	char sentence[512]; // "" when granted
};

struct agent_stats {
	uint64_t questions, restarts, timeouts, crashes;
	int pid; // 0 when not running
};

// Starts nothing yet: the process is started by the first question, so that a fork before it
// (daemonising) is harmless. Copies the config's strings. -EINVAL with a sentence if the scheme is
// malformed, or the settings and the credentials are too long to be sent; -EDOM if no plug-in
// serves it, -EPERM if its file may be written by others.
int agent_new(const struct agent_config *c, struct agent **out, struct errmsg *err) must_use;
// Ends the process (kill if it does not go by itself within 200 ms). NULL allowed.
void agent_free(struct agent **a);
// Any thread, while another waits for an answer: that question and all later ones are answered
// CMK_UNREACHABLE at once, unless the answer is there already. Not after agent_free() has begun.
void agent_cancel(struct agent *a);

// Each puts one question and waits at most the deadline. They always fill *answer; there is no
// other error channel: an agent that cannot be started, crashes, talks nonsense or is late counts
// as CMK_UNREACHABLE. A late or dead agent is killed and restarted at the next question, with
// back-off (100 ms, doubling to 5 s; asked sooner, the answer is CMK_UNREACHABLE at once).
// The deadline includes starting the process and opening the key. Killing may add up to 0.5 s, when
// the process is stuck inside the kernel; until it is gone, no other is started.
// unwrap: on CMK_GRANTED *plain is a new secret of the caller's.
void agent_unwrap(struct agent *a, const char *version, const char *alg, const uint8_t *wrapped,
	size_t wrapped_len, struct secret **plain, struct agent_answer *answer);
void agent_wrap(struct agent *a, const struct secret *plain, struct cmk_wrapped *out,
	struct agent_answer *answer);
void agent_describe(struct agent *a, const char *version, struct cmk_key_info *out,
	struct agent_answer *answer);

// A descriptor that polls readable when the agent has news (key may have changed) or has died;
// -1 while no process runs. After poll says so, call agent_drain(): true if the key may have
// changed (ask now), false if not.
int agent_poll_fd(const struct agent *a);
bool agent_drain(struct agent *a);

// Any thread.
void agent_stats(const struct agent *a, struct agent_stats *out);
const char *agent_key_url(const struct agent *a);

#endif
