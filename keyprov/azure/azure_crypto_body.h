// SPDX-License-Identifier: MIT
// The bodies of wrapKey and unwrapKey (KeyOperationsParameters, KeyOperationResult).
#ifndef CMK_AZURE_CRYPTO_BODY_H
#define CMK_AZURE_CRYPTO_BODY_H

#include "kp_json.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>

// {"alg":...,"value":...} in secret memory, which the caller frees with secret_free; NULL if there
// is none. alg must be one that azure_is_algorithm() knows.
char *azure_crypto_body(
	const struct cmk_host *host, const char *alg, const uint8_t *data, size_t len);

// The value of a result, which points into its text; NULL if there is none.
const char *azure_value(const struct kp_json *result);

bool azure_is_algorithm(const char *alg);

#endif
