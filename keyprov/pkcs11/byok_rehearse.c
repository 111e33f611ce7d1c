// SPDX-License-Identifier: MIT
// Trying an AES key wrap mechanism before a real key is wrapped with it; see byok.h.
#include "byok.h"

#include "kp_program.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define KEY 32
#define EVEN 24 // a multiple of 8
#define ODD 20	// none: padding shows
#define ROOM 64

static CK_RV create(struct tool *t, CK_KEY_TYPE type, const uint8_t *value, size_t len, bool wraps,
	CK_OBJECT_HANDLE *out)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	struct tool_template a = {.count = 0};
	tool_put(&a, CKA_CLASS, &class, sizeof(class));
	tool_put(&a, CKA_KEY_TYPE, &type, sizeof(type));
	tool_put_bool(&a, CKA_TOKEN, false);
	tool_put_bool(&a, wraps ? CKA_WRAP : CKA_EXTRACTABLE, true);
	tool_put(&a, CKA_VALUE, value, len);
	return t->session.f->C_CreateObject(t->session.handle, a.at, a.count, out);
}

// What OpenSSL makes of it. The length, or 0.
static size_t expected(const uint8_t *key, const uint8_t *target, size_t len, uint8_t *out)
{
	int n = 0, rest = 0;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return 0;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	bool ok = EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap_pad(), NULL, key, NULL) == 1 &&
		  EVP_EncryptUpdate(ctx, out, &n, target, (int)len) == 1 &&
		  EVP_EncryptFinal_ex(ctx, out + n, &rest) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? (size_t)n + (size_t)rest : 0;
}

enum outcome { RIGHT, WRONG, NOT_TRIED };

// numbers: a key, and behind it a target of len bytes.
static enum outcome try_length(
	struct tool *t, CK_MECHANISM_TYPE type, const uint8_t *numbers, size_t len)
{
	CK_OBJECT_HANDLE object[2];
	CK_RV rv[2] = {create(t, CKK_AES, numbers, KEY, true, &object[0]),
		create(t, CKK_GENERIC_SECRET, numbers + KEY, len, false, &object[1])};
	CK_MECHANISM m = {.mechanism = type};
	uint8_t made[ROOM], right[ROOM];
	CK_ULONG made_len = sizeof(made);
	enum outcome outcome = NOT_TRIED;
	if (rv[0] == CKR_OK && rv[1] == CKR_OK) {
		size_t want = expected(numbers, numbers + KEY, len, right);
		CK_RV wrapped = t->session.f->C_WrapKey(
			t->session.handle, &m, object[0], object[1], made, &made_len);
		bool same = wrapped == CKR_OK && want && made_len == want &&
			    memcmp(made, right, want) == 0;
		outcome = same ? RIGHT : WRONG;
	}
	for (size_t i = 0; i < 2; i++)
		if (rv[i] == CKR_OK)
			(void)t->session.f->C_DestroyObject(t->session.handle, object[i]);
	return outcome;
}

int byok_rehearse(struct tool *t, CK_MECHANISM_TYPE type, CK_KEY_TYPE target, struct kp_err *err)
{
	uint8_t numbers[KEY + EVEN];
	if (RAND_bytes(numbers, sizeof(numbers)) != 1)
		return kp_fail(err, EIO, "no random numbers");
	enum outcome even = try_length(t, type, numbers, EVEN);
	if (even == WRONG)
		return -ENOTSUP;
	if (even == NOT_TRIED)
		kp_program_note(
			"%s takes no key that is known outside, so its AES key wrap could not be "
			"tried before; if the vault refuses the blob, it is not RFC 5649",
			t->session.where);
	// The bytes of an AES key need no padding; how long PKCS#8 is, nobody knows before.
	else if (target == CKK_RSA && try_length(t, type, numbers, ODD) == WRONG)
		kp_program_note("%s pads with zeros what it wraps, so the vault may find up to 7 "
				"of them behind the key; if it refuses the blob, that is why",
			t->session.where);
	return 0;
}
