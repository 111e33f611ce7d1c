// SPDX-License-Identifier: MIT
// SOCK_SEQPACKET: a frame is a packet, so whatever else a provider writes to the line can never be
// taken for the middle of one.
#include "peer.h"

#include "clock.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int watch_fd(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int peer_start(struct peer *p, const char *program, bool quiet, struct errmsg *err)
{
	*p = PEER_NONE;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return errmsg_set(err, errno, "cannot make a socket pair: %s", strerror(errno));
	int ours autoclose = pair[0], theirs autoclose = pair[1];
	int poll_fd autoclose = epoll_create1(EPOLL_CLOEXEC);
	if (poll_fd < 0)
		return errmsg_set(err, errno, "cannot make an epoll set: %s", strerror(errno));

	char fd_text[] = {'0' + CHILD_LINE_FD, '\0'};
	char fd_option[] = "--fd";
	char *path autofree = strdup(program);
	if (!path)
		return errmsg_set(err, ENOMEM, "out of memory");
	char *argv[] = {path, fd_option, fd_text, NULL};
	int r = child_start(&(struct child_spec){.argv = argv,
				    .in = CHILD_NULL,
				    .out = CHILD_NULL,
				    .err = quiet ? CHILD_NULL : CHILD_OURS,
				    .line = theirs},
		&p->child, err);
	if (r)
		return r;
	p->sock = TAKE_FD(ours);
	p->poll_fd = TAKE_FD(poll_fd);
	r = watch_fd(p->poll_fd, p->sock);
	if (r == 0)
		r = watch_fd(p->poll_fd, p->child.pidfd);
	if (r == 0)
		return 0;
	int status = 0;
	(void)peer_end(p, 0, &status);
	return errmsg_set(err, -r, "cannot watch a key agent: %s", strerror(-r));
}

bool peer_end(struct peer *p, uint32_t patience_ms, int *status)
{
	// Half a close: the agent reads the end of its questions and may still close its session.
	if (p->sock >= 0)
		(void)shutdown(p->sock, SHUT_WR);
	bool gone = child_end(&p->child, patience_ms, status);
	scope_close(&p->sock);
	scope_close(&p->poll_fd);
	p->sock = -1;
	p->poll_fd = -1;
	return gone;
}

// Rounded up, so that the caller does not spin through the last millisecond.
static int ms_until(uint64_t end_ns)
{
	uint64_t now = clock_boot_ns(clock_real());
	if (now >= end_ns)
		return 0;
	uint64_t ms = (end_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

// Waits for the line, or for the end of the process. 0: look again.
static int wait_line(struct peer *p, short events, struct patience until)
{
	struct pollfd fds[] = {
		{.fd = p->sock, .events = events},
		{.fd = p->child.pidfd, .events = POLLIN},
		{.fd = until.cancel_fd, .events = POLLIN},
	};
	int ms = ms_until(until.end_ns);
	int r = poll(fds, 3, ms);
	if (r < 0 && errno != EINTR)
		return -errno;
	if (r == 0 && ms == 0)
		return -ETIMEDOUT;
	if (r > 0 && fds[2].revents)
		return -ECANCELED;
	// A child of the provider may still hold the line open: the process is what counts.
	if (r > 0 && fds[1].revents && !(fds[0].revents & events))
		return -EPIPE;
	return 0;
}

int peer_send(struct peer *p, const void *frame, size_t len, struct patience until)
{
	for (;;) {
		ssize_t n = send(p->sock, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			return 0; // a packet goes whole or not at all
		if (errno == EPIPE || errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_line(p, POLLOUT, until);
		if (r)
			return r;
	}
}

int peer_receive(struct peer *p, struct secret *buf, size_t *len, struct patience until)
{
	for (;;) {
		ssize_t n = recv(p->sock, buf->data, buf->len, MSG_DONTWAIT | MSG_TRUNC);
		if (n > 0) {
			*len = (size_t)n;
			return *len > buf->len ? -EBADMSG : 0;
		}
		if (n == 0 || errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_line(p, POLLIN, until);
		if (r)
			return r;
	}
}
