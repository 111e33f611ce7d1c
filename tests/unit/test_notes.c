// SPDX-License-Identifier: MIT
// What providers have kept for their later processes: by plug-in, the newest word for each name, no
// more than there is room for, and beyond a fork.
#include "notes.h"
#include "scope.h"
#include "secret.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <cmkdisk/keyprov.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 2000

static int put(struct notes *n, const char *plugin, const char *name, const char *value)
{
	uint64_t heard = 0;
	return notes_put(n, plugin, name, value, &heard);
}

// All lines of a plug-in, each with a blank behind it.
static void told(struct notes *n, const char *plugin, char *out, size_t room)
{
	struct secret *lines scoped(secret_free) = NULL;
	size_t used = 0;
	uint64_t heard;
	*out = '\0';
	assert_int_equal(notes_for(n, plugin, &lines, &heard), 0);
	for (size_t at = 0; lines && at < lines->len;) {
		const char *line = (const char *)lines->data + at;
		assert_int_equal(strncmp(line, "CMKDISK_NOTE=", 13), 0);
		used += (size_t)snprintf(out + used, room - used, "%s ", line + 13);
		assert_true(used < room);
		at += strlen(line) + 1;
	}
}

static void expect_told(struct notes *n, const char *plugin, const char *want)
{
	char text[8192];
	told(n, plugin, text, sizeof(text));
	assert_string_equal(text, want);
}

static void the_last_word_counts_and_nothing_forgets(void **state)
{
	(void)state;
	struct notes *n scoped(notes_free) = NULL;
	assert_int_equal(notes_new(&n), 0);
	expect_told(n, "pkcs11", "");
	assert_int_equal(put(n, "pkcs11", "a", ""), 0);
	assert_int_equal(put(n, "pkcs11", "a", "1"), 0);
	assert_int_equal(put(n, "pkcs11", "ab", "2 = 3"), 0);
	assert_int_equal(put(n, "pkcs11", "a-1", "\xc3\xa4"), 0);
	expect_told(n, "pkcs11", "a=1 ab=2 = 3 a-1=\xc3\xa4 ");
	assert_int_equal(put(n, "pkcs11", "a", "4"), 0);
	expect_told(n, "pkcs11", "ab=2 = 3 a-1=\xc3\xa4 a=4 ");
	assert_int_equal(put(n, "pkcs11", "ab", ""), 0);
	expect_told(n, "pkcs11", "a-1=\xc3\xa4 a=4 ");
}

static void each_plugin_has_its_own(void **state)
{
	(void)state;
	struct notes *n scoped(notes_free) = NULL;
	assert_int_equal(notes_new(&n), 0);
	assert_int_equal(put(n, "pkcs11", "a", "1"), 0);
	assert_int_equal(put(n, "azure", "a", "2"), 0);
	expect_told(n, "pkcs11", "a=1 ");
	expect_told(n, "azure", "a=2 ");
	expect_told(n, "pkcs1", "");
	assert_int_equal(put(NULL, "pkcs11", "a", "1"), 0);
	expect_told(NULL, "pkcs11", "");
	assert_true(notes_lock(NULL));
}

static void what_is_no_note_is_refused(void **state)
{
	(void)state;
	struct notes *n scoped(notes_free) = NULL;
	char name[CMK_NOTE_NAME_MAX + 1], value[CMK_NOTE_VALUE_MAX + 1];
	static const char *const names[] = {"", "A", "a b", "a=b", "a_b", "a\n"};
	static const char *const values[] = {"a\n", "\x1b", "a\tb", "\x7f"};
	assert_int_equal(notes_new(&n), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(put(n, "p", names[i], "1"), -EINVAL);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		assert_int_equal(put(n, "p", "a", values[i]), -EINVAL);
	memset(name, 'a', sizeof(name));
	memset(value, 'v', sizeof(value));
	name[CMK_NOTE_NAME_MAX] = value[CMK_NOTE_VALUE_MAX] = '\0';
	assert_int_equal(put(n, "p", name, "1"), -EINVAL);
	assert_int_equal(put(n, "p", "a", value), -EINVAL);
	expect_told(n, "p", "");
	name[CMK_NOTE_NAME_MAX - 1] = value[CMK_NOTE_VALUE_MAX - 1] = '\0';
	assert_int_equal(put(n, "p", name, value), 0);
}

static void the_oldest_go_when_it_is_full(void **state)
{
	(void)state;
	struct notes *n scoped(notes_free) = NULL;
	struct secret *lines scoped(secret_free) = NULL;
	char name[16], text[8192], value[CMK_NOTE_VALUE_MAX];
	uint64_t heard;
	assert_int_equal(notes_new(&n), 0);
	for (int i = 0; i <= NOTES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%d-", i);
		assert_int_equal(put(n, "p", name, "1"), 0);
		assert_int_equal(put(n, "p", "kept-", "1"), 0); // never the oldest
	}
	told(n, "p", text, sizeof(text));
	assert_null(strstr(text, "n1-="));
	assert_non_null(strstr(text, "n2-="));
	assert_non_null(strstr(text, "n64-="));
	assert_non_null(strstr(text, "kept-="));
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < NOTES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%d-", i);
		assert_int_equal(put(n, "p", name, value), 0);
	}
	assert_int_equal(notes_for(n, "p", &lines, &heard), 0);
	assert_in_range(lines->len, NOTES_ROOM - 110, NOTES_ROOM);
	told(n, "p", text, sizeof(text));
	assert_non_null(strstr(text, "n63-="));
	assert_null(strstr(text, "n0-="));
}

