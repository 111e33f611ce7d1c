// SPDX-License-Identifier: MIT
// What a person is asked to do to a key of their own: that it names the key, that it can be undone,
// and that it tells nobody a PIN.
#include "clock.h"
#include "pty_rig.h"
#include "scope.h"
#include "stage_operator.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOM 1024
#define PATIENCE_MS 20000
#define KEY "https://v.vault.azure.net/keys/disk"

static const char *const providers[] = {"azure", "file", "pkcs11"};

static void asked(const char *provider, enum act a, const char *url, const char *sentence,
	const char *command)
{
	char s[ROOM], c[ROOM];
	assert_true(operator_ask(provider, a, url, s, c, ROOM));
	if (sentence)
		assert_string_equal(s, sentence);
	if (command)
		assert_string_equal(c, command);
}

static void the_key_is_named_in_the_command(void **state)
{
	(void)state;
	asked("azure", ACT_DISABLE, KEY "/0a", "Disable the version of the key that is in use",
		"az keyvault key set-attributes --enabled false --id '" KEY "/0a'");
	asked("azure", ACT_DELETE, KEY "/0a", NULL, "az keyvault key delete --id '" KEY "'");
	asked("azure", ACT_DELETE, KEY, NULL, "az keyvault key delete --id '" KEY "'");
	asked("azure", ACT_RECOVER, KEY "/0a", NULL,
		"az keyvault key recover --id 'https://v.vault.azure.net/deletedkeys/disk'");
	asked("azure", ACT_OUTAGE_OVER, KEY, "Let this host reach v.vault.azure.net again", "");
	asked("file", ACT_DISABLE, "file:/root/k.json", NULL,
		"cmkdisk keyfile disable '/root/k.json'");
	asked("file", ACT_REMOVE_FILE, "file:///root/it's", NULL,
		"mv '/root/it'\\''s' '/root/it'\\''s.away'");
}

