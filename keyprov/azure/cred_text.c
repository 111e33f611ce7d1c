// SPDX-License-Identifier: MIT
// See cred_text.h.
#include "cred_text.h"

#include "kp_base64.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int cred_text_new(
	const struct cmk_host *host, size_t room, struct cred_text *out, struct kp_err *err)
{
	char *p = host->secret_alloc(host, room);
	if (!p)
		return kp_fail(err, ENOMEM, "no locked memory to sign in with");
	*out = (struct cred_text){.host = host, .p = p, .room = room};
	return 0;
}

void cred_text_end(struct cred_text *t)
{
	if (t->host)
		t->host->secret_free(t->host, t->p);
	*t = (struct cred_text){0};
}

static void add_bytes(struct cred_text *t, const char *s, size_t n)
{
	if (n >= t->room - t->len) {
		t->full = true;
		return;
	}
	memcpy(t->p + t->len, s, n);
	t->len += n;
	t->p[t->len] = '\0';
}

void cred_text_add(struct cred_text *t, const char *s)
{
	add_bytes(t, s, strlen(s));
}

void cred_text_add_escaped(struct cred_text *t, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
		char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
		add_bytes(t, plain ? s : escaped, plain ? 1 : sizeof(escaped));
	}
}

void cred_text_add_base64url(struct cred_text *t, const void *data, size_t len)
{
	size_t n = KP_BASE64_LEN(len);
	if (n >= t->room - t->len) {
		t->full = true;
		return;
	}
	kp_base64_encode(data, len, t->p + t->len);
	t->len += n;
}

void cred_text_add_field(struct cred_text *t, const char *name, const char *value)
{
	if (t->len)
		cred_text_add(t, "&");
	cred_text_add(t, name);
	cred_text_add(t, "=");
	cred_text_add_escaped(t, value);
}

int cred_text_check(const struct cred_text *t, struct kp_err *err)
{
	if (!t->full)
		return 0;
	return kp_fail(err, EMSGSIZE,
		"what is to be sent to sign in is larger than %zu KiB; look at the size of the "
		"certificate chain or token file",
		t->room / 1024);
}

int cred_text_read_fd(struct cred_text *t, int fd)
{
	for (;;) {
		size_t room = t->room - t->len - 1;
		ssize_t n = room ? read(fd, t->p + t->len, room) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 && room == 0)
			return -EFBIG;
		if (n == 0)
			return 0;
		t->len += (size_t)n;
		t->p[t->len] = '\0';
	}
}

int cred_text_read(struct cred_text *t, enum azure_file kind, const char *what, const char *path,
	struct kp_err *err)
{
	// O_NONBLOCK: somebody else's FIFO must not hold us up.
	autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return kp_fail(
			err, errno, "%s %s: cannot open the file: %s", what, path, strerror(errno));
	const char *why = azure_file_unfit(fd, kind);
	if (why)
		return kp_fail(err, EINVAL, "%s %s: %s", what, path, why);
	int ret = cred_text_read_fd(t, fd);
	if (ret == -EFBIG)
		return kp_fail(
			err, EFBIG, "%s %s: larger than %zu KiB", what, path, t->room / 1024);
	if (ret)
		return kp_fail(
			err, -ret, "%s %s: cannot read the file: %s", what, path, strerror(-ret));
	if (t->len == 0)
		return kp_fail(err, ENODATA, "%s %s: the file is empty", what, path);
	return 0;
}

void cred_text_trim(struct cred_text *t)
{
	while (t->len && isspace((unsigned char)t->p[t->len - 1]))
		t->p[--t->len] = '\0';
}
