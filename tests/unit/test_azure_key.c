// SPDX-License-Identifier: MIT
// Unwrapping, wrapping and describing a vault's key: what is asked, which keys fit a disk, and what
// is made of answers that are not what they should be.
#include "azure_world.h"

#define TEST(f) cmocka_unit_test_setup_teardown(f, azure_world_setup, azure_world_teardown)

#define N2048                                                                    \
	"qp66DN9WHYAqdZFZ-3_zN_XK4783KcYZxgo8qzWe7vsBXDOy3xRhqvjrGLkAdFEwIdqJeC" \
	"BvXGZx4MB-nhFeS54waRwjhkLqEmoeSMwR01fDDYt2KNvSXmOyKfHEBpVF3hHMneqVnCEu" \
	"nIKxR4woHWh8lmw3e5qiuy7bIANbc5k_1CNZku3PRRoa_oeLM-loYXlZzj8fZajeUnEAeB" \
	"Tool8t2X8c-xD2KCdojeahajsNRkE4piMyVT_B6jbxf9N0xqU4d3czC9vXIQ3_B2zi74ew" \
	"sSXsHX2gpuuMnr1p_inXbUMw8URr6rDBH97Lkc43W8j7vL3lwJlBZNg5n3Z8RQ"
#define N1024                                                                    \
	"lg1aj5plaq_RQSWETSXes1T0amkQrP8AQ4kt_CVMuGTvkBuTKnwYgGo3U5FcdvGKBYWgHE" \
	"x9bfBiGu9X5MxBMvcQjpb3cMImMmaqO7DN6Rf381Y08OPNly6B1m00bG4roC_aoa2GTETg" \
	"SVSOigqMljLqaSj2I2vyUEt0ukoP510"
#define N2047                                                                    \
	"Y_djDb-XA8CW-rt7G6laVHZ9UnTGjetdQDqWCoZS29DkiLbIWtO6MoMy8FpYKWgYdlMXN_" \
	"EpyMbRyk3E7f3kFj7_iz_Bd_ETHnghljJPPoH0UzJO9Iarc5-rqCcuUL1OtS-lPAv2Tvdz" \
	"7CjQAlL2FddbHiSUGc9NYFl73F2-RAlrOEMJyak3poyPle8EoBLoZ3_ROdhKHTpbjo-yv_" \
	"KRAfMAHO4F2oRn8GMT__mgH-hBlSH-Dpec8y0WNLS0ZTJSePhF9XsxIN8vTUyGUNfRP7JI" \
	"kZF7Eh3FTlo6JtGKZppa-E5rT1lnJxDm2OZWgGi5tSpDq62NGUqYkhOWAN23TQ"
#define OPS "\"key_ops\":[\"wrapKey\",\"unwrapKey\"]"
#define RSA(n) "\"kty\":\"RSA\"," OPS ",\"n\":\"" n "\",\"e\":\"AQAB\""
#define AES "\"kty\":\"oct-HSM\"," OPS
#define LIVE "\"enabled\":true,\"created\":1700000000,\"recoveryLevel\":\"Recoverable+Purgeable\""
#define DENIED_GET FORBIDDEN("ForbiddenByPolicy")

static void open_known(const char *version, const char *azure, const char *set)
{
	azure_world_open(version, azure, set);
	vault_challenges();
}

static void unwrapping_needs_one_call_and_no_right_to_get(void **state)
{
	struct azure_world *w = *state;
	open_known("", "", "");
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	assert_int_equal(w->plain_len, 32);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(w->plain[i], i);
	assert_int_equal(http_script_requests(w->script), 2);
	require_no_text(request_head(1), "GET ");
}

static void the_version_asked_for_is_the_bindings_not_the_urls(void **state)
{
	(void)state;
	open_known("/" V2, "", "");
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	require_text(request_head(1), "POST /keys/disk-key/" V1 "/unwrapkey?");
}

