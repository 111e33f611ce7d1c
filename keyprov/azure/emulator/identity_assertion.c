// SPDX-License-Identifier: MIT
// Client assertions (RFC 7523): signed with the key of a registered certificate, or by an issuer
// that the identity trusts; see identity_model.h.
#include "identity_model.h"

#include "kp_base64.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SKEW 300	    // seconds that "nbf" may lie ahead
#define LONGEST (24 * 3600) // seconds from now that an own assertion may expire

int refuse(struct entra_refusal *no, int status, const char *error, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(no->text, sizeof(no->text), fmt, ap);
	va_end(ap);
	no->status = status;
	no->error = error;
	no->code = code;
	return -EACCES;
}

#define INVALID_CLIENT(no, code, ...) refuse(no, 401, "invalid_client", code, __VA_ARGS__)

static void bio_free(BIO **p)
{
	BIO_free(*p);
	ERR_clear_error();
}
static void x509_free(X509 **p)
{
	X509_free(*p);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int check_times(struct identities *i, const struct jwt *t, struct entra_refusal *no)
{
	int64_t now = emu_now(i->clock), exp, nbf = 0;
	if (!kp_json_int(t->claims, "exp", &exp))
		return INVALID_CLIENT(no, 50027, "The client assertion has no claim 'exp'.");
	(void)kp_json_int(t->claims, "nbf", &nbf);
	if (exp <= now || nbf > now + SKEW)
		return INVALID_CLIENT(no, 700024,
			"Client assertion is not within its valid time range. Current time: %lld, "
			"valid from %lld, expires %lld.",
			(long long)now, (long long)nbf, (long long)exp);
	return 0;
}

// A thumbprint of the certificate, as header members spell it.
static bool has_thumbprint(const X509 *cert, const EVP_MD *md, const char *text, bool hex)
{
	uint8_t print[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char b64[KP_BASE64_LEN(EVP_MAX_MD_SIZE) + 1], digits[2 * EVP_MAX_MD_SIZE + 1];
	if (X509_digest(cert, md, print, &len) <= 0)
		return false;
	kp_base64_encode(print, len, b64);
	for (unsigned n = 0; n < len; n++)
		(void)snprintf(digits + 2 * (size_t)n, 3, "%02X", print[n]);
	return hex ? strcasecmp(digits, text) == 0 : strcmp(b64, text) == 0;
}

// x5c holds DER in base64 proper (RFC 7515 section 4.1.6), the signer's certificate first.
static bool is_first_of_chain(const X509 *cert, const struct kp_json *chain)
{
	const char *text = kp_json_text(kp_json_first(chain));
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	if (len <= 0)
		return false;
	size_t room = ((size_t)len + 2) / 3 * 4 + 1;
	autofree char *b64 = malloc(room);
	bool same = b64 && text && EVP_EncodeBlock((unsigned char *)b64, der, len) > 0 &&
		    strcmp(b64, text) == 0;
	OPENSSL_free(der);
	return same;
}

static bool names_certificate(const struct kp_json *header, const X509 *cert)
{
	const char *s256 = kp_json_str(header, "x5t#S256"), *s1 = kp_json_str(header, "x5t");
	const char *kid = kp_json_str(header, "kid");
	if (s256)
		return has_thumbprint(cert, EVP_sha256(), s256, false);
	if (s1)
		return has_thumbprint(cert, EVP_sha1(), s1, false);
	if (kp_json_get(header, "x5c"))
		return is_first_of_chain(cert, kp_json_get(header, "x5c"));
	return kid && has_thumbprint(cert, EVP_sha1(), kid, true);
}

static X509 *find_certificate(const struct identity *id, const struct kp_json *header)
{
	scoped(bio_free) BIO *bio = BIO_new_mem_buf(or_empty(id->certificates), -1);
	X509 *cert;
	while (bio && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (names_certificate(header, cert))
			return cert;
		X509_free(cert);
	}
	return NULL;
}

static int check_certificate(struct identities *i, const struct identity *id, const struct jwt *t,
	struct entra_refusal *no)
{
	scoped(x509_free) X509 *cert = find_certificate(id, t->header);
	if (!cert)
		return INVALID_CLIENT(no, 700027,
			"Client assertion failed signature validation: the certificate that signed "
			"it "
			"(x5t#S256, x5t, x5c or kid) is not registered for application '%s'.",
			id->client_id);
	time_t now = (time_t)emu_now(i->clock);
	if (X509_cmp_time(X509_get0_notBefore(cert), &now) >= 0 ||
		X509_cmp_time(X509_get0_notAfter(cert), &now) <= 0)
		return INVALID_CLIENT(no, 700027,
			"The certificate that signed the client assertion is not within its valid "
			"time "
			"range.");
	scoped(jwt_key_free) EVP_PKEY *key = X509_get_pubkey(cert);
	if (!key)
		return -ENOMEM;
	int ret = jwt_verify(t, key);
	if (ret == -EBADMSG)
		return INVALID_CLIENT(no, 700027, "Client assertion failed signature validation.");
	return ret;
}

// Presented again it is accepted, as the service does: clients keep one for minutes.
static int check_dates(struct identities *i, const struct jwt *t, struct entra_refusal *no)
{
	const char *jti = kp_json_str(t->claims, "jti");
	int64_t exp = 0;
	if (!jti || !*jti || !kp_json_int(t->claims, "exp", &exp))
		return INVALID_CLIENT(no, 50027, "The client assertion has no claim 'jti'.");
	if (exp > emu_now(i->clock) + LONGEST)
		return INVALID_CLIENT(
			no, 700024, "The client assertion is valid for more than a day.");
	return 0;
}

static int check_own(struct identities *i, const struct identity *id, const struct jwt *t,
	const char *const *audiences, struct entra_refusal *no)
{
	const char *aud = kp_json_str(t->claims, "aud");
	if (strcasecmp(or_empty(kp_json_str(t->claims, "sub")), id->client_id) != 0)
		return INVALID_CLIENT(no, 700021,
			"Client assertion application identifier doesn't match 'client_id' "
			"parameter.");
	while (*audiences && strcasecmp(*audiences, or_empty(aud)) != 0)
		audiences++;
	if (!*audiences)
		return INVALID_CLIENT(no, 700023,
			"Client assertion audience claim does not match: '%.100s'.", or_empty(aud));
	int ret = check_certificate(i, id, t, no);
	if (ret == 0)
		ret = check_times(i, t, no);
	return ret ? ret : check_dates(i, t, no);
}

static int check_federated(struct identities *i, const struct identity *id, const struct jwt *t,
	struct entra_refusal *no)
{
	const char *iss = or_empty(kp_json_str(t->claims, "iss"));
	const char *sub = or_empty(kp_json_str(t->claims, "sub"));
	const char *kid = kp_json_str(t->header, "kid");
	const struct kp_json *list = kp_json_get(t->claims, "aud");
	const char *aud = kp_json_text(list);
	if (kp_json_count(list) == 1) // as Kubernetes writes it
		aud = kp_json_text(kp_json_first(list));
	for (size_t n = 0; n < id->federated_count; n++) {
		const struct federated *f = &id->federated[n];
		if (strcmp(f->issuer, iss) != 0 || strcmp(f->subject, sub) != 0 ||
			strcmp(f->audience, or_empty(aud)) != 0)
			continue;
		scoped(jwt_key_free) EVP_PKEY *key = NULL;
		int ret = jwt_key_parse(f->key, kid, &key);
		if (ret == 0)
			ret = jwt_verify(t, key);
		if (ret == -ENOMEM)
			return ret;
		if (ret)
			return INVALID_CLIENT(
				no, 700027, "Client assertion failed signature validation.");
		return check_times(i, t, no);
	}
	return INVALID_CLIENT(no, 700213,
		"No matching federated identity record found for presented assertion: issuer "
		"'%.80s', "
		"subject '%.80s', audience '%.60s'.",
		iss, sub, or_empty(aud));
}

int assertion_check(struct identities *i, const struct identity *id, const char *assertion,
	const char *const *audiences, struct entra_refusal *no)
{
	scoped(jwt_end) struct jwt t = {0};
	int ret = jwt_parse(assertion, &t);
	if (ret == -EBADMSG)
		return INVALID_CLIENT(no, 50027, "The client assertion is no well-formed JWT.");
	if (ret)
		return ret;
	if (strcasecmp(or_empty(kp_json_str(t.claims, "iss")), id->client_id) == 0)
		return check_own(i, id, &t, audiences, no);
	return check_federated(i, id, &t, no);
}
