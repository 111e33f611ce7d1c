// SPDX-License-Identifier: MIT
// The parts of the hooks: whether a program may be run, what it gets to see, one run of it, and
// what waits to be run.
#ifndef CMK_HOOKS_INTERNAL_H
#define CMK_HOOKS_INTERNAL_H

#include "attr.h"
#include "child.h"
#include "errmsg.h"
#include "event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

// hooks_program.c
// The file behind path, links followed; the caller frees *out. -errno with a sentence.
int hook_program_find(const char *path, char **out, struct errmsg *err) must_use;
// Whether what is at this path, which has no links in it, may be run now. -errno with a sentence.
// It and all directories above it belong to root or to us, and nobody else may change them, so that
// what was looked at is what will be run.
int hook_program_check(const char *path, struct errmsg *err) must_use;

// hooks_env.c
// "CMKDISK_..." for each scalar member of the event, for struct child_spec; hook_env_free() *out.
// What is left until a deadline is counted from now_us, boot time. -EBADMSG if it is no JSON
// object.
int hook_env_new(const char *event_text, uint64_t now_us, char ***out) must_use;
void hook_env_free(char ***env); // for scoped(); NULL allowed

// hooks_run.c
#define HOOK_TERM_PATIENCE_MS 2000 // after SIGTERM, before SIGKILL
struct hook_task {
	const char *program; // as the operator named it
	const char *path;    // what is run
	const char *event, *disk, *text;
	uint32_t timeout_ms;
	int stop_fd; // readable: it is to end now
};
struct hook_outcome {
	int status; // as in struct hook_result
	bool timed_out;
	uint32_t took_ms;
	struct errmsg sentence;
	struct child stuck; // in the kernel, after it was killed; else CHILD_NONE
};
// Runs it to its end, whatever that is; any thread. Only a hung store keeps it longer than its time
// and some seconds.
void hook_run(const struct hook_task *t, struct hook_outcome *out);
// Waits until a stuck one is gone and reaps it, or until stop_fd is readable.
void hook_bury(struct child *stuck, int stop_fd);
uint64_t hook_now_ms(void); // CLOCK_MONOTONIC: a program does not get slower while all sleeps

// hooks_queue.c: no locks, no time of its own but for hook_now_ms().
struct hook_job {
	TAILQ_ENTRY(hook_job) entry;
	size_t program; // index
	enum event_kind kind;
	uint64_t useful_until_ms; // hook_now_ms(): it may take so long in any case
	char disk[256];
	char text[];
};
TAILQ_HEAD(hook_jobs, hook_job);
struct hook_queue {
	struct hook_jobs waiting, running;
	size_t waiting_count, running_count;
};

struct hook_job *hook_job_new(const struct event *e, const char *text, size_t program); // or NULL
void hook_queue_init(struct hook_queue *q);
// Takes the job. When more than HOOKS_WAITING_MAX wait, the one that is given up for it (perhaps
// itself), which is the caller's to free; else NULL.
struct hook_job *hook_queue_put(struct hook_queue *q, struct hook_job *j) must_use;
// Takes out one that waits for the same disk and program and has nothing to say any more beside j:
// what leads to a stop once that is near or there, what warns of one once the grace ended well. It
// is the caller's; NULL: none, or none is left.
struct hook_job *hook_queue_overtaken(struct hook_queue *q, const struct hook_job *j) must_use;
// What leads to a waiting before-stop; else, while fewer than HOOKS_AT_ONCE - HOOKS_RESERVED run,
// the first that need not wait for an earlier one of its disk and program. Running from here on.
struct hook_job *hook_queue_take(struct hook_queue *q);		// NULL: none
void hook_queue_done(struct hook_queue *q, struct hook_job *j); // of a running one; frees it
size_t hook_queue_clear(struct hook_queue *q);			// frees those that wait; how many

#endif
