// SPDX-License-Identifier: MIT
// Faults on request: which requests they meet, how often, what each kind answers. The clock is
// this test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults.h"

#include <errno.h>
#include <time.h>

static int64_t fake_ms = 1000000;

int __wrap_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
	(void)id;
	*out = (struct timespec){fake_ms / 1000, fake_ms % 1000 * 1000000};
	return 0;
}

static const struct fault_subject unwrap = {.operation = "KeyUnwrap",
	.vault = "contoso",
	.key = "disk-key",
	.version = "v1",
	.endpoint = "vault"};

static int do_it(struct faults *f, const char *verb, const char *text, struct kp_json **result,
	struct kp_err *err)
{
	char copy[512];
	scoped(kp_json_free) struct kp_json *args = NULL, *mine = NULL;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(kp_json_parse(copy, strlen(copy), &args), 0);
	int ret = faults_action(f, verb, args, result ? result : &mine, err);
	return ret;
}

static struct faults *with(uint64_t seed, const char *text)
{
	struct faults *f;
	struct kp_err err = {""};
	assert_int_equal(faults_new(seed, &f), 0);
	assert_int_equal(faults_authority(f, "https://login.vault.localhost:1/11111111-tenant"), 0);
	if (text && do_it(f, "add", text, NULL, &err))
		fail_msg("%s: %s", text, err.text);
	return f;
}

static int status_of(struct faults *f, const struct fault_subject *s)
{
	scoped(emu_reply_end) struct emu_reply r = {0};
	int ret = faults_apply(f, s, &r);
	assert_true(ret == 0 || ret == 1);
	return ret ? r.status : 0;
}

static void nothing_happens_without_a_fault(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f = with(1, NULL);
	assert_int_equal(status_of(f, &unwrap), 0);
}

static void a_fault_meets_what_it_names(void **state)
{
	(void)state;
	static const struct {
		const char *match;
		bool meets;
	} table[] = {{"{}", true}, {"{\"operation\":\"KeyUnwrap\"}", true},
		{"{\"operation\":\"KeyGet\"}", false}, {"{\"vault\":\"Contoso\"}", true},
		{"{\"vault\":\"other\"}", false},
		{"{\"key\":\"disk-key\",\"version\":\"v1\"}", true},
		{"{\"key\":\"disk-key\",\"version\":\"v2\"}", false},
		{"{\"endpoint\":\"vault\"}", true}, {"{\"endpoint\":\"imds\"}", false}};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char text[256];
		(void)snprintf(
			text, sizeof(text), "{\"kind\":\"status\",\"match\":%s}", table[i].match);
		scoped(faults_free) struct faults *f = with(1, text);
		if (status_of(f, &unwrap) != (table[i].meets ? 503 : 0))
			fail_msg("%s", table[i].match);
	}
	// What a request does not have is not met by a fault that asks for it.
	scoped(faults_free) struct faults *f =
		with(1, "{\"kind\":\"status\",\"match\":{\"key\":\"k\"}}");
	assert_int_equal(status_of(f, &(struct fault_subject){.endpoint = "entra"}), 0);
}

static void count_and_after_bound_it(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f =
		with(1, "{\"kind\":\"status\",\"status\":500,\"after\":1,\"count\":2}");
	static const int expected[] = {0, 500, 500, 0, 0};
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(status_of(f, &unwrap), expected[i]);
}

static void for_ends_it(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f = with(1, "{\"kind\":\"status\",\"for\":\"10s\"}");
	assert_int_equal(status_of(f, &unwrap), 503);
	fake_ms += 9999;
	assert_int_equal(status_of(f, &unwrap), 503);
	fake_ms += 1;
	assert_int_equal(status_of(f, &unwrap), 0);
}

