// SPDX-License-Identifier: MIT
// Lines of text over a socket with a deadline.
#include "line.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define CHUNK 4096u

void line_buffer_free(struct line_buffer *b)
{
	free(b->data);
	*b = (struct line_buffer){0};
}

uint64_t line_now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t line_deadline(unsigned timeout_ms)
{
	return timeout_ms ? line_now_ms() + timeout_ms : LINE_NO_DEADLINE;
}

#define POLL_FOREVER (-1)

static int ms_left(uint64_t deadline)
{
	if (deadline == LINE_NO_DEADLINE)
		return POLL_FOREVER;
	uint64_t now = line_now_ms();
	if (now >= deadline)
		return 0;
	return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}

int line_wait(int fd, short events, int stop_fd, uint64_t deadline)
{
	for (;;) {
		struct pollfd p[2] = {
			{.fd = fd, .events = events}, {.fd = stop_fd, .events = POLLIN}};
		int n = poll(p, 2, ms_left(deadline));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[1].revents)
			return -ECANCELED;
		if (n > 0)
			return 0;
		if (n == 0 && ms_left(deadline) == 0)
			return -ETIMEDOUT;
	}
}

static int make_room(struct line_buffer *b)
{
	if (b->room - b->used > CHUNK)
		return 0;
	size_t room = b->room * 2 + 2 * CHUNK;
	char *data = realloc(b->data, room);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->room = room;
	return 0;
}

static int fill(int fd, struct line_buffer *b, int stop_fd, uint64_t deadline)
{
	int r = make_room(b);
	if (!r)
		r = line_wait(fd, POLLIN, stop_fd, deadline);
	if (r)
		return r;
	// One byte stays free for the NUL.
	ssize_t n = recv(fd, b->data + b->used, b->room - b->used - 1, MSG_DONTWAIT);
	if (n == 0)
		return -ENODATA;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	b->used += (size_t)n;
	return 0;
}

int line_read(int fd, struct line_buffer *b, size_t max, int stop_fd, uint64_t deadline,
	char **line, size_t *len)
{
	if (b->taken > 0) {
		b->used -= b->taken;
		memmove(b->data, b->data + b->taken, b->used);
		b->taken = 0;
	}
	for (size_t seen = 0;;) {
		char *end = b->used > seen ? memchr(b->data + seen, '\n', b->used - seen) : NULL;
		seen = end ? (size_t)(end - b->data) : b->used;
		if (seen > max)
			return -EMSGSIZE;
		if (end) {
			*end = '\0';
			*line = b->data;
			*len = seen;
			b->taken = seen + 1;
			return 0;
		}
		int r = fill(fd, b, stop_fd, deadline);
		if (r)
			return r;
	}
}

static int send_all(int fd, const char *data, size_t len, int flags, uint64_t deadline)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
		if (n >= 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = line_wait(fd, POLLOUT, -1, deadline);
		if (r)
			return r;
	}
	return 0;
}

int line_write(int fd, const char *text, uint64_t deadline)
{
	int r = send_all(fd, text, strlen(text), MSG_MORE, deadline);
	return r ? r : send_all(fd, "\n", 1, 0, deadline);
}
