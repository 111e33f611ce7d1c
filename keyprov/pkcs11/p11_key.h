// SPDX-License-Identifier: MIT
// Keys in a token, as objects: which ones the URI matches, what may be done with them, and which of
// several is the newest.
//
// The version of a key is its CKA_ID in hexadecimal digits. Of two keys the newer is the one with
// the later CKA_START_DATE; where that does not tell (one has none, or they are equal), the one
// whose CKA_ID is a later UUIDv7 (RFC 9562 section 5.7: the first 48 bits are the milliseconds of
// its making). Where that does not tell either, no order can be proved. A date that a private key
// object does not tell is that of its public half: the public key object with the same CKA_ID and
// the same modulus (anybody can put one with that CKA_ID alone into many tokens). Of several the
// strictest counts: the latest start, the earliest end.
#ifndef CMK_P11_KEY_H
#define CMK_P11_KEY_H

#include "kp_outcome.h"
#include "kp_scope.h"
#include "p11_session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P11_KEYS_MAX 64 // that match one URI

struct p11_key {
	CK_OBJECT_HANDLE handle;
	CK_OBJECT_CLASS class; // CKO_PRIVATE_KEY or CKO_SECRET_KEY
	CK_KEY_TYPE type;      // CKK_RSA or CKK_AES; others are left out
	uint8_t id[P11_ID_MAX];
	size_t id_len; // at least 1
	char version[CMK_VERSION_MAX];
	char label[64];	      // printable, cut; for sentences
	uint32_t bits;	      // of the modulus or the key
	int64_t nbf, exp;     // Unix seconds; 0 none. exp is the midnight (UTC) after CKA_END_DATE
	bool decrypt, unwrap; // CKA_DECRYPT, CKA_UNWRAP: the token says yes
	bool decrypt_untold, unwrap_untold; // it says nothing: to be tried
	bool encrypt, wrap;		    // of a secret key: CKA_ENCRYPT, CKA_WRAP
	bool extractable, always_authenticate;
	// CKA_START_DATE or CKA_END_DATE is there but cannot be read, or is no date, and no public
	// half tells one.
	bool bad_date;
};

struct p11_keys {
	struct p11_key at[P11_KEYS_MAX];
	size_t count;
	size_t without_id; // matched, but have no CKA_ID, or one that is too long
	size_t other_type; // matched, but are neither RSA nor AES keys
	size_t untold;	   // may match, but the token does not tell what type, id or label it has
};

// Everything the URI (object, id, type) matches and whose CKA_ID is version ("" any).
// CMK_GRANTED also when there is none. version is told by a header: what is no CKA_ID in lower-case
// hexadecimal digits, or not the one that the URI pins, is CMK_MISCONFIGURED.
enum cmk_verdict p11_keys_find(const struct p11_context *c, struct p11_session *s,
	const char *version, struct p11_keys *out, struct kp_outcome *o) must_use;

// -1 a is older, 1 it is newer, 0 nothing proves either. Pure.
int p11_key_compare(const struct p11_key *a, const struct p11_key *b);
// The newest of those whose start date is not ahead, or of all if all are. Pure. NULL and a
// sentence (CMK_MISCONFIGURED) that lists the keys if no order can be proved; NULL and CMK_GRANTED
// in o->verdict if there is none at all.
const struct p11_key *p11_key_newest(
	const struct p11_keys *keys, int64_t wall_s, const char *where, struct kp_outcome *o);

// Not both refused by its attributes; the token may still say no.
bool p11_key_may_unwrap(const struct p11_key *key);
// Not before its start date, not past its end date. Pure.
bool p11_key_is_current(const struct p11_key *key, int64_t wall_s);
// "label" (id VERSION), for sentences. Pure.
#define P11_KEY_TEXT 208
void p11_key_text(const struct p11_key *key, char out[P11_KEY_TEXT]);
// Labels, ids and start dates, by version; of those that have no room, how many they are. Pure.
// Belongs at the end of a sentence, which is cut there.
#define P11_KEYS_TEXT 240
void p11_keys_text(const struct p11_keys *keys, char *out, size_t room);
// When a key with such a CKA_ID was made (Unix seconds) if the id is a UUIDv7, else 0. Pure.
int64_t p11_key_created(const struct p11_key *key);

// Dates: YYYYMMDD of UTC. False for what is no date (all zero or blank is none: *out 0). Pure.
bool p11_date_read(const CK_DATE *date, int64_t *out);

#endif
