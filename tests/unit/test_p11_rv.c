// SPDX-License-Identifier: MIT
// What a module returned: its name, what it means for the key, and that nothing but the named few
// is taken for a key taken away.
#include "p11_fixture.h"

#include "p11_rv.h"

#define WHERE "token \"bank\" (serial 1, module m)"

static void require_name(CK_RV rv, const char *want)
{
	char name[P11_RV_TEXT];
	p11_rv_name(rv, name);
	assert_string_equal(name, want);
}

static enum cmk_verdict judge(CK_RV rv, struct kp_outcome *o)
{
	*o = (struct kp_outcome){0};
	enum cmk_verdict v = p11_rv_verdict(rv, WHERE, "C_Decrypt", o);
	assert_int_equal(v, o->verdict);
	return v;
}

static void values_have_the_standards_names_and_others_are_hexadecimal(void **state)
{
	(void)state;
	require_name(CKR_OK, "CKR_OK");
	require_name(0xa0, "CKR_PIN_INCORRECT");
	require_name(0x32, "CKR_DEVICE_REMOVED");
	require_name(CKR_FUNCTION_REJECTED, "CKR_FUNCTION_REJECTED");
	require_name(CKR_VENDOR_DEFINED + 1, "CKR_0x80000001");
	require_name(0x4, "CKR_0x00000004");
	require_name(~0UL, "CKR_0xffffffffffffffff");
}

static void every_name_of_the_header_is_in_the_table(void **state)
{
	(void)state;
	char line[256], symbol[128], value[64], name[P11_RV_TEXT];
	int seen = 0;
	FILE *header = fopen(P11_HEADER, "re");
	assert_non_null(header);
	while (fgets(line, sizeof(line), header)) {
		if (sscanf(line, "#define %127[A-Z0-9_] (%63[0-9a-fA-FxX]UL)", symbol, value) !=
				2 ||
			strncmp(symbol, "CKR_", 4) != 0)
			continue;
		p11_rv_name(strtoul(value, NULL, 0), name);
		assert_string_equal(name, symbol);
		seen++;
	}
	(void)fclose(header);
	assert_true(seen > 90);
}

static void no_value_but_the_named_few_denies_the_key(void **state)
{
	(void)state;
	static const struct {
		CK_RV rv;
		enum cmk_reason reason;
	} denied[] = {
		{CKR_KEY_FUNCTION_NOT_PERMITTED, CMK_REASON_NOT_PERMITTED},
		{CKR_PIN_INCORRECT, CMK_REASON_IDENTITY},
		{CKR_PIN_INVALID, CMK_REASON_IDENTITY},
		{CKR_PIN_LEN_RANGE, CMK_REASON_IDENTITY},
		{CKR_PIN_EXPIRED, CMK_REASON_IDENTITY},
		{CKR_PIN_LOCKED, CMK_REASON_IDENTITY},
	};
	const size_t count = sizeof(denied) / sizeof(*denied);
	struct kp_outcome o;
	size_t seen = 0;
	for (CK_RV rv = 0; rv < 0x1000; rv++) {
		size_t i = 0;
		while (i < count && denied[i].rv != rv)
			i++;
		assert_int_equal(judge(rv, &o) == CMK_DENIED, i < count);
		assert_int_not_equal(o.verdict, CMK_GRANTED);
		assert_int_equal(o.reason, i < count ? denied[i].reason : CMK_REASON_NONE);
		seen += i < count;
	}
	assert_int_equal(seen, count);
	assert_int_equal(judge(CKR_VENDOR_DEFINED + 0xa0, &o), CMK_UNREACHABLE);
	// A token that another process is just writing may say so: worth a second look.
	assert_int_equal(judge(CKR_USER_PIN_NOT_INITIALIZED, &o), CMK_UNREACHABLE);
	assert_true(p11_rv_is_lost(CKR_USER_PIN_NOT_INITIALIZED));
}

