// SPDX-License-Identifier: MIT
// A PKCS#11 key's URL, the key set's cmkdisk.pkcs11 and the environment: what is taken from which,
// and what is refused.
#include "p11_fixture.h"

static struct p11_config *good(
	struct world *w, const char *url, const char *config, const char *const *environment)
{
	if (world_read(w, url, config, environment) != CMK_GRANTED)
		fail_msg("%s, %s: %s", url, config, w->o.err.text);
	return &w->c;
}

static void refused(struct world *w, const char *url, const char *config, const char *says)
{
	if (world_read(w, url, config, NULL) != CMK_MISCONFIGURED)
		fail_msg("taken: %s, %s", url, config);
	require_text(w->o.err.text, says);
	require_no_text(w->o.err.text, "s3cret");
}

static void require_field(const unsigned char *field, size_t size, const char *text)
{
	assert_memory_equal(field, text, strlen(text));
	for (size_t i = strlen(text); i < size; i++)
		assert_int_equal(field[i], ' ');
}

static void nothing_said_leaves_everything_open(void **state)
{
	const struct p11_config *c = good(*state, URL, "{}", NULL);
	assert_string_equal(c->text, URL);
	assert_string_equal(c->id, "");
	assert_string_equal(c->alg, "");
	assert_null(c->module_path);
	assert_null(c->module_name);
	assert_null(c->pin_source);
	assert_null(c->pin);
	assert_non_null(c->environment);
	assert_null(c->environment[0]);
}

static void every_attribute_of_the_path_is_read(void **state)
{
	P11KitUri *uri = good(*state,
		"PKCS11:token=my%20bank;manufacturer=m;serial=%31;model=o;object=disk%3b1;"
		"id=%00%aB%ff;type=private;slot-id=7;slot-description=sd;slot-manufacturer=sm;"
		"library-description=ld;library-manufacturer=lm;library-version=2.40",
		"{}", NULL)
				 ->uri;
	const CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
	require_field(token->label, sizeof(token->label), "my bank");
	require_field(token->manufacturerID, sizeof(token->manufacturerID), "m");
	require_field(token->serialNumber, sizeof(token->serialNumber), "1");
	require_field(token->model, sizeof(token->model), "o");
	const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(uri, CKA_LABEL);
	assert_int_equal(label->ulValueLen, 6);
	assert_memory_equal(label->pValue, "disk;1", 6);
	const CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
	assert_int_equal(*(const CK_OBJECT_CLASS *)class->pValue, CKO_PRIVATE_KEY);
	assert_int_equal(p11_kit_uri_get_slot_id(uri), 7);
	const CK_SLOT_INFO *slot = p11_kit_uri_get_slot_info(uri);
	require_field(slot->slotDescription, sizeof(slot->slotDescription), "sd");
	require_field(slot->manufacturerID, sizeof(slot->manufacturerID), "sm");
	const CK_INFO *module = p11_kit_uri_get_module_info(uri);
	require_field(module->libraryDescription, sizeof(module->libraryDescription), "ld");
	require_field(module->manufacturerID, sizeof(module->manufacturerID), "lm");
	assert_int_equal(module->libraryVersion.major, 2);
	assert_int_equal(module->libraryVersion.minor, 40);
	assert_string_equal(((struct world *)*state)->c.id, "00abff");
}

static void a_token_that_tools_print_with_blank_fields_is_taken(void **state)
{
	(void)good(
		*state, "pkcs11:model=SW%00TPM;manufacturer=;serial=0000;token=bank", "{}", NULL);
	(void)good(*state, "pkcs11:object=disk;type=secret-key", "{}", NULL);
	(void)good(*state, "pkcs11:object=a/b:c[]@!$'()*+,=&", "{}", NULL);
}