static void times_are_those_of_utc_from_now(void **state)
{
	(void)state;
	char s[ROOM], c[ROOM], before[64], after[64];
	time_t now = time(NULL);
	(void)strftime(before, sizeof(before), "--expires %Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	assert_true(operator_ask("azure", ACT_EXPIRE, KEY, s, c, ROOM));
	now = time(NULL);
	(void)strftime(after, sizeof(after), "--expires %Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	assert_true(strstr(c, before) || strstr(c, after));
	now -= 24 * 60 * 60;
	(void)strftime(before, sizeof(before), "--ends %Y-%m-%d ", gmtime(&now));
	assert_true(operator_ask("pkcs11", ACT_EXPIRE, "pkcs11:object=k", s, c, ROOM));
	assert_non_null(strstr(c, before));
}

static void what_is_asked_for_can_be_undone(void **state)
{
	(void)state;
	static const struct {
		enum act act, undo;
	} pairs[] = {{ACT_DISABLE, ACT_ENABLE}, {ACT_DELETE, ACT_RECOVER},
		{ACT_EXPIRE, ACT_UNEXPIRE}, {ACT_NOT_YET, ACT_VALID}, {ACT_REVOKE, ACT_GRANT},
		{ACT_DISABLE_OLD, ACT_ENABLE_OLD}, {ACT_OUTAGE, ACT_OUTAGE_OVER},
		{ACT_REMOVE_FILE, ACT_RESTORE_FILE}, {ACT_PULL_TOKEN, ACT_PUSH_TOKEN}};
	for (size_t p = 0; p < 3; p++) {
		bool any = false, paired[ACTS] = {[ACT_ROTATE] = true};
		for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
			bool can = operator_can(providers[p], pairs[i].act);
			assert_int_equal(can, operator_can(providers[p], pairs[i].undo));
			assert_int_equal(operator_undo(pairs[i].act), pairs[i].undo);
			assert_int_equal(operator_undo(pairs[i].undo), ACT_NONE);
			paired[pairs[i].act] = paired[pairs[i].undo] = true;
			any |= can;
		}
		assert_true(any);
		for (enum act a = ACT_NONE; a < ACTS; a++)
			if (!paired[a])
				assert_false(operator_can(providers[p], a));
	}
}

static void no_pin_is_shown(void **state)
{
	(void)state;
	char s[ROOM], c[ROOM];
	unsigned shown = 0;
	for (enum act a = ACT_NONE; a < ACTS; a++) {
		if (!operator_ask(
			    "pkcs11", a, "pkcs11:token=t;object=k?pin-value=4711", s, c, ROOM))
			continue;
		assert_null(strstr(s, "4711"));
		assert_null(strstr(c, "4711"));
		shown += strstr(c, "pkcs11:token=t;object=k?...") != NULL;
	}
	assert_true(shown >= 6);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	(void)state;
	asked("file", ACT_DISABLE, "file:/root/a\033[2Jb", NULL,
		"cmkdisk keyfile disable '/root/a?[2Jb'");
}

static void the_provider_is_that_of_the_key(void **state)
{
	(void)state;
	static const char *const urls[] = {KEY, "file:/k.json", "pkcs11:object=k"};
	for (size_t i = 0; i < 3; i++) {
		struct stage s = {.set = "x"};
		assert_int_equal(stage_by_hand(urls[i], NULL, &s, NULL), 0);
		assert_string_equal(s.ops->provider, providers[i]);
		assert_string_equal(s.key_url, urls[i]);
		assert_string_equal(s.set, "");
		assert_true(s.ops->by_hand);
	}
	struct stage s;
	struct errmsg err = {""};
	assert_int_equal(stage_by_hand("moody:x?pin-value=1", NULL, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "moody:x:"));
}

static void a_key_set_says_which_key(void **state)
{
	(void)state;
	char dir[] = "/tmp/test-operator-XXXXXX", path[64];
	struct stage s;
	struct errmsg err = {""};
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/set.json", dir);
	assert_int_equal(stage_by_hand(NULL, path, &s, &err), -ENOENT);
	assert_int_equal(stage_write(path, "{\"activeKey\": {}}", NULL), 0);
	assert_int_equal(stage_by_hand(NULL, path, &s, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "activeKey.keyUrl"));
	assert_int_equal(stage_write(path, "{\"activeKey\": {\"keyUrl\": \"" KEY "\"}}", NULL), 0);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(stage_by_hand(NULL, "set.json", &s, &err), 0);
	assert_string_equal(s.key_url, KEY);
	assert_string_equal(s.set, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

// What is printed on standard error meanwhile, in out.
static void listen_to(void (*what)(struct stage *s), struct stage *s, char *out, size_t room)
{
	FILE *f = tmpfile();
	int before = dup(STDERR_FILENO);
	assert_non_null(f);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	what(s);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	rewind(f);
	out[fread(out, 1, room - 1, f)] = '\0';
	(void)fclose(f);
	(void)close(before);
}

static void disable(struct stage *s)
{
	assert_int_equal(s->ops->act(s, ACT_DISABLE, NULL), 0);
}

static void enable(struct stage *s)
{
	assert_int_equal(s->ops->act(s, ACT_ENABLE, NULL), 0);
}

static void over(struct stage *s)
{
	s->ops->end(s);
}

static void what_was_not_undone_is_asked_for_at_the_end(void **state)
{
	(void)state;
	char said[4096];
	for (int undone = 0; undone < 2; undone++) {
		struct stage s;
		assert_int_equal(stage_by_hand("file:/k.json", NULL, &s, NULL), 0);
		(void)snprintf(s.set, sizeof(s.set), "/nowhere");
		assert_int_equal(s.ops->start(&s, NULL), 0);
		listen_to(disable, &s, said, sizeof(said));
		assert_non_null(strstr(said, "Do this now: Disable the key.\n    cmkdisk keyfile "
					     "disable '/k.json'\n"));
		if (undone)
			listen_to(enable, &s, said, sizeof(said));
		listen_to(over, &s, said, sizeof(said));
		if (undone)
			assert_string_equal(said, "");
		else
			assert_non_null(strstr(said, "cmkdisk keyfile enable '/k.json'"));
	}
}

static int fails(int line)
{
	fprintf(stderr, "failed in line %d\n", line);
	return 1;
}

// On a terminal. What was pressed before the question is no answer.
static int person_presses_enter(void *arg)
{
	(void)arg;
	struct stage s = {.set = "x"};
	struct pollfd early = {.fd = STDIN_FILENO, .events = POLLIN};
	if (stage_by_hand("file:/k.json", NULL, &s, NULL) || write(2, "ready\n", 6) != 6)
		return fails(__LINE__);
	(void)snprintf(s.set, sizeof(s.set), "/nowhere");
	if (poll(&early, 1, PATIENCE_MS) != 1 || s.ops->start(&s, NULL))
		return fails(__LINE__);
	if (s.ops->act(&s, ACT_DISABLE, NULL) || s.ops->done_us(&s) != 0)
		return fails(__LINE__);
	uint64_t asked = clock_boot_ns(clock_real()) / 1000, at = 0;
	if (write(2, "waiting\n", 8) != 8)
		return fails(__LINE__);
	for (unsigned ms = 0; at == 0 && ms < PATIENCE_MS; ms++) {
		at = s.ops->done_us(&s);
		(void)usleep(1000);
	}
	if (at < asked || at > clock_boot_ns(clock_real()) / 1000)
		return fails(__LINE__);
	if (s.ops->done_us(&s) != at) // it stays
		return fails(__LINE__);
	if (s.ops->act(&s, ACT_ENABLE, NULL) || s.ops->done_us(&s) != 0)
		return fails(__LINE__);
	s.ops->end(&s);
	return 0;
}

static void enter_tells_when_it_was_done(void **state)
{
	(void)state;
	struct pty p;
	pty_start(&p, true, person_presses_enter, NULL);
	pty_expect(&p, "ready");
	pty_type(&p, "\n");
	pty_expect(&p, "Press Enter");
	pty_expect(&p, "waiting");
	pty_type(&p, "\n");
	int status = pty_end(&p);
	if (status)
		fail_msg("%s", p.seen);
}

static int nobody_presses_enter(void *arg)
{
	(void)arg;
	struct stage s = {.set = "x"};
	if (stage_by_hand("file:/k.json", NULL, &s, NULL))
		return fails(__LINE__);
	(void)snprintf(s.set, sizeof(s.set), "/nowhere");
	int r = s.ops->start(&s, NULL) || s.ops->act(&s, ACT_DISABLE, NULL) || s.ops->done_us(&s);
	s.ops->end(&s);
	return r;
}

// What is no terminal of ours is never read: it may be somebody else's input.
static void without_a_terminal_nobody_is_to_press_enter(void **state)
{
	(void)state;
	struct pty p;
	pty_start(&p, false, nobody_presses_enter, NULL);
	pty_type(&p, "\n");
	assert_int_equal(pty_end(&p), 0);
	assert_true(pty_showed(&p, "Do this now"));
	assert_false(pty_showed(&p, "Press Enter"));
}

// A key URL alone becomes a key set that says no more than it.
static void a_key_url_becomes_a_key_set(void **state)
{
	(void)state;
	struct stage s = {.dir = "/tmp/test-operator-XXXXXX"}, again;
	assert_non_null(mkdtemp(s.dir));
	assert_int_equal(stage_by_hand(KEY, NULL, &s, NULL), 0);
	assert_int_equal(s.ops->start(&s, NULL), 0);
	assert_int_equal(stage_by_hand(NULL, s.set, &again, NULL), 0);
	assert_string_equal(again.key_url, KEY);
	struct errmsg err = {""};
	assert_int_equal(s.ops->act(&s, ACT_PURGE, &err), -EOPNOTSUPP);
	assert_int_equal(s.ops->act(&s, ACT_DISABLE, &err), 0);
	s.ops->end(&s);
	assert_int_equal(unlink(s.set), 0);
	assert_int_equal(rmdir(s.dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_is_named_in_the_command),
		cmocka_unit_test(times_are_those_of_utc_from_now),
		cmocka_unit_test(what_is_asked_for_can_be_undone),
		cmocka_unit_test(no_pin_is_shown),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(the_provider_is_that_of_the_key),
		cmocka_unit_test(a_key_set_says_which_key),
		cmocka_unit_test(what_was_not_undone_is_asked_for_at_the_end),
		cmocka_unit_test(enter_tells_when_it_was_done),
		cmocka_unit_test(without_a_terminal_nobody_is_to_press_enter),
		cmocka_unit_test(a_key_url_becomes_a_key_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
