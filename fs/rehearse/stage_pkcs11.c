// SPDX-License-Identifier: MIT
// A SoftHSM of the rehearsal's own. The token's files are its backup: what a real HSM brings back
// from one, the copies of the key's objects bring back here.
#include "command.h"
#include "json.h"
#include "scope.h"
#include "stage.h"
#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TOKEN "rehearsal"
#define KEY_URL "pkcs11:token=" TOKEN ";object=disk"
// It protects nothing: whoever can read the token's files, in a private directory, needs no PIN.
#define PIN "rehearsal"

// While a process logs in, SoftHSM 2.6 rewrites the token's file, and shows no token to others.
#define TRIES 30u
#define TRY_AGAIN_MS 100

struct token {
	char tokens[280], drawer[280], backup[280]; // directories
	char name[64];				    // of the token's directory in the first two
	char url[1024];				    // of the key, with all that is needed to use it
	char conf[320];				    // the environment's line
	char *environment[2];
};

static const char *module_path(void)
{
	static const char *const paths[] = {"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/lib/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return NULL;
}

static bool available(const struct programs *p)
{
	char util[64];
	return p->tokenkey && module_path() && tool_find("softhsm2-util", util, sizeof(util));
}

// cmkdisk-tokenkey VERB --key URL [OPTION VALUE [OPTION]]
static int tokenkey(struct stage *s, const char *verb, const char *const option[3], char **out,
	struct errmsg *err)
{
	struct token *t = s->own;
	const char *argv[] = {s->programs->tokenkey, verb, "--key", t->url, option[0], option[1],
		option[2], NULL};
	const struct timespec again = {.tv_nsec = TRY_AGAIN_MS * 1000000L};
	int r = -EIO;
	for (unsigned i = 0; i < TRIES && r == -EIO; i++) {
		if (i > 0)
			(void)nanosleep(&again, NULL);
		r = command_run((char *const *)argv, s->environment, COMMAND_TIMEOUT_MS, out, err);
	}
	return r;
}

// The verb for each version, oldest first; of the newest only if wanted.
static int each_version(struct stage *s, const char *verb, const char *option, const char *value,
	bool newest_too, struct errmsg *err)
{
	char *text autofree = NULL;
	struct json *shown scoped(json_free) = NULL;
	int r = tokenkey(s, "show", (const char *const[]){"--json", NULL, NULL}, &text, err);
	if (!r && json_parse(text, strlen(text), &shown) < 0)
		r = errmsg_set(err, EBADMSG, "cmkdisk tokenkey show printed no JSON");
	if (r)
		return r;
	const struct json *versions = json_get(shown, "versions");
	const char *newest = json_str(shown, "newest");
	for (size_t i = 0; i < json_array_len(versions) && !r; i++) {
		const char *version = json_str(json_array_at(versions, i), "version");
		if (!version || (!newest_too && newest && strcmp(version, newest) == 0))
			continue;
		char which[96];
		(void)snprintf(which, sizeof(which), "--version=%s", version);
		r = tokenkey(s, verb, (const char *const[]){which, option, value}, NULL, err);
	}
	return r;
}

static int dates(struct stage *s, const char *which, int days, struct errmsg *err)
{
	char day[32];
	time_t then = time(NULL) + (time_t)days * 24 * 60 * 60;
	struct tm tm;
	if (!gmtime_r(&then, &tm) || strftime(day, sizeof(day), "%Y-%m-%d", &tm) == 0)
		return errmsg_set(err, EOVERFLOW, "the system's date is unusable");
	return each_version(s, "dates", which, day, true, err);
}

static int copy_file(const char *from, const char *to)
{
	int in autoclose = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int out autoclose = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	ssize_t n;
	do
		n = copy_file_range(in, NULL, out, NULL, 1024 * 1024, 0);
	while (n > 0);
	return n < 0 ? -errno : 0;
}

// Of what a token's directory holds: what is the token itself, and changes with every login.
static bool is_key_file(const char *name)
{
	return strcmp(name, "generation") == 0 ||
	       (name[0] != '.' && strncmp(name, "token.", 6) != 0);
}

static void scope_closedir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static int copy_objects(const char *from, const char *to, struct errmsg *err)
{
	DIR *d scoped(scope_closedir) = opendir(from);
	int r = d ? 0 : -errno;
	for (struct dirent *e; !r && (e = readdir(d));) {
		char a[640], b[640];
		if (!is_key_file(e->d_name))
			continue;
		(void)snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
		(void)snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
		r = copy_file(a, b);
	}
	return r ? errmsg_set(err, -r, "the token's files in %s cannot be copied to %s: %s", from,
			   to, strerror(-r))
		 : 0;
}

static int destroy_object(struct stage *s, struct errmsg *err)
{
	struct token *t = s->own;
	char live[360];
	(void)snprintf(live, sizeof(live), "%s/%s", t->tokens, t->name);
	int r = copy_objects(live, t->backup, err);
	return r ? r
		 : tokenkey(s, "destroy", (const char *const[]){"--all", "--yes", NULL}, NULL, err);
}

static int restore_object(struct stage *s, struct errmsg *err)
{
	struct token *t = s->own;
	char live[360];
	(void)snprintf(live, sizeof(live), "%s/%s", t->tokens, t->name);
	return copy_objects(t->backup, live, err);
}

static int move_token(struct stage *s, const char *from, const char *to, struct errmsg *err)
{
	const struct token *t = s->own;
	char a[360], b[360];
	(void)snprintf(a, sizeof(a), "%s/%s", from, t->name);
	(void)snprintf(b, sizeof(b), "%s/%s", to, t->name);
	return rename(a, b) ? errmsg_set(err, errno, "%s cannot be moved to %s: %m", a, b) : 0;
}

static bool can(enum act a)
{
	switch (a) {
	case ACT_NONE:
	case ACT_DISABLE:
	case ACT_ENABLE:
	case ACT_EXPIRE:
	case ACT_UNEXPIRE:
	case ACT_NOT_YET:
	case ACT_VALID:
	case ACT_ROTATE:
	case ACT_DISABLE_OLD:
	case ACT_ENABLE_OLD:
	case ACT_DESTROY_OBJECT:
	case ACT_RESTORE_OBJECT:
	case ACT_PULL_TOKEN:
	case ACT_PUSH_TOKEN:
	case ACT_OUTAGE: // nobody is there to ask, which is all that a pulled token is
	case ACT_OUTAGE_OVER:
		return true;
	default:
		return false;
	}
}

static int act(struct stage *s, enum act a, struct errmsg *err)
{
	const struct token *t = s->own;
	static const char *const all[3] = {NULL, NULL, NULL};
	switch (a) {
	case ACT_NONE:
		return 0;
	case ACT_DISABLE:
		return tokenkey(s, "disable", all, NULL, err);
	case ACT_ENABLE:
	case ACT_ENABLE_OLD:
		return tokenkey(s, "enable", all, NULL, err);
	case ACT_EXPIRE:
		return dates(s, "--ends", -1, err);
	case ACT_UNEXPIRE:
		return each_version(s, "dates", "--ends", "none", true, err);
	case ACT_NOT_YET:
		return dates(s, "--starts", 2, err);
	case ACT_VALID:
		return dates(s, "--starts", 0, err);
	case ACT_ROTATE:
		return tokenkey(s, "rotate", all, NULL, err);
	case ACT_DISABLE_OLD:
		return each_version(s, "disable", NULL, NULL, false, err);
	case ACT_DESTROY_OBJECT:
		return destroy_object(s, err);
	case ACT_RESTORE_OBJECT:
		return restore_object(s, err);
	case ACT_PULL_TOKEN:
	case ACT_OUTAGE:
		return move_token(s, t->tokens, t->drawer, err);
	case ACT_PUSH_TOKEN:
	case ACT_OUTAGE_OVER:
		return move_token(s, t->drawer, t->tokens, err);
	default:
		return errmsg_set(err, EOPNOTSUPP, "a token cannot be asked for this");
	}
}

// The name of the only token there is.
static int find_token(struct token *t, struct errmsg *err)
{
	DIR *d scoped(scope_closedir) = opendir(t->tokens);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && strlen(e->d_name) < sizeof(t->name))
			(void)snprintf(t->name, sizeof(t->name), "%s", e->d_name);
	return t->name[0] ? 0
			  : errmsg_set(err, ENOENT, "%s: softhsm2-util made no token", t->tokens);
}

