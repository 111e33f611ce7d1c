// SPDX-License-Identifier: MIT
// The process of a stage's own cmkdisk-vault. Actions are asked for with its own program.
#include "azure_vault.h"

#include "azure_vault_internal.h"
#include "clock.h"
#include "command.h"
#include "fileio.h"
#include "json.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY_MS 60000
#define END_MS 5000
#define INFO_MAX 16384
#define CONFIRM_DEFAULT_MS 15000 // confirmAfter of cmkdisk-azure(7)
#define SLOW_MS 7000		 // of the 10 s that a question may take

int azure_vault_new(struct stage *s, struct azure_vault **out, struct errmsg *err)
{
	struct azure_vault *v = calloc(1, sizeof(*v));
	*out = v;
	if (!v)
		return errmsg_set(err, ENOMEM, "no memory");
	*v = (struct azure_vault){.stage = s, .process = CHILD_NONE};
	uint64_t slow = s->policy.grace_unreachable_ms / 4;
	format_duration_ms(slow < SLOW_MS ? slow : SLOW_MS, v->slow, sizeof(v->slow));
	return stage_directory(s, "vault", v->state, sizeof(v->state), err);
}

void azure_vault_end(struct azure_vault *v)
{
	int status = 0;
	if (v->process.pid > 0)
		(void)kill(v->process.pid, SIGTERM);
	(void)child_end(&v->process, END_MS, &status);
}

void azure_vault_free(struct azure_vault **v)
{
	if (!*v)
		return;
	azure_vault_end(*v);
	free((*v)->backup);
	free(*v);
	*v = NULL;
}

// What it writes when it is ready, until it closes its end.
static int read_info(int fd, char *text, size_t room)
{
	uint64_t end = clock_boot_ns(clock_real()) / NS_PER_MS + READY_MS;
	for (size_t n = 0; n + 1 < room;) {
		uint64_t now = clock_boot_ns(clock_real()) / NS_PER_MS;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (now >= end || poll(&p, 1, (int)(end - now)) == 0)
			return -ETIMEDOUT;
		ssize_t got = read(fd, text + n, room - 1 - n);
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
		text[n] = '\0';
		if (got == 0)
			return n > 0 ? 0 : -EPIPE;
	}
	return -EFBIG;
}

static int spawn(struct azure_vault *v, int line, const char *log, struct errmsg *err)
{
	char serve[] = "serve", state[] = "--state", ready[] = "--ready-fd", three[] = "3";
	char *program autofree = strdup(v->stage->programs->vault);
	if (!program)
		return errmsg_set(err, ENOMEM, "no memory");
	char *argv[] = {program, serve, state, v->state, ready, three, NULL};
	int said autoclose = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (said < 0)
		return errmsg_set(err, errno, "%s: %m", log);
	const struct child_spec spec = {
		.argv = argv, .in = CHILD_NULL, .out = CHILD_NULL, .err = said, .line = line};
	int rc = child_start(&spec, &v->process, err);
	if (rc)
		return rc;
	// Whoever finds it after us must know which process to end.
	char pid[32], path[320];
	(void)snprintf(pid, sizeof(pid), "%ld\n", (long)v->process.pid);
	(void)snprintf(path, sizeof(path), "%s/vault.pid", v->stage->dir);
	return stage_write(path, pid, err);
}

// The ready-made key set with what the policy played asks of it: a deleted key must be confirmed
// as such well within the grace.
static int make_set(struct azure_vault *v, struct errmsg *err)
{
	char *text autofree = NULL, *mine autofree = NULL, path[320], confirm[32];
	struct stage *s = v->stage;
	struct json *set scoped(json_free) = NULL;
	size_t len = 0;
	(void)snprintf(path, sizeof(path), "%s/keyset.json", v->state);
	(void)snprintf(s->set, sizeof(s->set), "%s/set.json", s->dir);
	int rc = read_text_file(path, INFO_MAX, &text, &len, err);
	if (rc)
		return rc;
	uint64_t ms = s->policy.grace_denied_ms / 4;
	format_duration_ms(
		ms < CONFIRM_DEFAULT_MS ? ms : CONFIRM_DEFAULT_MS, confirm, sizeof(confirm));
	rc = json_parse(text, len, &set);
	struct json *azure = json_member(json_member(set, "cmkdisk"), "azure");
	if (!rc)
		rc = azure ? json_set_str(azure, "confirmAfter", confirm) : -EBADMSG;
	if (!rc)
		rc = json_print(set, true, &mine);
	return rc ? errmsg_set(err, -rc, "%s: %s", path, strerror(-rc))
		  : stage_write(s->set, mine, err);
}

