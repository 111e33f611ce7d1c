// SPDX-License-Identifier: MIT
// Lines of text over a socket with a deadline: what both ends of the control protocol do.
#ifndef CMK_CTL_LINE_H
#define CMK_CTL_LINE_H

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

#define LINE_NO_DEADLINE UINT64_MAX

// Bytes read and not used yet. Zero-filled to begin with; freed with line_buffer_free().
struct line_buffer {
	char *data;
	size_t used, room;
	size_t taken; // of used, by the line handed out last
};

void line_buffer_free(struct line_buffer *b); // for scoped()

// CLOCK_MONOTONIC in milliseconds, and a moment from now; 0 = LINE_NO_DEADLINE.
uint64_t line_now_ms(void);
uint64_t line_deadline(unsigned timeout_ms);

// Waits until fd can be read, deadline, or stop_fd (-1: none) can be read. 0, -ETIMEDOUT,
// -ECANCELED, -errno.
int line_wait(int fd, short events, int stop_fd, uint64_t deadline) must_use;

// The next line, without its '\n', NUL-terminated, in *line until the next call. -EMSGSIZE if it is
// longer than max, -ENODATA at the end of the stream, and as line_wait().
int line_read(int fd, struct line_buffer *b, size_t max, int stop_fd, uint64_t deadline,
	char **line, size_t *len) must_use;
// Sends text and '\n'. Does not raise SIGPIPE. As line_wait().
int line_write(int fd, const char *text, uint64_t deadline) must_use;

#endif