static int make_token(struct stage *s, struct errmsg *err)
{
	struct token *t = s->own;
	char util[64], conf[300], text[512];
	const char *const init[] = {util, "--init-token", "--free", "--label", TOKEN, "--pin", PIN,
		"--so-pin", PIN, NULL};
	int r = tool_need("softhsm2-util", "softhsm2", util, sizeof(util), err);
	(void)snprintf(conf, sizeof(conf), "%s/softhsm2.conf", s->dir);
	(void)snprintf(text, sizeof(text),
		"directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n"
		"slots.removable = false\n",
		t->tokens);
	if (!r)
		r = stage_write(conf, text, err);
	(void)snprintf(t->conf, sizeof(t->conf), "SOFTHSM2_CONF=%s", conf);
	t->environment[0] = t->conf;
	s->environment = t->environment;
	if (!r)
		r = command_run((char *const *)init, s->environment, COMMAND_TIMEOUT_MS, NULL, err);
	return r ? r : find_token(t, err);
}

static int make_key(struct stage *s, const char *query, struct errmsg *err)
{
	struct token *t = s->own;
	(void)snprintf(t->url, sizeof(t->url), "%s?%s", KEY_URL, query);
	(void)snprintf(s->key_url, sizeof(s->key_url), "%s", KEY_URL);
	return tokenkey(s, "new", (const char *const[]){"--bits", "2048", NULL}, NULL, err);
}

