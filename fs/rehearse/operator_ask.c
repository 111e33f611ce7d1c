// SPDX-License-Identifier: MIT
// The words in which a person is asked. What cannot be undone with certainty is not in the table.
#include "stage_operator.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// %u: the key URL without what may hold a PIN; %k: without its version, too; %d: the deleted key's;
// %h: the store's host; %p: the path of a file: URL; %n: now; %y: yesterday; %t: tomorrow; %l: in a
// year (times of UTC, RFC 3339), %Y, %T: as days.
static const struct ask {
	const char *provider;
	enum act act;
	const char *sentence, *command;
} asks[] = {
	{"azure", ACT_DISABLE, "Disable the version of the key that is in use",
		"az keyvault key set-attributes --enabled false --id '%u'"},
	{"azure", ACT_ENABLE, "Enable the version of the key again",
		"az keyvault key set-attributes --enabled true --id '%u'"},
	{"azure", ACT_DELETE, "Delete the key, in a vault with soft delete, and do not purge it",
		"az keyvault key delete --id '%k'"},
	{"azure", ACT_RECOVER, "Recover the deleted key", "az keyvault key recover --id '%d'"},
	{"azure", ACT_EXPIRE,
		"Let the key's version in use expire, and keep its expiry date in mind",
		"az keyvault key set-attributes --expires %n --id '%u'"},
	{"azure", ACT_UNEXPIRE, "Set the expiry date to what it was before, or to a later day",
		"az keyvault key set-attributes --expires %l --id '%u'"},
	{"azure", ACT_NOT_YET, "Set the moment at which the key becomes valid to a later one",
		"az keyvault key set-attributes --not-before %t --id '%u'"},
	{"azure", ACT_VALID, "Set the moment at which the key becomes valid to a past one",
		"az keyvault key set-attributes --not-before %y --id '%u'"},
	{"azure", ACT_REVOKE,
		"Take the permission to get, wrap and unwrap from the identity that this host "
		"uses: its "
		"role assignment (Key Vault Crypto Service Encryption User), or its access policy "
		"at "
		"%h",
		"az role assignment delete --assignee IDENTITY --scope VAULT "
		"--role 'Key Vault Crypto Service Encryption User'"},
	{"azure", ACT_GRANT, "Give the identity its permission back",
		"az role assignment create --assignee IDENTITY --scope VAULT "
		"--role 'Key Vault Crypto Service Encryption User'"},
	{"azure", ACT_ROTATE, "Rotate the key", "az keyvault key rotate --id '%k'"},
	{"azure", ACT_DISABLE_OLD, "Disable all versions of the key but the newest",
		"az keyvault key set-attributes --enabled false --id '%k/OLD-VERSION'"},
	{"azure", ACT_ENABLE_OLD, "Enable the old versions of the key again",
		"az keyvault key set-attributes --enabled true --id '%k/OLD-VERSION'"},
	{"azure", ACT_OUTAGE,
		"Cut this host off from %h, such as by a firewall rule that drops what is sent to "
		"it",
		""},
	{"azure", ACT_OUTAGE_OVER, "Let this host reach %h again", ""},
	{"file", ACT_DISABLE, "Disable the key", "cmkdisk keyfile disable '%p'"},
	{"file", ACT_ENABLE, "Enable the key again", "cmkdisk keyfile enable '%p'"},
	{"file", ACT_DELETE, "Delete the key", "cmkdisk keyfile delete '%p'"},
	{"file", ACT_RECOVER, "Recover the key", "cmkdisk keyfile recover '%p'"},
	{"file", ACT_EXPIRE, "Let the key expire", "cmkdisk keyfile expire '%p'"},
	{"file", ACT_UNEXPIRE, "Take the expiry date away again",
		"cmkdisk keyfile expire --never '%p'"},
	{"file", ACT_ROTATE, "Rotate the key", "cmkdisk keyfile rotate '%p'"},
	{"file", ACT_DISABLE_OLD, "Disable all versions of the key but the newest",
		"cmkdisk keyfile disable --version OLD-VERSION '%p'"},
	{"file", ACT_ENABLE_OLD, "Enable the old versions again", "cmkdisk keyfile enable '%p'"},
	{"file", ACT_REMOVE_FILE, "Take the key's file away, and keep it", "mv '%p' '%p.away'"},
	{"file", ACT_RESTORE_FILE, "Put the key's file back", "mv '%p.away' '%p'"},
	{"pkcs11", ACT_DISABLE, "Let the key neither decrypt nor unwrap",
		"cmkdisk tokenkey disable --key '%u?...'"},
	{"pkcs11", ACT_ENABLE, "Let the key decrypt and unwrap again",
		"cmkdisk tokenkey enable --key '%u?...'"},
	{"pkcs11", ACT_EXPIRE, "Set the key's last day to yesterday, and keep what it was in mind",
		"cmkdisk tokenkey dates --ends %Y --key '%u?...'"},
	{"pkcs11", ACT_UNEXPIRE, "Set the key's last day to what it was before, or take it away",
		"cmkdisk tokenkey dates --ends none --key '%u?...'"},
	{"pkcs11", ACT_NOT_YET, "Set the key's first day to tomorrow, and keep what it was in mind",
		"cmkdisk tokenkey dates --starts %T --key '%u?...'"},
	{"pkcs11", ACT_VALID, "Set the key's first day to what it was before",
		"cmkdisk tokenkey dates --starts %Y --key '%u?...'"},
	{"pkcs11", ACT_ROTATE, "Rotate the key", "cmkdisk tokenkey rotate --key '%u?...'"},
	{"pkcs11", ACT_DISABLE_OLD, "Disable all versions of the key but the newest",
		"cmkdisk tokenkey disable --version OLD-VERSION --key '%u?...'"},
	{"pkcs11", ACT_ENABLE_OLD, "Enable the old versions again",
		"cmkdisk tokenkey enable --key '%u?...'"},
	{"pkcs11", ACT_PULL_TOKEN, "Pull the token, or take it out of service", ""},
	{"pkcs11", ACT_PUSH_TOKEN, "Put the token back", ""},
};
#define ASKS (sizeof(asks) / sizeof(asks[0]))

