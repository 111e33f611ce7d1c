// SPDX-License-Identifier: MIT
// Where the daemon's and the agent's messages go. A logger is an object handed to those who log;
// there is no global one. Never given a secret.
#ifndef CMK_LOG_H
#define CMK_LOG_H

#include "attr.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_DEBUG };

struct logger;

// Writes "ident: text" to stderr, and, once log_to_syslog() was called, to syslog instead, at a
// level of its own. Level: messages less urgent than it are dropped. Logging never waits for a
// reader: what a full pipe, terminal or syslog cannot take is lost, and counted in a later line.
int logger_new(const char *ident, enum log_level level, struct logger **out) must_use;
void logger_free(struct logger **log);
void log_to_syslog(struct logger *log, enum log_level level);
// As log_to_syslog(), to a syslog daemon that listens elsewhere than at /dev/log.
void log_to_socket(struct logger *log, const char *path, enum log_level level);

// Any thread. Preserves errno. One line; control characters are replaced. A NULL logger drops it.
void log_msg(struct logger *log, enum log_level level, const char *fmt, ...) printf_like(3, 4);
#define log_error(log, ...) log_msg(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_msg(log, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(log, ...) log_msg(log, LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_debug(log, ...) log_msg(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
