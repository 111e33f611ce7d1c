// SPDX-License-Identifier: MIT
// Dates of keys, and which of several is the newest: what can be proved and what cannot. Pure.
#include "p11_choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400
#define NOW ((int64_t)20000 * DAY)

static bool read_date(const char *text, int64_t *out)
{
	CK_DATE d;
	memcpy(&d, text, sizeof(d));
	return p11_date_read(&d, out);
}

static void dates_are_read_as_days_of_utc(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t want;
	} good[] = {
		{"19700102", DAY},
		{"20000229", 951782400},
		{"20240229", 1709164800},
		{"20261231", 1798675200},
		{"99991231", 253402214400},
		{"19691231", -DAY},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t t = 1;
		assert_true(read_date(good[i].text, &t));
		assert_int_equal(t, good[i].want);
	}
}

static void blank_and_zero_dates_are_none(void **state)
{
	(void)state;
	static const char *const none[] = {"00000000", "        ", "\0\0\0\0\0\0\0"};
	for (size_t i = 0; i < 3; i++) {
		int64_t t = 1;
		assert_true(read_date(none[i], &t));
		assert_int_equal(t, 0);
	}
}

static void what_is_no_date_is_told(void **state)
{
	(void)state;
	static const char *const bad[] = {"20230229", "20240230", "20241301", "20240001",
		"20240100", "20240132", "2024 101", "-0240101", "00000101",
		"\xff\xff\xff\xff\xff\xff\xff\xff", "2024010\0", "today   "};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t t = 1;
		if (read_date(bad[i], &t))
			fail_msg("'%s' was taken for a date", bad[i]);
		assert_int_equal(t, 0);
	}
}

// A key with an id that tells ms (0: one that tells nothing) and a start date.
static struct p11_key key(unsigned n, uint64_t ms, int64_t nbf)
{
	struct p11_key k = {.class = CKO_PRIVATE_KEY,
		.type = CKK_RSA,
		.bits = 2048,
		.decrypt = true,
		.nbf = nbf,
		.id_len = 16,
		.label = "disk"};
	for (int i = 0; i < 6; i++)
		k.id[i] = (uint8_t)(ms >> (40 - 8 * i));
	k.id[6] = ms ? 0x70 : 0x40;
	k.id[8] = 0x80;
	k.id[15] = (uint8_t)n;
	for (size_t i = 0; i < k.id_len; i++)
		(void)snprintf(k.version + 2 * i, 3, "%02x", k.id[i]);
	return k;
}

static int newest(const struct p11_keys *keys, struct kp_outcome *o)
{
	const struct p11_key *k = p11_key_newest(keys, NOW, "token \"bank\"", o);
	return k ? (int)(k - keys->at) : -1;
}

static void a_later_start_date_is_newer_and_beats_the_ids(void **state)
{
	(void)state;
	struct kp_outcome o = {0};
	struct p11_key a = key(1, 2000, DAY), b = key(2, 1000, 2 * DAY);
	assert_int_equal(p11_key_compare(&a, &b), -1);
	assert_int_equal(p11_key_compare(&b, &a), 1);
	struct p11_keys keys = {.at = {a, b}, .count = 2};
	assert_int_equal(newest(&keys, &o), 1);
}

static void ids_decide_where_dates_do_not(void **state)
{
	(void)state;
	const int64_t dates[][2] = {{0, 0}, {DAY, DAY}, {DAY, 0}, {0, DAY}};
	for (size_t i = 0; i < 4; i++) {
		struct p11_key a = key(1, 1000, dates[i][0]), b = key(2, 1001, dates[i][1]);
		assert_int_equal(p11_key_compare(&a, &b), -1);
		assert_int_equal(p11_key_compare(&b, &a), 1);
	}
}

