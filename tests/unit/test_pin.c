// SPDX-License-Identifier: MIT
// The PIN of a token from a person: asked on a terminal without being shown, whatever ends the
// question; read from a descriptor; and gone from the argument list.
#include "pin.h"
#include "pty_rig.h"
#include "scope.h"
#include "secret.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define KEY "pkcs11:token=bank;object=disk"
#define PROMPT "PIN for " KEY " (Enter: none): "
#define TYPED "Tr0ub4dor"

// What the part on the terminal expects to hear. Its exit status is 0 if it does.
struct wish {
	const char *pin; // NULL: none
	const char *header;
	int rc;
	const char *says;
	bool hup_ignored;
};

static int ask(void *arg)
{
	const struct wish *w = arg;
	struct secret *pin scoped(secret_free) = NULL;
	struct errmsg err = {""};
	if (w->hup_ignored)
		(void)signal(SIGHUP, SIG_IGN);
	int rc = pin_ask(KEY, w->header, &pin, &err);
	if (rc != w->rc || !pin != !w->pin || (pin && strcmp((char *)pin->data, w->pin) != 0))
		return 1;
	return w->says && !strstr(err.text, w->says) ? 2 : 0;
}

static void expect_answer(const char *typed, struct wish w)
{
	struct pty p;
	pty_start(&p, true, ask, &w);
	pty_expect(&p, PROMPT);
	assert_false(pty_echoes(&p));
	pty_type(&p, typed);
	assert_int_equal(pty_end(&p), 0);
	assert_true(pty_echoes(&p));
	assert_false(pty_showed(&p, TYPED));
	(void)close(p.master);
	(void)close(p.slave);
}

static int echo_it(void *arg)
{
	char c;
	(void)arg;
	fputs("type: ", stderr);
	return read(STDIN_FILENO, &c, 1) != 1;
}

static void what_is_typed_is_not_shown(void **state)
{
	(void)state;
	struct pty p; // a terminal that shows it, or the search could not fail
	pty_start(&p, true, echo_it, NULL);
	pty_expect(&p, "type: ");
	pty_type(&p, TYPED "\n");
	pty_expect(&p, TYPED);
	assert_int_equal(pty_end(&p), 0);
	expect_answer(TYPED "\n", (struct wish){.pin = TYPED});
	expect_answer(" a b\n", (struct wish){.pin = " a b"});
}

static void enter_is_none_and_so_is_the_end(void **state)
{
	(void)state;
	expect_answer("\n", (struct wish){0});
	expect_answer("\x04", (struct wish){0});
	// In the middle of a line it sends what is there; the line goes on.
	expect_answer("12\x04"
		      "34\n",
		(struct wish){.pin = "1234"});
}

static void a_pin_has_255_bytes_at_most(void **state)
{
	(void)state;
	char text[PIN_MAX + 3], pin[PIN_MAX + 1];
	memset(text, 'p', sizeof(text));
	memset(pin, 'p', sizeof(pin));
	pin[PIN_MAX] = '\0';
	text[PIN_MAX] = '\n';
	text[PIN_MAX + 1] = '\0';
	expect_answer(text, (struct wish){.pin = pin});
	text[PIN_MAX] = 'p';
	text[PIN_MAX + 1] = '\n';
	text[PIN_MAX + 2] = '\0';
	expect_answer(text, (struct wish){.rc = -EINVAL, .says = KEY ": a PIN has at most 255"});
}

static void a_signal_finds_the_terminal_as_it_was(void **state)
{
	(void)state;
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct pty p;
		pty_start(&p, true, ask, &(struct wish){0});
		pty_expect(&p, PROMPT);
		assert_false(pty_echoes(&p));
		pty_type(&p, "Tr0");
		if (signals[i] == SIGINT)
			pty_type(&p, "\x03");
		else
			assert_int_equal(kill(p.pid, signals[i]), 0);
		int status = pty_end(&p);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_true(pty_echoes(&p));
		assert_false(pty_showed(&p, "Tr0"));
		(void)close(p.master);
		(void)close(p.slave);
	}
}

static void a_signal_that_does_not_end_us_has_it_asked_again(void **state)
{
	(void)state;
	struct pty p;
	pty_start(&p, true, ask, &(struct wish){.pin = TYPED, .hup_ignored = true});
	pty_expect(&p, PROMPT);
	pty_type(&p, "half");
	assert_int_equal(kill(p.pid, SIGHUP), 0);
	pty_expect(&p, PROMPT);
	assert_false(pty_echoes(&p));
	pty_type(&p, TYPED "\n");
	assert_int_equal(pty_end(&p), 0);
	assert_false(pty_showed(&p, "half") || pty_showed(&p, TYPED));
	(void)close(p.master);
	(void)close(p.slave);
}

static void a_key_that_only_a_header_names_is_told_as_such(void **state)
{
	(void)state;
	struct pty p;
	pty_start(&p, true, ask, &(struct wish){.pin = TYPED, .header = "a\033[2Jb.img"});
	pty_expect(&p, "PIN for " KEY ", named by the header of a?[2Jb.img (Enter: none): ");
	assert_false(pty_echoes(&p));
	pty_type(&p, TYPED "\n");
	assert_int_equal(pty_end(&p), 0);
	(void)close(p.master);
	(void)close(p.slave);
}

