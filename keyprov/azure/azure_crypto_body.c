// SPDX-License-Identifier: MIT
// See azure_crypto_body.h.
#include "azure_crypto_body.h"

#include "kp_base64.h"

#include <stdio.h>
#include <string.h>

bool azure_is_algorithm(const char *alg)
{
	static const char *const known[] = {"RSA-OAEP-256", "RSA-OAEP", "A256KW"};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i], alg) == 0)
			return true;
	return false;
}

char *azure_crypto_body(
	const struct cmk_host *host, const char *alg, const uint8_t *data, size_t len)
{
	static const char end[] = "\"}";
	size_t room = strlen(alg) + KP_BASE64_LEN(len) + 32;
	char *body = len <= CMK_WRAPPED_MAX ? host->secret_alloc(host, room) : NULL;
	if (!body)
		return NULL;
	size_t used = (size_t)snprintf(body, room, "{\"alg\":\"%s\",\"value\":\"", alg);
	kp_base64_encode(data, len, body + used);
	memcpy(body + used + KP_BASE64_LEN(len), end, sizeof(end));
	return body;
}

const char *azure_value(const struct kp_json *result)
{
	// A short value is no key: only those that were lifted are worth keeping from copies.
	const char *lifted = kp_json_secret(result, "value");
	return lifted ? lifted : kp_json_str(result, "value");
}
