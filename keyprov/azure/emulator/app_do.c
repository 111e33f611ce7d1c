// SPDX-License-Identifier: MIT
// `cmkdisk-vault do`: one action, asked for over the admin socket; see app.h.
#include "app.h"

#include "emu_file.h"

#include <errno.h>
#include <string.h>

#define REPLY_MOST (4u << 20)
#define ARGUMENT_MOST (256u << 10)

// Whether a value of NAME=VALUE is JSON as it stands: a number, a word, or something in brackets.
// A long number is the name of a key's version.
static bool is_json(const char *value)
{
	char copy[4096];
	size_t len = strlen(value);
	scoped(kp_json_free) struct kp_json *j = NULL;
	if (len >= sizeof(copy) || (len > 16 && strspn(value, "0123456789eE") == len))
		return false;
	memcpy(copy, value, len + 1);
	return kp_json_parse(copy, len, &j) == 0;
}

static void put_string(FILE *f, const char *text)
{
	(void)fputc('"', f);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			(void)fprintf(f, "\\%c", c);
		else if (c < 0x20)
			(void)fprintf(f, "\\u%04x", c);
		else
			(void)fputc(c, f);
	}
	(void)fputc('"', f);
}

// "@FILE": what the file holds, as a string; for certificates, and for what must not be in argv.
static int put_value(FILE *f, const char *value, struct kp_err *err)
{
	autofree char *text = NULL;
	size_t len;
	if (*value == '@') {
		int ret = emu_file_read(value + 1, ARGUMENT_MOST, &text, &len, err);
		if (ret)
			return ret;
		while (len > 0 && text[len - 1] == '\n')
			text[--len] = '\0';
		put_string(f, text);
		explicit_bzero(text, len);
	} else if (is_json(value)) {
		(void)fputs(value, f);
	} else {
		put_string(f, value);
	}
	return 0;
}

// "match.operation=KeyUnwrap" belongs into the object "match"; all of one object are put together
// where its first one stands.
static int put_member(FILE *f, const struct app_options *o, int i, struct kp_err *err)
{
	const char *arg = o->args[i], *eq = strchr(arg, '=');
	size_t dot = strcspn(arg, ".=");
	if (!eq || eq == arg)
		return kp_fail(err, EINVAL, "%.100s: expected NAME=VALUE", arg);
	char name[64];
	(void)snprintf(name, sizeof(name), "%.*s", (int)dot, arg);
	if (arg[dot] == '=') {
		(void)fputc(',', f);
		put_string(f, name);
		(void)fputc(':', f);
		return put_value(f, eq + 1, err);
	}
	for (int j = 1; j < i; j++)
		if (strncmp(o->args[j], arg, dot + 1) == 0)
			return 0;
	(void)fputc(',', f);
	put_string(f, name);
	const char *between = ":{";
	for (int j = i; j < o->arg_count; j++) {
		const char *inner = o->args[j] + dot + 1;
		size_t n = strcspn(inner, "=");
		if (strncmp(o->args[j], arg, dot + 1) != 0 || !inner[n])
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, inner);
		(void)fputs(between, f);
		put_string(f, name);
		(void)fputc(':', f);
		int ret = put_value(f, inner + n + 1, err);
		if (ret)
			return ret;
		between = ",";
	}
	(void)fputc('}', f);
	return 0;
}

// An action that is written as JSON goes as it is.
static int take_json(const char *text, char **out, struct kp_err *err)
{
	autofree char *copy = strdup(text), *scratch = strdup(text);
	scoped(kp_json_free) struct kp_json *j = NULL;
	if (!copy || !scratch)
		return kp_fail(err, ENOMEM, "out of memory");
	if (kp_json_parse(scratch, strlen(scratch), &j) || !kp_json_str(j, "do"))
		return kp_fail(err, EINVAL,
			"%.100s: is not one JSON object with a member \"do\", such as "
			"{\"do\":\"key.disable\",\"key\":\"disk-key\"}; mind the shell's quotes",
			text);
	*out = TAKE(copy);
	return 0;
}

