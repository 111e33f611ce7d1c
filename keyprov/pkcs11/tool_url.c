// SPDX-License-Identifier: MIT
// The operator's key URL (RFC 7512), taken apart: the key's name, what is this host's business, and
// the PIN, which goes nowhere but into locked memory; see tool.h.
#include "tool.h"

#include "kp_program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#define VARIABLE "CMKDISK_PIN="
#define VARIABLE_LEN (sizeof(VARIABLE) - 1)
#define PIN_ROOM (VARIABLE_LEN + P11_PIN_MAX + 2)

void tool_url_free(struct tool_url *u)
{
	free(u->key);
	free(u->query);
	kp_program_host()->secret_free(kp_program_host(), u->pin);
	*u = (struct tool_url){0};
}

static int new_pin(struct tool_url *u, struct kp_err *err)
{
	if (u->pin)
		return kp_fail(err, EINVAL, "--key: names two PINs; give one of them");
	u->pin = kp_program_host()->secret_alloc(kp_program_host(), PIN_ROOM);
	if (!u->pin)
		return kp_fail(err, ENOMEM, "no locked memory for the PIN");
	memcpy(u->pin, VARIABLE, VARIABLE_LEN);
	return 0;
}

static int unhex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EINVAL;
}

// Percent-decoding of len chars into out, which has room for max and a NUL. Says nothing of what it
// decodes.
static int decode(const char *text, size_t len, char *out, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '%') {
			int hi = len - i > 2 ? unhex(text[i + 1]) : -EINVAL;
			int lo = len - i > 2 ? unhex(text[i + 2]) : -EINVAL;
			if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
				return -EINVAL;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (n == max)
			return -EINVAL;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

static int take_pin_value(char *value, size_t len, struct tool_url *u, struct kp_err *err)
{
	int ret = new_pin(u, err);
	if (ret == 0 && decode(value, len, u->pin + VARIABLE_LEN, P11_PIN_MAX))
		ret = kp_fail(err, EINVAL,
			"--key: the PIN is longer than %d bytes, or '%%' in it is not followed by "
			"two hexadecimal digits",
			P11_PIN_MAX);
	explicit_bzero(value, len);
	if (ret)
		return ret;
	kp_program_warn(
		"the PIN in the argument list can be read by everybody on this host; put it "
		"in a file and say pin-source=file:/path");
	return 0;
}

// The first line of what fd has to say.
static int read_pin(int fd, struct tool_url *u, struct kp_err *err)
{
	char *out = u->pin + VARIABLE_LEN;
	size_t n = 0;
	while (n < P11_PIN_MAX + 1) {
		ssize_t got = read(fd, out + n, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return kp_fail(err, EINVAL, "pin-source=fd:%d: cannot be read: %s", fd,
				strerror(errno));
		if (got == 0 || out[n] == '\n')
			break;
		n++;
	}
	if (n == 0 || n > P11_PIN_MAX || memchr(out, '\0', n))
		return kp_fail(err, EINVAL,
			"pin-source=fd:%d: holds no PIN; write one there, a line of at most %d "
			"bytes",
			fd, P11_PIN_MAX);
	out[n] = '\0';
	return 0;
}

// 1 if it was a descriptor, 0 if it is something for the provider's core.
static int take_descriptor(const char *value, size_t len, struct tool_url *u, struct kp_err *err)
{
	char text[16], *end;
	if (*value == '|' || (len > 2 && strncasecmp(value, "%7c", 3) == 0))
		return kp_fail(err, EINVAL,
			"--key: pin-source: a program is never run for a PIN; expected file:/PATH, "
			"or fd:N and the program at the other end");
	if (decode(value, len, text, sizeof(text) - 1) || strncmp(text, "fd:", 3) != 0)
		return 0;
	errno = 0;
	long fd = strtol(text + 3, &end, 10);
	if (errno || end == text + 3 || *end || fd < 0 || fd > 1 << 20 || text[3] == '+')
		return kp_fail(
			err, EINVAL, "pin-source=%s: write the number of a descriptor", text);
	int ret = new_pin(u, err);
	ret = ret ? ret : read_pin((int)fd, u, err);
	return ret ? ret : 1;
}

static bool is_attribute(const char *text, size_t len, const char *name)
{
	size_t n = strlen(name);
	return len > n && strncmp(text, name, n) == 0 && text[n] == '=';
}

// One attribute of the query, len chars. 1 if it stays in the query.
static int take_attribute(char *text, size_t len, struct tool_url *u, struct kp_err *err)
{
	static const char value[] = "pin-value", source[] = "pin-source";
	if (is_attribute(text, len, value))
		return take_pin_value(text + sizeof(value), len - sizeof(value), u, err);
	if (!is_attribute(text, len, source))
		return 1;
	int ret = take_descriptor(text + sizeof(source), len - sizeof(source), u, err);
	u->source |= ret == 0;
	return ret < 0 ? ret : !ret;
}

// A PIN in the path would be shown as a part of the key's name.
static int check_path(char *path, struct kp_err *err)
{
	static const char *const names[] = {"pin-value", "pin-source"};
	for (char *p = strpbrk(path, ":;&?"); p && *p != '?'; p = strpbrk(p, ";&?")) {
		size_t len = strcspn(++p, ";&?="), i = 0;
		while (i < 2 && (strlen(names[i]) != len || strncasecmp(p, names[i], len) != 0))
			i++;
		if (i == 2)
			continue;
		explicit_bzero(p, strlen(p));
		return kp_fail(err, EINVAL,
			"--key: %s does not name the key; write it behind a '?', best as "
			"?pin-source=file:/PATH",
			names[i]);
	}
	return 0;
}

int tool_url_take(char *arg, struct tool_url *u, struct kp_err *err)
{
	size_t len = strcspn(arg, "?");
	int bad = check_path(arg, err);
	if (bad)
		return bad;
	u->key = strndup(arg, len);
	u->query = calloc(1, strlen(arg) + 1);
	if (!u->key || !u->query)
		return kp_fail(err, ENOMEM, "no memory");
	char *p = arg + len, *out = u->query;
	while (*p) {
		size_t n = strcspn(++p, "&");
		int ret = take_attribute(p, n, u, err);
		if (ret < 0)
			return ret;
		if (ret > 0 && n > 0) {
			if (out != u->query)
				*out++ = '&';
			memcpy(out, p, n);
			out += n;
		}
		p += n;
	}
	return 0;
}