static void nothing_else_proves_an_order(void **state)
{
	(void)state;
	struct p11_key a = key(1, 1000, 0);
	const struct p11_key others[] = {key(2, 1000, 0), key(2, 0, 0), key(2, 0, DAY)};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(p11_key_compare(&a, &others[i]), 0);
		assert_int_equal(p11_key_compare(&others[i], &a), 0);
	}
	struct p11_key short_id = key(2, 2000, 0), variant = key(2, 2000, 0);
	short_id.id_len = 15;
	variant.id[8] = 0xc0;
	assert_int_equal(p11_key_compare(&a, &short_id), 0);
	assert_int_equal(p11_key_compare(&a, &variant), 0);
	assert_int_equal(p11_key_created(&variant), 0);
	struct p11_key made = key(2, 1700000000123, 0);
	assert_int_equal(p11_key_created(&made), 1700000000);
}

static void without_an_order_the_keys_are_listed(void **state)
{
	(void)state;
	struct kp_outcome o = {0};
	struct p11_keys keys = {.at = {key(1, 0, DAY), key(2, 0, DAY), key(3, 0, 0)}, .count = 3};
	assert_int_equal(newest(&keys, &o), -1);
	assert_int_equal(o.verdict, CMK_MISCONFIGURED);
	for (size_t i = 0; i < 3; i++)
		assert_non_null(strstr(o.err.text, keys.at[i].version));
	assert_non_null(strstr(o.err.text, "1970-01-02"));
	assert_non_null(strstr(o.err.text, "token \"bank\""));
}

static void a_newest_one_is_proved_although_the_rest_is_not_in_order(void **state)
{
	(void)state;
	struct kp_outcome o = {0};
	struct p11_keys keys = {
		.at = {key(1, 0, DAY), key(2, 0, DAY), key(3, 0, 2 * DAY)}, .count = 3};
	assert_int_equal(newest(&keys, &o), 2);
}

static void a_circle_has_no_newest(void **state)
{
	(void)state;
	struct kp_outcome o = {0};
	// 1 < 3 by date, 3 < 2 and 2 < 1 by id.
	struct p11_keys keys = {
		.at = {key(1, 3000, DAY), key(2, 2000, 0), key(3, 1000, 2 * DAY)}, .count = 3};
	assert_int_equal(newest(&keys, &o), -1);
	assert_int_equal(o.verdict, CMK_MISCONFIGURED);
}

static void a_start_date_ahead_waits_for_its_day(void **state)
{
	(void)state;
	struct kp_outcome o = {0};
	struct p11_keys keys = {.at = {key(1, 0, NOW), key(2, 0, NOW + DAY)}, .count = 2};
	assert_int_equal(newest(&keys, &o), 0);
	assert_ptr_equal(p11_key_newest(&keys, NOW + DAY - 1, "", &o), &keys.at[0]);
	assert_ptr_equal(p11_key_newest(&keys, NOW + DAY, "", &o), &keys.at[1]);
	keys.at[0].nbf = NOW + 2 * DAY;
	assert_int_equal(newest(&keys, &o), 0); // all are ahead
}

static void none_at_all_is_no_error(void **state)
{
	(void)state;
	struct kp_outcome o = {.verdict = CMK_DENIED};
	struct p11_keys keys = {.count = 0};
	assert_int_equal(newest(&keys, &o), -1);
	assert_int_equal(o.verdict, CMK_GRANTED);
}

static void a_list_of_many_is_cut_and_says_so(void **state)
{
	(void)state;
	char text[256];
	struct p11_keys keys = {.count = P11_KEYS_MAX};
	for (unsigned i = 0; i < P11_KEYS_MAX; i++)
		keys.at[i] = key(i, 0, 0);
	p11_keys_text(&keys, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text));
	assert_non_null(strstr(text, "more"));
	assert_non_null(strstr(text, keys.at[0].version));
}

static enum cmk_verdict choose(
	const struct p11_keys *keys, bool any_state, struct p11_key *k, struct kp_outcome *o)
{
	memset(o, 0, sizeof(*o));
	return p11_choose_newest(keys, NOW, any_state, "token \"bank\"", k, o);
}

