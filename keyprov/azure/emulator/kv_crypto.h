// SPDX-License-Identifier: MIT
// What keys compute, with OpenSSL, by the service's names of the algorithms (RFC 7518, and
// A*CBCPAD, CKM_AES_KEY_WRAP, ... of its own). No state; any thread.
#ifndef CMK_EMU_KV_CRYPTO_H
#define CMK_EMU_KV_CRYPTO_H

#include "kp_json.h"
#include "kv_model.h"
#include "kv_refusal.h"

// Wiped when freed.
struct kv_bytes {
	uint8_t *data;
	size_t len;
};
int kv_bytes_new(size_t len, struct kv_bytes *out) must_use;
void kv_bytes_end(struct kv_bytes *b);
// Member as base64url without padding. Absent: len 0 unless required.
int kv_bytes_member(const struct kp_json *j, const char *member, bool required,
	struct kv_bytes *out, struct kv_refusal *no) must_use;
// Also with the alphabet, padding and line ends of plain Base64.
int kv_bytes_any_base64(const char *text, struct kv_bytes *out, struct kv_refusal *no) must_use;

// New keys. exponent 0: 65537.
int kv_material_rsa(
	int64_t bits, int64_t exponent, struct kv_material *m, struct kv_refusal *no) must_use;
int kv_material_ec(const char *crv, struct kv_material *m, struct kv_refusal *no) must_use;
int kv_material_oct(int64_t bits, struct kv_material *m, struct kv_refusal *no) must_use;
// Sets kty, crv and bits from m->pkey; false if the service has no such keys.
bool kv_material_name(struct kv_material *m);
// A private JSON Web Key; m->hsm is set by the caller.
int kv_material_jwk(
	const struct kp_json *key, struct kv_material *m, struct kv_refusal *no) must_use;
// "Bring your own key": ciphertext is an AES key under RSA-OAEP with SHA-1, then the key under that
// one with RFC 5649: PKCS#8, or raw bytes for oct.
int kv_material_byok(const struct kv_material *kek, const struct kv_bytes *ciphertext,
	enum kv_kty kty, struct kv_material *m, struct kv_refusal *no) must_use;
// A member of the public key as base64url: "n", "e", "x", "y".
int kv_material_public(const struct kv_material *m, const char *member, char **out) must_use;

struct kv_input {
	const char *alg;
	struct kv_bytes value, iv, aad, tag;
};
void kv_input_end(struct kv_input *in);
struct kv_output {
	struct kv_bytes value, iv, tag;
};
void kv_output_end(struct kv_output *out);
// wrap: the algorithm names of wrapKey and unwrapKey, else of encrypt and decrypt.
int kv_encrypt(const struct kv_material *m, bool wrap, const struct kv_input *in,
	struct kv_output *out, struct kv_refusal *no) must_use;
int kv_decrypt(const struct kv_material *m, bool wrap, const struct kv_input *in,
	struct kv_output *out, struct kv_refusal *no) must_use;

// digest: the hash itself. kv_verify() sets *valid; a signature of a wrong length is not valid.
int kv_sign(const struct kv_material *m, const char *alg, const struct kv_bytes *digest,
	struct kv_bytes *out, struct kv_refusal *no) must_use;
int kv_verify(const struct kv_material *m, const char *alg, const struct kv_bytes *digest,
	const struct kv_bytes *signature, bool *valid, struct kv_refusal *no) must_use;

#endif
