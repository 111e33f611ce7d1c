// SPDX-License-Identifier: MIT
// What keyprov.h promises about versions, sizes and required members, tried with compiled plug-ins.
// The layout itself is asserted in layout.c, at compile time.
#include "agent_rig.h"
#include "secret.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void works(const char *key_url)
{
	struct agent_answer answer;
	struct agent *a = rig_agent(key_url, LONG_MS, NULL);
	bool right = rig_unwrap(a, &answer);
	assert_string_equal(answer.sentence, "");
	assert_int_equal(answer.verdict, CMK_GRANTED);
	assert_true(right);
	agent_free(&a);
}

static void is_refused(const char *key_url, const char *file, const char *said)
{
	struct agent_answer answer;
	struct agent *a = rig_agent(key_url, LONG_MS, NULL);
	assert_false(rig_unwrap(a, &answer));
	print_message("%s\n", answer.sentence);
	assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
	assert_non_null(strstr(answer.sentence, file));
	assert_non_null(strstr(answer.sentence, said));
	assert_false(rig_unwrap(a, &answer)); // and the process lives to say it again
	assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
	agent_free(&a);
}

static void a_strict_c11_plugin_works(void **state)
{
	(void)state;
	works("c11:key");
}

static void a_cxx11_plugin_works(void **state)
{
	(void)state;
	works("cxx11:key");
}

static void an_older_shorter_struct_loads_and_absent_callbacks_have_their_defaults(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct cmk_wrapped wrapped;
	struct cmk_key_info info;
	works("old:key");
	struct agent *a = rig_agent("old:key", LONG_MS, NULL);
	rig_wrap(a, &wrapped, &answer);
	assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
	assert_non_null(strstr(answer.sentence, "cannot make disks"));
	agent_describe(a, "", &info, &answer);
	assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
	assert_non_null(strstr(answer.sentence, "cannot be seen"));
	assert_true(rig_unwrap(a, &answer));
	agent_free(&a);
}

static void a_newer_longer_struct_of_the_same_api_loads(void **state)
{
	(void)state;
	works("bigger:key");
}

static void a_newer_api_is_refused(void **state)
{
	(void)state;
	is_refused(
		"newapi:key", "cmkdisk-keyprov-newapi.so", "version 2 of the provider interface");
}

static void an_unregistered_table_is_refused(void **state)
{
	(void)state;
	is_refused("noapi:key", "cmkdisk-keyprov-noapi.so", "CMK_KEYPROV_REGISTER");
}

static void a_missing_required_member_is_refused(void **state)
{
	(void)state;
	is_refused("nounwrap:key", "cmkdisk-keyprov-nounwrap.so", "required member unwrap");
	is_refused("noname:key", "cmkdisk-keyprov-noname.so", "required member name");
	is_refused("halfwatch:key", "cmkdisk-keyprov-halfwatch.so", "required member unwatch");
}

static void a_name_other_than_the_files_is_refused(void **state)
{
	(void)state;
	is_refused("liar:key", "cmkdisk-keyprov-liar.so", "calls itself \"honest\"");
}

static void a_plugin_for_other_schemes_is_refused(void **state)
{
	(void)state;
	is_refused("otherscheme:key", "otherscheme", "does not serve otherscheme: keys");
}

static void a_library_that_is_no_plugin_is_refused(void **state)
{
	(void)state;
	is_refused("noinit:key", "cmkdisk-keyprov-noinit.so", "does not export cmk_keyprov_init");
}

static void a_crash_while_loading_costs_the_agent_only(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent *a = rig_agent("loadcrash:key", LONG_MS, NULL);
	assert_false(rig_unwrap(a, &answer));
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_non_null(strstr(answer.sentence, "signal 11"));
	agent_free(&a);
}

static char said[256];

static void note_said(const struct cmk_host *host, enum cmk_reason reason, const char *fmt, ...)
{
	va_list ap;
	(void)host;
	(void)reason;
	va_start(ap, fmt);
	(void)vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
}

// What a provider hears from a host whose struct cmk_key_ref ends at `size`.
static const char *told_by_a_host(size_t size)
{
	static const char *const lines[] = {"AZURE_TENANT_ID=t", NULL};
	void *handle = dlopen(PROVIDER_DIR "/cmkdisk-keyprov-deviant.so", RTLD_NOW | RTLD_LOCAL);
	assert_non_null(handle);
	cmk_keyprov_init_fn init = NULL;
	void *symbol = dlsym(handle, CMK_KEYPROV_SYMBOL);
	memcpy(&init, &symbol, sizeof(init));
	assert_non_null(init);
	const struct cmk_keyprov *p = init();
	const struct cmk_host host = {.struct_size = sizeof(host), .explain = note_said};
	const struct cmk_key_ref ref = {.struct_size = size,
		.key_url = "deviant:environment",
		.config = "{}",
		.disk = "",
		.environment = lines};
	struct cmk_key_info info = {.enabled = -1};
	void *key = NULL;
	assert_int_equal(p->open(&host, &ref, &key), CMK_GRANTED);
	(void)p->describe(key, "", &info);
	p->close(key);
	(void)dlclose(handle);
	return said;
}

static void an_older_hosts_shorter_key_ref_is_not_read_beyond_its_end(void **state)
{
	(void)state;
	assert_string_equal(
		told_by_a_host(offsetof(struct cmk_key_ref, environment)), "told=0 lines=[ ]");
	assert_string_equal(
		told_by_a_host(sizeof(struct cmk_key_ref)), "told=1 lines=[ AZURE_TENANT_ID=t ]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_strict_c11_plugin_works),
		cmocka_unit_test(a_cxx11_plugin_works),
		cmocka_unit_test(
			an_older_shorter_struct_loads_and_absent_callbacks_have_their_defaults),
		cmocka_unit_test(a_newer_longer_struct_of_the_same_api_loads),
		cmocka_unit_test(an_older_hosts_shorter_key_ref_is_not_read_beyond_its_end),
		cmocka_unit_test(a_newer_api_is_refused),
		cmocka_unit_test(an_unregistered_table_is_refused),
		cmocka_unit_test(a_missing_required_member_is_refused),
		cmocka_unit_test(a_name_other_than_the_files_is_refused),
		cmocka_unit_test(a_plugin_for_other_schemes_is_refused),
		cmocka_unit_test(a_library_that_is_no_plugin_is_refused),
		cmocka_unit_test(a_crash_while_loading_costs_the_agent_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
