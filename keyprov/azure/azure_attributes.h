// SPDX-License-Identifier: MIT
// What a vault tells of a key (KeyBundle of the Keys REST API), and whether it fits a disk. Pure.
#ifndef CMK_AZURE_ATTRIBUTES_H
#define CMK_AZURE_ATTRIBUTES_H

#include "azure_url.h"
#include "kp_json.h"
#include "kp_outcome.h"

#include <stdbool.h>

struct azure_attributes {
	struct cmk_key_info info;
	bool can_wrap, can_unwrap; // key_ops
};

// The version that a kid names, if it is one of the key asked for: the same host (but for case and
// port), the same name (but for case), and version if that is not "". -EBADMSG with a sentence.
int azure_kid_version(const char *kid, const struct azure_url *url, const char *version,
	char out[AZURE_VERSION_LEN + 1], struct kp_err *err) must_use;

// Reads a KeyBundle of the key at url. -EBADMSG with a sentence if it is none, or another key's.
int azure_attributes_read(const struct kp_json *tree, const struct azure_url *url,
	const char *version, struct azure_attributes *out, struct kp_err *err) must_use;

// Whether a disk may be bound to it, at `now`: RSA of 2048, 3072 or 4096 bits or an AES key of 256,
// with both operations permitted, enabled, and within its dates. `key` is for the sentence.
enum cmk_verdict azure_attributes_judge(const struct azure_attributes *a, const char *key,
	int64_t now, struct kp_outcome *o) must_use;

// The best algorithm for the key's type, or the configured one if it fits. NULL if it does not.
const char *azure_algorithm(const char *kty, const char *configured);

#endif
