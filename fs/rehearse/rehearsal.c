// SPDX-License-Identifier: MIT
// Memory of a rehearsal's results, and the names in them.
#include "rehearsal.h"

#include "scope.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const char *const marks[MARK_KINDS] = {
	[MARK_LOAD_BEGAN] = "load-began",
	[MARK_ASKED] = "asked",
	[MARK_ACTION] = "action",
	[MARK_REFUSED] = "first-failed-check",
	[MARK_GRACE] = "grace-began",
	[MARK_WARNING] = "warning",
	[MARK_BEFORE_STOP] = "before-stop",
	[MARK_LAST_GOOD] = "last-good-io",
	[MARK_FIRST_EIO] = "first-eio",
	[MARK_STOPPED] = "key-wiped",
	[MARK_RESTORED] = "key-back",
	[MARK_GRANTED] = "first-granted-check",
	[MARK_GRACE_END] = "grace-ended",
	[MARK_RESUMED] = "resumed",
	[MARK_FIRST_GOOD] = "first-good-io",
	[MARK_ROTATED] = "rotated",
	[MARK_ROTATION_FAILED] = "rotation-failed",
	[MARK_VERIFIED] = "verified",
	[MARK_NOTE] = "note",
};

const char *mark_name(enum mark_kind k)
{
	return marks[k];
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {"held", "broken", "not-shown"};
	return names[o];
}

// One more element of an array; NULL: no memory, and the array is as it was.
static void *grow(void *array, size_t count, size_t size)
{
	char *more = realloc(array, (count + 1) * size);
	if (more)
		memset(more + count * size, 0, size);
	return more;
}

int rehearsal_add(struct rehearsal *r, struct played **out)
{
	struct played *more = grow(r->played, r->count, sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->played = more;
	*out = &more[r->count++];
	return 0;
}

// The parts of a story within which the kinds of marks follow each other as they are declared; 0:
// of neither.
static int chapter(enum mark_kind k)
{
	if (k >= MARK_ACTION && k <= MARK_STOPPED)
		return 1;
	return k >= MARK_RESTORED && k <= MARK_FIRST_GOOD ? 2 : 0;
}

// Several clocks have looked: what is printed with one and the same time is told as it must have
// been.
static bool comes_before(const struct mark *a, const struct mark *b)
{
	if (a->at_us / 1000 == b->at_us / 1000 && chapter(a->kind) &&
		chapter(a->kind) == chapter(b->kind))
		return a->kind < b->kind;
	return a->at_us < b->at_us;
}

int played_mark(struct played *p, enum mark_kind k, uint64_t at_us, const char *fmt, ...)
{
	struct mark *more = grow(p->marks, p->mark_count, sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->marks = more;
	size_t i = p->mark_count++;
	const struct mark new = {.kind = k, .at_us = at_us};
	for (; i > 0 && comes_before(&new, &more[i - 1]); i--)
		more[i] = more[i - 1];
	more[i] = new;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(more[i].text, sizeof(more[i].text), fmt, ap);
	va_end(ap);
	return 0;
}

const struct mark *played_first(const struct played *p, enum mark_kind k)
{
	for (size_t i = 0; i < p->mark_count; i++)
		if (p->marks[i].kind == k)
			return &p->marks[i];
	return NULL;
}

struct promise *played_promise(struct played *p, const char *id, const char *what)
{
	struct promise *more = grow(p->promises, p->promise_count, sizeof(*more));
	if (!more)
		return NULL;
	p->promises = more;
	struct promise *new = &more[p->promise_count++];
	*new = (struct promise){.id = id,
		.what = what,
		.promised_us = -1,
		.measured_us = -1,
		.outcome = OUTCOME_NOT_SHOWN};
	return new;
}

void rehearsal_free(struct rehearsal *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->played[i].marks);
		free(r->played[i].promises);
		free(r->played[i].slices);
	}
	free(r->played);
	r->played = NULL;
	r->count = 0;
}
