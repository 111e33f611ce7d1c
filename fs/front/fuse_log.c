// SPDX-License-Identifier: MIT
// libfuse writes its messages to stderr through one function for the whole process. This file
// turns them to our logger, and keeps the latest one for the sentence that front_new() owes.
#include "front_internal.h"

#include "log.h"

#include <fuse_log.h>
#include <stdio.h>
#include <string.h>

// libfuse passes no context to the function, so this is the one mutable global of the program's
// libraries: with several fronts in one process their messages go to the latest one's logger.
static struct {
	pthread_mutex_t lock;
	struct logger *log;
	char last[256];
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum log_level level_of(enum fuse_log_level level)
{
	if (level <= FUSE_LOG_ERR)
		return LOG_LEVEL_ERROR;
	if (level == FUSE_LOG_WARNING)
		return LOG_LEVEL_WARNING;
	return level <= FUSE_LOG_INFO ? LOG_LEVEL_NOTICE : LOG_LEVEL_DEBUG;
}

static void keep_message(enum fuse_log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void keep_message(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char text[sizeof(sink.last)];
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	const char *start = strncmp(text, "fuse: ", 6) == 0 ? text + 6 : text;

	(void)pthread_mutex_lock(&sink.lock);
	(void)snprintf(sink.last, sizeof(sink.last), "%s", start);
	struct logger *log = sink.log;
	(void)pthread_mutex_unlock(&sink.lock);
	log_msg(log, level_of(level), "libfuse: %s", start);
}

static void route(struct logger *log, fuse_log_func_t func)
{
	(void)pthread_mutex_lock(&sink.lock);
	sink.log = log;
	sink.last[0] = '\0';
	(void)pthread_mutex_unlock(&sink.lock);
	fuse_set_log_func(func);
}

void fuse_log_route(struct logger *log)
{
	route(log, keep_message);
}

void fuse_log_unroute(void)
{
	route(NULL, NULL);
}

void fuse_log_last(char *out, size_t room)
{
	(void)pthread_mutex_lock(&sink.lock);
	(void)snprintf(out, room, "%s", sink.last);
	(void)pthread_mutex_unlock(&sink.lock);
}
