// SPDX-License-Identifier: MIT
// The key of the operator's, for `rehearse`: what its provider is told by our environment.
#ifndef CMK_REHEARSE_GIVEN_H
#define CMK_REHEARSE_GIVEN_H

#include "attr.h"
#include "cli.h"
#include "errmsg.h"
#include "secret.h"

struct given_key {
	struct secret *told; // "NAME=value" lines, which environment points into
	char **environment;  // ends in NULL
};

// What a child needs to use the key as we could ourselves: child_start() hands it on without a
// copy. out is the caller's. -ENOMEM with a sentence.
int given_key_environment(const struct cli *cli, const char *key_url, struct given_key *out,
	struct errmsg *err) must_use;
void given_key_free(struct given_key *k); // for scoped()

#endif
