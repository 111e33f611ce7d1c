// SPDX-License-Identifier: MIT
// Key URLs: https://HOST[:PORT]/keys/NAME[/VERSION][/], and which of them may be asked. Pure.
#ifndef CMK_AZURE_URL_H
#define CMK_AZURE_URL_H

#include "azure_cloud.h"
#include "kp_err.h"

#include <stdbool.h>

struct azure_config;

#define AZURE_NAME_MAX 127
#define AZURE_VERSION_LEN 32

struct azure_url {
	char origin[272]; // "https://contoso.vault.azure.net" or with ":PORT"
	char host[254];	  // small letters, no port
	char name[AZURE_NAME_MAX + 1];
	char version[AZURE_VERSION_LEN + 1]; // or ""
	bool plain_http, has_port;
	const char *suffix; // that allows it: a cloud's or the configuration's (then borrowed)
	const struct azure_cloud *cloud; // NULL: allowed by the configuration
};

// Only the form; suffix and cloud stay NULL. -EINVAL with a sentence.
int azure_url_parse(const char *text, struct azure_url *out, struct kp_err *err) must_use;

// Whether a request may go there at all: a vault of a known cloud by https on its usual port, or a
// host that the configuration allows, on any port, and by http only to loopback if that is allowed.
// -EINVAL with a sentence that lists what is.
int azure_url_allow(
	struct azure_url *u, const struct azure_config *config, struct kp_err *err) must_use;

// A key version as the service makes them: 32 hexadecimal digits in small letters.
bool azure_is_version(const char *text);

#endif
