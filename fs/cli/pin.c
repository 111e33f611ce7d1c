// SPDX-License-Identifier: MIT
// Reading a PIN from a descriptor or a person; and out of the argument list. See pin.h.
#include "pin.h"
#include "fileio.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>

#define PIN_VALUE "pin-value="

// Up to a newline or the end. *len is PIN_MAX + 1 if there is more than a PIN can be. signals: a
// signalfd, -1 none; -EINTR as soon as it has one.
static int read_line(int fd, int signals, struct secret *line, size_t *len)
{
	for (*len = 0; *len <= PIN_MAX;) {
		struct pollfd fds[] = {
			{.fd = signals, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
		int ready = poll(fds, 2, -1);
		if (ready > 0 && fds[0].revents)
			return -EINTR;
		ssize_t n = ready > 0 ? read(fd, line->data + *len, 1) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || line->data[*len] == '\n')
			break;
		(*len)++;
	}
	return 0;
}

// A PIN as the others expect it: PIN_MAX + 1 bytes, the rest zeros.
static int finish(const char *where, struct secret **line, size_t len, struct secret **out,
	struct errmsg *err)
{
	if (len > PIN_MAX)
		return errmsg_set(err, EINVAL, "%s: a PIN has at most %d bytes; that is more",
			where, PIN_MAX);
	(*line)->data[len] = '\0';
	if (strlen((char *)(*line)->data) != len)
		return errmsg_set(err, EINVAL, "%s: a PIN has no NUL byte in it", where);
	*out = TAKE(*line);
	return 0;
}

int pin_read(int fd, struct secret **out, struct errmsg *err)
{
	struct secret *line scoped(secret_free) = NULL;
	char where[48];
	size_t len = 0;
	*out = NULL;
	(void)snprintf(where, sizeof(where), "pin-source=fd:%d", fd);
	int rc = secret_new(PIN_MAX + 1, &line);
	if (!rc)
		rc = read_line(fd, -1, line, &len);
	if (rc)
		return errmsg_set(err, rc == -EBADF ? EINVAL : -rc, "%s: cannot read the PIN: %s",
			where, strerror(-rc));
	if (fd > STDERR_FILENO)
		(void)close(fd);
	if (len == 0)
		return errmsg_set(err, EINVAL, "%s: there is no PIN to be read", where);
	return finish(where, &line, len, out, err);
}

struct terminal {
	int fd;
	bool ours; // opened here
	struct termios before;
	bool quiet; // its echo is off
	sigset_t mask;
	bool blocked;
	int signals; // a signalfd
};

#define TERMINAL_NONE                    \
	{                                \
		.fd = -1, .signals = -1, \
	}

static bool open_terminal(struct terminal *t)
{
	t->fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	t->ours = t->fd >= 0;
	if (!t->ours && isatty(STDIN_FILENO))
		t->fd = STDIN_FILENO;
	return t->fd >= 0;
}

// As it was, and then the signal that came, if one did.
static void release(struct terminal *t)
{
	if (t->quiet)
		while (tcsetattr(t->fd, TCSAFLUSH, &t->before) && errno == EINTR)
			;
	t->quiet = false;
	scope_close(&t->signals);
	t->signals = -1;
	if (t->blocked)
		(void)sigprocmask(SIG_SETMASK, &t->mask, NULL);
	t->blocked = false;
}

static void close_terminal(struct terminal *t)
{
	release(t);
	if (t->ours)
		scope_close(&t->fd);
}

// Signals wait from here on until release(), so that none can leave the terminal without its echo.
static int hold(struct terminal *t)
{
	static const int list[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(&set, list[i]);
	if (sigprocmask(SIG_BLOCK, &set, &t->mask))
		return -errno;
	t->blocked = true;
	t->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (t->signals < 0 || tcgetattr(t->fd, &t->before))
		return -errno;
	struct termios silent = t->before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ECHONL | ICANON | ISIG;
	t->quiet = true;
	while (tcsetattr(t->fd, TCSAFLUSH, &silent))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int say(const struct terminal *t, const char *text)
{
	return write_full(t->ours ? t->fd : STDERR_FILENO, text, strlen(text));
}

// 0 with the line, -EINTR if a signal came first.
static int converse(struct terminal *t, const char *prompt, struct secret *line, size_t *len)
{
	int rc = hold(t);
	if (!rc)
		rc = say(t, prompt);
	if (rc)
		return rc;
	rc = read_line(t->fd, t->signals, line, len);
	if (rc == -EINTR)
		(void)!say(t, "\n");
	return rc;
}

bool pin_can_ask(void)
{
	struct terminal t scoped(close_terminal) = TERMINAL_NONE;
	return open_terminal(&t);
}

int pin_ask(const char *key_url, const char *header, struct secret **out, struct errmsg *err)
{
	struct terminal t scoped(close_terminal) = TERMINAL_NONE;
	struct secret *line scoped(secret_free) = NULL;
	char name[512], where[256] = "", prompt[840];
	size_t len = 0;
	*out = NULL;
	if (!open_terminal(&t))
		return errmsg_set(
			err, ENOTTY, "%s: there is no terminal to ask for the PIN on", key_url);
	(void)snprintf(name, sizeof(name), "%s", key_url);
	text_sanitise(name);
	if (header)
		(void)snprintf(where, sizeof(where), ", named by the header of %s", header);
	text_sanitise(where);
	(void)snprintf(prompt, sizeof(prompt), "PIN for %s%s (Enter: none): ", name, where);
	int rc = secret_new(PIN_MAX + 1, &line);
	if (!rc)
		do { // a signal that did not end us: the person has come back
			rc = converse(&t, prompt, line, &len);
			release(&t);
		} while (rc == -EINTR);
	if (rc)
		return errmsg_set(err, -rc, "%s: cannot ask for the PIN: %s", name, strerror(-rc));
	return len ? finish(name, &line, len, out, err) : 0;
}

int pin_hide_arguments(int argc, char **argv, struct secret **out)
{
	size_t total = 0, used = 0;
	*out = NULL;
	for (int i = 0; i < argc; i++)
		total += strstr(argv[i], PIN_VALUE) ? strlen(argv[i]) + 1 : 0;
	if (!total)
		return 0;
	int rc = secret_new(total, out);
	for (int i = 0; i < argc && !rc; i++) {
		char *at = strstr(argv[i], PIN_VALUE);
		if (!at)
			continue;
		char *copy = (char *)(*out)->data + used;
		used += strlen(argv[i]) + 1;
		memcpy(copy, argv[i], strlen(argv[i]) + 1);
		argv[i] = copy;
		for (at += strlen(PIN_VALUE); *at && *at != '&'; at++)
			*at = 'x';
	}
	return rc;
}
