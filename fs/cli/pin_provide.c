// SPDX-License-Identifier: MIT
// Which PIN belongs to which key of a command. See pin.h.
#include "cli.h"
#include "credentials.h"
#include "fileio.h"
#include "key_uri.h"
#include "keyset.h"
#include "luks.h"
#include "pin.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

// header: as for pin_ask().
static int ask(const struct cli *cli, const char *key_url, const char *header, struct secret **out,
	struct errmsg *err)
{
	if (header && credentials_count_pins(cli->credentials) >= PIN_HEADER_KEYS)
		return errmsg_set(err, EINVAL,
			"%s: its header names one more key in a token, %s; no PINs are asked for "
			"more than %d keys that headers alone name: name the key with --key",
			header, key_url, PIN_HEADER_KEYS);
	return pin_ask(key_url, header, out, err);
}

int pin_provide(const struct cli *cli, const struct keyset *settings, const char *key_url,
	const char *backing, struct errmsg *err)
{
	struct secret *asked scoped(secret_free) = NULL;
	const struct secret *pin = settings ? settings->pin : NULL;
	if (!key_uri_is(key_url) || credentials_know_pin(cli->credentials, key_url))
		return 0;
	// Only a header that somebody tampered with has a query; its provider refuses it.
	if (strchr(key_url, '?'))
		return 0;
	if (!pin && ((settings && settings->pin_source) || !pin_can_ask()))
		return 0;
	if (!pin) {
		int rc = ask(cli, key_url, settings ? NULL : backing, &asked, err);
		if (rc)
			return rc;
		pin = asked;
	}
	int rc = credentials_set_pin(cli->credentials, key_url, pin ? (char *)pin->data : NULL);
	return rc ? errmsg_set(err, -rc, "the PIN of %s: %s", key_url, strerror(-rc)) : 0;
}

static int send_key(int to, int number, const char *key_url)
{
	char text[16 + BINDING_URL_MAX];
	int len = snprintf(text, sizeof(text), "%d %s", number, key_url);
	return write_full(to, text, (size_t)len + 1);
}

// Runs in a process of its own: the library that reads headers must not be used in one that becomes
// the daemon, and what it reads may hang. Sends each key URL with its NUL, and before it the number
// of the backing file.
static void send_keys(char *const *backing, int count, int to)
{
	for (int i = 0; i < count; i++) {
		struct volume *v scoped(volume_close) = NULL;
		struct errmsg err;
		const struct volume_info *info =
			volume_open(backing[i], false, &v, &err) ? NULL : volume_info(v);
		for (size_t b = 0; info && b < info->binding_count; b++)
			if (send_key(to, i, info->bindings[b].key_url))
				return;
	}
}

static int provide_each(const struct cli *cli, const struct keyset *pin, char *const *backing,
	FILE *keys, struct errmsg *err)
{
	char *text autofree = NULL;
	size_t room = 0;
	int rc = 0;
	while (!rc && getdelim(&text, &room, '\0', keys) > 0) {
		char *url = NULL;
		long number = strtol(text, &url, 10);
		url++; // the blank
		if (keyset_pins(pin, url))
			rc = pin_provide(cli, pin, url, backing[number], err);
	}
	return rc;
}

static void wait_for(pid_t *pid)
{
	while (*pid > 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int pin_provide_all(const struct cli *cli, const struct keyset *pin, char *const *backing,
	int count, struct errmsg *err)
{
	bool elsewhere = pin && (pin->pin_source || !key_uri_is(pin->key_url));
	if (elsewhere || !((pin && pin->pin) || pin_can_ask()))
		return 0;
	int fds[2];
	if (pipe2(fds, O_CLOEXEC))
		return errmsg_set(err, errno, "no pipe: %m");
	pid_t pid scoped(wait_for) = fork();
	if (pid == 0) {
		send_keys(backing, count, fds[1]);
		_exit(0);
	}
	int failed = pid < 0 ? errno : 0;
	(void)close(fds[1]);
	FILE *keys autofclose = failed ? NULL : fdopen(fds[0], "r");
	if (!keys) {
		failed = failed ? failed : errno;
		(void)close(fds[0]);
		return errmsg_set(err, failed, "cannot read the headers: %s", strerror(failed));
	}
	return provide_each(cli, pin, backing, keys, err);
}
