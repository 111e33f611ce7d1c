// SPDX-License-Identifier: MIT
// Certificates of one's own, and the files that hold them with their keys.
#ifndef CMK_MADE_CERT_H
#define CMK_MADE_CERT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

struct made {
	EVP_PKEY *key;
	X509 *cert;
};

// A self-signed certificate for the key, which it takes over.
struct made make(EVP_PKEY *key, const char *name);
void made_free(struct made *m);
// certs: NULL-terminated. key, password: NULL for none.
void put_pem(const char *path, EVP_PKEY *key, X509 *const certs[], const char *password);
void put_pkcs12(const char *path, struct made *m, STACK_OF(X509) * chain, const char *password);

#endif
