// SPDX-License-Identifier: MIT
// The binding token: what is written is read again, and nothing else is.
#include "binding.h"

#include "mac.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>

#define W40 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define D32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SLOTS "\"keyslots\":[\"3\"]"
#define URL "\"key_url\":\"file:///k\""
#define VERSION "\"key_version\":\"v1\""
#define ALG "\"alg\":\"A256KW\""
#define WRAPPED "\"wrapped\":\"" W40 "\""
#define DIGEST "\"digest\":\"" D32 "\""
#define CREATED "\"created\":1700000000"
#define HEAD "\"type\":\"cmkdisk\",\"version\":1"
#define D32_1 "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define FIVE "\"" D32 "\",\"" D32 "\",\"" D32 "\",\"" D32 "\",\"" D32 "\""
#define TEN FIVE "," FIVE
#define WITH(replaces)                                                                    \
	"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED "," DIGEST "," CREATED \
	",\"replaces\":" replaces "}"
#define GOOD "{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED "," DIGEST "," CREATED "}"

static int parse(const char *text, struct binding *b, struct errmsg *err)
{
	*err = (struct errmsg){0};
	return binding_parse(5, text, strlen(text), b, err);
}

static void what_is_printed_is_read_again(void **state)
{
	(void)state;
	struct binding b = {.token = 5, .keyslot = 31, .created = 1790000000, .wrapped_len = 4096};
	struct binding again;
	struct errmsg err;
	char *text autofree = NULL;

	memset(b.key_url, 'u', sizeof(b.key_url) - 1);
	memset(b.key_version, 'v', sizeof(b.key_version) - 1);
	memset(b.alg, 'x', sizeof(b.alg) - 1);
	for (size_t i = 0; i < b.wrapped_len; i++)
		b.wrapped[i] = (uint8_t)(i * 7);
	memset(b.digest, 0xfe, sizeof(b.digest));
	b.replaces_count = BINDING_REPLACES_MAX;
	for (size_t i = 0; i < b.replaces_count; i++)
		memset(b.replaces[i], (int)i + 1, sizeof(b.replaces[i]));
	assert_int_equal(sha256(b.wrapped, b.wrapped_len, b.id), 0);
	assert_int_equal(binding_print(&b, &text), 0);
	assert_int_equal(parse(text, &again, &err), 0);
	assert_memory_equal(&b, &again, sizeof(b));
}

static void a_good_token_is_read_and_unknown_members_are_ignored(void **state)
{
	(void)state;
	struct binding b;
	struct errmsg err;

	assert_int_equal(parse(GOOD, &b, &err), 0);
	assert_int_equal(b.token, 5);
	assert_int_equal(b.keyslot, 3);
	assert_string_equal(b.key_url, "file:///k");
	assert_string_equal(b.key_version, "v1");
	assert_string_equal(b.alg, "A256KW");
	assert_int_equal(b.wrapped_len, 40);
	assert_int_equal(b.created, 1700000000);
	assert_int_equal(parse("{\"new\":[{}]," HEAD "," SLOTS "," URL "," VERSION "," ALG
			       "," WRAPPED "," DIGEST "," CREATED "}",
				 &b, &err),
		0);
}

static void what_it_replaces_is_read_and_need_not_be_there(void **state)
{
	(void)state;
	struct binding b;
	struct errmsg err;
	assert_int_equal(parse(GOOD, &b, &err), 0);
	assert_int_equal(b.replaces_count, 0);
	char *text autofree = NULL;
	assert_int_equal(binding_print(&b, &text), 0);
	assert_null(strstr(text, "replaces")); // as it was before there was such a member
	assert_int_equal(parse(WITH("[\"" D32 "\",\"" D32_1 "\"]"), &b, &err), 0);
	assert_int_equal(b.replaces_count, 2);
	assert_int_equal(b.replaces[1][0], 4);
}

