// SPDX-License-Identifier: MIT
// See status_why.h.
#include "status_why.h"
#include "keyurl.h"

#include <stdio.h>
#include <string.h>

// What a pkcs11 provider shows of a long URL.
#define URL_SHOWN 255
// Of a vault's key versions.
#define VERSION_LETTERS "0123456789abcdefABCDEF"

// Behind "NAME: " or "NAME/VERSION: ", or 0.
static size_t behind(const char *sentence, const char *name)
{
	size_t len = strlen(name);
	if (!len || strncmp(sentence, name, len) != 0)
		return 0;
	if (sentence[len] == '/')
		len += 1 + strspn(sentence + len + 1, VERSION_LETTERS);
	return strncmp(sentence + len, ": ", 2) != 0 ? 0 : len + 2;
}

size_t status_why_at(const char *sentence, const char *key_url)
{
	char plain[BINDING_URL_MAX], shown[URL_SHOWN + 1];
	key_url_unversioned(key_url, plain);
	(void)snprintf(shown, sizeof(shown), "%.*s", URL_SHOWN, key_url);
	const char *path = key_url_path(plain);
	const char *const names[] = {key_url, plain, shown, path ? path : ""};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t at = behind(sentence, names[i]);
		if (at)
			return at;
	}
	return 0;
}

const char *status_why_words(const char *reason)
{
	if (!strcmp(reason, "none"))
		return "";
	if (!strcmp(reason, "not-permitted"))
		return "not permitted";
	return strcmp(reason, "identity") != 0 ? reason : "identity refused";
}