static void a_sentence_says_where_what_was_asked_what_was_said_and_what_to_do(void **state)
{
	(void)state;
	struct kp_outcome o;
	assert_int_equal(judge(CKR_DEVICE_REMOVED, &o), CMK_UNREACHABLE);
	require_text(o.err.text, WHERE ": C_Decrypt said CKR_DEVICE_REMOVED: ");
	require_text(o.err.text, "look whether it runs");
	assert_int_equal(judge(CKR_PIN_LOCKED, &o), CMK_DENIED);
	require_text(o.err.text, "have the security officer set a new one");
	assert_int_equal(judge(CKR_VENDOR_DEFINED + 2, &o), CMK_UNREACHABLE);
	require_text(o.err.text, "CKR_0x80000002: this tells nothing about the key");
}

static void bytes_that_are_not_the_keys_work_are_a_bad_blob(void **state)
{
	(void)state;
	static const CK_RV all[] = {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE,
		CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE};
	struct kp_outcome o;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_int_equal(judge(all[i], &o), CMK_BAD_BLOB);
}

static void what_has_gone_away_is_lost(void **state)
{
	(void)state;
	static const CK_RV lost[] = {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED,
		CKR_OBJECT_HANDLE_INVALID, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT,
		CKR_TOKEN_NOT_RECOGNIZED, CKR_DEVICE_ERROR, CKR_CRYPTOKI_NOT_INITIALIZED,
		CKR_SLOT_ID_INVALID, CKR_USER_NOT_LOGGED_IN, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED,
		CKR_KEY_HANDLE_INVALID, CKR_UNWRAPPING_KEY_HANDLE_INVALID,
		CKR_WRAPPING_KEY_HANDLE_INVALID};
	static const CK_RV kept[] = {CKR_OK, CKR_PIN_INCORRECT, CKR_PIN_LOCKED,
		CKR_MECHANISM_INVALID, CKR_ENCRYPTED_DATA_INVALID, CKR_USER_ALREADY_LOGGED_IN,
		CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_VENDOR_DEFINED};
	for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++)
		assert_true(p11_rv_is_lost(lost[i]) && !p11_rv_is_unsupported(lost[i]));
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		assert_false(p11_rv_is_lost(kept[i]));
}

// CKR_ARGUMENTS_BAD is what SoftHSM says to RSA-OAEP with SHA-256.
static void what_the_token_does_not_do_is_unsupported(void **state)
{
	(void)state;
	static const CK_RV cannot[] = {CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
		CKR_ARGUMENTS_BAD, CKR_FUNCTION_NOT_SUPPORTED, CKR_KEY_TYPE_INCONSISTENT,
		CKR_KEY_SIZE_RANGE, CKR_DATA_LEN_RANGE};
	static const CK_RV other[] = {CKR_OK, CKR_DEVICE_ERROR, CKR_KEY_FUNCTION_NOT_PERMITTED,
		CKR_ENCRYPTED_DATA_INVALID, CKR_VENDOR_DEFINED};
	struct kp_outcome o;
	for (size_t i = 0; i < sizeof(cannot) / sizeof(*cannot); i++) {
		assert_true(p11_rv_is_unsupported(cannot[i]));
		assert_int_equal(judge(cannot[i], &o), CMK_MISCONFIGURED);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		assert_false(p11_rv_is_unsupported(other[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_the_standards_names_and_others_are_hexadecimal),
		cmocka_unit_test(every_name_of_the_header_is_in_the_table),
		cmocka_unit_test(no_value_but_the_named_few_denies_the_key),
		cmocka_unit_test(a_sentence_says_where_what_was_asked_what_was_said_and_what_to_do),
		cmocka_unit_test(bytes_that_are_not_the_keys_work_are_a_bad_blob),
		cmocka_unit_test(what_has_gone_away_is_lost),
		cmocka_unit_test(what_the_token_does_not_do_is_unsupported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
