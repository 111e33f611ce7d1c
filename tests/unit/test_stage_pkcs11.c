// SPDX-License-Identifier: MIT
// A rehearsal's own token: that each act does to the key what it says, as cmkdisk tokenkey sees it,
// and that its counterpart undoes it.
#include "command.h"
#include "json.h"
#include "scope.h"
#include "stage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct programs programs = {.tokenkey = TOKENKEY_PROGRAM};

static int setup(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	s->ops = &stage_pkcs11;
	s->programs = &programs;
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/test-stage-XXXXXX");
	*state = s;
	struct errmsg err = {""};
	if (!mkdtemp(s->dir))
		return -1;
	if (!stage_pkcs11.available(&programs) || !stage_pkcs11.start(s, &err))
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

static int teardown(void **state)
{
	struct stage *s = *state;
	char command[300];
	stage_pkcs11.end(s);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	int r = system(command);
	free(s);
	return r;
}

static void need_softhsm(void)
{
	if (!stage_pkcs11.available(&programs)) {
		print_message("softhsm2 is not installed\n");
		skip();
	}
}

static void do_it(struct stage *s, enum act a)
{
	struct errmsg err = {""};
	assert_true(stage_pkcs11.can(a));
	if (stage_pkcs11.act(s, a, &err) < 0)
		fail_msg("%s: %s", act_text(a), err.text);
}

// What the token says about the key; NULL: there is none. The caller frees it.
static struct json *shown(struct stage *s, char **sentence)
{
	char url[1024], *text autofree = NULL;
	struct errmsg err = {""};
	(void)snprintf(url, sizeof(url), "%s?module-path=%s&pin-source=file:%s/pin", s->key_url,
		"/usr/lib/softhsm/libsofthsm2.so", s->dir);
	const char *const argv[] = {TOKENKEY_PROGRAM, "show", "--json", "--key", url, NULL};
	struct json *j = NULL;
	int r = command_run((char *const *)argv, s->environment, COMMAND_TIMEOUT_MS, &text, &err);
	if (!r)
		assert_int_equal(json_parse(text, strlen(text), &j), 0);
	else if (sentence)
		*sentence = strdup(err.text);
	return j;
}

static void expect(struct stage *s, size_t versions, bool decrypt, bool ends, const char *starts)
{
	struct json *j scoped(json_free) = shown(s, NULL);
	const struct json *list = json_get(j, "versions");
	assert_int_equal(json_array_len(list), versions);
	for (size_t i = 0; i < versions; i++) {
		const struct json *v = json_array_at(list, i);
		bool b = !decrypt;
		assert_true(json_bool(v, "decrypt", &b));
		assert_int_equal(b, decrypt);
		assert_int_equal(json_str(v, "ends") != NULL, ends);
		if (starts)
			assert_true(strcmp(json_str(v, "starts"), starts) > 0);
	}
}

static void the_key_is_disabled_and_enabled(void **state)
{
	need_softhsm();
	struct stage *s = *state;
	expect(s, 1, true, false, NULL);
	do_it(s, ACT_DISABLE);
	expect(s, 1, false, false, NULL);
	do_it(s, ACT_ENABLE);
	expect(s, 1, true, false, NULL);
}

static void the_key_gets_and_loses_dates(void **state)
{
	need_softhsm();
	struct stage *s = *state;
	struct json *j scoped(json_free) = shown(s, NULL);
	const char *today = json_str(json_array_at(json_get(j, "versions"), 0), "starts");
	do_it(s, ACT_EXPIRE);
	expect(s, 1, true, true, NULL);
	do_it(s, ACT_UNEXPIRE);
	expect(s, 1, true, false, NULL);
	do_it(s, ACT_NOT_YET);
	expect(s, 1, true, false, today);
	do_it(s, ACT_VALID);
	expect(s, 1, true, false, "2020-01-01");
}

static void of_two_versions_the_old_one_is_disabled(void **state)
{
	need_softhsm();
	struct stage *s = *state;
	do_it(s, ACT_ROTATE);
	expect(s, 2, true, false, NULL);
	do_it(s, ACT_DISABLE_OLD);
	struct json *j scoped(json_free) = shown(s, NULL);
	const struct json *list = json_get(j, "versions");
	for (size_t i = 0; i < 2; i++) {
		const struct json *v = json_array_at(list, i);
		bool b = false, newest = !strcmp(json_str(v, "version"), json_str(j, "newest"));
		assert_true(json_bool(v, "decrypt", &b));
		assert_int_equal(b, newest);
	}
	do_it(s, ACT_ENABLE_OLD);
	expect(s, 2, true, false, NULL);
}

static void the_very_key_comes_back_after_it_was_destroyed(void **state)
{
	need_softhsm();
	struct stage *s = *state;
	struct json *before scoped(json_free) = shown(s, NULL);
	char *why autofree = NULL;
	do_it(s, ACT_DESTROY_OBJECT);
	assert_null(shown(s, &why));
	assert_non_null(strstr(why, "no such key"));
	do_it(s, ACT_RESTORE_OBJECT);
	struct json *after scoped(json_free) = shown(s, NULL);
	assert_string_equal(json_str(after, "newest"), json_str(before, "newest"));
	do_it(s, ACT_DESTROY_OBJECT); // and again
	assert_null(shown(s, NULL));
	do_it(s, ACT_RESTORE_OBJECT);
	expect(s, 1, true, false, NULL);
}

static void the_token_is_pulled_and_put_back(void **state)
{
	need_softhsm();
	struct stage *s = *state;
	char *why autofree = NULL;
	do_it(s, ACT_PULL_TOKEN);
	assert_null(shown(s, &why));
	assert_non_null(strstr(why, "token"));
	do_it(s, ACT_PUSH_TOKEN);
	expect(s, 1, true, false, NULL);
}

static void what_a_token_cannot_do_is_refused(void **state)
{
	need_softhsm();
	struct stage *s = *state;
	struct errmsg err = {""};
	assert_false(stage_pkcs11.can(ACT_THROTTLE));
	assert_int_equal(stage_pkcs11.act(s, ACT_THROTTLE, &err), -EOPNOTSUPP);
	static const struct programs none = {.cmkdisk = "/nowhere"};
	assert_false(stage_pkcs11.available(&none));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_key_is_disabled_and_enabled),
		TEST(the_key_gets_and_loses_dates),
		TEST(of_two_versions_the_old_one_is_disabled),
		TEST(the_very_key_comes_back_after_it_was_destroyed),
		TEST(the_token_is_pulled_and_put_back),
		TEST(what_a_token_cannot_do_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