static void an_id_of_60_bytes_pins_a_version_and_one_of_61_is_refused(void **state)
{
	char url[300] = "pkcs11:id=", hex[CMK_VERSION_MAX] = "";
	size_t len = strlen(url);
	for (int i = 0; i < P11_ID_MAX; i++) {
		(void)snprintf(url + len + 3 * (size_t)i, 4, "%%%02X", 0xa0 + i);
		(void)snprintf(hex + 2 * (size_t)i, 3, "%02x", 0xa0 + i);
	}
	assert_string_equal(good(*state, url, "{}", NULL)->id, hex);
	(void)strcat(url, "%00");
	refused(*state, url, "{}", "'id' must be 1 to 60 bytes");
}

// A header must not say what to load or which file to read.
static void a_key_url_with_a_query_is_refused(void **state)
{
	refused(*state, URL "?module-path=/tmp/evil.so", "{}", "query");
	refused(*state, URL "?", "{}", "query");
	refused(*state, "pkcs11:?pin-value=s3cret", "{}", "query");
}

// p11-kit takes what follows an empty attribute for a query.
static void a_query_cannot_be_smuggled_behind_an_empty_attribute(void **state)
{
	P11KitUri *uri = p11_kit_uri_new();
	assert_int_equal(p11_kit_uri_parse("pkcs11:token=a;;module-path=/tmp/evil.so",
				 P11_KIT_URI_FOR_ANY, uri),
		P11_KIT_URI_OK);
	assert_string_equal(p11_kit_uri_get_module_path(uri), "/tmp/evil.so");
	p11_kit_uri_free(uri);
	refused(*state, "pkcs11:token=a;;module-path=/tmp/evil.so", "{}", "name=value");
	refused(*state, "pkcs11:;module-path=/tmp/evil.so", "{}", "name=value");
	refused(*state, "pkcs11:token=a;", "{}", "name=value");
	refused(*state, "pkcs11:token=a;module-path=/tmp/evil.so", "{}", "after a '?'");
	refused(*state, "pkcs11:token=a;pin-source=/etc/shadow", "{}", "after a '?'");
	refused(*state, "pkcs11:token=a;pin-value=s3cret", "{}", "after a '?'");
}

static void what_names_no_key_or_names_it_wrongly_is_refused(void **state)
{
	static const struct {
		const char *path, *says;
	} bad[] = {
		{"", "names no key"},
		{"bank", "name=value"},
		{"=bank", "name=value"},
		{"token=a#b", "fragment"},
		{"tokens=a", "no attribute 'tokens'"},
		{"Token=a", "no attribute 'Token'"},
		{"x-vendor=1", "no attribute 'x-vendor'"},
		{"object-type=private", "no attribute 'object-type'"},
		{"pinfile=/etc/shadow", "no attribute 'pinfile'"},
		{"token=a;token=b", "'token' is there twice"},
		{"token=a%2", "'token' is not properly encoded"},
		{"token=a%zz", "'token' is not properly encoded"},
		{"token=%", "'token' is not properly encoded"},
		{"token=my bank", "'token' is not properly encoded"},
		{"token=my\tbank", "'token' is not properly encoded"},
		{"token=%00", "'token' must be"},
		{"token=123456789012345678901234567890123", "at most 32 bytes"},
		{"serial=12345678901234567", "at most 16 bytes"},
		{"object=", "'object' must be"},
		{"id=", "'id' must be"},
		{"type=public", "private or secret-key"},
		{"type=cert", "private or secret-key"},
		{"type=private%00", "private or secret-key"},
		{"type=secretkey", "private or secret-key"},
		{"slot-id=", "a decimal number"},
		{"slot-id=-1", "a decimal number"},
		{"slot-id=99999999999999999999", "a decimal number"},
		{"library-version=2.", "a number such as"},
		{"library-version=.4", "a number such as"},
		{"library-version=255", "a number such as"},
		{"library-version=1.2.3", "a number such as"},
		{"library-version=4294967298", "a number such as"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char url[200];
		(void)snprintf(url, sizeof(url), "pkcs11:%s", bad[i].path);
		refused(*state, url, "{}", bad[i].says);
	}
	refused(*state, "pkcs11", "{}", "does not begin with");
	refused(*state, "pkcs11x:token=a", "{}", "does not begin with");
	refused(*state, "file:/a", "{}", "does not begin with");
}

static void the_query_says_which_module_and_where_the_pin_is(void **state)
{
	struct p11_config *c = good(*state, URL,
		QUERY("module-path=/usr/lib/a%20b.so&pin-source=file:/etc/cmkdisk/pin"), NULL);
	assert_string_equal(c->module_path, "/usr/lib/a b.so");
	assert_string_equal(c->pin_source, "/etc/cmkdisk/pin");
	c = good(*state, URL, QUERY("module-name=opensc&pin-source=/run/p%3fn?"), NULL);
	assert_string_equal(c->module_name, "opensc");
	assert_null(c->module_path);
	assert_string_equal(c->pin_source, "/run/p?n?");
	assert_null(good(*state, URL, QUERY(""), NULL)->module_name);
	static const char *const same[] = {"file:///run/pin", "file://localhost/run/pin",
		"FILE:/run/pin", "file%3A%2Frun%2Fpin", "/run/pin"};
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		char set[200];
		(void)snprintf(set, sizeof(set), QUERY("pin-source=%s"), same[i]);
		assert_string_equal(good(*state, URL, set, NULL)->pin_source, "/run/pin");
	}
}

