// SPDX-License-Identifier: MIT
// One message, one line, one write: lines of different threads and processes do not mix. Nobody
// waits for the reader of the log: threads that serve requests and keep deadlines log too, so a
// line that finds a full pipe or a full socket is counted, and the count is told later. (A log
// that is sent into a file waits for that file as everybody does.)
#include "log.h"

#include "errmsg.h"
#include "scope.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SYSLOG_SOCKET "/dev/log"

struct logger {
	_Atomic enum log_level level;
	char ident[32];

	pthread_mutex_t lock;	   // guards what follows; nothing is waited for with it held
	struct sockaddr_un server; // sun_path "": stderr
	int socket;		   // to it, or -1
	unsigned lost;		   // messages since the last that got through
};

int logger_new(const char *ident, enum log_level level, struct logger **out)
{
	struct logger *log = calloc(1, sizeof *log);

	if (!log)
		return -ENOMEM;
	log->level = level;
	log->server.sun_family = AF_UNIX;
	log->socket = -1;
	(void)pthread_mutex_init(&log->lock, NULL);
	(void)snprintf(log->ident, sizeof log->ident, "%s", ident);
	text_sanitise(log->ident);
	*out = log;
	return 0;
}

static void hang_up(struct logger *log)
{
	if (log->socket >= 0)
		(void)close(log->socket);
	log->socket = -1;
}

void logger_free(struct logger **log)
{
	if (!*log)
		return;
	hang_up(*log);
	(void)pthread_mutex_destroy(&(*log)->lock);
	free(*log);
	*log = NULL;
}

void log_to_socket(struct logger *log, const char *path, enum log_level level)
{
	atomic_store(&log->level, level);
	with_lock(&log->lock);
	hang_up(log);
	(void)snprintf(log->server.sun_path, sizeof log->server.sun_path, "%s", path);
}

void log_to_syslog(struct logger *log, enum log_level level)
{
	log_to_socket(log, SYSLOG_SOCKET, level);
}

static int syslog_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARNING:
		return LOG_WARNING;
	case LOG_LEVEL_NOTICE:
		return LOG_NOTICE;
	case LOG_LEVEL_DEBUG:
		return LOG_DEBUG;
	}
	return LOG_NOTICE;
}

static bool write_stderr(const struct logger *log, const char *text)
{
	char line[sizeof(struct errmsg) + sizeof log->ident + 4];
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	int n = snprintf(line, sizeof line, "%s: %s\n", log->ident, text);

	// Room in a pipe means room for PIPE_BUF bytes, and a line is shorter.
	if (n <= 0 || poll(&p, 1, 0) != 1 || p.revents != POLLOUT)
		return false;
	return write(STDERR_FILENO, line, (size_t)n) == n;
}

// Not by syslog(3), which waits for a full socket, with a lock of its own held.
static bool send_line(struct logger *log, const char *line, size_t len)
{
	for (int tries = 0; tries < 2; tries++) {
		if (log->socket < 0) {
			log->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
			if (connect(log->socket, (const struct sockaddr *)&log->server,
				    sizeof log->server))
				break;
		}
		if (send(log->socket, line, len, MSG_NOSIGNAL) == (ssize_t)len)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
			return false;
		hang_up(log); // the syslog daemon was started anew, perhaps
	}
	hang_up(log);
	return false;
}

static bool write_syslog(struct logger *log, enum log_level level, const char *text)
{
	char line[sizeof(struct errmsg) + sizeof log->ident + 64], date[26];
	struct tm tm;
	time_t now = time(NULL);

	// "Sun Nov  2 19:39:45 2025" whatever the locale, and of it what syslog wants.
	if (!localtime_r(&now, &tm) || !asctime_r(&tm, date))
		return false;
	int n = snprintf(line, sizeof line, "<%d>%.15s %s[%d]: %s",
		LOG_DAEMON | syslog_priority(level), date + 4, log->ident, (int)getpid(), text);
	return n > 0 && send_line(log, line, (size_t)n);
}

static bool write_line(struct logger *log, enum log_level level, const char *text)
{
	return log->server.sun_path[0] ? write_syslog(log, level, text) : write_stderr(log, text);
}

void log_msg(struct logger *log, enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	struct errmsg msg;
	char lost[64];
	va_list ap;

	if (!log || level > log->level)
		return;
	va_start(ap, fmt);
	(void)errmsg_vset(&msg, 0, fmt, ap);
	va_end(ap);
	{
		with_lock(&log->lock);
		(void)snprintf(lost, sizeof lost, "messages lost before this one: %u", log->lost);
		if (log->lost && write_line(log, LOG_LEVEL_WARNING, lost))
			log->lost = 0;
		if (!write_line(log, level, msg.text))
			log->lost++;
	}
	errno = saved;
}
