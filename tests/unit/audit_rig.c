// SPDX-License-Identifier: MIT
// Real files, a real thread, and a syslog daemon of our own.
#include "audit_rig.h"

#include "clock.h"
#include "event.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

int audit_rig_setup(void **state)
{
	struct audit_rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/audit.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(r->path, sizeof(r->path), "%s/log", r->dir);
	(void)snprintf(r->old, sizeof(r->old), "%s/log.1", r->dir);
	(void)snprintf(r->socket, sizeof(r->socket), "%s/socket", r->dir);
	r->listener = -1;
	*state = r;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

int audit_rig_teardown(void **state)
{
	struct audit_rig *r = *state;
	int rc = audit_end(&r->a, PATIENCE_MS);
	scope_close(&r->listener);
	(void)nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(r);
	return rc;
}

void rig_start(struct audit_rig *r)
{
	struct audit_config c = {.file = r->path, .head = "\"host\":\"h\""};
	assert_int_equal(audit_new(&c, &r->a, &r->err), 0);
}

void rig_post(struct audit_rig *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct event e scoped(event_end);
		char *text autofree = NULL;
		event_begin(&e, EVENT_KEY_OPERATION, clock_real(), "data.img");
		event_str(&e, "operationName", "KeyUnwrap");
		event_int(&e, "n", r->posted++);
		event_result(&e, false, "denied", "a sentence with \"quotes\", \"hash\":\"00\"}");
		assert_int_equal(event_text(&e, "\"host\":\"h\"", &text), 0);
		audit_post(r->a, text);
	}
}

void rig_end(struct audit_rig *r)
{
	assert_int_equal(audit_end(&r->a, PATIENCE_MS), 0);
	assert_null(r->a);
}

void rig_write(struct audit_rig *r, unsigned count)
{
	rig_start(r);
	rig_post(r, count);
	rig_end(r);
}

static void put(const char *path, int flags, const char *text, size_t len)
{
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
}

void rig_put(const char *path, const char *text, size_t len)
{
	put(path, O_TRUNC, text, len);
}

void rig_append(const char *path, const char *text)
{
	put(path, O_APPEND, text, strlen(text));
}

char *rig_text(const char *path, size_t *len)
{
	struct stat st;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	char *text = malloc((size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	text[st.st_size] = '\0';
	*len = (size_t)st.st_size;
	return text;
}

static void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

void rig_wait_error(struct audit_rig *r, int error)
{
	struct audit_stats s = {.error = -1};
	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		audit_stats(r->a, &s);
		if (s.error == error && (error || !s.pending))
			return;
		pause_ms(5);
	}
	fail_msg("the error is %d, not %d; %d events wait", s.error, error, (int)s.pending);
}

void rig_wait_written(struct audit_rig *r)
{
	rig_wait_error(r, 0);
}

int rig_verify(struct audit_rig *r, const char *first, const char *second)
{
	struct audit_expect none = {NULL, NULL};
	char a[96], b[96];
	char *files[] = {a, b};
	(void)snprintf(a, sizeof(a), "%s", first);
	(void)snprintf(b, sizeof(b), "%s", second ? second : "");
	r->err.text[0] = '\0';
	return audit_verify(files, second ? 2 : 1, &none, &r->chain, &r->err);
}

void rig_unbroken(struct audit_rig *r, const char *first, const char *second, unsigned lines)
{
	int rc = rig_verify(r, first, second);
	if (rc)
		fail_msg("%s", r->err.text);
	assert_int_equal(r->chain.lines, lines);
	assert_int_equal(r->chain.problem, AUDIT_SOUND);
}

void rig_listen(struct audit_rig *r)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", r->socket);
	r->listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(r->listener >= 0);
	assert_int_equal(bind(r->listener, (const struct sockaddr *)&at, sizeof(at)), 0);
}

void rig_hear(struct audit_rig *r, char *out, size_t room)
{
	struct pollfd p = {.fd = r->listener, .events = POLLIN};
	out[0] = '\0';
	if (poll(&p, 1, 1000) != 1)
		return;
	ssize_t n = recv(r->listener, out, room - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
}
