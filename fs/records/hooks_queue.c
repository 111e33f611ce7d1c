// SPDX-License-Identifier: MIT
// What waits to be run, in the order of the events, and what is given up when too much waits.
#include "clock.h"
#include "hooks.h"
#include "hooks_internal.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hook_job *hook_job_new(const struct event *e, const char *text, size_t program)
{
	size_t len = strlen(text);
	struct hook_job *j = calloc(1, sizeof(*j) + len + 1);
	if (!j)
		return NULL;
	int64_t left = 0;
	j->program = program;
	j->kind = e->kind;
	if (e->kind == EVENT_BEFORE_STOP && json_int(e->facts, "secondsLeft", &left) && left > 0)
		j->useful_until_ms = hook_now_ms() + (uint64_t)left * MS_PER_S;
	(void)snprintf(j->disk, sizeof(j->disk), "%s", e->disk);
	memcpy(j->text, text, len);
	return j;
}

void hook_queue_init(struct hook_queue *q)
{
	*q = (struct hook_queue){.waiting_count = 0};
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->running);
}

// The larger, the longer it is kept.
static int weight(const struct hook_job *j)
{
	switch (j->kind) {
	case EVENT_GRACE_WARNING:
	case EVENT_STORE_ERROR:
	case EVENT_AGENT_RESTARTED:
		return 0;
	case EVENT_BEFORE_STOP:
	case EVENT_STOPPED:
		return 2;
	default:
		return 1;
	}
}

struct hook_job *hook_queue_put(struct hook_queue *q, struct hook_job *fresh)
{
	struct hook_job *victim = NULL, *j;
	TAILQ_INSERT_TAIL(&q->waiting, fresh, entry);
	if (++q->waiting_count <= HOOKS_WAITING_MAX)
		return NULL;
	for (j = TAILQ_FIRST(&q->waiting); j; j = TAILQ_NEXT(j, entry))
		if (!victim || weight(j) < weight(victim))
			victim = j;
	TAILQ_REMOVE(&q->waiting, victim, entry);
	q->waiting_count--;
	return victim;
}

static bool is_moot(enum event_kind waits, enum event_kind fresh)
{
	switch (fresh) {
	case EVENT_BEFORE_STOP:
	case EVENT_STOPPED:
		return waits == EVENT_GRACE_BEGIN || waits == EVENT_GRACE_WARNING;
	case EVENT_GRACE_END:
		return waits == EVENT_BEFORE_STOP || waits == EVENT_GRACE_WARNING;
	default:
		return false;
	}
}

static bool same_line(const struct hook_job *a, const struct hook_job *b)
{
	return a->program == b->program && strcmp(a->disk, b->disk) == 0;
}

struct hook_job *hook_queue_overtaken(struct hook_queue *q, const struct hook_job *fresh)
{
	struct hook_job *j;
	for (j = TAILQ_FIRST(&q->waiting); j; j = TAILQ_NEXT(j, entry))
		if (j != fresh && is_moot(j->kind, fresh->kind) && same_line(j, fresh))
			break;
	if (!j)
		return NULL;
	TAILQ_REMOVE(&q->waiting, j, entry);
	q->waiting_count--;
	return j;
}

static bool must_wait(const struct hook_queue *q, const struct hook_job *j)
{
	struct hook_job *other;
	for (other = TAILQ_FIRST(&q->running); other; other = TAILQ_NEXT(other, entry))
		if (same_line(j, other))
			return true;
	return false;
}

static struct hook_job *first_of_line(const struct hook_queue *q, const struct hook_job *like)
{
	struct hook_job *j;
	for (j = TAILQ_FIRST(&q->waiting); j; j = TAILQ_NEXT(j, entry))
		if (same_line(j, like))
			break;
	return j;
}

static struct hook_job *next_job(const struct hook_queue *q)
{
	struct hook_job *j;
	for (j = TAILQ_FIRST(&q->waiting); j; j = TAILQ_NEXT(j, entry))
		if (j->kind == EVENT_BEFORE_STOP && !must_wait(q, j))
			return first_of_line(q, j);
	if (q->running_count >= HOOKS_AT_ONCE - HOOKS_RESERVED)
		return NULL;
	for (j = TAILQ_FIRST(&q->waiting); j; j = TAILQ_NEXT(j, entry))
		if (!must_wait(q, j))
			break;
	return j;
}

struct hook_job *hook_queue_take(struct hook_queue *q)
{
	struct hook_job *j = next_job(q);
	if (!j)
		return NULL;
	TAILQ_REMOVE(&q->waiting, j, entry);
	q->waiting_count--;
	TAILQ_INSERT_TAIL(&q->running, j, entry);
	q->running_count++;
	return j;
}

void hook_queue_done(struct hook_queue *q, struct hook_job *j)
{
	TAILQ_REMOVE(&q->running, j, entry);
	q->running_count--;
	free(j);
}

size_t hook_queue_clear(struct hook_queue *q)
{
	size_t n = 0;
	for (struct hook_job *j; (j = TAILQ_FIRST(&q->waiting)); n++) {
		TAILQ_REMOVE(&q->waiting, j, entry);
		free(j);
	}
	q->waiting_count = 0;
	return n;
}