static void chance_is_repeatable_and_near_what_was_asked(void **state)
{
	(void)state;
	const char *text = "{\"kind\":\"status\",\"probability\":0.3}";
	scoped(faults_free) struct faults *a = with(7, text);
	scoped(faults_free) struct faults *b = with(7, text);
	scoped(faults_free) struct faults *c = with(8, text);
	int struck = 0, differ = 0;
	for (int i = 0; i < 2000; i++) {
		int one = status_of(a, &unwrap);
		assert_int_equal(status_of(b, &unwrap), one);
		differ += status_of(c, &unwrap) != one;
		struck += one != 0;
	}
	assert_in_range(struck, 500, 700);
	assert_true(differ > 100);
}

static void a_429_is_the_services_own(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f =
		with(1, "{\"kind\":\"status\",\"status\":429,\"retryAfter\":5,\"count\":1}");
	scoped(emu_reply_end) struct emu_reply r = {0};
	assert_int_equal(faults_apply(f, &unwrap, &r), 1);
	assert_int_equal(r.status, 429);
	assert_non_null(strstr(r.body, "\"code\":\"Throttled\""));
	assert_int_equal(r.header_count, 1);
	assert_string_equal(r.headers[0], "Retry-After: 5");
	emu_reply_end(&r);
	assert_int_equal(do_it(f, "add", "{\"kind\":\"status\",\"status\":429}", NULL, NULL), 0);
	assert_int_equal(faults_apply(f, &unwrap, &r), 1);
	assert_int_equal(r.header_count, 0); // as the real one: no Retry-After unless asked for
}

static void own_words_win(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f =
		with(1, "{\"kind\":\"status\",\"status\":403,\"code\":\"Forbidden\",\"innererror\":"
			"\"ForbiddenByRbac\",\"message\":\"no\"}");
	scoped(emu_reply_end) struct emu_reply r = {0};
	assert_int_equal(faults_apply(f, &unwrap, &r), 1);
	assert_string_equal(r.body, "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no\","
				    "\"innererror\":{\"code\":\"ForbiddenByRbac\"}}}");
}

static void token_endpoints_fail_in_their_own_words(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f = with(1, "{\"kind\":\"status\"}");
	scoped(emu_reply_end) struct emu_reply r = {0};
	const struct fault_subject s = {.operation = "Token", .endpoint = "entra"};
	assert_int_equal(faults_apply(f, &s, &r), 1);
	assert_non_null(strstr(r.body, "\"error\":\"temporarily_unavailable\""));
}

static void latency_adds_up_and_the_request_goes_on(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f = with(1, "{\"kind\":\"latency\",\"delay\":\"2s\"}");
	scoped(emu_reply_end) struct emu_reply r = {0};
	assert_int_equal(
		do_it(f, "add", "{\"kind\":\"latency\",\"delay\":\"500ms\"}", NULL, NULL), 0);
	assert_int_equal(faults_apply(f, &unwrap, &r), 0);
	assert_int_equal(r.delay_ms, 2500);
	assert_int_equal(r.status, 0);
}

static void truncate_and_drip_keep_the_true_answer(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum emu_manner manner;
		int ret;
	} table[] = {{"{\"kind\":\"truncate\"}", EMU_TRUNCATED, 0},
		{"{\"kind\":\"drip\"}", EMU_DRIP, 0}, {"{\"kind\":\"reset\"}", EMU_RESET, 1},
		{"{\"kind\":\"hang\"}", EMU_HANG, 1}};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		scoped(faults_free) struct faults *f = with(1, table[i].text);
		scoped(emu_reply_end) struct emu_reply r = {0};
		assert_int_equal(faults_apply(f, &unwrap, &r), table[i].ret);
		assert_int_equal(r.manner, table[i].manner);
		// What the handler answers afterwards does not undo it.
		assert_int_equal(emu_reply_error(&r, 404, "KeyNotFound", NULL, "no"), 0);
		assert_int_equal(r.manner, table[i].manner);
	}
}