static void one_replaces_another_by_its_id(void **state)
{
	(void)state;
	struct binding old, new;
	struct errmsg err;
	assert_int_equal(parse(GOOD, &old, &err), 0);
	assert_int_equal(parse(GOOD, &new, &err), 0);
	assert_false(binding_replaces(&new, &old));
	new.replaces_count = 2;
	memcpy(new.replaces[1], old.id, sizeof(old.id));
	assert_true(binding_replaces(&new, &old));
	assert_false(binding_replaces(&old, &new));
	old.id[31] ^= 1;
	assert_false(binding_replaces(&new, &old));
}

// Bit j of replaces[i] means that i replaces j.
static void demand_order(const unsigned *replaces, size_t count, const char *expected)
{
	struct binding all[4] = {{.token = 0}};
	size_t order[4];
	char got[8] = "";
	for (size_t i = 0; i < count; i++) {
		all[i].id[0] = (uint8_t)(i + 1);
		for (size_t j = 0; j < count; j++)
			if (replaces[i] & 1u << j)
				all[i].replaces[all[i].replaces_count++][0] = (uint8_t)(j + 1);
	}
	binding_order(all, count, order);
	for (size_t i = 0; i < count; i++)
		got[i] = (char)('0' + order[i]);
	assert_string_equal(got, expected);
}

static void whoever_replaces_others_comes_before_them(void **state)
{
	(void)state;
	demand_order((unsigned[]){0, 0, 0}, 3, "012");
	demand_order((unsigned[]){0, 1, 0}, 3, "102");
	demand_order((unsigned[]){0, 1, 2}, 3, "210"); // a chain
	demand_order((unsigned[]){0, 1, 1, 0}, 4, "1203");
	demand_order((unsigned[]){2, 1, 0}, 3, "201"); // each other
	demand_order((unsigned[]){1, 0}, 2, "01");     // itself
	demand_order((unsigned[]){0}, 1, "0");
}

static const struct {
	const char *text, *said;
} bad[] = {
	{WITH("\"" D32 "\""), "\"replaces\""},
	{WITH("{}"), "\"replaces\""},
	{WITH("null"), "\"replaces\""},
	{WITH("[]"), "\"replaces\""},
	{WITH("[7]"), "\"replaces\""},
	{WITH("[\"QUJD\"]"), "\"replaces\""},
	{WITH("[\"" D32 "\",\"" W40 "\"]"), "\"replaces\""},
	{WITH("[" TEN "," TEN "," TEN "]"), "\"replaces\""},
	{"", "not JSON"},
	{"[]", "\"type\""},
	{"{\"type\":\"cmkdisk\"", "not JSON"},
	{"{\"type\":\"other\",\"version\":1}", "\"type\""},
	{"{\"type\":\"cmkdisk\"}", "\"version\""},
	{"{\"type\":\"cmkdisk\",\"version\":\"1\"}", "\"version\""},
	{"{\"type\":\"cmkdisk\",\"version\":2}", "format version 2"},
	{"{" HEAD "}", "\"keyslots\""},
	{"{" HEAD ",\"keyslots\":3}", "\"keyslots\""},
	{"{" HEAD ",\"keyslots\":[]}", "its keyslot is gone"},
	{"{" HEAD ",\"keyslots\":[\"1\",\"2\"]}", "2 keyslots"},
	{"{" HEAD ",\"keyslots\":[1]}", "keyslot"},
	{"{" HEAD ",\"keyslots\":[\"32\"]}", "keyslot"},
	{"{" HEAD ",\"keyslots\":[\"01\"]}", "keyslot"},
	{"{" HEAD ",\"keyslots\":[\"-1\"]}", "keyslot"},
	{"{" HEAD ",\"keyslots\":[\"\"]}", "keyslot"},
	{"{" HEAD ",\"keyslots\":[\"4294967296\"]}", "keyslot"},
	{"{" HEAD "," SLOTS "}", "\"key_url\""},
	{"{" HEAD "," SLOTS ",\"key_url\":7}", "\"key_url\""},
	{"{" HEAD "," SLOTS ",\"key_url\":\"\"}", "\"key_url\""},
	{"{" HEAD "," SLOTS ",\"key_url\":\"a b\"}", "printable"},
	{"{" HEAD "," SLOTS ",\"key_url\":\"a\\u001b[2J\"}", "printable"},
	{"{" HEAD "," SLOTS ",\"key_url\":\"\\u00e9\"}", "printable"},
	{"{" HEAD "," SLOTS "," URL "}", "\"key_version\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION "}", "\"alg\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION ",\"alg\":\"0123456789012345678901234567890123\"}",
		"34 characters"},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "}", "\"wrapped\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG ",\"wrapped\":\"!!!!\"}", "base64url"},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG ",\"wrapped\":\"QUJD\"}", "cut short"},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG ",\"wrapped\":\"" D32 "\"}", "cut short"},
	{"{" HEAD "," SLOTS "," URL "," VERSION ",\"alg\":\"RSA-OAEP\"," WRAPPED "}", "cut short"},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED "}", "\"digest\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED ",\"digest\":\"QUJD\"}",
		"\"digest\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED ",\"digest\":\"" W40 "\"}",
		"\"digest\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED "," DIGEST "}", "\"created\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED "," DIGEST ",\"created\":-1}",
		"\"created\""},
	{"{" HEAD "," SLOTS "," URL "," VERSION "," ALG "," WRAPPED "," DIGEST ",\"created\":1.5}",
		"\"created\""},
};

