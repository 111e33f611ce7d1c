// SPDX-License-Identifier: MIT
// A SoftHSM of the test's own, in a private directory: real tokens, real keys. SOFTHSM2_CONF of the
// process points to it.
#ifndef CMK_P11_RIG_H
#define CMK_P11_RIG_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

#define P11_RIG_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define P11_RIG_PIN "1234"
#define P11_RIG_SO_PIN "87654321"

struct p11_rig {
	char dir[64];
	CK_FUNCTION_LIST *f; // of a private copy of the module, initialised; see p11_rig.c
	void *handle;
};

// What a key is like; what is 0 or NULL is left out of the template.
struct p11_rig_key {
	const char *label;
	const char *id;		 // raw bytes of CKA_ID, without its NUL
	size_t id_len;		 // 0: strlen(id)
	unsigned bits;		 // RSA: of the modulus; 0: an AES-256 key
	const char *start, *end; // "YYYYMMDD"
	bool no_decrypt;	 // CKA_DECRYPT (RSA) and CKA_ENCRYPT, CKA_DECRYPT (AES) false
	bool no_unwrap;		 // CKA_UNWRAP and CKA_WRAP false
	bool extractable;
};

// Makes the directory and one token "bank". A test that may not go on without SoftHSM fails here.
void p11_rig_new(struct p11_rig *r);
void p11_rig_free(struct p11_rig *r); // finalises and removes the directory
// Another token, with the same PINs.
void p11_rig_token(struct p11_rig *r, const char *label);
// A read-write session on a token, logged in.
CK_SESSION_HANDLE p11_rig_session(struct p11_rig *r, const char *token);
// A new key in a token; of a key pair the private half's handle is returned, valid in `session`.
CK_OBJECT_HANDLE p11_rig_generate(
	struct p11_rig *r, CK_SESSION_HANDLE session, const struct p11_rig_key *key);
// Each key object (public, private, secret) of that label.
void p11_rig_destroy(struct p11_rig *r, CK_SESSION_HANDLE session, const char *label);
void p11_rig_set_pin(
	struct p11_rig *r, const char *token, const char *old_pin, const char *new_pin);

#endif
