// SPDX-License-Identifier: MIT
// One message, one line, one write: lines of different threads and processes do not mix.
#include "log.h"

#include "errmsg.h"
#include "fileio.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

struct logger {
	_Atomic enum log_level level;
	atomic_bool to_syslog;
	char ident[32];
};

int logger_new(const char *ident, enum log_level level, struct logger **out)
{
	struct logger *log = calloc(1, sizeof *log);

	if (!log)
		return -ENOMEM;
	log->level = level;
	(void)snprintf(log->ident, sizeof log->ident, "%s", ident);
	text_sanitise(log->ident);
	*out = log;
	return 0;
}

void logger_free(struct logger **log)
{
	// openlog() kept a pointer to our ident.
	if (*log && atomic_load(&(*log)->to_syslog))
		closelog();
	free(*log);
	*log = NULL;
}

void log_to_syslog(struct logger *log, enum log_level level)
{
	atomic_store(&log->level, level);
	openlog(log->ident, LOG_PID, LOG_DAEMON);
	atomic_store(&log->to_syslog, true);
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

static void write_stderr(const struct logger *log, const char *text)
{
	char line[sizeof(struct errmsg) + sizeof log->ident + 4];
	int n = snprintf(line, sizeof line, "%s: %s\n", log->ident, text);

	// Nobody is left to tell when stderr itself fails.
	if (n > 0 && write_full(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void log_msg(struct logger *log, enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	struct errmsg msg;
	va_list ap;

	if (!log || level > log->level)
		return;
	va_start(ap, fmt);
	(void)errmsg_vset(&msg, 0, fmt, ap);
	va_end(ap);
	if (atomic_load(&log->to_syslog))
		syslog(syslog_priority(level), "%s", msg.text);
	else
		write_stderr(log, msg.text);
	errno = saved;
}
