// SPDX-License-Identifier: MIT
// A stage with a key bundle of the file provider, changed as its owner would change it.
#include "stage.h"

#include "command.h"
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 4

// The bundle lies in a directory of its own, which can be away as a whole: then nobody can say what
// became of the key.
struct bundle {
	char keys[300], keys_away[320], file[320], file_away[340];
	char former[128]; // the version before the newest, after a rotation
};

static const char *const verbs[ACTS][WORDS_MAX] = {
	[ACT_DISABLE] = {"disable"},
	[ACT_ENABLE] = {"enable"},
	[ACT_DELETE] = {"delete"},
	[ACT_RECOVER] = {"recover"},
	[ACT_EXPIRE] = {"expire"},
	[ACT_UNEXPIRE] = {"expire", "--never"},
	[ACT_ROTATE] = {"rotate"},
	[ACT_DISABLE_OLD] = {"disable", "--version", "%"},
	[ACT_ENABLE_OLD] = {"enable"},
};

static bool available(const struct programs *p)
{
	return p->keyfile != NULL;
}

static bool can(enum act a)
{
	return verbs[a][0] || a == ACT_REMOVE_FILE || a == ACT_RESTORE_FILE || a == ACT_OUTAGE ||
	       a == ACT_OUTAGE_OVER;
}

static int keyfile(
	struct stage *s, const char *const words[WORDS_MAX], char **out, struct errmsg *err)
{
	struct bundle *b = s->own;
	const char *argv[WORDS_MAX + 4] = {s->programs->cmkdisk, "keyfile"};
	size_t n = 2;
	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[n++] = strcmp(words[i], "%") ? words[i] : b->former;
	argv[n] = b->file;
	return command_run((char *const *)argv, NULL, COMMAND_TIMEOUT_MS, out, err);
}

// Which version is the newest now.
static int note_version(struct stage *s, struct errmsg *err)
{
	struct bundle *b = s->own;
	const char *const show[WORDS_MAX] = {"show", "--json"};
	char *text autofree = NULL;
	struct json *j scoped(json_free) = NULL;
	int rc = keyfile(s, show, &text, err);
	if (rc)
		return rc;
	int64_t newest = -1;
	if (json_parse(text, strlen(text), &j))
		return errmsg_set(err, EBADMSG, "%s: shown in another form", b->file);
	const struct json *versions = json_get(j, "versions");
	for (size_t i = 0; i < json_array_len(versions); i++) {
		const struct json *v = json_array_at(versions, i);
		const char *name = json_str(v, "version");
		int64_t created = 0;
		if (!name || !json_int(json_get(v, "attributes"), "created", &created) ||
			created <= newest)
			continue;
		newest = created;
		(void)snprintf(b->former, sizeof(b->former), "%s", name);
	}
	return 0;
}

static int start(struct stage *s, struct errmsg *err)
{
	struct bundle *b = calloc(1, sizeof(*b));
	s->own = b;
	if (!b)
		return errmsg_set(err, ENOMEM, "no memory");
	int rc = stage_directory(s, "keys", b->keys, sizeof(b->keys), err);
	if (rc)
		return rc;
	(void)snprintf(b->keys_away, sizeof(b->keys_away), "%s.away", b->keys);
	(void)snprintf(b->file, sizeof(b->file), "%s/key.json", b->keys);
	(void)snprintf(b->file_away, sizeof(b->file_away), "%s.away", b->file);
	(void)snprintf(s->set, sizeof(s->set), "%s/set.json", s->dir);
	const char *const make[WORDS_MAX] = {"new"};
	rc = keyfile(s, make, NULL, err);
	int n = snprintf(s->key_url, sizeof(s->key_url), "file:%s", b->file);
	if (!rc && (n < 0 || (size_t)n >= sizeof(s->key_url)))
		rc = errmsg_set(err, ENAMETOOLONG, "%s: too long a path", b->file);
	struct json *set scoped(json_free) = NULL, *key = NULL;
	char *text autofree = NULL;
	if (rc)
		return rc;
	rc = json_object(&set);
	if (!rc)
		rc = json_object(&key);
	if (!rc)
		rc = json_add_str(key, "keyUrl", s->key_url);
	if (!rc)
		rc = json_add(set, "activeKey", key);
	if (!rc)
		rc = json_print(set, true, &text);
	return rc ? errmsg_set(err, -rc, "%s", strerror(-rc)) : stage_write(s->set, text, err);
}

static int move(const char *from, const char *to, struct errmsg *err)
{
	return rename(from, to)
		       ? errmsg_set(err, errno, "%s: cannot be renamed to %s: %m", from, to)
		       : 0;
}

static int act(struct stage *s, enum act a, struct errmsg *err)
{
	struct bundle *b = s->own;
	switch (a) {
	case ACT_REMOVE_FILE:
		return move(b->file, b->file_away, err);
	case ACT_RESTORE_FILE:
		return move(b->file_away, b->file, err);
	case ACT_OUTAGE:
		return move(b->keys, b->keys_away, err);
	case ACT_OUTAGE_OVER:
		return move(b->keys_away, b->keys, err);
	default:
		break;
	}
	int rc = a == ACT_ROTATE ? note_version(s, err) : 0;
	return rc ? rc : keyfile(s, verbs[a], NULL, err);
}

static void end(struct stage *s)
{
	free(s->own);
	s->own = NULL;
}

const struct stage_ops stage_file = {.provider = "file",
	.available = available,
	.start = start,
	.can = can,
	.act = act,
	.end = end};
