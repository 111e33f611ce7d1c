// SPDX-License-Identifier: MIT
// Key URLs of the file provider; see file_url.h.
#include "file_url.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SHOWN 200 // chars of a path in a corrected form

static int unhex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Decodes len chars of the path part.
static int decode_path(const char *url, const char *p, size_t len, char *out, struct kp_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = p[i];
		if (c == '#')
			return kp_fail(
				err, EINVAL, "%s: a '#' in a key URL's path is written %%23", url);
		if (c == '%') {
			bool whole = len - i > 2;
			int hi = whole ? unhex(p[i + 1]) : -1, lo = whole ? unhex(p[i + 2]) : -1;
			if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
				return kp_fail(err, EINVAL,
					"%s: '%%' in a key URL's path begins two hex digits; a "
					"'%%' itself is written %%25",
					url);
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (n + 1 >= PATH_MAX)
			return kp_fail(err, EINVAL, "the key URL's path is longer than %d bytes",
				PATH_MAX - 1);
		out[n++] = c;
	}
	out[n] = '\0';
	if (n < 2 || out[n - 1] == '/')
		return kp_fail(err, EINVAL,
			"%s: names a directory, not a key bundle; write "
			"file:/directory/bundle.json",
			url);
	return 0;
}

static int decode_query(const char *url, const char *q, char *version, struct kp_err *err)
{
	static const char key[] = "version=";
	size_t len = strlen(q);
	if (len != sizeof(key) - 1 + BUNDLE_VERSION_LEN || strncmp(q, key, sizeof(key) - 1) != 0 ||
		strspn(q + sizeof(key) - 1, "0123456789abcdef") != BUNDLE_VERSION_LEN)
		return kp_fail(err, EINVAL,
			"%s: after '?' a key URL has only version= and 32 lower-case hex digits; "
			"leave it out "
			"to use the newest version",
			url);
	memcpy(version, q + sizeof(key) - 1, BUNDLE_VERSION_LEN + 1);
	return 0;
}

// Leaves *p at the path's first slash.
static int skip_authority(const char *url, const char **p, struct kp_err *err)
{
	if (strncmp(*p, "//", 2) != 0)
		return 0;
	const char *host = *p + 2;
	size_t len = strcspn(host, "/?#");
	if (len == 0 || (len == 9 && strncasecmp(host, "localhost", 9) == 0)) {
		*p = host + len;
		return 0;
	}
	return kp_fail(err, EINVAL,
		"%s: a key bundle lies on this host; write file:/%.*s for a path here", url, SHOWN,
		host);
}

int file_url_parse(const char *url, struct file_url *out, struct kp_err *err)
{
	memset(out, 0, sizeof(*out));
	const char *p = strchr(url, ':');
	if (!p || p - url != 4 || strncasecmp(url, "file", 4) != 0)
		return kp_fail(
			err, EINVAL, "%s: not a file: key URL; write file:/absolute/path", url);
	p++;
	int ret = skip_authority(url, &p, err);
	if (ret)
		return ret;
	if (*p != '/')
		return kp_fail(err, EINVAL,
			"%s: the path of a key URL is absolute; write file:/%.*s with the "
			"directories before it",
			url, SHOWN, p);
	size_t len = strcspn(p, "?");
	ret = decode_path(url, p, len, out->path, err);
	if (ret || p[len] == '\0')
		return ret;
	return decode_query(url, p + len + 1, out->version, err);
}

void file_url_print(const char *path, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	memcpy(out, "file:", 5);
	out += 5;
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;
		if (isalnum(c) || strchr("/-._~!$&'()*+,;=:@", c)) {
			*out++ = (char)c;
		} else {
			*out++ = '%';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
	}
	*out = '\0';
}
