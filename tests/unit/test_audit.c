// SPDX-License-Identifier: MIT
// An audit log in its ordinary life: lines, restarts, rotation, several daemons, and whom it trusts
// with its file.
#include "audit_rig.h"

#include "audit_line.h"
#include "audit_writer.h"
#include "bytes.h"
#include "json.h"
#include "mac.h"
#include "scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

// As the manual says to do it by hand.
static void each_line_carries_the_hash_of_the_one_before(void **state)
{
	struct audit_rig *r = *state;
	char before[65] = "0000000000000000000000000000000000000000000000000000000000000000";
	size_t len, lines = 0;
	rig_write(r, 5);
	char *text autofree = rig_text(r->path, &len);
	for (char *line, *rest = text; (line = strsep(&rest, "\n")) && *line; lines++) {
		struct json *j scoped(json_free) = NULL;
		uint8_t raw[MAC_LEN];
		char hash[65];
		int64_t number;
		assert_int_equal(json_parse(line, strlen(line), &j), 0);
		assert_string_equal(json_str(j, "previous"), before);
		assert_true(json_int(j, "sequence", &number));
		assert_int_equal(number, lines + 1);
		assert_true(json_int(j, "n", &number));
		assert_int_equal(number, lines);
		assert_int_equal(
			sha256(line, strlen(line) - strlen(",\"hash\":\"\"}") - 64, raw), 0);
		hex_encode(raw, sizeof(raw), hash);
		assert_string_equal(json_str(j, "hash"), hash);
		memcpy(before, hash, sizeof(before));
	}
	assert_int_equal(lines, 5);
}

static void a_log_is_private(void **state)
{
	struct audit_rig *r = *state;
	struct stat st;
	rig_write(r, 1);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_log_goes_on_after_a_restart(void **state)
{
	struct audit_rig *r = *state;
	struct audit_stats s;
	rig_write(r, 3);
	rig_start(r);
	audit_stats(r->a, &s);
	assert_int_equal(s.sequence, 3);
	rig_post(r, 2);
	rig_wait_written(r);
	audit_stats(r->a, &s);
	assert_int_equal(s.written, 2);
	assert_int_equal(s.sequence, 5);
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 5);
	assert_string_equal(r->chain.last_hash, s.last_hash);
	assert_int_equal(r->chain.gaps, 0);
}

static void a_log_that_is_moved_away_goes_on_in_a_new_file(void **state)
{
	struct audit_rig *r = *state;
	rig_start(r);
	rig_post(r, 3);
	rig_wait_written(r);
	assert_int_equal(rename(r->path, r->old), 0);
	rig_post(r, 4);
	rig_wait_written(r);
	rig_unbroken(r, r->old, NULL, 3);
	rig_unbroken(r, r->old, r->path, 7);
	// Once more, with an empty file made for it, as logrotate's "create" does.
	char third[100];
	(void)snprintf(third, sizeof(third), "%s.x", r->path);
	assert_int_equal(rename(r->path, third), 0);
	rig_put(r->path, "", 0);
	rig_post(r, 2);
	rig_end(r);
	rig_unbroken(r, r->old, third, 7);
	char *all[] = {r->old, third, r->path};
	struct audit_expect none = {NULL, NULL};
	assert_int_equal(audit_verify(all, 3, &none, &r->chain, &r->err), 0);
	assert_int_equal(r->chain.lines, 9);
}

// What the thread does twice a minute when nothing happens: two rotations do not leave it behind.
static void an_idle_log_goes_over_to_the_new_file(void **state)
{
	struct audit_rig *r = *state;
	struct audit_writer w = {.head = "", .stream.socket = -1};
	struct audit_entry *e autofree = calloc(1, sizeof(*e) + 64);
	struct stat st;
	size_t done;
	assert_non_null(e);
	(void)snprintf(e->text, 64, "{\"time\":\"2026\",\"event\":\"stopped\"}");
	assert_int_equal(audit_file_open(&w.file, r->path, &r->err), 0);
	assert_int_equal(audit_writer_write(&w, e, 1, &done, &r->err), 0);
	assert_int_equal(done, 1);
	assert_int_equal(rename(r->path, r->old), 0);
	assert_int_equal(audit_writer_write(&w, NULL, 1, &done, &r->err), 0);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(audit_writer_write(&w, e, 1, &done, &r->err), 0);
	audit_file_close(&w.file);
	rig_unbroken(r, r->old, r->path, 2);
}

static void a_log_that_is_copied_and_emptied_goes_on(void **state)
{
	struct audit_rig *r = *state;
	size_t len;
	rig_start(r);
	rig_post(r, 3);
	rig_wait_written(r);
	char *text autofree = rig_text(r->path, &len);
	rig_put(r->old, text, len);
	assert_int_equal(truncate(r->path, 0), 0);
	rig_post(r, 2);
	rig_end(r);
	rig_unbroken(r, r->old, r->path, 5);
}

static void a_new_file_at_a_start_begins_a_chain(void **state)
{
	struct audit_rig *r = *state;
	rig_write(r, 3);
	assert_int_equal(rename(r->path, r->old), 0);
	rig_write(r, 2);
	rig_unbroken(r, r->path, NULL, 2);
	assert_int_equal(rig_verify(r, r->old, r->path), -EBADMSG);
	assert_int_equal(r->chain.problem, AUDIT_NEW_CHAIN);
}