static int nowhere_to_ask(void *arg)
{
	(void)arg;
	struct secret *pin = NULL;
	struct errmsg err = {""};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	if (pin_can_ask() || pin_ask(KEY, NULL, &pin, &err) != -ENOTTY || pin)
		return 1;
	return strcmp(err.text, KEY ": there is no terminal to ask for the PIN on") != 0;
}

static int ask_if_possible(void *arg)
{
	return pin_can_ask() ? ask(arg) : 3;
}

static void standard_input_serves_where_the_session_has_no_terminal(void **state)
{
	(void)state;
	struct pty p;
	pty_start(&p, false, ask_if_possible, &(struct wish){.pin = TYPED});
	pty_expect(&p, PROMPT);
	pty_type(&p, TYPED "\n");
	assert_int_equal(pty_end(&p), 0);
	assert_false(pty_showed(&p, TYPED));
	pty_start(&p, false, nowhere_to_ask, NULL);
	assert_int_equal(pty_end(&p), 0);
}

// A pipe's reading end, with this in it.
static int pipe_with(const char *text, size_t len)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, len), (ssize_t)len);
	(void)close(fds[1]);
	return fds[0];
}

static void expect_read(const char *text, size_t len, const char *pin)
{
	struct secret *got scoped(secret_free) = NULL;
	struct errmsg err = {""};
	int fd = pipe_with(text, len);
	assert_int_equal(pin_read(fd, &got, &err), 0);
	assert_string_equal((char *)got->data, pin);
	assert_int_equal(fcntl(fd, F_GETFD), -1); // for nobody else
}

static void a_descriptor_is_read_up_to_a_newline(void **state)
{
	(void)state;
	char most[PIN_MAX + 1];
	memset(most, 'p', PIN_MAX);
	most[PIN_MAX] = '\0';
	expect_read("1234", 4, "1234");
	expect_read("1234\n", 5, "1234");
	expect_read("1234\r\n5678\n", 11, "1234\r");
	expect_read(" \n", 2, " ");
	expect_read(most, PIN_MAX, most);
}

static void what_no_descriptor_gives_is_told(void **state)
{
	(void)state;
	char much[PIN_MAX + 1];
	memset(much, 'p', sizeof(much));
	const struct {
		const char *text;
		size_t len;
		const char *says;
	} bad[] = {{"", 0, ": there is no PIN to be read"}, {"\n1234", 5, ": there is no PIN"},
		{much, sizeof(much), ": a PIN has at most 255 bytes"},
		{"12\0"
		 "34",
			5, ": a PIN has no NUL byte"}};
	struct secret *got = NULL;
	struct errmsg err = {""};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(pin_read(pipe_with(bad[i].text, bad[i].len), &got, &err), -EINVAL);
		assert_null(got);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_null(strstr(err.text, "12"));
	}
	assert_int_equal(pin_read(1023, &got, &err), -EINVAL);
	assert_string_equal(
		err.text, "pin-source=fd:1023: cannot read the PIN: Bad file descriptor");
}

#define ARGUMENT KEY "?pin-value=" TYPED "&module-path=/m.so"

static bool cmdline_shows(const char *what)
{
	char text[4096];
	int fd autoclose = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text));
	assert_true(n > 0);
	return memmem(text, (size_t)n, what, strlen(what)) != NULL;
}

static int part_hide(int argc, char **argv)
{
	struct secret *copies scoped(secret_free) = NULL;
	char *before = argv[2];
	assert_true(cmdline_shows(TYPED));
	assert_int_equal(pin_hide_arguments(argc, argv, &copies), 0);
	assert_false(cmdline_shows(TYPED));
	assert_true(cmdline_shows(KEY "?pin-value=xxxxxxxxx&module-path=/m.so"));
	assert_true(argv[2] != before);
	assert_string_equal(argv[2], ARGUMENT);
	assert_string_equal(argv[3], "other");
	assert_string_equal(argv[4], "pin-value=" TYPED);
	return 0;
}

static void a_pin_is_gone_from_the_argument_list(void **state)
{
	(void)state;
	static const char *const argv[] = {
		"/proc/self/exe", "hide", ARGUMENT, "other", "pin-value=" TYPED, NULL};
	pid_t pid = 0;
	int status = 1;
	assert_int_equal(
		posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void other_arguments_stay_where_they_are(void **state)
{
	(void)state;
	char one[] = "cmkdisk", two[] = KEY "?pin-source=file:/p", *argv[] = {one, two, NULL};
	struct secret *copies = NULL;
	assert_int_equal(pin_hide_arguments(2, argv, &copies), 0);
	assert_null(copies);
	assert_true(argv[0] == one && argv[1] == two);
	assert_string_equal(two, KEY "?pin-source=file:/p");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_typed_is_not_shown),
		cmocka_unit_test(enter_is_none_and_so_is_the_end),
		cmocka_unit_test(a_pin_has_255_bytes_at_most),
		cmocka_unit_test(a_signal_finds_the_terminal_as_it_was),
		cmocka_unit_test(a_signal_that_does_not_end_us_has_it_asked_again),
		cmocka_unit_test(a_key_that_only_a_header_names_is_told_as_such),
		cmocka_unit_test(standard_input_serves_where_the_session_has_no_terminal),
		cmocka_unit_test(a_descriptor_is_read_up_to_a_newline),
		cmocka_unit_test(what_no_descriptor_gives_is_told),
		cmocka_unit_test(a_pin_is_gone_from_the_argument_list),
		cmocka_unit_test(other_arguments_stay_where_they_are),
	};
	if (argc > 1)
		return part_hide(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
