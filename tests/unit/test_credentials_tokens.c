// SPDX-License-Identifier: MIT
// What providers of keys in tokens are told: the variables of PKCS#11 modules, and the PIN of each
// key to that key alone. The first test starts the program again, because what /proc/PID/environ
// shows is what a process was started with.
#include "cli.h"
#include "credentials_fixture.h"

#include <errno.h>
#include <stdio.h>

// What PKCS#11 modules of the field read, and names that are only like them.
static const char *const modules[] = {"SOFTHSM2_CONF=m1", "TPM2_PKCS11_STORE=m2",
	"TPM2_PKCS11_TCTI=m3", "TPM2_PKCS11_LOG_LEVEL=m4", "TPM2_PKCS11_BACKEND=m5", "TSS2_LOG=m6",
	"TSS2_FAPICONF=m7", "OPENSC_CONF=m8", "YUBIHSM_PKCS11_CONF=m9", "P11NETHSM_CONFIG_FILE=ma",
	"P11_KIT_SERVER_ADDRESS=mb", "KRYOPTIC_CONF=mc", "ChrystokiConfigurationPath=md",
	"CKNFAST_LOADSHARING=me", "NFAST_HOME=mf", "CLOUDHSM_X=mi", "PKCS11SPY=mg",
	"PKCS11SPY_OUTPUT=mh", NULL};
// A PIN is nobody's to read, and the module gets it with C_Login().
#define HSM_PIN "CLOUDHSM_PIN=" SECRET
static const char *const not_modules[] = {"TPM2_PKCS11_OTHER=n1", "MY_SOFTHSM2_CONF=n2",
	"OPENSC_CONFIG=n3", "TSS2_LOGFILE=n4", "CMKDISK_PIN=n5", "LD_PRELOAD_=n6", NULL};

// "NAME" of "NAME=value".
static const char *value_of(const char *line)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, "="), line);
	return getenv(name);
}

static void part_modules(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	assert_true(environ_shows(HSM_PIN));
	assert_int_equal(credentials_take(&c, &err), 0);
	assert_false(environ_shows(SECRET));
	assert_false(is_told(c, TOKEN_KEY, HSM_PIN));
	for (const char *const *line = modules; *line; line++) {
		assert_null(value_of(*line));
		assert_true(is_told(c, TOKEN_KEY, *line));
		assert_true(is_told(c, "PKCS11:object=other", *line));
		assert_false(is_told(c, VAULT_KEY, *line));
		assert_false(is_told(c, "file:/key", *line));
	}
	for (const char *const *line = not_modules; *line; line++) {
		assert_non_null(value_of(*line));
		assert_false(is_told(c, TOKEN_KEY, *line));
	}
	assert_int_equal(credentials_give_back_modules(c), 0);
	for (const char *const *line = modules; *line; line++)
		assert_string_equal(value_of(*line), strchr(*line, '=') + 1);
	assert_null(getenv("AZURE_TENANT_ID"));
	assert_null(getenv("CLOUDHSM_PIN"));
	credentials_take_back_modules(c);
	for (const char *const *line = modules; *line; line++)
		assert_null(value_of(*line));
	for (const char *const *line = not_modules; *line; line++)
		assert_string_equal(value_of(*line), strchr(*line, '=') + 1);
	credentials_free(&c);
}

static void what_is_for_modules_goes_to_keys_in_tokens_and_back_on_request(void **state)
{
	(void)state;
	const char *env[64] = {"AZURE_TENANT_ID=t", NULL};
	size_t n = 1;
	env[n++] = HSM_PIN;
	for (const char *const *line = modules; *line; line++)
		env[n++] = *line;
	for (const char *const *line = not_modules; *line; line++)
		env[n++] = *line;
	assert_int_equal(start_part("modules", env), 0);
}

// What becomes of the environment when the other program is not there.
static void part_companion(void)
{
	struct errmsg err = {""};
	struct cli cli = {.tokenkey = "/nonexistent/cmkdisk-tokenkey"};
	char *argv[] = {(char[]){"tokenkey"}, NULL};
	assert_int_equal(credentials_take(&cli.credentials, &err), 0);
	assert_int_equal(cmd_tokenkey.run(&cli, &cmd_tokenkey, 1, argv, &err), -ENOSYS);
	assert_null(getenv("SOFTHSM2_CONF"));
	credentials_free(&cli.credentials);
	assert_string_equal(getenv("LANG"), "C"); // passes what would be there in vain
	assert_null(getenv("SOFTHSM2_CONF"));
}

static void a_program_that_cannot_be_started_leaves_no_environment_behind(void **state)
{
	(void)state;
	const char *const env[] = {"SOFTHSM2_CONF=a", "LANG=C", NULL};
	assert_int_equal(start_part("companion", env), 0);
}

static void a_pin_goes_to_its_own_key_alone(void **state)
{
	(void)state;
	struct credentials *c = NULL;
	struct errmsg err = {""};
	char most[CREDENTIALS_PIN_MAX + 2] = "";
	memset(most, '7', CREDENTIALS_PIN_MAX);
	assert_int_equal(credentials_take(&c, &err), 0);
	assert_int_equal(credentials_same_pin(c, "pkcs11:object=a", "pkcs11:object=b"), -ENOENT);
	assert_int_equal(credentials_count_pins(c), 0);
	assert_int_equal(credentials_set_pin(c, "pkcs11:object=a", "12 34"), 0);
	assert_int_equal(credentials_count_pins(c), 1);
	assert_true(is_told(c, "pkcs11:object=a", "CMKDISK_PIN=12 34"));
	static const char *const others[] = {"pkcs11:object=b",
		"pkcs11:object=", "pkcs11:object=aa", "pkcs11:object=a?", VAULT_KEY, "file:/a"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(credentials_know_pin(c, others[i]));
		assert_false(is_told(c, others[i], "CMKDISK_PIN=12 34"));
	}
	assert_int_equal(credentials_same_pin(c, "pkcs11:object=a", "pkcs11:object=b"), 0);
	assert_true(is_told(c, "pkcs11:object=b", "CMKDISK_PIN=12 34"));
	assert_int_equal(credentials_set_pin(c, "pkcs11:object=a", most), 0);
	assert_int_equal(credentials_len(c, "pkcs11:object=a"),
		strlen("CMKDISK_PIN=") + CREDENTIALS_PIN_MAX + 1);
	assert_true(is_told(c, "pkcs11:object=b", "CMKDISK_PIN=12 34"));
	most[CREDENTIALS_PIN_MAX] = '7';
	assert_int_equal(credentials_set_pin(c, "pkcs11:object=b", most), -EINVAL);
	// That there is none is known, and not sent.
	assert_int_equal(credentials_set_pin(c, "pkcs11:object=b", NULL), 0);
	assert_true(credentials_know_pin(c, "pkcs11:object=b"));
	assert_int_equal(credentials_len(c, "pkcs11:object=b"), 0);
	assert_int_equal(credentials_count_pins(c), 2);
	credentials_free(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_for_modules_goes_to_keys_in_tokens_and_back_on_request),
		cmocka_unit_test(a_program_that_cannot_be_started_leaves_no_environment_behind),
		cmocka_unit_test(a_pin_goes_to_its_own_key_alone),
	};
	if (argc == 2) {
		(!strcmp(argv[1], "modules") ? part_modules : part_companion)();
		return 0; // a failed assertion ends the process
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
