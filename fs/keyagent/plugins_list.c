// SPDX-License-Identifier: MIT
// The list of plug-ins for people: each describes itself in a process of its own, so one that
// crashes while being loaded costs its row and nothing else.
#include "child.h"
#include "clock.h"
#include "plugins.h"
#include "scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define DESCRIBE_MS 5000u
#define TEXT_MAX 4096

// Until end of file or the deadline. A child of the plug-in may hold the pipe open: the end of the
// process is the end, too.
static void read_all(int fd, const struct child *c, char *text, size_t room)
{
	uint64_t end = clock_boot_ns(clock_real()) + DESCRIBE_MS * NS_PER_MS;
	size_t len = 0;
	while (len < room - 1) {
		uint64_t now = clock_boot_ns(clock_real());
		struct pollfd p[] = {
			{.fd = fd, .events = POLLIN}, {.fd = c->pidfd, .events = POLLIN}};
		if (now >= end || poll(p, 2, (int)((end - now) / NS_PER_MS) + 1) < 0)
			break;
		if (!p[0].revents && p[1].revents)
			break;
		if (!p[0].revents)
			continue;
		ssize_t n = read(fd, text + len, room - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
}

// "name=value" lines. Unknown names are skipped: a newer agent may say more.
static void parse_text(char *text, struct plugin_row *row)
{
	struct {
		const char *name;
		char *out;
		size_t room;
	} fields[] = {
		{"name=", row->name, sizeof(row->name)},
		{"version=", row->version, sizeof(row->version)},
		{"description=", row->description, sizeof(row->description)},
		{"schemes=", row->schemes, sizeof(row->schemes)},
		{"problem=", row->problem, sizeof(row->problem)},
	};
	char *rest = text;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			size_t n = strlen(fields[i].name);
			if (strncmp(line, fields[i].name, n) != 0)
				continue;
			text_sanitise(line + n);
			(void)snprintf(fields[i].out, fields[i].room, "%s", line + n);
		}
	}
}

static int describe_one(const char *program, struct plugin_row *row, struct errmsg *err)
{
	int r = plugin_permitted(row->path, err);
	if (r)
		return r;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return errmsg_set(err, errno, "cannot make a pipe: %s", strerror(errno));
	int from autoclose = ends[0], to autoclose = ends[1];
	char *path autofree = strdup(program);
	if (!path)
		return errmsg_set(err, ENOMEM, "out of memory");
	char option[] = "--describe";
	char *argv[] = {path, option, row->path, NULL};
	struct child c = CHILD_NONE;
	r = child_start(
		&(struct child_spec){
			.argv = argv, .in = CHILD_NULL, .out = to, .err = CHILD_OURS, .line = -1},
		&c, err);
	if (r)
		return r;
	(void)close(TAKE_FD(to));
	char text[TEXT_MAX];
	read_all(from, &c, text, sizeof(text));
	bool went = child_ended(&c, 200);
	int status = 0;
	(void)child_end(&c, 0, &status);
	parse_text(text, row);
	if (*row->problem || (went && status == 0 && *row->version))
		return 0;
	char how[64];
	child_status_text(status, how, sizeof(how));
	if (!went)
		return errmsg_set(
			err, EIO, "did not describe itself within %u s", DESCRIBE_MS / 1000);
	return errmsg_set(err, EIO, "did not describe itself: %s", how);
}

static int wanted(const struct dirent *d)
{
	char name[PLUGIN_NAME_ROOM];
	return plugin_name(d->d_name, name, NULL) == 0;
}

static void free_names(struct dirent ***names, int count)
{
	for (int i = 0; i < count; i++)
		free((*names)[i]);
	free(*names);
}

static int fill_row(const char *program, const char *plugin_dir, const char *file,
	struct plugin_row *row, struct errmsg *why)
{
	int len = snprintf(row->path, sizeof(row->path), "%s/%s", plugin_dir, file);
	if (len < 0 || (size_t)len >= sizeof(row->path))
		return errmsg_set(why, ENAMETOOLONG, "the path is too long");
	int r = plugin_name(file, row->name, why);
	return r ? r : describe_one(program, row, why);
}

int plugins_list(const char *program, const char *plugin_dir, struct plugin_row **rows,
	size_t *count, struct errmsg *err)
{
	*rows = NULL;
	*count = 0;
	struct dirent **names = NULL;
	int n = scandir(plugin_dir, &names, wanted, alphasort);
	if (n < 0)
		return errmsg_set(err, errno, "%s: cannot list the plug-in directory: %s",
			plugin_dir, strerror(errno));
	struct plugin_row *list = calloc((size_t)n + 1, sizeof(*list));
	for (int i = 0; list && i < n; i++) {
		struct errmsg why = {.text = ""};
		if (fill_row(program, plugin_dir, names[i]->d_name, &list[i], &why))
			(void)snprintf(
				list[i].problem, sizeof(list[i].problem), "%.255s", why.text);
	}
	free_names(&names, n);
	if (!list)
		return errmsg_set(err, ENOMEM, "out of memory");
	*rows = list;
	*count = (size_t)n;
	return 0;
}