static void they_survive_a_fork(void **state)
{
	(void)state;
	struct notes *n scoped(notes_free) = NULL;
	int status = 0;
	assert_int_equal(notes_new(&n), 0);
	assert_int_equal(put(n, "p", "a", "1"), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char text[64];
		told(n, "p", text, sizeof(text));
		bool there = strcmp(text, "a=1 ") == 0 && notes_lock(n);
		_exit(there && put(n, "p", "b", "2") == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect_told(n, "p", "a=1 ");
}

static void an_agent_is_behind_when_another_noted_something_else(void **state)
{
	(void)state;
	struct notes *n scoped(notes_free) = NULL;
	struct secret *none scoped(secret_free) = NULL;
	uint64_t one, other;
	assert_int_equal(notes_new(&n), 0);
	assert_int_equal(notes_for(n, "p", &none, &one), 0);
	assert_int_equal(notes_for(n, "p", &none, &other), 0);
	assert_int_equal(notes_put(n, "p", "a", "1", &one), 0);
	assert_int_equal(notes_count(n, "p"), one); // knows what it said itself
	assert_int_not_equal(notes_count(n, "p"), other);
	assert_int_equal(notes_put(n, "p", "b", "1", &other), 0);
	assert_int_not_equal(notes_count(n, "p"), other); // and nothing else by that
	struct secret *lines scoped(secret_free) = NULL;
	assert_int_equal(notes_for(n, "p", &lines, &one), 0);
	// The same again is nothing new, nor is to forget what nobody knows.
	assert_int_equal(notes_put(n, "p", "a", "1", &other), 0);
	assert_int_equal(notes_put(n, "p", "c", "", &other), 0);
	assert_int_equal(notes_put(n, "q", "a", "1", &other), 0);
	assert_int_equal(notes_count(n, "p"), one);
	assert_int_equal(notes_put(n, "p", "a", "2", &other), 0);
	assert_int_not_equal(notes_count(n, "p"), one);
	assert_int_equal(notes_put(n, "p", "a", "", &other), 0);
	assert_int_equal(notes_count(NULL, "p"), 0);
}

static void *put_many(void *arg)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	char value[32];
	uint64_t heard;
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)snprintf(value, sizeof(value), "%u", i);
		if (put(arg, "p", names[i % 5], i % 7 ? value : ""))
			return arg;
		struct secret *lines scoped(secret_free) = NULL;
		if (notes_for(arg, "p", &lines, &heard))
			return arg;
	}
	return NULL;
}

static void any_thread_may_put_and_ask(void **state)
{
	(void)state;
	struct notes *n scoped(notes_free) = NULL;
	pthread_t threads[THREADS];
	char text[256];
	assert_int_equal(notes_new(&n), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, n), 0);
	for (int i = 0; i < THREADS; i++) {
		void *failed = NULL;
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	told(n, "p", text, sizeof(text));
	assert_non_null(strstr(text, "e=1999 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_word_counts_and_nothing_forgets),
		cmocka_unit_test(each_plugin_has_its_own),
		cmocka_unit_test(what_is_no_note_is_refused),
		cmocka_unit_test(the_oldest_go_when_it_is_full),
		cmocka_unit_test(they_survive_a_fork),
		cmocka_unit_test(an_agent_is_behind_when_another_noted_something_else),
		cmocka_unit_test(any_thread_may_put_and_ask),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
