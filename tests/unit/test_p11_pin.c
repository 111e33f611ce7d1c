// SPDX-License-Identifier: MIT
// The PIN: read anew each time, from a file that is fit for it.
#include "p11_fixture.h"

#include "p11_pin.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

// Replaces the file, as an editor would: a new inode.
static void put(struct world *w, const char *bytes, size_t len, mode_t mode)
{
	char temp[4300];
	(void)snprintf(temp, sizeof(temp), "%s.edit", w->path);
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(rename(temp, w->path), 0);
	w->c.pin_source = w->path;
}

static void put_text(struct world *w, const char *text)
{
	put(w, text, strlen(text), 0600);
}

static enum cmk_verdict get(struct world *w, struct p11_pin *pin)
{
	w->o = (struct kp_outcome){0};
	enum cmk_verdict v = p11_pin_get(&w->host.api, &w->c, pin, &w->o);
	assert_true(v == CMK_GRANTED || (!pin->text && w->o.err.text[0]));
	return v;
}

static void require_pin(struct world *w, const char *want)
{
	struct p11_pin pin;
	if (get(w, &pin) != CMK_GRANTED)
		fail_msg("%s", w->o.err.text);
	assert_string_equal(pin.text, want);
	assert_int_equal(pin.len, strlen(want));
	p11_pin_free(&w->host.api, &pin);
	assert_int_equal(w->host.secrets, 0);
}

static void require_misconfigured(struct world *w, const char *says)
{
	struct p11_pin pin;
	assert_int_equal(get(w, &pin), CMK_MISCONFIGURED);
	require_text(w->o.err.text, says);
	require_text(w->o.err.text, w->path);
	require_no_text(w->o.err.text, "s3cret");
	assert_int_equal(w->host.secrets, 0);
}

// The paths are this test's own.
static int teardown(void **state)
{
	struct world *w = *state;
	w->c.pin_source = NULL;
	w->c.pin = NULL;
	return world_teardown(state);
}

static void without_a_source_there_is_no_pin_and_no_complaint(void **state)
{
	struct world *w = *state;
	struct p11_pin pin;
	assert_int_equal(get(w, &pin), CMK_GRANTED);
	assert_null(pin.text);
	p11_pin_free(&w->host.api, &pin);
}

static void one_line_end_does_not_count(void **state)
{
	struct world *w = *state;
	static const char *const same[] = {"1234", "1234\n", "1234\r\n"};
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		put_text(w, same[i]);
		require_pin(w, "1234");
	}
	put_text(w, " 12 34 \n");
	require_pin(w, " 12 34 ");
	put_text(w, "\xc3\xa4\n");
	require_pin(w, "\xc3\xa4");
}

static void the_file_is_read_anew_each_time(void **state)
{
	struct world *w = *state;
	put_text(w, "1\n");
	require_pin(w, "1");
	put_text(w, "2\n");
	require_pin(w, "2");
	put(w, "3\n", 2, 0400);
	require_pin(w, "3");
}

static void the_longest_pin_is_taken_and_a_longer_one_refused(void **state)
{
	struct world *w = *state;
	char text[5000];
	memset(text, 'x', sizeof(text));
	text[P11_PIN_MAX] = '\0';
	put(w, text, P11_PIN_MAX, 0600);
	require_pin(w, text);
	text[P11_PIN_MAX] = '\n';
	put(w, text, P11_PIN_MAX + 1, 0600);
	text[P11_PIN_MAX] = '\0';
	require_pin(w, text);
	text[P11_PIN_MAX] = 'x';
	for (size_t len = P11_PIN_MAX + 1; len < P11_PIN_MAX + 10; len++) {
		put(w, text, len, 0600);
		require_misconfigured(w, "more than the 255 bytes");
	}
	put(w, text, sizeof(text), 0600);
	require_misconfigured(w, "more than the 255 bytes");
}

