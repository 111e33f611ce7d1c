// SPDX-License-Identifier: MIT
// Key transfer blobs (Azure Key Vault, "BYOK specification"): a key of the token's, wrapped inside
// the token for a key exchange key (KEK) of a vault. ciphertext = RSA-OAEP with SHA-1 of an
// ephemeral AES-256 key, then AES key wrap with padding (RFC 5649) of the key itself: PKCS#8 of an
// RSA key, the bare bytes of an AES key.
#ifndef CMK_P11_BYOK_H
#define CMK_P11_BYOK_H

#include "tool.h"

#include <stddef.h>

#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP 0x210bUL // PKCS #11 v3.0
#endif

#define BYOK_MODULUS_MAX 512
#define BYOK_KID_MAX 512
#define BYOK_MAX 8192 // bytes of ciphertext

struct byok_kek {
	uint8_t n[BYOK_MODULUS_MAX], e[8];
	size_t n_len, e_len;
	char kid[BYOK_KID_MAX]; // its name in the vault; "" unknown
	bool other_uses;	// may do more than import: the vault will refuse it
	// SHA-256 of its SubjectPublicKeyInfo (DER), in hexadecimal digits; what
	// `openssl pkey -pubin -outform DER | sha256sum` prints.
	char fingerprint[65];
};

// From a PEM public key, a JSON Web Key, or an object that holds one as "key", as `az keyvault key
// show` prints it. A file that another user may write to is refused (-EDOM): whoever changes it
// gets the key.
int byok_kek_read(const char *path, struct byok_kek *out, struct kp_err *err) must_use;

struct byok_blob {
	uint8_t data[BYOK_MAX];
	size_t len;
};
// Nothing secret leaves the token in plain, nor reaches this process. What it made has been
// measured: an ephemeral key as long as the KEK's modulus, then a length that fits the key.
int byok_wrap(struct tool *t, const struct p11_key *key, const struct byok_kek *kek,
	struct byok_blob *out, struct kp_err *err) must_use;

// Whether the mechanism does RFC 5649, tried with numbers that are no secret and compared with
// OpenSSL's: of CKM_AES_KEY_WRAP_PAD the standard's own versions say different things. -ENOTSUP if
// it does something else; 0 also, with a note, where the token takes no known key to try it with,
// or pads an RSA key with zeros beforehand (as SoftHSM 2.6 does).
int byok_rehearse(
	struct tool *t, CK_MECHANISM_TYPE type, CK_KEY_TYPE target, struct kp_err *err) must_use;

// Puts the text in place whole, mode 0600. -EEXIST if there is something and not replace.
int byok_store(const char *path, const char *text, bool replace, struct kp_err *err) must_use;

#endif
