// SPDX-License-Identifier: MIT
// The facts of an event as variables: secondsLeft becomes CMKDISK_SECONDS_LEFT. Objects and arrays
// are left to those who read the JSON.
#include "hooks_internal.h"

#include "clock.h"
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_ROOM 96
// The mounting shell's PATH is nothing that root's programs should be found by.
#define ROOTS_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Names come from our own table of events; whatever else may stand in one becomes '_'.
static void variable_name(const char *member, char out[NAME_ROOM])
{
	size_t n = 0;
	for (; *member && n < NAME_ROOM - 2; member++) {
		char c = *member;
		bool capital = c >= 'A' && c <= 'Z', small = c >= 'a' && c <= 'z';
		if (capital && n > 0)
			out[n++] = '_';
		if (small)
			c = (char)(c - 'a' + 'A');
		else if (!capital && !(c >= '0' && c <= '9'))
			c = '_';
		out[n++] = c;
	}
	out[n] = '\0';
}

// A program may have waited for its turn, and must not count on time that is over.
static int64_t left_now(const char *member, int64_t deadline_us, uint64_t now_us, int64_t told)
{
	const bool seconds = !strcmp(member, "secondsLeft");
	if (deadline_us <= 0 || (!seconds && strcmp(member, "msLeft") != 0))
		return told;
	const uint64_t deadline = (uint64_t)deadline_us;
	const uint64_t ms = deadline > now_us ? (deadline - now_us) / (NS_PER_MS / 1000) : 0;
	return (int64_t)(seconds ? (ms + MS_PER_S - 1) / MS_PER_S : ms);
}

struct moment {
	int64_t deadline_us; // 0 none
	uint64_t now_us;
};

// 1: *line is made; 0: the value is no scalar.
static int variable(
	const char *member, const struct json *value, const struct moment *m, char **line)
{
	char name[NAME_ROOM];
	const char *text = json_as_str(value);
	int64_t number = 0;
	bool truth = false;
	int n = 0;
	variable_name(member, name);
	if (text)
		n = asprintf(line, "CMKDISK_%s=%s", name, text);
	else if (json_as_int(value, &number))
		n = asprintf(line, "CMKDISK_%s=%" PRId64, name,
			left_now(member, m->deadline_us, m->now_us, number));
	else if (json_as_bool(value, &truth))
		n = asprintf(line, "CMKDISK_%s=%s", name, truth ? "true" : "false");
	else
		return 0;
	return n < 0 ? -ENOMEM : 1;
}

// Root's PATH; an ordinary user's runtime directory, without which cmkdisk finds no mount of
// theirs. 1: *line is made; 0: nothing is needed.
static int surroundings(char **line)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0)
		*line = strdup(ROOTS_PATH);
	else if (!dir)
		return 0;
	else if (asprintf(line, "XDG_RUNTIME_DIR=%s", dir) < 0)
		*line = NULL;
	return *line ? 1 : -ENOMEM;
}

void hook_env_free(char ***env)
{
	for (char **line = *env; line && *line; line++)
		free(*line);
	free(*env);
	*env = NULL;
}

int hook_env_new(const char *event_text, uint64_t now_us, char ***out)
{
	struct json *event scoped(json_free) = NULL;
	char **env scoped(hook_env_free) = NULL;
	const char *member = NULL;
	struct moment moment = {.now_us = now_us};
	size_t members = 0, used = 0;
	int r = json_parse(event_text, strlen(event_text), &event);
	if (r)
		return r;
	if (!json_is_object(event))
		return -EBADMSG;
	while (json_member_at(event, members, &member))
		members++;
	(void)json_int(event, "deadlineMicros", &moment.deadline_us);
	// Two more: for what comes first, and for the disk, which a script may then name without
	// asking whether there is one.
	env = calloc(members + 3, sizeof(*env));
	if (!env)
		return -ENOMEM;
	r = surroundings(&env[0]);
	if (r < 0)
		return r;
	used += r > 0;
	for (size_t i = 0; i < members; i++) {
		char *line = NULL;
		const struct json *value = json_member_at(event, i, &member);
		r = variable(member, value, &moment, &line);
		if (r < 0)
			return r;
		if (r > 0)
			env[used++] = line;
	}
	if (!json_str(event, "disk") && !(env[used] = strdup("CMKDISK_DISK=")))
		return -ENOMEM;
	*out = TAKE(env);
	return 0;
}
