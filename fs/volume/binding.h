// SPDX-License-Identifier: MIT
// A binding: what one key needs to unlock one disk. Token JSON <-> struct, pure.
//
// Members of a token of type "cmkdisk", all required but for the last:
//   type         "cmkdisk"
//   keyslots     ["N"], exactly one: the keyslot that the slot secret opens
//   version      integer, 1: the format of this token
//   key_url      string: names the key in its store, 1..1023 printable ASCII characters, no blanks
//   key_version  string: the version of the key that wrapped the secret, 1..127 of the same
//   alg          string: how it was wrapped, a JWA name ("RSA-OAEP-256", "A256KW"), 1..31 of the
//   same wrapped      string: the wrapped slot secret, base64url without padding, 32..4096 bytes;
//   for RSA
//                as long as a 2048-, 3072- or 4096-bit modulus, for AES key wrap 40 bytes
//   digest       string: base64url of 32 bytes, the fingerprint of the LUKS2 digest that verifies
//                the volume key (see luks.h); tells a disk that was re-encrypted by other tools
//   created      integer: Unix seconds
//   replaces     array of 1 to 29 strings, base64url of 32 bytes each: the bindings that this one
//                takes the place of, by SHA-256 over their wrapped secret. As long as one of them
//                is in the header, a move of the disk is not finished
#ifndef CMK_BINDING_H
#define CMK_BINDING_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BINDING_TOKEN_TYPE "cmkdisk"
#define BINDING_FORMAT 1
#define BINDING_URL_MAX 1024
#define BINDING_VERSION_MAX 128 // as CMK_VERSION_MAX
#define BINDING_ALG_MAX 32	// as CMK_ALG_MAX
#define BINDING_WRAPPED_MAX 4096
#define BINDING_DIGEST_LEN 32
#define BINDING_ID_LEN 32
#define BINDING_REPLACES_MAX 29 // all the others that a header can hold
#define SLOT_SECRET_LEN 32

struct binding {
	int token;   // LUKS2 token number, -1 when not yet stored
	int keyslot; // the keyslot its slot secret opens
	char key_url[BINDING_URL_MAX];
	char key_version[BINDING_VERSION_MAX];
	char alg[BINDING_ALG_MAX];
	uint8_t wrapped[BINDING_WRAPPED_MAX]; // the slot secret, wrapped by that key version
	size_t wrapped_len;
	uint8_t digest[BINDING_DIGEST_LEN]; // SHA-256 over the LUKS2 digest that verifies the
					    // volume key
	int64_t created; // Unix seconds
	uint8_t replaces[BINDING_REPLACES_MAX][BINDING_ID_LEN];
	size_t replaces_count;
	uint8_t id[BINDING_ID_LEN]; // SHA-256 over `wrapped`; computed by binding_parse()
};

// Reads one token's JSON. Strict: unknown format version, missing member, wrong type, more or
// fewer than one keyslot, empty or oversized strings, characters outside printable ASCII in
// key_url/key_version/alg, malformed base64url: -EBADMSG with a sentence naming token and member.
// Members it does not know are ignored. token goes to out->token.
// -ENOMEM has no sentence.
int binding_parse(
	int token, const char *json, size_t len, struct binding *out, struct errmsg *err) must_use;

// The same binding, member for member, but for what it replaces: that changes while it stands.
bool binding_same(const struct binding *a, const struct binding *b);

// Whether b is to take the place of other, which has its id.
bool binding_replaces(const struct binding *b, const struct binding *other);

// The indices of all of them, in the order in which they should be tried: whoever replaces others
// before those, else as they come. Makes do with a header that contradicts itself.
void binding_order(const struct binding *all, size_t count, size_t *order);

// The token's JSON; the caller frees *out. Writes what it is given: a caller whose struct comes
// from outside reads its own text back with binding_parse() before it is stored.
int binding_print(const struct binding *b, char **out) must_use;

#endif
