// SPDX-License-Identifier: MIT
// What the emulator's vaults keep: over a restart and a crash, in backups; and what their
// administrator may do.
#include "emu_vaults_rig.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_restart_finds_everything_as_it_was(void **state)
{
	struct rig *r = *state;
	ACT(r, "vault.set",
		"{\"vault\":\"contoso\",\"days\":30,\"model\":\"policy\",\"notFoundLag\":"
		"\"1500ms\"}");
	ASK(r, 200, "POST", "/keys/Rsa/create",
		"{\"kty\":\"RSA\",\"tags\":{\"q\\\"\":\"a\\\\b\"},\"attributes\":{\"exp\":"
		"4000000000,"
		"\"enabled\":false},\"key_ops\":[\"unwrapKey\"]}");
	ASK(r, 200, "POST", "/keys/Rsa/create", "{\"kty\":\"EC\",\"crv\":\"P-521\"}");
	ASK(r, 200, "PUT", "/keys/Rsa/rotationpolicy", "{\"attributes\":{\"expiryTime\":\"P2Y\"}}");
	ASK(r, 200, "POST", "/keys/gone/create", "{\"kty\":\"EC\"}");
	ASK(r, 200, "DELETE", "/keys/gone", NULL);
	ASK(r, 200, "POST", "hsm:/keys/aes/create", "{\"kty\":\"oct-HSM\"}");
	r->clock.offset_s += 3;
	static const char *const looks[] = {"/keys/rsa", "/keys/rsa/versions",
		"/keys/rsa/rotationpolicy", "/deletedkeys/gone", "/keys", "hsm:/keys/aes",
		"hsm:/keys"};
	char *before[sizeof(looks) / sizeof(*looks)];
	for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
		ASK(r, 200, "GET", looks[i], NULL);
		before[i] = strdup(r->reply.body);
	}
	autofree char *k = exported(r, "vaulty/keys/aes.json", 0);
	rig_reopen(r);
	for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
		ASK(r, 200, "GET", looks[i], NULL);
		assert_string_equal(r->reply.body, before[i]);
		free(before[i]);
	}
	ACT(r, "vault.list", "{}");
	assert_int_equal(kp_json_count(kp_json_get(r->json, "vaults")), 2);
	ACT(r, "vault.set", "{\"vault\":\"contoso\"}");
	assert_string_equal(str(r, "model"), "policy");
	assert_int_equal(num(r, "notFoundLag"), 2);
	assert_int_equal(num(r, "days"), 30);
}

static void files_are_for_the_owner_alone(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char path[200];
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"EC\"}");
	static const char *const files[] = {
		"vaults/contoso/keys/k.json", "vaults/contoso/vault.json", "backup.key"};
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", r->dir, files[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void put(const struct rig *r, const char *name, const char *text)
{
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/vaults/%s", r->dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool exists(const struct rig *r, const char *name)
{
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/vaults/%s", r->dir, name);
	return access(path, F_OK) == 0;
}

static void what_a_crash_left_half_done_is_swept_away(void **state)
{
	struct rig *r = *state;
	char path[200];
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"EC\"}");
	put(r, "contoso/keys/.k.json.new", "{\"format\":1,\"na");
	// A vault whose making or removal was cut short.
	(void)snprintf(path, sizeof(path), "%s/vaults/half", r->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/vaults/half/keys", r->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put(r, "half/keys/k.json", "{}");
	rig_reopen(r);
	ASK(r, 200, "GET", "/keys/k", NULL);
	assert_false(exists(r, "contoso/keys/.k.json.new"));
	assert_false(exists(r, "half"));
	// A file that was broken otherwise is not passed over in silence.
	put(r, "contoso/keys/k.json", "{\"format\":1");
	struct vaults_config c = {.dir = r->dir, .clock = &r->clock, .authority = ""};
	struct vaults *v = NULL;
	struct kp_err err = {""};
	assert_int_equal(vaults_open(&c, &v, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "contoso/keys/k.json"));
	put(r, "contoso/keys/k.json", "");
	assert_int_equal(vaults_open(&c, &v, &err), -EBADMSG);
}

// Says a byte after each answer, which is a promise that the change is kept.
static void change_for_ever(struct rig *r, int promise)
{
	for (int i = 0;; i++) {
		bool deleted = i % 2;
		if (ask(r, deleted ? "POST" : "DELETE",
			    deleted ? "/deletedkeys/k/recover" : "/keys/k", NULL) != 200)
			_exit(1);
		if (write(promise, "x", 1) != 1)
			_exit(1);
	}
}

static void a_killed_vault_keeps_its_promises(void **state)
{
	struct rig *r = *state;
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}");
	for (int round = 0; round < 12; round++) {
		int ends[2], status;
		char c;
		size_t promised = 0;
		assert_int_equal(pipe(ends), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			change_for_ever(r, ends[1]);
		(void)close(ends[1]);
		for (int n = 0; n < 3 + round % 4 && read(ends[0], &c, 1) == 1; n++)
			promised++;
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(ends[0], &c, 1) == 1)
			promised++;
		(void)close(ends[0]);
		rig_reopen(r);
		// The last promise, or the step after it that nobody was told of.
		int live = ask(r, "GET", "/keys/k", NULL),
		    dead = ask(r, "GET", "/deletedkeys/k", NULL);
		assert_true(promised >= 3);
		assert_int_equal(live + dead, 604);
		if (dead == 200)
			ASK(r, 200, "POST", "/deletedkeys/k/recover", NULL);
	}
}

