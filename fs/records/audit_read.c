// SPDX-License-Identifier: MIT
// Bounded memory for any file. A log may be appended to while it is read: what looks like half a
// line is read again once no daemon holds the lock.
#include "audit_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define LOCK_TRIES 20
#define LOCK_PAUSE_NS 50000000

void audit_reader_init(struct audit_reader *r, char *const *files, size_t count)
{
	r->files = files;
	r->count = count;
	r->next = 0;
	r->in = NULL;
	r->file = NULL;
	r->line = r->bytes = r->len = 0;
}

void audit_reader_close(struct audit_reader *r)
{
	if (r->in && r->in != stdin)
		(void)fclose(r->in);
	r->in = NULL;
}

static int open_next(struct audit_reader *r, struct errmsg *err)
{
	r->file = r->files[r->next++];
	r->line = 0;
	r->in = strcmp(r->file, "-") != 0 ? fopen(r->file, "re") : stdin;
	if (!r->in)
		return errmsg_set(err, errno, "%s: the audit log cannot be read: %m", r->file);
	return 0;
}

static void append_rest(struct audit_reader *r)
{
	int c = 0;
	while (c != '\n' && (c = getc_unlocked(r->in)) != EOF) {
		r->bytes++;
		if (c != '\n' && r->len < sizeof(r->text))
			r->text[r->len++] = (char)c;
	}
}

// True if more may be there now.
static bool wait_for_writer(struct audit_reader *r)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	struct flock lk = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	bool locked = !fcntl(fileno(r->in), F_OFD_SETLK, &lk);
	for (int i = 0; i < LOCK_TRIES && !locked && errno == EAGAIN; i++) {
		(void)nanosleep(&pause, NULL);
		locked = !fcntl(fileno(r->in), F_OFD_SETLK, &lk);
	}
	lk.l_type = F_UNLCK;
	if (locked)
		(void)fcntl(fileno(r->in), F_OFD_SETLK, &lk);
	clearerr(r->in);
	return locked;
}

static bool half_a_line(const struct audit_reader *r)
{
	return r->len && r->len == r->bytes && feof(r->in) && !ferror(r->in);
}

int audit_reader_next(struct audit_reader *r, struct errmsg *err)
{
	for (;;) {
		int rc = 0;
		if (!r->in && r->next == r->count)
			return 0;
		if (!r->in)
			rc = open_next(r, err);
		if (rc)
			return rc;
		r->bytes = r->len = 0;
		append_rest(r);
		if (half_a_line(r) && wait_for_writer(r))
			append_rest(r);
		if (ferror(r->in))
			return errmsg_set(
				err, errno, "%s: the audit log cannot be read: %m", r->file);
		if (r->bytes) {
			r->line++;
			return 1;
		}
		audit_reader_close(r);
	}
}
