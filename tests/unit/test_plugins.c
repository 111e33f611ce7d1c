// SPDX-License-Identifier: MIT
// From a key URL to a file that may be trusted; and the list of plug-ins, crashing ones included.
#include "plugins.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[PATH_MAX];

static int make_dir(void **state)
{
	(void)state;
	char here[PATH_MAX - 32];
	if (!getcwd(here, sizeof(here)))
		return -errno;
	(void)snprintf(dir, sizeof(dir), "%s/plugins.XXXXXX", here);
	return mkdtemp(dir) ? 0 : -errno;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void put_file(const char *name, mode_t mode, char *path, size_t room)
{
	(void)snprintf(path, room, "%.3800s/%s", dir, name);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void a_scheme_is_what_rfc_3986_says(void **state)
{
	(void)state;
	char out[33];
	struct errmsg err;
	static const struct {
		const char *url, *scheme;
	} good[] = {{"file:/x", "file"}, {"HTTPS://a.b", "https"}, {"a:", "a"},
		{"x-y+z.1:q", "x-y+z.1"},
		{"abcdefghijklmnopqrstuvwxyz012345:", "abcdefghijklmnopqrstuvwxyz012345"}};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(key_url_scheme(good[i].url, out, sizeof(out), &err), 0);
		assert_string_equal(out, good[i].scheme);
	}
	static const char *const bad[] = {"", ":", "/etc/key", "1a:", "-a:", "a/b:", "file",
		"abcdefghijklmnopqrstuvwxyz0123456:", "\xc3\xa4:", " file:x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(key_url_scheme(bad[i], out, sizeof(out), &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not a key URL"));
	}
}

static void a_name_is_checked(void **state)
{
	(void)state;
	char out[PLUGIN_NAME_ROOM];
	assert_int_equal(plugin_name("/a/cmkdisk-keyprov-my-hsm2.so", out, NULL), 0);
	assert_string_equal(out, "my-hsm2");
	static const char *const bad[] = {"cmkdisk-keyprov-.so", "cmkdisk-keyprov-A.so",
		"keyprov-a.so", "cmkdisk-keyprov-a.so.1", "cmkdisk-keyprov-a/b.so",
		"cmkdisk-keyprov-a_b.so", "", "/cmkdisk-keyprov-.",
		"cmkdisk-keyprov-abcdefghijklmnopqrstuvwxyz0123456.so"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(plugin_name(bad[i], out, NULL), -EINVAL);
}

static void a_scheme_finds_its_plugin(void **state)
{
	(void)state;
	static const char *const files[] = {"file", "pkcs11", "azure", "azure", "vault"};
	static const char *const schemes[] = {"file", "pkcs11", "https", "http", "vault"};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char name[64], path[PATH_MAX], found[PATH_MAX];
		struct errmsg err = {.text = ""};
		(void)snprintf(name, sizeof(name), "cmkdisk-keyprov-%s.so", files[i]);
		assert_int_equal(plugin_path(dir, schemes[i], found, sizeof(found), &err), -EDOM);
		assert_non_null(strstr(err.text, schemes[i]));
		assert_non_null(strstr(err.text, dir));
		put_file(name, 0644, path, sizeof(path));
		assert_int_equal(plugin_path(dir, schemes[i], found, sizeof(found), &err), 0);
		assert_string_equal(found, path);
		assert_int_equal(plugin_path(dir, schemes[i], found, 20, &err), -ENAMETOOLONG);
		assert_int_equal(unlink(path), 0);
	}
	char found[PATH_MAX];
	assert_int_equal(plugin_path(dir, "x.y", found, sizeof(found), NULL), -EDOM);
}

static void what_others_may_write_is_not_loaded(void **state)
{
	(void)state;
	char path[PATH_MAX], found[PATH_MAX];
	struct errmsg err = {.text = ""};
	put_file("cmkdisk-keyprov-vault.so", 0646, path, sizeof(path));
	assert_int_equal(plugin_path(dir, "vault", found, sizeof(found), &err), -EPERM);
	assert_non_null(strstr(err.text, "chmod"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(plugin_path(dir, "vault", found, sizeof(found), &err), 0);
	assert_int_equal(chmod(dir, 01777), 0); // sticky does not keep others from adding a file
	assert_int_equal(plugin_path(dir, "vault", found, sizeof(found), &err), -EPERM);
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid() == 0) { // somebody else's file, and a group that may have members
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_int_equal(plugin_path(dir, "vault", found, sizeof(found), &err), -EPERM);
		assert_non_null(strstr(err.text, "12345"));
		assert_int_equal(chown(path, 0, 12345), 0);
		assert_int_equal(chmod(path, 0664), 0);
		assert_int_equal(plugin_path(dir, "vault", found, sizeof(found), &err), -EPERM);
		assert_int_equal(chown(path, 0, 0), 0);
		assert_int_equal(plugin_path(dir, "vault", found, sizeof(found), &err), 0);
	}
	assert_int_equal(unlink(path), 0);
}

static const struct plugin_row *row_of(const struct plugin_row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		char file[64];
		(void)snprintf(file, sizeof(file), "/cmkdisk-keyprov-%s.so", name);
		if (strstr(rows[i].path, file))
			return &rows[i];
	}
	fail_msg("no row for %s", name);
	return NULL;
}

static void the_list_shows_what_loads_and_what_does_not(void **state)
{
	(void)state;
	struct plugin_row *rows autofree = NULL;
	size_t n = 0;
	struct errmsg err = {.text = ""};
	assert_int_equal(plugins_list(AGENT_PROGRAM, PROVIDER_DIR, &rows, &n, &err), 0);
	for (size_t i = 0; i < n; i++) {
		print_message("%s %s: %s%s\n", rows[i].name, rows[i].version, rows[i].description,
			rows[i].problem);
		assert_true(i == 0 || strcmp(rows[i - 1].path, rows[i].path) < 0);
	}
	const struct plugin_row *r = row_of(rows, n, "deviant");
	assert_string_equal(r->name, "deviant");
	assert_string_equal(r->version, "1.0");
	assert_string_equal(r->description, "misbehaves on request, for tests");
	assert_string_equal(r->schemes, "deviant other");
	assert_string_equal(r->problem, "");
	assert_non_null(strstr(row_of(rows, n, "newapi")->problem, "version 2"));
	assert_non_null(strstr(row_of(rows, n, "loadcrash")->problem, "signal 11"));
	assert_string_equal(row_of(rows, n, "loadcrash")->name, "loadcrash");
}

static void a_list_of_no_directory_is_an_error(void **state)
{
	(void)state;
	struct plugin_row *rows = NULL;
	size_t n = 0;
	struct errmsg err = {.text = ""};
	assert_int_equal(plugins_list(AGENT_PROGRAM, "/nonexistent", &rows, &n, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent"));
	assert_int_equal(plugins_list(AGENT_PROGRAM, dir, &rows, &n, &err), 0);
	assert_int_equal(n, 0);
	free(rows);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scheme_is_what_rfc_3986_says),
		cmocka_unit_test(a_name_is_checked),
		T(a_scheme_finds_its_plugin),
		T(what_others_may_write_is_not_loaded),
		cmocka_unit_test(the_list_shows_what_loads_and_what_does_not),
		T(a_list_of_no_directory_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