static void bytes_that_are_no_work_of_the_key_are_a_bad_blob(void **state)
{
	struct azure_world *w = *state;
	char longer[100];
	open_known("", "", "");
	vault_says(400, "{\"error\":{\"code\":\"BadParameter\",\"message\":\"OAEP\"}}");
	require_said(azure_world_unwrap(V1), CMK_BAD_BLOB, CMK_REASON_NONE, "BadParameter");
	memset(longer, 'A', 87); // 65 bytes
	longer[87] = '\0';
	vault_result(V1, longer);
	require_said(azure_world_unwrap(V1), CMK_BAD_BLOB, CMK_REASON_NONE, "not as long as");
	vault_result(V1, "");
	require_said(azure_world_unwrap(V1), CMK_BAD_BLOB, CMK_REASON_NONE, "not as long as");
	size_t before = http_script_requests(w->script);
	require_said(azure_world_unwrap("3"), CMK_BAD_BLOB, CMK_REASON_NONE, "version '3'");
	require_said(azure_world_unwrap("../../secrets/x"), CMK_BAD_BLOB, CMK_REASON_NONE,
		"another kind of key store");
	assert_int_equal(
		w->prov->unwrap(w->key, V1, "RSA1_5", w->plain, 4, w->plain, &w->plain_len),
		CMK_BAD_BLOB);
	assert_int_equal(http_script_requests(w->script), before);
}

static void an_answer_about_something_else_is_no_grant(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"{}",
		"{\"value\":\"" PLAIN32 "\"}",
		"{\"kid\":\"https://contoso.vault.localhost/keys/disk-key\",\"value\":\"" PLAIN32
		"\"}",
		"{\"kid\":\"https://contoso.vault.localhost/keys/other/" V1
		"\",\"value\":\"" PLAIN32 "\"}",
		"{\"kid\":\"https://contoso.vault.localhost/keys/disk-key/" V2
		"\",\"value\":\"" PLAIN32 "\"}",
		"{\"kid\":\"https://fabrikam.vault.localhost/keys/disk-key/" V1
		"\",\"value\":\"" PLAIN32 "\"}",
		"{\"kid\":\"https://contoso.vault.localhost/keys/disk-key/" V1 "\"}",
		"{\"kid\":\"https://contoso.vault.localhost/keys/disk-key/" V1
		"\",\"value\":\"" PLAIN32 "=\"}",
		"{\"kid\":7,\"value\":\"" PLAIN32 "\"}",
	};
	open_known("", "", "");
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		vault_says(200, bodies[i]);
		require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE, "unwrapKey");
	}
}

static void wrapping_looks_at_the_newest_version_and_uses_that(void **state)
{
	struct azure_world *w = *state;
	open_known("", "", "");
	vault_key(V2, RSA(N2048), LIVE);
	vault_result(V2, "AQIDBA");
	assert_int_equal(azure_world_wrap(), CMK_GRANTED);
	require_text(request_head(1), "GET /keys/disk-key?api-version=7.4 ");
	require_text(request_head(2), "POST /keys/disk-key/" V2 "/wrapkey?");
	assert_string_equal(
		request_body(2), "{\"alg\":\"RSA-OAEP-256\",\"value\":\"" PLAIN32 "\"}");
	assert_string_equal(w->wrapped.version, V2);
	assert_string_equal(w->wrapped.alg, "RSA-OAEP-256");
	assert_int_equal(w->wrapped.len, 4);
	assert_memory_equal(w->wrapped.data, "\1\2\3\4", 4);
}

static void a_version_in_the_url_pins_unless_the_set_rotates(void **state)
{
	struct azure_world *w = *state;
	open_known("/" V1, "", "");
	vault_key(V1, RSA(N2048), LIVE);
	assert_int_equal(azure_world_describe(""), CMK_GRANTED);
	assert_string_equal(w->info.version, V1);
	require_text(request_head(1), "GET /keys/disk-key/" V1 "?");
	w->prov->close(w->key);
	open_known("/" V1, "", ",\"rotationToLatestKeyVersionEnabled\":true");
	vault_key(V2, RSA(N2048), LIVE);
	assert_int_equal(azure_world_describe(""), CMK_GRANTED);
	assert_string_equal(w->info.version, V2);
	require_text(request_head(3), "GET /keys/disk-key?");
}

static void an_aes_key_wraps_with_key_wrap(void **state)
{
	struct azure_world *w = *state;
	open_known("", "", "");
	vault_key(V1, AES, LIVE);
	vault_result(V1, "AQIDBA");
	assert_int_equal(azure_world_wrap(), CMK_GRANTED);
	assert_string_equal(w->wrapped.alg, "A256KW");
	require_text(request_body(2), "\"alg\":\"A256KW\"");
}

