// SPDX-License-Identifier: MIT
// The query of a PKCS#11 key URL: what of it reaches the provider, the PIN that does not, and what
// is refused.
#include "json.h"
#include "keyset_fixture.h"
#include "secret.h"

#define TOKEN "pkcs11:token=bank;object=disk"

// What the provider of a key in a token is told, and what remains here.
static void of_url(const char *url, const char *config, const char *pin, bool pin_source)
{
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	struct errmsg err = {{0}};
	int rc = keyset_of_url(url, &k, &err);
	if (rc)
		print_error("%s: %s\n", url, err.text);
	assert_int_equal(rc, 0);
	assert_string_equal(k.key_url, TOKEN);
	assert_string_equal(k.config, config);
	assert_int_equal(k.pin_source, pin_source);
	assert_int_equal(!k.pin, !pin);
	if (pin)
		assert_string_equal((char *)k.pin->data, pin);
}

// The URL with a descriptor in it from which this can be read.
static const char *with_fd(const char *fmt, const char *text, char out[256])
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fds[1]);
	(void)snprintf(out, 256, "%.100s%d%s", fmt, fds[0], "&module-path=/m.so");
	return out;
}

static void a_query_goes_to_the_provider_and_not_into_a_header(void **state)
{
	(void)state;
	char url[256];
	of_url(TOKEN, "{}", NULL, false);
	of_url(TOKEN "?", "{}", NULL, false);
	of_url(TOKEN "?module-path=/m.so&pin-source=file:/pin",
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"module-path=/m.so&pin-source=file:/pin\"}}}",
		NULL, true);
	of_url(TOKEN "?pin-source=/pin&x-vendor",
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"pin-source=/pin&x-vendor\"}}}", NULL, true);
	of_url(TOKEN "?module-name=a%26b",
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"module-name=a%26b\"}}}", NULL, false);
	of_url(TOKEN "?pin-value=1%202&module-path=/m.so",
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"module-path=/m.so\"}}}", "1 2", false);
	of_url(TOKEN "?pin-value=12", "{}", "12", false);
	of_url(with_fd(TOKEN "?pin-source=fd:", "1234\n", url),
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"module-path=/m.so\"}}}", "1234", false);
	of_url(with_fd(TOKEN "?pin-source=f%64%3A", "1234", url),
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"module-path=/m.so\"}}}", "1234", false);
}

static void a_query_of_another_scheme_is_left_alone(void **state)
{
	(void)state;
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	struct errmsg err;
	assert_int_equal(keyset_of_url("file:/a?version=1", &k, &err), 0);
	assert_string_equal(k.key_url, "file:/a?version=1");
	assert_string_equal(k.config, "{}");
}

static void a_query_that_asks_too_much_is_refused(void **state)
{
	(void)state;
	char much[512] = TOKEN "?pin-value=";
	memset(much + strlen(much), '7', 256);
	const struct {
		const char *url, *says;
	} refused[] = {{TOKEN "?pin-source=|cat", "--key: pin-source: a program is never run"},
		{TOKEN "?pin-source=%7Ccat", "--key: pin-source: a program is never run"},
		{TOKEN "?pin-source=", "--key: pin-source: expected file:/PATH, or fd:N"},
		{TOKEN "?pin-source", "--key: pin-source: expected file:/PATH, or fd:N"},
		{TOKEN "?pin-source=%0", "--key: pin-source: expected file:/PATH, or fd:N"},
		{TOKEN "?pin-source=fd:", "--key: pin-source=fd:: expected the number"},
		{TOKEN "?pin-source=fd:-1", "--key: pin-source=fd:-1: expected the number"},
		{TOKEN "?pin-source=fd:3x", "--key: pin-source=fd:3x: expected the number"},
		{TOKEN "?pin-source=fd:1023", "--key: pin-source=fd:1023: cannot read the PIN: "},
		{TOKEN "?pin-source=/a&pin-source=/b", "--key: expected one pin-source"},
		{TOKEN "?pin-source=/a&pin-value=1", "--key: expected one pin-source"},
		{TOKEN "?pin-value=1&pin-value=2", "--key: expected one pin-source"},
		{TOKEN "?pin-value=", "--key: pin-value: expected a PIN of at most 255 bytes"},
		{TOKEN "?pin-value=1%00", "--key: pin-value: expected a PIN of at most 255 bytes"},
		{much, "--key: pin-value: expected a PIN of at most 255 bytes"},
		{TOKEN " ", "--key: a character that is not printable ASCII; write it as %XX"},
		{TOKEN "?module-path=/a b", "--key: a character that is not printable ASCII"}};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct keyset k scoped(keyset_free) = KEYSET_NONE;
		struct errmsg err = {{0}};
		assert_int_equal(keyset_of_url(refused[i].url, &k, &err), -EINVAL);
		if (strncmp(err.text, refused[i].says, strlen(refused[i].says)))
			print_error("%s says: %s\n", refused[i].url, err.text);
		assert_int_equal(strncmp(err.text, refused[i].says, strlen(refused[i].says)), 0);
		assert_null(strstr(err.text, "777"));
	}
}

