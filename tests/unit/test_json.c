// SPDX-License-Identifier: MIT
// JSON: one text means one document, to us and to every other reader.
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define MAX53 INT64_C(9007199254740991)

// From a copy of exactly len bytes, so that a sanitizer sees a read past the end.
static int parse_exact(const char *text, size_t len, struct json **out)
{
	autofree char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	return json_parse(copy, len, out);
}

static int parse(const char *text, struct json **out)
{
	return parse_exact(text, strlen(text), out);
}

static void a_document_is_read(void **state)
{
	(void)state;
	struct json *j scoped(json_free) = NULL;
	const char *name = NULL;
	int64_t i;
	bool b;

	assert_int_equal(parse(" {\"s\":\"a\\u00e9\\n\\ud83d\\udd11\",\"i\":-3,\"t\":true,\"f\":"
			       "false,\"n\":null,"
			       "\"l\":[1,\"x\",{}],\"o\":{\"p\":\"q\"},\"d\":1.5}\n",
				 &j),
		0);
	assert_true(json_is_object(j));
	assert_string_equal(json_str(j, "s"), "a\xc3\xa9\n\xf0\x9f\x94\x91");
	assert_true(json_int(j, "i", &i) && i == -3);
	assert_true(json_bool(j, "t", &b) && b);
	assert_true(json_bool(j, "f", &b) && !b);
	assert_int_equal(json_array_len(json_get(j, "l")), 3);
	assert_true(json_as_int(json_array_at(json_get(j, "l"), 0), &i) && i == 1);
	assert_string_equal(json_as_str(json_array_at(json_get(j, "l"), 1)), "x");
	assert_null(json_array_at(json_get(j, "l"), 3));
	assert_string_equal(json_str(json_get(j, "o"), "p"), "q");
	assert_non_null(json_member_at(j, 1, &name));
	assert_string_equal(name, "i");
	assert_null(json_member_at(j, 8, &name));
}

static void an_absent_value_and_another_type_read_alike(void **state)
{
	(void)state;
	struct json *j scoped(json_free) = NULL;
	const char *name;
	int64_t i = 77;
	bool b = true;

	assert_int_equal(parse("{\"s\":\"1\",\"i\":1,\"d\":1.5,\"S\":2}", &j), 0);
	assert_null(json_get(j, "x"));
	assert_null(json_str(j, "i"));
	assert_false(json_int(j, "s", &i));
	assert_false(json_int(j, "d", &i));
	assert_false(json_bool(j, "i", &b));
	assert_null(json_get(json_get(j, "i"), "s"));
	assert_null(json_get(NULL, "s"));
	assert_null(json_as_str(NULL));
	assert_false(json_as_int(NULL, &i));
	assert_int_equal(json_array_len(NULL), 0);
	assert_null(json_array_at(j, 0));
	assert_null(json_member_at(json_get(j, "s"), 0, &name));
	assert_true(json_int(j, "S", &i) && i == 2); // names differ by case
}

