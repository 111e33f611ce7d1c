// SPDX-License-Identifier: MIT
// See http_script_io.h, and http_script_certificate() of http_script.h.
#include "http_script_io.h"

#include "http_script.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct script_tls {
	SSL_CTX *ctx;
};

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "http_script: %s failed\n", what);
	abort();
}

struct script_tls *script_tls_new(const char *pem)
{
	struct script_tls *t = calloc(1, sizeof(*t));
	require(t, "calloc");
	t->ctx = SSL_CTX_new(TLS_server_method());
	require(t->ctx && SSL_CTX_use_certificate_chain_file(t->ctx, pem) == 1 &&
			SSL_CTX_use_PrivateKey_file(t->ctx, pem, SSL_FILETYPE_PEM) == 1,
		pem);
	return t;
}

void script_tls_free(struct script_tls *t)
{
	if (t)
		SSL_CTX_free(t->ctx);
	free(t);
}

bool script_begin(struct script_tls *t, struct script_link *l)
{
	if (!t)
		return true;
	l->ssl = SSL_new(t->ctx);
	require(l->ssl && SSL_set_fd(l->ssl, l->fd) == 1, "SSL_new");
	return SSL_accept(l->ssl) == 1;
}

void script_end(struct script_link *l)
{
	if (l->ssl && SSL_is_init_finished(l->ssl))
		(void)SSL_shutdown(l->ssl);
	SSL_free(l->ssl);
	(void)shutdown(l->fd, SHUT_WR);
	(void)close(l->fd);
}

long script_read(struct script_link *l, void *out, size_t len)
{
	return l->ssl ? SSL_read(l->ssl, out, (int)len) : (long)recv(l->fd, out, len, 0);
}

long script_write(struct script_link *l, const void *data, size_t len)
{
	return l->ssl ? SSL_write(l->ssl, data, (int)len)
		      : (long)send(l->fd, data, len, MSG_NOSIGNAL);
}

bool script_pending(struct script_link *l)
{
	return l->ssl && SSL_pending(l->ssl) > 0;
}

static void add_name(X509 *cert, const char *name)
{
	char san[300];
	(void)snprintf(san, sizeof(san), "DNS:%s", name);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	require(e && X509_add_ext(cert, e, -1) == 1, "a subject's name");
	X509_EXTENSION_free(e);
}

void http_script_certificate(const char *path, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	require(key && cert && X509_set_version(cert, 2) == 1, "a certificate");
	X509_NAME *subject = X509_get_subject_name(cert);
	require(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
			X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
			X509_gmtime_adj(X509_getm_notAfter(cert), 86400) &&
			X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				(const unsigned char *)"script", -1, -1, 0) == 1 &&
			X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1,
		"a certificate's fields");
	add_name(cert, name);
	require(X509_sign(cert, key, EVP_sha256()) > 0, "X509_sign");
	FILE *f = fopen(path, "we");
	require(f && PEM_write_X509(f, cert) == 1 &&
			PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && !fclose(f),
		path);
	X509_free(cert);
	EVP_PKEY_free(key);
}