static void a_query_that_is_not_understood_is_refused(void **state)
{
	static const struct {
		const char *query, *says;
	} bad[] = {
		{"module-path=lib.so", "full path of a library"},
		{"module-path=/", "full path of a library"},
		{"module-path=./lib.so", "full path of a library"},
		{"module-path=/a.so&module-name=a", "write one of them"},
		{"module-path=/a.so&module-path=/b.so", "'module-path' is there twice"},
		{"module-name=", "empty"},
		{"module-name=a%00b", "not properly encoded"},
		{"module-name=a%4", "not properly encoded"},
		{"module-name=a b", "not properly encoded"},
		{"module-name=a#b", "not properly encoded"},
		{"module-name", "name=value"},
		{"&module-name=a", "name=value"},
		{"module-name=a&", "name=value"},
		{"pin-value=s3cret", "put the PIN into a file"},
		{"pin%2dvalue=s3cret", "may have module-path"},
		{"pinfile=/a", "no 'pinfile'"},
		{"x-pin=s3cret", "no 'x-pin'"},
		{"pin-source=pin", "full path of a file"},
		{"pin-source=/", "full path of a file"},
		{"pin-source=file:pin", "full path of a file"},
		{"pin-source=file://host/pin", "full path of a file"},
		{"pin-source=file://localhostile/pin", "full path of a file"},
		{"pin-source=https://host/pin", "full path of a file"},
		{"pin-source=%7Cecho%20s3cret", "no program is run"},
		{"pin-source=|/bin/pin", "no program is run"},
		{"pin-source=fd:3", "for the cmkdisk command alone"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char set[200];
		(void)snprintf(set, sizeof(set), QUERY("%s"), bad[i].query);
		refused(*state, URL, set, bad[i].says);
	}
}

static void a_key_set_with_unknown_members_or_types_is_refused(void **state)
{
	refused(*state, URL, "", "no JSON object");
	refused(*state, URL, "[]", "no JSON object");
	refused(*state, URL, "{\"cmkdisk\":{\"pkcs11\":[]}}", "must be an object");
	refused(*state, URL, SET("\"pin\":\"s3cret\""), "no member 'pin'");
	refused(*state, URL, SET("\"query\":1"), "query must be a text");
	refused(*state, URL, SET("\"alg\":{}"), "alg must be a text");
	refused(*state, URL, SET("\"alg\":\"RSA1_5\""), "alg is 'RSA1_5'");
	refused(*state, URL, SET("\"environment\":\"A=1\""), "must be an object");
	refused(*state, URL, SET("\"environment\":{\"A\":1}"), "environment.A must be a text");
}

static void every_algorithm_can_be_asked_for(void **state)
{
	static const char *const all[] = {"RSA-OAEP-256", "RSA-OAEP", "A256KW",
		"CKM_AES_KEY_WRAP_KWP", "CKM_AES_KEY_WRAP_PAD"};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char set[200];
		(void)snprintf(set, sizeof(set), SET("\"alg\":\"%s\""), all[i]);
		assert_string_equal(good(*state, URL, set, NULL)->alg, all[i]);
	}
}