static void the_configured_algorithm_is_used_if_it_fits(void **state)
{
	struct azure_world *w = *state;
	open_known("", ",\"alg\":\"RSA-OAEP\"", "");
	vault_key(V1, RSA(N2048), LIVE);
	vault_result(V1, "AQIDBA");
	assert_int_equal(azure_world_wrap(), CMK_GRANTED);
	assert_string_equal(w->wrapped.alg, "RSA-OAEP");
	vault_key(V1, AES, LIVE);
	require_said(azure_world_wrap(), CMK_MISCONFIGURED, CMK_REASON_NONE, "does not fit");
}

static void a_key_that_cannot_protect_a_disk_is_refused_before_wrapping(void **state)
{
	struct azure_world *w = *state;
	static const struct {
		const char *key, *attributes;
		enum cmk_verdict verdict;
		enum cmk_reason reason;
		const char *says;
	} rows[] = {
		{"\"kty\":\"EC\"," OPS ",\"crv\":\"P-256\"", LIVE, CMK_MISCONFIGURED,
			CMK_REASON_NONE, "type EC"},
		{RSA(N1024), LIVE, CMK_MISCONFIGURED, CMK_REASON_NONE, "1024 bits"},
		{RSA(N2047), LIVE, CMK_MISCONFIGURED, CMK_REASON_NONE, "2047 bits"},
		{RSA(""), LIVE, CMK_MISCONFIGURED, CMK_REASON_NONE, "0 bits"},
		{AES, LIVE ",\"key_size\":128", CMK_MISCONFIGURED, CMK_REASON_NONE, "128 bits"},
		{"\"kty\":\"RSA\",\"key_ops\":[\"unwrapKey\"],\"n\":\"" N2048 "\"", LIVE,
			CMK_DENIED, CMK_REASON_NOT_PERMITTED, "lack wrapKey"},
		{"\"kty\":\"RSA\",\"key_ops\":[\"wrapKey\"],\"n\":\"" N2048 "\"", LIVE, CMK_DENIED,
			CMK_REASON_NOT_PERMITTED, "lack unwrapKey"},
		{"\"kty\":\"RSA\",\"key_ops\":[],\"n\":\"" N2048 "\"", LIVE, CMK_DENIED,
			CMK_REASON_NOT_PERMITTED, "key_ops"},
		{RSA(N2048), "\"enabled\":false", CMK_DENIED, CMK_REASON_DISABLED,
			V1 ", is disabled"},
		{RSA(N2048), "\"enabled\":true,\"exp\":1800000000", CMK_DENIED,
			CMK_REASON_NOT_PERMITTED, "has expired"},
		{RSA(N2048), "\"enabled\":true,\"nbf\":1800001000", CMK_DENIED,
			CMK_REASON_NOT_PERMITTED, "not yet valid"},
	};
	open_known("", "", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		vault_key(V1, rows[i].key, rows[i].attributes);
		require_said(azure_world_wrap(), rows[i].verdict, rows[i].reason, rows[i].says);
		if (rows[i].verdict == CMK_MISCONFIGURED)
			vault_challenges(); // all is read and asked anew
	}
	for (size_t i = 0; i < http_script_requests(w->script); i++)
		require_no_text(request_head(i), "wrapkey");
}

static void without_a_right_to_get_the_algorithm_is_found_by_trying(void **state)
{
	struct azure_world *w = *state;
	open_known("", "", "");
	vault_says(403, DENIED_GET);
	vault_result(V2, "AQIDBA");
	assert_int_equal(azure_world_wrap(), CMK_GRANTED);
	require_text(request_head(2), "POST /keys/disk-key/wrapkey?");
	assert_string_equal(w->wrapped.version, V2);
	vault_says(403, DENIED_GET);
	vault_says(400, "{\"error\":{\"code\":\"BadParameter\",\"message\":\"first\"}}");
	vault_result(V2, "AQIDBA");
	assert_int_equal(azure_world_wrap(), CMK_GRANTED);
	assert_string_equal(w->wrapped.alg, "A256KW");
	vault_says(403, DENIED_GET);
	vault_says(400, "{\"error\":{\"code\":\"BadParameter\",\"message\":\"first\"}}");
	vault_says(400, "{\"error\":{\"code\":\"BadParameter\",\"message\":\"second\"}}");
	require_said(azure_world_wrap(), CMK_MISCONFIGURED, CMK_REASON_NONE, "'first'");
}

static void a_configured_algorithm_is_not_guessed_around(void **state)
{
	(void)state;
	open_known("", ",\"alg\":\"A256KW\"", "");
	vault_says(403, DENIED_GET);
	vault_says(400, "{\"error\":{\"code\":\"BadParameter\",\"message\":\"only\"}}");
	require_said(azure_world_wrap(), CMK_MISCONFIGURED, CMK_REASON_NONE, "'only'");
	require_text(request_body(2), "A256KW");
	assert_int_equal(http_script_requests(azure_world.script), 3);
}

