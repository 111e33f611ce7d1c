// SPDX-License-Identifier: MIT
// Key URLs of the file provider: file:/absolute/path or file:///absolute/path (RFC 8089), percent-
// encoded, with an optional ?version=HEX that pins one version of the key.
#ifndef CMK_FILE_URL_H
#define CMK_FILE_URL_H

#include "bundle.h"

#include <limits.h>

struct file_url {
	char path[PATH_MAX];
	char version[BUNDLE_VERSION_LEN + 1]; // "" if none is pinned
};

// -EINVAL with a sentence that shows the corrected form.
int file_url_parse(const char *url, struct file_url *out, struct kp_err *err) must_use;

#define FILE_URL_MAX (sizeof("file:") + 3 * PATH_MAX)
// The URL of an absolute path; out has room for FILE_URL_MAX.
void file_url_print(const char *path, char *out);

#endif