static void lines_that_are_taken_away_while_it_runs_are_missed(void **state)
{
	struct audit_rig *r = *state;
	size_t len;
	rig_start(r);
	rig_post(r, 5);
	rig_wait_written(r);
	char *text autofree = rig_text(r->path, &len);
	char *third = strchr(strchr(text, '\n') + 1, '\n') + 1;
	assert_int_equal(truncate(r->path, third - text), 0);
	rig_post(r, 1);
	rig_end(r);
	assert_int_equal(rig_verify(r, r->path, NULL), -EBADMSG);
	assert_non_null(strstr(r->err.text, "missing: lines 3 to 5 are not there"));
}

static void half_a_line_at_the_end_is_told(void **state)
{
	struct audit_rig *r = *state;
	rig_append(r->path, "{\"tim"); // the very first
	rig_write(r, 1);
	rig_append(r->path, "{\"time\":\"2026-11-23T0");
	rig_write(r, 1);
	rig_unbroken(r, r->path, NULL, 4);
	assert_int_equal(r->chain.gaps, 2);
	assert_int_equal(r->chain.lost, 0);
}

static void a_last_line_without_its_end_of_line_is_a_line(void **state)
{
	struct audit_rig *r = *state;
	size_t len;
	rig_write(r, 2);
	char *text autofree = rig_text(r->path, &len);
	rig_put(r->path, text, len - 1);
	rig_unbroken(r, r->path, NULL, 2);
	rig_write(r, 1);
	rig_unbroken(r, r->path, NULL, 3);
	assert_int_equal(r->chain.gaps, 0);
}

#define EACH 300

static void write_in_child(struct audit_rig *r)
{
	r->a = NULL;
	rig_start(r);
	for (int i = 0; i < EACH / 10; i++) {
		rig_post(r, 10);
		rig_wait_written(r);
	}
	rig_end(r);
	_exit(0);
}

static void several_daemons_make_one_chain(void **state)
{
	struct audit_rig *r = *state;
	pid_t child[3];
	for (size_t i = 0; i < 3; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (!child[i])
			write_in_child(r);
	}
	for (size_t i = 0; i < 3; i++) {
		int status;
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	rig_unbroken(r, r->path, NULL, 3 * EACH);
}

static void refused(struct audit_rig *r, int want, const char *word)
{
	struct audit_config c = {.file = r->path};
	assert_int_equal(audit_new(&c, &r->a, &r->err), want);
	assert_non_null(strstr(r->err.text, r->path));
	assert_non_null(strstr(r->err.text, word));
	assert_null(r->a);
}

static void a_file_that_is_no_log_is_refused(void **state)
{
	struct audit_rig *r = *state;
	static const char *const texts[] = {
		"hello\n", "{}\n", "\n", "x", "{\"a\":1,\"sequence\":1}\n"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len;
		rig_put(r->path, texts[i], strlen(texts[i]));
		refused(r, -EBADMSG, "does not end in a line of an audit log");
		char *text autofree = rig_text(r->path, &len);
		assert_string_equal(text, texts[i]);
	}
}

static void a_file_that_others_could_change_is_refused(void **state)
{
	struct audit_rig *r = *state;
	rig_put(r->path, "", 0);
	assert_int_equal(chmod(r->path, 0620), 0);
	refused(r, -EPERM, "go-w");
	assert_int_equal(chmod(r->path, 0640), 0);
	rig_write(r, 1);
	assert_int_equal(rename(r->path, r->old), 0);
	assert_int_equal(symlink(r->old, r->path), 0);
	refused(r, -ELOOP, "symbolic link");
	assert_int_equal(unlink(r->path), 0);
	assert_int_equal(mkfifo(r->path, 0600), 0);
	refused(r, -EINVAL, "regular file");
	assert_int_equal(unlink(r->path), 0);
	assert_int_equal(mkdir(r->path, 0700), 0);
	refused(r, -EISDIR, "cannot be opened");
}

static void a_file_of_somebody_else_is_refused(void **state)
{
	struct audit_rig *r = *state;
	if (geteuid()) {
		print_message("only root can give a file away\n");
		return;
	}
	rig_put(r->path, "", 0);
	assert_int_equal(chown(r->path, 65534, 65534), 0);
	refused(r, -EPERM, "user 65534");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUDIT_TEST(each_line_carries_the_hash_of_the_one_before),
		AUDIT_TEST(a_log_is_private),
		AUDIT_TEST(a_log_goes_on_after_a_restart),
		AUDIT_TEST(a_log_that_is_moved_away_goes_on_in_a_new_file),
		AUDIT_TEST(an_idle_log_goes_over_to_the_new_file),
		AUDIT_TEST(a_log_that_is_copied_and_emptied_goes_on),
		AUDIT_TEST(a_new_file_at_a_start_begins_a_chain),
		AUDIT_TEST(lines_that_are_taken_away_while_it_runs_are_missed),
		AUDIT_TEST(half_a_line_at_the_end_is_told),
		AUDIT_TEST(a_last_line_without_its_end_of_line_is_a_line),
		AUDIT_TEST(several_daemons_make_one_chain),
		AUDIT_TEST(a_file_that_is_no_log_is_refused),
		AUDIT_TEST(a_file_that_others_could_change_is_refused),
		AUDIT_TEST(a_file_of_somebody_else_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
