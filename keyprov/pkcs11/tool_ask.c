// SPDX-License-Identifier: MIT
// A question on the terminal; see tool.h. Signals that end or stop the process are held back while
// the echo is off, and arrive when the terminal is as it was.
#include "tool.h"

#include "kp_write.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>

// -EINTR if a signal waits.
static int read_line(int tty, int signals, char *out, size_t size)
{
	struct pollfd p[] = {{.fd = tty, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	if (poll(p, 2, -1) < 0)
		return -errno;
	if (p[1].revents)
		return -EINTR;
	ssize_t n = read(tty, out, size);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	if (out[n - 1] != '\n') {
		(void)tcflush(tty, TCIFLUSH);
		return (size_t)n < size ? -EIO : -E2BIG;
	}
	out[n - 1] = '\0';
	return 0;
}

static int ask_once(int tty, const char *prompt, bool echo, char *out, size_t size)
{
	sigset_t stop, before;
	struct termios old, quiet;
	(void)sigemptyset(&stop);
	static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++)
		(void)sigaddset(&stop, held[i]);
	int signals autoclose = signalfd(-1, &stop, SFD_CLOEXEC);
	if (signals < 0 || tcgetattr(tty, &old) < 0)
		return -errno;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	if (sigprocmask(SIG_BLOCK, &stop, &before) < 0)
		return -errno;
	int ret = !echo && tcsetattr(tty, TCSAFLUSH, &quiet) < 0 ? -errno : 0;
	ret = ret ? ret : kp_write_all(tty, prompt, strlen(prompt));
	ret = ret ? ret : read_line(tty, signals, out, size);
	if (!echo) {
		(void)tcsetattr(tty, TCSAFLUSH, &old);
		int line = kp_write_all(tty, "\n", 1);
		ret = ret ? ret : line;
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

int tool_ask(const char *prompt, bool echo, char *out, size_t size)
{
	int tty autoclose = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0)
		return -ENOTTY;
	int ret;
	// After a signal that did not end the process, such as a stop, the question comes again.
	do
		ret = ask_once(tty, prompt, echo, out, size);
	while (ret == -EINTR);
	return ret;
}