static void bodies_are_as_bad_as_asked(void **state)
{
	(void)state;
	static const struct {
		const char *kind, *begins, *type;
		int status;
		size_t least, most;
	} table[] = {{"html", "<html>", "text/html; charset=utf-8", 502, 20, 500},
		{"empty", "", NULL, 200, 0, 0},
		{"oversize", "{\"value\":\"AA", NULL, 200, 4 << 20, 5 << 20},
		{"wrong-type", "{\"key\":[1]", NULL, 200, 20, 500}};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char text[64];
		(void)snprintf(text, sizeof(text), "{\"kind\":\"%s\"}", table[i].kind);
		scoped(faults_free) struct faults *f = with(1, text);
		scoped(emu_reply_end) struct emu_reply r = {0};
		assert_int_equal(faults_apply(f, &unwrap, &r), 1);
		assert_int_equal(r.status, table[i].status);
		assert_in_range(r.len, table[i].least, table[i].most);
		assert_memory_equal(r.body, table[i].begins, strlen(table[i].begins));
		assert_true(table[i].type ? strcmp(r.content_type, table[i].type) == 0
					  : !r.content_type);
	}
}

static void a_cae_challenge_wants_claims(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f = with(1, "{\"kind\":\"cae\",\"count\":1}");
	scoped(emu_reply_end) struct emu_reply r = {0};
	assert_int_equal(faults_apply(f, &unwrap, &r), 1);
	assert_int_equal(r.status, 401);
	assert_non_null(strstr(r.headers[0],
		"WWW-Authenticate: Bearer "
		"authorization=\"https://login.vault.localhost:1/11111111-tenant\", "
		"resource=\"https://vault.localhost\", error=\"insufficient_claims\", claims=\""));
	// {"access_token":{"nbf": in base64.
	assert_non_null(strstr(r.headers[0], "claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7"));
}

static void the_first_that_fits_answers(void **state)
{
	(void)state;
	scoped(faults_free) struct faults *f =
		with(1, "{\"kind\":\"status\",\"status\":500,\"count\":1}");
	assert_int_equal(do_it(f, "add", "{\"kind\":\"status\",\"status\":404}", NULL, NULL), 0);
	assert_int_equal(status_of(f, &unwrap), 500);
	assert_int_equal(status_of(f, &unwrap), 404);
}

static void clear_takes_one_or_all(void **state)
{
	(void)state;
	struct kp_err err = {""};
	scoped(kp_json_free) struct kp_json *list = NULL;
	scoped(faults_free) struct faults *f = with(1, "{\"name\":\"a\",\"kind\":\"hang\"}");
	assert_int_equal(do_it(f, "add", "{\"name\":\"b\",\"kind\":\"reset\"}", NULL, &err), 0);
	assert_int_equal(do_it(f, "add", "{\"name\":\"b\",\"kind\":\"empty\"}", NULL, &err), 0);
	assert_int_equal(do_it(f, "list", "{}", &list, &err), 0);
	assert_int_equal(kp_json_count(kp_json_get(list, "faults")), 2); // the second b replaced
	assert_int_equal(do_it(f, "clear", "{\"name\":\"c\"}", NULL, &err), -ENOENT);
	assert_int_equal(do_it(f, "clear", "{\"name\":\"a\"}", NULL, &err), 0);
	assert_int_equal(status_of(f, &unwrap), 200);
	assert_int_equal(do_it(f, "clear", "{}", NULL, &err), 0);
	assert_int_equal(status_of(f, &unwrap), 0);
}