static void a_change_that_cannot_be_kept_is_not_made(void **state)
{
	struct rig *r = *state;
	struct kp_err err = {""};
	char from[200], to[200];
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"EC\"}");
	(void)snprintf(from, sizeof(from), "%s/vaults/contoso/keys", r->dir);
	(void)snprintf(to, sizeof(to), "%s/vaults/contoso/elsewhere", r->dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_not_equal(
		act(r, "key.disable", "{\"vault\":\"contoso\",\"key\":\"k\"}", &err), 0);
	ASK(r, 200, "GET", "/keys/k", NULL);
	assert_non_null(strstr(r->reply.body, "\"enabled\":true"));
	assert_int_equal(rename(to, from), 0);
	ACT(r, "key.disable", "{\"vault\":\"contoso\",\"key\":\"k\"}");
	ASK(r, 200, "GET", "/keys/k", NULL);
	assert_non_null(strstr(r->reply.body, "\"enabled\":false"));
}

static void a_backup_comes_back_whole_or_not_at_all(void **state)
{
	struct rig *r = *state;
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}");
	ASK(r, 200, "POST", "/keys/k/create", "{\"kty\":\"EC\",\"tags\":{\"a\":\"b\"}}");
	ASK(r, 200, "GET", "/keys/k", NULL);
	autofree char *bundle = strdup(r->reply.body);
	ASK(r, 200, "POST", "/keys/k/backup", NULL);
	autofree char *blob = strdup(str(r, "value"));
	assert_null(strstr(blob, "PRIVATE"));
	ASK(r, 409, "POST", "/keys/restore", "{\"value\":\"%s\"}", blob);
	assert_refusal(r, 409, "Conflict", "");
	ASK(r, 200, "DELETE", "/keys/k", NULL);
	ASK(r, 409, "POST", "/keys/restore", "{\"value\":\"%s\"}", blob);
	assert_refusal(r, 409, "Conflict", "ObjectIsDeletedButRecoverable");
	ASK(r, 204, "DELETE", "/deletedkeys/k", NULL);
	rig_reopen(r);
	ASK(r, 400, "POST", "hsm:/keys/restore", "{\"value\":\"%s\"}", blob);
	ASK(r, 200, "POST", "/keys//restore", "{\"value\":\"%s\"}", blob);
	assert_string_equal(r->reply.body, bundle);
	ASK(r, 200, "GET", "/keys/k/versions", NULL);
	assert_int_equal(kp_json_count(kp_json_get(r->json, "value")), 2);
	blob[100] = blob[100] == 'A' ? 'B' : 'A';
	ASK(r, 400, "POST", "/keys/restore", "{\"value\":\"%s\"}", blob);
	assert_refusal(r, 400, "Malformed backup blob", "");
	assert_string_equal(str(r, "error.message"), "Backup blob is corrupt.");
	ASK(r, 400, "POST", "/keys/restore", "{\"value\":\"AAAA\"}");
	assert_refusal(r, 400, "Malformed backup blob", "");
}