static void the_key_sets_variables_come_after_the_hosts(void **state)
{
	static const char *const given[] = {
		"SOFTHSM2_CONF=/a", "CMKDISK_PIN=1234", "TSS2_LOG=", NULL};
	const struct p11_config *c = good(*state, URL,
		SET("\"environment\":{\"SOFTHSM2_CONF\":\"/b=c\",\"_X9\":\"\"}"), given);
	static const char *const want[] = {
		"SOFTHSM2_CONF=/a", "TSS2_LOG=", "SOFTHSM2_CONF=/b=c", "_X9="};
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_string_equal(c->environment[i], want[i]);
	assert_null(c->environment[4]);
	assert_string_equal(c->pin, "1234");
}

static void variables_that_are_not_the_modules_are_refused(void **state)
{
	static const char *const bad[] = {"LD_PRELOAD", "LD_", "PATH", "CMKDISK_PIN", "", "9A",
		"A-B", "A=B", "A B", "\xc3\xa4"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char set[200];
		(void)snprintf(
			set, sizeof(set), SET("\"environment\":{\"%s\":\"s3cret\"}"), bad[i]);
		refused(*state, URL, set, "environment may not have");
	}
}

static void the_pin_of_the_person_who_mounts_is_in_secret_memory_alone(void **state)
{
	struct world *w = *state;
	static const char *const given[] = {"CMKDISK_PIN=123=4", NULL};
	static const char *const none[] = {"CMKDISK_PIN=", "CMKDISK_PINS=1", NULL};
	const struct p11_config *c = good(w, URL, "{}", given);
	assert_string_equal(c->pin, "123=4");
	assert_int_equal(w->host.secrets, 1);
	assert_null(c->environment[0]);
	c = good(w, URL, "{}", none);
	assert_null(c->pin);
	assert_string_equal(c->environment[0], "CMKDISK_PINS=1");
}

static void a_host_without_the_environment_member_is_taken(void **state)
{
	struct world *w = *state;
	const struct cmk_key_ref ref = {
		.struct_size = offsetof(struct cmk_key_ref, environment),
		.key_url = URL,
		.config = "{}",
		.disk = "",
		.environment = (const char *const *)(uintptr_t)1,
	};
	assert_int_equal(p11_config_read(&w->host.api, &ref, &w->c, &w->o), CMK_GRANTED);
	assert_null(w->c.environment[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_said_leaves_everything_open),
		TEST(every_attribute_of_the_path_is_read),
		TEST(a_token_that_tools_print_with_blank_fields_is_taken),
		TEST(an_id_of_60_bytes_pins_a_version_and_one_of_61_is_refused),
		TEST(a_key_url_with_a_query_is_refused),
		TEST(a_query_cannot_be_smuggled_behind_an_empty_attribute),
		TEST(what_names_no_key_or_names_it_wrongly_is_refused),
		TEST(the_query_says_which_module_and_where_the_pin_is),
		TEST(a_query_that_is_not_understood_is_refused),
		TEST(a_key_set_with_unknown_members_or_types_is_refused),
		TEST(every_algorithm_can_be_asked_for),
		TEST(the_key_sets_variables_come_after_the_hosts),
		TEST(variables_that_are_not_the_modules_are_refused),
		TEST(the_pin_of_the_person_who_mounts_is_in_secret_memory_alone),
		TEST(a_host_without_the_environment_member_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
