// SPDX-License-Identifier: MIT
// The algorithms that a binding may store: the one table of them.
#include "p11_use.h"

#include <string.h>

// PKCS #11 3.0; older headers do not have it.
#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP 0x210bUL
#endif

const struct p11_algorithm p11_algorithms[P11_ALGORITHMS] = {
	{"RSA-OAEP-256", CKK_RSA, CKM_RSA_PKCS_OAEP, CKM_SHA256, CKG_MGF1_SHA256, "SHA256"},
	{"RSA-OAEP", CKK_RSA, CKM_RSA_PKCS_OAEP, CKM_SHA_1, CKG_MGF1_SHA1, "SHA1"},
	{"A256KW", CKK_AES, CKM_AES_KEY_WRAP, 0, 0, NULL},
	{"CKM_AES_KEY_WRAP_KWP", CKK_AES, CKM_AES_KEY_WRAP_KWP, 0, 0, NULL},
	{"CKM_AES_KEY_WRAP_PAD", CKK_AES, CKM_AES_KEY_WRAP_PAD, 0, 0, NULL},
};

const struct p11_algorithm *p11_algorithm_find(const char *name)
{
	for (size_t i = 0; i < P11_ALGORITHMS; i++)
		if (strcmp(p11_algorithms[i].name, name) == 0)
			return &p11_algorithms[i];
	return NULL;
}

bool p11_is_algorithm(const char *alg)
{
	return p11_algorithm_find(alg) != NULL;
}

bool p11_algorithm_fits(const char *alg, const struct p11_key *key)
{
	const struct p11_algorithm *a = p11_algorithm_find(alg);
	return a && a->type == key->type;
}
