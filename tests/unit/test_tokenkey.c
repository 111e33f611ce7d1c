// SPDX-License-Identifier: MIT
// The pure parts of cmkdisk-tokenkey: days, ids that prove an order, and the key URL taken apart.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "tool.h"

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void days_are_read_and_printed(void **state)
{
	static const struct {
		const char *text, *raw;
	} good[] = {{"2026-11-23", "20261123"}, {"2024-02-29", "20240229"}};
	static const char *const bad[] = {"", "none", "2026-1-1", "2026-13-01", "2025-02-29",
		"2026-11-23 ", "2026/11/23", "0000-00-00", "1970-01-01", "20261123", "+026-11-23"};
	struct tool_date d;
	char text[TOOL_DATE_LEN];
	int64_t t;
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(tool_date_parse(good[i].text, false, &d), 0);
		assert_true(d.set);
		assert_memory_equal(&d.date, good[i].raw, 8);
		assert_true(p11_date_read(&d.date, &t));
		tool_date_print(t, text);
		assert_string_equal(text, good[i].text);
		tool_date_print(tool_last_day(t + 86400), text);
		assert_string_equal(text, good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (tool_date_parse(bad[i], false, &d) != -EINVAL || d.set)
			fail_msg("'%s' was taken for a day", bad[i]);
	assert_int_equal(tool_date_parse("none", true, &d), 0);
	assert_false(d.set);
	tool_date_print(0, text);
	assert_string_equal(text, "");
}

static struct p11_key with_id(const uint8_t id[16])
{
	struct p11_key k = {.id_len = 16};
	memcpy(k.id, id, 16);
	return k;
}

static void a_new_id_is_later_than_all_others(void **state)
{
	struct p11_keys keys = {.count = 0};
	uint8_t id[16];
	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(tool_new_id(&keys, id, NULL), 0);
		struct p11_key k = with_id(id);
		for (size_t j = 0; j < keys.count; j++)
			assert_int_equal(p11_key_compare(&k, &keys.at[j]), 1);
		keys.at[keys.count++] = k;
	}
	// One made when the clock was years ahead; dates play no part in what the id proves.
	memset(id, 0x7f, sizeof(id));
	id[0] = 0x0f;
	id[6] = 0x7f;
	id[8] = 0xbf;
	keys.at[keys.count] = with_id(id);
	keys.at[keys.count++].nbf = 86400;
	assert_int_equal(tool_new_id(&keys, id, NULL), 0);
	struct p11_key k = with_id(id);
	assert_int_equal(p11_key_compare(&k, &keys.at[keys.count - 1]), 1);
}

static void take(const char *text, int wanted, struct tool_url *u, char arg[256])
{
	struct kp_err err = {""};
	*u = (struct tool_url){0};
	(void)snprintf(arg, 256, "%s", text);
	int ret = tool_url_take(arg, u, &err);
	if (ret != -wanted)
		fail_msg("%s: %d %s", text, ret, err.text);
}

static void a_pin_leaves_the_argument_and_the_query(void **state)
{
	struct tool_url u;
	char arg[256];
	(void)state;
	take("pkcs11:token=a;object=b?module-path=/m&pin-value=s%65cret&x=y", 0, &u, arg);
	assert_string_equal(u.key, "pkcs11:token=a;object=b");
	assert_string_equal(u.query, "module-path=/m&x=y");
	assert_string_equal(u.pin, "CMKDISK_PIN=secret");
	assert_false(u.source);
	for (size_t i = 0; i + 5 < sizeof(arg); i++)
		assert_true(memcmp(arg + i, "cret&", 5) != 0 && memcmp(arg + i, "s%65c", 5) != 0);
	tool_url_free(&u);
	take("pkcs11:object=b?pin-source=file:/pin&module-name=m", 0, &u, arg);
	assert_string_equal(u.query, "pin-source=file:/pin&module-name=m");
	assert_null(u.pin);
	assert_true(u.source);
	tool_url_free(&u);
	take("pkcs11:object=b", 0, &u, arg);
	assert_string_equal(u.query, "");
	tool_url_free(&u);
}

static void a_descriptor_is_read_up_to_its_first_line(void **state)
{
	struct tool_url u;
	char arg[256], text[256], longest[300];
	int fd[2];
	(void)state;
	memset(longest, '9', sizeof(longest));
	for (int len = 254; len <= 256; len++) {
		assert_int_equal(pipe(fd), 0);
		assert_int_equal(write(fd[1], longest, (size_t)len), len);
		assert_int_equal(write(fd[1], "\nmore\n", 6), 6);
		assert_int_equal(close(fd[1]), 0);
		(void)snprintf(text, sizeof(text), "pkcs11:object=b?pin-source=fd:%d&a=b", fd[0]);
		take(text, len > P11_PIN_MAX ? EINVAL : 0, &u, arg);
		if (len <= P11_PIN_MAX) {
			assert_int_equal(strlen(u.pin), strlen("CMKDISK_PIN=") + (size_t)len);
			assert_string_equal(u.query, "a=b");
		}
		tool_url_free(&u);
		assert_int_equal(close(fd[0]), 0);
	}
	static const char *const bad[] = {"fd:", "fd:-1", "fd:+1", "fd:1x", "fd:9999999", "fd:987"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(text, sizeof(text), "pkcs11:object=b?pin-source=%s", bad[i]);
		take(text, EINVAL, &u, arg);
		tool_url_free(&u);
	}
}

static void a_pin_in_the_path_is_refused_and_wiped(void **state)
{
	static const char *const bad[] = {"pkcs11:token=a;pin-value=s3cret",
		"pkcs11:token=a&pin-value=s3cret?module-path=/m", "pkcs11:Pin-Value=s3cret;token=a",
		"pkcs11:token=a;pin-source=s3cret"};
	struct tool_url u;
	char arg[256];
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct kp_err err = {""};
		u = (struct tool_url){0};
		(void)snprintf(arg, sizeof(arg), "%s", bad[i]);
		assert_int_equal(tool_url_take(arg, &u, &err), -EINVAL);
		assert_non_null(strstr(err.text, "does not name the key"));
		assert_null(strstr(err.text, "s3cret"));
		assert_null(memmem(arg, strlen(bad[i]), "s3cret", 6));
		tool_url_free(&u);
	}
	take("pkcs11:object=pin-value;x-pin-value=1?module-path=/m", 0, &u, arg);
	tool_url_free(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_read_and_printed),
		cmocka_unit_test(a_new_id_is_later_than_all_others),
		cmocka_unit_test(a_pin_leaves_the_argument_and_the_query),
		cmocka_unit_test(a_pin_in_the_path_is_refused_and_wiped),
		cmocka_unit_test(a_descriptor_is_read_up_to_its_first_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
