// SPDX-License-Identifier: MIT
// The audit log: the service's field names, one line a request, and counts of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit.h"
#include "emu_file.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

// In the place of a real request's headers.
const char *emu_header(const struct emu_request *q, const char *name)
{
	(void)q;
	return strcmp(name, "User-Agent") == 0 ? "cmkdisk \"d1\"" : NULL;
}

const char *emu_query(const struct emu_request *q, const char *name)
{
	(void)q;
	(void)name;
	return NULL;
}

static const struct emu_request request = {.port = EMU_TLS,
	.authority = "contoso.vault.localhost:8443",
	.path = "/keys/k/v/unwrapkey",
	.client = "127.0.0.1"};

static struct audit_event event(const char *operation, int status)
{
	return (struct audit_event){.operation = operation,
		.vault = "contoso",
		.api_version = "7.4",
		.id = "https://contoso.vault.localhost:8443/keys/k/v",
		.app_id = "11111111-1111-1111-1111-111111111111",
		.object_id = "22222222-2222-2222-2222-222222222222",
		.request_id = "33333333-3333-3333-3333-333333333333",
		.status = status,
		.duration_ms = 12,
		.description =
			status == 200 ? NULL : "Operation is not allowed on a disabled key."};
}

static char *logged(const struct audit_event *first, const struct audit_event *second)
{
	char path[] = "/tmp/emu-audit.XXXXXX";
	char *text = NULL;
	size_t len;
	struct stat st;
	struct kp_err err = {""};
	scoped(audit_free) struct audit *a = NULL;
	int fd = mkstemp(path);
	(void)close(fd);
	(void)unlink(path);
	assert_int_equal(audit_open(path, &a, &err), 0);
	audit_write(a, &request, first);
	if (second)
		audit_write(a, &request, second);
	assert_int_equal(emu_file_read(path, 65536, &text, &len, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	(void)unlink(path);
	return text;
}

static void a_record_has_the_services_members(void **state)
{
	(void)state;
	struct audit_event e = event("KeyUnwrap", 403);
	e.answer_id = "44444444-4444-4444-4444-444444444444";
	autofree char *line = logged(&e, NULL);
	scoped(kp_json_free) struct kp_json *j = NULL;
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_int_equal(kp_json_parse(line, strlen(line), &j), 0);
	static const struct {
		const char *name, *value;
	} members[] = {{"operationName", "KeyUnwrap"}, {"operationVersion", "7.4"},
		{"category", "AuditEvent"}, {"resultType", "Failed"},
		{"resultSignature", "Forbidden"},
		{"resultDescription", "Operation is not allowed on a disabled key."},
		{"durationMs", "12"}, {"callerIpAddress", "127.0.0.1"},
		{"correlationId", "33333333-3333-3333-3333-333333333333"},
		{"resourceId", "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/"
			       "CMKDISK-VAULT/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/CONTOSO"}};
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		assert_string_equal(kp_json_str(j, members[i].name), members[i].value);
	const char *time = kp_json_str(j, "time");
	assert_int_equal(strlen(time), strlen("2026-01-05T01:32:01.2691226Z"));
	const struct kp_json *p = kp_json_get(j, "properties");
	int64_t status;
	assert_true(kp_json_int(p, "httpStatusCode", &status));
	assert_int_equal(status, 403);
	assert_string_equal(kp_json_str(p, "clientInfo"), "cmkdisk \"d1\"");
	assert_string_equal(kp_json_str(p, "id"), e.id);
	assert_string_equal(kp_json_str(p, "requestId"), e.answer_id);
	assert_string_equal(kp_json_str(p, "requestUri"),
		"https://contoso.vault.localhost:8443/keys/k/v/unwrapkey?api-version=7.4");
	const struct kp_json *claim = kp_json_get(kp_json_get(j, "identity"), "claim");
	assert_string_equal(kp_json_str(claim, "appid"), e.app_id);
	assert_string_equal(
		kp_json_str(claim, "http://schemas.microsoft.com/identity/claims/objectidentifier"),
		e.object_id);
}

static void a_managed_hsm_writes_its_own_shape(void **state)
{
	(void)state;
	struct audit_event e = event("KeyGet", 200);
	e.hsm = true;
	autofree char *line = logged(&e, NULL);
	scoped(kp_json_free) struct kp_json *j = NULL;
	int64_t n;
	assert_int_equal(kp_json_parse(line, strlen(line), &j), 0);
	assert_true(kp_json_int(j, "durationMs", &n));
	assert_true(kp_json_int(j, "httpStatusCode", &n));
	assert_string_equal(kp_json_str(j, "PoolName"), "contoso");
	assert_string_equal(kp_json_str(kp_json_get(j, "properties"), "PoolType"), "M-HSM");
	assert_non_null(strstr(kp_json_str(j, "identity"), "\"appid\":\"11111111"));
	assert_string_equal(kp_json_str(j, "resultType"), "Success");
}

static void every_request_is_a_line(void **state)
{
	(void)state;
	const struct audit_event first = event("Authentication", 401),
				 second = event("KeyGet", 200);
	autofree char *text = logged(&first, &second);
	char *end = strchr(text, '\n');
	assert_non_null(end);
	assert_non_null(strstr(text, "Authentication"));
	assert_non_null(strstr(end + 1, "KeyGet"));
	assert_null(strchr(strchr(end + 1, '\n') + 1, '\n'));
}

static int64_t count(struct audit *a, const char *args)
{
	char copy[256];
	scoped(kp_json_free) struct kp_json *j = NULL, *result = NULL;
	int64_t n = -1;
	(void)snprintf(copy, sizeof(copy), "%s", args);
	assert_int_equal(kp_json_parse(copy, strlen(copy), &j), 0);
	assert_int_equal(audit_action(a, "count", j, &result, NULL), 0);
	assert_true(kp_json_int(result, "count", &n));
	return n;
}

static void *write_many(void *arg)
{
	for (int i = 0; i < 250; i++) {
		const struct audit_event e = event(i % 2 ? "KeyWrap" : "KeyUnwrap", 200);
		audit_write(arg, &request, &e);
	}
	return NULL;
}

static void counts_are_by_operation_status_and_vault(void **state)
{
	(void)state;
	struct kp_err err = {""};
	scoped(audit_free) struct audit *a = NULL;
	scoped(kp_json_free) struct kp_json *result = NULL;
	struct audit_event other = event("KeyUnwrap", 403);
	pthread_t t[4];
	assert_int_equal(audit_open(NULL, &a, &err), 0);
	assert_int_equal(count(a, "{}"), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, write_many, a), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	other.vault = "other";
	audit_write(a, &request, &other);
	other.uncounted = true; // an action of the admin call
	audit_write(a, &request, &other);
	assert_int_equal(count(a, "{}"), 1001);
	assert_int_equal(count(a, "{\"operation\":\"keyunwrap\"}"), 501);
	assert_int_equal(count(a, "{\"operation\":\"KeyUnwrap\",\"status\":403}"), 1);
	assert_int_equal(count(a, "{\"vault\":\"other\"}"), 1);
	assert_int_equal(count(a, "{\"operation\":\"KeySign\"}"), 0);
	assert_int_equal(audit_action(a, "reset", NULL, &result, &err), 0);
	assert_int_equal(count(a, "{}"), 0);
	assert_int_equal(audit_action(a, "burn", NULL, &result, &err), -EINVAL);
}

static void a_log_that_cannot_be_opened_is_told(void **state)
{
	(void)state;
	struct kp_err err = {""};
	struct audit *a = NULL;
	assert_int_equal(audit_open("/nowhere/audit.log", &a, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/audit.log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_has_the_services_members),
		cmocka_unit_test(a_managed_hsm_writes_its_own_shape),
		cmocka_unit_test(every_request_is_a_line),
		cmocka_unit_test(counts_are_by_operation_status_and_vault),
		cmocka_unit_test(a_log_that_cannot_be_opened_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