static void what_is_no_line_of_text_is_never_shown_to_a_token(void **state)
{
	struct world *w = *state;
	put_text(w, "");
	require_misconfigured(w, "is empty");
	put_text(w, "\n");
	require_misconfigured(w, "is empty");
	put_text(w, "s3cret\ns3cret\n");
	require_misconfigured(w, "more than one line");
	put_text(w, "s3cret\n\n");
	require_misconfigured(w, "more than one line");
	put(w, "s3cr\0et", 7, 0600);
	require_misconfigured(w, "more than one line");
}

static void a_file_that_others_may_use_is_refused(void **state)
{
	struct world *w = *state;
	static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601};
	for (size_t i = 0; i < sizeof(open_modes) / sizeof(*open_modes); i++) {
		put(w, "s3cret", 6, open_modes[i]);
		require_misconfigured(w, "chmod 600");
	}
	put_text(w, "s3cret");
	if (chown(w->path, 4711, (gid_t)-1) != 0) {
		assert_int_equal(errno, EPERM);
		skip();
	}
	require_misconfigured(w, "belongs to another user");
}

static void what_is_no_file_does_not_hold_us_up(void **state)
{
	struct world *w = *state;
	w->c.pin_source = w->path;
	require_misconfigured(w, "No such file");
	assert_int_equal(mkfifo(w->path, 0600), 0);
	require_misconfigured(w, "no regular file");
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(mkdir(w->path, 0700), 0);
	require_misconfigured(w, "no regular file");
}

static void a_symbolic_link_is_followed_to_a_fit_file(void **state)
{
	struct world *w = *state;
	char target[4300];
	put_text(w, "1234");
	(void)snprintf(target, sizeof(target), "%s.target", w->path);
	assert_int_equal(rename(w->path, target), 0);
	assert_int_equal(symlink(target, w->path), 0);
	require_pin(w, "1234");
	assert_int_equal(chmod(target, 0644), 0);
	require_misconfigured(w, "chmod 600");
}

static void a_typed_pin_wins_and_has_no_file(void **state)
{
	struct world *w = *state;
	struct p11_pin pin;
	char typed[] = "typed-s3cret";
	put_text(w, "1234");
	assert_int_equal(get(w, &pin), CMK_GRANTED);
	assert_true(pin.written.tv_sec > 0);
	p11_pin_free(&w->host.api, &pin);
	w->c.pin = typed;
	require_pin(w, "typed-s3cret");
	assert_int_equal(get(w, &pin), CMK_GRANTED);
	assert_true(pin.written.tv_sec == 0 && pin.written.tv_nsec == 0);
	p11_pin_free(&w->host.api, &pin);
}

static void a_typed_pin_that_is_too_long_is_refused(void **state)
{
	struct world *w = *state;
	char typed[P11_PIN_MAX + 2];
	struct p11_pin pin;
	memset(typed, 'x', sizeof(typed));
	typed[P11_PIN_MAX + 1] = '\0';
	w->c.pin = typed;
	assert_int_equal(get(w, &pin), CMK_MISCONFIGURED);
	typed[P11_PIN_MAX] = '\0';
	require_pin(w, typed);
}

static void *no_memory(const struct cmk_host *host, size_t len)
{
	(void)host;
	(void)len;
	return NULL;
}

static void without_locked_memory_no_pin_is_read(void **state)
{
	struct world *w = *state;
	struct p11_pin pin;
	put_text(w, "1234");
	w->host.api.secret_alloc = no_memory;
	assert_int_equal(get(w, &pin), CMK_UNREACHABLE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_source_there_is_no_pin_and_no_complaint),
		TEST(one_line_end_does_not_count),
		TEST(the_file_is_read_anew_each_time),
		TEST(the_longest_pin_is_taken_and_a_longer_one_refused),
		TEST(what_is_no_line_of_text_is_never_shown_to_a_token),
		TEST(a_file_that_others_may_use_is_refused),
		TEST(what_is_no_file_does_not_hold_us_up),
		TEST(a_symbolic_link_is_followed_to_a_fit_file),
		TEST(a_typed_pin_wins_and_has_no_file),
		TEST(a_typed_pin_that_is_too_long_is_refused),
		TEST(without_locked_memory_no_pin_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
