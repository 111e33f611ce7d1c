// SPDX-License-Identifier: MIT
// From what a vault answered to what the host must do: one table for the whole provider. Pure but
// for parsing the reply's body in place.
#ifndef CMK_AZURE_REPLY_H
#define CMK_AZURE_REPLY_H

#include "azure_http.h"
#include "kp_json.h"
#include "kp_outcome.h"

#include <stdbool.h>

struct azure_config;

// What was asked, for the sentence.
struct azure_asked {
	const char *operation; // "get", "wrapKey", "unwrapKey"
	const char *key;       // URL of the key or version
	const char *identity;  // "client secret of application 1111-..."
	bool unwrap;	       // a bad parameter is a bad blob
	int64_t now;	       // Unix seconds, for Retry-After
};

// What the vault's own JSON error says (see Keys REST API, Error); "" if the body is none.
struct azure_error {
	char code[64], inner[64];
	char message[200]; // made safe to show
};

// Reads the error out of a reply's body, which must not have been parsed. False if it is not the
// vault's JSON error.
bool azure_error_read(const struct http_reply *reply, struct azure_error *e);

// The verdict on a reply (or on its absence). Granted only for 200 with a JSON object, which goes
// to *tree; it points into reply->body. e is filled in whenever there is an error in the body.
//
//  403  Forbidden, AccessDenied: denied, by innererror; firewall and private link as the
//       configuration says
//  404  KeyNotFound: denied (deleted); VaultNotFound: as the configuration's unknownHost
//  401  Unauthorized, an AKV number or a Bearer challenge that says where to sign in or what for:
//       denied (identity), but for a signing key that the vault does not know yet
//  400  bad blob for unwrap with BadParameter, else misconfigured
//  all else, and any of these but 401 without the vault's own JSON: unreachable
enum cmk_verdict azure_reply_judge(const struct azure_asked *asked,
	const struct azure_config *config, struct http_reply *reply, struct kp_json **tree,
	struct azure_error *e, struct kp_outcome *o) must_use;

#endif