static void wrong_arguments_are_told(void **state)
{
	(void)state;
	static const char *const bad[] = {"{}", "{\"kind\":\"flood\"}",
		"{\"kind\":\"status\",\"status\":42}", "{\"kind\":\"status\",\"probability\":1.5}",
		"{\"kind\":\"status\",\"probability\":\"x\"}",
		"{\"kind\":\"latency\",\"delay\":\"soon\"}",
		"{\"kind\":\"latency\",\"delay\":\"2d\"}", "{\"kind\":\"status\",\"count\":0}",
		"{\"kind\":\"status\",\"match\":3}", "{\"kind\":\"status\",\"match\":{\"key\":3}}",
		"{\"kind\":\"status\",\"for\":[]}",
		"{\"kind\":\"status\",\"match\":{\"op\":\"KeyUnwrap\"}}",
		"{\"kind\":\"status\",\"match\":{\"operation\":\"KeyUnwarp\"}}",
		"{\"kind\":\"status\",\"match\":{\"operation\":\"Key\"}}",
		"{\"kind\":\"status\",\"match\":{\"endpoint\":\"login\"}}",
		"{\"kind\":\"status\",\"match\":{\"vault\":\"\"}}",
		"{\"kind\":\"status\",\"match\":{\"key\":null}}"};
	scoped(faults_free) struct faults *f = with(1, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct kp_err err = {""};
		if (do_it(f, "add", bad[i], NULL, &err) != -EINVAL || strlen(err.text) < 15)
			fail_msg("%s: %s", bad[i], err.text);
	}
	// What there is instead is told.
	struct kp_err err = {""};
	assert_int_equal(
		do_it(f, "add", "{\"kind\":\"hang\",\"match\":{\"operation\":\"KeyUnwarp\"}}", NULL,
			&err),
		-EINVAL);
	assert_non_null(strstr(err.text, "KeyUnwrap"));
	assert_int_equal(status_of(f, &unwrap), 0);
	assert_int_equal(do_it(f, "undo", "{}", NULL, NULL), -EINVAL);
}

static void what_was_set_is_shown(void **state)
{
	(void)state;
	static const struct {
		const char *set, *shown;
	} table[] = {
		{"{\"kind\":\"hang\",\"delay\":\"1500ms\",\"for\":\"2min\",\"count\":3,"
		 "\"probability\":0.1,\"after\":2}",
			"{\"name\":\"fault-1\",\"match\":{},\"kind\":\"hang\","
			"\"delay\":\"1500ms\",\"after\":2,\"for\":\"120s\","
			"\"probability\":0.1,\"count\":3,\"left\":3,\"seen\":0,"
			"\"struck\":0}"},
		{"{\"kind\":\"latency\"}",
			"{\"name\":\"fault-1\",\"match\":{},\"kind\":\"latency\","
			"\"delay\":\"1s\",\"seen\":0,\"struck\":0}"},
		{"{\"kind\":\"status\",\"status\":429,\"retryAfter\":5,\"code\":\"c\","
		 "\"innererror\":\"i\",\"message\":\"m\"}",
			"{\"name\":\"fault-1\",\"match\":{},\"kind\":\"status\","
			"\"status\":429,\"code\":\"c\",\"innererror\":\"i\","
			"\"message\":\"m\",\"retryAfter\":5,\"seen\":0,\"struck\":0}"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		scoped(faults_free) struct faults *f = with(1, NULL);
		scoped(kp_json_free) struct kp_json *shown = NULL;
		autofree char *text = NULL;
		assert_int_equal(do_it(f, "add", table[i].set, &shown, NULL), 0);
		assert_int_equal(kp_json_print(shown, false, &text), 0);
		assert_string_equal(text, table[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_happens_without_a_fault),
		cmocka_unit_test(a_fault_meets_what_it_names),
		cmocka_unit_test(count_and_after_bound_it),
		cmocka_unit_test(for_ends_it),
		cmocka_unit_test(chance_is_repeatable_and_near_what_was_asked),
		cmocka_unit_test(a_429_is_the_services_own),
		cmocka_unit_test(own_words_win),
		cmocka_unit_test(token_endpoints_fail_in_their_own_words),
		cmocka_unit_test(latency_adds_up_and_the_request_goes_on),
		cmocka_unit_test(truncate_and_drip_keep_the_true_answer),
		cmocka_unit_test(bodies_are_as_bad_as_asked),
		cmocka_unit_test(a_cae_challenge_wants_claims),
		cmocka_unit_test(the_first_that_fits_answers),
		cmocka_unit_test(clear_takes_one_or_all),
		cmocka_unit_test(wrong_arguments_are_told),
		cmocka_unit_test(what_was_set_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