static void a_refused_wrap_is_told_as_it_is(void **state)
{
	(void)state;
	open_known("", "", "");
	vault_key(V1, RSA(N2048), LIVE);
	vault_says(403, FORBIDDEN("KeyOperationForbidden"));
	require_said(azure_world_wrap(), CMK_DENIED, CMK_REASON_NOT_PERMITTED, "wrapKey");
	vault_key(V1, RSA(N2048), LIVE);
	vault_result(V2, "AQIDBA"); // another version than the one asked
	require_said(azure_world_wrap(), CMK_UNREACHABLE, CMK_REASON_NONE, "about another key");
	vault_key(V1, RSA(N2048), LIVE);
	vault_result(V1, "no base64!");
	require_said(azure_world_wrap(), CMK_UNREACHABLE, CMK_REASON_NONE, "base64url");
}

static void describing_tells_all_and_works_when_disabled(void **state)
{
	struct azure_world *w = *state;
	open_known("", "", "");
	vault_key(V1, RSA(N2048), LIVE ",\"nbf\":1700000001,\"exp\":1900000000");
	assert_int_equal(azure_world_describe(""), CMK_GRANTED);
	assert_string_equal(w->info.version, V1);
	assert_string_equal(w->info.kty, "RSA");
	assert_int_equal(w->info.bits, 2048);
	assert_int_equal(w->info.enabled, 1);
	assert_int_equal(w->info.nbf, 1700000001);
	assert_int_equal(w->info.exp, 1900000000);
	assert_int_equal(w->info.created, 1700000000);
	assert_string_equal(w->info.recovery_level, "Recoverable+Purgeable");
	vault_key(V2, AES, "\"enabled\":false");
	assert_int_equal(azure_world_describe(V2), CMK_GRANTED);
	assert_int_equal(w->info.enabled, 0);
	assert_int_equal(w->info.bits, 0);
	assert_string_equal(w->info.recovery_level, "");
	vault_key(V2, AES, "");
	assert_int_equal(azure_world_describe(V2), CMK_GRANTED);
	assert_int_equal(w->info.enabled, -1);
	vault_key(V1, AES, LIVE);
	require_said(azure_world_describe(V2), CMK_UNREACHABLE, CMK_REASON_NONE, "another key");
	vault_says(403, DENIED_GET);
	require_said(azure_world_describe(""), CMK_DENIED, CMK_REASON_FORBIDDEN, "get");
	require_said(azure_world_describe("x?y"), CMK_MISCONFIGURED, CMK_REASON_NONE, "'x?y'");
}

static void what_cannot_be_a_vaults_key_does_not_open(void **state)
{
	struct azure_world *w = *state;
	static const char *const urls[] = {"https://example.org/keys/k",
		"http://contoso.vault.azure.net/keys/k",
		"https://contoso.vault.azure.net/secrets/k"};
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		const struct cmk_key_ref ref = {
			.struct_size = sizeof(ref), .key_url = urls[i], .config = "{}", .disk = ""};
		assert_int_equal(w->prov->open(&w->host.api, &ref, &w->key), CMK_MISCONFIGURED);
		assert_null(w->key);
		require_text(w->host.sentence, "vault.azure.net");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unwrapping_needs_one_call_and_no_right_to_get),
		TEST(the_version_asked_for_is_the_bindings_not_the_urls),
		TEST(bytes_that_are_no_work_of_the_key_are_a_bad_blob),
		TEST(an_answer_about_something_else_is_no_grant),
		TEST(wrapping_looks_at_the_newest_version_and_uses_that),
		TEST(a_version_in_the_url_pins_unless_the_set_rotates),
		TEST(an_aes_key_wraps_with_key_wrap),
		TEST(the_configured_algorithm_is_used_if_it_fits),
		TEST(a_key_that_cannot_protect_a_disk_is_refused_before_wrapping),
		TEST(without_a_right_to_get_the_algorithm_is_found_by_trying),
		TEST(a_configured_algorithm_is_not_guessed_around),
		TEST(a_refused_wrap_is_told_as_it_is),
		TEST(describing_tells_all_and_works_when_disabled),
		TEST(what_cannot_be_a_vaults_key_does_not_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