static int keep_info(struct azure_vault *v, const char *text, struct errmsg *err)
{
	struct json *info scoped(json_free) = NULL;
	int rc = json_parse(text, strlen(text), &info);
	const char *name = NULL;
	const char *url = json_as_str(json_member_at(json_get(info, "keyUrls"), 0, &name));
	const char *client = json_str(info, "clientId"), *file = json_str(info, "clientSecretFile");
	if (rc || !url || !client || !file)
		return errmsg_set(err, EBADMSG, "cmkdisk-vault does not say what it serves");
	(void)snprintf(v->stage->key_url, sizeof(v->stage->key_url), "%s", url);
	(void)snprintf(v->client, sizeof(v->client), "%s", client);
	(void)snprintf(v->secret_file, sizeof(v->secret_file), "%s", file);
	return 0;
}

// While it is there: who is removed is to be restored as the same one.
static int keep_object(struct azure_vault *v, struct errmsg *err)
{
	const char *const words[] = {"identity.list", NULL};
	char *text autofree = NULL;
	struct json *list scoped(json_free) = NULL;
	if (v->object[0])
		return 0;
	int rc = azure_vault_do(v, words, &text, err);
	if (rc)
		return rc;
	rc = json_parse(text, strlen(text), &list);
	const char *id = json_str(json_array_at(json_get(list, "identities"), 0), "objectId");
	if (rc || !id)
		return errmsg_set(err, EBADMSG, "cmkdisk-vault does not say who its identity is");
	(void)snprintf(v->object, sizeof(v->object), "%s", id);
	return 0;
}

int azure_vault_start(struct azure_vault *v, struct errmsg *err)
{
	char log[320], info[INFO_MAX];
	(void)snprintf(log, sizeof(log), "%s/vault.log", v->stage->dir);
	int fds[2];
	if (pipe2(fds, O_CLOEXEC))
		return errmsg_set(err, errno, "no pipe: %m");
	int from autoclose = fds[0], to autoclose = fds[1];
	int rc = spawn(v, to, log, err);
	if (rc)
		return rc;
	(void)close(TAKE_FD(to));
	rc = read_info(from, info, sizeof(info));
	if (rc) {
		char *said autofree = NULL;
		size_t len = 0;
		(void)!read_text_file(log, INFO_MAX, &said, &len, NULL);
		return errmsg_set(err, -rc, "cmkdisk-vault did not get ready: %s",
			said && len > 0 ? said : strerror(-rc));
	}
	rc = keep_info(v, info, err);
	if (!rc)
		rc = keep_object(v, err);
	return rc || v->stage->set[0] ? rc : make_set(v, err);
}

int azure_vault_do(struct azure_vault *v, const char *const *words, char **out, struct errmsg *err)
{
	const char *argv[16] = {v->stage->programs->vault, "do", "--state", v->state};
	size_t n = 4;
	for (size_t i = 0; words[i] && n + 1 < sizeof(argv) / sizeof(argv[0]); i++)
		argv[n++] = words[i];
	// argv is const but in name: posix_spawn() changes nothing.
	return command_run((char *const *)argv, NULL, COMMAND_TIMEOUT_MS, out, err);
}

const char *azure_vault_client(const struct azure_vault *v)
{
	return v->client;
}

const char *azure_vault_object(const struct azure_vault *v)
{
	return v->object;
}

const char *azure_vault_secret_file(const struct azure_vault *v)
{
	return v->secret_file;
}

const char *azure_vault_slow(const struct azure_vault *v)
{
	return v->slow;
}