static int build(const struct app_options *o, char **out, struct kp_err *err)
{
	size_t len;
	if (o->arg_count == 0)
		return kp_fail(err, EINVAL, "do: which action? See cmkdisk-vault --help");
	*out = NULL;
	if (*o->args[0] == '{')
		return o->arg_count == 1
			       ? take_json(o->args[0], out, err)
			       : kp_fail(err, EINVAL,
					 "do: an action in JSON is one argument; put it in quotes");
	if (!app_knows(o->args[0]))
		return kp_fail(
			err, EINVAL, "%.64s: is no action; see cmkdisk-vault --help", o->args[0]);
	FILE *f = open_memstream(out, &len);
	if (!f)
		return kp_fail(err, ENOMEM, "out of memory");
	(void)fputs("{\"do\":", f);
	put_string(f, o->args[0]);
	int ret = 0;
	for (int i = 1; i < o->arg_count && !ret; i++)
		ret = put_member(f, o, i, err);
	(void)fputc('}', f);
	return fclose(f) != 0 ? kp_fail(err, ENOMEM, "out of memory") : ret;
}

static int exchange(int fd, const char *body, char **reply, size_t *len)
{
	size_t room = 0;
	*len = 0;
	if (dprintf(fd,
		    "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		    strlen(body), body) < 0)
		return -errno;
	for (;;) {
		if (*len + 1 >= room) {
			room = room ? room * 2 : 4096;
			char *grown = room <= REPLY_MOST ? realloc(*reply, room) : NULL;
			if (!grown)
				return -ENOMEM;
			*reply = grown;
		}
		ssize_t n = read(fd, *reply + *len, room - *len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		*len += (size_t)n;
		(*reply)[*len] = '\0';
		if (n == 0)
			return 0;
	}
}

// The error's own sentence, with the errno that its code names.
static int refused(const char *body, struct kp_err *err)
{
	autofree char *copy = strdup(body);
	scoped(kp_json_free) struct kp_json *j = NULL;
	if (!copy || kp_json_parse(copy, strlen(copy), &j))
		return kp_fail(err, EPROTO, "the emulator's answer is not understood");
	const struct kp_json *e = kp_json_get(j, "error");
	const char *code = kp_json_str(e, "code"), *message = kp_json_str(e, "message");
	int errnum = EINVAL;
	for (int i = 1; code && i < 200; i++)
		if (strerrorname_np(i) && strcmp(strerrorname_np(i), code) == 0)
			errnum = i;
	return kp_fail(err, errnum, "%s", message ? message : "the emulator refused it");
}

static int show(const char *reply, struct kp_err *err)
{
	const char *body = strstr(reply, "\r\n\r\n");
	if (!body || strncmp(reply, "HTTP/1.1 ", 9) != 0)
		return kp_fail(err, EPROTO, "the emulator ended before it answered");
	if (strncmp(reply + 9, "200", 3) != 0)
		return refused(body + 4, err);
	(void)puts(body + 4);
	return 0;
}

int app_do(const struct app_options *o, struct kp_err *err)
{
	char path[PATH_MAX + 16];
	autofree char *body = NULL, *reply = NULL;
	size_t len;
	autoclose int fd = -1;
	int ret = build(o, &body, err);
	if (ret)
		return ret;
	(void)snprintf(path, sizeof(path), "%s/admin.sock", o->state);
	ret = emu_socket_connect(path, &fd);
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return kp_fail(err, ECONNREFUSED,
			"%s: no cmkdisk-vault serves here; start it with cmkdisk-vault serve, or "
			"name its --state",
			o->state);
	if (!ret)
		ret = exchange(fd, body, &reply, &len);
	if (ret)
		return kp_fail(
			err, -ret, "%s: cannot talk to the emulator: %s", path, strerror(-ret));
	return show(reply, err);
}
