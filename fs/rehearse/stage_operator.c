// SPDX-License-Identifier: MIT
// The operator's key: a key set that mounts as any other, and a person who is asked.
#include "stage_operator.h"

#include "clock.h"
#include "fileio.h"
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SET_MAX (1024 * 1024)
#define ROOM 1024

struct person {
	bool listens;	  // there is a terminal on which Enter can be pressed
	uint64_t done_us; // when it was
	enum act undo;	  // still to be asked for; ACT_NONE nothing
};

static bool available(const struct programs *p)
{
	return p->cmkdisk != NULL;
}

static int write_set(struct stage *s, struct errmsg *err)
{
	struct json *set scoped(json_free) = NULL, *key = NULL;
	char *text autofree = NULL;
	int n = snprintf(s->set, sizeof(s->set), "%s/set.json", s->dir);
	if (n < 0 || (size_t)n >= sizeof(s->set))
		return errmsg_set(err, ENAMETOOLONG, "%s: too long a path", s->dir);
	int r = json_object(&set);
	if (!r)
		r = json_object(&key);
	if (!r)
		r = json_add(set, "activeKey", key);
	if (!r)
		r = json_add_str(json_member(set, "activeKey"), "keyUrl", s->key_url);
	if (!r)
		r = json_print(set, true, &text);
	return r ? errmsg_set(err, -r, "no memory for a key set") : stage_write(s->set, text, err);
}

static int start(struct stage *s, struct errmsg *err)
{
	struct person *p = calloc(1, sizeof(*p));
	s->own = p;
	if (!p)
		return errmsg_set(err, ENOMEM, "no memory");
	// In the background, to read from the terminal would stop us.
	p->listens = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
	return s->set[0] ? 0 : write_set(s, err);
}

static void ask(const char *now, const char *sentence, const char *command)
{
	fprintf(stderr, "\n%s: %s.\n", now, sentence);
	if (command[0])
		fprintf(stderr, "    %s\n", command);
}

static int act(struct stage *s, enum act a, struct errmsg *err)
{
	struct person *p = s->own;
	char sentence[ROOM], command[ROOM];
	if (a == ACT_NONE)
		return 0;
	if (!operator_ask(s->ops->provider, a, s->key_url, sentence, command, ROOM))
		return errmsg_set(err, EOPNOTSUPP, "nobody can be asked for this");
	p->done_us = 0;
	if (p->listens)
		(void)tcflush(
			STDIN_FILENO, TCIFLUSH); // no Enter that was pressed for something else
	p->undo = operator_undo(a);
	ask("Do this now", sentence, command);
	if (p->listens)
		fprintf(stderr, "Press Enter at the moment at which it is done.\n");
	fprintf(stderr, "\n");
	return 0;
}

static uint64_t done_us(struct stage *s)
{
	struct person *p = s->own;
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64];
	if (p->done_us || !p->listens || poll(&fd, 1, 0) <= 0)
		return p->done_us;
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));
	if (n > 0)
		p->done_us = clock_boot_ns(clock_real()) / 1000;
	else if (n == 0)
		p->listens = false;
	return p->done_us;
}

// A rehearsal that was broken off must not leave the key as it is.
static void end(struct stage *s)
{
	struct person *p = s->own;
	char sentence[ROOM], command[ROOM];
	if (p && p->undo &&
		operator_ask(s->ops->provider, p->undo, s->key_url, sentence, command, ROOM))
		ask("The rehearsal is over; if you did the last thing asked for, undo it", sentence,
			command);
	free(s->own);
	s->own = NULL;
}

static bool can_azure(enum act a)
{
	return operator_can("azure", a);
}

static bool can_file(enum act a)
{
	return operator_can("file", a);
}

static bool can_pkcs11(enum act a)
{
	return operator_can("pkcs11", a);
}

#define BY_HAND(name, which)                                                                \
	{                                                                                   \
		.provider = (name), .available = available, .start = start, .can = (which), \
		.act = act, .end = end, .by_hand = true, .done_us = done_us                 \
	}
static const struct stage_ops by_hand_azure = BY_HAND("azure", can_azure);
static const struct stage_ops by_hand_file = BY_HAND("file", can_file);
static const struct stage_ops by_hand_pkcs11 = BY_HAND("pkcs11", can_pkcs11);

// Children run in / : what they are handed is absolute.
static int take_set(const char *set, struct stage *s, struct errmsg *err)
{
	char path[PATH_MAX], *text autofree = NULL;
	struct json *j scoped(json_free) = NULL;
	size_t len;
	if (!realpath(set, path))
		return errmsg_set(err, errno, "%s: %m", set);
	int r = read_text_file(path, SET_MAX, &text, &len, err);
	if (r)
		return r;
	r = json_parse(text, len, &j);
	const char *url = json_str(json_get(j, "activeKey"), "keyUrl");
	if (r || !url)
		return errmsg_set(err, EBADMSG,
			"%s: no key set; expected JSON with activeKey.keyUrl, as cmkdisk-keyset(5) "
			"describes it",
			path);
	if (strlen(path) >= sizeof(s->set) || strlen(url) >= sizeof(s->key_url))
		return errmsg_set(
			err, ENAMETOOLONG, "%s: its path or its key URL is too long", path);
	(void)snprintf(s->set, sizeof(s->set), "%s", path);
	(void)snprintf(s->key_url, sizeof(s->key_url), "%s", url);
	return 0;
}

int stage_by_hand(const char *key_url, const char *set, struct stage *s, struct errmsg *err)
{
	s->set[0] = '\0';
	if (set) {
		int r = take_set(set, s, err);
		if (r)
			return r;
	} else {
		if (strlen(key_url) >= sizeof(s->key_url))
			return errmsg_set(err, ENAMETOOLONG, "the key URL is too long");
		(void)snprintf(s->key_url, sizeof(s->key_url), "%s", key_url);
	}
	if (strncmp(s->key_url, "https:", 6) == 0 || strncmp(s->key_url, "http:", 5) == 0)
		s->ops = &by_hand_azure;
	else if (strncmp(s->key_url, "file:", 5) == 0)
		s->ops = &by_hand_file;
	else if (strncmp(s->key_url, "pkcs11:", 7) == 0)
		s->ops = &by_hand_pkcs11;
	else
		return errmsg_set(err, EINVAL,
			"%.*s: no key that can be rehearsed; expected an https:, pkcs11: or file: "
			"URL",
			(int)strcspn(s->key_url, "?"), s->key_url);
	return 0;
}
