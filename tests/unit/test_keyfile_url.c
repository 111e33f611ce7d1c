// SPDX-License-Identifier: MIT
// Key URLs of the file provider, the JSON of the providers, and base64url.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "file_url.h"
#include "kp_base64.h"
#include "kp_json.h"

#include <errno.h>

#define HEX "0123456789abcdef0123456789abcdef"

static void a_key_url_names_an_absolute_path(void **state)
{
	static const struct {
		const char *url, *path, *version;
	} good[] = {
		{"file:/a/k.json", "/a/k.json", ""},
		{"file:///a/k.json", "/a/k.json", ""},
		{"FILE://localhost/a/k", "/a/k", ""},
		{"file:/a%20b/%c3%A4%25.json", "/a b/\xc3\xa4%.json", ""},
		{"file:/a/k.json?version=" HEX, "/a/k.json", HEX},
		{"file:/a%3Fb", "/a?b", ""},
		{"file:/a/b%2", NULL, NULL},
		{"file:/a/b%", NULL, NULL},
		{"file:/a/b%zz", NULL, NULL},
		{"file:/a/b%00c", NULL, NULL},
		{"file:/a/b#c", NULL, NULL},
		{"file:k.json", NULL, NULL},
		{"file:", NULL, NULL},
		{"file:/", NULL, NULL},
		{"file:///", NULL, NULL},
		{"file:/a/", NULL, NULL},
		{"file://host/a/k", NULL, NULL},
		{"file:/a?version=12", NULL, NULL},
		{"file:/a?version=" HEX "0", NULL, NULL},
		{"file:/a?other=1", NULL, NULL},
		{"file:/a?", NULL, NULL},
		{"https://vault/k", NULL, NULL},
		{"/a/k.json", NULL, NULL},
		{"", NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct file_url u;
		struct kp_err err = {""};
		int ret = file_url_parse(good[i].url, &u, &err);
		if (ret != (good[i].path ? 0 : -EINVAL))
			fail_msg("%s: %d %s", good[i].url, ret, err.text);
		if (ret) {
			assert_true(strlen(err.text) > 20);
			continue;
		}
		assert_string_equal(u.path, good[i].path);
		assert_string_equal(u.version, good[i].version);
	}
}

static void a_wrong_key_url_is_answered_with_the_right_form(void **state)
{
	(void)state;
	struct file_url u;
	struct kp_err err;
	assert_int_equal(file_url_parse("file:k.json", &u, &err), -EINVAL);
	assert_non_null(strstr(err.text, "write file:/k.json"));
	assert_int_equal(file_url_parse("file://srv/keys/k.json", &u, &err), -EINVAL);
	assert_non_null(strstr(err.text, "write file:/srv/keys/k.json"));
}

static void a_printed_key_url_reads_back_as_the_same_path(void **state)
{
	(void)state;
	char path[260] = "/", url[FILE_URL_MAX];
	for (int c = 1; c < 256; c++)
		path[c] = (char)(c == '/' ? 'x' : c);
	file_url_print(path, url);
	struct file_url u;
	struct kp_err err;
	assert_int_equal(file_url_parse(url, &u, &err), 0);
	assert_string_equal(u.path, path);
}

static void long_strings_stay_in_the_callers_memory(void **state)
{
	(void)state;
	char text[] = "{\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\",\"s\":\"short\",\"a\":[1,"
		      "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYY\"],\"esc\":"
		      "\"\\u0041AECAwQFBgcICQoLDA0ODxARE\"}";
	struct kp_json *j = NULL;
	assert_int_equal(kp_json_parse(text, strlen(text), &j), 0);
	const char *k = kp_json_secret(j, "k");
	assert_ptr_equal(k, text + 6);
	assert_string_equal(k, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
	assert_string_equal(kp_json_str(j, "s"), "short");
	assert_null(kp_json_secret(j, "s"));
	// Was copied to be unescaped, so it does not pass for a secret.
	assert_string_equal(kp_json_str(j, "esc"), "AAECAwQFBgcICQoLDA0ODxARE");
	assert_null(kp_json_secret(j, "esc"));
	assert_int_equal(kp_json_count(kp_json_get(j, "a")), 2);
	kp_json_free(&j);
	assert_string_equal(k, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
}

static int parse(const char *s)
{
	char *text = strdup(s);
	struct kp_json *j = NULL;
	int ret = kp_json_parse(text, strlen(s), &j);
	kp_json_free(&j);
	free(text);
	return ret;
}

static void json_that_could_forge_or_hide_a_string_is_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"a\":\"b\"}"), 0);
	static const char *const bad[] = {"{\"a\":\"\\u00010\"}", "{\"a\":\"x\\u0000\"}",
		"{\"a\":\"\0010\"}", "{\"a\":\"b", "{\"a\":\"b\\", "{\"a\":1}}", "{\"a\":1} 2", "",
		" ", "{\"a\":1]", "\x01", "{\"a\" \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\"}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse(bad[i]) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	char deep[80];
	memset(deep, '[', 32);
	memset(deep + 32, ']', 32);
	deep[64] = '\0';
	assert_int_equal(parse(deep), 0);
	memset(deep, '[', 33);
	memset(deep + 33, ']', 33);
	deep[66] = '\0';
	assert_int_equal(parse(deep), -EBADMSG);
}

static void base64url_is_strict_and_reversible(void **state)
{
	(void)state;
	uint8_t in[256], out[256];
	char text[KP_BASE64_LEN(256) + 1];
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37);
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t len = n;
		kp_base64_encode(in, n, text);
		assert_int_equal(strlen(text), KP_BASE64_LEN(n));
		assert_int_equal(kp_base64_decode(text, out, &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(in, out, n);
	}
	kp_base64_encode("\xfb\xff\xfe", 3, text);
	assert_string_equal(text, "-__-");
	static const char *const bad[] = {
		"A", "AB", "AA==", "AA=", "A A", "+/AA", "AAAAA", "AAB", "\xc3\xa4"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		size_t len = sizeof(out);
		if (kp_base64_decode(bad[i], out, &len) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
	// Every single character: exactly 64 of the 256 are symbols.
	int symbols = 0;
	for (int c = 1; c < 256; c++) {
		char s[5] = {'A', 'A', 'A', (char)c, 0};
		size_t len = sizeof(out);
		symbols += kp_base64_decode(s, out, &len) == 0;
	}
	assert_int_equal(symbols, 64);
	size_t room = 2;
	assert_int_equal(kp_base64_decode("AAAA", out, &room), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_url_names_an_absolute_path),
		cmocka_unit_test(a_wrong_key_url_is_answered_with_the_right_form),
		cmocka_unit_test(a_printed_key_url_reads_back_as_the_same_path),
		cmocka_unit_test(long_strings_stay_in_the_callers_memory),
		cmocka_unit_test(json_that_could_forge_or_hide_a_string_is_refused),
		cmocka_unit_test(base64url_is_strict_and_reversible),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
