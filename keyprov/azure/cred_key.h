// SPDX-License-Identifier: MIT
// Private keys out of PEM and PKCS#12. OpenSSL's own readers free the decoded key without wiping
// it; here it is only ever in OpenSSL's locked memory or in buffers that are wiped.
#ifndef CMK_AZURE_CRED_KEY_H
#define CMK_AZURE_CRED_KEY_H

#include "cred_text.h"

#include <openssl/pkcs12.h>
#include <openssl/x509.h>

struct cred_pair {
	EVP_PKEY *key;		 // RSA
	X509 *leaf;		 // the certificate of this key
	STACK_OF(X509) * others; // in the file's order
};
void cred_pair_free(struct cred_pair *p); // for scoped()

// An RSA key from PKCS#8 (RFC 5958) or PKCS#1 (RFC 8017 appendix A.1.2). -EBADMSG if it is none.
int cred_key_pkcs8(const PKCS8_PRIV_KEY_INFO *info, EVP_PKEY **out) must_use;
int cred_key_pkcs1(const unsigned char *der, size_t len, EVP_PKEY **out) must_use;

// Fills key and others; leaf stays NULL. path is for the sentence; password may be "".
int cred_pair_pem(const struct cred_text *file, const char *path, const char *password,
	struct cred_pair *out, struct kp_err *err) must_use;
int cred_pair_pkcs12(const struct cred_text *file, const char *path, const char *password,
	struct cred_pair *out, struct kp_err *err) must_use;

#endif