static void the_administrator_acts_without_a_token(void **state)
{
	struct rig *r = *state;
	struct kp_err err = {""};
	r->token = TOKEN_MISSING;
	assert_int_equal(act(r, "key.list", "{}", &err), -ENOENT);
	assert_non_null(strstr(err.text, "vault=NAME"));
	ACT(r, "vault.remove", "{\"name\":\"vaulty\"}");
	// The only vault need not be named; kids carry the port that the emulator listens on.
	ACT(r, "key.create", "{\"key\":\"k\",\"kty\":\"EC\",\"exp\":\"1d\"}");
	assert_int_equal(
		strncmp(str(r, "kid"), "https://contoso.vault.localhost:8443/keys/k/", 44), 0);
	ACT(r, "key.rotate", "{\"key\":\"k\"}");
	assert_int_equal(kp_json_count(kp_json_get(r->json, "versions")), 2);
	char args[120];
	(void)snprintf(args, sizeof(args), "{\"key\":\"k\",\"version\":\"%s\"}", str(r, "version"));
	ACT(r, "key.disable", args);
	const struct kp_json *v = kp_json_first(kp_json_get(r->json, "versions"));
	bool first, second;
	assert_true(kp_json_bool(v, "enabled", &first));
	assert_true(kp_json_bool(kp_json_next(v), "enabled", &second));
	assert_true(first && !second);
	ACT(r, "key.delete", "{\"key\":\"k\"}");
	assert_true(num(r, "deletedDate") > 0);
	assert_int_equal(act(r, "key.rotate", "{\"key\":\"k\"}", &err), -ENOENT);
	ACT(r, "key.recover", "{\"key\":\"k\"}");
	ACT(r, "key.delete", "{\"key\":\"k\"}");
	ACT(r, "key.purge", "{\"key\":\"k\"}");
	ACT(r, "key.list", "{}");
	assert_int_equal(kp_json_count(kp_json_get(r->json, "keys")), 0);
	static const char *const bad[][2] = {{"key.burn", "{\"key\":\"k\"}"}, {"key.create", "{}"},
		{"key.create", "{\"key\":\"k\",\"kty\":\"DSA\"}"},
		{"key.create", "{\"key\":\"k\",\"ops\":\"fly\"}"},
		{"key.create", "{\"key\":\"k\",\"exp\":\"soon\"}"}, {"vault.burn", "{}"},
		{"vault.add", "{}"}, {"vault.add", "{\"name\":\"Up\"}"},
		{"vault.set", "{\"days\":6}"}, {"vault.set", "{\"model\":\"x\"}"},
		{"vault.set", "{\"firewall\":1}"}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		err.text[0] = '\0';
		assert_int_equal(act(r, bad[i][0], bad[i][1], &err), -EINVAL);
		assert_true(strlen(err.text) > 8);
	}
	assert_int_equal(act(r, "vault.add", "{\"name\":\"contoso\"}", &err), -EEXIST);
	assert_int_equal(act(r, "vault.set", "{\"vault\":\"nobody\"}", &err), -ENOENT);
	// A removed vault leaves nothing, and its name can be used again.
	ACT(r, "vault.remove", "{\"name\":\"contoso\"}");
	assert_false(exists(r, "contoso"));
	ACT(r, "vault.add", "{\"name\":\"contoso\",\"hsm\":true}");
	assert_string_equal(str(r, "url"), "https://contoso.managedhsm.localhost:8443");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(a_restart_finds_everything_as_it_was),
		T(files_are_for_the_owner_alone),
		T(what_a_crash_left_half_done_is_swept_away),
		T(a_killed_vault_keeps_its_promises),
		T(a_change_that_cannot_be_kept_is_not_made),
		T(a_backup_comes_back_whole_or_not_at_all),
		T(the_administrator_acts_without_a_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
