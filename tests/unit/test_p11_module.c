// SPDX-License-Identifier: MIT
// Modules: which ones are loaded, which are refused, and who ends them. SULKY_MODULE, from CMake,
// is one that does not let itself be initialised.
#define P11_KIT_FUTURE_UNSTABLE_API // a private configuration for p11-kit
#include "p11_world.h"

#include "p11_rv.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "pkcs11:token=bank;object=disk"

static char registry[128]; // p11-kit keeps the pointer

static int setup(void **state)
{
	struct p11_world *w = &p11_world;
	assert_int_equal(p11_world_setup(state), 0);
	(void)unsetenv("SULKY_SAYS");
	(void)unsetenv("SULKY_WANTS");
	int n = snprintf(registry, sizeof(registry), "%s/registry", w->rig.dir);
	assert_in_range(n, 1, sizeof(registry) - 1);
	assert_int_equal(mkdir(registry, 0700), 0);
	p11_kit_override_system_files(
		"/nonexistent", "/nonexistent", registry, "/nonexistent", "/nonexistent");
	p11_world_config(KEY, "");
	return 0;
}

// A file of the rig's directory; what was in it is replaced.
static void write_file(char *path, size_t size, const char *name, const char *content)
{
	int n = snprintf(path, size, "%s/%s", p11_world.rig.dir, name);
	assert_in_range(n, 1, size - 1);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(content, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void register_module(const char *name, const char *file, const char *more)
{
	char path[160], full[64], text[512];
	(void)snprintf(full, sizeof(full), "registry/%s.module", name);
	(void)snprintf(text, sizeof(text), "module: %s\n%s", file, more);
	write_file(path, sizeof(path), full, text);
}

static enum cmk_verdict load(struct p11_world *w)
{
	p11_modules_free(&w->modules);
	memset(&w->o, 0, sizeof(w->o));
	return p11_modules_load(&w->config, &w->modules, &w->o);
}

static void require_refused(struct p11_world *w, const char *path, const char *part)
{
	free(w->config.module_path);
	w->config.module_path = strdup(path);
	require_outcome(load(w), CMK_MISCONFIGURED, CMK_REASON_NONE, part);
	assert_non_null(strstr(w->o.err.text, path));
	assert_int_equal(w->modules.count, 0);
	assert_null(w->modules.all);
}

static void modules_are_told_that_there_are_threads(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_int_equal(w->initialised, 1);
	assert_int_equal(w->init_flags, CKF_OS_LOCKING_OK);
}

static void what_is_ours_is_finalised(void **state)
{
	struct p11_world *w = *state;
	CK_INFO info;
	p11_world_load(KEY);
	CK_FUNCTION_LIST *f = p11_kit_module_load(P11_RIG_MODULE, P11_KIT_MODULE_UNMANAGED);
	assert_ptr_equal(f, w->real);
	assert_int_equal(f->C_GetInfo(&info), CKR_OK);
	assert_true(w->modules.all[0].ours);
	w->modules.all[0].f = f;
	p11_modules_free(&w->modules);
	w->real = NULL;
	assert_int_equal(f->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	p11_kit_module_release(f);
}

static void what_another_initialised_is_used_and_left_alone(void **state)
{
	struct p11_world *w = *state;
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_INFO info;
	CK_FUNCTION_LIST *other = p11_kit_module_load(P11_RIG_MODULE, P11_KIT_MODULE_UNMANAGED);
	assert_non_null(other);
	assert_int_equal(other->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(other->C_Initialize(&args), CKR_OK);
	p11_world_load(KEY);
	assert_ptr_equal(w->real, other);
	assert_true(w->modules.all[0].ready);
	assert_false(w->modules.all[0].ours);
	require_outcome(p11_world_begin(false), CMK_GRANTED, CMK_REASON_NONE, "");
	p11_session_end(&w->c, &w->s);
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_int_equal(w->finalised, 0);
	assert_false(w->modules.all[0].ours);
	// The other one ends its use: then it is ours.
	assert_int_equal(other->C_Finalize(NULL), CKR_OK);
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "NOT_INIT");
	assert_int_equal(w->s.lost, CKR_CRYPTOKI_NOT_INITIALIZED);
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_true(w->modules.all[0].ours);
	require_outcome(p11_world_begin(false), CMK_GRANTED, CMK_REASON_NONE, "");
	p11_session_end(&w->c, &w->s);
	p11_kit_module_release(other);
}

static void a_module_that_cannot_start_again_is_tried_the_next_time(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->init_says = CKR_DEVICE_ERROR;
	for (int i = 0; i < 3; i++)
		require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_UNREACHABLE,
			CMK_REASON_NONE, P11_RIG_MODULE " (cannot be initialised: CKR_DEVICE_");
	assert_int_equal(w->finalised, 1);
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "initialised");
	w->init_says = CKR_OK;
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	require_outcome(p11_world_begin(false), CMK_GRANTED, CMK_REASON_NONE, "");
}

static void one_that_refuses_to_end_stays_ours(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->final_says = CKR_FUNCTION_FAILED;
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_true(w->modules.all[0].ours);
	w->final_says = CKR_OK;
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_int_equal(w->finalised, 2);
}

static void copy_file(const char *from, const char *to)
{
	char cmd[400];
	int n = snprintf(cmd, sizeof(cmd), "cp '%s' '%s'", from, to);
	assert_in_range(n, 1, sizeof(cmd) - 1);
	assert_int_equal(system(cmd), 0);
}

static void a_module_that_others_can_change_is_refused(void **state)
{
	struct p11_world *w = *state;
	char dir[128], path[160], link[160];
	(void)snprintf(dir, sizeof(dir), "%s/lib", w->rig.dir);
	(void)snprintf(path, sizeof(path), "%s/module.so", dir);
	(void)snprintf(link, sizeof(link), "%s/link.so", w->rig.dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	copy_file(P11_RIG_MODULE, path);
	assert_int_equal(symlink(path, link), 0);
	free(w->config.module_path);
	w->config.module_path = strdup(link);
	require_outcome(load(w), CMK_GRANTED, CMK_REASON_NONE, "");
	for (mode_t bit = S_IWOTH; bit <= S_IWGRP; bit <<= 3) {
		assert_int_equal(chmod(path, 0755 | bit), 0);
		require_refused(w, path, "others may write");
		require_refused(w, link, "others may write");
		assert_int_equal(chmod(path, 0755), 0);
		assert_int_equal(chmod(dir, 0755 | bit), 0);
		require_refused(w, path, "directory: others may write");
		require_refused(w, link, "directory: others may write");
		assert_int_equal(chmod(dir, 0755), 0);
		assert_int_equal(chmod(w->rig.dir, 0700 | bit), 0); // where only the link is
		require_refused(w, link, "directory: others may write");
		assert_int_equal(chmod(w->rig.dir, 0700), 0);
	}
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		require_refused(w, path, "another user");
		assert_int_equal(chown(path, 0, 0), 0);
		assert_int_equal(chown(dir, 12345, 12345), 0);
		require_refused(w, path, "directory: it belongs to another user");
	}
}

static void what_is_no_module_is_refused(void **state)
{
	struct p11_world *w = *state;
	char path[160];
	require_refused(w, "/nonexistent/module.so", "install the HSM's PKCS#11 module");
	require_refused(w, "module.so", "absolute");
	require_refused(w, "", "absolute");
	write_file(path, sizeof(path), "text.so", "no module\n");
	require_refused(w, path, "cannot be loaded as a PKCS#11 module: ");
	Dl_info library;
	assert_int_not_equal(dladdr((void *)(uintptr_t)cmocka_set_message_output, &library), 0);
	require_refused(w, library.dli_fname, "C_GetFunctionList");
}

static void registered_modules_are_all_asked(void **state)
{
	struct p11_world *w = *state;
	register_module("aaa", SULKY_MODULE, "");
	register_module("hsm", P11_RIG_MODULE, "");
	register_module("gone", "/nonexistent/module.so", "");
	require_outcome(load(w), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_int_equal(w->modules.count, 2);
	for (size_t i = 0; i < 2; i++) {
		bool is_hsm = strcmp(w->modules.all[i].name, "hsm") == 0;
		assert_int_equal(w->modules.all[i].ready, is_hsm);
		assert_int_equal(w->modules.all[i].refused, is_hsm ? CKR_OK : CKR_DEVICE_ERROR);
	}
	// A PIN lies nowhere: that is seen once the token has been found.
	require_outcome(p11_world_begin(false), CMK_MISCONFIGURED, CMK_REASON_NONE, "module hsm)");
	p11_world_config("pkcs11:token=nowhere;object=disk", "");
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE,
		"aaa (cannot be initialised: CKR_DEVICE_ERROR)");
	assert_non_null(strstr(w->o.err.text, "hsm"));
	// One that has come to its senses is taken in.
	(void)setenv("SULKY_SAYS", "0", 1);
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_true(w->modules.all[0].ready && w->modules.all[1].ready);
}

static void a_registered_module_is_chosen_by_its_name(void **state)
{
	struct p11_world *w = *state;
	register_module("aaa", SULKY_MODULE, "");
	register_module("hsm", P11_RIG_MODULE, "");
	p11_world_config(KEY, "module-name=hsm");
	require_outcome(load(w), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_int_equal(w->modules.count, 1);
	assert_string_equal(w->modules.all[0].name, "hsm");
	p11_world_config(KEY, "module-name=aaa");
	require_outcome(load(w), CMK_UNREACHABLE, CMK_REASON_NONE, "aaa (cannot be initialised");
	assert_int_equal(w->modules.count, 0);
	p11_world_config(KEY, "module-name=bbb");
	require_outcome(load(w), CMK_MISCONFIGURED, CMK_REASON_NONE, "\"bbb\"");
	assert_non_null(strstr(w->o.err.text, "aaa"));
	assert_non_null(strstr(w->o.err.text, "hsm"));
}

static void modules_of_certificates_are_not_asked(void **state)
{
	struct p11_world *w = *state;
	register_module("hsm", P11_RIG_MODULE, "trust-policy: yes\n");
	require_outcome(load(w), CMK_MISCONFIGURED, CMK_REASON_NONE, "no PKCS#11 module is");
	p11_world_config(KEY, "module-name=hsm"); // but for being named
	require_outcome(load(w), CMK_GRANTED, CMK_REASON_NONE, "");
}

static void without_any_module_the_sentence_says_so(void **state)
{
	struct p11_world *w = *state;
	require_outcome(load(w), CMK_MISCONFIGURED, CMK_REASON_NONE, "module-path");
	register_module("gone", "/nonexistent/module.so", "critical: yes\n");
	require_outcome(load(w), CMK_MISCONFIGURED, CMK_REASON_NONE, "p11-kit cannot load");
}

static void the_environment_is_there_before_the_module(void **state)
{
	struct p11_world *w = *state;
	char says[] = "SULKY_SAYS=0", wants[] = "SULKY_WANTS=a=b c";
	char *environment[] = {says, wants, NULL};
	register_module("sulky", SULKY_MODULE, "x-init-reserved: a=b c\n");
	require_outcome(load(w), CMK_UNREACHABLE, CMK_REASON_NONE, "sulky");
	char **own = w->config.environment;
	w->config.environment = environment;
	require_outcome(load(w), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_string_equal(getenv("SULKY_WANTS"), "a=b c");
	register_module("sulky", SULKY_MODULE, "");
	require_outcome(load(w), CMK_UNREACHABLE, CMK_REASON_NONE, "CKR_ARGUMENTS_BAD");
	w->config.environment = own;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, p11_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(modules_are_told_that_there_are_threads),
		T(what_is_ours_is_finalised),
		T(what_another_initialised_is_used_and_left_alone),
		T(a_module_that_cannot_start_again_is_tried_the_next_time),
		T(one_that_refuses_to_end_stays_ours),
		T(a_module_that_others_can_change_is_refused),
		T(what_is_no_module_is_refused),
		T(registered_modules_are_all_asked),
		T(a_registered_module_is_chosen_by_its_name),
		T(modules_of_certificates_are_not_asked),
		T(without_any_module_the_sentence_says_so),
		T(the_environment_is_there_before_the_module),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
