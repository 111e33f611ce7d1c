// SPDX-License-Identifier: MIT
// A line goes out whole or not at all: half a line has no hash.
#include "audit_stream.h"

#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

void audit_stream_close(struct audit_stream *s)
{
	scope_close(&s->socket);
	s->socket = -1;
}

// Room in a pipe means room for PIPE_BUF bytes, written as one.
static int to_stderr(const char *line, size_t len)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	if (len + 1 > PIPE_BUF)
		return -EMSGSIZE;
	if (poll(&p, 1, 0) != 1)
		return -EAGAIN;
	if (p.revents != POLLOUT)
		return -EPIPE;
	ssize_t n = write(STDERR_FILENO, line, len + 1);
	if (n < 0)
		return -errno;
	return (size_t)n == len + 1 ? 0 : -EIO;
}

static int hang_up(struct audit_stream *s, int errnum)
{
	audit_stream_close(s);
	return -errnum;
}

static int connect_journal(struct audit_stream *s)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t len = strlen(s->journal);
	if (len >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	memcpy(at.sun_path, s->journal, len);
	s->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->socket < 0)
		return -errno;
	if (connect(s->socket, (const struct sockaddr *)&at, sizeof(at)))
		return hang_up(s, errno);
	return 0;
}

static int send_datagram(struct audit_stream *s, struct msghdr *m)
{
	int rc = 0;
	// The second time after the syslog daemon was started anew.
	for (int tries = 0; tries < 2; tries++) {
		if (s->socket < 0)
			rc = connect_journal(s);
		if (rc)
			return rc;
		if (sendmsg(s->socket, m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
			return -EAGAIN;
		if (errno == EMSGSIZE)
			return -EMSGSIZE;
		rc = hang_up(s, errno);
		if (!tries)
			rc = 0;
	}
	return rc;
}

// As syslog(3) would frame it, but that waits for a full socket.
static int to_journal(struct audit_stream *s, const char *line, size_t len)
{
	char frame[96], date[26];
	struct tm tm;
	time_t now = time(NULL);
	if (!localtime_r(&now, &tm) || !asctime_r(&tm, date))
		return -EOVERFLOW;
	int n = snprintf(frame, sizeof(frame),
		"<%d>%.15s cmkdisk-audit[%d]: ", LOG_AUTHPRIV | LOG_NOTICE, date + 4,
		(int)getpid());
	struct iovec parts[] = {{frame, (size_t)n}, {(void *)line, len}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
	return send_datagram(s, &m);
}

int audit_stream_send(struct audit_stream *s, const char *line, size_t len)
{
	if (!s->journal)
		return s->to_stderr ? to_stderr(line, len) : 0;
	int journal = to_journal(s, line, len);
	if (!s->to_stderr)
		return journal;
	int rc = to_stderr(line, len);
	if (!rc != !journal)
		s->missed++;
	return rc ? journal : 0;
}