// Nothing in it needs an escape: see start().
static int make_set(const struct stage *s, const char *query, struct errmsg *err)
{
	const struct token *t = s->own;
	char text[1536];
	(void)snprintf(text, sizeof(text),
		"{\n  \"activeKey\": {\"keyUrl\": \"%s\"},\n  \"cmkdisk\": {\"pkcs11\": {\n"
		"    \"query\": \"%s\",\n"
		"    \"environment\": {\"SOFTHSM2_CONF\": \"%s\"}}}\n}\n",
		KEY_URL, query, strchr(t->conf, '=') + 1);
	return stage_write(s->set, text, err);
}

static int start(struct stage *s, struct errmsg *err)
{
	struct token *t = calloc(1, sizeof(*t));
	char pin[300], query[640];
	s->own = t;
	if (!t)
		return errmsg_set(err, ENOMEM, "no memory");
	if (s->dir[strspn(s->dir, "/-_.~0123456789abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
		return errmsg_set(err, EINVAL,
			"%s: a token's PIN file cannot be named in a key URL from here; choose a "
			"directory of letters, digits and -_.~ with --dir",
			s->dir);
	int r = stage_directory(s, "tokens", t->tokens, sizeof(t->tokens), err);
	if (!r)
		r = stage_directory(s, "drawer", t->drawer, sizeof(t->drawer), err);
	if (!r)
		r = stage_directory(s, "backup", t->backup, sizeof(t->backup), err);
	(void)snprintf(pin, sizeof(pin), "%s/pin", s->dir);
	(void)snprintf(s->set, sizeof(s->set), "%s/set.json", s->dir);
	(void)snprintf(
		query, sizeof(query), "module-path=%s&pin-source=file:%s", module_path(), pin);
	if (!r)
		r = stage_write(pin, PIN "\n", err);
	if (!r)
		r = make_token(s, err);
	if (!r)
		r = make_key(s, query, err);
	return r ? r : make_set(s, query, err);
}

static void end(struct stage *s)
{
	free(s->own);
	s->own = NULL;
	s->environment = NULL;
}

const struct stage_ops stage_pkcs11 = {.provider = "pkcs11",
	.available = available,
	.start = start,
	.can = can,
	.act = act,
	.end = end};