static void every_defect_has_its_sentence(void **state)
{
	(void)state;
	struct binding b;
	struct errmsg err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i].text, &b, &err), -EBADMSG);
		if (!strstr(err.text, bad[i].said) || !strstr(err.text, "token 5"))
			fail_msg("%s: said \"%s\", expected \"%s\"", bad[i].text, err.text,
				bad[i].said);
	}
}

static void no_prefix_of_a_good_token_is_accepted(void **state)
{
	(void)state;
	struct binding b;
	struct errmsg err;

	for (size_t len = 0; len < sizeof(GOOD) - 1; len++)
		assert_int_equal(binding_parse(0, GOOD, len, &b, &err), -EBADMSG);
	assert_int_equal(binding_parse(0, GOOD, sizeof(GOOD) - 1, &b, &err), 0);
}

static void two_bindings_are_the_same_only_in_every_member_but_what_they_replace(void **state)
{
	(void)state;
	struct binding good;
	struct errmsg err;
	assert_int_equal(binding_parse(5, GOOD, sizeof(GOOD) - 1, &good, &err), 0);
	assert_true(binding_same(&good, &good));
	for (int i = 0; i < 9; i++) {
		struct binding b = good;
		b.token += i == 0;
		b.keyslot += i == 1;
		b.created += i == 2;
		b.key_url[0] ^= (char)(i == 3);
		b.key_version[0] ^= (char)(i == 4);
		b.alg[0] ^= (char)(i == 5);
		b.wrapped[0] ^= (uint8_t)(i == 6);
		b.wrapped_len -= i == 7;
		b.digest[0] ^= (uint8_t)(i == 8);
		assert_false(binding_same(&good, &b));
	}
	struct binding b = good;
	b.replaces_count = 1;
	assert_true(binding_same(&good, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_is_read_again),
		cmocka_unit_test(a_good_token_is_read_and_unknown_members_are_ignored),
		cmocka_unit_test(every_defect_has_its_sentence),
		cmocka_unit_test(no_prefix_of_a_good_token_is_accepted),
		cmocka_unit_test(
			two_bindings_are_the_same_only_in_every_member_but_what_they_replace),
		cmocka_unit_test(what_it_replaces_is_read_and_need_not_be_there),
		cmocka_unit_test(one_replaces_another_by_its_id),
		cmocka_unit_test(whoever_replaces_others_comes_before_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