// As the provider reads it.
static void has_query(const char *text, const char *query)
{
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	struct json *j scoped(json_free) = NULL;
	struct errmsg err = {{0}};
	assert_int_equal(read_set(text, &k, &err), 0);
	assert_string_equal(k.key_url, TOKEN);
	assert_int_equal(json_parse(k.config, strlen(k.config), &j), 0);
	const struct json *p = json_get(json_get(j, "cmkdisk"), "pkcs11");
	assert_string_equal(json_str(p, "query"), query);
	assert_string_equal(json_str(p, "alg"), "A");
	assert_string_equal(json_str(j, "tags"), "t");
}

#define TOKEN_SET(query, member)                                                       \
	"{\"activeKey\":{\"keyUrl\":\"" TOKEN query "\"},\"tags\":\"t\",\"cmkdisk\":{" \
	"\"pkcs11\":{" member "\"alg\":\"A\"}}}"

static void a_key_set_says_it_in_either_place(void **state)
{
	(void)state;
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	has_query(TOKEN_SET("?module-path=/m.so", ""), "module-path=/m.so");
	has_query(TOKEN_SET("", "\"query\":\"module-path=/m.so\","), "module-path=/m.so");
	good(TOKEN_SET("", "\"query\":\"pin-source=/p\","), &k);
	assert_true(k.pin_source);
	bad(TOKEN_SET("?pin-source=/a", "\"query\":\"pin-source=/a\","),
		": cmkdisk.pkcs11.query: activeKey.keyUrl has a query, too; expected one");
	bad(TOKEN_SET("", "\"query\":1,"), ": cmkdisk.pkcs11.query: expected a string");
	bad(TOKEN_SET("?pin-value=12", ""), ": activeKey.keyUrl: pin-value: a key set is no place");
	bad(TOKEN_SET("", "\"query\":\"pin-value=12\","),
		": cmkdisk.pkcs11.query: pin-value: a key set is no place for a PIN; put it in a "
		"file of its own and say pin-source=file:/PATH");
	bad(TOKEN_SET("?pin-source=|cat", ""),
		": activeKey.keyUrl: pin-source: a program is never");
	bad("{" ACTIVE ", \"cmkdisk\": {\"pkcs11\": []}}", ": cmkdisk.pkcs11: expected an object");
}

static void a_key_sets_descriptor_is_read_and_taken_out(void **state)
{
	(void)state;
	char url[256], text[512];
	for (int i = 0; i < 2; i++) {
		struct keyset k scoped(keyset_free) = KEYSET_NONE;
		struct errmsg err = {{0}};
		(void)with_fd("pin-source=fd:", "1234", url);
		(void)snprintf(text, sizeof(text),
			i ? TOKEN_SET("", "\"query\":\"%s\",") : TOKEN_SET("?%s", ""), url);
		assert_int_equal(read_set(text, &k, &err), 0);
		assert_string_equal(k.key_url, TOKEN);
		assert_string_equal((char *)k.pin->data, "1234");
		assert_non_null(strstr(k.config, "\"query\":\"module-path=/m.so\""));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_goes_to_the_provider_and_not_into_a_header),
		cmocka_unit_test(a_query_of_another_scheme_is_left_alone),
		cmocka_unit_test(a_query_that_asks_too_much_is_refused),
		cmocka_unit_test(a_key_set_says_it_in_either_place),
		cmocka_unit_test(a_key_sets_descriptor_is_read_and_taken_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