static void what_is_not_exactly_one_value_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", " ", "{", "}", "[1", "[1,]", "{\"a\":1,}", "{\"a\"}",
		"{a:1}", "{\"a\":1} x", "{}{}", "1 2", "[1 2]", "01", "-", "+1", "1.", ".5", "1e",
		"0x1", "NaN", "Infinity", "tru", "nul", "truex", "'a'", "\"a", "\"\\x\"",
		"\"\\u12\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
		"\"a\nb\"", "\"\xff\"", "\"\xc0\x80\"", "\xef\xbb\xbf{}", "{} \f", "/**/{}",
		"1e999", "-1e999", "1000000000000000000000000000000000000000000000000000000000000",
		"\"\\", "\"\\u00", "[,1]"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct json *j = NULL;
		if (parse(bad[i], &j) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_null(j);
	}
	struct json *j = NULL;
	assert_int_equal(parse_exact("\"a\0b\"", 5, &j), -EBADMSG);
	assert_int_equal(parse_exact("{}\0", 3, &j), -EBADMSG);
}

static void a_member_named_twice_is_refused(void **state)
{
	(void)state;
	struct json *j scoped(json_free) = NULL;

	assert_int_equal(parse("{\"a\":1,\"b\":2,\"a\":1}", &j), -EBADMSG);
	assert_int_equal(parse("[{\"x\":{\"a\":1,\"\\u0061\":2}}]", &j),
		-EBADMSG); // the same name, spelt twice
	assert_int_equal(parse("{\"\":1,\"\":2}", &j), -EBADMSG);
	assert_int_equal(parse("{\"a\":{\"a\":1},\"A\":2}", &j), 0);
}

static void nesting_is_bounded_at_64(void **state)
{
	(void)state;
	char text[200];

	for (size_t depth = 64; depth <= 65; depth++) {
		struct json *j scoped(json_free) = NULL;
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(parse_exact(text, 2 * depth, &j), depth == 64 ? 0 : -EBADMSG);
	}
	autofree char *deep = malloc(1000000);
	struct json *j = NULL;
	memset(deep, '[', 1000000);
	assert_int_equal(json_parse(deep, 1000000, &j), -EBADMSG);
}

static void integers_are_exact_or_absent(void **state)
{
	(void)state;
	struct json *j scoped(json_free) = NULL;
	int64_t i;

	assert_int_equal(parse("[9007199254740991,-9007199254740991,1e3,2.0,9007199254740992,"
			       "9007199254740993,0.5,1e300,-0]",
				 &j),
		0);
	static const struct {
		bool ok;
		int64_t value;
	} want[] = {{true, MAX53}, {true, -MAX53}, {true, 1000}, {true, 2}, {false, 0}, {false, 0},
		{false, 0}, {false, 0}, {true, 0}};
	for (size_t k = 0; k < COUNT(want); k++) {
		assert_int_equal(json_as_int(json_array_at(j, k), &i), want[k].ok);
		if (want[k].ok)
			assert_int_equal(i, want[k].value);
	}
}

static void large_integers_survive_printing(void **state)
{
	(void)state;
	static const int64_t values[] = {0, -1, 2147483648, 999999999999999, 1000000000000000,
		MAX53, -MAX53, INT64_MAX, INT64_MIN};

	for (size_t k = 0; k < COUNT(values); k++) {
		struct json *j scoped(json_free) = NULL;
		struct json *again scoped(json_free) = NULL;
		autofree char *text = NULL, *text2 = NULL;
		char want[64];
		int64_t i;

		assert_int_equal(json_object(&j), 0);
		assert_int_equal(json_add_int(j, "v", values[k]), 0);
		assert_true(json_int(j, "v", &i) && i == values[k]);
		assert_int_equal(json_print(j, false, &text), 0);
		(void)snprintf(want, sizeof want, "{\"v\":%lld}", (long long)values[k]);
		assert_string_equal(text, want);
		if (values[k] > MAX53 || values[k] < -MAX53)
			continue;
		assert_int_equal(parse(text, &again), 0);
		assert_int_equal(json_print(again, false, &text2), 0);
		assert_string_equal(text2, want);
	}
}

static void a_document_is_built(void **state)
{
	(void)state;
	struct json *j scoped(json_free) = NULL;
	struct json *list = NULL, *inner = NULL;
	autofree char *text = NULL, *pretty = NULL;

	assert_int_equal(json_object(&j), 0);
	assert_int_equal(json_add_str(j, "s", "q\"\n\xff"), 0);
	assert_int_equal(json_add_str(j, "n", NULL), 0);
	assert_int_equal(json_add_bool(j, "b", true), 0);
	assert_int_equal(json_array(&list), 0);
	assert_int_equal(json_push_str(list, "x"), 0);
	assert_int_equal(json_object(&inner), 0);
	assert_int_equal(json_push(list, inner), 0);
	assert_int_equal(json_add(j, "l", list), 0);
	assert_int_equal(json_print(j, false, &text), 0);
	assert_string_equal(text, "{\"s\":\"q\\\"\\n?\",\"n\":null,\"b\":true,\"l\":[\"x\",{}]}");
	assert_int_equal(json_print(j, true, &pretty), 0);
	assert_non_null(strchr(pretty, '\n'));
	assert_int_equal(json_check(text, strlen(text)), 0);
	assert_int_equal(json_check(pretty, strlen(pretty)), 0);
}

static void a_child_is_taken_even_when_adding_fails(void **state)
{
	(void)state;
	struct json *j scoped(json_free) = NULL;
	struct json *child = NULL;

	assert_int_equal(json_object(&j), 0);
	assert_int_equal(json_add_int(j, "a", 1), 0);
	assert_int_equal(json_object(&child), 0);
	assert_int_equal(json_add(j, "a", child), -EEXIST); // the leak sanitizer watches
	assert_int_equal(json_add(j, "b", NULL), -ENOMEM);
	assert_int_equal(json_push(j, NULL), -ENOMEM);
}

static void what_was_parsed_is_changed(void **state)
{
	(void)state;
	struct json *j scoped(json_free) = NULL;
	char *text autofree = NULL;
	bool b = false;

	assert_int_equal(parse("{\"a\":null,\"o\":{\"t\":true,\"big\":9007199254740991}}", &j), 0);
	assert_true(json_is_null(json_get(j, "a")));
	assert_false(json_is_null(json_get(j, "none")) || json_is_null(json_get(j, "o")));
	assert_true(json_as_bool(json_get(json_get(j, "o"), "t"), &b) && b);
	assert_false(json_as_bool(json_get(j, "a"), &b) || json_as_bool(NULL, &b));
	assert_null(json_member(j, "none"));
	assert_int_equal(json_set_bool(json_member(j, "o"), "t", false), 0);
	assert_int_equal(json_set_bool(j, "a", true), 0);
	assert_int_equal(json_set_bool(j, "new", false), 0);
	assert_int_equal(json_print(j, false, &text), 0);
	assert_string_equal(
		text, "{\"a\":true,\"o\":{\"t\":false,\"big\":9007199254740991},\"new\":false}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_read),
		cmocka_unit_test(an_absent_value_and_another_type_read_alike),
		cmocka_unit_test(what_is_not_exactly_one_value_is_refused),
		cmocka_unit_test(a_member_named_twice_is_refused),
		cmocka_unit_test(nesting_is_bounded_at_64),
		cmocka_unit_test(integers_are_exact_or_absent),
		cmocka_unit_test(large_integers_survive_printing),
		cmocka_unit_test(a_document_is_built),
		cmocka_unit_test(what_was_parsed_is_changed),
		cmocka_unit_test(a_child_is_taken_even_when_adding_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
