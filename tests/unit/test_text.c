// SPDX-License-Identifier: MIT
// Sentences, durations, sizes and bytes as text: what is accepted, what is refused, what is shown.
#include "bytes.h"
#include "errmsg.h"
#include "units.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void a_sentence_returns_its_errno_and_holds_its_text(void **state)
{
	(void)state;
	struct errmsg err;

	assert_int_equal(errmsg_set(&err, ENOENT, "%s: not there", "a"), -ENOENT);
	assert_string_equal(err.text, "a: not there");
	assert_int_equal(errmsg_set(NULL, EIO, "%s", "dropped"), -EIO);
	errmsg_prefix(NULL, "%s", "dropped");
}

static void a_prefix_stands_before_the_sentence_and_may_use_it(void **state)
{
	(void)state;
	struct errmsg err;

	(void)errmsg_set(&err, EIO, "broken");
	errmsg_prefix(&err, "disk %d", 7);
	assert_string_equal(err.text, "disk 7: broken");
	errmsg_prefix(&err, "disk %d", 7); // not twice
	assert_string_equal(err.text, "disk 7: broken");
	errmsg_prefix(&err, "disk");
	assert_string_equal(err.text, "disk: disk 7: broken");
	(void)errmsg_set(&err, EIO, "<%s>", err.text);
	assert_string_equal(err.text, "<disk: disk 7: broken>");
	err.text[0] = '\0';
	errmsg_prefix(&err, "alone");
	assert_string_equal(err.text, "alone");
}

static void nothing_in_a_sentence_can_steer_a_terminal(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
		{"gr\xc3\xbc\xc3\x9f e\xe2\x82\xac \xf0\x9f\x94\x91",
			"gr\xc3\xbc\xc3\x9f e\xe2\x82\xac \xf0\x9f\x94\x91"},
		{"csi\xc2\x9b", "csi?"}, // C1 control
		{"turn\xe2\x80\xae"
		 "exe",
			"turn?exe"},		 // right-to-left override
		{"bad\xff\xc0\xaf.", "bad???."}, // never valid; overlong
		{"sur\xed\xa0\x80.", "sur???."}, // surrogate
		{"cut\xe2\x82", "cut??"},
		{"", ""},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[64];
		strcpy(text, cases[i].in);
		text_sanitise(text);
		assert_string_equal(text, cases[i].out);
	}
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
	(void)state;
	char many[1200];
	struct errmsg err;

	for (size_t shift = 0; shift < 4; shift++) {
		memset(many, 'x', shift);
		many[shift] = '\0';
		for (size_t i = 0; i < 390; i++)
			strcat(many, "\xe2\x82\xac");
		(void)errmsg_set(&err, EIO, "%s", many);
		assert_in_range(strlen(err.text), sizeof err.text - 4, sizeof err.text - 1);
		assert_null(strchr(err.text, '?'));
		assert_memory_equal(err.text, many, strlen(err.text));
	}
}

static void durations_are_read_as_systemd_writes_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{"90s", 90000},
		{"15min", 900000},
		{"1h", 3600000},
		{"1h 30min", 5400000},
		{"1h30min", 5400000},
		{"500ms", 500},
		{"2d", 172800000},
		{"1w", 604800000},
		{"1day", 86400000},
		{"2days", 172800000},
		{"1week", 604800000},
		{"3hr", 10800000},
		{"5m", 300000},
		{"7sec", 7000},
		{"42", 42000},
		{"0", 0},
		{"0s", 0},
		{"1w 1d 1h 1min 1s 1ms", 694861001},
		{"3653d", 315619200000},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};
		uint64_t ms = 1;
		assert_int_equal(parse_duration_ms("interval", cases[i].text, &ms, &err), 0);
		assert_int_equal(ms, cases[i].ms);
		assert_string_equal(err.text, "");
	}
}

static void bad_durations_are_refused_with_the_option_and_the_accepted_forms(void **state)
{
	(void)state;
	static const char *const bad[] = {"", " ", "1x", "-1s", "+1s", "1h30", "1h 30", "30 1h",
		"h", "1 h", "1.5h", "1h ", " 1h", "1h 1h", "5s 1h", "1H", "1M", "0x10", "1e3",
		"1hh", "1h,1s", "18446744073709551616", "99999999999999999999w", "1s\n",
		"infinity"};
	static const char *const too_long[] = {
		"11w 999999d", "18446744073709551615", "3654d", "20000w"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct errmsg err = {""};
		uint64_t ms = 77;
		assert_int_equal(parse_duration_ms("grace-denied", bad[i], &ms, &err), -EINVAL);
		assert_int_equal(ms, 77);
		assert_non_null(strstr(err.text, "grace-denied"));
		assert_non_null(strstr(err.text, "15min"));
	}
	for (size_t i = 0; i < COUNT(too_long); i++) {
		uint64_t ms;
		assert_int_equal(
			parse_duration_ms("grace-denied", too_long[i], &ms, NULL), -EINVAL);
	}
}