struct words {
	char text[1024];
	size_t len;
};

static void add(struct words *w, const char *s, size_t len)
{
	if (len > sizeof(w->text) - 1 - w->len)
		len = sizeof(w->text) - 1 - w->len;
	memcpy(w->text + w->len, s, len);
	w->len += len;
	w->text[w->len] = '\0';
}

// Within single quotes of a shell.
static void add_quoted(struct words *w, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] == '\'')
			add(w, "'\\''", 4);
		else
			add(w, s + i, 1);
}

static void add_time(struct words *w, int days, bool day_only)
{
	time_t then = time(NULL) + (time_t)days * 24 * 60 * 60;
	struct tm tm;
	char s[32] = "";
	if (gmtime_r(&then, &tm))
		(void)strftime(s, sizeof(s), day_only ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &tm);
	add(w, s, strlen(s));
}

// scheme://host/keys/NAME[/VERSION]
static void add_vault(struct words *w, const char *url, char what)
{
	const char *host = strstr(url, "://"), *end = url + strlen(url);
	host = host ? host + 3 : url;
	const char *slash = host + strcspn(host, "/");
	if (what == 'h') {
		add(w, host, (size_t)(slash - host));
		return;
	}
	const char *name = strncmp(slash, "/keys/", 6) == 0 ? slash + 6 : NULL;
	if (name)
		end = name + strcspn(name, "/?");
	if (what == 'k' || !name) {
		add_quoted(w, url, (size_t)(end - url));
		return;
	}
	add_quoted(w, url, (size_t)(slash - url));
	add(w, "/deletedkeys/", 13);
	add_quoted(w, name, (size_t)(end - name));
}

static void add_file(struct words *w, const char *url)
{
	const char *path = strncmp(url, "file:", 5) == 0 ? url + 5 : url;
	path += strncmp(path, "//", 2) == 0 ? 2 : 0;
	add_quoted(w, path, strlen(path));
}

static void add_special(struct words *w, char what, const char *url)
{
	switch (what) {
	case 'u':
		add_quoted(w, url, strcspn(url, "?"));
		return;
	case 'p':
		add_file(w, url);
		return;
	case 'n':
		add_time(w, 0, false);
		return;
	case 'y':
	case 'Y':
		add_time(w, -1, what == 'Y');
		return;
	case 't':
	case 'T':
		add_time(w, 1, what == 'T');
		return;
	case 'l':
		add_time(w, 365, false);
		return;
	default:
		add_vault(w, url, what);
	}
}

static void fill_in(const char *pattern, const char *url, char *out, size_t room)
{
	struct words w = {.len = 0};
	for (const char *p = pattern; *p; p++)
		if (*p == '%')
			add_special(&w, *++p, url);
		else
			add(&w, p, 1);
	(void)snprintf(out, room, "%s", w.text);
	text_sanitise(out);
}

static const struct ask *find(const char *provider, enum act a)
{
	for (size_t i = 0; i < ASKS; i++)
		if (asks[i].act == a && strcmp(asks[i].provider, provider) == 0)
			return &asks[i];
	return NULL;
}

enum act operator_undo(enum act a)
{
	static const enum act undo[ACTS] = {[ACT_DISABLE] = ACT_ENABLE,
		[ACT_DELETE] = ACT_RECOVER,
		[ACT_EXPIRE] = ACT_UNEXPIRE,
		[ACT_NOT_YET] = ACT_VALID,
		[ACT_REVOKE] = ACT_GRANT,
		[ACT_DISABLE_OLD] = ACT_ENABLE_OLD,
		[ACT_OUTAGE] = ACT_OUTAGE_OVER,
		[ACT_REMOVE_FILE] = ACT_RESTORE_FILE,
		[ACT_PULL_TOKEN] = ACT_PUSH_TOKEN};
	return undo[a];
}

bool operator_can(const char *provider, enum act a)
{
	return find(provider, a) != NULL;
}

bool operator_ask(const char *provider, enum act a, const char *key_url, char *sentence,
	char *command, size_t room)
{
	const struct ask *ask = find(provider, a);
	if (!ask)
		return false;
	fill_in(ask->sentence, key_url, sentence, room);
	fill_in(ask->command, key_url, command, room);
	return true;
}
