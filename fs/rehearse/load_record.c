// SPDX-License-Identifier: MIT
// Threads report here when a request is over; the order in which they get here is not the order of
// time, so every rule compares times. The lock is held for some dozens of nanoseconds.
#include "load_record.h"

#include "scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int load_record_begin(struct load_record *r, unsigned threads, uint64_t slice_us)
{
	*r = (struct load_record){.threads = threads, .slice_us = slice_us};
	mutex_init_brief(&r->lock);
	r->last_ok_by = calloc(threads + 1u, sizeof(*r->last_ok_by));
	r->failed_by = calloc(threads + 1u, sizeof(*r->failed_by));
	return r->last_ok_by && r->failed_by ? 0 : -ENOMEM;
}

void load_record_start(struct load_record *r, uint64_t now_us)
{
	r->first_us = now_us; // no thread puts anything yet
	for (unsigned i = 0; i < r->threads; i++)
		r->last_ok_by[i] = now_us;
}

void load_record_end(struct load_record *r)
{
	free(r->last_ok_by);
	free(r->failed_by);
	free(r->slices);
	(void)pthread_mutex_destroy(&r->lock);
}

static struct io_slice *slice_at(struct load_record *r, uint64_t ended)
{
	size_t i = ended > r->first_us ? (size_t)((ended - r->first_us) / r->slice_us) : 0;
	if (i >= r->slice_room) {
		size_t room = i + i / 2 + 64;
		struct io_slice *more = realloc(r->slices, room * sizeof(*more));
		if (!more) {
			r->slices_lost = true;
			return NULL;
		}
		memset(more + r->slice_room, 0, (room - r->slice_room) * sizeof(*more));
		r->slices = more;
		r->slice_room = room;
	}
	if (i >= r->slice_count)
		r->slice_count = i + 1;
	return &r->slices[i];
}

static void count_error(struct load_record *r, int errnum)
{
	unsigned i = 0;
	while (i < LOAD_ERRNOS && r->errors[i].count > 0 && r->errors[i].errnum != errnum)
		i++;
	if (i < LOAD_ERRNOS)
		r->errors[i].errnum = errnum;
	r->errors[i].count++;
}

// Of a thread that had no failure yet.
static void put_gap(struct load_record *r, const struct load_request *q)
{
	uint64_t last = r->last_ok_by[q->thread], *longest = &r->view.gap_to_failure_us;
	if (!r->failed_by[q->thread] && q->ended > last && q->ended - last > *longest)
		*longest = q->ended - last;
}

static void put_failure(struct load_record *r, const struct load_request *q)
{
	struct load_view *v = &r->view;
	v->failed++;
	count_error(r, -q->rc);
	put_gap(r, q);
	r->failed_by[q->thread] = true;
	if (v->first_failed == 0 || q->ended < v->first_failed) {
		v->first_failed = q->ended;
		v->first_errno = -q->rc;
	}
	if (q->ended > r->last_failed)
		r->last_failed = q->ended;
	if (v->first_good_begun <= r->last_failed)
		v->first_good = v->first_good_begun = 0;
}

static void put_success(struct load_record *r, const struct load_request *q)
{
	struct load_view *v = &r->view;
	*(q->write ? &v->writes : &v->reads) += 1;
	*(q->write ? &v->bytes_written : &v->bytes_read) += LOAD_BLOCK;
	if (q->begun > v->last_ok_begun)
		v->last_ok_begun = q->begun;
	if (q->ended > v->last_ok_ended)
		v->last_ok_ended = q->ended;
	if ((v->first_failed == 0 || q->begun < v->first_failed) && q->ended > v->last_good) {
		v->last_good = q->ended;
		v->last_good_begun = q->begun;
	}
	if (v->first_failed && q->begun > r->last_failed &&
		(v->first_good == 0 || q->ended < v->first_good)) {
		v->first_good = q->ended;
		v->first_good_begun = q->begun;
	}
	put_gap(r, q);
	uint64_t *last = &r->last_ok_by[q->thread];
	if (q->ended > *last && q->ended - *last > v->longest_gap_us)
		v->longest_gap_us = q->ended - *last;
	*last = q->ended;
}

void load_record_put(struct load_record *r, const struct load_request *q)
{
	with_lock(&r->lock);
	struct io_slice *slice = slice_at(r, q->ended);
	if (slice)
		*(q->rc ? &slice->failed : q->write ? &slice->writes : &slice->reads) += 1;
	if (q->rc)
		put_failure(r, q);
	else
		put_success(r, q);
}

void load_record_wrong(struct load_record *r, const char *fmt, ...)
{
	with_lock(&r->lock);
	if (r->view.wrong++ > 0)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(r->view.first_wrong, sizeof(r->view.first_wrong), fmt, ap);
	va_end(ap);
}

void load_record_mark(struct load_record *r, uint64_t now_us)
{
	with_lock(&r->lock);
	struct load_view *v = &r->view;
	v->first_failed = v->last_good = v->last_good_begun = v->gap_to_failure_us = 0;
	v->first_errno = 0;
	v->first_good = v->first_good_begun = v->longest_gap_us = r->last_failed = 0;
	for (unsigned i = 0; i < r->threads; i++) {
		if (r->failed_by[i]) // what came of its failures is no pause
			r->last_ok_by[i] = now_us;
		r->failed_by[i] = false;
	}
}

void load_record_stop(struct load_record *r, uint64_t now_us)
{
	with_lock(&r->lock);
	if (r->stopped_us == 0)
		r->stopped_us = now_us;
}

static void errors_text(const struct load_record *r, char *out, size_t room)
{
	size_t len = 0;
	for (unsigned i = 0; i <= LOAD_ERRNOS && r->errors[i].count > 0 && len < room; i++) {
		const char *name = strerrorname_np(r->errors[i].errnum);
		int n = snprintf(out + len, room - len, "%s%s %llu", i ? ", " : "",
			i < LOAD_ERRNOS && name ? name : "others",
			(unsigned long long)r->errors[i].count);
		len += n > 0 ? (size_t)n : room;
	}
}

void load_record_view(struct load_record *r, uint64_t now_us, struct load_view *out)
{
	with_lock(&r->lock);
	*out = r->view;
	errors_text(r, out->errors, sizeof(out->errors));
	uint64_t now = r->stopped_us ? r->stopped_us : now_us;
	for (unsigned i = 0; i < r->threads; i++) {
		uint64_t gap = now > r->last_ok_by[i] ? now - r->last_ok_by[i] : 0;
		if (gap > out->longest_gap_us)
			out->longest_gap_us = gap;
		if (!r->failed_by[i] && gap > out->gap_to_failure_us)
			out->gap_to_failure_us = gap;
	}
}

int load_record_slices(
	struct load_record *r, struct io_slice **out, size_t *count, uint64_t *first_us)
{
	with_lock(&r->lock);
	if (r->slices_lost)
		return -ENOMEM;
	struct io_slice *copy = calloc(r->slice_count + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	if (r->slice_count)
		memcpy(copy, r->slices, r->slice_count * sizeof(*copy));
	*out = copy;
	*count = r->slice_count;
	*first_us = r->first_us;
	return 0;
}