static void wrapping_passes_over_what_may_not_be_used(void **state)
{
	(void)state;
	struct p11_key k;
	struct kp_outcome o;
	struct p11_keys keys = {
		.at = {key(1, 1000, 0), key(2, 2000, 0), key(3, 3000, 0)}, .count = 3};
	keys.at[2].decrypt = false;
	keys.at[1].exp = NOW;
	assert_int_equal(choose(&keys, false, &k, &o), CMK_GRANTED);
	assert_string_equal(k.version, keys.at[0].version);
	keys.at[2].unwrap = true;
	assert_int_equal(choose(&keys, false, &k, &o), CMK_GRANTED);
	assert_string_equal(k.version, keys.at[2].version);
	keys.at[2].unwrap = false;
	keys.at[0].nbf = NOW + 1;
	assert_int_equal(choose(&keys, false, &k, &o), CMK_DENIED);
	assert_int_equal(o.reason, CMK_REASON_NOT_PERMITTED);
	assert_non_null(strstr(o.err.text, "_DATE"));
	assert_int_equal(choose(&keys, true, &k, &o), CMK_GRANTED); // only looked at
	for (size_t i = 0; i < 3; i++)
		keys.at[i].decrypt = false;
	assert_int_equal(choose(&keys, false, &k, &o), CMK_DENIED);
	assert_int_equal(o.reason, CMK_REASON_NOT_PERMITTED);
	assert_non_null(strstr(o.err.text, "CKA_DECRYPT"));
}

static void a_date_that_is_none_is_refused_where_it_would_count(void **state)
{
	(void)state;
	struct p11_key k;
	struct kp_outcome o;
	struct p11_keys keys = {.at = {key(1, 1000, 0), key(2, 2000, 0)}, .count = 2};
	keys.at[0].bad_date = true;
	assert_int_equal(choose(&keys, false, &k, &o), CMK_GRANTED);
	keys.at[1].bad_date = true;
	assert_int_equal(choose(&keys, false, &k, &o), CMK_MISCONFIGURED);
	assert_int_equal(choose(&keys, true, &k, &o), CMK_MISCONFIGURED);
	assert_non_null(strstr(o.err.text, keys.at[1].version));
}

static void of_one_id_the_key_that_the_algorithm_fits_is_taken(void **state)
{
	(void)state;
	const struct p11_key *k = NULL;
	struct kp_outcome o = {0};
	struct p11_keys keys = {.at = {key(1, 0, 0), key(1, 0, 0)}, .count = 2};
	assert_int_equal(p11_choose_version(&keys, "RSA-OAEP", "bank", &k, &o), CMK_MISCONFIGURED);
	assert_non_null(strstr(o.err.text, keys.at[0].version));
	keys.at[0].class = CKO_SECRET_KEY;
	keys.at[0].type = CKK_AES;
	assert_int_equal(p11_choose_version(&keys, "RSA-OAEP", "bank", &k, &o), CMK_GRANTED);
	assert_ptr_equal(k, &keys.at[1]);
	assert_int_equal(p11_choose_version(&keys, "A256KW", "bank", &k, &o), CMK_GRANTED);
	assert_ptr_equal(k, &keys.at[0]);
	keys.count = 1;
	assert_int_equal(p11_choose_version(&keys, "RSA-OAEP", "bank", &k, &o), CMK_BAD_BLOB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read_as_days_of_utc),
		cmocka_unit_test(blank_and_zero_dates_are_none),
		cmocka_unit_test(what_is_no_date_is_told),
		cmocka_unit_test(a_later_start_date_is_newer_and_beats_the_ids),
		cmocka_unit_test(ids_decide_where_dates_do_not),
		cmocka_unit_test(nothing_else_proves_an_order),
		cmocka_unit_test(without_an_order_the_keys_are_listed),
		cmocka_unit_test(a_newest_one_is_proved_although_the_rest_is_not_in_order),
		cmocka_unit_test(a_circle_has_no_newest),
		cmocka_unit_test(a_start_date_ahead_waits_for_its_day),
		cmocka_unit_test(none_at_all_is_no_error),
		cmocka_unit_test(a_list_of_many_is_cut_and_says_so),
		cmocka_unit_test(wrapping_passes_over_what_may_not_be_used),
		cmocka_unit_test(a_date_that_is_none_is_refused_where_it_would_count),
		cmocka_unit_test(of_one_id_the_key_that_the_algorithm_fits_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
