// SPDX-License-Identifier: MIT
// The client certificate: one file with certificate and private key, PEM or PKCS#12. What is
// private in it is in locked memory only while an assertion is made.
#include "azure_jwt.h"
#include "cred.h"
#include "cred_key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define BITS_MIN 2048

// Takes the certificate that belongs to the key out of the others.
static int find_leaf(struct cred_pair *p, const char *path, struct kp_err *err)
{
	if (EVP_PKEY_get_bits(p->key) < BITS_MIN)
		return kp_fail(err, EINVAL,
			"client certificate %s: its key must be RSA of at least %d bits", path,
			BITS_MIN);
	for (int i = 0; i < sk_X509_num(p->others); i++)
		if (X509_check_private_key(sk_X509_value(p->others, i), p->key) == 1) {
			p->leaf = sk_X509_delete(p->others, i);
			return 0;
		}
	return kp_fail(err, EINVAL,
		"client certificate %s: no certificate in it belongs to its private key", path);
}

static int load(const struct cred *c, struct cred_pair *out, struct kp_err *err)
{
	const struct azure_identity *id = &c->config->identity;
	const char *path = id->certificate_path, *password = cred_str(id->certificate_password);
	scoped(cred_text_end) struct cred_text file = {0};
	int ret = cred_text_new(c->host, CRED_TEXT_ROOM, &file, err);
	if (ret == 0)
		ret = cred_text_read(&file, AZURE_FILE_SECRET, "client certificate", path, err);
	if (ret)
		return ret;
	// What OpenSSL keeps of a key it keeps in its own locked memory, if that exists.
	if (!CRYPTO_secure_malloc_initialized() && CRYPTO_secure_malloc_init(128 * 1024, 64) != 1)
		c->host->log(c->host, CMK_LOG_WARNING,
			"cannot lock OpenSSL's memory; the certificate's private key might reach "
			"the swap space");
	ret = strstr(file.p, "-----BEGIN ") ? cred_pair_pem(&file, path, password, out, err)
					    : cred_pair_pkcs12(&file, path, password, out, err);
	return ret ? ret : find_leaf(out, path, err);
}

enum cmk_verdict cred_certificate(
	const struct cred *c, const char *audience, struct cred_text *out, struct kp_outcome *o)
{
	const struct azure_identity *id = &c->config->identity;
	scoped(cred_pair_free) struct cred_pair pair = {0};
	struct kp_err err = {""};
	int ret = load(c, &pair, &err);
	if (ret == 0) {
		struct jwt_signer s = {pair.key, pair.leaf, id->send_chain ? pair.others : NULL};
		ret = jwt_assertion(
			&s, audience, id->client_id, c->host->wall_time(c->host), out, &err);
	}
	if (ret == 0)
		return CMK_GRANTED;
	return kp_outcome_set(o, ret == -ENOMEM ? CMK_UNREACHABLE : CMK_MISCONFIGURED,
		CMK_REASON_NONE, "%s", err.text);
}