static void durations_are_written_in_the_shortest_exact_form(void **state)
{
	(void)state;
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {{0, "0s"}, {1, "1ms"}, {90000, "1min 30s"}, {3600000, "1h"}, {86400000, "1d"},
		{129600000, "1d 12h"}, {604800000, "1w"}, {694861001, "1w 1d 1h 1min 1s 1ms"},
		{315619199999, "521w 5d 23h 59min 59s 999ms"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[32];
		uint64_t back;
		format_duration_ms(cases[i].ms, text, sizeof text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(parse_duration_ms("x", text, &back, NULL), 0);
		assert_int_equal(back, cases[i].ms);
	}
	char text[32];
	format_duration_ms(UINT64_MAX, text, sizeof text); // cut, but within its room
	assert_true(strlen(text) < sizeof text);
}

static void sizes_are_read_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"4096", 4096}, {"10G", 10737418240}, {"512M", 536870912},
		{"1T", 1099511627776}, {"1K", 1024}, {"1KiB", 1024}, {"1KB", 1000},
		{"2MB", 2000000}, {"2GB", 2000000000}, {"1TB", 1000000000000},
		{"1P", 1125899906842624}, {"3PiB", 3377699720527872},
		{"16383P", 16383 * 1125899906842624u}, {"18446744073709551615", UINT64_MAX}};
	static const char *const bad[] = {"", "0", "0G", "-1", "1x", "1.5T", "10g", "10 G", "G",
		" 1", "1 ", "1Ki", "1B", "0x10", "18446744073709551616", "16384P", "1E", "1kB",
		"1KIB"};

	for (size_t i = 0; i < COUNT(good); i++) {
		uint64_t bytes;
		assert_int_equal(parse_size("--size", good[i].text, &bytes, NULL), 0);
		assert_true(bytes == good[i].bytes);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct errmsg err = {""};
		uint64_t bytes = 77;
		assert_int_equal(parse_size("--size", bad[i], &bytes, &err), -EINVAL);
		assert_int_equal(bytes, 77);
		assert_non_null(strstr(err.text, "--size"));
	}
}

static void sizes_are_written_for_people(void **state)
{
	(void)state;
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {{0, "0 B"}, {512, "512 B"}, {1024, "1 KiB"}, {1536, "1.5 KiB"},
		{10737418240, "10 GiB"}, {1649267441664, "1.5 TiB"}, {1048575, "1023.9 KiB"},
		{UINT64_MAX, "15.9 EiB"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[16];
		format_size(cases[i].bytes, text, sizeof text);
		assert_string_equal(text, cases[i].text);
	}
}

static void base64url_follows_rfc4648_without_padding(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *coded;
	} cases[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
		{"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[16], back[16];
		size_t len = sizeof back;
		base64url_encode(cases[i].plain, strlen(cases[i].plain), text);
		assert_string_equal(text, cases[i].coded);
		assert_int_equal(strlen(text), BASE64URL_LEN(strlen(cases[i].plain)));
		assert_int_equal(base64url_decode(text, back, &len), 0);
		assert_int_equal(len, strlen(cases[i].plain));
		assert_memory_equal(back, cases[i].plain, len);
	}
}

static void base64url_has_one_text_per_value(void **state)
{
	(void)state;
	static const char *const bad[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm 9v",
		"Zm9v\n", "Zm9vY",
		"\xc3\xbc"
		"aa"};
	uint8_t out[8];
	size_t len;

	for (size_t i = 0; i < COUNT(bad); i++) {
		len = sizeof out;
		assert_int_equal(base64url_decode(bad[i], out, &len), -EBADMSG);
	}
	len = 2;
	assert_int_equal(base64url_decode("Zm9v", out, &len), -ENOSPC);
	len = 3;
	assert_int_equal(base64url_decode("Zm9v", out, &len), 0);
}

static void integers_are_little_endian(void **state)
{
	(void)state;
	uint8_t b[8];
	char text[17];

	store_le64(b, 0x0123456789abcdefu);
	hex_encode(b, sizeof b, text);
	assert_string_equal(text, "efcdab8967452301");
	assert_true(load_le64(b) == 0x0123456789abcdefu);
	assert_int_equal(load_le32(b), 0x89abcdefu);
	assert_int_equal(load_le16(b), 0xcdef);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_returns_its_errno_and_holds_its_text),
		cmocka_unit_test(a_prefix_stands_before_the_sentence_and_may_use_it),
		cmocka_unit_test(nothing_in_a_sentence_can_steer_a_terminal),
		cmocka_unit_test(a_long_sentence_is_cut_between_characters),
		cmocka_unit_test(durations_are_read_as_systemd_writes_them),
		cmocka_unit_test(bad_durations_are_refused_with_the_option_and_the_accepted_forms),
		cmocka_unit_test(durations_are_written_in_the_shortest_exact_form),
		cmocka_unit_test(sizes_are_read_strictly),
		cmocka_unit_test(sizes_are_written_for_people),
		cmocka_unit_test(base64url_follows_rfc4648_without_padding),
		cmocka_unit_test(base64url_has_one_text_per_value),
		cmocka_unit_test(integers_are_little_endian),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
