// SPDX-License-Identifier: MIT
// The certificate authority, in memory and in files; see emu_ca.h.
#include "emu_ca.h"

#include "emu_cert.h"
#include "emu_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_MOST (64u << 10)
#define CA_DAYS (10 * 365)
#define SERVER_DAYS 365
#define RENEW_DAYS 30

static void wiped(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void emu_cert_free(struct emu_cert *c)
{
	free(c->cert_pem);
	wiped(c->key_pem);
	*c = (struct emu_cert){0};
}

static int read_pem(const char *dir, const char *name, char **out, struct kp_err *err)
{
	autofree char *path = NULL;
	size_t len;
	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return kp_fail(err, ENOMEM, "out of memory");
	}
	return emu_file_read(path, PEM_MOST, out, &len, err);
}

// The key first: a certificate in place means that its key is too.
static int store(const char *dir, const char *cert, const char *key, const struct emu_cert *c,
	struct kp_err *err)
{
	int ret = emu_file_write(dir, key, 0600, c->key_pem, strlen(c->key_pem), err);
	return ret ? ret : emu_file_write(dir, cert, 0644, c->cert_pem, strlen(c->cert_pem), err);
}

static int load(const char *dir, const char *cert, const char *key, struct emu_cert *out,
	struct kp_err *err)
{
	scoped(emu_cert_free) struct emu_cert c = {0};
	int ret = read_pem(dir, cert, &c.cert_pem, err);
	if (!ret)
		ret = read_pem(dir, key, &c.key_pem, err);
	if (ret)
		return ret;
	*out = c;
	c = (struct emu_cert){0};
	return 0;
}

static int open_ca(const char *dir, struct emu_cert *out, struct kp_err *err)
{
	int ret = load(dir, "ca.pem", "ca-key.pem", out, err);
	if (ret != -ENOENT)
		return ret;
	ret = cert_make_ca("cmkdisk-vault", CA_DAYS, out);
	if (ret)
		return kp_fail(
			err, -ret, "cannot make a certificate authority: %s", strerror(-ret));
	return store(dir, "ca.pem", "ca-key.pem", out, err);
}

int emu_ca_open(const char *dir, struct emu_cert *server, struct kp_err *err)
{
	scoped(emu_cert_free) struct emu_cert ca = {0};
	int ret = open_ca(dir, &ca, err);
	if (ret)
		return ret;
	ret = load(dir, "server.pem", "server-key.pem", server, err);
	if (ret == 0 && cert_fits(server, &ca, RENEW_DAYS))
		return 0;
	emu_cert_free(server);
	if (ret && ret != -ENOENT)
		return ret;
	ret = cert_make_server(&ca, SERVER_DAYS, server);
	if (ret)
		return kp_fail(err, -ret,
			"%s/ca.pem: cannot sign a certificate for the server with it: %s; remove "
			"ca.pem and ca-key.pem to have new ones made",
			dir, strerror(-ret));
	return store(dir, "server.pem", "server-key.pem", server, err);
}

int emu_ca_wrong(struct emu_cert *server, struct kp_err *err)
{
	scoped(emu_cert_free) struct emu_cert ca = {0};
	int ret = cert_make_ca("somebody else", SERVER_DAYS, &ca);
	if (!ret)
		ret = cert_make_server(&ca, SERVER_DAYS, server);
	return ret ? kp_fail(err, -ret, "cannot make a certificate: %s", strerror(-ret)) : 0;
}
