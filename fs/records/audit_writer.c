// SPDX-License-Identifier: MIT
// One append and one sync for all events that wait.
#include "audit_writer.h"

#include "clock.h"
#include "event.h"
#include "scope.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define FOLLOW_TRIES 3
#define APPEND_MAX ((size_t)512 * 1024)

int audit_gap_text(const struct audit_gap *g, const char *head, char **out)
{
	struct event e scoped(event_end);
	event_begin(&e, EVENT_AUDIT_GAP, clock_real(), NULL);
	event_int(&e, "lost", (int64_t)g->lost);
	if (g->since_us)
		event_int(&e, "sinceMicros", (int64_t)g->since_us);
	if (g->errnum) {
		event_int(&e, "errno", g->errnum);
		event_str(&e, "error", strerror(g->errnum));
	}
	if (g->unsynced)
		event_int(&e, "unsynced", (int64_t)g->unsynced);
	if (g->cut) {
		event_int(&e, "cutBytes", (int64_t)g->cut);
		event_str(&e, "cutHash", g->cut_hash);
	}
	return event_text(&e, head, out);
}

// Lines that are to be appended at once.
struct block {
	char *bytes;
	size_t len, room;
	uint64_t lines, lost;
	struct audit_link link; // after them
};

static void block_free(struct block *b)
{
	free(b->bytes);
}

static size_t room_for(const struct audit_entry *list, size_t max)
{
	size_t room = AUDIT_LINE_MAX;
	for (size_t i = 0; list && i < max && room < APPEND_MAX; i++, list = list->next)
		room += strlen(list->text) + AUDIT_CHAIN_MAX;
	return room;
}

static int block_new(
	struct block *b, const struct audit_entry *list, size_t max, struct errmsg *err)
{
	b->room = room_for(list, max);
	b->bytes = malloc(b->room);
	return b->bytes ? 0 : errmsg_set(err, ENOMEM, "no memory for lines of the audit log");
}

static int block_add(struct block *b, const char *text)
{
	int n = audit_line_make(&b->link, text, b->bytes + b->len, b->room - b->len);
	if (n < 0)
		return n;
	b->len += (size_t)n;
	b->lines++;
	return 0;
}

// How many of the entries are in the block, or will never be.
static size_t block_fill(struct block *b, const struct audit_entry *list, size_t max)
{
	size_t done = 0;
	for (; list && done < max; list = list->next, done++) {
		if (!block_add(b, list->text))
			continue;
		if (b->room - b->len < strlen(list->text) + AUDIT_CHAIN_MAX &&
			b->room - b->len < AUDIT_LINE_MAX)
			break;
		b->lost++;
	}
	return done;
}

static int block_add_gap(struct block *b, const struct audit_writer *w, const struct audit_gap *gap,
	struct errmsg *err)
{
	char *text autofree = NULL;
	int rc = audit_gap_text(gap, w->head, &text);
	if (!rc)
		rc = block_add(b, text);
	return rc ? errmsg_set(err, -rc, "%s: cannot tell what is missing from the audit log: %s",
			    w->file.path, strerror(-rc))
		  : 0;
}

// What stands at the end of the file and is no line, as after a crash, is closed, and told; so is
// what may not have reached its store.
static int block_begin(struct block *b, const struct audit_writer *w, struct errmsg *err)
{
	const struct audit_file *f = &w->file;
	const struct audit_gap torn = {.cut = f->cut + f->unended, .cut_hash = f->cut_hash};
	const struct audit_gap unsynced = {.unsynced = w->untold, .errnum = w->sync_errno};
	int rc = 0;
	b->link = f->link;
	if (f->unended)
		b->bytes[b->len++] = '\n';
	if (f->cut)
		rc = block_add_gap(b, w, &torn, err);
	if (!rc && w->sync_errno)
		rc = block_add_gap(b, w, &unsynced, err);
	return rc;
}

static void send_lines(struct audit_writer *w, const struct block *b)
{
	const char *p = b->bytes, *end = b->bytes + b->len;
	if (p < end && *p == '\n')
		p++;
	while (p < end) {
		size_t len = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) - p);
		if (audit_stream_send(&w->stream, p, len))
			w->unsent++;
		p += len + 1;
	}
}

