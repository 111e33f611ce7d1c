// SPDX-License-Identifier: MIT
// See pty_rig.h.
#include "pty_rig.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PATIENCE_MS 20000

void pty_start(struct pty *p, bool controlling, int (*part)(void *arg), void *arg)
{
	memset(p, 0, sizeof(*p));
	assert_int_equal(openpty(&p->master, &p->slave, NULL, NULL, NULL), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid > 0)
		return;
	(void)setsid();
	if (controlling)
		(void)ioctl(p->slave, TIOCSCTTY, 0);
	(void)dup2(p->slave, STDIN_FILENO);
	(void)dup2(p->slave, STDERR_FILENO);
	(void)close(p->master);
	(void)close(p->slave);
	_exit(part(arg));
}

// False when nothing comes any more.
static bool look(struct pty *p, int ms)
{
	struct pollfd f = {.fd = p->master, .events = POLLIN};
	if (poll(&f, 1, ms) <= 0)
		return false;
	ssize_t n = read(p->master, p->seen + p->seen_len, sizeof(p->seen) - 1 - p->seen_len);
	if (n <= 0)
		return false;
	p->seen_len += (size_t)n;
	return true;
}

void pty_expect(struct pty *p, const char *text)
{
	const char *at = NULL;
	while (!(at = strstr(p->seen + p->looked, text)))
		if (!look(p, PATIENCE_MS))
			fail_msg("the terminal does not show \"%s\", but: %s", text, p->seen);
	p->looked = (size_t)(at - p->seen) + strlen(text);
}

void pty_type(struct pty *p, const char *text)
{
	assert_int_equal(write(p->master, text, strlen(text)), (ssize_t)strlen(text));
}

bool pty_echoes(const struct pty *p)
{
	struct termios t;
	assert_int_equal(tcgetattr(p->slave, &t), 0);
	return t.c_lflag & ECHO;
}

int pty_end(struct pty *p)
{
	int status = 0;
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	while (look(p, 0))
		;
	return status;
}

bool pty_showed(const struct pty *p, const char *text)
{
	return strstr(p->seen, text) != NULL;
}
