// SPDX-License-Identifier: MIT
// The key bundle: what the file provider keeps instead of a vault. One JSON document:
//
//   {
//     "format": 1,                  this layout; a reader refuses any other number
//     "kty": "RSA",                 "RSA" or "oct" (AES-256); all versions are of this type
//     "created": 1700000000,        Unix seconds, as every time in here
//     "deletedDate": null,          a time once the key was deleted; null again after recover
//     "versions": [                 at least one, in the order in which they were made
//       {
//         "version": "0123…cdef",   32 lower-case hex digits, unique in the bundle
//         "key": {                  a private JSON Web Key (RFC 7517, RFC 7518)
//           "kty": "RSA", "n": "…", "e": "…", "d": "…", "p": "…", "q": "…",
//           "dp": "…", "dq": "…", "qi": "…"
//         },                        or {"kty": "oct", "k": "…"} with 32 bytes
//         "attributes": {
//           "enabled": true,
//           "nbf": null,            not before; null or absent: no such limit
//           "exp": null,            expires; null or absent: never
//           "created": 1700000000,
//           "updated": 1700000000   when the attributes last changed
//         }
//       }
//     ]
//   }
//
// RSA keys have 2048, 3072 or 4096 bits. Times lie between 0 and the year 9999. Members that are
// not listed are ignored and lost at the next change. The file is at most BUNDLE_MAX bytes.
//
// The file must be a regular file (never a symbolic link: a change of the link's target would
// escape the watch), owned by the user who reads it or by root, with no permission for group or
// others, in a directory that others cannot write to unless it is sticky. It is only ever
// replaced by rename(2), so a reader needs no lock and sees the old or the new bundle.
//
// A file that is gone from a directory that is there is a deleted key, confirmed by looking again
// twice; a directory that is gone is an outage. On a removable medium the bundle therefore belongs
// in a subdirectory, not in the root, whose mount point stays when the medium is taken away.
#ifndef CMK_BUNDLE_H
#define CMK_BUNDLE_H

#include "kp_err.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_MAX (256u * 1024u)
#define BUNDLE_VERSION_LEN 32
#define BUNDLE_PARTS 8
#define BUNDLE_TIME_MAX INT64_C(253402300799) // the last second of the year 9999

enum bundle_kty { BUNDLE_RSA, BUNDLE_OCT };

struct bundle_version {
	char version[BUNDLE_VERSION_LEN + 1];
	uint32_t bits; // of the modulus or key
	bool enabled;
	int64_t nbf, exp; // 0: none
	int64_t created, updated;
	// The key's members as base64url, in the order of bundle_part_names(). They point into
	// secret memory of the bundle: the text it was read from, or own.
	const char *part[BUNDLE_PARTS];
	char *own; // for a version made by bundle_add(); from host->secret_alloc
};

struct kp_json;
struct bundle {
	const struct cmk_host *host; // whose secret memory it lives in; borrowed
	enum bundle_kty kty;
	int64_t created, deleted; // deleted: 0 if it is not
	size_t count;
	struct bundle_version *versions;
	char *text; // what it was read from; from host->secret_alloc
	struct kp_json *root;
};

// An empty bundle of this type, and its end. Frees also what bundle_parse() made; NULL allowed.
int bundle_new(const struct cmk_host *host, enum bundle_kty kty, struct bundle **out) must_use;
void bundle_free(struct bundle **b);

// Takes over text (len bytes from host->secret_alloc), also on failure. -EBADMSG with a sentence
// that names the member at fault, never its content; -ENOMEM.
int bundle_parse(const struct cmk_host *host, char *text, size_t len, struct bundle **out,
	struct kp_err *err) must_use;

// The document, in memory of host->secret_alloc that the caller frees. -ENOMEM; -E2BIG if it
// would exceed BUNDLE_MAX.
int bundle_print(const struct bundle *b, char **text, size_t *len, struct kp_err *err) must_use;

// Adds an empty version for the caller to fill. The pointer lives until the next bundle_add().
int bundle_add(struct bundle *b, struct bundle_version **out) must_use;

// Names of the key's members: "n", "e", … or "k"; *count of them.
const char *const *bundle_part_names(enum bundle_kty kty, size_t *count);
const char *bundle_kty_name(enum bundle_kty kty);

// NULL if there is none. The newest was created last; among equals the later in the file wins.
struct bundle_version *bundle_find(const struct bundle *b, const char *version);
struct bundle_version *bundle_newest(const struct bundle *b);
// The newest that is enabled and inside nbf and exp; what to wrap with.
struct bundle_version *bundle_usable(const struct bundle *b, int64_t now);
bool bundle_version_is_current(const struct bundle_version *v, int64_t now); // nbf <= now < exp

#endif
