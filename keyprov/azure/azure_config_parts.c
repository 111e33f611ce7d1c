// SPDX-License-Identifier: MIT
// The small readings that azure_config_read() is made of; see azure_config_read.h.
#include "azure_config_read.h"
#include "azure_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SECRET_FILE_MAX 8192

const char *config_env(const struct config_reader *r, const char *name)
{
	size_t len = strlen(name);
	for (const char *const *p = r->environment; p && *p; p++)
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			return *p + len + 1;
	return "";
}

enum cmk_verdict config_text(const struct config_reader *r, const struct kp_json *object,
	const char *where, const char *name, const char **out)
{
	const struct kp_json *member = kp_json_get(object, name);
	if (kp_json_is_null(member))
		return CMK_GRANTED;
	const char *text = kp_json_text(member);
	if (!text)
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: %s.%s must be a text in quotes", where, name);
	*out = text;
	return CMK_GRANTED;
}

enum cmk_verdict config_flag(const struct config_reader *r, const struct kp_json *object,
	const char *where, const char *name, bool *out)
{
	if (kp_json_is_null(kp_json_get(object, name)) || kp_json_bool(object, name, out))
		return CMK_GRANTED;
	return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"key set: %s.%s must be true or false, without quotes", where, name);
}

static void list_names(const char *const *names, char *out, size_t room)
{
	size_t used = 0;
	for (const char *const *p = names; *p && used < room; p++) {
		int n = snprintf(out + used, room - used, "%s%s", used ? ", " : "", *p);
		used += (size_t)n;
	}
}

enum cmk_verdict config_known(const struct config_reader *r, const struct kp_json *object,
	const char *where, const char *const *names)
{
	char list[400];
	for (const struct kp_json *j = kp_json_first_member(object); j; j = kp_json_next(j)) {
		const char *const *p = names;
		while (*p && strcmp(*p, kp_json_name(j)) != 0)
			p++;
		if (*p)
			continue;
		list_names(names, list, sizeof(list));
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: %s has no member '%.64s'; it may have %s", where, kp_json_name(j),
			list);
	}
	return CMK_GRANTED;
}

static enum cmk_verdict unreadable(
	const struct config_reader *r, const char *what, const char *path, const char *why)
{
	return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE, "key set: %s names %s: %s",
		what, path, why);
}

// NULL, or why the open file is not taken.
static const char *unfit(int fd)
{
	struct stat st;
	const char *why = azure_file_unfit(fd, AZURE_FILE_SECRET);
	if (why)
		return why;
	if (fstat(fd, &st))
		return strerror(errno);
	if (st.st_size > SECRET_FILE_MAX)
		return "this file is too long for a secret";
	return NULL;
}

enum cmk_verdict config_secret_file(
	const struct config_reader *r, const char *what, const char *path, char **out)
{
	const struct cmk_host *host = r->host;
	if (*path != '/')
		return unreadable(r, what, path, "write the full path");
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return unreadable(r, what, path, strerror(errno));
	const char *why = unfit(fd);
	if (why)
		return unreadable(r, what, path, why);
	char *text = host->secret_alloc(host, SECRET_FILE_MAX + 1);
	if (!text)
		return kp_outcome_set(
			r->o, CMK_UNREACHABLE, CMK_REASON_NONE, "no locked memory for a secret");
	ssize_t n = read(fd, text, SECRET_FILE_MAX);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	if (n <= 0 || strlen(text) != (size_t)n) {
		host->secret_free(host, text);
		return unreadable(
			r, what, path, n < 0 ? strerror(errno) : "it holds no text to use");
	}
	*out = text;
	return CMK_GRANTED;
}