// Puts the block into the file.
static int append(struct audit_writer *w, const struct block *b, struct errmsg *err)
{
	int rc = b->len ? audit_file_append(&w->file, b->bytes, b->len, err) : 0;
	if (rc)
		return rc;
	w->file.link = w->link = b->link;
	w->written += b->lines;
	w->lost += b->lost;
	return 0;
}

static int sync_lines(struct audit_writer *w, uint64_t lines, struct errmsg *err)
{
	int rc = audit_file_sync(&w->file, err);
	w->sync_errno = -rc;
	w->untold = rc ? w->untold + lines : 0;
	if (rc) {
		w->unsynced += lines;
		w->sync_error = *err;
	}
	return rc;
}

// In a file that was renamed nobody else will tell what stands at its end. One that was removed is
// as it was in any copy that there may be.
static int close_renamed(struct audit_writer *w, struct errmsg *err)
{
	struct stat st;
	struct block b scoped(block_free) = {.bytes = NULL};
	if (!w->file.cut || fstat(w->file.fd, &st) || !st.st_nlink)
		return 0;
	int rc = block_new(&b, NULL, 0, err);
	if (!rc)
		rc = block_begin(&b, w, err);
	if (!rc)
		rc = append(w, &b, err);
	if (rc)
		return rc;
	send_lines(w, &b);
	return sync_lines(w, b.lines, err);
}

static int lock_file(struct audit_writer *w, struct errmsg *err)
{
	int rc = audit_file_lock(&w->file, err);
	if (rc)
		return rc;
	for (int i = 0; i < FOLLOW_TRIES && !rc && w->file.renamed; i++) {
		rc = close_renamed(w, err);
		if (!rc)
			rc = audit_file_follow(&w->file, err);
	}
	if (rc)
		audit_file_unlock(&w->file);
	return rc;
}

static int fill_and_append(struct audit_writer *w, struct block *b, const struct audit_entry *list,
	size_t max, size_t *done, struct errmsg *err)
{
	int rc = block_begin(b, w, err);
	if (rc)
		return rc;
	size_t filled = block_fill(b, list, max);
	rc = append(w, b, err);
	if (!rc)
		*done = filled;
	return rc;
}

static int write_file(struct audit_writer *w, const struct audit_entry *list, size_t max,
	size_t *done, struct errmsg *err)
{
	struct block b scoped(block_free) = {.bytes = NULL};
	// Synced again, a file that nothing was written to is well, whatever it lacks.
	if (w->sync_errno && !list) {
		*err = w->sync_error;
		return -w->sync_errno;
	}
	int rc = block_new(&b, list, max, err);
	if (!rc)
		rc = lock_file(w, err);
	if (rc)
		return rc;
	rc = fill_and_append(w, &b, list, max, done, err);
	audit_file_unlock(&w->file);
	if (rc)
		return rc;
	send_lines(w, &b);
	return b.len ? sync_lines(w, b.lines, err) : 0;
}

// One by one: each has its own chance.
static int write_stream(struct audit_writer *w, const struct audit_entry *list, size_t max,
	size_t *done, struct errmsg *err)
{
	for (; list && *done < max; list = list->next, ++*done) {
		struct block b scoped(block_free) = {.link = w->link};
		int rc = block_new(&b, list, 1, err);
		if (rc)
			return rc;
		rc = block_add(&b, list->text);
		if (!rc)
			rc = audit_stream_send(&w->stream, b.bytes, b.len - 1);
		if (rc && rc != -EMSGSIZE && rc != -EINVAL)
			return errmsg_set(err, -rc,
				"the audit log has no file and cannot be sent: %s", strerror(-rc));
		if (rc) {
			w->lost++;
			continue;
		}
		w->link = b.link;
		w->written++;
	}
	return 0;
}

int audit_writer_write(struct audit_writer *w, const struct audit_entry *list, size_t max,
	size_t *done, struct errmsg *err)
{
	*done = 0;
	return w->file.fd >= 0 ? write_file(w, list, max, done, err)
			       : write_stream(w, list, max, done, err);
}
